/** What keepalived and the kernel show, and what keepalived says of its running priority and of letting go. Pure. */
import { noteOutranked } from '../candidate.ts'
import type { GuardEvent } from '../event.ts'
import { weighSighting } from '../foreign-vip.ts'
import { mayWeighOtherwise, priorityOf } from '../state.ts'
import { type Turn, set } from '../turn.ts'

/**
 * Told at once: the peer's keepalived may take over because of it, and its agent must know by then that this one gives
 * way.
 */
export function bookPriority(turn: Turn, priority: number | null): void {
  const before = turn.guard
  set(turn, { runningPriority: priority })
  noteOutranked(turn, before)
  const isNews =
    priorityOf(before) !== priorityOf(turn.guard) ||
    mayWeighOtherwise(before) !== mayWeighOtherwise(turn.guard)
  if (isNews) turn.effects.push({ type: 'beat' })
}

/** The peer may be waiting for the VIP, and the kernel's addresses take some time to read on a busy host. */
export function bookLettingGo(turn: Turn): void {
  if (turn.guard.phase.name === 'holding') turn.effects.push({ type: 'beat' })
  set(turn, { lettingGo: true })
}

/** What keepalived and the kernel show. */
export function bookObservation(turn: Turn, event: GuardEvent & { type: 'observed' }): void {
  const { keepalived, process, died, vips, tells } = event
  const before = turn.guard
  const { seen, observed, lived, timing, resumedAtMs } = before
  const isSeenAlive = process === 'running' || process === 'frozen'
  turn.firstSight = !observed || (resumedAtMs !== null && turn.atMs - resumedAtMs < timing.checkMs)
  turn.enteredBackup = keepalived === 'BACKUP' && seen.keepalived !== 'BACKUP'
  set(turn, {
    seen: { keepalived, process, vips },
    lived: lived || isSeenAlive || died === true,
    observed: true,
    lettingGo: false,
  })
  weighSighting(turn, before, tells === true)
}
