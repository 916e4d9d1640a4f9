/** Who holds the lease of an instance, as far as the witness can tell. Pure. */
import type { NodeName } from '../../../shared/protocol/names.ts'
import { type Voter, promisedTo } from '../../../shared/core/vote/voter.ts'
import { isLive, type NodeState } from './roster.ts'

/**
 * The node to which this voter has promised its vote. If there is no such promise because the peer's vote makes the
 * majority (the witness has just started), it is the one live node that reports that it holds. Null: no node does, or
 * two do, of which one is out of date.
 * @param known.voter the witness's vote on the instance; undefined: it was never mentioned
 */
export function leaseHolder(
  known: {
    readonly voter: Voter | undefined
    readonly nodes: ReadonlyMap<NodeName, NodeState>
    readonly instance: string
  },
  at: { readonly atMs: number; readonly silenceMs: number },
): NodeName | null {
  const { voter, nodes, instance } = known
  const promise = voter === undefined ? null : promisedTo(voter, at.atMs)
  if (promise !== null) return promise.node
  const [holder, ...others] = [...nodes.values()].filter(
    (node) => node.reports.get(instance)?.phase === 'holding' && isLive(node, at.atMs, at.silenceMs),
  )
  return holder !== undefined && others.length === 0 ? holder.member.name : null
}
