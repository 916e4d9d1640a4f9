/** How far a fence and a drill may go, and how long each of their steps may take. */
import { type LadderPolicy, startLadder } from './fence-ladder.ts'
import type { Phase } from './phase.ts'
import type { Guard } from './state.ts'

/** keepalived must be up this long after its start command at the latest. */
export const startPatienceMs = 15_000

/**
 * A drill waits this many times longer than a real fence, so that it can tell a late bar from one that has no effect.
 */
const drillPatience = 4

/** Why a fence begins, and how far it may go. */
export interface FenceCause {
  readonly reason: string
  readonly first: 'bar' | 'kill'
  /** The VIP is moved on purpose, and keepalived is stopped only if the bar fails. */
  readonly only?: 'bar'
  /**
   * keepalived promotes itself before the votes can be free (E4 does not hold). It is only barred, because after a
   * stop it would take a second longer until it can win.
   */
  readonly early?: boolean
}

/** @param gentle the VIP is moved on purpose: keepalived is stopped only if the bar fails */
export function fencePolicy(guard: Guard, gentle: boolean): LadderPolicy {
  const { fence, hasLastResort } = guard.policy
  const { releaseMs } = guard.timing
  // In a holder's drill no rival waits for the VIP, and the votes outlast the longer wait.
  const patienceMs = guard.drill === null ? releaseMs : drillPatience * releaseMs
  return { fence: gentle ? 'fault' : fence, hasLastResort, releaseMs: patienceMs }
}

export function beginFence(
  guard: Guard,
  { reason, first }: FenceCause,
  { atMs, gentle }: { readonly atMs: number; readonly gentle: boolean },
): Phase & { name: 'fencing' } {
  return {
    name: 'fencing',
    reason,
    ladder: startLadder(first, atMs, fencePolicy(guard, gentle)),
    gentle,
    orphan: first === 'kill',
    wasAlive: guard.seen.process !== 'absent',
    failedRungs: [],
  }
}

/** A standby's drill has no last resort, and nobody waits for a VIP. */
export function drillPolicy({ policy, timing }: Guard): LadderPolicy {
  return { fence: policy.fence, hasLastResort: false, releaseMs: drillPatience * timing.releaseMs }
}
