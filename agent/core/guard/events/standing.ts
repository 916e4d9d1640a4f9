/**
 * Standing votes: a node that its operator takes away for a long time delegates its vote to the holder, on disk,
 * until it comes back and the holder returns the vote. This lets a lone holder keep the VIP even without the witness.
 * docs/safety.md ("S1, step by step", step 8) has the argument. Pure.
 *
 * It is safe because of the order of steps: the leaving node has it on disk before it reports it, and the holder
 * removes it from disk before it returns it. All reports about it come in the peer's heartbeats, which are in order:
 * a heartbeat of an older instance of the peer's agent is never accepted after one of a newer instance.
 */
import type { LeftVote, Report } from '../../../../shared/protocol/report.ts'
import type { VoterName } from '../../../../shared/protocol/names.ts'
import { fenceAtMs, silenceMs } from '../../../../shared/core/timing.ts'
import { recallStanding, takeVoteBack } from '../../../../shared/core/vote/standing.ts'
import { leftWith } from '../../../../shared/core/vote/voter.ts'
import type { FoundStanding, Guard, KeptBallot, KeptVote } from '../state.ts'
import type { GuardEvent } from '../event.ts'
import { keptVoter, peerName, votersOf } from '../own-lease.ts'
import { borrowedText, keepsWhileSilent } from './lending.ts'
import { type Turn, pushVoteEffects, set, tell } from '../turn.ts'
import { leaseUntilMs } from '../lease.ts'

/** A disk that failed is tried again this often, if no operator waits for it. */
const keepAgainMs = 10_000

/** The kept vote with which a guard starts. */
export function recoverKept({ kept, rebooted }: FoundStanding, atMs: number): KeptVote {
  if (kept === null) return { phase: 'none' }
  return { phase: rebooted ? 'recovered' : 'kept', ballot: kept, sinceMs: atMs }
}

/** A disk written before the reboot may be out of date, so the peer and the witness get time to deny it. */
export function confirmKept(turn: Turn): void {
  const { kept, timing } = turn.guard
  if (kept.phase !== 'recovered' || turn.atMs < kept.sinceMs + silenceMs(timing)) return
  set(turn, { kept: { ...kept, phase: 'kept' } })
}

/**
 * A lost state file may have said that this node delegated its vote. Until the wait of T_g is over nothing is
 * promised, so the peer's report can still be accepted. After that this node votes, and the peer no longer counts its
 * vote.
 */
export function endDoubtInTime(turn: Turn): void {
  const { inDoubt, voter } = turn.guard
  if (inDoubt && voter.pledge.phase !== 'waiting') set(turn, { inDoubt: false })
}

/** Whether the peer says that it delegated its vote because the witness is silent. */
export function isLent({ peerReport }: Guard): boolean {
  return peerReport?.left?.kind === 'leaving' && peerReport.left.because !== undefined
}

/** What the heartbeat reports about this node's own vote. */
export function leftVoteOf({ voter, leave, inDoubt }: Guard): LeftVote | undefined {
  if (inDoubt) return { kind: 'unknown' }
  const left = leftWith(voter)
  if (left === null) return undefined
  const { to, epoch } = left
  if (leave === 'none') return { kind: 'returning', to, epoch }
  return { kind: 'leaving', to, epoch, ...(leave === 'lent' ? { because: 'witness-silent' as const } : {}) }
}

/** The peer's heartbeat reports whether its vote is delegated to this node, and whether it keeps this node's vote. */
export function bookPeersVotes(turn: Turn, report: Report): void {
  // The peer may by now use the vote under a later epoch than the one under which it was delegated.
  if (turn.guard.inDoubt)
    endDoubt(turn, report.keepsVote === undefined ? undefined : Math.max(report.keepsVote, report.epoch))
  const { node } = turn.guard
  const { left } = report
  if (left?.kind === 'unknown') return
  if (left?.to !== node) return voidKept(turn, `${peerName(turn.guard)} has its own vote`)
  if (left.kind === 'leaving') return keep(turn, { of: peerName(turn.guard), epoch: left.epoch })
  if (!keepsWhileSilent(turn, report)) handBack(turn)
}

function endDoubt(turn: Turn, keptByPeer: number | undefined): void {
  const { voter, peer } = turn.guard
  if (peer === null) return
  const recalled =
    keptByPeer === undefined ? voter : recallStanding(voter, { to: peer, epoch: keptByPeer, atMs: turn.atMs })
  set(turn, { inDoubt: false, voter: recalled })
  turn.effects.push({ type: 'vote-left', on: keptByPeer !== undefined })
}

/** The peer's agent is alive and does not have this instance. */
export function bookPeerWithout(turn: Turn): void {
  if (turn.guard.inDoubt) endDoubt(turn, undefined)
  voidKept(turn, `${peerName(turn.guard)} no longer has this instance`)
}

/** Tried again until the disk has forgotten it: the name may come back with another host. */
export function voidKeptOfRemoved(turn: Turn): void {
  const { kept, peer } = turn.guard
  if (kept.phase !== 'none' && kept.ballot.of !== peer)
    voidKept(turn, `${kept.ballot.of} was removed from the cluster`)
}

function keep(turn: Turn, ballot: KeptBallot): void {
  const { kept } = turn.guard
  if (kept.phase === 'recovered') return set(turn, { kept: { ...kept, phase: 'kept' } })
  if (kept.phase !== 'none' && kept.phase !== 'void') return
  const failedAtMs = kept.phase === 'void' ? kept.failedAtMs : undefined
  if (failedAtMs !== undefined && isLent(turn.guard) && turn.atMs < failedAtMs + keepAgainMs) return
  const again = failedAtMs !== undefined && isLent(turn.guard) ? { again: true as const } : {}
  set(turn, { kept: { phase: 'keeping', ballot, sinceMs: turn.atMs, ...again } })
  turn.effects.push({ type: 'keep-vote', kept: ballot })
}

/** The peer is back and wants its vote. It gets it as soon as this node can do without it. */
function handBack(turn: Turn): void {
  const { kept } = turn.guard
  switch (kept.phase) {
    case 'none': // the answer returns it: see `returnsVote`
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

/** There is evidence that the peer's vote is not delegated to this node, so it no longer counts. */
export function voidKept(turn: Turn, why: string): void {
  const { kept } = turn.guard
  if (kept.phase === 'none') return
  if (kept.phase === 'forgetting' || kept.phase === 'keeping') {
    if (kept.phase === 'forgetting' && !kept.counts) return
    // The write in progress ends first; then the disk is cleared.
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
    if (kept.phase === 'forgetting') return forget(turn, kept) // it was denied during the write
    if (kept.phase !== 'keeping') return
    if (error !== null) {
      set(turn, { kept: { phase: 'void', ballot: kept.ballot, failedAtMs: turn.atMs } })
      if (kept.again === true) return
      return tell(
        turn,
        'vote-not-kept',
        'warning',
        `${kept.ballot.of} delegated its vote to this node, but that cannot be written to disk: ${error}.`,
      )
    }
    const { ballot, sinceMs } = kept
    set(turn, { kept: { phase: 'kept', ballot, sinceMs } })
    turn.effects.push({ type: 'beat' })
    if (isLent(turn.guard))
      return tell(turn, 'vote-borrowed', 'warning', `${borrowedText(turn.guard, turn.atMs)}.`)
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
  // The peer asks for the answer that returns its vote as soon as it hears this.
  turn.effects.push({ type: 'beat' })
  if (kept.ballot.of !== turn.guard.peer) return
  tell(
    turn,
    'vote-handed-back',
    'info',
    `This node returns the vote that ${kept.ballot.of} had delegated to it.`,
  )
}

/**
 * A vote on its way back is not left to the next heartbeats, because a takeover may wait for it.
 * @param before the peer's report before this one
 */
export function hastenReturn(turn: Turn, before: Report | null): void {
  const { voter, leave, peerReport } = turn.guard
  const forgotten = before?.keepsVote !== undefined && peerReport?.keepsVote === undefined
  const returned = before?.left !== undefined && peerReport?.left === undefined
  // The answer to this heartbeat returns the vote; and this one gives back the promise that it has become.
  if ((leave === 'none' && leftWith(voter) !== null && forgotten) || returned)
    turn.effects.push({ type: 'beat' })
}

/** The epoch under which this answer returns the peer's vote; undefined: it returns none. */
export function returnedEpoch({ node, kept, peerReport }: Guard): number | undefined {
  const left = peerReport?.left
  return kept.phase === 'none' && left?.kind === 'returning' && left.to === node ? left.epoch : undefined
}

/**
 * The epoch of the peer's vote that is certainly on disk here and counts, so that the peer may leave; undefined:
 * none.
 */
export function countedEpoch({ node, kept, peerReport }: Guard): number | undefined {
  const left = peerReport?.left
  return kept.phase === 'kept' && left?.kind === 'leaving' && left.to === node ? kept.ballot.epoch : undefined
}

/** The holder returns this node's vote. */
export function bookReturnedVote(turn: Turn, from: VoterName, epoch: number | undefined): void {
  const { voter, leave, peer, timing } = turn.guard
  if (epoch === undefined || from !== peer || leave !== 'none') return
  const back = takeVoteBack(voter, { epoch, atMs: turn.atMs, reserveMs: timing.reserveMs })
  if (back === null) return
  set(turn, { voter: back.voter })
  pushVoteEffects(turn, back.effects)
}

/** Whether without the vote that the peer delegated there would be no lease, or one that ends soon. */
export function needsKept(guard: Guard, atMs: number): boolean {
  const { candidacy, timing } = guard
  if (keptVoter(guard) === null || candidacy === null) return false
  const withoutMs = leaseUntilMs(candidacy, votersOf(guard), timing.leaseMs)
  return fenceAtMs(withoutMs, timing) < atMs + timing.renewMs
}
