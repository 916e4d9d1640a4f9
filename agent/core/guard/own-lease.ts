/**
 * What this node's lease depends on: who votes and when the lease ends. Also whether keepalived died and left its VIP
 * behind.
 */
import { type Guard, enforces, isForeignVip } from './state.ts'
import { type VoterName, witness } from '../../../shared/protocol/names.ts'
import { fenceAtMs } from '../../../shared/core/timing.ts'
import { leaseUntilMs } from './lease.ts'

/**
 * keepalived died and left its VIP in the kernel. A keepalived that was never seen alive may be elsewhere, and alive:
 * its VIP is not touched.
 */
export function isOrphaned(guard: Guard): boolean {
  const { observed, lived, seen } = guard
  const isLeft = seen.vips === 'held' && seen.process === 'absent' && !isForeignVip(guard)
  return enforces(guard) && observed && lived && isLeft
}

/** Everybody who may vote for this node. */
export function votersOf(guard: Guard): readonly VoterName[] {
  return [guard.node, witness, guard.peer ?? '(no peer yet)']
}

/** The voter that delegated its vote to this node, if that vote counts now; null: none. */
export function keptVoter({ kept, peer }: Guard): VoterName | null {
  const counts = kept.phase === 'kept' || (kept.phase === 'forgetting' && kept.counts)
  return counts && kept.ballot.of === peer ? peer : null
}

/** The instant at which this node starts to fence itself unless its lease is renewed. */
export function leaseEndsAtMs(guard: Guard): number {
  if (guard.candidacy === null) return -Infinity
  const { candidacy, timing } = guard
  return fenceAtMs(leaseUntilMs(candidacy, votersOf(guard), timing.leaseMs, keptVoter(guard)), timing)
}

export function peerName(guard: Guard): string {
  return guard.peer ?? 'the peer'
}
