/**
 * The operator takes this node out of service for a long time (`witness-agent leave`): whether it can leave, and how far
 * it has come. standing.ts has what becomes of its vote. Pure.
 */
import type { VoterName } from '../../../../shared/protocol/names.ts'
import { leaveVote } from '../../../../shared/core/vote/standing.ts'
import { leftWith } from '../../../../shared/core/vote/voter.ts'
import { freshPeerReport, peerSilent } from '../hearing.ts'
import type { Guard } from '../state.ts'
import { type Turn, pushVoteEffects, set } from '../turn.ts'

/** Why this node cannot leave its vote with the peer now, for the operator; null: it can. */
export function leaveHindrance(guard: Guard, atMs: number): string | null {
  const { peer, policy, observed, seen, memory, voter } = guard
  if (peer === null) return 'this node does not know another node of the cluster yet'
  if (policy.mode === 'observe') return 'in observe mode the other node does not depend on votes'
  // This comes before the check of keepalived, because a drill and a fence stop it too, and start it again.
  if (memory.stopped || guard.drill !== null)
    return 'this agent stopped keepalived itself, in a fence or a drill, and is about to start it again; wait until it runs, then stop it'
  if (!observed || seen.process !== 'absent')
    return 'keepalived is running on this node; stop it first (systemctl stop keepalived)'
  if (seen.vips !== 'gone') return `keepalived is stopped, but the VIP is still on this node (${seen.vips})`
  // A vote delegated to a holder that has just died could not be returned when this node comes back.
  if (peerSilent(guard, atMs)) return `this node does not hear ${peer}`
  const peerReport = freshPeerReport(guard, atMs)
  if (peerReport?.phase !== 'holding')
    return `${peer} does not hold the lease (${peerReport?.why ?? 'it has not reported yet'})`
  if (leftWith(voter) === null && leaveVote(voter, { to: peer, atMs }) === null)
    return `this node's vote is not promised to ${peer} at this moment; try again in a few seconds`
  return null
}

/** The operator takes this node away: the vote that is promised to the peer at this moment is delegated to it. */
export function bookLeave(turn: Turn): void {
  const { voter, peer } = turn.guard
  if (peer === null || leaveHindrance(turn.guard, turn.atMs) !== null) return
  set(turn, { leave: 'asked' })
  if (leftWith(voter) !== null) {
    turn.effects.push({ type: 'beat' })
    return
  }
  const left = leaveVote(voter, { to: peer, atMs: turn.atMs })
  if (left === null) return
  set(turn, { voter: left.voter })
  turn.effects.push({ type: 'vote-left', on: true })
  pushVoteEffects(turn, left.effects)
}

/**
 * The node does not leave after all. A vote that is already delegated comes back with the peer's consent, as after a
 * return.
 */
export function bookStay(turn: Turn): void {
  if (turn.guard.leave === 'none') return
  set(turn, { leave: 'none' })
  turn.effects.push({ type: 'beat' })
}

/** If keepalived is started on this node, the operator does not want it to leave any more. */
export function stayWhereKeepalivedRuns(turn: Turn): void {
  if (turn.guard.seen.process === 'running' && turn.guard.leave !== 'lent') bookStay(turn)
}

/** The peer answers that it counts the vote, under the epoch under which it was delegated. */
export function bookCountedVote(turn: Turn, from: VoterName, epoch: number | undefined): void {
  const { voter, leave, peer } = turn.guard
  if (leave === 'asked' && from === peer && epoch !== undefined && leftWith(voter)?.epoch === epoch)
    set(turn, { leave: 'proved' })
}

/** How far a `leave` has come. */
export function leaveProgress({ leave, voter }: Guard): 'stays' | 'leaving' | 'left' {
  const { pledge } = voter
  if (leave === 'none' || leave === 'lent') return 'stays'
  if (pledge.phase === 'recording') return 'leaving'
  if (pledge.phase !== 'standing') return 'stays'
  return leave === 'proved' ? 'left' : 'leaving'
}
