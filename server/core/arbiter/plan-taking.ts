/**
 * Whether an agent has the present plan on its disk, and no vote counts any more that was given under one before. Until
 * then a node that was removed may still serve together with it (server/core/enrolment/former-pairs.ts). Pure.
 */
import type { Beat } from '../../../shared/protocol/messages.ts'
import type { NodeName } from '../../../shared/protocol/names.ts'
import { planMarkOf } from '../../../shared/core/plan-mark.ts'
import type { Session } from './roster.ts'
import { planOf, type Turn } from './turn.ts'

/** An agent says `planKept` only while no vote is delegated that may count under an earlier plan. */
export function notePlanTaken(turn: Turn, name: NodeName, { planKept, echoMs }: Beat): void {
  const session = turn.nodes.get(name)?.session ?? null
  if (session === null) return
  const plan = planOf(turn)
  const mark = planMarkOf(plan)
  if (planKept !== mark) return setPlanTaken(turn, name, null)
  const before = session.planTaken?.mark === mark ? session.planTaken : null
  // A beat that was under way when the members changed may name a plan that is the same by chance: the agent had read
  // an answer from after the change, so it had read the plan before that.
  if (before === null && (echoMs ?? -Infinity) <= turn.arbiter.membersSinceMs) return
  const sinceMs = before?.sinceMs ?? turn.atMs
  const isSettled = turn.atMs - sinceMs >= turn.arbiter.timing.reserveMs
  setPlanTaken(turn, name, { mark, sinceMs, isSettled })
  if (isSettled && before?.isSettled !== true)
    turn.effects.push({ type: 'plan-settled', node: name, members: plan.nodes.map((member) => member.name) })
}

/** The members changed, or how much of the wait was real is not known: it begins anew. */
export function forgetPlanWaits(turn: Turn): void {
  for (const name of turn.nodes.keys()) setPlanTaken(turn, name, null)
}

function setPlanTaken(turn: Turn, name: NodeName, planTaken: Session['planTaken']): void {
  const node = turn.nodes.get(name)
  if (node?.session == null || node.session.planTaken === planTaken) return
  turn.nodes.set(name, { ...node, session: { ...node.session, planTaken } })
}
