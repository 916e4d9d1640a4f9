/**
 * Chance from a seed: the same seed gives the same numbers on every machine (32-bit integer arithmetic only).
 * The generator is sfc32, seeded by splitmix32.
 */
export class Chance {
  #a: number
  #b: number
  #c: number
  #counter = 1

  /** @param seed a whole number */
  constructor(seed: number) {
    const next = splitMix32((seed | 0) ^ Math.trunc(seed / 2 ** 32))
    this.#a = next()
    this.#b = next()
    this.#c = next()
    for (let round = 0; round < 12; round++) this.#next()
  }

  #next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    this.#c |= 0
    return sum >>> 0
  }

  /** At least 0, less than 1. */
  fraction(): number {
    return this.#next() / 2 ** 32
  }

  /** At least `from`, less than `to`. */
  between(from: number, to: number): number {
    return from + (to - from) * this.fraction()
  }

  /** A whole number, both ends included. */
  integer(from: number, to: number): number {
    return from + Math.floor((to - from + 1) * this.fraction())
  }

  /** @param probability 0 never, 1 always */
  happens(probability: number): boolean {
    return this.fraction() < probability
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.integer(0, choices.length - 1)] ?? choices[0]
  }

  /** A separate generator, so that the draws of one part do not change those of another. */
  fork(): Chance {
    return new Chance(this.#next())
  }
}

function splitMix32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return mixed ^ (mixed >>> 15)
  }
}
