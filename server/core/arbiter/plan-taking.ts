/**
 * Whether an agent has the present plan on its disk, and no vote counts any more that was given under one before. Until
 * then a node that was removed may still serve together with it (server/core/enrolment/former-pairs.ts). Pure.
 */
import type { Beat } from '../../../shared/protocol/messages.ts'
import type { NodeName } from '../../../shared/protocol/names.ts'
import { planMarkOf } from '../../../shared/core/plan-mark.ts'
import { planOf } from './members.ts'
import type { Turn } from './turn.ts'

export function notePlanTaken(turn: Turn, name: NodeName, { planKept, reports }: Beat): void {
  const node = turn.nodes.get(name)
  const session = node?.session ?? null
  if (node === undefined || session === null) return
  const plan = planOf(turn)
  const mark = planMarkOf(plan)
  // A delegated vote does not expire.
  const isDelegated = reports.some(({ left }) => left !== undefined)
  if (planKept !== mark || isDelegated) {
    if (session.planTaken !== null)
      turn.nodes.set(name, { ...node, session: { ...session, planTaken: null } })
    return
  }
  const before = session.planTaken?.mark === mark ? session.planTaken : null
  const sinceMs = before?.sinceMs ?? turn.atMs
  const isSettled = turn.atMs - sinceMs >= turn.arbiter.timing.reserveMs
  const planTaken = { mark, sinceMs, isSettled }
  turn.nodes.set(name, { ...node, session: { ...session, planTaken } })
  if (isSettled && before?.isSettled !== true)
    turn.effects.push({ type: 'plan-settled', node: name, members: plan.nodes.map((member) => member.name) })
}

/** How much of the wait was real is not known. */
export function distrustPlanWaits(turn: Turn): void {
  for (const [name, node] of turn.nodes)
    if (node.session?.planTaken != null)
      turn.nodes.set(name, { ...node, session: { ...node.session, planTaken: null } })
}
