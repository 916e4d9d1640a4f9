/** A hash over everything that was seen, in order and with its times, so that the same run has the same hash. */
import type { Timed } from '../../invariants/facts.ts'
import type { Listener } from './witnessing.ts'

/**
 * Two lanes of 32 bits, each mixed as in MurmurHash3. Numbers are hashed by the bits of their doubles, because writing
 * them as text would cost more than all the rest. The order of a double's halves is the same on every machine, see
 * `DataView`.
 */
export class TraceHash implements Listener {
  #low = 0x811c9dc5 | 0
  #high = 0x01000193 | 0
  readonly #double = new DataView(new ArrayBuffer(8))

  get text(): string {
    return hex(finished(this.#high)) + hex(finished(this.#low))
  }

  fact({ atMs, fact }: Timed): void {
    this.#addNumber(atMs)
    for (const value of Object.values<string | number | boolean>(fact)) {
      if (typeof value === 'number') this.#addNumber(value)
      else if (typeof value === 'string') this.#addText(value)
      else this.#addWord(value ? 1 : 2)
    }
  }

  line(atMs: number, who: string, text: string): void {
    this.#addNumber(atMs)
    this.#addText(who)
    this.#addText(text)
  }

  #addNumber(value: number): void {
    this.#double.setFloat64(0, value)
    this.#addWord(this.#double.getInt32(0))
    this.#addWord(this.#double.getInt32(4))
  }

  /** The length comes first, so that two texts in a row cannot be confused with one. */
  #addText(text: string): void {
    this.#addWord(text.length)
    for (let index = 0; index < text.length; index++) this.#addWord(text.charCodeAt(index))
  }

  #addWord(word: number): void {
    this.#low = mixed(this.#low, word, 0xcc9e2d51)
    this.#high = mixed(this.#high, word, 0x239b961b)
  }
}

function mixed(lane: number, word: number, factor: number): number {
  const scattered = Math.imul(turned(Math.imul(word, factor), 15), 0x1b873593)
  return (Math.imul(turned(lane ^ scattered, 13), 5) + 0xe6546b64) | 0
}

function turned(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}

function finished(lane: number): number {
  const once = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b)
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35)
  return (twice ^ (twice >>> 16)) >>> 0
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0')
}
