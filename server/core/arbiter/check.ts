/** Answers keepalived's check, which asks the witness itself when the agent of its node is dead. Pure. */
import { assertNever } from '../../../shared/assert-never.ts'
import { type Epoch, type NodeName, maxInstances } from '../../../shared/protocol/names.ts'
import { askVote } from '../../../shared/core/vote/ask.ts'
import { type Voter, promisedTo } from '../../../shared/core/vote/voter.ts'
import { describeUnmatched, isIdentified, keyOf } from './instance-keys.ts'
import type { ArbiterEvent } from './state.ts'
import { change, couldTake, hasRoomFor, instanceOf, liveNode, pushVoteEffects, type Turn } from './turn.ts'
import type { NodeState } from './roster.ts'

/** A yes is an ordinary vote, with the same promise behind it. */
export function bookCheck(turn: Turn, event: ArbiterEvent & { type: 'check' }): void {
  const { check, node: name, atMs } = event
  const reply = (permit: boolean, text: string): void => {
    turn.effects.push({ type: 'answer-check', check, permit, text })
  }
  const node = turn.nodes.get(name)
  if (node === undefined) return reply(false, `${name} is not a node of cluster ${turn.arbiter.cluster}`)
  const among = turn.arbiter.ambiguous.get(name)?.get(event.instance)
  // Nobody has a lease under its key, and its agent would enforce nothing either: keepalived decides alone.
  if (among !== undefined) return reply(true, describeUnmatched(name, event.instance, among))
  const instance = keyOf(turn.arbiter.known, name, event.instance)
  if (instance === null) return reply(false, describeUnmatched(name, event.instance, []))
  const hasBallot = turn.instances.get(instance)?.voter.record != null
  if (!isIdentified(turn.arbiter.known, { node: name, name: event.instance, hasBallot }))
    return reply(
      false,
      `the agent of ${name} has not told this witness yet what ${event.instance} is, so it cannot be told whether another node has the VIP`,
    )
  if (!hasRoomFor(turn, instance))
    return reply(
      false,
      `cluster ${turn.arbiter.cluster} already has ${maxInstances} instances, which is the limit`,
    )

  const { voter, pendingChecks, heldByBootId } = instanceOf(turn, instance)
  const promise = promisedTo(voter, atMs)
  if (promise?.node === name && isOfAnotherBoot(heldByBootId, event.bootId))
    return reply(
      false,
      `${name} has rebooted; the vote it held before the reboot must expire before it can get a new one`,
    )
  if (promise?.node !== name) {
    const refusal = refusalOfCheck(turn, { name, node, instance, holder: promise?.node ?? null })
    if (refusal !== null) return reply(false, refusal)
  }
  const epoch = epochForCheck(voter, name)
  const { timing } = turn.arbiter
  const result = askVote(voter, { from: name, epoch, leaseMs: timing.leaseMs, atMs }, timing)
  change(turn, instance, { voter: result.voter })
  if (result.decision.kind !== 'refused') change(turn, instance, { heldByBootId: event.bootId })
  pushVoteEffects(turn, instance, result.effects)
  switch (result.decision.kind) {
    case 'granted':
      change(turn, instance, { checkPermittedAtMs: atMs })
      return reply(true, `${name} has the vote of the witness (epoch ${epoch})`)
    case 'pending':
      return change(turn, instance, { pendingChecks: [...pendingChecks, check] })
    case 'refused':
      return reply(false, result.decision.text)
    default:
      return assertNever(result.decision)
  }
}

/**
 * The reboot removed the VIP that the promise was for, so renewing it would only keep the other node from taking over.
 */
function isOfAnotherBoot(heldByBootId: string | null, bootId: string | null): boolean {
  return bootId !== null && heldByBootId !== null && heldByBootId !== bootId
}

/**
 * A check renews the promise that its node has, or one that is being written to disk. Otherwise it asks for a new one.
 */
function epochForCheck(voter: Voter, name: NodeName): Epoch {
  const { pledge, record, epoch } = voter
  switch (pledge.phase) {
    case 'promised':
    case 'standing':
      return pledge.to === name ? pledge.epoch : epoch + 1
    case 'recording':
      return pledge.ballot.to === name ? pledge.ballot.epoch : epoch + 1
    case 'free':
    case 'waiting':
      return record?.to === name && record.epoch === epoch ? epoch : epoch + 1
    default:
      return assertNever(pledge)
  }
}

function refusalOfCheck(
  turn: Turn,
  asked: { name: NodeName; node: NodeState; instance: string; holder: NodeName | null },
): string | null {
  const { name, node, instance, holder } = asked
  if (holder !== null) return `${holder} holds the lease`
  if (node.double !== null) return `two live agents call themselves ${name}`
  if (liveNode(turn, node))
    return `the agent of ${name} is running and has not allowed keepalived to be MASTER`
  for (const other of turn.nodes.values())
    if (other.member.name !== name && couldTake(turn, other, instance))
      return `the agent of ${name} is down, and ${other.member.name}, whose agent is running, can take the VIP`
  return null
}
