/**
 * The witness has been silent for long, for both nodes: the standby delegates its vote to the holder, as a node does that
 * leaves (standing.ts), and goes on standing by. The holder then outlives the loss of the standby and of the link
 * between them, which it could not with the witness dead. docs/safety.md ("S1, step by step", step 8) has the argument;
 * decision 74 says when it pays. Pure.
 */
import { leaveVote } from '../../../../shared/core/vote/standing.ts'
import { inForce, leftWith } from '../../../../shared/core/vote/voter.ts'
import { defaultTiming } from '../../../../shared/core/timing.ts'
import type { Report } from '../../../../shared/protocol/report.ts'
import { freshPeerReport, witnessHeardLately, witnessSilent, witnessSilentForMs } from '../hearing.ts'
import { peerName } from '../own-lease.ts'
import { hasWeights, isPreempted } from '../candidate.ts'
import { type Guard, enforces, holdsVip, mayWeighOtherwise, priorityOf } from '../state.ts'
import { type Turn, pushVoteEffects, set, tell } from '../turn.ts'

/** After a disk failed: soon enough for an operator, and rare enough for a log. */
const lendAgainMs = 60_000
/** A witness that stays silent is reported again this often, because nobody else reports it. */
const silenceAgainMs = 6 * 3_600_000

/** A node that holds the VIP, or lets its keepalived be MASTER, without a lease gains nothing from a vote. */
function reliesOnVotes({ policy, timing }: Guard): boolean {
  return timing.delegateAfterMs > 0 && policy.mode === 'enforce' && policy.alone === 'stop'
}

/** What the heartbeat says about the witness; undefined: it is heard, or this node delegates nothing. */
export function witnessSilenceToReport(guard: Guard, atMs: number): number | undefined {
  if (!reliesOnVotes(guard)) return undefined
  if (!witnessSilent(guard, atMs) && witnessHeardLately(guard)) return undefined
  return Math.max(0, witnessSilentForMs(guard, atMs))
}

/** For long enough that it is no restart, as far as this node heard. */
export function witnessSilentForLong(guard: Guard, atMs: number): boolean {
  return reliesOnVotes(guard) && witnessSilentForMs(guard, atMs) >= guard.timing.delegateAfterMs
}

/**
 * The holder keeps the vote of a node that has just started, and would delegate it again at once: the witness is silent
 * for both.
 */
export function keepsWhileSilent({ guard, atMs }: Turn, report: Report): boolean {
  return (
    guard.phase.name === 'holding' &&
    report.witnessSilentMs !== undefined &&
    witnessSilentForLong(guard, atMs) &&
    !(hasWeights(guard) && isPreempted(ownRank(guard), rankOf(report)))
  )
}

/** A vote that was delegated does not come back by a claim, so who may be about to preempt needs its own. */
function preempts(guard: Guard, holder: Report): boolean {
  return hasWeights(guard) && isPreempted(rankOf(holder), ownRank(guard))
}

type Rank = Parameters<typeof isPreempted>[1]

function ownRank(guard: Guard): Rank {
  const { nopreempt } = guard.profile
  return { priority: priorityOf(guard), mayDiffer: mayWeighOtherwise(guard), nopreempt }
}

function rankOf({ priority, priorityMayDiffer, nopreempt }: Report): Rank {
  return { priority, mayDiffer: priorityMayDiffer === true, nopreempt }
}

/** Delegates the vote, leaves it delegated, or wants it back. */
export function weighLending(turn: Turn): void {
  const { guard, atMs } = turn
  switch (guard.leave) {
    case 'asked':
    case 'proved':
      return
    case 'lent':
      return mayStayLent(guard, atMs) ? undefined : wantBack(turn)
    case 'none':
      return lend(turn)
  }
}

function lend(turn: Turn): void {
  const { guard, atMs } = turn
  const { peer, voter, timing } = guard
  const theirSilenceMs = silenceOfHolder(guard, atMs)
  if (peer === null || theirSilenceMs === null || atMs < guard.lendNotBeforeMs) return
  if (leftWith(voter) !== null) {
    // This agent was restarted. What the holder knows is enough, because the vote is there already.
    const isThere = guard.peerReport?.keepsVote !== undefined && theirSilenceMs >= timing.delegateAfterMs
    if (!isThere || voter.pledge.phase !== 'standing') return
    set(turn, { leave: 'lent' })
    turn.effects.push({ type: 'beat' })
    return
  }
  const isLong = Math.min(theirSilenceMs, witnessSilentForMs(guard, atMs)) >= timing.delegateAfterMs
  const left = isLong ? leaveVote(voter, { to: peer, atMs }) : null
  if (left === null) return
  set(turn, { leave: 'lent', voter: left.voter })
  turn.effects.push({ type: 'vote-left', on: true })
  pushVoteEffects(turn, left.effects)
}

/**
 * For how long the holder has not heard the witness, where this node hears the holder and stands by for it; null: there
 * is nothing to delegate.
 */
function silenceOfHolder(guard: Guard, atMs: number): number | null {
  const { observed, candidacy, drill, memory } = guard
  const standsBy = enforces(guard) && observed && candidacy === null && !holdsVip(guard)
  if (!standsBy || !reliesOnVotes(guard) || !witnessSilent(guard, atMs)) return null
  // A drill is about to start keepalived again.
  if (drill !== null || memory.drilling === true) return null
  const peerReport = freshPeerReport(guard, atMs)
  if (peerReport === null || preempts(guard, peerReport)) return null
  return peerReport.phase === 'holding' && peerReport.left === undefined
    ? (peerReport.witnessSilentMs ?? null)
    : null
}

/** While the holder is not heard, nothing is known: it may be dead, or hold by this vote. */
function mayStayLent(guard: Guard, atMs: number): boolean {
  if (!reliesOnVotes(guard) || !witnessSilent(guard, atMs)) return false
  const peerReport = freshPeerReport(guard, atMs)
  if (peerReport === null) return true
  return peerReport.witnessSilentMs !== undefined && !peerReport.release && !preempts(guard, peerReport)
}

/** The holder returns it as soon as it can do without it. */
function wantBack(turn: Turn): void {
  set(turn, { leave: 'none' })
  turn.effects.push({ type: 'beat' })
}

/** The disk could not take it. */
export function bookLendFailed(turn: Turn): void {
  if (turn.guard.leave !== 'lent') return
  set(turn, { leave: 'none', lendNotBeforeMs: turn.atMs + lendAgainMs })
}

/** Nobody but the nodes can report that the witness is silent. */
export function tellWitnessSilence(turn: Turn): void {
  const { guard, atMs } = turn
  const { silenceToldAtMs, timing, armed } = guard
  const forMs = witnessSilentForMs(guard, atMs)
  if (!witnessSilent(guard, atMs)) {
    if (silenceToldAtMs === null || !witnessHeardLately(guard)) return
    set(turn, { silenceToldAtMs: null })
    return tell(turn, 'witness-heard', 'info', 'This node hears the witness again.')
  }
  if (!armed || forMs < (timing.delegateAfterMs || defaultTiming.delegateAfterMs)) return
  if (silenceToldAtMs !== null && atMs < silenceToldAtMs + silenceAgainMs) return
  set(turn, { silenceToldAtMs: atMs })
  tell(
    turn,
    'witness-silent',
    'warning',
    `This node has not heard the witness for ${durationText(forMs)}. ${whatThatMeans(guard)} Repair the witness: is witnessd running there, and does the network let this node reach it?`,
  )
}

function whatThatMeans(guard: Guard): string {
  const peer = peerName(guard)
  if (guard.policy.alone === 'keep' || guard.policy.mode === 'observe') return ''
  const isHolder = guard.phase.name === 'holding'
  if (guard.timing.delegateAfterMs === 0)
    return 'Without the witness, the loss of either node or of the link between them costs the VIP.'
  return isHolder
    ? `If ${peer} does not hear the witness either, it delegates its vote to this node, which then keeps the VIP even without ${peer}.`
    : `If ${peer} holds the VIP and does not hear the witness either, this node delegates its vote to it. If ${peer} dies then, this node cannot take over.`
}

/** What the delegated vote means, for the log of the node that delegates it. */
export function lentText(guard: Guard, atMs: number): string {
  const peer = inForce(guard.voter, atMs)?.to ?? peerName(guard)
  return (
    `The witness has been silent for ${durationText(witnessSilentForMs(guard, atMs))}, so this node delegated its vote to ${peer}. ${peer} now keeps the VIP even without this node. ` +
    `If ${peer} dies, this node cannot take over until ${peer} is back. Repair the witness: then this node gets its vote back by itself`
  )
}

/** Likewise, for the log of the holder. */
export function borrowedText(guard: Guard, atMs: number): string {
  const peer = peerName(guard)
  return `The witness has been silent for ${durationText(witnessSilentForMs(guard, atMs))}, so ${peer} delegated its vote to this node. This node now keeps the VIP without the witness and without ${peer}. If this node dies, nobody takes over until it is back. Repair the witness`
}

function durationText(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 2) return `${Math.round(ms / 1000)} s`
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`
}
