/** Part 2: the check, for which keepalived waits every second. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeCheckSettings } from '../../agent/check/settings.ts'
import { writePermit } from '../../agent/check/permit-file.ts'
import { bootClockMs, bootId } from '../../shared/host/boot-clock.ts'
import { instance } from '../lab/address-plan.ts'
import { type ClusterUnderTest } from '../lab/cluster-under-test.ts'
import { command } from '../lab/command.ts'
import { stateFolderOf } from '../lab/daemon-config.ts'
import { checkPath } from '../lab/keepalived-config.ts'
import { LabFolder } from '../lab/lab-folder.ts'
import { timeInside, type Timed } from './bench-lab.ts'
import { type Section } from './markdown.ts'
import { rangeText, type Statistics, statisticsOf } from './statistics.ts'

export interface CheckCost {
  /** `#!/bin/sh` and nothing else, which is what any script costs. */
  readonly emptyMs: Statistics
  readonly commonMs: Statistics
  readonly askingMs: Statistics
  readonly silentMs: Statistics
  /** How many processes were started, the script itself included. */
  readonly processes: { readonly empty: number; readonly common: number; readonly asking: number }
}

const asks = 50
const silences = 5

export async function measureCheck(
  cluster: ClusterUnderTest,
  { product, runs }: { product: string; runs: number },
): Promise<CheckCost> {
  const stateDir = stateFolderOf('lb01')
  // The same check as if the agent had never run, because its run folder is empty.
  const orphan = '/tmp/no-agent'
  await cluster.host('lb01').shell(
    `printf '#!/bin/sh\\n' > /run/empty-script
     chmod 755 /run/empty-script
     mkdir -p ${orphan}
     sed 's#^RUN_DIR=.*#RUN_DIR=${orphan}#' ${stateDir}/check.conf > ${orphan}/check.conf
     cp ${stateDir}/check.header ${orphan}/check.header`,
  )
  const empty = { argv: ['/run/empty-script'], until: null }
  const common = { argv: [checkPath, '--state-dir', stateDir, instance], until: null }
  const asking = { argv: [checkPath, '--state-dir', orphan, instance], until: null }
  const quick = await timeInside(cluster, 'lb01', { runs, programs: { empty, common } })
  expect(quick('common'), { code: 0, says: /^permit: (?!.*the witness:)/ })
  const asked = await timeInside(cluster, 'lb01', { runs: asks, programs: { asking } })
  expect(asked('asking'), { code: null, says: /the witness: / })
  await cluster.wires.isolate('witness')
  const alone = await timeInside(cluster, 'lb01', { runs: silences, programs: { asking } })
  await cluster.wires.endIsolation('witness')
  expect(alone('asking'), { code: 1, says: /the witness does not answer/ })
  return {
    emptyMs: statisticsOf(quick('empty').ms),
    commonMs: statisticsOf(quick('common').ms),
    askingMs: statisticsOf(asked('asking').ms),
    silentMs: statisticsOf(alone('asking').ms),
    processes: await countProcesses(product),
  }
}

/**
 * A run that took another path must not be counted for this one.
 * @throws Error with what the check printed
 */
function expect({ codes, said }: Timed, wanted: { code: number | null; says: RegExp }): void {
  const codesFit = wanted.code === null || codes.every((code) => code === wanted.code)
  if (!codesFit || !wanted.says.test(said))
    throw new Error(`the check took another path: exit ${[...new Set(codes)].join(', ')}, "${said.trim()}"`)
}

/**
 * In a process namespace of its own every new process gets the next number, and /proc/loadavg shows the last one. The
 * difference over a run is the number of processes that were started.
 */
async function countProcesses(product: string): Promise<CheckCost['processes']> {
  const folder = new LabFolder('disk')
  try {
    await writeCheckSettings(folder.path, {
      ...{ witness: 'https://127.0.0.1:9', cluster: 'web', node: 'lb01', mode: 'enforce', alone: 'stop' },
      ...{ runDir: folder.path, armed: [instance] },
    } as const)
    writePermit(
      { runDir: folder.path, instance, bootId: bootId() },
      { word: 'permit', untilMs: bootClockMs() + 600_000, why: 'bench' },
    )
    const empty = join(folder.path, 'empty-script')
    writeFileSync(empty, '#!/bin/sh\n')
    chmodSync(empty, 0o755)
    const check = join(product, 'witness-check')
    return {
      empty: await count(0, [empty]),
      common: await count(0, [check, '--state-dir', folder.path, instance]),
      // There is no permit file of that name, and in a network namespace of its own nobody answers.
      asking: await count(1, [check, '--state-dir', folder.path, `${instance}_unknown`]),
    }
  } finally {
    folder.remove()
  }
}

const counter = `
read -r _ _ _ _ before </proc/loadavg
"$@" >/dev/null
code=$?
read -r _ _ _ _ after </proc/loadavg
echo $((after - before)) $code
`

async function count(wantedCode: number, argv: readonly string[]): Promise<number> {
  const inOwnNamespace = ['--pid', '--fork', '--mount-proc', '--net', 'sh', '-c', counter, 'sh']
  const [processes, code] = (await command('unshare', [...inOwnNamespace, ...argv])).trim().split(' ')
  if (Number(code) !== wantedCode) throw new Error(`${argv.join(' ')}: exit ${code ?? ''}, not ${wantedCode}`)
  return Number(processes)
}

export function checkSection(cost: CheckCost, setting: string): Section {
  const { emptyMs, commonMs, askingMs, silentMs, processes } = cost
  const row = (path: string, ms: Statistics, what: string): string[] => [
    path,
    rangeText(ms, 2),
    String(ms.count),
    what,
  ]
  return {
    id: 'check',
    title: 'The check',
    how:
      'Time from its start to its end, started from a small Node.js process on the holder in the lab; the first two in ' +
      'turns. Processes are counted in a process namespace of its own, by the number that the next one gets.',
    setting,
    table: {
      head: ['path', 'ms a run', 'runs', 'what happens'],
      rows: [
        row('empty `#!/bin/sh` script', emptyMs, `${processes.empty} process: itself`),
        row(
          'permit file valid (each second, while the agent lives)',
          commonMs,
          processes.common === 1
            ? '1 process: itself; it starts none'
            : `${processes.common} processes, itself included`,
        ),
        row(
          'no permit file: asks the witness',
          askingMs,
          `${processes.asking} processes: itself, curl and its helpers`,
        ),
        row('no permit file, and the witness is silent', silentMs, 'refuses; keepalived would wait 1000 ms'),
      ],
    },
    notes: [
      `The check's own share of its common path: ${(commonMs.median - emptyMs.median).toFixed(2)} ms (difference of the medians).`,
    ],
    keyCells: 0,
  }
}
