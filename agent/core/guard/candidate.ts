/**
 * This node as a candidate: its own vote, the epochs that it may use, how long its lease lasts, and how long it waits
 * for the old holder.
 */
import { type Turn, pushVoteEffects, set } from './turn.ts'
import { askVote, releaseVote } from '../../../shared/core/vote/ask.ts'
import { leaseUntilMs, newCandidacy, withGrant, withPending, withRefusal } from './lease.ts'
import { assertNever } from '../../../shared/assert-never.ts'
import { type Guard, priorityOf } from './state.ts'
import { keptVoter, votersOf } from './own-lease.ts'
import { masterDownMs, votesAreFreeInTime } from '../../../shared/core/timing.ts'

/** Asks this node itself for its vote, for the candidacy under way. */
export function askOwnVote(turn: Turn): void {
  const { guard, atMs } = turn
  if (guard.candidacy === null) return
  const { node, candidacy, timing } = guard
  const ask = { from: node, epoch: candidacy.epoch, leaseMs: timing.leaseMs, atMs }
  const { voter, effects, decision } = askVote(guard.voter, ask, timing)
  set(turn, { voter })
  pushVoteEffects(turn, effects)
  switch (decision.kind) {
    case 'granted':
      return set(turn, { candidacy: withGrant(candidacy, node, atMs) })
    case 'pending':
      // If it is asked again while the disk is busy, the grant counts from the first time.
      return set(turn, {
        candidacy: {
          ...withPending(candidacy, node),
          ownAskedAtMs: effects.length > 0 ? atMs : candidacy.ownAskedAtMs,
        },
      })
    case 'refused':
      return set(turn, { candidacy: withRefusal(candidacy, node, { ...decision, sentAtMs: atMs }) })
    default:
      return assertNever(decision)
  }
}

/** Frees the vote that this node has promised to itself. */
export function giveBackOwnVote(turn: Turn): void {
  const { voter, effects } = releaseVote(turn.guard.voter, turn.guard.node)
  set(turn, { voter })
  pushVoteEffects(turn, effects)
}

/** Until when the lease that this node is using lasts; -Infinity: it uses none. */
export function leaseInUseUntilMs(guard: Guard): number {
  const { phase, candidacy, timing } = guard
  if ((phase.name !== 'holding' && phase.name !== 'entitled') || candidacy === null) return -Infinity
  return leaseUntilMs(candidacy, votersOf(guard), timing.leaseMs, keptVoter(guard))
}

/**
 * Asks all voters again under a new epoch, because a voter knows a higher one or the plan has another timing. A lease
 * in use lasts as long as before.
 */
export function raiseEpoch(turn: Turn, carriedUntilMs = leaseInUseUntilMs(turn.guard)): void {
  const { candidacy, voter } = turn.guard
  if (candidacy === null) return
  set(turn, {
    candidacy: newCandidacy({ epoch: voter.epoch + 1, askedAtMs: turn.atMs, carriedUntilMs }),
  })
  askOwnVote(turn)
  turn.effects.push({ type: 'beat' })
}

/**
 * Whether the holder's keepalived steps down when it hears this node's adverts: it does so for a higher priority, or
 * for an equal one with the higher address, whether or not this node wanted that. The priorities are those that
 * keepalived runs with. If weights may have changed that of the holder without a word, it may step down.
 */
export function outranksPeer(guard: Guard): boolean {
  const { peerReport } = guard
  if (peerReport === null) return false
  return peerReport.priorityMayDiffer === true || priorityOf(guard) >= peerReport.priority
}

/** Until this node knows better, it took itself for the better one. */
export function noteOutranked(turn: Turn, before: Guard): void {
  if (outranksPeer(before) && !outranksPeer(turn.guard)) set(turn, { outrankedUntilMs: turn.atMs })
}

/**
 * Whether keepalived may have become MASTER because this node outranked the holder until a moment ago: without nopreempt
 * a BACKUP waits on until it hears the holder's next advert. The holder's answer then makes it BACKUP again within
 * milliseconds, as with keepalived alone.
 */
export function outrankedPeerLately(guard: Guard, atMs: number): boolean {
  const { profile, outrankedUntilMs } = guard
  if (outranksPeer(guard)) return true
  return !profile.nopreempt && hasWeights(guard) && atMs <= outrankedUntilMs + 1.2 * profile.advertIntMs
}

/** Whether the order of the two nodes may change while both run. */
export function hasWeights({ profile, peerReport }: Guard): boolean {
  return (
    profile.weights !== undefined ||
    peerReport?.configuredPriority !== undefined ||
    peerReport?.priorityMayDiffer === true
  )
}

/**
 * Whether keepalived, left alone, moves the VIP from `holder` to `other`, or may do so without a word: without nopreempt,
 * because of the priorities that both run with.
 */
export function isPreempted(
  holder: { readonly priority: number; readonly mayDiffer: boolean },
  other: { readonly priority: number; readonly mayDiffer: boolean; readonly nopreempt: boolean },
): boolean {
  if (other.nopreempt) return false
  return other.mayDiffer || holder.mayDiffer || other.priority > holder.priority
}

/** How long a probation waits for an advert. With few `down_timer_adverts` keepalived promotes itself sooner. */
export function probationMs(guard: Guard): number {
  const { profile } = guard
  const { advertIntMs } = profile
  const ownMasterDownMs = masterDownMs({ ...profile, priority: priorityOf(guard) })
  return Math.min(2.2 * advertIntMs, Math.max(1.1 * advertIntMs, ownMasterDownMs - 0.2 * advertIntMs))
}

/** keepalived promotes itself before the votes of a dead holder can be free: E4 does not hold. */
export function promotesEarly(guard: Guard): boolean {
  return !votesAreFreeInTime({ ...guard.profile, priority: priorityOf(guard) }, guard.timing)
}

/**
 * How long the old holder may take to release the VIP. A node that preempts waits as long as a handover may take.
 * With `nopreempt` keepalived promoted itself only because it heard nothing, so the holder either steps down within
 * milliseconds or hears nothing either.
 */
export function handoverPatienceMs({ profile, timing }: Guard): number {
  return profile.nopreempt ? timing.claimMs / 2 : timing.handoverMs
}

/** How this node came to have the VIP, for the operator. */
export function whyClaimed({ seen }: Guard, grounds: 'entered' | 'adopt'): string {
  if (seen.keepalived !== 'MASTER') return `is ${seen.keepalived}, but its VIP is on this node`
  return grounds === 'adopt' ? 'was already MASTER when this agent first looked' : 'became MASTER'
}
