/** A MASTER without a lease asks for the votes until it wins, is refused, or has waited too long. Pure. */
import { type Guard, enforces, holdsVip } from '../state.ts'
import type { Phase } from '../phase.ts'
import { describeRefusals, isHopeless, isUnderWay } from '../lease.ts'
import { isOrphaned, keptVoter, leaseEndsAtMs, votersOf } from '../own-lease.ts'
import { showsVip } from '../../../../shared/core/vip-sighting.ts'
import { type Turn, set, tell } from '../turn.ts'
import {
  claimRetryMs,
  enterHolding,
  enterUnprotected,
  fenceOrphan,
  release,
  startFence,
} from '../transitions.ts'
import { freshPeerReport, hearsNobody, peerNewsLagMs, peerSilent, witnessSilent } from '../hearing.ts'
import { askOwnVote, promotesEarly } from '../candidate.ts'
import { type VoterName, witness } from '../../../../shared/protocol/names.ts'

/**
 * Silence ends a claim. Two things do not count as silence: waiting for the disks of a majority that has voted, and a
 * slow network or host while the peer was just heard without the VIP, or letting go of it. In the latter case nobody is
 * disturbed, and without this exception no takeover could succeed on a slow network. Nor could one without waiting for
 * the news that the old holder gives way: as long as its answers take now. This node asks every few milliseconds, so
 * on a fast network they say within the claim that there is nothing to wait for.
 */
function claimDeadlineMs(guard: Guard, phase: Phase & { name: 'claiming' }): number {
  const { candidacy, timing } = guard
  if (onlyWaits(guard, phase)) return phase.sinceMs + timing.reserveMs + timing.renewMs
  const mayLast =
    peerWasWithoutVip(guard, phase.sinceMs) ||
    (candidacy !== null && isUnderWay(candidacy, votersOf(guard), { kept: keptVoter(guard) }))
  const lagMs = peerNewsLagMs(guard)
  const deadlineMs = phase.handover ? phase.deadlineMs + lagMs : phase.deadlineMs
  return mayLast ? Math.max(deadlineMs, phase.sinceMs + timing.renewMs + lagMs) : deadlineMs
}

function peerWasWithoutVip(guard: Guard, atMs: number): boolean {
  const report = freshPeerReport(guard, atMs)
  return report !== null && (!showsVip(report) || report.lettingGo === true)
}

/**
 * Whether asking again may bring a vote that was refused. A voter that has not answered yet need not be asked again.
 */
function mayTurn(guard: Guard, phase: Phase & { name: 'claiming' }): boolean {
  return phase.handover || Object.keys(guard.candidacy?.refusals ?? {}).length > 0
}

/**
 * Which voters a claim waits for while they only wait after their start, which passes by itself within T_g. A VIP that
 * was here before waits for every such voter, a new MASTER only for the vote of its own node: its agent has just
 * started, so nobody counts on it yet. Beside a voter that has turned to another node there is nothing to wait for.
 */
function mayWaitFor(guard: Guard, phase: Phase & { name: 'claiming' }): readonly VoterName[] {
  const refusals = Object.values(guard.candidacy?.refusals ?? {})
  if (refusals.some(({ reason }) => reason === 'promised')) return []
  return phase.adopts ? votersOf(guard) : [guard.node]
}

/** All that a majority lacks is the end of such a wait. */
function onlyWaits(guard: Guard, phase: Phase & { name: 'claiming' }): boolean {
  const { candidacy } = guard
  if (candidacy === null) return false
  const voters = votersOf(guard)
  const kept = keptVoter(guard)
  const patientWith = mayWaitFor(guard, phase)
  return !isUnderWay(candidacy, voters, { kept }) && isUnderWay(candidacy, voters, { kept, patientWith })
}

/**
 * When a claim must be looked at again; null: no wish. A guard that does not enforce asks until it wins, soon at first and
 * then with each heartbeat.
 */
export function claimDueMs(guard: Guard, phase: Phase & { name: 'claiming' }): number | null {
  const retryAtMs = mayTurn(guard, phase) ? phase.retryAtMs : Infinity
  if (enforces(guard)) return Math.min(claimDeadlineMs(guard, phase), retryAtMs)
  return retryAtMs < phase.deadlineMs ? retryAtMs : null
}

export function stepClaiming(turn: Turn, phase: Phase & { name: 'claiming' }): void {
  const { guard, atMs } = turn
  const { candidacy, policy } = guard
  if (isOrphaned(guard)) return fenceOrphan(turn)
  if (!holdsVip(guard) || candidacy === null) return release(turn)

  if (leaseEndsAtMs(guard) > atMs) {
    enterHolding(turn)
    // While both had the VIP, the old holder may have answered clients that asked for it.
    if (phase.handover) turn.effects.push({ type: 'announce' })
    const kept = keptVoter(guard)
    const votes = new Set([...Object.keys(candidacy.grantedSentAtMs), ...(kept === null ? [] : [kept])])
    const voters = [...votes].sort().join(' and ')
    return tell(
      turn,
      'lease-won',
      'info',
      `This node holds the lease (epoch ${candidacy.epoch}) with the votes of ${voters}, ${Math.round(atMs - phase.sinceMs)} ms after it asked for them.`,
    )
  }

  const lost = enforces(guard) ? whyLost(guard, phase, atMs) : null
  if (lost !== null) {
    if (policy.alone === 'keep' && hearsNobody(guard, atMs)) return enterUnprotected(turn)
    return startFence(turn, { reason: lost, first: 'bar', early: promotesEarly(guard) })
  }

  if (atMs < phase.retryAtMs || !mayTurn(guard, phase) || (!enforces(guard) && atMs >= phase.deadlineMs))
    return
  set(turn, { phase: { ...phase, retryAtMs: atMs + claimRetryMs } })
  askOwnVote(turn)
  turn.effects.push({ type: 'beat' })
}

/** Why this claim has failed; null: it may still win. */
function whyLost(guard: Guard, phase: Phase & { name: 'claiming' }, atMs: number): string | null {
  const { candidacy, node } = guard
  if (candidacy === null) return 'the claim was given up'
  const refusals = describeRefusals(candidacy)
  const present = (voter: VoterName): boolean =>
    voter === node || (voter === witness ? !witnessSilent(guard, atMs) : !peerSilent(guard, atMs))
  const how = { kept: keptVoter(guard), patientWith: mayWaitFor(guard, phase) }
  if (!phase.handover && isHopeless(candidacy, votersOf(guard), present, how))
    return `the claim cannot win: ${refusals || 'no voter can be reached'}`
  if (atMs < claimDeadlineMs(guard, phase)) return null
  return `the claim got no majority within ${Math.round(atMs - phase.sinceMs)} ms: ${refusals || 'no voter answered'}`
}
