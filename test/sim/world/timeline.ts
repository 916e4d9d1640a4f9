/**
 * The only clock of a simulation: true time in milliseconds, and what is due when. Everything that runs is started from
 * here.
 */

/** Something that will happen, unless it is cancelled. */
export interface Due {
  readonly atMs: number
  cancelled: boolean
}

interface Entry extends Due {
  /** If two are due at the same time, the one that was planned first runs first. */
  readonly order: number
  readonly run: () => void
}

export class Timeline {
  #nowMs = 0
  #order = 0
  /** A binary heap, the earliest at the root. */
  readonly #heap: Entry[] = []

  /** True time. No part of a simulated host may use it for a decision, because hosts have clocks of their own. */
  get nowMs(): number {
    return this.#nowMs
  }

  at(atMs: number, run: () => void): Due {
    const entry: Entry = { atMs: Math.max(atMs, this.#nowMs), order: this.#order++, cancelled: false, run }
    this.#push(entry)
    return entry
  }

  after(delayMs: number, run: () => void): Due {
    return this.at(this.#nowMs + delayMs, run)
  }

  /** Runs the next entry that is due before or at `untilMs`; false: there is none, and the time is now `untilMs`. */
  step(untilMs: number): boolean {
    for (;;) {
      const next = this.#heap[0]
      if (next === undefined || next.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs)
        return false
      }
      this.#pop()
      if (next.cancelled) continue
      this.#nowMs = next.atMs
      next.run()
      return true
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = heap[parentAt]
      if (parent === undefined || !isEarlier(entry, parent)) break
      heap[at] = parent
      at = parentAt
    }
    heap[at] = entry
  }

  /**
   * Removes the root. The gap moves down to a leaf, and the last entry of the heap, which is rarely early, moves up
   * from there.
   */
  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    const size = heap.length
    if (last === undefined || size === 0) return
    let at = 0
    for (let childAt = 1; childAt < size; childAt = 2 * at + 1) {
      let child = heap[childAt]
      const right = heap[childAt + 1]
      if (child === undefined) break
      if (right !== undefined && isEarlier(right, child)) {
        child = right
        childAt += 1
      }
      heap[at] = child
      at = childAt
    }
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = heap[parentAt]
      if (parent === undefined || !isEarlier(last, parent)) break
      heap[at] = parent
      at = parentAt
    }
    heap[at] = last
  }
}

function isEarlier(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
