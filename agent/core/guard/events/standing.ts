/**
 * Standing votes: a node that its operator takes away for long leaves its vote with the holder, on disk, until it is back and the holder hands it
 * back. So a lone survivor outlives the witness, too. docs/safety.md ("S1, step by step", step 8) has the argument. Pure.
 *
 * One order keeps it safe: the one that leaves has it on disk before it says so, and the one that keeps it has it off its
 * disk before it hands it back. All that is said of it comes in the peer's beats, which have one order: a beat of an
 * older start of the peer's agent is never taken after one of a newer.
 */
import type { LeftVote, Report } from '../../../../shared/protocol/report.ts'
import type { VoterName } from '../../../../shared/protocol/names.ts'
import { fenceAtMs, silenceMs } from '../../../../shared/core/timing.ts'
import { leaveVote, recallStanding, takeVoteBack } from '../../../../shared/core/vote/standing.ts'
import { leftWith } from '../../../../shared/core/vote/voter.ts'
import { peerSilent } from '../hearing.ts'
import type { FoundStanding, Guard, KeptBallot, KeptVote } from '../state.ts'
import type { GuardEvent } from '../event.ts'
import { keptVoter, peerName, votersOf } from '../own-lease.ts'
import { type Turn, pushVoteEffects, set, tell } from '../turn.ts'
import { leaseUntilMs } from '../lease.ts'

/** What a guard begins with. */
export function recoverKept({ kept, rebooted }: FoundStanding, atMs: number): KeptVote {
  if (kept === null) return { phase: 'none' }
  return { phase: rebooted ? 'recovered' : 'kept', ballot: kept, sinceMs: atMs }
}

/** A disk from before the reboot may be an old one: the peer and the witness get the time to deny it. */
export function confirmKept(turn: Turn): void {
  const { kept, timing } = turn.guard
  if (kept.phase !== 'recovered' || turn.atMs < kept.sinceMs + silenceMs(timing)) return
  set(turn, { kept: { ...kept, phase: 'kept' } })
}

/**
 * A state file that was lost may have said that this node left its vote. Nothing is promised before the wait of T_g is
 * over, so the peer's word can still be taken until then. Later this node votes, and the peer counts on it no more.
 */
export function endDoubtInTime(turn: Turn): void {
  const { inDoubt, voter } = turn.guard
  if (inDoubt && voter.pledge.phase !== 'waiting') set(turn, { inDoubt: false })
}

/** Why this node cannot leave its vote with the peer now, for the operator; null: it can. */
export function leaveHindrance(guard: Guard, atMs: number): string | null {
  const { peer, peerReport, policy, observed, seen, memory, voter } = guard
  if (peer === null) return 'this node does not know another node of the cluster yet'
  if (policy.mode === 'observe') return 'in observe mode the other node does not depend on votes'
  // Before keepalived: a drill and a fence stop it, too, and start it again.
  if (memory.stopped || guard.drill !== null)
    return 'this agent stopped keepalived itself, in a fence or a drill, and is about to start it again; wait until it runs, then stop it'
  if (!observed || seen.process !== 'absent')
    return 'keepalived is running on this node; stop it first (systemctl stop keepalived)'
  if (seen.vips !== 'gone') return `keepalived is stopped, but the VIP is still on this node (${seen.vips})`
  // A vote that is left with a holder that has just died would be missed when this node is back.
  if (peerSilent(guard, atMs)) return `this node does not hear ${peer}`
  if (peerReport?.phase !== 'holding')
    return `${peer} does not hold the lease (${peerReport?.why ?? 'it has not reported yet'})`
  if (leftWith(voter) === null && leaveVote(voter, { to: peer, atMs }) === null)
    return `this node's vote is not promised to ${peer} at this moment; try again in a few seconds`
  return null
}

/** This node goes, on its operator's word. A vote that is the peer's at this moment stays the peer's. */
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

/** What was left already comes back by the peer's consent, as after a return. */
export function bookStay(turn: Turn): void {
  if (turn.guard.leave === 'none') return
  set(turn, { leave: 'none' })
  turn.effects.push({ type: 'beat' })
}

/** A keepalived that is started here is the operator's word that this node does not go after all. */
export function stayWhereKeepalivedRuns(turn: Turn): void {
  if (turn.guard.seen.process === 'running') bookStay(turn)
}

/** The peer answers that it counts the vote, under the epoch under which it was left. */
export function bookCountedVote(turn: Turn, from: VoterName, epoch: number | undefined): void {
  const { voter, leave, peer } = turn.guard
  if (leave === 'asked' && from === peer && epoch !== undefined && leftWith(voter)?.epoch === epoch)
    set(turn, { leave: 'proved' })
}

/** How far a `leave` has come. */
export function leaveProgress({ leave, voter }: Guard): 'stays' | 'leaving' | 'left' {
  const { pledge } = voter
  if (leave === 'none') return 'stays'
  if (pledge.phase === 'recording') return 'leaving'
  if (pledge.phase !== 'standing') return 'stays'
  return leave === 'proved' ? 'left' : 'leaving'
}

/** What the heartbeat says of this node's own vote. */
export function leftVoteOf({ voter, leave, inDoubt }: Guard): LeftVote | undefined {
  if (inDoubt) return { kind: 'unknown' }
  const left = leftWith(voter)
  if (left === null) return undefined
  return { kind: leave === 'none' ? 'returning' : 'leaving', to: left.to, epoch: left.epoch }
}

/** The peer's beat, as the word of the one that left its vote here, and of the one that may keep this node's. */
export function bookPeersVotes(turn: Turn, report: Report): void {
  // The vote may have gone on to a later epoch of the peer's than that under which it was left.
  if (turn.guard.inDoubt)
    endDoubt(turn, report.keepsVote === undefined ? undefined : Math.max(report.keepsVote, report.epoch))
  const { node } = turn.guard
  const { left } = report
  if (left?.kind === 'unknown') return
  if (left?.to !== node) return voidKept(turn, `${peerName(turn.guard)} has its own vote`)
  if (left.kind === 'leaving') return keep(turn, { of: peerName(turn.guard), epoch: left.epoch })
  handBack(turn)
}

function endDoubt(turn: Turn, keptByPeer: number | undefined): void {
  const { voter, peer } = turn.guard
  if (peer === null) return
  const recalled =
    keptByPeer === undefined ? voter : recallStanding(voter, { to: peer, epoch: keptByPeer, atMs: turn.atMs })
  set(turn, { inDoubt: false, voter: recalled })
  turn.effects.push({ type: 'vote-left', on: keptByPeer !== undefined })
}

/** The peer's agent lives and knows no such instance. */
export function bookPeerWithout(turn: Turn): void {
  if (turn.guard.inDoubt) endDoubt(turn, undefined)
  voidKept(turn, `${peerName(turn.guard)} no longer has this instance`)
}

function keep(turn: Turn, ballot: KeptBallot): void {
  const { kept } = turn.guard
  if (kept.phase === 'recovered') return set(turn, { kept: { ...kept, phase: 'kept' } })
  if (kept.phase !== 'none' && kept.phase !== 'void') return
  set(turn, { kept: { phase: 'keeping', ballot, sinceMs: turn.atMs } })
  turn.effects.push({ type: 'keep-vote', kept: ballot })
}

/** The peer is back and wants its vote: it gets it as soon as this node can do without. */
function handBack(turn: Turn): void {
  const { kept } = turn.guard
  switch (kept.phase) {
    case 'none': // the answer says so: see `returnsVote`
    case 'keeping':
    case 'forgetting':
      return
    case 'recovered':
    case 'void':
      return forget(turn, { ...kept, counts: false, sinceMs: turn.atMs })
    case 'kept':
      if (!needsKept(turn.guard, turn.atMs)) forget(turn, { ...kept, counts: true })
  }
}

/** Somebody shows that the peer's vote is not this node's: it counts no more, from this moment. */
export function voidKept(turn: Turn, why: string): void {
  const { kept } = turn.guard
  if (kept.phase === 'none') return
  if (kept.phase === 'forgetting' || kept.phase === 'keeping') {
    if (kept.phase === 'forgetting' && !kept.counts) return
    // The write that is under way ends first; then the disk is cleared.
    return set(turn, {
      kept: { phase: 'forgetting', ballot: kept.ballot, sinceMs: kept.sinceMs, counts: false },
    })
  }
  if (kept.phase !== 'void')
    tell(
      turn,
      'kept-vote-void',
      'warning',
      `The vote that ${kept.ballot.of} delegated to this node no longer counts: ${why}.`,
    )
  forget(turn, { ballot: kept.ballot, sinceMs: turn.atMs, counts: false })
}

function forget(
  turn: Turn,
  { ballot, sinceMs, counts }: Omit<KeptVote & { phase: 'forgetting' }, 'phase'>,
): void {
  set(turn, { kept: { phase: 'forgetting', ballot, sinceMs, counts } })
  turn.effects.push({ type: 'keep-vote', kept: null })
}

/** The disk has what `keep-vote` wanted, or failed. */
export function bookVoteKept(turn: Turn, event: GuardEvent & { type: 'vote-kept' }): void {
  const { kept } = turn.guard
  const { error } = event
  if (event.kept !== null) {
    if (kept.phase === 'forgetting') return forget(turn, kept) // it was denied meanwhile
    if (kept.phase !== 'keeping') return
    if (error !== null) {
      set(turn, { kept: { phase: 'void', ballot: kept.ballot } })
      return tell(
        turn,
        'vote-not-kept',
        'warning',
        `${kept.ballot.of} delegated its vote to this node, but that cannot be written to disk: ${error}.`,
      )
    }
    set(turn, { kept: { ...kept, phase: 'kept' } })
    turn.effects.push({ type: 'beat' })
    return tell(
      turn,
      'vote-kept',
      'info',
      `${kept.ballot.of} left and delegated its vote to this node (epoch ${kept.ballot.epoch}), so this node can keep the VIP even without the witness.`,
    )
  }
  if (kept.phase !== 'forgetting') return
  if (error !== null) {
    const { ballot, sinceMs, counts } = kept
    return set(turn, {
      kept: counts ? { phase: 'kept', ballot, sinceMs } : { phase: 'void', ballot },
    })
  }
  set(turn, { kept: { phase: 'none' } })
  tell(
    turn,
    'vote-handed-back',
    'info',
    `This node returns the vote that ${kept.ballot.of} had delegated to it.`,
  )
}

/** The epoch under which the peer gets its vote back with this answer. */
export function returnedEpoch({ node, kept, peerReport }: Guard): number | undefined {
  const left = peerReport?.left
  return kept.phase === 'none' && left?.kind === 'returning' && left.to === node ? left.epoch : undefined
}

/** The epoch of the peer's vote that is surely on disk here and counts: the one that goes may go. */
export function countedEpoch({ node, kept, peerReport }: Guard): number | undefined {
  const left = peerReport?.left
  return kept.phase === 'kept' && left?.kind === 'leaving' && left.to === node ? kept.ballot.epoch : undefined
}

/** The holder hands this node's vote back. */
export function bookReturnedVote(turn: Turn, from: VoterName, epoch: number | undefined): void {
  const { voter, leave, peer, timing } = turn.guard
  if (epoch === undefined || from !== peer || leave !== 'none') return
  const back = takeVoteBack(voter, { epoch, atMs: turn.atMs, reserveMs: timing.reserveMs })
  if (back === null) return
  set(turn, { voter: back.voter })
  pushVoteEffects(turn, back.effects)
}

/** Whether the lease would end soon, or there would be none, without the vote that the peer left here. */
export function needsKept(guard: Guard, atMs: number): boolean {
  const { candidacy, timing } = guard
  if (keptVoter(guard) === null || candidacy === null) return false
  const withoutMs = leaseUntilMs(candidacy, votersOf(guard), timing.leaseMs)
  return fenceAtMs(withoutMs, timing) < atMs + timing.renewMs
}
