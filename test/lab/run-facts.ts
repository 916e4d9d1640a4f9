/**
 * What a run recorded, as the facts that the invariants judge (test/invariants/facts.ts), in time order. One clock: the
 * machine's wall clock, which all hosts of a lab share.
 *
 * How exact they are: the kernel's VIPs are known as their monitor reads them, which a busy machine delays
 * (`monitorLateMs`). The product's lines have whole milliseconds rounded down (`stampGrainMs`), so here a lease begins
 * at the end of its millisecond and ends at the beginning. keepalived's own states are known to the second, so they
 * count against a proof only if no state of that second agrees with it. What the lab did is known to the milliseconds
 * that it took (lab-notes.ts). An agent that raises its epoch while it holds logs no line, so the lease continues under
 * the epoch with which it was won. Ballots are those of the witness, from its log, because agents log none.
 */
import { assertNever } from '../../shared/assert-never.ts'
import { fenceAtMs, type Timing } from '../../shared/core/timing.ts'
import type { Fact, Timed } from '../invariants/facts.ts'
import { nodes, type LabNode } from './address-plan.ts'
import { livesOnAfter, statesAt, type KeepalivedLine } from './keepalived-lines.ts'
import { stampGrainMs, type ProductLine } from './product-lines.ts'
import { ownersAt, type OwnershipChange } from './vip-ownership.ts'

/** Three times the longest delay that was seen of the kernel's announcements: 30 ms at a load of eight per core. */
const monitorLateMs = 100

export interface RunRecord {
  /** What the lab did. */
  readonly notes: readonly Timed[]
  /** The kernels' VIPs. */
  readonly changes: readonly OwnershipChange[]
  readonly agents: Readonly<Record<LabNode, readonly ProductLine[]>>
  readonly keepalived: Readonly<Record<LabNode, readonly KeepalivedLine[]>>
  readonly witness: readonly ProductLine[]
  /** When the observation ended. */
  readonly endMs: number
}

export function factsOf(record: RunRecord, timing: Timing): readonly Timed[] {
  const vips = record.changes.map(({ atMs, node, has }): Timed => ({
    atMs,
    fact: { type: 'vip', node, held: has },
  }))
  const ofNodes = nodes.flatMap((node) => [
    ...leaseFacts(node, record, timing),
    ...record.agents[node].flatMap((line) => agentFacts(node, line, record)),
  ])
  const all = [...vips, ...record.notes, ...ofNodes, ...record.witness.flatMap(ballotFacts)]
  const seen = all.filter(({ atMs }) => atMs <= record.endMs).sort((one, other) => one.atMs - other.atMs)
  return [...freshKernels(seen[0]?.atMs ?? record.endMs), ...seen]
}

/** Hosts that have just booted have no VIP, and their kernels announce nothing about it. */
function freshKernels(atMs: number): readonly Timed[] {
  return nodes.map((node) => ({ atMs, fact: { type: 'vip', node, held: false } }))
}

interface LeaseSpan {
  readonly sinceMs: number
  readonly epoch: number
  /** Won under `gate: strict` before keepalived is MASTER, so it may expire without a line. */
  readonly unused: boolean
}

/** What a line, or what the lab did to the agent, means for the lease of its node. */
type LeaseTurn = { readonly atMs: number } & (
  | { readonly kind: 'won'; readonly epoch: number; readonly unused: boolean }
  | { readonly kind: 'used' }
  | { readonly kind: 'over' }
)

/** After any of these lines the agent uses no lease that it had before. */
const leaseEnds: ReadonlySet<string> = new Set([
  'start',
  'paused',
  'released',
  'fencing',
  'unprotected',
  'lease-unused',
  'end',
])

function leaseFacts(node: LabNode, { agents, notes, endMs }: RunRecord, timing: Timing): readonly Timed[] {
  const turns = [
    ...agents[node].flatMap(leaseTurnOfLine),
    ...notes.flatMap((note) => stopOfAgent(node, note)),
  ]
  turns.sort((one, other) => one.atMs - other.atMs)
  const facts: Timed[] = []
  let open: LeaseSpan | null = null
  for (const turn of turns) {
    switch (turn.kind) {
      case 'won':
        facts.push(...spanFacts(node, open, turn.atMs))
        open = { sinceMs: turn.atMs + stampGrainMs, epoch: turn.epoch, unused: turn.unused }
        break
      case 'used':
        open = used(open)
        break
      case 'over':
        facts.push(...spanFacts(node, open, lapseMs(open, turn.atMs, timing)))
        open = null
        break
      default:
        assertNever(turn)
    }
  }
  return [...facts, ...spanFacts(node, open, lapseMs(open, endMs, timing))]
}

function used(open: LeaseSpan | null): LeaseSpan | null {
  return open === null ? null : { ...open, unused: false }
}

/** A lease that was never used is known only for its first term. */
function lapseMs(open: LeaseSpan | null, untilMs: number, timing: Timing): number {
  if (open?.unused !== true) return untilMs
  return Math.min(untilMs, fenceAtMs(open.sinceMs + timing.leaseMs, timing))
}

function spanFacts(node: LabNode, span: LeaseSpan | null, untilMs: number): readonly Timed[] {
  if (span === null || untilMs <= span.sinceMs) return []
  const { sinceMs, epoch } = span
  const fact = { type: 'lease', node, epoch, untilMs } as const
  return [
    { atMs: sinceMs, fact },
    { atMs: untilMs, fact },
  ]
}

function leaseTurnOfLine({ atMs, event, text }: ProductLine): readonly LeaseTurn[] {
  if (event === 'lease-won') {
    const epoch = Number(/\(epoch (\d+)\)/.exec(text)?.[1])
    if (Number.isNaN(epoch)) throw new Error(`an agent won a lease, but the line has no epoch: ${text}`)
    return [{ kind: 'won', atMs, epoch, unused: !text.includes('holds the lease') }]
  }
  if (event === 'holding') return [{ kind: 'used', atMs }]
  return leaseEnds.has(event) ? [{ kind: 'over', atMs }] : []
}

/** A dead agent uses no lease, and a frozen one reports that it has none when it continues. */
function stopOfAgent(node: LabNode, { atMs, fact }: Timed): readonly LeaseTurn[] {
  const stops =
    fact.type === 'program' && fact.host === node && fact.program === 'agent' && fact.state !== 'running'
  return stops ? [{ kind: 'over', atMs }] : []
}

function agentFacts(node: LabNode, line: ProductLine, record: RunRecord): readonly Timed[] {
  const { atMs, event, text } = line
  const at = (instantMs: number, ...facts: readonly Fact[]): readonly Timed[] =>
    facts.map((fact) => ({ atMs: instantMs, fact }))
  switch (event) {
    case 'start':
      return at(atMs + stampGrainMs, { type: 'program', host: node, program: 'agent', state: 'running' })
    case 'fencing': {
      const fencing = { type: 'fencing', node, reason: text } as const
      // The order itself leaves no line, but obeying it does.
      return text.includes('the witness orders it')
        ? at(atMs, { type: 'ordered', node }, fencing)
        : at(atMs, fencing)
    }
    case 'fenced':
    case 'drill-proved': {
      const provedAtMs = atMs + stampGrainMs
      // A change that the monitor read this soon after the proof happened before it.
      const vipHeld = [provedAtMs, provedAtMs + monitorLateMs].every((instantMs) =>
        ownersAt(record.changes, instantMs).includes(node),
      )
      const keepalived = stateAtProof(line, record.keepalived[node])
      return at(provedAtMs, { type: 'fence-proved', node, vipHeld, keepalived })
    }
    default:
      return []
  }
}

type ProvedState = (Fact & { type: 'fence-proved' })['keepalived']

/**
 * The state of keepalived according to the agent, unless keepalived's own log contradicts it; then the state in that
 * log.
 */
function stateAtProof({ atMs, text }: ProductLine, lines: readonly KeepalivedLine[]): ProvedState {
  const claimed = /keepalived is (\w+)/.exec(text)?.[1] ?? 'nothing'
  const states = statesAt(lines, atMs)
  const latest = states[0] ?? 'absent'
  switch (claimed) {
    case 'gone':
    case 'STOP':
      return livesOnAfter(lines, atMs) ? latest : claimed === 'STOP' ? 'STOP' : 'absent'
    case 'FAULT':
      return states.includes('FAULT') ? 'FAULT' : latest
    default:
      return latest
  }
}

function ballotFacts({ atMs, event, text }: ProductLine): readonly Timed[] {
  if (event !== 'holder-changed' && event !== 'holder-confirmed') return []
  const [, to, epoch] = /votes for (\S+) \(epoch (\d+)\)/.exec(text) ?? []
  if (to === undefined || epoch === undefined)
    throw new Error(`the witness voted, but the line does not say for whom: ${text}`)
  return [{ atMs, fact: { type: 'ballot', voter: 'witness', to, epoch: Number(epoch) } }]
}
