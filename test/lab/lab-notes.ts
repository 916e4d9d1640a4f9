/** What the lab itself did and saw, noted where it acts, as facts for the invariants (test/invariants). */
import type { Fact, Timed } from '../invariants/facts.ts'

export class LabNotes {
  readonly #notes: Timed[] = []

  /**
   * An act takes a few milliseconds to arrive: note what hampers the product before it, and what frees it after, so that
   * nothing is held against the product that it could not know yet.
   */
  note(fact: Fact, atMs = Date.now()): void {
    this.#notes.push({ atMs, fact })
  }

  /** In time order. */
  all(): readonly Timed[] {
    return [...this.#notes].sort((one, other) => one.atMs - other.atMs)
  }
}
