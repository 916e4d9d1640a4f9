/**
 * The witness's decisions for one cluster: state and event in, state and ordered effects out. Pure.
 *
 * It answers heartbeats with its vote (shared/core/vote/voter.ts holds the promises), answers the checks of nodes whose
 * agent is dead, orders a second MASTER to stop, and says in one sentence what is going on
 * (server/core/arbiter/situation.ts).
 */
import { assertNever } from '../../../shared/assert-never.ts'
import { expireVote } from '../../../shared/core/vote/voter.ts'
import { keepOverJump } from '../../../shared/core/vote/recovery.ts'
import { bookCheck } from './check.ts'
import { bookDrill, bookDrilled, watchDrill } from './drill.ts'
import { bookHello, patienceWith } from './greeting.ts'
import { bookMembers } from './members.ts'
import { forgetPlanWaits, notePlanTaken } from './plan-taking.ts'
import { describeUnmatched, keyOf } from './instance-keys.ts'
import type { Beat, VoterReply } from '../../../shared/protocol/messages.ts'
import type { NodeName } from '../../../shared/protocol/names.ts'
import type { Report } from '../../../shared/protocol/report.ts'
import type { Arbiter, ArbiterEvent, ArbiterOptions, Arbitration } from './state.ts'
import {
  answer,
  change,
  inWordsOf,
  newInstance,
  occurred,
  pushVoteEffects,
  refuseMessage,
  type Turn,
  replyFor,
} from './turn.ts'
import {
  bookLedgerTried,
  bookRecorded,
  bookRecordFailed,
  bookReport,
  closeContest,
  conflictVote,
  tryLedger,
} from './voting.ts'
import { watchOver, watchOverPair } from './watch.ts'
import {
  type ConnectionId,
  hangUp,
  newNode,
  type NodeState,
  noteEcho,
  receiveBeat,
  settleDouble,
} from './roster.ts'

export type * from './state.ts'
export type * from './occurrence.ts'
export type { KnownInstances } from './instance-keys.ts'
export type { ConnectionId } from './roster.ts'

/** The arbiter of a witness that starts at `atMs`. */
export function createArbiter(options: ArbiterOptions): Arbiter {
  const { cluster, timing, members, recovered, atMs } = options
  const arbiter: Arbiter = {
    cluster,
    timing,
    recovered,
    startedAtMs: atMs,
    membersSinceMs: atMs,
    nodes: new Map(members.map((member) => [member.name, newNode(member)])),
    instances: new Map(),
    known: recovered.known ?? new Map(),
    ambiguous: new Map(),
    pair: [],
    ledgerTriedAtMs: -Infinity,
    fullToldAtMs: -Infinity,
    drill: null,
    runningSinceMs: atMs,
    turnedAtMs: atMs,
    refusedMessages: {},
  }
  return {
    ...arbiter,
    instances: new Map(
      [...recovered.ballots.keys()].map((instance) => [instance, newInstance(arbiter, instance)]),
    ),
  }
}

/** Takes one event and returns the new state with the effects, in the order in which they must be carried out. */
export function arbitrate(arbiter: Arbiter, event: ArbiterEvent): Arbitration {
  const turn: Turn = {
    arbiter,
    nodes: new Map(arbiter.nodes),
    instances: new Map(arbiter.instances),
    effects: [],
    atMs: event.atMs,
  }
  // Before `passTime`, because a promise that looks expired only since the clock jumped may still be in use.
  if (event.type === 'resumed') keepPromises(turn, event)
  passTime(turn)
  book(turn, event)
  for (const instance of turn.instances.keys()) watchOver(turn, instance)
  // Nothing else changes what the nodes said of their configurations.
  if (event.type === 'hello' || event.type === 'members') watchOverPair(turn)
  tryLedger(turn)
  watchDrill(turn)
  const { nodes, instances, effects, atMs } = turn
  return { arbiter: { ...turn.arbiter, nodes, instances, turnedAtMs: atMs }, effects }
}

/** When the arbiter needs a `tick` at the latest. No other event reveals that a node has fallen silent. */
export function nextDeadlineMs(arbiter: Arbiter): number {
  const contestsEndAtMs = [...arbiter.instances.values()].flatMap(({ contest }) => contest?.untilMs ?? [])
  return Math.min(arbiter.turnedAtMs + arbiter.timing.renewMs, ...contestsEndAtMs)
}

function keepPromises(turn: Turn, { atMs, jumpedMs }: ArbiterEvent & { type: 'resumed' }): void {
  const { reserveMs } = turn.arbiter.timing
  if (jumpedMs > 0) forgetPlanWaits(turn)
  for (const [instance, { voter }] of turn.instances) {
    const kept = keepOverJump(voter, { atMs, jumpedMs, reserveMs })
    change(turn, instance, { voter: kept.voter })
    pushVoteEffects(turn, instance, kept.effects)
  }
}

function passTime(turn: Turn): void {
  const { atMs } = turn
  for (const [instance, { voter }] of turn.instances)
    change(turn, instance, { voter: expireVote(voter, atMs) })
  for (const [name, node] of turn.nodes)
    if (node.double !== null) turn.nodes.set(name, settleDouble(node, patienceWith(turn, node.double.hello)))
  for (const [instance, { contest }] of turn.instances)
    if (contest !== null && contest.untilMs <= atMs) closeContest(turn, instance)
}

function book(turn: Turn, event: ArbiterEvent): void {
  switch (event.type) {
    case 'hello':
      return bookHello(turn, event)
    case 'members':
      return bookMembers(turn, event.members)
    case 'closed':
      for (const [name, node] of turn.nodes) turn.nodes.set(name, hangUp(node, event.connection))
      return
    case 'beat':
      return bookBeat(turn, event)
    case 'tell':
      return bookTell(turn, event)
    case 'drill':
      return bookDrill(turn, event)
    case 'drilled':
      return bookDrilled(turn, event)
    case 'check':
      return bookCheck(turn, event)
    case 'echo': {
      const node = turn.nodes.get(event.node)
      if (node !== undefined) turn.nodes.set(event.node, noteEcho(node, event.roundTripMs))
      return
    }
    case 'recorded':
      return bookRecorded(turn, event.instance, event.ballot)
    case 'record-failed':
      return bookRecordFailed(turn, event)
    case 'ledger-tried':
      return bookLedgerTried(turn, event.error)
    case 'tick':
      return
    case 'resumed':
      turn.arbiter = { ...turn.arbiter, runningSinceMs: event.atMs }
      return occurred(turn, {
        event: 'paused',
        level: 'warning',
        instance: null,
        node: null,
        text: `${describePause(event)}. The witness gives no orders until every node has reported again since then.`,
        evidence: { gapMs: event.gapMs, jumpedMs: event.jumpedMs },
        decision: 'hold',
      })
    default:
      return assertNever(event)
  }
}

function describePause({ gapMs, jumpedMs }: ArbiterEvent & { type: 'resumed' }): string {
  if (jumpedMs === 0) return `The witness did not run for ${Math.round(gapMs)} ms`
  return `The boot clock of the witness jumped ahead by ${Math.round(jumpedMs)} ms, or its host was suspended`
}

function bookTell(turn: Turn, event: ArbiterEvent & { type: 'tell' }): void {
  const node = nodeBehind(turn, event.connection)
  if (node === null) return refuseMessage(turn, 'not-greeted')
  const { tell } = event
  occurred(turn, {
    event: `agent.${tell.event}`,
    level: tell.level,
    instance: tell.instance && (keyOf(turn.arbiter.known, node.member.name, tell.instance) ?? tell.instance),
    node: node.member.name,
    text: tell.text,
    evidence: {},
    decision: null,
  })
}

function nodeBehind(turn: Turn, connection: ConnectionId): NodeState | null {
  for (const node of turn.nodes.values())
    if (node.session?.connection === connection || node.double?.connection === connection) return node
  return null
}

/**
 * The beat with the witness's keys for what the node calls its instances. For each that has no key: a refusal, and what
 * the node warns of.
 */
function underKeys(
  turn: Turn,
  node: NodeName,
  beat: Beat,
): {
  readonly beat: Beat
  readonly refused: readonly VoterReply[]
  readonly unmatchedWarnings: readonly string[]
} {
  const { known, ambiguous } = turn.arbiter
  const reports: Report[] = []
  const refused: VoterReply[] = []
  const unmatchedWarnings: string[] = []
  for (const report of beat.reports) {
    const { instance } = report
    const among = ambiguous.get(node)?.get(instance)
    const key = among === undefined ? keyOf(known, node, instance) : null
    if (key === null) {
      refused.push(unmatched(node, instance, among ?? []))
      unmatchedWarnings.push(...report.warnings)
    } else reports.push(key === instance ? report : { ...report, instance: key })
  }
  return { beat: { ...beat, reports }, refused, unmatchedWarnings }
}

function unmatched(node: NodeName, instance: string, among: readonly string[]): VoterReply {
  const vote = {
    kind: 'refused',
    reason: 'conflict',
    text: describeUnmatched(node, instance, among),
  } as const
  return { instance, vote, holder: null, renewedAgoMs: null, epoch: 0, unmatched: true }
}

function bookBeat(turn: Turn, event: ArbiterEvent & { type: 'beat' }): void {
  const { connection, atMs } = event
  const before = nodeBehind(turn, connection)
  if (before === null) return refuseMessage(turn, 'not-greeted')
  const name = before.member.name
  const { beat, refused, unmatchedWarnings } = underKeys(turn, name, event.beat)
  const receipt = receiveBeat(before, { connection, beat, unmatchedWarnings, atMs })
  switch (receipt.kind) {
    case 'stale':
      return refuseMessage(turn, 'stale-beat')
    case 'double':
      turn.nodes.set(name, receipt.node)
      return answer(turn, { connection, seq: beat.seq }, [
        ...beat.reports.map((report) =>
          inWordsOf(turn, name, replyFor(turn, report.instance, conflictVote(name))),
        ),
        ...refused,
      ])
    case 'accepted':
      turn.nodes.set(name, receipt.node)
      notePlanTaken(turn, name, beat)
      return answer(turn, { connection, seq: beat.seq }, [
        ...beat.reports
          .flatMap((report) => bookReport(turn, receipt.node, beat, report))
          .map((reply) => inWordsOf(turn, name, reply)),
        ...refused,
      ])
    default:
      return assertNever(receipt)
  }
}
