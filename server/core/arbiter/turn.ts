/** One turn of the arbiter: the working copy of its state, and the operations on it that all decisions share. Pure. */
import { type Epoch, type NodeName, maxInstances } from '../../../shared/protocol/names.ts'
import type { OrderedAction, VoterReply, Vote } from '../../../shared/protocol/messages.ts'
import type { Plan } from '../../../shared/protocol/plan.ts'
import { silenceMs } from '../../../shared/core/timing.ts'
import { showsVip } from '../../../shared/core/vip-sighting.ts'
import { differs } from '../../../shared/core/differs.ts'
import { isRolledBack, recoverVoter } from '../../../shared/core/vote/recovery.ts'
import { type RecoveredBallot, type VoteEffect, replyOf } from '../../../shared/core/vote/voter.ts'
import type { Arbiter, ArbiterEffect, InstanceState } from './state.ts'
import { nameOf } from './instance-keys.ts'
import type { Occurrence } from './occurrence.ts'
import { type ConnectionId, isLive, type NodeState } from './roster.ts'
import { nothingReported } from './situation-reporting.ts'

/** The working copy of one turn, from which `arbitrate` makes the new state and the effects. */
export interface Turn {
  arbiter: Arbiter
  readonly nodes: Map<NodeName, NodeState>
  readonly instances: Map<string, InstanceState>
  readonly effects: ArbiterEffect[]
  readonly atMs: number
}

export function newInstance(arbiter: Arbiter, instance: string): InstanceState {
  const { recovered, startedAtMs, timing } = arbiter
  const unknown: RecoveredBallot =
    recovered.others === 'lost' ? { kind: 'lost' } : { kind: 'valid', ballot: null, mark: null }
  const found = recovered.ballots.get(instance) ?? unknown
  const voter = recoverVoter(found, { atMs: startedAtMs, reserveMs: timing.reserveMs })
  return {
    voter,
    rollbackUnreported: isRolledBack(found),
    recordedEpoch: voter.record?.epoch ?? 0,
    lastHolder: voter.record?.to ?? null,
    farAhead: null,
    pendingBeat: null,
    pendingChecks: [],
    heldByBootId: null,
    ledgerFails: false,
    checkPermittedAtMs: -Infinity,
    contest: null,
    dualSinceMs: null,
    orderedAtMs: -Infinity,
    gatewayLostSinceMs: null,
    yieldedAtMs: -Infinity,
    judgement: null,
    reported: nothingReported,
  }
}

/** The instance's state, created when the instance is first mentioned. */
export function instanceOf(turn: Turn, instance: string): InstanceState {
  const known = turn.instances.get(instance)
  if (known !== undefined) return known
  const made = newInstance(turn.arbiter, instance)
  turn.instances.set(instance, made)
  return made
}

/** Names come and go. With so many in its ledger a witness remembers no more of them. */
const mostRemembered = 8 * maxInstances

/**
 * Whether the witness votes on this instance, or may begin to. What no node reports any more and nobody may hold takes
 * no room.
 */
export function hasRoomFor(turn: Turn, instance: string): boolean {
  if (turn.instances.has(instance) || turn.instances.size < maxInstances) return true
  if (turn.instances.size >= mostRemembered) return false
  const nodes = [...turn.nodes.values()]
  const inUse = [...turn.instances].filter(
    ([key, { voter }]) => voter.pledge.phase !== 'free' || nodes.some(({ reports }) => reports.has(key)),
  )
  return inUse.length < maxInstances
}

/** How often it is told that an instance gets no vote. */
const fullToldEveryMs = 60_000

/** An instance gets no vote for want of room. */
export function tellFull(turn: Turn, node: NodeName, instance: string): void {
  const { arbiter, atMs } = turn
  if (atMs < arbiter.fullToldAtMs + fullToldEveryMs) return
  turn.arbiter = { ...arbiter, fullToldAtMs: atMs }
  const isForgetful = turn.instances.size < mostRemembered
  occurred(turn, {
    event: 'too-many-instances',
    level: 'critical',
    instance,
    node,
    text: `${instance} of ${node} gets no vote of the witness: ${
      isForgetful
        ? `cluster ${arbiter.cluster} already has ${maxInstances} instances, which is the limit. Remove some from keepalived.conf on both nodes`
        : `cluster ${arbiter.cluster} has had ${mostRemembered} instances, which is the limit. Remove both nodes, and let them join under another cluster name`
    }.`,
    evidence: { instances: turn.instances.size },
    decision: 'no vote',
  })
}

export function change(turn: Turn, instance: string, changes: Partial<InstanceState>): void {
  const before = instanceOf(turn, instance)
  if (differs(before, changes)) turn.instances.set(instance, { ...before, ...changes })
}

/** With which the agents learn who belongs to the cluster. */
export function planOf({ arbiter, nodes }: Turn): Plan {
  const { cluster, timing } = arbiter
  return { cluster, timing, nodes: [...nodes.values()].map(({ member }) => member) }
}

export function occurred(turn: Turn, occurrence: Occurrence): void {
  turn.effects.push({ type: 'occurred', occurrence })
}

export function refuseMessage(turn: Turn, reason: string): void {
  const { refusedMessages } = turn.arbiter
  turn.arbiter = {
    ...turn.arbiter,
    refusedMessages: { ...refusedMessages, [reason]: (refusedMessages[reason] ?? 0) + 1 },
  }
}

export function liveNode(turn: Turn, node: NodeState | undefined): boolean {
  return node !== undefined && isLive(node, turn.atMs, silenceMs(turn.arbiter.timing))
}

/** Whether the node's agent is live, and the node has the VIP or may take it at once. */
export function couldTake(turn: Turn, node: NodeState, instance: string): boolean {
  const report = node.reports.get(instance)
  if (report === undefined || !liveNode(turn, node) || node.double !== null) return false
  if (showsVip(report)) return true
  // A node that has left its vote with the holder, or may have, cannot win before it has the vote back.
  if (report.process !== 'running' || report.left !== undefined) return false
  // With `gate: strict`, keepalived waits in FAULT, and its node asks for the votes as soon as nobody holds the lease.
  if (report.phase === 'gated') return true
  const free = report.phase === 'standby' || report.phase === 'probation'
  return free && report.keepalived === 'BACKUP'
}

/** The witness's answer for one instance. */
export function replyFor(turn: Turn, instance: string, vote: Vote): VoterReply {
  const { voter, ledgerFails } = instanceOf(turn, instance)
  const reply = replyOf(voter, { instance, vote, atMs: turn.atMs })
  return ledgerFails ? { ...reply, writesFail: true } : reply
}

export function pushVoteEffects(turn: Turn, instance: string, effects: readonly VoteEffect[]): void {
  for (const effect of effects) turn.effects.push({ ...effect, instance })
}

export function answer(
  turn: Turn,
  to: { connection: ConnectionId; seq: number },
  verdicts: VoterReply[],
): void {
  turn.effects.push({
    type: 'send',
    connection: to.connection,
    message: { type: 'answer', seq: to.seq, atMs: turn.atMs, verdicts },
  })
}

export function answerNode(
  turn: Turn,
  to: { node: NodeName; seq: number; instance: string },
  vote: Vote,
): void {
  const session = turn.nodes.get(to.node)?.session
  if (session?.open === true)
    answer(turn, { connection: session.connection, seq: to.seq }, [
      inWordsOf(turn, to.node, replyFor(turn, to.instance, vote)),
    ])
}

/** The reply with the name that the node gave to the instance. */
export function inWordsOf(turn: Turn, node: NodeName, reply: VoterReply): VoterReply {
  const name = nameOf(turn.arbiter.known, node, reply.instance)
  return name === reply.instance ? reply : { ...reply, instance: name }
}

export function answerPendingBeat(turn: Turn, instance: string, vote: Vote): void {
  const { pendingBeat } = instanceOf(turn, instance)
  change(turn, instance, { pendingBeat: null })
  if (pendingBeat !== null) answerNode(turn, { ...pendingBeat, instance }, vote)
}

export function answerPendingChecks(
  turn: Turn,
  instance: string,
  reply: { permit: boolean; text: string },
): void {
  const { pendingChecks } = instanceOf(turn, instance)
  const permitted = reply.permit && pendingChecks.length > 0
  change(turn, instance, { pendingChecks: [], ...(permitted ? { checkPermittedAtMs: turn.atMs } : {}) })
  for (const check of pendingChecks) turn.effects.push({ type: 'answer-check', check, ...reply })
}

/** Sends an order to a node; a node that is not connected gets none. */
export function order(
  turn: Turn,
  to: NodeName,
  message: { instance: string; what: OrderedAction; epoch: Epoch; reason: string },
): void {
  const session = turn.nodes.get(to)?.session
  if (session?.open === true)
    turn.effects.push({
      type: 'send',
      connection: session.connection,
      message: { type: 'order', ...message, instance: nameOf(turn.arbiter.known, to, message.instance) },
    })
}
