/** An agent says who it is. It is welcomed, treated as a second agent of the same name, or sent away. Pure. */
import { assertNever } from '../../../shared/assert-never.ts'
import type { Hello } from '../../../shared/protocol/messages.ts'
import { type NodeName, protocolVersion, witness } from '../../../shared/protocol/names.ts'
import { silenceMs } from '../../../shared/core/timing.ts'
import { promisedTo } from '../../../shared/core/vote/voter.ts'
import { noteInstances } from './instance-keys.ts'
import type { ArbiterEvent } from './state.ts'
import { liveNode, occurred, planOf, refuseMessage, type Turn } from './turn.ts'
import { greet, type NodeState, type Patience } from './roster.ts'

export function bookHello(turn: Turn, event: ArbiterEvent & { type: 'hello' }): void {
  const { connection, hello, remoteAddress } = event
  const refuse = (kind: string, reason: string): void => {
    refuseMessage(turn, kind)
    turn.effects.push({ type: 'close', connection, reason })
  }
  if (hello.cluster !== turn.arbiter.cluster)
    return refuse('foreign-cluster', `this is cluster ${turn.arbiter.cluster}`)
  const known = turn.nodes.get(hello.node)
  if (known === undefined)
    return refuse(
      'unknown-node',
      `${hello.node} is not a node of cluster ${hello.cluster} (${[...turn.nodes.keys()].join(', ')})`,
    )

  const greeting = greet(known, { connection, hello, ...patienceWith(turn, hello) })
  if (greeting.kind === 'superseded') {
    turn.effects.push({ type: 'send', connection, message: { type: 'superseded' } })
    return refuse('old-incarnation', `a newer instance of the agent of ${hello.node} has replaced this one`)
  }
  turn.nodes.set(hello.node, greeting.node)
  turn.effects.push({
    type: 'send',
    connection,
    message: { type: 'welcome', protocol: protocolVersion, voter: witness, plan: planOf(turn) },
  })
  switch (greeting.kind) {
    case 'double':
      if (!liveNode(turn, known))
        return occurred(turn, {
          event: 'agent-waits',
          level: 'info',
          instance: null,
          node: hello.node,
          text: `A new agent for ${hello.node} connected from a different boot or host (${remoteAddress}). It is ignored until the previous agent's lease can no longer be in use.`,
          evidence: { remoteAddress, incarnation: hello.incarnation, bootId: hello.bootId },
          decision: 'wait',
        })
      // If the conflict goes on or the second agent dials again, the situation reports it.
      if (known.double !== null) return
      return occurred(turn, {
        event: 'id-conflict',
        level: 'critical',
        instance: null,
        node: hello.node,
        text: `Two live agents call themselves ${hello.node} (the second connected from ${remoteAddress}). The second gets no vote, and neither is promoted until one of them is gone. Check whether a host was cloned.`,
        evidence: { remoteAddress, incarnation: hello.incarnation, bootId: hello.bootId },
        decision: 'no promotion',
      })
    case 'accepted':
      if (greeting.replaced !== null)
        turn.effects.push({
          type: 'close',
          connection: greeting.replaced,
          reason: 'replaced by a newer connection',
        })
      followMove(turn, known, hello)
      bookInstances(turn, hello)
      if (!greeting.isNew) return
      return occurred(turn, {
        event: 'agent-started',
        level: 'info',
        instance: null,
        node: hello.node,
        text: `The agent of ${hello.node} has started to report (${hello.software}, mode ${hello.mode}).`,
        evidence: { remoteAddress, incarnation: hello.incarnation, bootId: hello.bootId },
        decision: null,
      })
    default:
      return assertNever(greeting)
  }
}

/** Which instance of the cluster each of the node's is, and then once more for nodes that waited for this node's word. */
function bookInstances(turn: Turn, { node, profiles }: Hello): void {
  note(turn, node, profiles)
  for (const [other, ambiguities] of turn.arbiter.ambiguous) {
    const { session } = turn.nodes.get(other) ?? {}
    if (other !== node && ambiguities.size > 0 && session != null) note(turn, other, session.hello.profiles)
  }
}

function note(turn: Turn, node: NodeName, profiles: Hello['profiles']): void {
  const { instances, atMs, arbiter } = turn
  const inUse = (key: string): boolean => {
    const voter = instances.get(key)?.voter
    return voter !== undefined && promisedTo(voter, atMs) !== null
  }
  const { known, ambiguous } = noteInstances(arbiter.known, { node, profiles }, inUse)
  turn.arbiter = { ...arbiter, known, ambiguous: new Map(arbiter.ambiguous).set(node, ambiguous) }
}

/** An agent reports where its peer reaches it. Nobody else can, because the certificate names the node. */
function followMove(turn: Turn, { member }: NodeState, { node, listener }: Hello): void {
  const told = { address: listener.address ?? member.address, port: listener.port }
  if (told.address === member.address && told.port === member.port) return
  turn.effects.push({ type: 'moved', node, ...told })
}

/** @param newcomer the agent that wants to follow. A promise that the check of its own boot won keeps it waiting for nothing. */
export function patienceWith(turn: Turn, { node, bootId }: Pick<Hello, 'node' | 'bootId'>): Patience {
  const { atMs, arbiter, instances } = turn
  const { timing } = arbiter
  const promised = [...instances.values()].some(
    ({ voter, heldByBootId }) => promisedTo(voter, atMs)?.node === node && heldByBootId !== bootId,
  )
  return { atMs, silenceMs: silenceMs(timing), reserveMs: timing.reserveMs, promised }
}
