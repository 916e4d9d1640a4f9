/** A MASTER with the lease, and a MASTER that keeps the VIP without one (`alone: keep`). Pure. */
import { alone, hearsNobody, peerSilent, witnessSilent } from '../hearing.ts'
import { enterClaim, enterUnprotected } from '../transitions.ts'
import { fenceOrphan, startFence } from '../transitions.ts'
import { type Guard, enforces, holdsVip } from '../state.ts'
import { isOrphaned, leaseEndsAtMs, peerName } from '../own-lease.ts'
import { release } from '../transitions.ts'
import { type Turn, tell } from '../turn.ts'
import { describeRefusals } from '../lease.ts'

export function stepHolding(turn: Turn): void {
  const { guard, atMs } = turn
  if (isOrphaned(guard)) return fenceOrphan(turn)
  if (!holdsVip(guard)) {
    tell(
      turn,
      'released',
      'info',
      `keepalived is ${guard.seen.keepalived} and the VIP is gone, so this node returns the votes.`,
    )
    return release(turn)
  }
  if (atMs < leaseEndsAtMs(guard)) return
  if (!enforces(guard)) return enterClaim(turn, 'adopt')
  if (guard.policy.alone === 'keep' && alone(guard, atMs)) return enterUnprotected(turn)
  startFence(turn, { reason: whyLeaseEnded(guard, atMs), first: 'bar' })
}

function whyLeaseEnded(guard: Guard, atMs: number): string {
  const silent = [
    ...(witnessSilent(guard, atMs) ? ['the witness'] : []),
    ...(peerSilent(guard, atMs) ? [peerName(guard)] : []),
  ]
  const refusals = guard.candidacy === null ? '' : describeRefusals(guard.candidacy)
  if (silent.length === 0 && refusals !== '')
    return `this node no longer has a majority of the votes: ${refusals}`
  const why = silent.length > 0 ? `${silent.join(' and ')} not heard` : 'no voter answered in time'
  return `the lease was not renewed in time by a majority (${why}${refusals === '' ? '' : `; ${refusals}`})`
}

export function stepUnprotected(turn: Turn): void {
  const { guard } = turn
  if (isOrphaned(guard)) return fenceOrphan(turn)
  if (!holdsVip(guard)) return release(turn)
  if (!hearsNobody(guard, turn.atMs)) enterClaim(turn, 'adopt')
}
