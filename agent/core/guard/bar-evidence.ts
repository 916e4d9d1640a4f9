/**
 * When a node that is not MASTER is barred: on evidence, not on silence. Barring on silence alone would double the
 * time of every failover, because leaving FAULT costs keepalived a whole master-down time. Pure.
 */
import { type Guard, type Leave, enforces } from './state.ts'
import type { NodeName } from '../../../shared/protocol/names.ts'
import type { BarCause } from './phase.ts'
import { leftWith } from '../../../shared/core/vote/voter.ts'
import {
  alone,
  hasLostGateway,
  missingVotes,
  peerHolds,
  peerOughtToAdvertise,
  peerSilent,
  witnessNamesPeer,
} from './hearing.ts'

/** Why this node may not claim while its vote is delegated to the peer. */
export function leftText(leave: Leave, holder: NodeName): string {
  if (leave === 'lent')
    return (
      `this node delegated its vote to ${holder} because the witness was silent, and it hears ${holder} no more. ${holder} may hold the VIP although this node cannot see it. ` +
      `If ${holder} is gone for good, power it off, stop this agent and run witness-agent take-vote-back`
    )
  if (leave !== 'none')
    return `this node is leaving at its operator's request and has delegated its vote to ${holder}`
  return (
    `this node delegated its vote to ${holder} when it left, and ${holder} has not returned it yet. ${holder} may hold the VIP although this node cannot see it. ` +
    `If ${holder} is gone for good, power it off, stop this agent and run witness-agent take-vote-back`
  )
}

/** Why keepalived may not become MASTER here; null: it may. */
export function barCause(guard: Guard, atMs: number): BarCause | null {
  const { phase, peer, policy, timing } = guard
  if (!enforces(guard)) return null
  const left = leftWith(guard.voter)
  // Beside a holder that is heard, it is a standby like any other: its vote is promised there, too.
  const isLeaving = guard.leave === 'asked' || guard.leave === 'proved'
  if (left !== null && (isLeaving || peerSilent(guard, atMs)))
    return { kind: 'vote-left', text: leftText(guard.leave, left.to) }
  // A node with its own vote and a delegated one wins whether or not it hears anybody.
  const couldWinAlone = guard.kept.phase === 'kept' && guard.kept.ballot.of === peer
  if (alone(guard, atMs) && !couldWinAlone) {
    if (policy.alone === 'keep') return null
    return {
      kind: 'alone',
      text: `this node hears neither the witness nor ${peer ?? 'the peer'}, so it could not win the lease`,
    }
  }
  const missing = missingVotes(guard, atMs)
  if (missing !== null && !couldWinAlone)
    return { kind: 'no-votes', text: `it could not win the lease, because ${missing}` }

  const currentCause = phase.name === 'barred' ? phase.cause : null
  if (peerSilent(guard, atMs) && witnessNamesPeer(guard, atMs) && guard.witnessWord !== null) {
    const lastHeardAtMs = Math.max(guard.peerHeardAtMs ?? -Infinity, guard.listeningSinceMs)
    const newerByMs = guard.witnessWord.renewedAtMs - lastHeardAtMs
    // A node barred for this cause stays barred until the holder is heard again or its lease is over.
    if (newerByMs >= 2 * timing.renewMs || currentCause?.kind === 'holder-elsewhere')
      return {
        kind: 'holder-elsewhere',
        text: `this node has not heard ${peer ?? ''} for ${Math.round(atMs - lastHeardAtMs)} ms, but ${peer ?? ''} still renews its lease at the witness, so the link between the nodes is cut and ${peer ?? ''} holds the lease`,
      }
  }

  if (hasLostGateway(guard, atMs) && !peerSilent(guard, atMs) && peerHolds(guard, atMs))
    return {
      kind: 'no-gateway',
      text: `this node cannot reach its gateway, but ${peer ?? 'the peer'}, which holds the lease, can`,
    }
  if (
    currentCause?.kind === 'no-adverts' &&
    atMs < currentCause.retryAtMs &&
    peerOughtToAdvertise(guard, atMs)
  )
    return currentCause
  return null
}
