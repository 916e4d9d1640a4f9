/**
 * When another start of an agent may speak for a node in the place of the one that is known. The witness and the peer's
 * listener go by this one rule, since whoever speaks for a node may give its votes back. Pure.
 */

/** The start of the agent that speaks for the node so far. */
export interface Predecessor {
  readonly bootId: string
  /** It is connected and heard. */
  readonly live: boolean
  /** When it was last heard. */
  readonly heardAtMs: number
  /** Whether a vote of this voter is promised to the node now. */
  readonly promised: boolean
}

/**
 * On the same boot of the host: as soon as the old one is gone. From another host or boot, which may be a clone of a
 * host that lives: only when no promise to the old one can be in use.
 */
export function maySucceed(
  { bootId, live, heardAtMs, promised }: Predecessor,
  successor: { readonly bootId: string; readonly atMs: number; readonly reserveMs: number },
): boolean {
  if (live) return false
  return successor.bootId === bootId || (!promised && successor.atMs - heardAtMs >= successor.reserveMs)
}
