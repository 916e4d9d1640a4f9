/**
 * After a fence: keepalived stays stopped for the hold-down, is then started again, and must come back as a standby.
 * Pure.
 */
import { type Turn, set, tell } from '../turn.ts'
import type { Phase } from '../phase.ts'
import { isOrphaned, keptVoter } from '../own-lease.ts'
import { enterRejoining, fenceOrphan, returnToFenced, toClaimant, toStandby } from '../transitions.ts'
import { holdsVip } from '../state.ts'
import { pauseMs, rememberStopped } from '../fence-history.ts'
import { alone, heardSomebody, missingVotes, peerHolds } from '../hearing.ts'
import { barCause } from '../bar-evidence.ts'
import { setBar } from '../permit.ts'

export function stepFenced(turn: Turn, phase: Phase & { name: 'fenced' }): void {
  const { guard, atMs } = turn
  const { policy, seen, memory } = guard
  if (isOrphaned(guard)) return fenceOrphan(turn)
  const sawAbsent = phase.sawAbsent || seen.process === 'absent'
  if (holdsVip(guard)) {
    // Otherwise the stop command of an earlier agent may still be running; after this start command it is not.
    if (sawAbsent || (policy.rejoin === 'manual' && !phase.drill)) rememberStopped(turn, false)
    else if (memory.stopped) turn.effects.push({ type: 'start-keepalived' })
    return toClaimant(turn)
  }
  set(turn, { phase: { ...phase, sawAbsent } })

  const startedByOperator = phase.sawAbsent && seen.process === 'running'
  const startedSince = sawAbsent && seen.process !== 'absent'
  // The hold-down protects the holder from disturbance. If no node holds the lease, it would only keep the VIP down.
  const mustHold = phase.startFailed || peerHolds(guard, atMs)
  const holdUntilMs = mustHold ? phase.holdUntilMs : phase.sinceMs + pauseMs(memory, atMs)
  const due = policy.rejoin === 'auto' || phase.drill ? atMs >= holdUntilMs : startedByOperator
  const couldWin =
    policy.alone === 'keep' ||
    keptVoter(guard) !== null ||
    (heardSomebody(guard) && !alone(guard, atMs) && missingVotes(guard, atMs) === null)
  if (!due || !couldWin) return

  // As a standby the node may be barred at once for another cause. In that case the bar is not lifted in between.
  if (guard.timing.gate === 'open' && barCause(guard, atMs) === null) setBar(turn, false)
  if (startedSince || !memory.stopped) {
    rememberStopped(turn, false)
    tell(
      turn,
      'rejoined',
      'info',
      `keepalived may become MASTER again on this node. It had been fenced because: ${phase.reason}.`,
    )
    return toStandby(turn)
  }
  // keepalived is started even if it is running, because an earlier agent that was killed may have asked the service
  // manager to stop it, and that stop continues without the agent. The start command waits for such a stop, and has
  // no effect if there was none.
  enterRejoining(turn, { reason: phase.reason, sawAbsent })
}

export function stepRejoining(turn: Turn, phase: Phase & { name: 'rejoining' }): void {
  const { guard, atMs } = turn
  const { seen, memory } = guard
  const sawAbsent = phase.sawAbsent || seen.process === 'absent'
  set(turn, { phase: { ...phase, sawAbsent } })
  if (holdsVip(guard)) {
    if (sawAbsent && seen.process !== 'absent') rememberStopped(turn, false)
    return toClaimant(turn)
  }
  // Its lines tell enough, even if its process is not in sight.
  const isAlive = seen.process === 'running' || seen.process === 'unknown'
  const isUp = isAlive && seen.keepalived !== 'UNKNOWN' && seen.keepalived !== 'STOP'
  const ranAllAlong = !sawAbsent && !memory.stopped
  if (sawAbsent ? isUp : ranAllAlong) {
    rememberStopped(turn, false)
    return toStandby(turn)
  }
  if (atMs >= phase.deadlineMs)
    returnToFenced(
      turn,
      `keepalived was not running ${Math.round(atMs - phase.sinceMs)} ms after its start command`,
    )
}

export function bookStartEnded(turn: Turn, error: string | null): void {
  const { name } = turn.guard.phase
  // Another fence has begun since. What it stops gets a start command of its own.
  if (name === 'fencing' || name === 'fenced') return
  if (error === null) return rememberStopped(turn, false)
  if (name !== 'rejoining') return
  returnToFenced(turn, `keepalived could not be started: ${error}`)
}
