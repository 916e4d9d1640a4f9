/**
 * A voter is asked for its vote: it grants, renews or refuses it, or first writes the ballot to disk. Also what the
 * end of that write changes, and how a vote is given back. Pure.
 */
import {
  type Ask,
  type Ballot,
  type Pledge,
  type Promised,
  type Standing,
  type VoteEffect,
  type VoteResult,
  type Voter,
  expireVote,
  isFarAhead,
  learnEpoch,
} from './voter.ts'
import { type Timing, reserveNeededMs } from '../timing.ts'
import type { RefusalReason } from '../../protocol/messages.ts'
import { assertNever } from '../../assert-never.ts'
import type { Epoch, NodeName } from '../../protocol/names.ts'

/** A candidate asks for the vote, to win it or to renew it. */
export function askVote(before: Voter, ask: Ask, timing: Timing): VoteResult {
  const voter = expireVote(before, ask.atMs)
  const refuse = (reason: RefusalReason, text: string): VoteResult => ({
    voter,
    effects: [],
    decision: { kind: 'refused', reason, text },
  })

  const neededMs = reserveNeededMs(ask.leaseMs, timing.driftPpm)
  if (neededMs > timing.reserveMs)
    return refuse(
      'lease-too-long',
      `${ask.from} uses a vote for ${ask.leaseMs} ms, which needs a promise of ${neededMs} ms, but this voter keeps its promises for ${timing.reserveMs} ms only; use the same timing on all hosts`,
    )

  // A ballot spends its epoch, so one that is far ahead is not written. An honest candidate is met in a few steps, which
  // stay below the epoch for which it asks.
  if (isFarAhead(voter, ask.epoch))
    return {
      ...refuse('stale-epoch', `epoch ${ask.epoch} is too far above ${voter.epoch}, the highest known here`),
      voter: learnEpoch(voter, ask.epoch),
    }

  const { pledge } = voter
  switch (pledge.phase) {
    case 'recording': {
      const renewed = renewWhileRecording(voter, ask, timing)
      if (renewed !== null) return renewed
      if (pledge.ballot.to === ask.from && pledge.ballot.epoch === ask.epoch)
        return { voter, effects: [], decision: { kind: 'pending', epoch: ask.epoch } }
      if (pledge.renewed !== undefined && pledge.renewed.untilMs > ask.atMs && pledge.renewed.to !== ask.from)
        return refuse('promised', promisedText(pledge.renewed, ask.atMs))
      return refuse(
        'recording',
        `the vote is being given to ${pledge.ballot.to} (epoch ${pledge.ballot.epoch})`,
      )
    }

    case 'promised':
      if (pledge.to !== ask.from) return refuse('promised', promisedText(pledge, ask.atMs))
      break

    case 'standing':
      if (pledge.to !== ask.from) return refuse('promised', standingText(pledge))
      // A standing vote needs no renewal. The mark is for the time when it is an ordinary promise again.
      if (pledge.epoch === ask.epoch) return grantStanding(voter, pledge, ask.atMs, timing)
      break

    case 'waiting':
      if (voter.record?.to !== ask.from)
        return refuse(
          'waiting',
          `${voter.record?.to ?? 'another node'} may still be using an earlier promise of this vote for ${Math.round(pledge.untilMs - ask.atMs)} ms`,
        )
      break

    case 'free':
      break

    default:
      return assertNever(pledge)
  }

  // From here the vote is free or already the candidate's.
  if (voter.record?.to === ask.from && voter.record.epoch === ask.epoch)
    return grant(voter, voter.record, ask.atMs, timing)
  const lost = voter.lost?.to === ask.from && voter.lost.epoch === ask.epoch
  // An epoch that this voter has only heard of may be the candidate's own, heard of before its request came.
  if ((!lost && ask.epoch <= voter.spentEpoch) || ask.epoch < voter.epoch)
    return refuse(
      'stale-epoch',
      `epoch ${ask.epoch} has already been used; the highest epoch known here is ${voter.epoch}`,
    )
  const ballot: Ballot =
    pledge.phase === 'standing'
      ? { to: ask.from, epoch: ask.epoch, standing: true }
      : { to: ask.from, epoch: ask.epoch }
  return recordNext(voter, ballot, ask.atMs)
}

function promisedText({ to, epoch, grantedAtMs, untilMs }: Promised, atMs: number): string {
  return `${to} has the vote (epoch ${epoch}, renewed ${Math.round(atMs - grantedAtMs)} ms ago, kept for another ${Math.round(untilMs - atMs)} ms)`
}

/**
 * The vote of this holder becomes a standing vote, or an ordinary one again, and the disk is not ready yet. What it has
 * is on disk, so it is renewed. @returns null: it has none under this epoch
 */
function renewWhileRecording(voter: Voter, ask: Ask, timing: Timing): VoteResult | null {
  const { pledge } = voter
  if (pledge.phase !== 'recording') return null
  const { renewed, stood } = pledge
  const has = renewed ?? stood
  if (has?.to !== ask.from || has.epoch !== ask.epoch) return null
  const untilMs = ask.atMs + timing.reserveMs
  const next =
    renewed === undefined
      ? pledge
      : { ...pledge, boundUntilMs: untilMs, renewed: { ...renewed, grantedAtMs: ask.atMs, untilMs } }
  return {
    voter: { ...voter, pledge: next },
    effects: [{ type: 'mark', mark: { epoch: has.epoch, untilMs } }],
    decision: { kind: 'granted', epoch: ask.epoch },
  }
}

/** Begins to write `ballot`. Until it is on disk, an earlier promise to the same node stays binding. */
export function recordNext(voter: Voter, ballot: Ballot, atMs: number): VoteResult {
  const { pledge } = voter
  const boundUntilMs = boundUntil(pledge, atMs)
  const stood = pledge.phase === 'standing' ? { stood: pledge } : {}
  const renewed = pledge.phase === 'promised' && ballot.standing === true ? { renewed: pledge } : {}
  return {
    voter: {
      ...voter,
      spentEpoch: Math.max(voter.spentEpoch, ballot.epoch),
      epoch: Math.max(voter.epoch, ballot.epoch),
      pledge: { phase: 'recording', ballot, boundUntilMs, ...stood, ...renewed },
    },
    effects: [{ type: 'record', ballot }],
    decision: { kind: 'pending', epoch: ballot.epoch },
  }
}

function boundUntil(pledge: Pledge, atMs: number): number {
  switch (pledge.phase) {
    case 'free':
      return atMs
    case 'recording':
      return pledge.boundUntilMs
    case 'waiting':
    case 'promised':
      return pledge.untilMs
    case 'standing':
      return Infinity
    default:
      return assertNever(pledge)
  }
}

/** The refusal if another node asks for a vote that was delegated to `to`. */
function standingText({ to, epoch }: { to: NodeName; epoch: Epoch }): string {
  return (
    `this node delegated its vote to ${to} (epoch ${epoch}), and ${to} may still be relying on it although we cannot see it. ` +
    `This node votes again once ${to} returns it. If ${to} is gone for good, run witness-agent take-vote-back on this node`
  )
}

function grant(voter: Voter, ballot: Ballot, atMs: number, timing: Timing): VoteResult {
  const untilMs = atMs + timing.reserveMs
  return {
    voter: { ...voter, pledge: { phase: 'promised', ...ballot, grantedAtMs: atMs, untilMs } },
    effects: [{ type: 'mark', mark: { epoch: ballot.epoch, untilMs } }],
    decision: { kind: 'granted', epoch: ballot.epoch },
  }
}

function grantStanding(voter: Voter, pledge: Standing, atMs: number, timing: Timing): VoteResult {
  const { epoch } = pledge
  return {
    voter: { ...voter, pledge },
    effects: [{ type: 'mark', mark: { epoch, untilMs: atMs + timing.reserveMs } }],
    decision: { kind: 'granted', epoch },
  }
}

/**
 * The ballot is on disk, so the promise may be given. @returns null: this ballot is no longer being recorded, and
 * nothing changes
 */
export function ballotRecorded(
  voter: Voter,
  ballot: Ballot,
  at: { atMs: number; timing: Timing },
): VoteResult | null {
  if (!isRecording(voter, ballot)) return null
  if (ballot.standing !== true)
    return grant({ ...voter, record: ballot, lost: null }, ballot, at.atMs, at.timing)
  const { to, epoch } = ballot
  const pledge: Standing = { phase: 'standing', to, epoch, sinceMs: at.atMs }
  return grantStanding({ ...voter, record: ballot, lost: null }, pledge, at.atMs, at.timing)
}

/**
 * The ballot could not be written, and it is not known what is on disk. The vote is not given, its epoch is spent,
 * and no node may renew because of the old record. An earlier promise to the same node must expire first.
 */
export function ballotLost(voter: Voter, ballot: Ballot): Voter {
  const { pledge } = voter
  if (!isRecording(voter, ballot) || pledge.phase !== 'recording') return voter
  if (pledge.stood !== undefined) return { ...voter, record: null, lost: ballot, pledge: pledge.stood }
  // The disk has the ballot of the promise, or the same one as a standing vote, which binds no less.
  if (pledge.renewed !== undefined) return { ...voter, pledge: pledge.renewed }
  return { ...voter, record: null, lost: ballot, pledge: { phase: 'waiting', untilMs: pledge.boundUntilMs } }
}

function isRecording(voter: Voter, ballot: Ballot): boolean {
  const { pledge } = voter
  return (
    pledge.phase === 'recording' &&
    pledge.ballot.to === ballot.to &&
    pledge.ballot.epoch === ballot.epoch &&
    pledge.ballot.standing === ballot.standing
  )
}

/**
 * A node gives the vote back after it has proved that its VIP is gone. While this voter waits after a restart it
 * accepts none back, because it does not know yet which agent speaks for the node.
 */
export function releaseVote(voter: Voter, from: NodeName): { voter: Voter; effects: readonly VoteEffect[] } {
  const { pledge } = voter
  if (pledge.phase !== 'promised' || pledge.to !== from) return { voter, effects: [] }
  return {
    voter: { ...voter, pledge: { phase: 'free' } },
    effects: [{ type: 'mark', mark: { epoch: pledge.epoch, untilMs: 0 } }],
  }
}
