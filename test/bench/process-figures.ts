/** What a process used, as described in proc(5). Pure. */

/** CPU time in clock ticks. */
export interface CpuTicks {
  readonly own: number
  /** CPU time of children that have ended and were waited for. */
  readonly children: number
}

/** The text of /proc/PID/stat. The name in brackets may contain anything, brackets and spaces included. */
export function cpuTicks(stat: string): CpuTicks {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const field = (number: number): number => {
    // The fields after the name begin with field 3.
    const value = Number(fields[number - 3])
    if (!Number.isInteger(value)) throw new Error(`field ${number} of /proc/PID/stat is missing: ${stat}`)
    return value
  }
  return { own: field(14) + field(15), children: field(16) + field(17) }
}

/** A line `Name:  123 kB` of /proc/PID/smaps_rollup or /proc/PID/status, in MiB. */
export function mebibytes(text: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]
  if (found === undefined) throw new Error(`no ${name} in /proc: ${text.slice(0, 80)}`)
  return Number(found) / 1024
}

/** Percent of one core. */
export function cpuPercent(ticks: number, span: { ticksPerSecond: number; lastedMs: number }): number {
  return (100 * ticks * 1000) / (span.ticksPerSecond * span.lastedMs)
}
