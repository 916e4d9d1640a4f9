/**
 * Who is preferred when two nodes ask in the same moment and nobody holds: reach of the gateway, then the last holder,
 * then priority, then name. Both agents and the witness must come to the same answer, so it lies here.
 */
import type { NodeName } from './protocol.ts'

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
