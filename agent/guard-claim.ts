/** A MASTER without a lease asks for the votes: it wins, is refused, or waits no longer. Pure. */
import { assertNever } from '../shared/assert-never.ts'
import { type VoterName, witness } from '../shared/protocol.ts'
import { silenceMs } from '../shared/timing.ts'
import { showsVip } from '../shared/vip-sighting.ts'
import { askVote, leftWith, promisedTo } from '../shared/vote.ts'
import { hearsNobody, peerHolds, peerSilent, witnessSilent } from './bar-evidence.ts'
import { fenceOrphan, startFence } from './guard-fencing.ts'
import { type Guard, holdsVip, type Phase } from './guard-state.ts'
import {
  isOrphaned,
  keptVoter,
  leaseEndsAtMs,
  peerName,
  pushVoteEffects,
  release,
  set,
  setBar,
  tell,
  type Turn,
  votersOf,
  writePermit,
} from './guard-turn.ts'
import {
  describeRefusals,
  isHopeless,
  isUnderWay,
  leaseUntilMs,
  newCandidacy,
  withGrant,
  withPending,
  withRefusal,
} from './lease.ts'

/** How soon a claim that may still turn asks again. */
const claimRetryMs = 10

/** @param grounds `adopt`: the VIP is here since before this agent (re)started or stood still, so it may already be ours. */
export function enterClaim(turn: Turn, grounds: 'entered' | 'adopt'): void {
  const { guard, atMs } = turn
  const { voter, timing, node, profile } = guard
  const promise = promisedTo(voter, atMs)
  const heldByPeer = promise !== null && promise.node !== node
  // The holder may hold by the witness's vote and its own: then only the witness's word tells of it here. A vote that was
  // left with the peer does not come back by a claim.
  const handover = (heldByPeer || peerHolds(guard, atMs)) && leftWith(voter) === null && outranksPeer(guard)
  if (heldByPeer && !handover)
    return startFence(turn, {
      reason: `${promise.node} has the lease (epoch ${promise.epoch}, last renewed here ${Math.round(atMs - promise.renewedAtMs)} ms ago)`,
      first: 'bar',
    })

  const ownRecordIsNewest = voter.record?.to === node && voter.record.epoch === voter.epoch
  const epoch = grounds === 'adopt' && ownRecordIsNewest ? voter.epoch : voter.epoch + 1
  const patienceMs = grounds === 'adopt' ? timing.checkMs : timing.claimMs
  const waitMs = handover ? handoverPatienceMs(guard) : patienceMs
  set(turn, {
    candidacy: newCandidacy({ epoch, askedAtMs: atMs, carriedUntilMs: -Infinity }),
    phase: {
      name: 'claiming',
      sinceMs: atMs,
      deadlineMs: atMs + waitMs,
      retryAtMs: atMs + claimRetryMs,
      handover,
      adopts: grounds === 'adopt',
    },
  })
  askOwnVote(turn)
  turn.effects.push({ type: 'beat' })
  const how = grounds === 'adopt' ? 'was MASTER already when this agent looked' : 'became MASTER'
  tell(
    turn,
    'claiming',
    'info',
    `keepalived ${how} (${profile.instance}, epoch ${epoch}); asking for the votes.`,
  )
}

/**
 * Silence ends a claim. Waiting for the disks of a majority that has voted is not silence; and where the peer was just
 * heard without the VIP nobody is disturbed by a slow network, which otherwise could never be taken over in.
 */
export function claimDeadlineMs(guard: Guard, phase: Phase & { name: 'claiming' }): number {
  const { candidacy, timing } = guard
  const mayLast =
    peerWasWithoutVip(guard, phase.sinceMs) ||
    (candidacy !== null && isUnderWay(candidacy, votersOf(guard), keptVoter(guard)))
  return mayLast ? Math.max(phase.deadlineMs, phase.sinceMs + timing.renewMs) : phase.deadlineMs
}

function peerWasWithoutVip({ peerReport, peerHeardAtMs, timing }: Guard, atMs: number): boolean {
  const isFresh = peerHeardAtMs !== null && peerHeardAtMs >= atMs - silenceMs(timing)
  return isFresh && peerReport !== null && !showsVip(peerReport)
}

/** Whether asking again may bring a vote that was refused; an answer that is still out needs no second question. */
export function mayTurn(guard: Guard, phase: Phase & { name: 'claiming' }): boolean {
  return phase.handover || Object.keys(guard.candidacy?.refusals ?? {}).length > 0
}

/**
 * A holder that hears this node's adverts gives way to a higher priority, or to an equal one with
 * the higher address, whether or not this node wanted that.
 */
function outranksPeer({ profile, peerReport }: Guard): boolean {
  return peerReport !== null && profile.priority >= peerReport.priority
}

/**
 * How long the old holder may take to let go. A node that preempts waits as long as a handover may take. With
 * `nopreempt` keepalived promoted itself only because it hears nothing: the holder gives way within milliseconds, or
 * hears nothing either.
 */
function handoverPatienceMs({ profile, timing }: Guard): number {
  return profile.nopreempt ? timing.claimMs / 2 : timing.handoverMs
}

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
      // Asked again while the disk is busy: the grant counts from the first time.
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

export function stepClaiming(turn: Turn, phase: Phase & { name: 'claiming' }): void {
  const { guard, atMs } = turn
  const { candidacy, policy } = guard
  if (isOrphaned(guard)) return fenceOrphan(turn)
  if (!holdsVip(guard) || candidacy === null) return release(turn)

  if (leaseEndsAtMs(guard) > atMs) {
    set(turn, { phase: { name: 'holding', sinceMs: atMs } })
    setBar(turn, false)
    writePermit(turn)
    const kept = keptVoter(guard)
    const votes = new Set([...Object.keys(candidacy.grantedSentAtMs), ...(kept === null ? [] : [kept])])
    const voters = [...votes].sort().join(' and ')
    return tell(
      turn,
      'lease-won',
      'info',
      `This node holds the lease (epoch ${candidacy.epoch}) by the votes of ${voters}, ${Math.round(atMs - phase.sinceMs)} ms after it asked.`,
    )
  }

  const lost = whyLost(guard, phase, atMs)
  if (lost !== null) {
    if (policy.alone === 'keep' && hearsNobody(guard, atMs)) return enterUnprotected(turn)
    return startFence(turn, { reason: lost, first: 'bar' })
  }

  if (atMs < phase.retryAtMs || !mayTurn(guard, phase)) return
  set(turn, { phase: { ...phase, retryAtMs: atMs + claimRetryMs } })
  askOwnVote(turn)
  turn.effects.push({ type: 'beat' })
}

/** Why this claim has failed; null: it may still win. */
function whyLost(guard: Guard, phase: Phase & { name: 'claiming' }, atMs: number): string | null {
  const { candidacy, node } = guard
  if (candidacy === null) return 'it was given up'
  const refusals = describeRefusals(candidacy)
  const present = (voter: VoterName): boolean =>
    voter === node || (voter === witness ? !witnessSilent(guard, atMs) : !peerSilent(guard, atMs))
  if (!phase.handover && isHopeless(candidacy, votersOf(guard), present, keptVoter(guard)))
    return `the claim cannot win: ${refusals || 'nobody is there to vote'}`
  if (atMs < claimDeadlineMs(guard, phase)) return null
  return `no majority within ${Math.round(atMs - phase.sinceMs)} ms: ${refusals || 'no answer'}`
}

/** Until when the lease that this node uses is good; -Infinity: it uses none. */
export function leaseInUseUntilMs(guard: Guard): number {
  const { phase, candidacy, timing } = guard
  if ((phase.name !== 'holding' && phase.name !== 'entitled') || candidacy === null) return -Infinity
  return leaseUntilMs(candidacy, votersOf(guard), timing.leaseMs, keptVoter(guard))
}

/**
 * Ask all again under a new epoch: a voter knows of a higher one, or the plan has another timing. A lease in use stays
 * good for as long as it was.
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

export function enterUnprotected(turn: Turn): void {
  set(turn, { phase: { name: 'unprotected', sinceMs: turn.atMs }, candidacy: null })
  writePermit(turn)
  tell(
    turn,
    'unprotected',
    'critical',
    `Neither the witness nor ${peerName(turn.guard)} is heard. "alone: keep" keeps the VIP here as keepalived alone would: a second MASTER is possible.`,
  )
}
