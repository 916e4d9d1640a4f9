/** Token buckets: a rate per second with a burst, for one name or for each of many. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/** Each costs some hundred bytes; the oldest is forgotten first. */
const remembered = 4096

/**
 * One bucket per name. A name that has not come for a long time is forgotten, and gets a full bucket when it comes
 * again.
 */
export class TokenBuckets {
  readonly #rate: Rate
  readonly #monotonicMs: () => number
  readonly #buckets = new Map<string, TokenBucket>()

  constructor(rate: Rate, monotonicMs: () => number) {
    this.#rate = rate
    this.#monotonicMs = monotonicMs
  }

  take(name: string): boolean {
    const bucket = this.#buckets.get(name) ?? this.#newBucket()
    // A Map keeps the order of insertion, so the name that came last is forgotten last.
    this.#buckets.delete(name)
    this.#buckets.set(name, bucket)
    return bucket.take()
  }

  #newBucket(): TokenBucket {
    const oldest = this.#buckets.keys().next()
    if (this.#buckets.size >= remembered && !oldest.done) this.#buckets.delete(oldest.value)
    return new TokenBucket(this.#rate, this.#monotonicMs)
  }
}

export class TokenBucket {
  readonly #rate: Rate
  readonly #monotonicMs: () => number
  #left: number
  #filledAtMs: number

  constructor(rate: Rate, monotonicMs: () => number) {
    this.#rate = rate
    this.#monotonicMs = monotonicMs
    this.#left = rate.burst
    this.#filledAtMs = monotonicMs()
  }

  take(): boolean {
    const { perSecond, burst } = this.#rate
    const atMs = this.#monotonicMs()
    this.#left = Math.min(burst, this.#left + ((atMs - this.#filledAtMs) / 1000) * perSecond)
    this.#filledAtMs = atMs
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
