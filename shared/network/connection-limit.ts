/**
 * How many connections a listener takes and keeps open, by the address they come from, and how many requests, by who asks.
 * A TLS handshake costs the listener about a millisecond of the thread that also decides, and anybody may ask for one:
 * what is above the limit is cut before it.
 *
 * Addresses that belong to the cluster have a budget each and none in common, so that strangers cannot spend theirs.
 */
import { type Rate, TokenBucket, TokenBuckets } from './token-bucket.ts'

export interface ConnectionLimitOptions {
  /** An address of a host that is enrolled, or of this host. */
  readonly isKnown: (address: string) => boolean
  readonly monotonicMs: () => number
}

/**
 * 32 checks a second where an agent is dead, and an agent that dials four times a heartbeat. What is let through at once
 * is a stretch in which nothing else is done.
 */
const perAddress: Rate = { perSecond: 50, burst: 50 }

/** All strangers together: a person at a keyboard, a node that joins, a monitoring system. */
const strangersTogether: Rate = { perSecond: 20, burst: 20 }

/** Those checks twice over, and every connection that an agent may have. */
const mostOpenPerAddress = 96

/** Also where each of them is used now and then, so that no deadline ends it. */
const mostOpenStrangers = 192

/** Checks of 32 instances each second, and a person who looks. */
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
   * Counts a new connection from there.
   * @returns to be called when it is closed; null: it is not taken
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

/** A connection that stays open may ask as fast as it can write: requests have a budget of their own. */
export class RequestLimit {
  readonly #strangers: TokenBucket
  readonly #callers: TokenBuckets

  constructor(monotonicMs: () => number) {
    this.#strangers = new TokenBucket(requestsOfStrangers, monotonicMs)
    this.#callers = new TokenBuckets(requestsPerCaller, monotonicMs)
  }

  /** @param caller null: nobody that is known */
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
