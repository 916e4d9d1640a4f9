/** The totals of many runs, whatever the order in which they ended. */
import { createHash } from 'node:crypto'
import type { RunOutcome } from '../run/run.ts'

export interface Totals {
  readonly runs: number
  /** Runs with a violation. */
  readonly broken: number
  /** Cluster time that the schedules cover, quiet stretches included. */
  readonly clusterHours: number
  /** Cluster time in which every event was run. */
  readonly hoursRun: number
  readonly faults: number
  readonly events: number
  readonly longestOverlapMs: number
}

const hourMs = 3_600_000

/** Takes outcomes as they come and hands them on in the order of their numbers. */
export class Tally {
  #next: number
  readonly #early = new Map<number, RunOutcome>()
  readonly #each: (outcome: RunOutcome) => void
  readonly #hash = createHash('sha256')
  #totals: Totals = {
    ...{ runs: 0, broken: 0, clusterHours: 0, hoursRun: 0, faults: 0, events: 0 },
    longestOverlapMs: 0,
  }

  /** @param first the number of the first outcome; every later number must follow */
  constructor(first: number, each: (outcome: RunOutcome) => void) {
    this.#next = first
    this.#each = each
  }

  take(number: number, outcome: RunOutcome): void {
    this.#early.set(number, outcome)
    for (let next = this.#early.get(this.#next); next !== undefined; next = this.#early.get(this.#next)) {
      this.#early.delete(this.#next)
      this.#next += 1
      this.#add(next)
    }
  }

  get totals(): Totals {
    return this.#totals
  }

  /** The hash of all trace hashes in order, which is the same for any number of workers and on every machine. */
  get hash(): string {
    return this.#hash.copy().digest('hex').slice(0, 16)
  }

  #add(outcome: RunOutcome): void {
    const sums = this.#totals
    this.#totals = {
      runs: sums.runs + 1,
      broken: sums.broken + (outcome.violations.length > 0 ? 1 : 0),
      clusterHours: sums.clusterHours + outcome.calendarMs / hourMs,
      hoursRun: sums.hoursRun + outcome.simulatedMs / hourMs,
      faults: sums.faults + outcome.faults,
      events: sums.events + outcome.events,
      longestOverlapMs: Math.max(sums.longestOverlapMs, outcome.longestOverlapMs),
    }
    this.#hash.update(`${outcome.traceHash}\n`)
    this.#each(outcome)
  }
}
