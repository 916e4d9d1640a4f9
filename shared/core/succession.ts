/**
 * Which instance of an agent speaks for its node; each start of the agent is an instance. The witness and the peer's
 * listener use the same rule, because whoever speaks for a node may give its votes back. Pure.
 */

/** The instance of the agent that speaks for the node so far. */
export interface Predecessor {
  readonly incarnation: string
  readonly bootId: string
  /** Whether it is connected and heard. */
  readonly live: boolean
  /** When it was last heard. */
  readonly heardAtMs: number
  /** Whether a vote of this voter is promised to the node now. */
  readonly promised: boolean
}

export interface Newcomer {
  readonly incarnation: string
  readonly bootId: string
  readonly atMs: number
  readonly reserveMs: number
}

/**
 * `same`: it already speaks for the node. `next`: it speaks for the node from now on. `early`: the previous instance
 * is alive, or a promise to it may be in use. `past`: it has been superseded, so its messages are old or come from a
 * host that stood still.
 */
export type Succession = 'same' | 'next' | 'early' | 'past'

/** The instances that were superseded, newest last. */
export type Past = readonly string[]

/** A replay of an older instance than these would be taken for a new one. */
const pastRemembered = 64

/** How a newcomer relates to the instance that speaks for the node so far. */
export function successionOf(
  { present, past }: { present: Predecessor | null; past: Past },
  newcomer: Newcomer,
): Succession {
  if (present?.incarnation === newcomer.incarnation) return 'same'
  if (past.includes(newcomer.incarnation)) return 'past'
  return present === null || maySucceed(present, newcomer) ? 'next' : 'early'
}

/**
 * An instance from the same boot of the host may follow as soon as the old one is gone. One from another host or boot
 * may come from a clone of a living host, so it may follow only when no promise to the old one can be in use.
 */
export function maySucceed(
  { bootId, live, heardAtMs, promised }: Omit<Predecessor, 'incarnation'>,
  successor: Omit<Newcomer, 'incarnation'>,
): boolean {
  if (live) return false
  return successor.bootId === bootId || (!promised && successor.atMs - heardAtMs >= successor.reserveMs)
}

/** The superseded instances with one more. */
export function pastWith(past: Past, incarnation: string): Past {
  return [...past, incarnation].slice(-pastRemembered)
}
