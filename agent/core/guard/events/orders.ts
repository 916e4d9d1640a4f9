/** The witness gives an order: announce the VIP, fence, yield the VIP, or drill. Pure. */
import type { Turn } from '../turn.ts'
import type { Order } from '../../../../shared/protocol/messages.ts'
import { startFence } from '../transitions.ts'
import { askOwnVote } from '../candidate.ts'
import { arm } from '../arming.ts'
import { isUnmatched } from '../matching.ts'
import { hasLostGateway } from '../hearing.ts'
import { bookDrillOrder } from './drill-order.ts'
import { assertNever } from '../../../../shared/assert-never.ts'

/**
 * `fence`: the witness reports that another node has the lease. A node without a lease obeys. A holder does not rely
 * on it: if its epoch is older than that of the order, it asks all voters at once, and their answers decide.
 */
export function bookOrder(turn: Turn, order: Order): void {
  const { phase, candidacy } = turn.guard
  switch (order.what) {
    case 'announce':
      if (phase.name === 'holding') turn.effects.push({ type: 'announce' })
      return
    case 'fence':
      if (isUnmatched(turn.guard)) return
      arm(turn, `the witness reports that another node has the lease: ${order.reason}`)
      if (phase.name === 'claiming' || phase.name === 'unprotected')
        startFence(turn, { reason: `the witness orders it: ${order.reason}`, first: 'bar' })
      else if (phase.name === 'holding' && candidacy !== null && candidacy.epoch < order.epoch) {
        askOwnVote(turn)
        turn.effects.push({ type: 'beat' })
      }
      return
    case 'yield':
      if (isUnmatched(turn.guard)) return
      if (
        phase.name === 'holding' &&
        candidacy?.epoch === order.epoch &&
        hasLostGateway(turn.guard, turn.atMs)
      )
        startFence(turn, { reason: `the witness moves the VIP: ${order.reason}`, first: 'bar', only: 'bar' })
      return
    case 'drill':
      return bookDrillOrder(turn, order, 'standby')
    case 'drill-holder':
      return bookDrillOrder(turn, order, 'holder')
    default:
      return assertNever(order.what)
  }
}
