/**
 * The witness orders a drill. It is begun, kept until the disk says that keepalived must be started again, or refused
 * with a reason. Pure.
 */
import { type Turn, set } from '../turn.ts'
import type { Order } from '../../../../shared/protocol/messages.ts'
import type { DrillRole } from '../../../../shared/protocol/report.ts'
import { forgetDrill, pushDrilled } from '../drill-notes.ts'
import { enterDrilling, startFence } from '../transitions.ts'
import { peerName } from '../own-lease.ts'
import { leftWith } from '../../../../shared/core/vote/voter.ts'
import { freshPeerReport, peerHolds, peerSilent } from '../hearing.ts'
import { isReadyToTake } from '../../../../shared/core/readiness.ts'
import { enforces, holdsVip } from '../state.ts'
import { unmatchedText } from '../matching.ts'

/** Handles the orders `drill` (role `standby`) and `drill-holder` (role `holder`). */
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

/** Why the drill is refused; null: it may begin. The guard checks for itself, because an order may arrive late. */
function refusalOfStandby({ guard, atMs }: Turn, order: Order): string | null {
  const { phase, seen, policy } = guard
  const peer = peerName(guard)
  if (policy.mode === 'observe')
    return 'this node is in observe mode, in which nothing is fenced, so there is nothing to drill'
  if (!guard.armed) return 'this node is not armed yet, so it fences nothing'
  if (!enforces(guard)) return unmatchedText(guard)
  if (guard.drill !== null) return 'a drill of this node is already running'
  if (phase.name !== 'standby' && phase.name !== 'probation' && phase.name !== 'gated')
    return `this node is not a standby (its phase is ${phase.name})`
  if (seen.vips === 'held' || seen.process !== 'running')
    return `keepalived on this node is ${seen.keepalived}, its process ${seen.process}, the VIP ${seen.vips}`
  if (phase.name !== 'gated' && seen.keepalived !== 'BACKUP')
    return `keepalived on this node is ${seen.keepalived}, not BACKUP`
  // The end of the drill must not erase that an earlier fence still has to start keepalived.
  if (guard.memory.stopped && guard.memory.drilling !== true)
    return 'keepalived has not been started again yet after an earlier fence'
  if (leftWith(guard.voter) !== null)
    return `this node delegated its vote to ${peer} and does not have it back yet`
  if (peerSilent(guard, atMs))
    return `this node does not hear ${peer}, which must hold the VIP during the drill`
  const peerReport = freshPeerReport(guard, atMs)
  if (peerReport?.phase !== 'holding' || peerReport.ask?.epoch !== order.epoch || !peerHolds(guard, atMs))
    return `as far as this node knows, ${peer} does not hold the lease under epoch ${order.epoch}`
  return null
}

function refusalOfHolder({ guard, atMs }: Turn, order: Order): string | null {
  const { phase, candidacy, policy } = guard
  const peerReport = freshPeerReport(guard, atMs)
  const peer = peerName(guard)
  if (policy.mode === 'observe')
    return 'this node is in observe mode, in which nothing is fenced, so there is nothing to drill'
  if (!enforces(guard)) return unmatchedText(guard)
  if (guard.drill !== null) return 'a drill of this node is already running'
  if (phase.name !== 'holding' || candidacy?.epoch !== order.epoch)
    return `this node does not hold the lease under epoch ${order.epoch} (its phase is ${phase.name})`
  if (peerReport === null || !isReadyToTake(peerReport))
    return `as far as this node knows, ${peer} could not take the VIP at once`
  return null
}

/**
 * If this agent dies from here on, the next one brings keepalived back, whether or not it was stopped by then. Unlike
 * a fence, a drill has time to wait for the disk.
 */
function rememberDrill(turn: Turn): void {
  set(turn, { memory: { ...turn.guard.memory, stopped: true, drilling: true } })
  turn.effects.push({ type: 'remember-first', memory: turn.guard.memory })
}

/**
 * keepalived became MASTER before anything was done, so what this node does from here on is not a drill. A fence has
 * the short patience of a real one, and its own hold-down.
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

/** The memory is on disk, so the drill may begin if nothing speaks against it now. */
export function bookDrillRemembered(turn: Turn, error: string | null): void {
  const { drill } = turn.guard
  if (drill?.waiting == null) return
  const { waiting } = drill
  set(turn, { drill: null })
  const refusal =
    error === null
      ? refusalOfStandby(turn, waiting)
      : `this agent could not write to disk that keepalived must be started again after the drill (${error})`
  if (refusal !== null) return refuseWaitingDrill(turn, refusal)
  set(turn, { drill: { ...drill, waiting: null } })
  enterDrilling(turn, waiting)
}
