/**
 * What others may ask an arbiter's state, the reading half of its face: who holds, who is live, what is going on. Pure.
 */
import type { NodeName } from '../../../shared/protocol/names.ts'
import { silenceMs } from '../../../shared/core/timing.ts'
import { leaseHolder } from './lease-holder.ts'
import { isLive, type NodeState } from './roster.ts'
import type { Arbiter } from './state.ts'

export { keyOf, nameOf } from './instance-keys.ts'
export { judge } from './situation.ts'
export type { NodeState } from './roster.ts'

/** Whether the node's agent is connected and has been heard within the time after which it counts as silent. */
export function isHeard(arbiter: Arbiter, node: NodeState, atMs: number): boolean {
  return isLive(node, atMs, silenceMs(arbiter.timing))
}

/** Who has the lease of the instance, as far as the witness can tell; null: nobody, or two say so. */
export function holderOf(arbiter: Arbiter, instance: string, atMs: number): NodeName | null {
  const { instances, nodes, timing } = arbiter
  const voter = instances.get(instance)?.voter
  return leaseHolder({ voter, nodes, instance }, { atMs, silenceMs: silenceMs(timing) })
}
