/**
 * Which instance of this node the peer means. The peer speaks of its instances by its own names, and its listener here
 * translates them, in both directions (shared/core/instance-pairing.ts has the rule). Pure.
 */
import { type InstanceIdentity, pairInstances } from '../../shared/core/instance-pairing.ts'

export interface PeerNames {
  /** What the peer's instance is called here; null: it is none of this node's, so nothing that it says of it counts. */
  readonly toOurs: (theirName: string) => string | null
  /** What this node's instance is called there. */
  readonly toTheirs: (ourName: string) => string
  /** Instances of the peer that cannot be told from one another, by their names, and ours that they may be. */
  readonly ambiguous: ReadonlyMap<string, readonly string[]>
  /** Whether it is clear which instance of the peer this node's instance is, or that it is none of them. */
  readonly isClear: (ourName: string) => boolean
}

/** @param theirs of the peer's last hello */
export function peerNames(ours: readonly InstanceIdentity[], theirs: readonly InstanceIdentity[]): PeerNames {
  const matches = pairInstances(ours, theirs)
  const toTheirs = new Map<string, string>()
  const ambiguous = new Map<string, readonly string[]>()
  for (const [their, match] of matches) {
    if (match.kind === 'paired') toTheirs.set(match.with, their)
    if (match.kind === 'ambiguous') ambiguous.set(their, match.among)
  }
  const unclear = new Set([...ambiguous.values()].flat())
  const isOurs = (name: string): boolean => ours.some(({ instance }) => instance === name)
  return {
    toOurs: (their) => {
      const match = matches.get(their)
      if (match !== undefined) return match.kind === 'paired' ? match.with : null
      // A hello says all instances, so this one has just come or gone. Until the next hello its name is all there is.
      return isOurs(their) && !toTheirs.has(their) ? their : null
    },
    toTheirs: (our) => toTheirs.get(our) ?? our,
    ambiguous,
    isClear: (our) => !unclear.has(our),
  }
}
