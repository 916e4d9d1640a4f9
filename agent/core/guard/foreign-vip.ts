/**
 * A VIP in the kernel that keepalived did not put there: a static address of the host, or one of DHCP. A fence cannot
 * move it for good, so it is fenced away once, and left alone when it comes back. docs/decisions/0075 has the argument.
 * Pure.
 */
import { type Guard, holdsVip, isForeignVip, priorityOf } from './state.ts'
import { type Turn, set, tell } from './turn.ts'
import type { GuardEvent } from './event.ts'
import { masterDownMs } from '../../../shared/core/timing.ts'

/** A keepalived that becomes MASTER adds the VIP some milliseconds before its word arrives. */
const tellAfterMs = 1000

/** A fence has proved that the VIP is gone. What shows from now on without a MASTER is not keepalived's. */
export function noteCleared(turn: Turn): void {
  set(turn, { clearedAtMs: turn.atMs })
}

/** Books what an observation says of the evidence that the VIP is not keepalived's. */
export function weighSighting(turn: Turn, before: Guard, tells: boolean): void {
  const { process, keepalived } = turn.guard.seen
  const wasRunning = isRunning(before.seen.process)
  if (isRunning(process) && !wasRunning) set(turn, { runningSinceMs: turn.atMs })
  set(turn, { keepalivedTells: isRunning(process) && tells })
  // The VIP may be one that it left behind, because it never said what it did.
  const endedUntold = wasRunning && process === 'absent' && !before.keepalivedTells
  if (keepalived === 'MASTER' || endedUntold) set(turn, { clearedAtMs: null })
}

/** While keepalived is silent about its state, it may be MASTER, except for as long as it cannot be so soon. */
export function endClearedInTime(turn: Turn): void {
  const { guard, atMs } = turn
  const { clearedAtMs, keepalivedTells, seen, runningSinceMs, profile } = guard
  if (clearedAtMs === null || keepalivedTells || seen.vips === 'gone' || seen.process === 'absent') return
  const priority = priorityOf(guard)
  const silentMs = priority === 255 ? 0 : masterDownMs({ ...profile, priority })
  const isStarting = runningSinceMs !== null && atMs - runningSinceMs < silentMs
  if (!isStarting) set(turn, { clearedAtMs: null })
}

/** Reports the finding once it is certain, and its end. */
export function tellForeignVip(turn: Turn): void {
  const { guard, atMs } = turn
  const { foreign, profile, seen } = guard
  if (!isForeignVip(guard)) {
    if (foreign === null) return
    set(turn, { foreign: null })
    if (foreign.phase === 'new') return
    const how = holdsVip(guard)
      ? 'is keepalived’s again'
      : 'is no longer on this node while keepalived is not MASTER'
    return tell(turn, 'foreign-vip-ended', 'info', `The VIP (${profile.vips.join(', ')}) ${how}.`)
  }
  if (foreign === null) return set(turn, { foreign: { phase: 'new', sinceMs: atMs } })
  if (foreign.phase !== 'new' || atMs - foreign.sinceMs < tellAfterMs || seen.vips === 'gone') return
  set(turn, { foreign: { phase: 'asked', sinceMs: foreign.sinceMs } })
  turn.effects.push({ type: 'find-origin' })
}

/** It is known where the address comes from, or that no file names it. */
export function bookOrigin(turn: Turn, { origin }: GuardEvent & { type: 'origin' }): void {
  const { foreign } = turn.guard
  if (foreign?.phase !== 'asked') return
  set(turn, { foreign: { phase: 'told', sinceMs: foreign.sinceMs, origin } })
  tell(turn, 'foreign-vip', 'critical', foreignVipText(turn.guard))
}

/** For status and events: what is wrong, and what to do. */
export function foreignVipText({ profile, seen, foreign }: Guard): string {
  const origin = foreign?.phase === 'told' ? foreign.origin : null
  const found = origin?.addresses ?? []
  const what = (found.length > 0 ? found : profile.vips).join(', ')
  const where =
    origin === null || origin.places.length === 0
      ? 'Find what sets it ("ip -d addr"; netplan, ifcfg files, /etc/network/interfaces, DHCP), and remove it there'
      : `Remove it from ${origin.places.join(' and ')}`
  return `${what} is not keepalived's: it came back after a fence had removed it, while keepalived here is ${seen.keepalived}. Two hosts may have this address now. It is left alone, because another fence would not help. ${where}, then run "ip addr del"`
}

function isRunning(process: Guard['seen']['process']): boolean {
  return process !== 'absent'
}
