/**
 * `gate: strict`: keepalived stays in FAULT until this node has the lease, and only then may it become MASTER. This
 * makes two VIPs impossible, but a takeover takes until the old promise expires plus a master-down time. Pure.
 */
import type { Phase } from '../phase.ts'
import { type Turn, set, tell } from '../turn.ts'
import { isOrphaned, keptVoter, leaseEndsAtMs, votersOf } from '../own-lease.ts'
import {
  enterApplying,
  enterClaim,
  enterEntitled,
  enterGated,
  enterHolding,
  fenceOrphan,
  release,
  payLater,
} from '../transitions.ts'
import { setBar } from '../permit.ts'
import { owesStart } from '../fence-history.ts'
import { type Guard, enforces, holdsVip, priorityOf } from '../state.ts'
import { promisedTo } from '../../../../shared/core/vote/voter.ts'
import { alone, freshPeerReport, heardSomebody, peerHolds } from '../hearing.ts'
import { barCause } from '../bar-evidence.ts'
import { compareCandidates } from '../../../../shared/core/preference.ts'
import { isHopeless } from '../lease.ts'
import { masterDownMs, silenceMs } from '../../../../shared/core/timing.ts'
import { assertNever } from '../../../../shared/assert-never.ts'

type Gated = Phase & { name: 'gated' }

type Applying = Phase & { name: 'applying' }

type Entitled = Phase & { name: 'entitled' }

/** After an application that failed: longer than it takes to hear who won instead. */
const retryMs = 1000

/** The less preferred node lets the other one apply first. */
const courtesyMs = 200

/**
 * keepalived must be MASTER this long after its master-down time at the latest. Otherwise the other node gets its
 * try.
 */
const entitledSlackMs = 2000

/** Nothing is enforced at present, so keepalived decides alone. */
function openGate(turn: Turn): void {
  setBar(turn, false)
  release(turn)
}

export function stepGated(turn: Turn, phase: Gated): void {
  const { guard, atMs } = turn
  if (isOrphaned(guard)) return fenceOrphan(turn)
  if (!enforces(guard)) return openGate(turn)
  // The VIP was here before this agent started, or the bar does not work. The lease is won like any other, or the
  // node is fenced.
  if (holdsVip(guard)) return enterClaim(turn, turn.firstSight ? 'adopt' : 'entered')
  if (owesStart(guard)) return payLater(turn)
  if (!mayApply(guard, atMs)) {
    if (phase.freeSinceMs !== null) set(turn, { phase: { ...phase, freeSinceMs: null } })
    return
  }
  const freeSinceMs = phase.freeSinceMs ?? atMs
  set(turn, { phase: { ...phase, freeSinceMs } })
  if (atMs < Math.max(phase.retryAtMs, freeSinceMs + patienceMs(guard, atMs))) return
  enterApplying(turn)
}

/** As far as this node knows no node holds the lease, a voter can be heard, and keepalived could use the lease. */
function mayApply(guard: Guard, atMs: number): boolean {
  const promise = promisedTo(guard.voter, atMs)
  return (
    (guard.seen.process === 'running' || guard.seen.process === 'unknown') &&
    guard.voter.pledge.phase !== 'recording' &&
    (promise === null || promise.node === guard.node) &&
    (keptVoter(guard) !== null || (heardSomebody(guard) && !alone(guard, atMs))) &&
    !peerHolds(guard, atMs) &&
    barCause(guard, atMs) === null
  )
}

function patienceMs(guard: Guard, atMs: number): number {
  const { node, gateway } = guard
  const peerReport = freshPeerReport(guard, atMs)
  if (peerReport === null) return 0
  const own = { node, priority: priorityOf(guard), gateway }
  const other = { node: guard.peer ?? '', priority: peerReport.priority, gateway: peerReport.gateway }
  return compareCandidates(own, other, null) < 0 ? 0 : courtesyMs
}

export function stepApplying(turn: Turn, phase: Applying): void {
  const { guard, atMs } = turn
  if (isOrphaned(guard)) return fenceOrphan(turn)
  if (!enforces(guard)) return openGate(turn)
  if (holdsVip(guard)) return enterClaim(turn, 'entered')
  if (leaseEndsAtMs(guard) > atMs) return enterEntitled(turn)
  const present = (voter: string): boolean => voter === guard.node || !isSilent(guard, voter, atMs)
  const failed =
    guard.candidacy === null ||
    isHopeless(guard.candidacy, votersOf(guard), present, { kept: keptVoter(guard) })
  if (failed || atMs >= phase.deadlineMs) enterGated(turn, atMs + retryMs)
}

function isSilent(guard: Guard, voter: string, atMs: number): boolean {
  const heardAtMs = voter === guard.peer ? guard.peerHeardAtMs : guard.witnessHeardAtMs
  return heardAtMs === null || atMs - heardAtMs >= silenceMs(guard.timing)
}

export function stepEntitled(turn: Turn, phase: Entitled): void {
  const { guard, atMs } = turn
  if (isOrphaned(guard)) return fenceOrphan(turn)
  if (!enforces(guard)) return openGate(turn)
  if (holdsVip(guard)) {
    enterHolding(turn)
    return tell(
      turn,
      'holding',
      'info',
      `keepalived became MASTER under the lease (epoch ${guard.candidacy?.epoch ?? 0}).`,
    )
  }
  if (leaseEndsAtMs(guard) <= atMs) return enterGated(turn, atMs + retryMs)
  const overdueAtMs =
    phase.sinceMs + 2 * masterDownMs({ ...guard.profile, priority: priorityOf(guard) }) + entitledSlackMs
  if (atMs < overdueAtMs && guard.seen.process !== 'absent') return
  const why =
    guard.seen.process === 'absent' ? 'keepalived is not running' : 'keepalived did not become MASTER'
  tell(
    turn,
    'lease-unused',
    'warning',
    `This node returns the lease, because ${why} (state ${guard.seen.keepalived}).`,
  )
  enterGated(turn, overdueAtMs + retryMs)
}

/** When a phase of the gate wants a tick at the latest; null: no wish. */
export function gateDeadlineMs(guard: Guard, phase: Gated | Applying | Entitled): number | null {
  switch (phase.name) {
    case 'gated':
      return phase.freeSinceMs === null ? null : Math.max(phase.retryAtMs, phase.freeSinceMs + courtesyMs)
    case 'applying':
      return phase.deadlineMs
    case 'entitled':
      return leaseEndsAtMs(guard)
    default:
      return assertNever(phase)
  }
}
