/** A hash over everything that was seen, in order and with its instants: the same run has the same hash. */
import type { Timed } from '../invariants/facts.ts'
import type { Listener } from './witnessing.ts'

/** FNV-1a, 32 bits, twice with different beginnings. */
export class TraceHash implements Listener {
  #low = 0x811c9dc5
  #high = 0x01000193

  get text(): string {
    return (this.#high >>> 0).toString(16).padStart(8, '0') + (this.#low >>> 0).toString(16).padStart(8, '0')
  }

  fact({ atMs, fact }: Timed): void {
    this.#add(`${atMs.toFixed(4)} ${fact.type}`)
    for (const value of Object.values(fact)) this.#add(String(value))
  }

  line(atMs: number, who: string, text: string): void {
    this.#add(`${atMs.toFixed(4)} ${who} ${text}`)
  }

  #add(text: string): void {
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      this.#low = Math.imul(this.#low ^ code, 0x01000193)
      this.#high = Math.imul(this.#high ^ code, 0x5bd1e995)
    }
  }
}
