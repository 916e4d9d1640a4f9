/**
 * Who is preferred when two nodes ask in the same moment and nobody holds: reach of the gateway, then the last holder,
 * then priority, then name. Agents settle it between themselves where they can; they do not know the last holder.
 */
import type { NodeName } from '../protocol/names.ts'

export interface Candidate {
  readonly node: NodeName
  readonly gateway: 'reachable' | 'unreachable' | 'unknown'
  readonly priority: number
}

/** Negative where `a` is preferred. Total: two different nodes are never equal. */
export function compareCandidates(a: Candidate, b: Candidate, lastHolder: NodeName | null): number {
  return (
    Number(a.gateway === 'unreachable') - Number(b.gateway === 'unreachable') ||
    Number(b.node === lastHolder) - Number(a.node === lastHolder) ||
    b.priority - a.priority ||
    (a.node < b.node ? -1 : a.node > b.node ? 1 : 0)
  )
}
