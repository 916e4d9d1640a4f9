/** Not MASTER: free to become it, barred from it on evidence, or under watch until the holder's adverts arrive. Pure. */
import { barCause, peerHolds } from './bar-evidence.ts'
import { enterClaim } from './guard-claim.ts'
import { fenceOrphan, owesStart, payLater } from './guard-fencing.ts'
import { enterGated } from './guard-gate.ts'
import { holdsVip, type Phase } from './guard-state.ts'
import {
  isOrphaned,
  mayPermit,
  peerName,
  set,
  setBar,
  tell,
  toStandby,
  type Turn,
  writePermit,
} from './guard-turn.ts'

const probationRetryFirstMs = 5000

const probationRetryMostMs = 60_000
/** A holder that has let go in a drill leaves the other node this long to apply first, though it may be preferred. */
const switchoverMs = 2000

export function stepNotMaster(turn: Turn): void {
  const { guard, atMs } = turn
  if (isOrphaned(guard)) return fenceOrphan(turn)
  if (holdsVip(guard)) return enterClaim(turn, turn.firstSight ? 'adopt' : 'entered')
  if (owesStart(guard)) return payLater(turn)

  if (guard.timing.gate === 'strict' && guard.policy.mode === 'enforce')
    return enterGated(turn, guard.drill?.role === 'holder' ? atMs + switchoverMs : atMs)
  const cause = barCause(guard, atMs)
  if (cause !== null) return enterBarred(turn, cause)
  if (guard.phase.name === 'barred') {
    // A bar for want of adverts is lifted for another probation only: that it is over shows when one arrives.
    if (guard.phase.cause.kind !== 'no-adverts') tellLifted(turn, guard.phase.cause.text)
    toStandby(turn)
  }
  if (mayPermit(guard)) setBar(turn, false)
  if (turn.guard.phase.name === 'probation') return stepProbation(turn)
  if (turn.enteredBackup && peerHolds(guard, atMs)) enterProbation(turn)
}

/**
 * keepalived has just begun to listen. Whether the living holder's adverts arrive shows within two of them, well
 * before the master-down timer ends: a bar then costs no overlap at all, where a fence would cost milliseconds.
 */
function enterProbation(turn: Turn): void {
  const { advertIntMs } = turn.guard.profile
  turn.enteredBackup = false
  set(turn, {
    phase: {
      name: 'probation',
      sinceMs: turn.atMs,
      untilMs: turn.atMs + 2.2 * advertIntMs,
      baseline: null,
      counting: true,
    },
  })
  turn.effects.push({ type: 'count-adverts' })
}

function stepProbation(turn: Turn): void {
  const { phase, seen } = turn.guard
  if (phase.name !== 'probation') return
  if (seen.keepalived !== 'BACKUP' || !peerHolds(turn.guard, turn.atMs)) return toStandby(turn)
  if (phase.counting || turn.atMs < phase.untilMs) return
  set(turn, { phase: { ...phase, counting: true } })
  turn.effects.push({ type: 'count-adverts' })
}

export function bookAdverts(turn: Turn, received: number | null): void {
  const { phase, timing, profile, failedProbations } = turn.guard
  if (phase.name !== 'probation') return
  if (phase.baseline === null) {
    // A keepalived that has only just started cannot be asked yet; it began to count at zero.
    return set(turn, { phase: { ...phase, baseline: received ?? 0, counting: false } })
  }
  if (received === null) return toStandby(turn)
  if (received !== phase.baseline || !peerHolds(turn.guard, turn.atMs)) {
    if (failedProbations > 0) tellLifted(turn, 'no adverts of the holder arrived')
    set(turn, { failedProbations: 0 })
    return toStandby(turn)
  }
  const retryMs = Math.min(probationRetryFirstMs * 2 ** failedProbations, probationRetryMostMs)
  set(turn, { failedProbations: failedProbations + 1 })
  enterBarred(turn, {
    kind: 'no-adverts',
    text: `${peerName(turn.guard)} holds the lease and lives, but none of its VRRP adverts arrived here in ${Math.round(turn.atMs - phase.sinceMs)} ms (advert_int ${profile.advertIntMs} ms): is protocol 112 blocked? Tried again in ${Math.round((retryMs + timing.grainMs) / 1000)} s`,
    retryAtMs: turn.atMs + retryMs,
  })
}

function tellLifted(turn: Turn, why: string): void {
  tell(turn, 'bar-lifted', 'info', `keepalived may become MASTER again here (it was barred: ${why}).`)
}

function enterBarred(turn: Turn, cause: (Phase & { name: 'barred' })['cause']): void {
  const { phase, policy } = turn.guard
  const sinceMs = phase.name === 'barred' ? phase.sinceMs : turn.atMs
  const isNews = phase.name !== 'barred' || phase.cause.kind !== cause.kind
  set(turn, { phase: { name: 'barred', sinceMs, cause } })
  setBar(turn, true)
  if (!isNews) return
  writePermit(turn)
  // Told once, however often it is tried again: days of a blocked VRRP must not push its beginning out of the events.
  if (cause.kind === 'no-adverts' && turn.guard.failedProbations > 1) return
  const verb = policy.mode === 'observe' ? 'would be barred' : 'is barred'
  tell(turn, 'barred', 'warning', `keepalived ${verb} from becoming MASTER here: ${cause.text}.`)
}
