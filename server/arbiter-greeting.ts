/** An agent says who it is: welcomed, taken for a second one of its name, or sent away. Pure. */
import { assertNever } from '../shared/assert-never.ts'
import {
  type Hello,
  maxNodes,
  type Member,
  type NodeName,
  type Plan,
  protocolVersion,
  witness,
} from '../shared/protocol.ts'
import { silenceMs } from '../shared/timing.ts'
import { promisedTo } from '../shared/vote.ts'
import type { ArbiterEvent } from './arbiter-state.ts'
import { liveNode, occurred, refuseMessage, type Turn } from './arbiter-turn.ts'
import { greet, newNode, type NodeState, type Patience } from './roster.ts'

export function bookHello(turn: Turn, event: ArbiterEvent & { type: 'hello' }): void {
  const { connection, hello, remoteAddress } = event
  const refuse = (kind: string, reason: string): void => {
    refuseMessage(turn, kind)
    turn.effects.push({ type: 'close', connection, reason })
  }
  if (hello.cluster !== turn.arbiter.cluster)
    return refuse('foreign-cluster', `this is cluster ${turn.arbiter.cluster}`)
  const known = turn.nodes.get(hello.node) ?? admitNode(turn, hello, remoteAddress)
  if (known === null)
    return refuse(
      'unknown-node',
      `${hello.node} is not a node of cluster ${hello.cluster} (${[...turn.nodes.keys()].join(', ')})`,
    )

  const greeting = greet(known, { connection, hello, ...patienceWith(turn, hello.node) })
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
          text: `The agent of ${hello.node} comes from another boot or host than before (${remoteAddress}); it speaks for the node as soon as no promise to the old one can be in use.`,
          evidence: { remoteAddress, incarnation: hello.incarnation, bootId: hello.bootId },
          decision: 'wait',
        })
      return occurred(turn, {
        event: 'id-conflict',
        level: 'critical',
        instance: null,
        node: hello.node,
        text: `Two live agents call themselves ${hello.node} (the second from ${remoteAddress}): the second gets no vote, and neither is promoted until one of them is gone. A cloned host?`,
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
      if (!greeting.isNew) return
      occurred(turn, {
        event: 'agent-started',
        level: 'info',
        instance: null,
        node: hello.node,
        text: `The agent of ${hello.node} reports (${hello.software}, mode ${hello.mode}).`,
        evidence: { remoteAddress, incarnation: hello.incarnation, bootId: hello.bootId },
        decision: null,
      })
      return tellOfOtherAddress(turn, known.member, hello.listener)
    default:
      return assertNever(greeting)
  }
}

/** What witness.yaml lists, or what the node was admitted with, is what its peer is given: an agent cannot move itself. */
function tellOfOtherAddress(turn: Turn, member: Member, listener: Hello['listener']): void {
  const { name, address, port } = member
  const told = { address: listener.address ?? address, port: listener.port }
  if (told.address === address && told.port === port) return
  occurred(turn, {
    event: 'address-differs',
    level: 'warning',
    instance: null,
    node: name,
    text: `The agent of ${name} says that its peer reaches it at ${told.address} port ${told.port}; the peer is given ${address} port ${port}, as the witness knows it. If that is wrong, correct clusters.${turn.arbiter.cluster}.nodes.${name} in witness.yaml; else correct advertise and listen in its agent.yaml.`,
    evidence: { advertised: listener, known: { address, port } },
    decision: `${address} port ${port} stays`,
  })
}

/** A node that is not known yet joins a cluster that admits its nodes, while there is room. */
function admitNode(turn: Turn, hello: Hello, remoteAddress: string): NodeState | null {
  if (!turn.arbiter.admit || turn.nodes.size >= maxNodes) return null
  const node = newNode({
    name: hello.node,
    address: hello.listener.address ?? remoteAddress,
    port: hello.listener.port,
    leastGeneration: 1,
  })
  turn.nodes.set(hello.node, node)
  turn.effects.push({ type: 'members', members: membersOf(turn) })
  for (const { session } of turn.nodes.values())
    if (session?.open === true)
      turn.effects.push({
        type: 'send',
        connection: session.connection,
        message: { type: 'plan', plan: planOf(turn) },
      })
  occurred(turn, {
    event: 'node-admitted',
    level: 'info',
    instance: null,
    node: hello.node,
    text: `${hello.node} (${node.member.address}:${node.member.port}) is now a node of cluster ${hello.cluster}.`,
    evidence: { address: node.member.address, port: node.member.port },
    decision: 'admitted',
  })
  return node
}

function membersOf(turn: Turn): Member[] {
  return [...turn.nodes.values()].map(({ member }) => member)
}

function planOf(turn: Turn): Plan {
  return { cluster: turn.arbiter.cluster, timing: turn.arbiter.timing, nodes: membersOf(turn) }
}

export function patienceWith(turn: Turn, node: NodeName): Patience {
  const { atMs, arbiter, instances } = turn
  const { timing } = arbiter
  const promised = [...instances.values()].some(({ voter }) => promisedTo(voter, atMs)?.node === node)
  return { atMs, silenceMs: silenceMs(timing), reserveMs: timing.reserveMs, promised }
}
