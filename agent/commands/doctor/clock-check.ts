/** The clocks that leases are measured with. */
import { readFileSync } from 'node:fs'
import { messageOf } from '../../../shared/error-message.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

export interface Clocks {
  /** `/proc/uptime`. */
  readonly bootMs: () => number
  /** os.uptime(), the same clock by another way. */
  readonly uptimeMs: () => number
  readonly monotonicMs: () => number
  readonly pauseMs: (durationMs: number) => Promise<void>
}

const watchMs = 300
/** Reading grain of the boot clock, twice, and a program that runs late. */
const toleranceMs = 60

export async function checkBootClock({ bootMs, uptimeMs, monotonicMs, pauseMs }: Clocks): Promise<Finding> {
  try {
    const before = { bootMs: bootMs(), monotonicMs: monotonicMs() }
    const apartMs = Math.abs(before.bootMs - uptimeMs())
    await pauseMs(watchMs)
    const driftMs = bootMs() - before.bootMs - (monotonicMs() - before.monotonicMs)
    if (apartMs > 1000)
      return fail(
        'boot-clock',
        `/proc/uptime and the kernel's uptime are ${Math.round(apartMs)} ms apart, so something replaces /proc/uptime (perhaps lxcfs)`,
        "run the agent and the check where /proc is the kernel's own",
      )
    if (Math.abs(driftMs) > toleranceMs)
      return fail(
        'boot-clock',
        `the boot clock differed by ${Math.round(driftMs)} ms from the monotonic clock within ${watchMs} ms`,
        'check the clock source and the hypervisor, because leases are measured with this clock',
      )
    return ok('boot-clock', 'the time since boot can be read and advances evenly')
  } catch (cause) {
    return fail('boot-clock', `the time since boot cannot be read (${messageOf(cause)})`, 'mount /proc')
  }
}

const steady = [
  'tsc',
  'kvm-clock',
  'hyperv_clocksource_tsc_page',
  'arch_sys_counter',
  'xen',
  'timebase',
  'tod',
  'riscv_clocksource',
]
const slow = ['hpet', 'acpi_pm']

export const clockSourceFile = '/sys/devices/system/clocksource/clocksource0/current_clocksource'

export function checkClockSource(file = clockSourceFile): Finding {
  let source: string
  try {
    source = readFileSync(file, 'utf8').trim()
  } catch {
    return ok(
      'clock-source',
      'the kernel does not show its clock source (perhaps because this is a container)',
    )
  }
  if (steady.some((name) => source.startsWith(name)))
    return ok('clock-source', `the clock source is ${source}`)
  if (slow.includes(source))
    return warn(
      'clock-source',
      `the clock source is ${source}, which means that the kernel found the processor's own clock unstable`,
      'search the kernel log for "clocksource"; a clock that is wrong by more than 1 % endangers leases',
    )
  return warn(
    'clock-source',
    `the clock source is ${source}, which the doctor does not know`,
    'search the kernel log for "clocksource"',
  )
}
