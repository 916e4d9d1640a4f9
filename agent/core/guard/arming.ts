/**
 * Whether this node's guard is armed. A guard that has never seen a settled cluster observes, votes and asks for votes,
 * and it enforces nothing: nobody has promised anything to anybody yet, so a VIP that works can only be harmed. From
 * the first settled cluster on it is armed, over every restart and reboot. docs/safety.md ("L6") has the argument. Pure.
 */
import type { FenceMemory, Guard, KeptBallot } from './state.ts'
import { agentPort } from '../../../shared/protocol/names.ts'
import type { Ballot } from '../../../shared/core/vote/voter.ts'
import { type Turn, set, tell } from './turn.ts'
import { freshPeerReport, heardSomebody, peerSilent, witnessNamesPeer, witnessSilent } from './hearing.ts'
import { describeRefusals } from './lease.ts'
import { leaseEndsAtMs, peerName } from './own-lease.ts'
import { holdsVip } from './state.ts'

/** What an agent finds on its host when it starts. */
export interface ArmedEvidence {
  /** What the state file says; absent: it says nothing, as that of a new node or of an older version. */
  readonly noted: boolean | undefined
  readonly ballot: Ballot | null
  readonly memory: FenceMemory
  readonly kept: KeptBallot | null
  /** There was a state file that cannot be trusted, so this node is not new. */
  readonly stateTorn: boolean
  /** There is no state file, but an agent of this boot has promised its vote. */
  readonly marked: boolean
}

/** Whether an earlier agent of this node was armed. In doubt it was, because a new node leaves no traces. */
export function wasArmed(found: ArmedEvidence): boolean {
  if (found.noted !== undefined) return found.noted
  const hasFenced = found.memory.stopped || found.memory.number > 0
  return found.ballot !== null || found.kept !== null || hasFenced || found.stateTorn || found.marked
}

/** From now on this guard enforces. */
export function arm(turn: Turn, why: string): void {
  if (turn.guard.armed) return
  set(turn, { armed: true })
  turn.effects.push({ type: 'arm' })
  tell(
    turn,
    'armed',
    'info',
    `This node protects ${turn.guard.profile.instance} from now on, because ${why}. Until now it only watched and voted.`,
  )
}

/** Arms the guard if it has just seen a settled cluster. */
export function armWhereSettled(turn: Turn): void {
  const { guard, atMs } = turn
  // What was never found can be neither stopped nor called dead.
  if (guard.armed || !guard.lived) return
  const why = holdsLease(guard, atMs) ? 'this node has the lease' : holderElsewhere(guard, atMs)
  if (why !== null) arm(turn, why)
}

/** A lease in a cluster of one node settles nothing: the first lost link would end it. */
function holdsLease(guard: Guard, atMs: number): boolean {
  return guard.phase.name === 'holding' && guard.peer !== null && leaseEndsAtMs(guard) > atMs
}

/**
 * How this node knows that the peer has the lease; null: it does not. A vote of the witness alone is no lease, but
 * while this node's own vote no longer waits, a claim against it is decided like any other.
 */
function holderElsewhere(guard: Guard, atMs: number): string | null {
  const { voter } = guard
  const peer = peerName(guard)
  const phase = freshPeerReport(guard, atMs)?.phase
  if (phase === 'holding' || phase === 'entitled') return `${peer} has the lease`
  if (voter.pledge.phase === 'waiting' || !heardSomebody(guard)) return null
  return witnessNamesPeer(guard, atMs) ? `the witness has given its vote to ${peer}` : null
}

/** What is missing before this guard is armed, for the operator. */
export function missingToArm(guard: Guard, atMs: number): string {
  const { peer, voter, candidacy, ballotFails, witnessHeardAtMs, peerHeardAtMs } = guard
  const missing: string[] = []
  if (peer === null) missing.push('the other node has not joined yet')
  if (witnessHeardAtMs === null || witnessSilent(guard, atMs))
    missing.push('the witness is not heard (is its TCP port open?)')
  if (peer !== null && (peerHeardAtMs === null || peerSilent(guard, atMs)))
    missing.push(
      `${peer} is not heard (is the TCP port of the agents, ${agentPort} if listen in agent.yaml names no other, open in both directions?)`,
    )
  if (guard.observed && !guard.lived)
    missing.push(
      'no process of keepalived is found (is it running, and is keepalived.pidFile in agent.yaml its pid file?)',
    )
  if (voter.pledge.phase === 'waiting')
    missing.push(
      `its own vote waits another ${(Math.max(0, voter.pledge.untilMs - atMs) / 1000).toFixed(1)} s after the start`,
    )
  if (ballotFails) missing.push('its vote cannot be written to disk')
  const refusals = candidacy === null ? '' : describeRefusals(candidacy)
  if (refusals !== '') missing.push(refusals)
  if (missing.length === 0)
    missing.push(holdsVip(guard) ? 'its votes are on their way' : 'no node has the lease yet')
  return missing.join('; ')
}
