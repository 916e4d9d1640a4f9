/** When the guard must be called again if no event comes before: the earliest deadline of its phase. */
import type { Guard } from './state.ts'
import { gateDeadlineMs } from './phases/gate.ts'
import { claimDueMs } from './phases/claim.ts'
import { leaseEndsAtMs } from './own-lease.ts'
import { assertNever } from '../../../shared/assert-never.ts'

/** When the guard wants a `tick` at the latest; null: no wish. */
export function nextDeadlineMs(guard: Guard): number | null {
  const { phase } = guard
  switch (phase.name) {
    case 'standby':
    case 'unprotected':
    case 'overruled':
      return null
    case 'gated':
    case 'applying':
    case 'entitled':
      return gateDeadlineMs(guard, phase)
    case 'probation':
      return phase.counting ? null : phase.untilMs
    case 'barred':
      return phase.cause.kind === 'no-adverts' ? phase.cause.retryAtMs : null
    case 'claiming':
      return claimDueMs(guard, phase)
    case 'holding':
      return leaseEndsAtMs(guard)
    case 'fencing':
      return phase.ladder.deadlineMs
    case 'fenced':
      return phase.holdUntilMs
    case 'rejoining':
      return phase.deadlineMs
    case 'drilling':
      return phase.returning === null ? phase.ladder.deadlineMs : phase.returning.deadlineMs
    default:
      return assertNever(phase)
  }
}
