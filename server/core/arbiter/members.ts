/** Who belongs to the cluster according to enrolment. Pure. */
import type { Member } from '../../../shared/protocol/plan.ts'
import type { NodeName } from '../../../shared/protocol/names.ts'
import { disownPromise } from '../../../shared/core/vote/recovery.ts'
import { answerPendingChecks, change, planOf, type Turn } from './turn.ts'
import { forgetPlanWaits } from './plan-taking.ts'
import { forgetNode } from './instance-keys.ts'
import { newNode } from './roster.ts'

/** A node joined, was removed or moved, or its older certificates are no longer accepted. */
export function bookMembers(turn: Turn, members: readonly Member[]): void {
  const before = new Map(turn.nodes)
  turn.nodes.clear()
  for (const member of members) {
    const known = before.get(member.name)
    turn.nodes.set(member.name, known === undefined ? newNode(member) : { ...known, member })
    if (known === undefined) disown(turn, member.name)
    before.delete(member.name)
  }
  for (const { member, session } of before.values()) {
    turn.arbiter = { ...turn.arbiter, known: forgetNode(turn.arbiter.known, member.name) }
    if (session?.open === true)
      turn.effects.push({
        type: 'close',
        connection: session.connection,
        reason: `${member.name} was removed from cluster ${turn.arbiter.cluster}`,
      })
  }
  turn.arbiter = { ...turn.arbiter, membersSinceMs: turn.atMs }
  forgetPlanWaits(turn)
  for (const { session } of turn.nodes.values())
    if (session?.open === true)
      turn.effects.push({
        type: 'send',
        connection: session.connection,
        message: { type: 'plan', plan: planOf(turn) },
      })
}

/**
 * A node that was removed and enrolled again at once may be a different host, while the previous host still counts on
 * its lease.
 */
function disown(turn: Turn, name: NodeName): void {
  const text = `${name} was enrolled again`
  for (const [instance, { voter }] of turn.instances) {
    const disowned = disownPromise(voter, name)
    if (disowned === voter) continue
    // A heartbeat that waits for an answer came from before the removal, and gets none.
    change(turn, instance, { voter: disowned, pendingBeat: null })
    answerPendingChecks(turn, instance, { permit: false, text })
  }
}
