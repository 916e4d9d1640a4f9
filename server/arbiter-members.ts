/** Who belongs to the cluster: what enrolment says, and what the agents are told of it. Pure. */
import type { Member, Plan } from '../shared/protocol.ts'
import { occurred, type Turn } from './arbiter-turn.ts'
import { newNode } from './roster.ts'

/** A node joined, was removed, moved, or its older certificates are worth nothing any more. */
export function bookMembers(turn: Turn, members: readonly Member[]): void {
  const before = new Map(turn.nodes)
  turn.nodes.clear()
  for (const member of members) {
    const known = before.get(member.name)
    turn.nodes.set(member.name, known === undefined ? newNode(member) : { ...known, member })
    if (known === undefined) tell(turn, member, 'node-joined')
    before.delete(member.name)
  }
  for (const { member, session } of before.values()) {
    tell(turn, member, 'node-removed')
    if (session?.open === true)
      turn.effects.push({
        type: 'close',
        connection: session.connection,
        reason: `${member.name} was removed from cluster ${turn.arbiter.cluster}`,
      })
  }
  for (const { session } of turn.nodes.values())
    if (session?.open === true)
      turn.effects.push({
        type: 'send',
        connection: session.connection,
        message: { type: 'plan', plan: planOf(turn) },
      })
}

export function planOf({ arbiter, nodes }: Turn): Plan {
  const { cluster, timing } = arbiter
  return { cluster, timing, nodes: [...nodes.values()].map(({ member }) => member) }
}

function tell(turn: Turn, { name, address, port }: Member, event: 'node-joined' | 'node-removed'): void {
  const { cluster } = turn.arbiter
  occurred(turn, {
    event,
    level: 'info',
    instance: null,
    node: name,
    text:
      event === 'node-joined'
        ? `${name} (${address}:${port}) is now a node of cluster ${cluster}.`
        : `${name} is no longer a node of cluster ${cluster}: its certificate is worth nothing from now on.`,
    evidence: { address, port },
    decision: event === 'node-joined' ? 'admitted' : 'refused',
  })
}
