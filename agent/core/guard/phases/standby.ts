/** Not MASTER: free to become MASTER, barred on evidence, or watched until the holder's adverts arrive. Pure. */
import { type Turn, set, tell } from '../turn.ts'
import { isOrphaned, peerName } from '../own-lease.ts'
import {
  enterBarred,
  enterClaim,
  enterGated,
  enterProbation,
  fenceOrphan,
  payLater,
  toStandby,
} from '../transitions.ts'
import { owesStart } from '../fence-history.ts'
import { enforces, holdsVip } from '../state.ts'
import { barCause } from '../bar-evidence.ts'
import { mayPermit, setBar } from '../permit.ts'
import { peerOughtToAdvertise } from '../hearing.ts'

const probationRetryFirstMs = 5000

const probationRetryMostMs = 60_000

/**
 * A holder that has released the VIP in a drill gives the other node this long to apply first, even if it is
 * preferred itself.
 */
const switchoverMs = 2000

export function stepNotMaster(turn: Turn): void {
  const { guard, atMs } = turn
  if (isOrphaned(guard)) return fenceOrphan(turn)
  if (holdsVip(guard)) return enterClaim(turn, turn.firstSight ? 'adopt' : 'entered')
  if (owesStart(guard)) return payLater(turn)

  if (guard.timing.gate === 'strict' && guard.policy.mode === 'enforce' && enforces(guard))
    return enterGated(turn, guard.drill?.role === 'holder' ? atMs + switchoverMs : atMs)
  const cause = barCause(guard, atMs)
  if (cause !== null) return enterBarred(turn, cause)
  if (guard.phase.name === 'barred') {
    // A bar for missing adverts is lifted for another probation only. It is reported as over when an advert arrives.
    if (guard.phase.cause.kind !== 'no-adverts') tellLifted(turn, guard.phase.cause.text)
    toStandby(turn)
  }
  if (mayPermit(guard)) setBar(turn, false)
  if (turn.guard.phase.name === 'probation') return stepProbation(turn)
  if (turn.enteredBackup && enforces(guard) && peerOughtToAdvertise(guard, atMs)) enterProbation(turn)
}

function tellLifted(turn: Turn, why: string): void {
  tell(
    turn,
    'bar-lifted',
    'info',
    `keepalived may become MASTER again on this node. It had been barred because: ${why}.`,
  )
}

function stepProbation(turn: Turn): void {
  const { phase, seen } = turn.guard
  if (phase.name !== 'probation') return
  if (seen.keepalived !== 'BACKUP' || !peerOughtToAdvertise(turn.guard, turn.atMs)) return toStandby(turn)
  if (phase.counting || turn.atMs < phase.untilMs) return
  set(turn, { phase: { ...phase, counting: true } })
  turn.effects.push({ type: 'count-adverts' })
}

export function bookAdverts(turn: Turn, received: number | null): void {
  const { phase, timing, profile, failedProbations } = turn.guard
  if (phase.name !== 'probation') return
  if (phase.baseline === null) {
    // A keepalived that has only just started cannot be asked yet, but its count began at zero.
    return set(turn, { phase: { ...phase, baseline: received ?? 0, counting: false } })
  }
  if (received === null) return toStandby(turn)
  if (received !== phase.baseline || !peerOughtToAdvertise(turn.guard, turn.atMs)) {
    if (failedProbations > 0) tellLifted(turn, 'no VRRP adverts from the holder arrived')
    set(turn, { failedProbations: 0 })
    return toStandby(turn)
  }
  const retryMs = Math.min(probationRetryFirstMs * 2 ** failedProbations, probationRetryMostMs)
  set(turn, { failedProbations: failedProbations + 1 })
  enterBarred(turn, {
    kind: 'no-adverts',
    text: `${peerName(turn.guard)} holds the lease and is alive, but none of its VRRP adverts arrived here within ${Math.round(turn.atMs - phase.sinceMs)} ms (advert_int ${profile.advertIntMs} ms). Check whether a firewall blocks IP protocol 112. The next try is in ${Math.round((retryMs + timing.grainMs) / 1000)} s`,
    retryAtMs: turn.atMs + retryMs,
  })
}
