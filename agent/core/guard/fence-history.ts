/** The fences of the last hour, how long keepalived stays stopped because of them, and whether it is owed a start. */
import type { FenceMemory, Guard } from './state.ts'
import { type Turn, set } from './turn.ts'

const holdDownFirstMs = 5000

const holdDownMostMs = 300_000

const fenceHistoryMs = 3_600_000

/**
 * While no node holds the lease, this many fences within a minute are followed by no pause; later ones by
 * `pauseAfterMs`.
 */
const promptRejoins = 2

const pauseAfterMs = 2000

const minuteMs = 60_000

export function recentFences(atMs: readonly number[], nowMs: number): readonly number[] {
  return atMs.filter((fencedAtMs) => fencedAtMs <= nowMs && nowMs - fencedAtMs < fenceHistoryMs)
}

/** How long keepalived stays stopped after these fences, of which one is counted at least. */
export function holdDownMs(fencedAtMs: readonly number[], nowMs: number): number {
  const fences = Math.max(1, recentFences(fencedAtMs, nowMs).length)
  return Math.min(holdDownFirstMs * 2 ** (fences - 1), holdDownMostMs)
}

/** Two nodes of which neither can win must not alternate many times a second. */
export function pauseMs({ recentAtMs }: FenceMemory, atMs: number): number {
  const lately = recentAtMs.filter((fencedAtMs) => fencedAtMs <= atMs && atMs - fencedAtMs < minuteMs).length
  return lately > promptRejoins ? pauseAfterMs : 0
}

/** Whether keepalived is down because this agent or an earlier one may have stopped it, not because the admin did. */
export function owesStart({ seen, memory, drill }: Guard): boolean {
  return memory.stopped && seen.process === 'absent' && drill === null
}

/** Notes whether this agent must start keepalived again. */
export function rememberStopped(turn: Turn, stopped: boolean): void {
  const { memory } = turn.guard
  if (memory.stopped === stopped) return
  const { number, recentAtMs } = memory
  // When keepalived runs again, a drill is over too.
  set(turn, { memory: { ...(stopped ? memory : { number, recentAtMs }), stopped } })
  turn.effects.push({ type: 'remember', memory: turn.guard.memory })
}
