/**
 * The witness's vote: what a report releases and asks for, claims that compete at the same moment, and ballots that
 * have reached the disk. Pure.
 */
import { compareCandidates } from '../../../shared/core/preference.ts'
import type { Beat, VoterReply, Vote } from '../../../shared/protocol/messages.ts'
import { type NodeName, maxNodes } from '../../../shared/protocol/names.ts'
import type { Report } from '../../../shared/protocol/report.ts'
import { silenceMs } from '../../../shared/core/timing.ts'
import { askVote, ballotLost, ballotRecorded, releaseVote } from '../../../shared/core/vote/ask.ts'
import {
  type Ballot,
  isFarAhead,
  learnEpoch,
  nearestTo,
  promisedTo,
} from '../../../shared/core/vote/voter.ts'
import { distrustLedger } from '../../../shared/core/vote/recovery.ts'
import type { ArbiterEvent, Claim } from './state.ts'
import {
  answerNode,
  answerPendingBeat,
  answerPendingChecks,
  change,
  couldTake,
  hasRoomFor,
  instanceOf,
  occurred,
  pushVoteEffects,
  refuseMessage,
  type Turn,
  replyFor,
  tellFull,
} from './turn.ts'
import type { NodeState } from './roster.ts'

/** Handles what one node reports for one instance: facts first, then its request. */
export function bookReport(turn: Turn, node: NodeState, beat: Beat, report: Report): VoterReply[] {
  const { instance } = report
  if (!hasRoomFor(turn, instance)) {
    refuseMessage(turn, 'too-many-instances')
    tellFull(turn, node.member.name, instance)
    return []
  }
  noteFarAhead(turn, node, report)
  distrustRolledBackLedger(turn, node, report)
  const { checkPermittedAtMs } = instanceOf(turn, instance)
  if (report.release && (beat.echoMs ?? -Infinity) >= checkPermittedAtMs) {
    const { voter, effects } = releaseVote(instanceOf(turn, instance).voter, node.member.name)
    change(turn, instance, { voter })
    pushVoteEffects(turn, instance, effects)
  }
  const claim = report.ask && {
    node: node.member.name,
    epoch: report.ask.epoch,
    leaseMs: beat.leaseMs,
    seq: beat.seq,
  }
  const vote: Vote = claim === null ? { kind: 'none' } : voteOn(turn, instance, claim)
  // A candidate reports the epoch that it asks for. To learn that epoch here would make its own request stale.
  if (claim === null)
    change(turn, instance, { voter: learnEpoch(instanceOf(turn, instance).voter, report.epoch) })
  return [replyFor(turn, instance, vote)]
}

/** What one node says moves the epochs by little, whatever it says. That it says more is counted, and told once. */
function noteFarAhead(turn: Turn, node: NodeState, report: Report): void {
  const { instance } = report
  const { voter, farAhead } = instanceOf(turn, instance)
  const { name } = node.member
  const said = Math.max(report.epoch, report.witnessEpoch, report.ask?.epoch ?? 0)
  if (!isFarAhead(voter, said)) {
    if (farAhead === name) change(turn, instance, { farAhead: null })
    return
  }
  refuseMessage(turn, 'epoch-too-high')
  if (farAhead === name) return
  change(turn, instance, { farAhead: name })
  occurred(turn, {
    event: 'epoch-too-high',
    level: 'critical',
    instance,
    node: name,
    text: `${name} reports epoch ${said}, but the highest epoch known here is ${voter.epoch}. The witness follows in small steps only. Unless the ledger of the witness was lost, ${name} does not say what is so: find out who controls it.`,
    evidence: { said, known: voter.epoch },
    decision: 'epochs move by little',
  })
}

/** If an agent remembers a grant that this ledger does not, the ledger is older than its promises. */
function distrustRolledBackLedger(turn: Turn, node: NodeState, report: Report): void {
  const { instance } = report
  const { voter, recordedEpoch } = instanceOf(turn, instance)
  const witnessEpoch = nearestTo(voter, report.witnessEpoch)
  if (witnessEpoch <= recordedEpoch) return
  const { timing } = turn.arbiter
  const distrusted = distrustLedger(voter, {
    seenEpoch: witnessEpoch,
    atMs: turn.atMs,
    reserveMs: timing.reserveMs,
  })
  const text = 'the ledger proved to be older than its promises, so everyone waits until they have expired'
  answerPendingBeat(turn, instance, { kind: 'refused', reason: 'waiting', text })
  answerPendingChecks(turn, instance, { permit: false, text })
  change(turn, instance, { voter: distrusted.voter, recordedEpoch: witnessEpoch, contest: null })
  pushVoteEffects(turn, instance, distrusted.effects)
  occurred(turn, {
    event: 'ledger-rolled-back',
    level: 'critical',
    instance,
    node: node.member.name,
    text: `The witness granted epoch ${witnessEpoch} to ${node.member.name}, but its ledger knows only epoch ${recordedEpoch}, so the ledger was lost or rolled back. Everyone waits ${timing.reserveMs} ms; new epochs start above ${distrusted.voter.epoch}.`,
    evidence: { witnessEpoch, recordedEpoch },
    decision: 'everyone waits',
  })
}

export function conflictVote(node: NodeName): Vote {
  return { kind: 'refused', reason: 'conflict', text: `two live agents call themselves ${node}` }
}

function voteOn(turn: Turn, instance: string, claim: Claim): Vote {
  const node = turn.nodes.get(claim.node)
  const { voter, contest, pendingBeat } = instanceOf(turn, instance)
  const renews = promisedTo(voter, turn.atMs)?.node === claim.node
  if (node?.double != null && !renews) return conflictVote(claim.node)
  if (
    voter.pledge.phase === 'free' &&
    voter.record?.epoch !== claim.epoch &&
    isContestable(turn, instance, claim)
  ) {
    const claims = [...(contest?.claims ?? []).filter((other) => other.node !== claim.node), claim]
    change(turn, instance, {
      contest: { claims, untilMs: contest?.untilMs ?? turn.atMs + turn.arbiter.timing.claimMs / 2 },
    })
    if (claims.length === maxNodes) closeContest(turn, instance)
    const decided = instanceOf(turn, instance).voter.pledge
    if (decided.phase === 'recording' && decided.ballot.to !== claim.node)
      return {
        kind: 'refused',
        reason: 'outranked',
        text: `${decided.ballot.to} claimed at the same moment and is preferred`,
      }
    return { kind: 'pending', epoch: claim.epoch }
  }
  const {
    voter: asked,
    effects,
    decision,
  } = askVote(voter, { ...claim, from: claim.node, atMs: turn.atMs }, turn.arbiter.timing)
  change(turn, instance, {
    voter: asked,
    pendingBeat: decision.kind === 'pending' ? { node: claim.node, seq: claim.seq } : pendingBeat,
  })
  if (decision.kind !== 'refused') noteBoot(turn, instance, claim.node)
  pushVoteEffects(turn, instance, effects)
  return decision
}

/** Whose boot the promise is for: after a reboot it is worth nothing to the node. */
function noteBoot(turn: Turn, instance: string, node: NodeName): void {
  change(turn, instance, { heldByBootId: turn.nodes.get(node)?.session?.hello.bootId ?? null })
}

/**
 * Whether a rival claim may be on its way: the candidate does not hear its peer, but the peer's agent is live here and
 * could take the VIP. If the nodes hear each other, the peer's own vote decides and nothing has to wait.
 */
function isContestable(turn: Turn, instance: string, claim: Claim): boolean {
  const silence = silenceMs(turn.arbiter.timing)
  const heardPeer = turn.nodes.get(claim.node)?.reports.get(instance)?.peerSilentMs ?? Infinity
  if (heardPeer < silence) return false
  return [...turn.nodes.values()].some(
    (other) => other.member.name !== claim.node && couldTake(turn, other, instance),
  )
}

/** Ends the wait for rival claims: the preferred claim asks for the vote, the others learn that they lost. */
export function closeContest(turn: Turn, instance: string): void {
  const { contest, lastHolder, voter } = instanceOf(turn, instance)
  if (contest === null) return
  const rankOf = (claim: Claim): Parameters<typeof compareCandidates>[0] => {
    const report = turn.nodes.get(claim.node)?.reports.get(instance)
    return { node: claim.node, priority: report?.priority ?? 0, gateway: report?.gateway ?? 'unknown' }
  }
  const [winner, ...losers] = [...contest.claims].sort((a, b) =>
    compareCandidates(rankOf(a), rankOf(b), lastHolder),
  )
  change(turn, instance, { contest: null })
  if (winner === undefined) return
  const result = askVote(voter, { ...winner, from: winner.node, atMs: turn.atMs }, turn.arbiter.timing)
  const asked = { node: winner.node, seq: winner.seq }
  change(turn, instance, { voter: result.voter })
  if (result.decision.kind !== 'refused') noteBoot(turn, instance, winner.node)
  pushVoteEffects(turn, instance, result.effects)
  // Another ballot may be under way by now, and the node that asked for that one still waits for its answer.
  if (result.decision.kind === 'pending') change(turn, instance, { pendingBeat: asked })
  else answerNode(turn, { ...asked, instance }, result.decision)
  const text = `${winner.node} claimed at the same moment and is preferred`
  for (const { node, seq } of losers)
    answerNode(turn, { node, seq, instance }, { kind: 'refused', reason: 'outranked', text })
  if (losers.length > 0)
    occurred(turn, {
      event: 'contested',
      level: 'warning',
      instance,
      node: winner.node,
      text: `${[winner, ...losers].map(({ node }) => node).join(' and ')} became MASTER at the same moment and nobody held the lease; ${winner.node} is preferred (compared by gateway, last holder, priority and name).`,
      evidence: { claims: contest.claims.map(rankOf), lastHolder },
      decision: `vote for ${winner.node}`,
    })
}

export function bookRecorded(turn: Turn, instance: string, ballot: Ballot): void {
  const { voter, lastHolder } = instanceOf(turn, instance)
  const result = ballotRecorded(voter, ballot, { atMs: turn.atMs, timing: turn.arbiter.timing })
  if (result === null) return
  change(turn, instance, {
    voter: result.voter,
    recordedEpoch: ballot.epoch,
    lastHolder: ballot.to,
  })
  pushVoteEffects(turn, instance, result.effects)
  noteLedgerWorks(turn)
  answerPendingBeat(turn, instance, { kind: 'granted', epoch: ballot.epoch })
  answerPendingChecks(turn, instance, {
    permit: true,
    text: `${ballot.to} has the vote of the witness (epoch ${ballot.epoch})`,
  })
  occurred(turn, {
    event: lastHolder === ballot.to ? 'holder-confirmed' : 'holder-changed',
    level: 'info',
    instance,
    node: ballot.to,
    text:
      lastHolder === null || lastHolder === ballot.to
        ? `The witness votes for ${ballot.to} (epoch ${ballot.epoch}).`
        : `The witness votes for ${ballot.to} (epoch ${ballot.epoch}); its previous vote was for ${lastHolder}, which released it or let it expire.`,
    evidence: { epoch: ballot.epoch, lastHolder },
    decision: `vote for ${ballot.to}`,
  })
}

export function bookRecordFailed(turn: Turn, event: ArbiterEvent & { type: 'record-failed' }): void {
  const { instance, ballot, error } = event
  change(turn, instance, { voter: ballotLost(instanceOf(turn, instance).voter, ballot) })
  const text = `the witness cannot write its ledger: ${error}`
  answerPendingBeat(turn, instance, { kind: 'refused', reason: 'ledger', text })
  answerPendingChecks(turn, instance, { permit: false, text })
  const { ledgerFails } = instanceOf(turn, instance)
  change(turn, instance, { ledgerFails: true })
  // The write is tried again with each heartbeat, but its failure is reported once.
  if (ledgerFails) return
  occurred(turn, {
    event: 'ledger-not-written',
    level: 'critical',
    instance,
    node: ballot.to,
    text: `The vote for ${ballot.to} (epoch ${ballot.epoch}) could not be written to the ledger: ${error}. No new holder gets this vote until the ledger can be written again; renewals continue.`,
    evidence: { epoch: ballot.epoch, error },
    decision: 'vote withheld',
  })
}

/** How soon a ledger that could not be written is tried again without a claim. */
const tryAgainMs = 2000

/** Nobody has to become MASTER to find out whether the witness can vote again. */
export function tryLedger(turn: Turn): void {
  const { arbiter, atMs, instances } = turn
  if (atMs < arbiter.ledgerTriedAtMs + tryAgainMs) return
  if (![...instances.values()].some(({ ledgerFails }) => ledgerFails)) return
  turn.arbiter = { ...arbiter, ledgerTriedAtMs: Infinity }
  turn.effects.push({ type: 'try-ledger' })
}

export function bookLedgerTried(turn: Turn, error: string | null): void {
  turn.arbiter = { ...turn.arbiter, ledgerTriedAtMs: turn.atMs }
  if (error === null) noteLedgerWorks(turn)
}

/** All instances are in one file. */
function noteLedgerWorks(turn: Turn): void {
  const failed = [...turn.instances].filter(([, { ledgerFails }]) => ledgerFails)
  if (failed.length === 0) return
  for (const [instance] of failed) change(turn, instance, { ledgerFails: false })
  occurred(turn, {
    event: 'ledger-writable',
    level: 'info',
    instance: null,
    node: null,
    text: 'The ledger can be written again, so the witness votes again.',
    evidence: {},
    decision: 'votes again',
  })
}
