/** A MASTER with the lease, and one that keeps the VIP without (`alone: keep`). Pure. */
import { alone, hearsNobody, peerSilent, witnessSilent } from './bar-evidence.ts'
import { enterClaim, enterUnprotected } from './guard-claim.ts'
import { fenceOrphan, startFence } from './guard-fencing.ts'
import { holdsVip } from './guard-state.ts'
import { isOrphaned, leaseEndsAtMs, peerName, release, tell, type Turn } from './guard-turn.ts'

export function stepHolding(turn: Turn): void {
  const { guard, atMs } = turn
  if (isOrphaned(guard)) return fenceOrphan(turn)
  if (!holdsVip(guard)) {
    tell(
      turn,
      'released',
      'info',
      `keepalived is ${guard.seen.keepalived} and the VIP is gone; the votes are given back.`,
    )
    return release(turn)
  }
  if (atMs < leaseEndsAtMs(guard)) return
  if (guard.policy.alone === 'keep' && alone(guard, atMs)) return enterUnprotected(turn)
  const silent = [
    witnessSilent(guard, atMs) && 'the witness',
    peerSilent(guard, atMs) && peerName(guard),
  ].filter(Boolean)
  const why = silent.length > 0 ? `${silent.join(' and ')} not heard` : 'votes refused'
  startFence(turn, { reason: `no majority renewed the lease in time (${why})`, first: 'bar' })
}

export function stepUnprotected(turn: Turn): void {
  const { guard } = turn
  if (isOrphaned(guard)) return fenceOrphan(turn)
  if (!holdsVip(guard)) return release(turn)
  if (!hearsNobody(guard, turn.atMs)) enterClaim(turn, 'adopt')
}
