/**
 * A holder that has lost its gateway hands the VIP over to a node that reaches it: the holder releases the VIP and
 * proves it, and only then can the other node get the votes. Pure.
 */
import type { NodeName } from '../../../shared/protocol/names.ts'
import { promisedTo } from '../../../shared/core/vote/voter.ts'
import { change, couldTake, instanceOf, liveNode, occurred, order, type Turn } from './turn.ts'

/** An outage of the gateway itself looks the same for a moment, because one node notices it first. */
const gatewayPatienceMs = 5000
/** Two gateways that fail in turn must not move the VIP back and forth. */
const yieldSpacingMs = 60_000

/**
 * If the holder has lost its gateway, and a node that reaches it could take the VIP at once, the holder is ordered to
 * release the VIP. It returns its votes together with the proof, and only then can the other node win them. If the
 * other node does not take the VIP, the old holder comes back, because nobody holds the lease.
 */
export function watchForLostGateway(turn: Turn, instance: string): void {
  const { atMs, nodes, arbiter } = turn
  const { voter, gatewayLostSinceMs, yieldedAtMs } = instanceOf(turn, instance)
  const promise = promisedTo(voter, atMs)
  const heir = promise === null ? null : heirOf(turn, instance, promise.node)
  if (promise === null || heir === null) return change(turn, instance, { gatewayLostSinceMs: null })
  if (gatewayLostSinceMs === null) return change(turn, instance, { gatewayLostSinceMs: atMs })
  // After a pause of this process no order is based on reports from before it.
  const fresh = [...nodes.values()].every(
    ({ session }) => session !== null && session.echoMs >= arbiter.runningSinceMs,
  )
  if (!fresh || atMs - gatewayLostSinceMs < gatewayPatienceMs || atMs - yieldedAtMs < yieldSpacingMs) return
  change(turn, instance, { yieldedAtMs: atMs })
  const seconds = Math.round((atMs - gatewayLostSinceMs) / 1000)
  const reason = `${promise.node} has not reached its gateway for ${seconds} s, but ${heir} reaches it`
  order(turn, promise.node, { instance, what: 'yield', epoch: promise.epoch, reason })
  occurred(turn, {
    event: 'gateway-lost',
    level: 'warning',
    instance,
    node: promise.node,
    text: `${reason}, so the VIP is moved. ${promise.node} releases it first and proves that; then ${heir} may win the votes.`,
    evidence: { holder: nodes.get(promise.node)?.reports.get(instance), heir },
    decision: `${promise.node} yields to ${heir}`,
  })
}

/** The node that reaches the gateway and could take the VIP at once from a holder that does not; null: none. */
function heirOf(turn: Turn, instance: string, holder: NodeName): NodeName | null {
  const { nodes } = turn
  const held = nodes.get(holder)
  const report = held?.reports.get(instance)
  if (!liveNode(turn, held) || report?.phase !== 'holding' || report.gateway !== 'unreachable') return null
  for (const other of nodes.values())
    if (other.reports.get(instance)?.gateway === 'reachable' && couldTake(turn, other, instance))
      return other.member.name
  return null
}
