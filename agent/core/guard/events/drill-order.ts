/** The witness orders a drill: it is begun, kept until its start is on disk, or refused with the reason. */
import { type Turn, set } from '../turn.ts'
import type { Order } from '../../../../shared/protocol/messages.ts'
import type { DrillRole } from '../../../../shared/protocol/report.ts'
import { forgetDrill, pushDrilled } from '../drill-notes.ts'
import { enterDrilling, startFence } from '../transitions.ts'
import { peerName } from '../own-lease.ts'
import { leftWith } from '../../../../shared/core/vote/voter.ts'
import { peerHolds, peerSilent } from '../hearing.ts'
import { isReadyToTake } from '../../../../shared/core/readiness.ts'
import { holdsVip } from '../state.ts'

/** What reaches the guard as `order: drill` or `order: drill-holder`. */
export function bookDrillOrder(turn: Turn, order: Order, role: DrillRole): void {
  const refusal = role === 'standby' ? refusalOfStandby(turn, order) : refusalOfHolder(turn, order)
  if (refusal !== null)
    return pushDrilled(turn, { role, result: 'refused', rungs: [], backMs: null, text: refusal })
  const waits = role === 'standby' && turn.guard.policy.fence === 'stop'
  set(turn, { drill: { role, rungs: [], provedAtMs: null, waiting: waits ? order : null } })
  if (waits) return rememberDrill(turn)
  if (role === 'standby') return enterDrilling(turn, order)
  startFence(turn, { reason: `a drill: ${order.reason}`, first: 'bar', only: 'bar' })
}

/** Why nothing is done: the guard looks for itself, because an order may be late. */
function refusalOfStandby({ guard, atMs }: Turn, order: Order): string | null {
  const { phase, seen, policy, peerReport } = guard
  const peer = peerName(guard)
  if (policy.mode === 'observe') return 'observe mode: nothing is fenced here, so there is nothing to drill'
  if (guard.drill !== null) return 'a drill is under way here already'
  if (phase.name !== 'standby' && phase.name !== 'probation' && phase.name !== 'gated')
    return `this node is not standing by: ${phase.name}`
  if (seen.vips === 'held' || seen.process !== 'running')
    return `keepalived here is ${seen.keepalived}, its process ${seen.process}, the VIP ${seen.vips}`
  if (phase.name !== 'gated' && seen.keepalived !== 'BACKUP')
    return `keepalived here is ${seen.keepalived}, not BACKUP`
  // What an earlier fence owes must not be forgotten with the drill.
  if (guard.memory.stopped && guard.memory.drilling !== true)
    return 'the start of keepalived after an earlier fence has not succeeded yet'
  if (leftWith(guard.voter) !== null)
    return `this node left its vote with ${peer} and does not have it back yet`
  if (peerSilent(guard, atMs)) return `${peer} is not heard here: it must hold the VIP meanwhile`
  if (peerReport?.phase !== 'holding' || peerReport.ask?.epoch !== order.epoch || !peerHolds(guard, atMs))
    return `${peer} does not hold the lease under epoch ${order.epoch}, as far as this node knows`
  return null
}

function refusalOfHolder({ guard, atMs }: Turn, order: Order): string | null {
  const { phase, candidacy, policy, peerReport } = guard
  const peer = peerName(guard)
  if (policy.mode === 'observe') return 'observe mode: nothing is fenced here, so there is nothing to drill'
  if (guard.drill !== null) return 'a drill is under way here already'
  if (phase.name !== 'holding' || candidacy?.epoch !== order.epoch)
    return `this node does not hold the lease under epoch ${order.epoch}: ${phase.name}`
  if (peerReport === null || peerSilent(guard, atMs) || !isReadyToTake(peerReport))
    return `${peer} could not take the VIP at once, as far as this node knows`
  return null
}

/**
 * If this agent dies from here on, the next one brings keepalived back, whether it was stopped by then or not. A drill has
 * the time to wait for the disk, which a fence has not.
 */
function rememberDrill(turn: Turn): void {
  set(turn, { memory: { ...turn.guard.memory, stopped: true, drilling: true } })
  turn.effects.push({ type: 'remember-first', memory: turn.guard.memory })
}

/**
 * Nothing was done yet, and keepalived is MASTER: what this node does from here on is no drill. A fence of it has the short
 * patience of a real one, and its own hold-down.
 */
export function giveUpWaitingDrill(turn: Turn): void {
  if (turn.guard.drill?.waiting == null || !holdsVip(turn.guard)) return
  refuseWaitingDrill(turn, 'keepalived became MASTER before the drill began')
}

function refuseWaitingDrill(turn: Turn, text: string): void {
  set(turn, { drill: null })
  forgetDrill(turn)
  pushDrilled(turn, {
    role: 'standby',
    result: 'refused',
    rungs: [],
    backMs: null,
    text: text.slice(0, 500),
  })
}

/** The successor would know: the drill may begin, where it still may. */
export function bookDrillRemembered(turn: Turn, error: string | null): void {
  const { drill } = turn.guard
  if (drill?.waiting == null) return
  const { waiting } = drill
  set(turn, { drill: null })
  const refusal =
    error === null
      ? refusalOfStandby(turn, waiting)
      : `what a successor of this agent would owe cannot be written down (${error})`
  if (refusal !== null) return refuseWaitingDrill(turn, refusal)
  set(turn, { drill: { ...drill, waiting: null } })
  enterDrilling(turn, waiting)
}
