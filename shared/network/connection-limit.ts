/**
 * How many connections a listener accepts and keeps open per source address, and how many requests per caller. A TLS
 * handshake costs about a millisecond of the thread that also decides, and anybody may ask for one, so connections
 * above the limit are closed before it.
 *
 * Each address of the cluster has a budget of its own, so that strangers cannot use it up.
 */
import { type Rate, TokenBucket, TokenBuckets } from './token-bucket.ts'

export interface ConnectionLimitOptions {
  /** An address of a host that is enrolled, or of this host. */
  readonly isKnown: (address: string) => boolean
  readonly monotonicMs: () => number
}

/**
 * Enough for 32 checks a second while an agent is dead, and for an agent that dials four times a heartbeat. A burst
 * of handshakes blocks the event loop for its whole length.
 */
const perAddress: Rate = { perSecond: 50, burst: 50 }

/** All strangers together: a person at a keyboard, a node that joins, a monitoring system. */
const strangersTogether: Rate = { perSecond: 20, burst: 20 }

/** Enough for twice those checks, and every connection that an agent may have. */
const mostOpenPerAddress = 96

/** Holds even if each of them is used now and then, so that no deadline closes it. */
const mostOpenStrangers = 192

/** Enough for the checks of 32 instances each second, and for a person who looks. */
const requestsPerCaller: Rate = { perSecond: 50, burst: 100 }

const requestsOfStrangers: Rate = { perSecond: 20, burst: 20 }

export class ConnectionLimit {
  readonly #options: ConnectionLimitOptions
  readonly #strangers: TokenBucket
  readonly #addresses: TokenBuckets
  readonly #open = new Map<string, number>()
  #openStrangers = 0

  constructor(options: ConnectionLimitOptions) {
    this.#options = options
    this.#strangers = new TokenBucket(strangersTogether, options.monotonicMs)
    this.#addresses = new TokenBuckets(perAddress, options.monotonicMs)
  }

  /**
   * Counts a new connection from this address.
   * @returns a function to be called when it is closed; null: the connection is not accepted
   */
  admit(address: string): (() => void) | null {
    const source = networkOf(address)
    const open = this.#open.get(source) ?? 0
    if (open >= mostOpenPerAddress || !this.#addresses.take(source)) return null
    const isStranger = !this.#options.isKnown(address)
    if (isStranger && (this.#openStrangers >= mostOpenStrangers || !this.#strangers.take())) return null
    this.#open.set(source, open + 1)
    if (isStranger) this.#openStrangers += 1
    return () => this.#release(source, isStranger)
  }

  #release(source: string, isStranger: boolean): void {
    if (isStranger) this.#openStrangers -= 1
    const left = (this.#open.get(source) ?? 1) - 1
    if (left > 0) this.#open.set(source, left)
    else this.#open.delete(source)
  }
}

/** A connection that stays open could send requests as fast as it can write, so requests have a budget of their own. */
export class RequestLimit {
  readonly #strangers: TokenBucket
  readonly #callers: TokenBuckets

  constructor(monotonicMs: () => number) {
    this.#strangers = new TokenBucket(requestsOfStrangers, monotonicMs)
    this.#callers = new TokenBuckets(requestsPerCaller, monotonicMs)
  }

  /** @param caller null: unknown */
  admits(caller: string | null): boolean {
    return caller === null ? this.#strangers.take() : this.#callers.take(caller)
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
