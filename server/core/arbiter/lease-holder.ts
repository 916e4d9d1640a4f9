/** Who holds the lease of an instance, as far as the witness can tell. Pure. */
import type { NodeName } from '../../../shared/protocol/names.ts'
import { type Voter, promisedTo } from '../../../shared/core/vote/voter.ts'
import { isLive, type NodeState } from './roster.ts'

/**
 * By this voter's promise; or, where the peer's vote makes the majority (the witness has just started), by the
 * holder's own word: the one live node that says so. Null: nobody, or two say so, of whom one is out of date.
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
