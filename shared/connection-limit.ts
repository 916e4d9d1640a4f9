/**
 * How many new connections a listener takes, by the address they come from. A TLS handshake costs the listener about a
 * millisecond of the thread that also decides, and anybody may ask for one: what is above the limit is cut before it.
 *
 * Addresses that belong to the cluster have a budget each and none in common, so that strangers cannot spend theirs.
 */
export interface ConnectionLimitOptions {
  /** An address of a host that is enrolled, or of this host. */
  readonly isKnown: (address: string) => boolean
  readonly monotonicMs: () => number
}

/** 32 checks a second where an agent is dead, and an agent that dials four times a heartbeat. */
const perAddress = { perSecond: 60, burst: 120 } as const
/** All strangers together: a person at a keyboard, a node that joins, a monitoring system. */
const strangersTogether = { perSecond: 40, burst: 80 } as const
/** Each costs some hundred bytes; the oldest is forgotten first. */
const addressesRemembered = 4096

export class ConnectionLimit {
  readonly #options: ConnectionLimitOptions
  readonly #strangers: TokenBucket
  readonly #addresses = new Map<string, TokenBucket>()

  constructor(options: ConnectionLimitOptions) {
    this.#options = options
    this.#strangers = new TokenBucket(strangersTogether, options.monotonicMs)
  }

  /** Whether a new connection from there is taken; it is counted then. */
  admits(address: string): boolean {
    if (!this.#bucketOf(address).take()) return false
    return this.#options.isKnown(address) || this.#strangers.take()
  }

  #bucketOf(address: string): TokenBucket {
    const source = networkOf(address)
    const known = this.#addresses.get(source)
    if (known !== undefined) {
      // The order of a Map is that of insertion: who came last is forgotten last.
      this.#addresses.delete(source)
      this.#addresses.set(source, known)
      return known
    }
    const oldest = this.#addresses.keys().next()
    if (this.#addresses.size >= addressesRemembered && !oldest.done) this.#addresses.delete(oldest.value)
    const bucket = new TokenBucket(perAddress, this.#options.monotonicMs)
    this.#addresses.set(source, bucket)
    return bucket
  }
}

export class TokenBucket {
  readonly #rate: { readonly perSecond: number; readonly burst: number }
  readonly #monotonicMs: () => number
  #left: number
  #filledAtMs: number

  constructor(rate: { readonly perSecond: number; readonly burst: number }, monotonicMs: () => number) {
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

/** One host has a whole /64 of IPv6 addresses to come from (RFC 4291 section 2.5.4). */
function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail = ''] = address.split('%', 1)[0]?.split('::') ?? []
  const before = head === '' ? [] : head.split(':')
  const after = tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0')
  return [...before, ...(address.includes('::') ? zeros : []), ...after].slice(0, 4).join(':')
}
