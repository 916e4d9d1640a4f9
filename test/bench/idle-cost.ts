/** Part 1: what an idle pair costs. */
import { type ClusterUnderTest } from '../lab/cluster-under-test.ts'
import { nodes, type LabHost } from '../lab/address-plan.ts'
import { command } from '../lab/command.ts'
import { pause } from '../lab/pause.ts'
import { type Section } from './markdown.ts'
import { cpuPercent, type CpuTicks, cpuTicks, mebibytes } from './process-figures.ts'

export interface ProcessCost {
  readonly program: string
  readonly host: LabHost
  readonly cpuPercent: number
  /** CPU time of programs that it started, for example `ping`. */
  readonly childrenCpuPercent: number
  readonly pssMiB: number
  readonly rssMiB: number
}

export interface IdleCost {
  readonly lastedMs: number
  readonly processes: readonly ProcessCost[]
}

/** After a start there is more to do for a while: compiling, garbage collection, connecting. */
const calmMs = 10_000

export async function measureIdle(cluster: ClusterUnderTest, seconds: number): Promise<IdleCost> {
  const ticksPerSecond = Number(await command('getconf', ['CLK_TCK']))
  const daemons: readonly { host: LabHost; program: string }[] = [
    { host: 'witness', program: 'witnessd' },
    ...nodes.map((host) => ({ host, program: 'witness-agent' })),
  ]
  const read = async (host: LabHost, program: string, file: string): Promise<string> =>
    cluster.host(host).run('sh', '-c', `cat "/proc/$(cat /run/${program}.pid)/${file}"`)
  const look = async (): Promise<{ atMs: number; ticks: CpuTicks }[]> =>
    Promise.all(
      daemons.map(async ({ host, program }) => {
        const stat = await read(host, program, 'stat')
        return { atMs: performance.now(), ticks: cpuTicks(stat) }
      }),
    )
  await pause(calmMs)
  const before = await look()
  await pause(seconds * 1000)
  const after = await look()
  const processes = await Promise.all(
    daemons.map(async ({ host, program }, at): Promise<ProcessCost> => {
      const [from, to] = [before[at], after[at]]
      if (from === undefined || to === undefined) throw new Error(`${program} was not looked at`)
      const span = { ticksPerSecond, lastedMs: to.atMs - from.atMs }
      const rollup = await read(host, program, 'smaps_rollup')
      return {
        program,
        host,
        cpuPercent: cpuPercent(to.ticks.own - from.ticks.own, span),
        childrenCpuPercent: cpuPercent(to.ticks.children - from.ticks.children, span),
        pssMiB: mebibytes(rollup, 'Pss'),
        rssMiB: mebibytes(rollup, 'Rss'),
      }
    }),
  )
  return { lastedMs: seconds * 1000, processes }
}

export function idleSection({ lastedMs, processes }: IdleCost, setting: string): Section {
  return {
    id: 'idle',
    title: 'Cost of an idle pair',
    how:
      `One pair in the lab, one vrrp_instance, nothing happening. CPU: utime + stime of /proc/PID/stat over ` +
      `${lastedMs / 1000} s, in percent of one core; beside it that of the programs it started (cutime + cstime). ` +
      'Memory: /proc/PID/smaps_rollup at the end. PSS shares what several Node.js processes have in common; on a host of its own a process costs up to its RSS.',
    setting,
    table: {
      head: ['program', 'host', 'CPU, % of a core', 'its children, %', 'PSS, MiB', 'RSS, MiB'],
      rows: processes.map((each) => [
        each.program,
        each.host,
        each.cpuPercent.toFixed(2),
        each.childrenCpuPercent.toFixed(2),
        each.pssMiB.toFixed(1),
        each.rssMiB.toFixed(1),
      ]),
    },
    notes: [],
    keyCells: 0,
  }
}
