/** What keepalived and its check read: the bar (the track_file) and the permit file with its deadline. */
import { type Guard, enforces } from './state.ts'
import { unmatchedText } from './matching.ts'
import { heardSomebody } from './hearing.ts'
import { keptVoter, leaseEndsAtMs } from './own-lease.ts'
import { type Turn, set } from './turn.ts'
import { holderPermitMs, permitMs } from '../../../shared/core/timing.ts'
import { assertNever } from '../../../shared/assert-never.ts'

/**
 * After a start nothing is lifted or permitted until a voter has been heard. Until then the check asks the witness. A
 * guard that does not enforce keeps nobody from the VIP.
 */
export function mayPermit(guard: Guard): boolean {
  return (
    !enforces(guard) || heardSomebody(guard) || guard.policy.alone === 'keep' || keptVoter(guard) !== null
  )
}

/** In observe mode nothing is barred, and a bar that an earlier agent left is lifted. */
export function setBar(turn: Turn, on: boolean): void {
  if (turn.guard.barOn === on || (on && turn.guard.policy.mode === 'observe')) return
  set(turn, { barOn: on })
  turn.effects.push({ type: 'bar', on })
}

/** A fence writes the bar whatever was written last, because somebody may have removed or changed the file since. */
export function setBarAgain(turn: Turn): void {
  set(turn, { barOn: null })
  setBar(turn, true)
}

/** Writes the line that the check reads. It has a deadline, so that a dead agent permits nothing for long. */
export function writePermit(turn: Turn): void {
  const { guard, atMs } = turn
  const { phase, timing, policy } = guard
  const line = (word: 'permit' | 'bar', untilMs: number, why: string): void => {
    turn.effects.push({ type: 'permit', word, untilMs: Math.floor(untilMs), why })
  }
  const standardMs = permitMs(timing)
  if (policy.mode === 'observe') return line('permit', atMs + standardMs, 'observe mode')
  if (!enforces(guard)) {
    const why = guard.armed ? unmatchedText(guard) : 'not armed yet: nothing is refused'
    return line('permit', atMs + standardMs, why)
  }
  switch (phase.name) {
    case 'standby':
    case 'probation':
    case 'rejoining':
      if (mayPermit(guard)) line('permit', atMs + standardMs, `${phase.name}: may become MASTER`)
      return
    case 'gated':
    case 'applying':
      return line('bar', atMs + standardMs, 'gate: strict; this node does not have the lease')
    case 'entitled':
    case 'holding':
      return line(
        'permit',
        Math.min(leaseEndsAtMs(guard), atMs + holderPermitMs(timing)),
        `holds the lease (epoch ${guard.candidacy?.epoch ?? 0})`,
      )
    case 'unprotected':
    case 'overruled':
      return line('permit', atMs + standardMs, phase.name)
    case 'claiming':
      return
    case 'barred':
      return line('bar', atMs + standardMs, phase.cause.text)
    case 'fencing':
    case 'fenced':
      return line('bar', atMs + standardMs, phase.reason)
    case 'drilling':
      if (phase.returning === null) return line('bar', atMs + standardMs, `a drill: ${phase.reason}`)
      if (guard.barOn === true) return line('bar', atMs + standardMs, 'after a drill; the bar remains')
      return line('permit', atMs + standardMs, 'after a drill: may become MASTER')
    default:
      return assertNever(phase)
  }
}
