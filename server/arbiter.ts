/**
 * The witness's decisions for one cluster: state and event in, state and ordered effects out. Pure.
 *
 * It answers beats with its vote (shared/vote.ts holds the promises), speaks for nodes whose agent is dead when their
 * check asks, tells a second MASTER to stop, and says in one sentence what is going on (server/situation.ts).
 */
import { assertNever } from '../shared/assert-never.ts'
import { compareCandidates } from '../shared/preference.ts'
import { maxInstances, protocolVersion, witness } from '../shared/protocol.ts'
import type {
  Beat,
  Epoch,
  FromVoter,
  Hello,
  Member,
  NodeName,
  Plan,
  Report,
  Tell,
  Verdict,
  Vote,
} from '../shared/protocol.ts'
import { silenceMs, type Timing } from '../shared/timing.ts'
import {
  askVote,
  ballotLost,
  ballotRecorded,
  distrustLedger,
  expireVote,
  isRolledBack,
  learnEpoch,
  promisedTo,
  recoverVoter,
  releaseVote,
  type Ballot,
  type Mark,
  type RecoveredBallot,
  type VoteEffect,
  type Voter,
} from '../shared/vote.ts'
import {
  settleDouble,
  greet,
  hangUp,
  holdsVipBy,
  isLive,
  mastersOf,
  newNode,
  noteEcho,
  receiveBeat,
  type NodeState,
  type Patience,
} from './roster.ts'
import { judge, type Judgement } from './situation.ts'

export { viewOf } from './cluster-view.ts'

/** The shell numbers the connections. */
export type ConnectionId = number
/** The shell numbers the questions of checks. */
export type CheckId = number

export type ArbiterEvent =
  | {
      readonly type: 'hello'
      readonly atMs: number
      readonly connection: ConnectionId
      readonly hello: Hello
      readonly remoteAddress: string
    }
  | { readonly type: 'closed'; readonly atMs: number; readonly connection: ConnectionId }
  | { readonly type: 'beat'; readonly atMs: number; readonly connection: ConnectionId; readonly beat: Beat }
  | { readonly type: 'tell'; readonly atMs: number; readonly connection: ConnectionId; readonly tell: Tell }
  | {
      readonly type: 'check'
      readonly atMs: number
      readonly check: CheckId
      readonly node: NodeName
      readonly instance: string
    }
  /** One ICMP echo to a node ended; null: no answer. */
  | {
      readonly type: 'echo'
      readonly atMs: number
      readonly node: NodeName
      readonly roundTripMs: number | null
    }
  | { readonly type: 'recorded'; readonly atMs: number; readonly instance: string; readonly ballot: Ballot }
  | {
      readonly type: 'record-failed'
      readonly atMs: number
      readonly instance: string
      readonly ballot: Ballot
      readonly error: string
    }
  /** The deadline of `nextDeadlineMs`, or any other time. */
  | { readonly type: 'tick'; readonly atMs: number }
  /** This process did not run for `gapMs`, or the clocks parted. Comes before the event that found it. */
  | { readonly type: 'resumed'; readonly atMs: number; readonly gapMs: number }

/** What operators read: kept by the shell, bounded, across restarts. */
export interface Occurrence {
  readonly event: string
  readonly level: 'info' | 'warning' | 'critical'
  readonly instance: string | null
  readonly node: NodeName | null
  /** One sentence in plain words. */
  readonly text: string
  /** The facts it rests on. */
  readonly evidence: Readonly<Record<string, unknown>>
  /** What was decided on it; null: nothing. */
  readonly decision: string | null
}

export type ArbiterEffect =
  | { readonly type: 'send'; readonly connection: ConnectionId; readonly message: FromVoter }
  | { readonly type: 'close'; readonly connection: ConnectionId; readonly reason: string }
  | { readonly type: 'record'; readonly instance: string; readonly ballot: Ballot }
  | { readonly type: 'mark'; readonly instance: string; readonly mark: Mark }
  | {
      readonly type: 'answer-check'
      readonly check: CheckId
      readonly permit: boolean
      readonly text: string
    }
  | { readonly type: 'occurred'; readonly occurrence: Occurrence }
  /** The members of the cluster changed (a cluster that admits its nodes at their first hello). */
  | { readonly type: 'members'; readonly members: readonly Member[] }

/** What the ledger told at start. */
export interface RecoveredLedger {
  readonly ballots: ReadonlyMap<string, RecoveredBallot>
  /** Of an instance that is not in it: `lost` where an earlier ledger was lost that may have had it. */
  readonly others: 'new' | 'lost'
}

export interface ArbiterOptions {
  readonly cluster: string
  readonly timing: Timing
  readonly members: readonly Member[]
  /** Whether unknown nodes join at their first hello, up to two. */
  readonly admit: boolean
  readonly recovered: RecoveredLedger
  readonly atMs: number
}

/** A claim for a free vote that waits a moment for a rival claim. */
export interface Claim {
  readonly node: NodeName
  readonly epoch: Epoch
  readonly leaseMs: number
  readonly seq: number
}

export interface InstanceState {
  readonly voter: Voter
  /** The ledger was found to be older than its marks, and no operator has read it yet. */
  readonly rollbackUntold: boolean
  /** The highest epoch of a ballot that this ledger held, ever: an agent that was granted more shows a rollback. */
  readonly recordedEpoch: Epoch
  readonly lastHolder: NodeName | null
  /** The beat that waits for its ballot to be on disk. */
  readonly pendingBeat: { readonly node: NodeName; readonly seq: number } | null
  readonly pendingChecks: readonly CheckId[]
  /** When a check last got a yes: a release that left its node before says nothing about what came of that. */
  readonly checkPermittedAtMs: number
  readonly contest: { readonly claims: readonly Claim[]; readonly untilMs: number } | null
  /** Since when two live nodes show the VIP; null: at most one does. */
  readonly dualSinceMs: number | null
  readonly orderedAtMs: number
  readonly judgement: Judgement | null
}

export interface Arbiter {
  readonly cluster: string
  readonly timing: Timing
  readonly admit: boolean
  readonly recovered: ArbiterOptions['recovered']
  readonly startedAtMs: number
  readonly nodes: ReadonlyMap<NodeName, NodeState>
  readonly instances: ReadonlyMap<string, InstanceState>
  /** Since when this process runs without interruption: orders wait for reports that are newer. */
  readonly runningSinceMs: number
  /** When the arbiter last had an event. */
  readonly turnedAtMs: number
  /** Messages that changed nothing, by reason. */
  readonly refusedMessages: Readonly<Record<string, number>>
}

export interface Arbitration {
  readonly arbiter: Arbiter
  readonly effects: readonly ArbiterEffect[]
}

/** A pair; more nodes are later work. */
const mostNodes = 2

/** The arbiter of a witness that starts at `atMs`. */
export function createArbiter(options: ArbiterOptions): Arbiter {
  const { cluster, timing, members, admit, recovered, atMs } = options
  const arbiter: Arbiter = {
    cluster,
    timing,
    admit,
    recovered,
    startedAtMs: atMs,
    nodes: new Map(members.map((member) => [member.name, newNode(member)])),
    instances: new Map(),
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

/** One event of the cluster's life. */
export function arbitrate(arbiter: Arbiter, event: ArbiterEvent): Arbitration {
  const turn: Turn = {
    arbiter: { ...arbiter, turnedAtMs: event.atMs },
    nodes: new Map(arbiter.nodes),
    instances: new Map(arbiter.instances),
    effects: [],
    atMs: event.atMs,
  }
  passTime(turn)
  book(turn, event)
  for (const instance of turn.instances.keys()) watchOver(turn, instance)
  return { arbiter: { ...turn.arbiter, nodes: turn.nodes, instances: turn.instances }, effects: turn.effects }
}

/** When the arbiter wants a `tick` at the latest: silence shows at no other event. */
export function nextDeadlineMs(arbiter: Arbiter): number {
  const contestsEndAtMs = [...arbiter.instances.values()].flatMap(({ contest }) => contest?.untilMs ?? [])
  return Math.min(arbiter.turnedAtMs + arbiter.timing.renewMs, ...contestsEndAtMs)
}

/** One turn of the arbiter: the working copy that `arbitrate` hands back. */
interface Turn {
  arbiter: Arbiter
  readonly nodes: Map<NodeName, NodeState>
  readonly instances: Map<string, InstanceState>
  readonly effects: ArbiterEffect[]
  readonly atMs: number
}

function newInstance(arbiter: Arbiter, instance: string): InstanceState {
  const { recovered, startedAtMs, timing } = arbiter
  const unknown: RecoveredBallot =
    recovered.others === 'lost' ? { kind: 'lost' } : { kind: 'valid', ballot: null, mark: null }
  const found = recovered.ballots.get(instance) ?? unknown
  const voter = recoverVoter(found, { atMs: startedAtMs, reserveMs: timing.reserveMs })
  return {
    voter,
    rollbackUntold: isRolledBack(found),
    recordedEpoch: voter.record?.epoch ?? 0,
    lastHolder: voter.record?.to ?? null,
    pendingBeat: null,
    pendingChecks: [],
    checkPermittedAtMs: -Infinity,
    contest: null,
    dualSinceMs: null,
    orderedAtMs: -Infinity,
    judgement: null,
  }
}

/** The instance's state, made at its first mention. */
function instanceOf(turn: Turn, instance: string): InstanceState {
  const known = turn.instances.get(instance)
  if (known !== undefined) return known
  const made = newInstance(turn.arbiter, instance)
  turn.instances.set(instance, made)
  return made
}

function change(turn: Turn, instance: string, changes: Partial<InstanceState>): void {
  turn.instances.set(instance, { ...instanceOf(turn, instance), ...changes })
}

function occurred(turn: Turn, occurrence: Occurrence): void {
  turn.effects.push({ type: 'occurred', occurrence })
}

function refuseMessage(turn: Turn, reason: string): void {
  const { refusedMessages } = turn.arbiter
  turn.arbiter = {
    ...turn.arbiter,
    refusedMessages: { ...refusedMessages, [reason]: (refusedMessages[reason] ?? 0) + 1 },
  }
}

function liveNode(turn: Turn, node: NodeState | undefined): boolean {
  return node !== undefined && isLive(node, turn.atMs, silenceMs(turn.arbiter.timing))
}

function patienceWith(turn: Turn, node: NodeName): Patience {
  const { atMs, arbiter, instances } = turn
  const { timing } = arbiter
  const promised = [...instances.values()].some(({ voter }) => promisedTo(voter, atMs)?.node === node)
  return { atMs, silenceMs: silenceMs(timing), reserveMs: timing.reserveMs, promised }
}

function passTime(turn: Turn): void {
  const { atMs } = turn
  for (const [instance, state] of turn.instances)
    turn.instances.set(instance, { ...state, voter: expireVote(state.voter, atMs) })
  for (const [name, node] of turn.nodes) turn.nodes.set(name, settleDouble(node, patienceWith(turn, name)))
  for (const [instance, { contest }] of turn.instances)
    if (contest !== null && contest.untilMs <= atMs) closeContest(turn, instance)
}

// ---------------------------------------------------------------------------------------------------------------------
// Booking: what an event says becomes fact, and is answered.

function book(turn: Turn, event: ArbiterEvent): void {
  switch (event.type) {
    case 'hello':
      return bookHello(turn, event)
    case 'closed':
      for (const [name, node] of turn.nodes) turn.nodes.set(name, hangUp(node, event.connection))
      return
    case 'beat':
      return bookBeat(turn, event)
    case 'tell':
      return bookTell(turn, event)
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
    case 'tick':
      return
    case 'resumed':
      turn.arbiter = { ...turn.arbiter, runningSinceMs: event.atMs }
      return occurred(turn, {
        event: 'paused',
        level: 'warning',
        instance: null,
        node: null,
        text: `The witness did not run for ${Math.round(event.gapMs)} ms; it orders nothing until every report is newer than that.`,
        evidence: { gapMs: event.gapMs },
        decision: 'hold',
      })
    default:
      return assertNever(event)
  }
}

function bookHello(turn: Turn, event: ArbiterEvent & { type: 'hello' }): void {
  const { connection, hello, remoteAddress } = event
  const refuse = (kind: string, reason: string): void => {
    refuseMessage(turn, kind)
    turn.effects.push({ type: 'close', connection, reason })
  }
  if (hello.cluster !== turn.arbiter.cluster)
    return refuse('foreign-cluster', `this is cluster ${turn.arbiter.cluster}`)
  const known = turn.nodes.get(hello.node) ?? admitNode(turn, hello, remoteAddress)
  if (known === null)
    return refuse(
      'unknown-node',
      `${hello.node} is not a node of cluster ${hello.cluster} (${[...turn.nodes.keys()].join(', ')})`,
    )

  const greeting = greet(known, { connection, hello, ...patienceWith(turn, hello.node) })
  turn.nodes.set(hello.node, greeting.node)
  turn.effects.push({
    type: 'send',
    connection,
    message: { type: 'welcome', protocol: protocolVersion, voter: witness, plan: planOf(turn) },
  })
  switch (greeting.kind) {
    case 'double':
      if (!liveNode(turn, known))
        return occurred(turn, {
          event: 'agent-waits',
          level: 'info',
          instance: null,
          node: hello.node,
          text: `The agent of ${hello.node} comes from another boot or host than before (${remoteAddress}); it speaks for the node as soon as no promise to the old one can be in use.`,
          evidence: { remoteAddress, incarnation: hello.incarnation, bootId: hello.bootId },
          decision: 'wait',
        })
      return occurred(turn, {
        event: 'id-conflict',
        level: 'critical',
        instance: null,
        node: hello.node,
        text: `Two live agents call themselves ${hello.node} (the second from ${remoteAddress}): the second gets no vote, and neither is promoted until one of them is gone. A cloned host?`,
        evidence: { remoteAddress, incarnation: hello.incarnation, bootId: hello.bootId },
        decision: 'no promotion',
      })
    case 'accepted':
      if (greeting.replaced !== null)
        turn.effects.push({
          type: 'close',
          connection: greeting.replaced,
          reason: 'replaced by a newer connection',
        })
      if (greeting.isNew)
        occurred(turn, {
          event: 'agent-started',
          level: 'info',
          instance: null,
          node: hello.node,
          text: `The agent of ${hello.node} reports (${hello.software}, mode ${hello.mode}).`,
          evidence: { remoteAddress, incarnation: hello.incarnation, bootId: hello.bootId },
          decision: null,
        })
      return
    default:
      return assertNever(greeting)
  }
}

/** A node that is not known yet joins a cluster that admits its nodes, while there is room. */
function admitNode(turn: Turn, hello: Hello, remoteAddress: string): NodeState | null {
  if (!turn.arbiter.admit || turn.nodes.size >= mostNodes) return null
  const node = newNode({
    name: hello.node,
    address: hello.listener.address ?? remoteAddress,
    port: hello.listener.port,
  })
  turn.nodes.set(hello.node, node)
  turn.effects.push({ type: 'members', members: membersOf(turn) })
  for (const { session } of turn.nodes.values())
    if (session?.open === true)
      turn.effects.push({
        type: 'send',
        connection: session.connection,
        message: { type: 'plan', plan: planOf(turn) },
      })
  occurred(turn, {
    event: 'node-admitted',
    level: 'info',
    instance: null,
    node: hello.node,
    text: `${hello.node} (${node.member.address}:${node.member.port}) is now a node of cluster ${hello.cluster}.`,
    evidence: { address: node.member.address, port: node.member.port },
    decision: 'admitted',
  })
  return node
}

function membersOf(turn: Turn): Member[] {
  return [...turn.nodes.values()].map(({ member }) => member)
}

function planOf(turn: Turn): Plan {
  return { cluster: turn.arbiter.cluster, timing: turn.arbiter.timing, nodes: membersOf(turn) }
}

function bookTell(turn: Turn, event: ArbiterEvent & { type: 'tell' }): void {
  const node = nodeBehind(turn, event.connection)
  if (node === null) return refuseMessage(turn, 'not-greeted')
  const { tell } = event
  occurred(turn, {
    event: `agent.${tell.event}`,
    level: tell.level,
    instance: tell.instance,
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

function bookBeat(turn: Turn, event: ArbiterEvent & { type: 'beat' }): void {
  const { connection, beat, atMs } = event
  const before = nodeBehind(turn, connection)
  if (before === null) return refuseMessage(turn, 'not-greeted')
  const receipt = receiveBeat(before, { connection, beat, atMs })
  const name = before.member.name
  switch (receipt.kind) {
    case 'stale':
      return refuseMessage(turn, 'stale-beat')
    case 'double':
      turn.nodes.set(name, receipt.node)
      return answer(
        turn,
        { connection, seq: beat.seq },
        beat.reports.map((report) => verdictOf(turn, report.instance, conflictVote(name))),
      )
    case 'accepted':
      turn.nodes.set(name, receipt.node)
      return answer(
        turn,
        { connection, seq: beat.seq },
        beat.reports.flatMap((report) => bookReport(turn, receipt.node, beat, report)),
      )
    default:
      return assertNever(receipt)
  }
}

function conflictVote(node: NodeName): Vote {
  return { kind: 'refused', reason: 'conflict', text: `two live agents call themselves ${node}` }
}

function answer(turn: Turn, to: { connection: ConnectionId; seq: number }, verdicts: Verdict[]): void {
  turn.effects.push({
    type: 'send',
    connection: to.connection,
    message: { type: 'answer', seq: to.seq, atMs: turn.atMs, verdicts },
  })
}

function verdictOf(turn: Turn, instance: string, vote: Vote): Verdict {
  const { voter } = instanceOf(turn, instance)
  const promise = promisedTo(voter, turn.atMs)
  return {
    instance,
    vote,
    holder: promise?.node ?? null,
    renewedAgoMs: promise === null ? null : Math.max(0, turn.atMs - promise.renewedAtMs),
    epoch: voter.epoch,
  }
}

/** What one node says of one instance: facts first, then its request. */
function bookReport(turn: Turn, node: NodeState, beat: Beat, report: Report): Verdict[] {
  const { instance } = report
  if (!turn.instances.has(instance) && turn.instances.size >= maxInstances) {
    refuseMessage(turn, 'too-many-instances')
    return []
  }
  distrustRolledBackLedger(turn, node, report)
  const { checkPermittedAtMs } = instanceOf(turn, instance)
  if (report.release && (beat.echoMs ?? -Infinity) >= checkPermittedAtMs) {
    const { voter, effects } = releaseVote(instanceOf(turn, instance).voter, node.member.name)
    change(turn, instance, { voter })
    pushVoteEffects(turn, instance, effects)
  }
  const claim = report.ask && {
    node: node.member.name,
    epoch: report.ask.epoch,
    leaseMs: beat.leaseMs,
    seq: beat.seq,
  }
  const vote: Vote = claim === null ? { kind: 'none' } : voteOn(turn, instance, claim)
  // What a candidate knows is the epoch it asks under: learning that would make its own ask stale.
  if (claim === null)
    change(turn, instance, { voter: learnEpoch(instanceOf(turn, instance).voter, report.epoch) })
  return [verdictOf(turn, instance, vote)]
}

/** An agent remembers a grant that this ledger does not: the ledger is older than its promises. */
function distrustRolledBackLedger(turn: Turn, node: NodeState, report: Report): void {
  const { instance, witnessEpoch } = report
  const { voter, recordedEpoch } = instanceOf(turn, instance)
  if (witnessEpoch <= recordedEpoch) return
  const { timing } = turn.arbiter
  const distrusted = distrustLedger(voter, {
    seenEpoch: witnessEpoch,
    atMs: turn.atMs,
    reserveMs: timing.reserveMs,
  })
  const text = 'the ledger proved to be older than its promises: everyone waits'
  answerPendingBeat(turn, instance, { kind: 'refused', reason: 'waiting', text })
  answerPendingChecks(turn, instance, { permit: false, text })
  change(turn, instance, { voter: distrusted.voter, recordedEpoch: witnessEpoch, contest: null })
  pushVoteEffects(turn, instance, distrusted.effects)
  occurred(turn, {
    event: 'ledger-rolled-back',
    level: 'critical',
    instance,
    node: node.member.name,
    text: `The witness granted epoch ${witnessEpoch} to ${node.member.name}, but its ledger knows only of epoch ${recordedEpoch}: it was lost or rolled back. Everyone waits ${timing.reserveMs} ms; epochs go on above ${distrusted.voter.epoch}.`,
    evidence: { witnessEpoch, recordedEpoch },
    decision: 'everyone waits',
  })
}

function voteOn(turn: Turn, instance: string, claim: Claim): Vote {
  const node = turn.nodes.get(claim.node)
  const { voter, contest, pendingBeat } = instanceOf(turn, instance)
  const renews = promisedTo(voter, turn.atMs)?.node === claim.node
  if (node?.double != null && !renews) return conflictVote(claim.node)
  if (
    voter.pledge.phase === 'free' &&
    voter.record?.epoch !== claim.epoch &&
    isContestable(turn, instance, claim)
  ) {
    const claims = [...(contest?.claims ?? []).filter((other) => other.node !== claim.node), claim]
    change(turn, instance, {
      contest: { claims, untilMs: contest?.untilMs ?? turn.atMs + turn.arbiter.timing.claimMs / 2 },
    })
    if (claims.length === mostNodes) closeContest(turn, instance)
    const decided = instanceOf(turn, instance).voter.pledge
    if (decided.phase === 'recording' && decided.ballot.to !== claim.node)
      return {
        kind: 'refused',
        reason: 'outranked',
        text: `${decided.ballot.to} claims at the same moment and is preferred`,
      }
    return { kind: 'pending', epoch: claim.epoch }
  }
  const {
    voter: asked,
    effects,
    decision,
  } = askVote(voter, { ...claim, from: claim.node, atMs: turn.atMs }, turn.arbiter.timing)
  change(turn, instance, {
    voter: asked,
    pendingBeat: decision.kind === 'pending' ? { node: claim.node, seq: claim.seq } : pendingBeat,
  })
  pushVoteEffects(turn, instance, effects)
  return decision
}

/**
 * Whether a rival claim may be under way: the candidate does not hear its peer, whose agent is live here and not held
 * back. Where the nodes hear each other the peer's own vote decides and nothing waits.
 */
function isContestable(turn: Turn, instance: string, claim: Claim): boolean {
  const silence = silenceMs(turn.arbiter.timing)
  const heardPeer = turn.nodes.get(claim.node)?.reports.get(instance)?.peerSilentMs ?? Infinity
  if (heardPeer < silence) return false
  return [...turn.nodes.values()].some(
    (other) => other.member.name !== claim.node && couldTake(turn, other, instance),
  )
}

/** The node's agent is live, and it has the VIP or may take it at once. */
function couldTake(turn: Turn, node: NodeState, instance: string): boolean {
  const report = node.reports.get(instance)
  if (report === undefined || !liveNode(turn, node) || node.double !== null) return false
  if (holdsVipBy(report)) return true
  const free = report.phase === 'standby' || report.phase === 'probation'
  return free && report.process === 'running' && report.keepalived === 'BACKUP'
}

/** The moment of contest is over: the preferred claim asks for the vote, the others learn that they lost. */
function closeContest(turn: Turn, instance: string): void {
  const { contest, lastHolder, voter } = instanceOf(turn, instance)
  if (contest === null) return
  const rankOf = (claim: Claim): Parameters<typeof compareCandidates>[0] => {
    const report = turn.nodes.get(claim.node)?.reports.get(instance)
    return { node: claim.node, priority: report?.priority ?? 0, gateway: report?.gateway ?? 'unknown' }
  }
  const [winner, ...losers] = [...contest.claims].sort((a, b) =>
    compareCandidates(rankOf(a), rankOf(b), lastHolder),
  )
  change(turn, instance, { contest: null })
  if (winner === undefined) return
  const result = askVote(voter, { ...winner, from: winner.node, atMs: turn.atMs }, turn.arbiter.timing)
  change(turn, instance, { voter: result.voter, pendingBeat: { node: winner.node, seq: winner.seq } })
  pushVoteEffects(turn, instance, result.effects)
  if (result.decision.kind !== 'pending') answerPendingBeat(turn, instance, result.decision)
  const text = `${winner.node} claims at the same moment and is preferred`
  for (const { node, seq } of losers)
    answerNode(turn, { node, seq, instance }, { kind: 'refused', reason: 'outranked', text })
  if (losers.length > 0)
    occurred(turn, {
      event: 'contested',
      level: 'warning',
      instance,
      node: winner.node,
      text: `${[winner, ...losers].map(({ node }) => node).join(' and ')} became MASTER in the same moment and nobody held the lease; ${winner.node} is preferred (gateway, last holder, priority, name).`,
      evidence: { claims: contest.claims.map(rankOf), lastHolder },
      decision: `vote for ${winner.node}`,
    })
}

function pushVoteEffects(turn: Turn, instance: string, effects: readonly VoteEffect[]): void {
  for (const effect of effects) turn.effects.push({ ...effect, instance })
}

function answerNode(turn: Turn, to: { node: NodeName; seq: number; instance: string }, vote: Vote): void {
  const session = turn.nodes.get(to.node)?.session
  if (session?.open === true)
    answer(turn, { connection: session.connection, seq: to.seq }, [verdictOf(turn, to.instance, vote)])
}

function answerPendingBeat(turn: Turn, instance: string, vote: Vote): void {
  const { pendingBeat } = instanceOf(turn, instance)
  change(turn, instance, { pendingBeat: null })
  if (pendingBeat !== null) answerNode(turn, { ...pendingBeat, instance }, vote)
}

function answerPendingChecks(turn: Turn, instance: string, reply: { permit: boolean; text: string }): void {
  const { pendingChecks } = instanceOf(turn, instance)
  const permitted = reply.permit && pendingChecks.length > 0
  change(turn, instance, { pendingChecks: [], ...(permitted ? { checkPermittedAtMs: turn.atMs } : {}) })
  for (const check of pendingChecks) turn.effects.push({ type: 'answer-check', check, ...reply })
}

function bookRecorded(turn: Turn, instance: string, ballot: Ballot): void {
  const { voter, lastHolder } = instanceOf(turn, instance)
  const result = ballotRecorded(voter, ballot, { atMs: turn.atMs, timing: turn.arbiter.timing })
  if (result === null) return
  change(turn, instance, { voter: result.voter, recordedEpoch: ballot.epoch, lastHolder: ballot.to })
  pushVoteEffects(turn, instance, result.effects)
  answerPendingBeat(turn, instance, { kind: 'granted', epoch: ballot.epoch })
  answerPendingChecks(turn, instance, {
    permit: true,
    text: `${ballot.to} has the vote of the witness (epoch ${ballot.epoch})`,
  })
  occurred(turn, {
    event: lastHolder === ballot.to ? 'holder-confirmed' : 'holder-changed',
    level: 'info',
    instance,
    node: ballot.to,
    text:
      lastHolder === null || lastHolder === ballot.to
        ? `The witness votes for ${ballot.to} (epoch ${ballot.epoch}).`
        : `The witness votes for ${ballot.to} (epoch ${ballot.epoch}); its last vote was for ${lastHolder}, which released it or let it run out.`,
    evidence: { epoch: ballot.epoch, lastHolder },
    decision: `vote for ${ballot.to}`,
  })
}

function bookRecordFailed(turn: Turn, event: ArbiterEvent & { type: 'record-failed' }): void {
  const { instance, ballot, error } = event
  change(turn, instance, { voter: ballotLost(instanceOf(turn, instance).voter, ballot) })
  const text = `the witness cannot write its ledger: ${error}`
  answerPendingBeat(turn, instance, { kind: 'refused', reason: 'ledger', text })
  answerPendingChecks(turn, instance, { permit: false, text })
  occurred(turn, {
    event: 'ledger-not-written',
    level: 'critical',
    instance,
    node: ballot.to,
    text: `The vote for ${ballot.to} (epoch ${ballot.epoch}) could not be written: ${error}. No new holder gets this vote until that is mended; renewals go on.`,
    evidence: { epoch: ballot.epoch, error },
    decision: 'vote withheld',
  })
}

// ---------------------------------------------------------------------------------------------------------------------
// The check of a node whose agent is dead.

/** A yes is a vote like any other, with the same promise behind it. */
function bookCheck(turn: Turn, event: ArbiterEvent & { type: 'check' }): void {
  const { check, node: name, instance, atMs } = event
  const reply = (permit: boolean, text: string): void => {
    turn.effects.push({ type: 'answer-check', check, permit, text })
  }
  const node = turn.nodes.get(name)
  if (node === undefined) return reply(false, `${name} is not a node of cluster ${turn.arbiter.cluster}`)
  if (!turn.instances.has(instance) && turn.instances.size >= maxInstances)
    return reply(false, `cluster ${turn.arbiter.cluster} has ${maxInstances} instances already`)

  const { voter, pendingChecks } = instanceOf(turn, instance)
  const promise = promisedTo(voter, atMs)
  if (promise?.node !== name) {
    const refusal = refusalOfCheck(turn, { name, node, instance, holder: promise?.node ?? null })
    if (refusal !== null) return reply(false, refusal)
  }
  const epoch = epochForCheck(voter, name)
  const { timing } = turn.arbiter
  const result = askVote(voter, { from: name, epoch, leaseMs: timing.leaseMs, atMs }, timing)
  change(turn, instance, { voter: result.voter })
  pushVoteEffects(turn, instance, result.effects)
  switch (result.decision.kind) {
    case 'granted':
      change(turn, instance, { checkPermittedAtMs: atMs })
      return reply(true, `${name} has the vote of the witness (epoch ${epoch})`)
    case 'pending':
      return change(turn, instance, { pendingChecks: [...pendingChecks, check] })
    case 'refused':
      return reply(false, result.decision.text)
    default:
      return assertNever(result.decision)
  }
}

/** A check speaks for the node's standing promise, or for one that is on its way to the disk; else it asks anew. */
function epochForCheck(voter: Voter, name: NodeName): Epoch {
  const { pledge, record, epoch } = voter
  switch (pledge.phase) {
    case 'promised':
      return pledge.to === name ? pledge.epoch : epoch + 1
    case 'recording':
      return pledge.ballot.to === name ? pledge.ballot.epoch : epoch + 1
    case 'free':
    case 'waiting':
      return record?.to === name && record.epoch === epoch ? epoch : epoch + 1
    default:
      return assertNever(pledge)
  }
}

function refusalOfCheck(
  turn: Turn,
  asked: { name: NodeName; node: NodeState; instance: string; holder: NodeName | null },
): string | null {
  const { name, node, instance, holder } = asked
  if (holder !== null) return `${holder} holds the lease`
  if (node.double !== null) return `two live agents call themselves ${name}`
  if (liveNode(turn, node)) return `the agent of ${name} is alive and has not permitted it`
  for (const other of turn.nodes.values())
    if (other.member.name !== name && couldTake(turn, other, instance))
      return `${name} has no agent, and ${other.member.name}, which has one, can take the VIP`
  return null
}

// ---------------------------------------------------------------------------------------------------------------------
// Watching: what the reports show together.

function watchOver(turn: Turn, instance: string): void {
  tellOfRollback(turn, instance)
  watchForDualMaster(turn, instance)
  const { judgement: before } = instanceOf(turn, instance)
  const judgement = judge(
    { ...turn.arbiter, nodes: turn.nodes, instances: turn.instances },
    instance,
    turn.atMs,
  )
  change(turn, instance, { judgement })
  if (before?.situation === judgement.situation && before.subject === judgement.subject) return
  if (before === null && judgement.situation === 'starting') return
  occurred(turn, {
    event: `situation.${judgement.situation}`,
    level: judgement.level,
    instance,
    node: judgement.subject,
    text: judgement.text,
    evidence: judgement.evidence,
    decision: judgement.decision,
  })
}

function tellOfRollback(turn: Turn, instance: string): void {
  const { rollbackUntold, voter } = instanceOf(turn, instance)
  if (!rollbackUntold) return
  change(turn, instance, { rollbackUntold: false })
  occurred(turn, {
    event: 'ledger-rolled-back',
    level: 'critical',
    instance,
    node: null,
    text: `The ledger is older than the promises that this witness gave on this boot: it was rolled back. Everyone waits; epochs go on above ${voter.epoch}.`,
    evidence: { epoch: voter.epoch },
    decision: 'everyone waits',
  })
}

/** Two nodes show the VIP: whoever has no lease is told to stop, and once it has, the holder announces the VIP. */
function watchForDualMaster(turn: Turn, instance: string): void {
  const { arbiter, nodes, atMs } = turn
  const { timing, runningSinceMs } = arbiter
  const masters = mastersOf(nodes, instance, { atMs, silenceMs: silenceMs(timing) })
  const { dualSinceMs, orderedAtMs, voter } = instanceOf(turn, instance)
  const holder = leaseHolder(turn, instance)
  const epoch = promisedTo(voter, atMs)?.epoch ?? voter.epoch
  if (masters.length < 2) {
    if (dualSinceMs === null) return
    change(turn, instance, { dualSinceMs: null })
    if (holder !== null)
      order(turn, holder, { instance, what: 'announce', epoch, reason: 'its rival is gone' })
    return
  }
  if (dualSinceMs === null) change(turn, instance, { dualSinceMs: atMs })
  // After a pause of this process every input must be newer than the pause.
  const fresh = masters.every((name) => (nodes.get(name)?.session?.echoMs ?? -Infinity) >= runningSinceMs)
  // A handover looks like this for a moment, and a node without a lease fences itself faster than any order comes.
  const lasts = dualSinceMs !== null && atMs - dualSinceMs >= timing.handoverMs
  if (!lasts || !fresh || holder === null || atMs - orderedAtMs < timing.renewMs) return
  change(turn, instance, { orderedAtMs: atMs })
  for (const name of masters)
    if (name !== holder)
      order(turn, name, {
        instance,
        what: 'fence',
        epoch,
        reason: `${holder} holds the lease (epoch ${epoch})`,
      })
}

/** By this voter's promise, or, where the peer's vote made the majority, by the holder's own word. */
function leaseHolder(turn: Turn, instance: string): NodeName | null {
  const { voter } = instanceOf(turn, instance)
  const promise = promisedTo(voter, turn.atMs)
  if (promise !== null) return promise.node
  const holders = [...turn.nodes.values()].filter(
    (node) => liveNode(turn, node) && node.reports.get(instance)?.phase === 'holding',
  )
  return holders.length === 1 ? (holders[0]?.member.name ?? null) : null
}

function order(
  turn: Turn,
  to: NodeName,
  message: { instance: string; what: 'fence' | 'announce'; epoch: Epoch; reason: string },
): void {
  const session = turn.nodes.get(to)?.session
  if (session?.open === true)
    turn.effects.push({
      type: 'send',
      connection: session.connection,
      message: { type: 'order', ...message },
    })
}
