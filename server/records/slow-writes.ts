/**
 * Whether the disk of the ledger is slow now, for the operator: a takeover waits for its ballot to be written. A calm
 * cluster may write its next ballot weeks later, so an old measurement says nothing about the disk.
 */

/** A write that takes at least this long is told of. */
export const slowWriteMs = 250
/** How long after a slow write it is still told. */
const toldForMs = 10 * 60_000

export class SlowWrites {
  readonly #nowMs: () => number
  /** When each write that is under way began. */
  readonly #underWay = new Set<{ readonly sinceMs: number }>()
  #last: { readonly tookMs: number; readonly atMs: number } | null = null

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** @returns to be called when the write has ended, however it ended */
  begin(): () => void {
    const write = { sinceMs: this.#nowMs() }
    this.#underWay.add(write)
    return () => this.#underWay.delete(write)
  }

  /** @returns whether it is the first slow one after one that was not */
  ended(tookMs: number): boolean {
    const wasSlow = this.#last !== null
    this.#last = tookMs < slowWriteMs ? null : { tookMs, atMs: this.#nowMs() }
    return this.#last !== null && !wasSlow
  }

  /** What is so now; null: nothing. */
  warning(): string | null {
    const nowMs = this.#nowMs()
    const longestMs = Math.max(0, ...[...this.#underWay].map(({ sinceMs }) => nowMs - sinceMs))
    if (longestMs >= slowWriteMs)
      return `the ledger's disk has been busy with one write for ${Math.round(longestMs)} ms, and takeovers wait for such writes`
    const last = this.#last
    if (last === null || nowMs - last.atMs > toldForMs) return null
    return `the ledger's disk took ${Math.round(last.tookMs)} ms for its last write, and takeovers wait for such writes`
  }
}
