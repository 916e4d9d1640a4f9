/**
 * keepalived.conf, read again periodically. Some editors truncate the file before they write it, and a guard that
 * relied on such a reading would give up its lease while keepalived is MASTER. An instance therefore counts as
 * removed only when two readings in a row lack it.
 */
import type { Profile } from '../../shared/protocol/plan.ts'

export class RereadProfiles {
  #profiles: readonly Profile[]
  /** Of `#profiles`, what the last reading lacked. */
  #missing: readonly string[] = []

  constructor(profiles: readonly Profile[]) {
    this.#profiles = profiles
  }

  /** What counts now. */
  get current(): readonly Profile[] {
    return this.#profiles
  }

  /** @returns whether another thing counts from now on */
  take(read: readonly Profile[]): boolean {
    const missedBefore = this.#missing
    const present = new Set(read.map(({ instance }) => instance))
    this.#missing = this.#profiles.map(({ instance }) => instance).filter((name) => !present.has(name))
    if (this.#missing.some((name) => !missedBefore.includes(name))) return false
    if (JSON.stringify(read) === JSON.stringify(this.#profiles)) return false
    this.#profiles = read
    this.#missing = []
    return true
  }
}
