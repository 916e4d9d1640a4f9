/** Runs one scenario in a fresh lab, and measures. */
import { join } from 'node:path'
import { cluster as webCluster, isInstance, nodes, type LabNode } from './address-plan.ts'
import { type Arbiter } from './arbiter.ts'
import { type ClusterSetup, everydaySetup } from './cluster-setup.ts'
import { ClusterUnderTest } from './cluster-under-test.ts'
import { violationsOf } from './invariants-of-run.ts'
import { readKeepalivedLines } from './keepalived-lines.ts'
import { keepalivedRuns } from './keepalived-service.ts'
import { type LabFolder } from './lab-folder.ts'
import { type MeasuredRun, type PhaseFigures, type Snapshot } from './measured-run.ts'
import { pause, pauseUntil } from './pause.ts'
import { readProductLines } from './product-lines.ts'
import { factsOf, type RunRecord } from './run-facts.ts'
import { type Scenario } from './scenario.ts'
import { Siege } from './siege.ts'
import { isSettled, startWarm } from './steady-state.ts'
import { ownershipFigures, type Span } from './vip-ownership.ts'
import { attemptTimeoutMs, clientFigures } from './web-client.ts'
import { clusterEvents, clusterView } from './witness-api.ts'
import { witnessAwayMs } from './witness-away.ts'

/**
 * `quick` ends as soon as everything is settled after the heal; it is for tests, which ask only who won. `full` waits
 * before the fault until keepalived has sent its second round of gratuitous ARP (which comes 5 s after the first and
 * would hide dark time), and watches long enough after the heal to see clients that stay unanswered.
 */
export type Pace = 'quick' | 'full'

const calmBeforeMs: Readonly<Record<Pace, number>> = { quick: 500, full: 6000 }
const calmAfterMs = 1000

export interface RunOptions {
  readonly scenario: Scenario
  readonly arbiter: Arbiter
  readonly pace: Pace
  /** The built programs; not needed with `arbiter: none`. */
  readonly product: string | null
  readonly folder: LabFolder
  /** Which run of the scenario this is, counted from one; it decides when, between two adverts, the fault strikes. */
  readonly number: number
  /** Called with the result while the lab is still up, for example to keep its folder. */
  readonly settle?: (measured: MeasuredRun) => void
  /** Called with the lab as the run leaves it, before it is shut down. */
  readonly linger?: (cluster: ClusterUnderTest) => Promise<void>
}

/** @throws Error if the lab itself fails; what the product does wrong is in the result. */
export async function runScenario(options: RunOptions): Promise<MeasuredRun> {
  const { scenario, arbiter, folder } = options
  const product = arbiter === 'none' ? null : options.product
  const setup: ClusterSetup = {
    ...everydaySetup,
    ...scenario.setup,
    arbiter,
    product,
  }
  const cluster = await ClusterUnderTest.install(setup, folder)
  try {
    const measured = await measure(cluster, options)
    options.settle?.(measured)
    await options.linger?.(cluster)
    return measured
  } catch (error) {
    folder.keep()
    throw new Error(`${scenario.name} (arbiter ${arbiter}): ${String(error)}; logs: ${folder.path}`, {
      cause: error,
    })
  } finally {
    await cluster.remove()
  }
}

async function measure(
  cluster: ClusterUnderTest,
  { scenario, arbiter, pace, number }: RunOptions,
): Promise<MeasuredRun> {
  await (scenario.prepare ?? startWarm)(cluster)
  const siege = scenario.siege === undefined ? null : await Siege.prepare(cluster, scenario.siege)
  await pause(calmBeforeMs[pace])
  const before = await snapshot(cluster)
  if (arbiter === 'witness' && (await isSettled(cluster))) cluster.notes.note({ type: 'calm' })
  await pauseUntilAdvertPhase(cluster, number)

  const faultAtMs = Date.now()
  for (const fault of scenario.faults) cluster.notes.note({ type: 'fault', ...fault, on: true })
  await siege?.begin()
  await scenario.begin(cluster)
  await pauseUntil(faultAtMs + scenario.faultMs)
  const faultEnd = await snapshot(cluster)

  const healAtMs = Date.now()
  await scenario.heal(cluster)
  await siege?.end()
  for (const fault of scenario.faults) cluster.notes.note({ type: 'fault', ...fault, on: false })
  await watch(cluster, { untilMs: healAtMs + scenario.healedMs, pace })
  const endMs = Date.now()
  const end = await snapshot(cluster)
  const events = arbiter === 'witness' ? await clusterEvents(cluster.host('witness')) : []
  const complaints = arbiter === 'witness' ? ((await scenario.atEnd?.(cluster)) ?? []) : []
  await pause(attemptTimeoutMs)

  const changes = cluster.observer.changes()
  const record = recordOf(cluster, endMs)
  const facts = factsOf(record, cluster.timing)
  const spans = {
    fault: { fromMs: faultAtMs, toMs: healAtMs },
    healed: { fromMs: healAtMs, toMs: endMs },
  }
  const winner = soleOwner(ownershipFigures(changes, spans.healed).ownersAtEnd)
  const figures = (span: Span): PhaseFigures => {
    const ownership = ownershipFigures(changes, span)
    const rightful = scenario.rightful ?? soleOwner(ownership.ownersAtEnd) ?? winner
    return { ...ownership, ...clientFigures(cluster.client.attempts(), span, { changes, rightful }) }
  }
  return {
    scenario: scenario.name,
    arbiter,
    fault: figures(spans.fault),
    healed: figures(spans.healed),
    whole: figures({ fromMs: faultAtMs, toMs: endMs }),
    spans,
    changes,
    before,
    faultEnd,
    end,
    events,
    facts,
    complaints,
    witnessAwayMs: { lb01: witnessAwayMs(record, 'lb01'), lb02: witnessAwayMs(record, 'lb02') },
    siege: siege?.figures() ?? null,
    violations:
      arbiter === 'witness'
        ? violationsOf(facts, {
            timing: cluster.timing,
            pair: cluster.setup.pair,
            endMs,
            busy: pace === 'quick',
          })
        : [],
  }
}

function recordOf(cluster: ClusterUnderTest, endMs: number): RunRecord {
  const log = (host: string, name: string): string => join(cluster.folderPath, host, `${name}.log`)
  const agent = (node: LabNode): string => log(node, 'witness-agent')
  const keepalived = (node: LabNode): string => log(node, 'keepalived')
  const subject = { cluster: webCluster, isInstance }
  return {
    notes: cluster.notes.all(),
    changes: cluster.observer.changes(),
    agents: {
      lb01: readProductLines(agent('lb01'), subject),
      lb02: readProductLines(agent('lb02'), subject),
    },
    keepalived: {
      lb01: readKeepalivedLines(keepalived('lb01')),
      lb02: readKeepalivedLines(keepalived('lb02')),
    },
    witness: readProductLines(log('witness', 'witnessd'), subject),
    endMs,
  }
}

/**
 * How long a takeover lasts depends on how old the last advert is when the fault strikes. Runs are spread over the
 * second between two adverts, in the same way for every arbiter, so that medians can be compared.
 */
async function pauseUntilAdvertPhase(cluster: ClusterUnderTest, run: number): Promise<void> {
  const { advertIntMs } = cluster.setup.pair.pace
  const goldenRatio = 0.618_034
  const phaseMs = ((run * goldenRatio) % 1) * advertIntMs
  const tookVip = cluster.observer.changes().findLast(({ has }) => has)
  if (tookVip === undefined) return
  const sinceMs = (Date.now() - tookVip.atMs) % advertIntMs
  await pause((phaseMs - sinceMs + advertIntMs) % advertIntMs)
}

async function watch(cluster: ClusterUnderTest, options: { untilMs: number; pace: Pace }): Promise<void> {
  if (options.pace === 'full') {
    await pauseUntil(options.untilMs)
    return
  }
  await pause(calmAfterMs)
  while (Date.now() < options.untilMs && !(await isSettled(cluster))) await pause(250)
  await pause(calmAfterMs)
}

async function snapshot(cluster: ClusterUnderTest): Promise<Snapshot> {
  const runs = async (node: LabNode): Promise<boolean> =>
    cluster.hasPower(node) && (await keepalivedRuns(cluster.host(node)))
  const [lb01, lb02] = await Promise.all(nodes.map(runs))
  const view = cluster.setup.arbiter === 'witness' ? await clusterView(cluster.host('witness')) : null
  return { keepalivedRuns: { lb01: lb01 === true, lb02: lb02 === true }, view }
}

function soleOwner(owners: readonly LabNode[]): LabNode | null {
  return owners.length === 1 ? (owners[0] ?? null) : null
}
