/** This node as a voter: it answers the peer's heartbeat, and gives its vote once the ballot is on disk. Pure. */
import { compareCandidates } from '../../../../shared/core/preference.ts'
import type { Vote } from '../../../../shared/protocol/messages.ts'
import { askVote, ballotLost, ballotRecorded, releaseVote } from '../../../../shared/core/vote/ask.ts'
import { type Ballot, leftWith, promisedTo, replyOf } from '../../../../shared/core/vote/voter.ts'
import { showsVip } from '../../../../shared/core/vip-sighting.ts'
import { startFence } from '../transitions.ts'
import type { GuardEvent } from '../event.ts'
import { enforces, holdsVip, priorityOf } from '../state.ts'
import { bookPeersVotes, countedEpoch, hastenReturn, returnedEpoch } from './standing.ts'
import { learnEpochFrom, noteFarAhead } from './epochs.ts'
import { bookLendFailed, lentText } from './lending.ts'
import { noteDiskWorks } from './disk-trial.ts'
import { keptVoter, votersOf } from '../own-lease.ts'
import { type Turn, pushVoteEffects, set, tell } from '../turn.ts'
import { askOwnVote, giveBackOwnVote, noteOutranked } from '../candidate.ts'
import { isUnderWay, withGrant, withRefusal } from '../lease.ts'

export function bookPeerReport(turn: Turn, event: GuardEvent & { type: 'peer-report' }): void {
  const { report, beat, leaseMs, atMs } = event
  const guardBefore = turn.guard
  const before = guardBefore.peerReport
  const peer = turn.guard.peer
  if (peer === null) return
  set(turn, {
    peerHeardAtMs: atMs,
    peerReport: report,
    peerReportedAtMs: atMs,
  })
  noteOutranked(turn, guardBefore)
  bookPeersVotes(turn, report)
  hastenReturn(turn, before)

  if (report.release) {
    const { voter, effects } = releaseVote(turn.guard.voter, peer)
    set(turn, { voter })
    turn.effects.push(...effects)
  }

  const rivalled = before !== null && showsVip(before)
  if (turn.guard.phase.name === 'holding') {
    if (rivalled && !showsVip(report)) {
      turn.effects.push({ type: 'announce' })
      tell(turn, 'rival-gone', 'info', `${peer} released the VIP; this node announces it again.`)
    } else if (report.ask !== null && before?.ask == null) {
      turn.effects.push({ type: 'announce' })
      tell(
        turn,
        'rival',
        'warning',
        `${peer} also became MASTER (${report.why}); this node has the lease and keeps the VIP, and ${peer} has to release it. If this happens again, check that VRRP (IP protocol 112) passes in both directions.`,
      )
    }
  }

  if (report.ask !== null) noteFarAhead(turn, peer, report.ask.epoch)
  const vote: Vote =
    report.ask === null
      ? { kind: 'none' }
      : isFromBeforeStandstill(turn, event)
        ? {
            kind: 'refused',
            reason: 'recording',
            text: 'this agent stood still, and first wants to know who is alive',
          }
        : voteForPeer(turn, { peer, epoch: report.ask.epoch, leaseMs })
  // A candidate reports the epoch under which it asks. Learning it here would make its own request stale.
  if (report.ask === null) learnEpochFrom(turn, peer, report.epoch)
  if (vote.kind === 'pending') set(turn, { peerBeatPending: beat })
  answerPeer(turn, beat, vote)
}

/**
 * A heartbeat that waited in the socket while this agent stood still: its sender may be dead by now. A vote would be
 * worth nothing to it, and would keep this node from the VIP for T_g. A peer that is alive asks again at once.
 */
function isFromBeforeStandstill({ guard }: Turn, { echoMs }: GuardEvent & { type: 'peer-report' }): boolean {
  if (guard.resumedAtMs === null || echoMs === undefined) return false
  return (echoMs ?? -Infinity) < guard.resumedAtMs
}

function voteForPeer(turn: Turn, ask: { peer: string; epoch: number; leaseMs: number }): Vote {
  const { guard, atMs } = turn
  const own = promisedTo(guard.voter, atMs)
  if (guard.phase.name === 'claiming' && own?.node !== ask.peer) return settleContest(turn, ask.peer)
  const { voter, effects, decision } = askVote(guard.voter, { ...ask, from: ask.peer, atMs }, guard.timing)
  set(turn, { voter })
  pushVoteEffects(turn, effects)
  return decision
}

/**
 * Both nodes are MASTER without a lease. The less preferred one gives way, and votes once its VIP is gone. A node
 * does not give way if it only confirms a VIP that it already had, or if a majority is already voting for it: the
 * other node can no longer win, and if both gave up, no node would have the VIP.
 */
function settleContest(turn: Turn, peer: string): Vote {
  const { node, gateway, peerReport, phase, candidacy } = turn.guard
  if (phase.name === 'claiming' && phase.adopts)
    return {
      kind: 'refused',
      reason: 'outranked',
      text: `${node} already had the VIP and is confirming its lease`,
    }
  if (candidacy !== null && isUnderWay(candidacy, votersOf(turn.guard), { kept: keptVoter(turn.guard) }))
    return { kind: 'refused', reason: 'outranked', text: `a majority is already voting for ${node}` }
  const rank = compareCandidates(
    { node, priority: priorityOf(turn.guard), gateway },
    { node: peer, priority: peerReport?.priority ?? 0, gateway: peerReport?.gateway ?? 'unknown' },
    null,
  )
  if (rank < 0)
    return {
      kind: 'refused',
      reason: 'outranked',
      text: `${node} claimed at the same moment and is preferred`,
    }
  if (!enforces(turn.guard))
    return { kind: 'refused', reason: 'outranked', text: `${node} has the VIP and does not enforce yet` }
  startFence(turn, { reason: `${peer} claimed at the same moment and is preferred`, first: 'bar' })
  return { kind: 'refused', reason: 'yielding', text: `${node} is giving way` }
}

function answerPeer(turn: Turn, beat: number, vote: Vote): void {
  const { voter, profile } = turn.guard
  const returnsVote = returnedEpoch(turn.guard)
  const countsVote = countedEpoch(turn.guard)
  const reply = {
    ...replyOf(voter, { instance: profile.instance, vote, atMs: turn.atMs }),
    ...(turn.guard.ballotFails ? { writesFail: true as const } : {}),
    ...(returnsVote === undefined ? {} : { returnsVote }),
    ...(countsVote === undefined ? {} : { countsVote }),
  }
  turn.effects.push({ type: 'answer-peer', beat, verdict: reply })
}

export function bookRecorded(turn: Turn, event: GuardEvent & { type: 'recorded' }): void {
  const { guard, atMs } = turn
  set(turn, { recordTookMs: event.tookMs, recordedAtMs: event.atMs })
  noteDiskWorks(turn)
  const result = ballotRecorded(guard.voter, event.ballot, { atMs, timing: guard.timing })
  if (result === null) return
  set(turn, { voter: result.voter })
  pushVoteEffects(turn, result.effects)
  const { pledge } = guard.voter
  const stood = pledge.phase === 'recording' && pledge.stood !== undefined
  if (event.ballot.standing === true || stood) bookStandingRecorded(turn, event.ballot)
  if (event.ballot.to !== guard.node)
    return answerPendingPeer(turn, { kind: 'granted', epoch: event.ballot.epoch })
  const { candidacy } = guard
  if (candidacy?.epoch === event.ballot.epoch)
    return set(turn, { candidacy: withGrant(candidacy, guard.node, candidacy.ownAskedAtMs) })
  // The claim was given up or raised to a higher epoch while the disk was busy.
  if (candidacy !== null) askOwnVote(turn)
  // While the VIP may still be here, an older lease may still be in use.
  else if (!holdsVip(guard)) giveBackOwnVote(turn)
}

/** Reports to the peer at once that this node's vote is delegated to it, or is an ordinary one again. */
function bookStandingRecorded(turn: Turn, { to, standing }: Ballot): void {
  turn.effects.push({ type: 'beat' })
  if (standing === true && turn.guard.leave === 'lent')
    return tell(turn, 'vote-lent', 'warning', `${lentText(turn.guard, turn.atMs)}.`)
  if (standing === true)
    return tell(
      turn,
      'vote-left',
      'info',
      `This node is leaving at its operator's request; its vote is delegated to ${to} until it comes back.`,
    )
  turn.effects.push({ type: 'vote-left', on: false })
  tell(turn, 'vote-back', 'info', `${to} returned the vote that this node had delegated to it.`)
}

export function bookRecordFailed(turn: Turn, event: GuardEvent & { type: 'record-failed' }): void {
  const { guard } = turn
  const text = `the vote for ${event.ballot.to} cannot be written to disk: ${event.error}`
  set(turn, { voter: ballotLost(guard.voter, event.ballot) })
  if (event.ballot.standing === true && leftWith(turn.guard.voter) === null) {
    bookLendFailed(turn)
    turn.effects.push({ type: 'vote-left', on: false })
  }
  if (!guard.ballotFails)
    tell(
      turn,
      'promise-not-written',
      'critical',
      `${text}. This node cannot vote for a new holder until its disk can be written again; it keeps trying.`,
    )
  set(turn, { ballotFails: true, diskTriedAtMs: guard.diskTriedAtMs === Infinity ? Infinity : turn.atMs })
  if (event.ballot.to !== guard.node)
    return answerPendingPeer(turn, { kind: 'refused', reason: 'ledger', text })
  const { candidacy } = guard
  if (candidacy?.epoch !== event.ballot.epoch) return
  const refusal = { reason: 'ledger', text, sentAtMs: candidacy.ownAskedAtMs } as const
  set(turn, { candidacy: withRefusal(candidacy, guard.node, refusal) })
}

function answerPendingPeer(turn: Turn, vote: Vote): void {
  const { peerBeatPending } = turn.guard
  if (peerBeatPending === null) return
  set(turn, { peerBeatPending: null })
  answerPeer(turn, peerBeatPending, vote)
}
