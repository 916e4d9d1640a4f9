/**
 * Which node is preferred when two ask at the same moment and no node holds the lease: the one that reaches its
 * gateway, then the last holder, then the higher priority, then the name. Agents use the same rule between
 * themselves, but do not know the last holder. Pure.
 */
import type { NodeName } from '../protocol/names.ts'

export interface Candidate {
  readonly node: NodeName
  readonly gateway: 'reachable' | 'unreachable' | 'unknown'
  readonly priority: number
}

/** Negative if `a` is preferred. Two different nodes are never equal. */
export function compareCandidates(a: Candidate, b: Candidate, lastHolder: NodeName | null): number {
  return (
    Number(a.gateway === 'unreachable') - Number(b.gateway === 'unreachable') ||
    Number(b.node === lastHolder) - Number(a.node === lastHolder) ||
    b.priority - a.priority ||
    (a.node < b.node ? -1 : a.node > b.node ? 1 : 0)
  )
}
