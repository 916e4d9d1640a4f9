/**
 * Which start of an agent speaks for its node. The witness and the peer's listener go by this one rule, since whoever
 * speaks for a node may give its votes back. Pure.
 */

/** The start of the agent that speaks for the node so far. */
export interface Predecessor {
  readonly incarnation: string
  readonly bootId: string
  /** It is connected and heard. */
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
 * `same`: the start that speaks for the node already. `next`: it speaks for the node from now on. `early`: the one before
 * it lives, or a promise to that one may be in use. `past`: another start took its place before: what it says now was said
 * long ago, or by a host that stood still.
 */
export type Standing = 'same' | 'next' | 'early' | 'past'

/** Those whose place was taken, newest last. */
export type Past = readonly string[]

/** Of more a replay would be taken for a start that is not known. */
const pastRemembered = 64

export function standingOf(
  { present, past }: { present: Predecessor | null; past: Past },
  newcomer: Newcomer,
): Standing {
  if (present?.incarnation === newcomer.incarnation) return 'same'
  if (past.includes(newcomer.incarnation)) return 'past'
  return present === null || maySucceed(present, newcomer) ? 'next' : 'early'
}

/**
 * On the same boot of the host: as soon as the old one is gone. From another host or boot, which may be a clone of a
 * host that lives: only when no promise to the old one can be in use.
 */
export function maySucceed(
  { bootId, live, heardAtMs, promised }: Omit<Predecessor, 'incarnation'>,
  successor: Omit<Newcomer, 'incarnation'>,
): boolean {
  if (live) return false
  return successor.bootId === bootId || (!promised && successor.atMs - heardAtMs >= successor.reserveMs)
}

export function pastWith(past: Past, incarnation: string): Past {
  return [...past, incarnation].slice(-pastRemembered)
}
