/** What keepalived says of itself beside its state: its running priority, and that it let the VIP go. Pure. */
import { noteOutranked } from '../candidate.ts'
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
