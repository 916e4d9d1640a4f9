/** Runs one scenario on the hosts, and measures and judges it as the namespace lab does (../lab/scenario-run.ts). */
import { defaultTiming } from '../../shared/core/timing.ts'
import type { Violation } from '../invariants/facts.ts'
import { nodes, type LabNode } from '../lab/address-plan.ts'
import { violationsOf } from '../lab/invariants-of-run.ts'
import { everydayPair } from '../lab/keepalived-config.ts'
import { type MeasuredRun, type PhaseFigures, type Snapshot } from '../lab/measured-run.ts'
import { pause, pauseUntil, until } from '../lab/pause.ts'
import { factsOf, type RunRecord } from '../lab/run-facts.ts'
import { ownershipFigures, type Span } from '../lab/vip-ownership.ts'
import { attemptTimeoutMs, clientFigures } from '../lab/web-client.ts'
import { witnessAwayMs } from '../lab/witness-away.ts'
import { type HostsLab } from './hosts-lab.ts'
import { keepalivedLinesOf, productLinesOf, readJournal } from './journal.ts'
import { type HostsScenario } from './scenario.ts'
import { clusterEvents, clusterView, settledRoles, type Roles } from './witness-word.ts'

/** Rejoining waits for a hold-down, which doubles with each fence. */
const settleWithinMs = 60_000
/** How long clients are watched after everything is settled. */
const calmAfterMs = 500

export interface PlayedScenario {
  readonly run: MeasuredRun
  /** What did not hold, each in a sentence. */
  readonly broken: readonly string[]
}

/** @throws Error if the lab itself fails, or if what it waits for does not happen. */
export async function playScenario(lab: HostsLab, scenario: HostsScenario): Promise<PlayedScenario> {
  const roles = await untilSettled(lab, `before ${scenario.name}`)
  const play = scenario.cast(roles)
  const before = await snapshot(lab)
  lab.notes.note({ type: 'calm' })

  const faultAtMs = Date.now()
  for (const fault of play.faults) lab.notes.note({ type: 'fault', ...fault, on: true })
  await play.begin(lab)
  await pauseUntil(faultAtMs + play.faultMs)
  const faultEnd = await snapshot(lab)
  const complaints = await complaintsOf(() => play.inFault?.(lab))

  const healAtMs = Date.now()
  await play.heal(lab)
  for (const fault of play.faults) lab.notes.note({ type: 'fault', ...fault, on: false })
  await untilSettled(lab, `after ${scenario.name}`)
  await pause(calmAfterMs)
  const endMs = Date.now()
  const end = await snapshot(lab)
  const events = await clusterEvents(lab.host('witness'))
  await pause(attemptTimeoutMs)

  const changes = lab.observer.changes()
  const record = await recordOf(lab, endMs)
  const facts = factsOf(record, defaultTiming)
  const spans = {
    fault: { fromMs: faultAtMs, toMs: healAtMs },
    healed: { fromMs: healAtMs, toMs: endMs },
  }
  const figures = (span: Span): PhaseFigures => {
    const ownership = ownershipFigures(changes, span)
    const rightful = soleOwner(ownership.ownersAtEnd) ?? roles.holder
    return { ...ownership, ...clientFigures(lab.client.attempts(), span, { changes, rightful }) }
  }
  // Judged from the first boot on, so that each watch knows what happened before; violations from before this scenario
  // were reported then.
  const violations = violationsOf(facts, {
    timing: defaultTiming,
    pair: everydayPair,
    endMs,
    busy: true,
  }).filter(({ atMs }) => atMs >= faultAtMs)
  const run: MeasuredRun = {
    scenario: scenario.name,
    arbiter: 'witness',
    fault: figures(spans.fault),
    healed: figures(spans.healed),
    whole: figures({ fromMs: faultAtMs, toMs: endMs }),
    spans,
    changes: changes.filter(({ atMs }) => atMs >= faultAtMs),
    before,
    faultEnd,
    end,
    events: events.filter(({ at }) => Date.parse(at) >= faultAtMs),
    facts,
    complaints: [],
    witnessAwayMs: { lb01: witnessAwayMs(record, 'lb01'), lb02: witnessAwayMs(record, 'lb02') },
    violations,
    siege: null,
  }
  complaints.push(...(await complaintsOf(() => play.after?.(lab))))
  return { run, broken: [...complaints, ...violations.map(violationText), ...brokenMusts(run, play.musts)] }
}

export async function untilSettled(lab: HostsLab, when: string): Promise<Roles> {
  return until(`the cluster is settled ${when}`, { withinMs: settleWithinMs, everyMs: 200 }, () =>
    settledRoles(lab),
  )
}

function brokenMusts(
  run: MeasuredRun,
  musts: readonly { says: string; broken: (run: MeasuredRun) => string | null }[],
): string[] {
  return musts.flatMap(({ says, broken }) => {
    const seen = broken(run)
    return seen === null ? [] : [`${says}: ${seen}`]
  })
}

function violationText({ invariant, text }: Violation): string {
  return `${invariant}: ${text}`
}

async function complaintsOf(check: () => Promise<void> | undefined): Promise<string[]> {
  try {
    await check()
    return []
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}

async function recordOf(lab: HostsLab, endMs: number): Promise<RunRecord> {
  const [agent1, agent2, keepalived1, keepalived2, witness] = await Promise.all([
    readJournal(lab.host('lb01'), 'witness-agent'),
    readJournal(lab.host('lb02'), 'witness-agent'),
    readJournal(lab.host('lb01'), 'keepalived'),
    readJournal(lab.host('lb02'), 'keepalived'),
    readJournal(lab.host('witness'), 'witnessd'),
  ])
  return {
    notes: lab.notes.all(),
    changes: lab.observer.changes(),
    agents: { lb01: productLinesOf(agent1), lb02: productLinesOf(agent2) },
    keepalived: { lb01: keepalivedLinesOf(keepalived1), lb02: keepalivedLinesOf(keepalived2) },
    witness: productLinesOf(witness),
    endMs,
  }
}

async function snapshot(lab: HostsLab): Promise<Snapshot> {
  const [lb01, lb02] = await Promise.all(nodes.map((node) => keepalivedRuns(lab, node)))
  const witness = lab.host('witness')
  const view = witness.hasPower ? await clusterView(witness) : null
  return { keepalivedRuns: { lb01: lb01 === true, lb02: lb02 === true }, view }
}

async function keepalivedRuns(lab: HostsLab, node: LabNode): Promise<boolean> {
  const host = lab.host(node)
  return host.hasPower && (await host.tryRun('pgrep', '--exact', 'keepalived')).code === 0
}

function soleOwner(owners: readonly LabNode[]): LabNode | null {
  return owners.length === 1 ? (owners[0] ?? null) : null
}
