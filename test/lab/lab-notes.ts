/** What the lab itself did and saw, noted when it acts, as facts for the invariants (test/invariants). */
import type { Fact, Timed } from '../invariants/facts.ts'

export class LabNotes {
  readonly #notes: Timed[] = []

  /**
   * An act takes a few milliseconds to take effect. Note what hampers the product before the act and what frees it
   * after the act, so that the product is never blamed for what it could not know yet.
   */
  note(fact: Fact, atMs = Date.now()): void {
    this.#notes.push({ atMs, fact })
  }

  /** In time order. */
  all(): readonly Timed[] {
    return [...this.#notes].sort((one, other) => one.atMs - other.atMs)
  }
}
