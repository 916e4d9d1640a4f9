/** A holder that lost its way out hands the VIP over to a node that has one: revoked, proved, then granted. Pure. */
import type { NodeName } from '../../../shared/protocol/names.ts'
import { promisedTo } from '../../../shared/core/vote/voter.ts'
import { change, couldTake, instanceOf, liveNode, occurred, order, type Turn } from './turn.ts'

/** An outage of the gateway itself looks like this for a moment, when one node notices it first. */
const gatewayPatienceMs = 5000
/** Two gateways that fail in turn must not send the VIP to and fro. */
const yieldSpacingMs = 60_000

/**
 * The holder has lost its gateway and a node that has it could take the VIP at once: the holder is told to let go. It
 * gives its votes back with the proof, and only then can the other win them; where the other does not take the VIP,
 * the old holder comes back, because nobody holds.
 */
export function watchForLostGateway(turn: Turn, instance: string): void {
  const { atMs, nodes, arbiter } = turn
  const { voter, gatewayLostSinceMs, yieldedAtMs } = instanceOf(turn, instance)
  const promise = promisedTo(voter, atMs)
  const heir = promise === null ? null : heirOf(turn, instance, promise.node)
  if (promise === null || heir === null) return change(turn, instance, { gatewayLostSinceMs: null })
  if (gatewayLostSinceMs === null) return change(turn, instance, { gatewayLostSinceMs: atMs })
  // After a pause of this process nothing is ordered on old reports.
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
