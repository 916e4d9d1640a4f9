/**
 * One voter's vote on one instance: to whom it is promised, until when, and what must be on disk before that. Pure.
 * The witness's arbiter and the agent's guard both decide with this code.
 *
 * Invariant: at any instant, at most one candidate has an unexpired promise of this voter, whatever crashes. A
 * promise is on disk before it is given, and after a restart no new candidate gets one until every earlier promise
 * has expired.
 */
import type { Epoch, NodeName } from '../../protocol/names.ts'
import type { RefusalReason, VoterReply, Vote } from '../../protocol/messages.ts'
import { assertNever } from '../../assert-never.ts'

/** The last promise to a new holder, as the ledger holds it. Renewals do not change it. */
export interface Ballot {
  readonly to: NodeName
  readonly epoch: Epoch
  /**
   * The promise does not expire, because the voter's node left and delegated its vote to this one. Absent: an
   * ordinary promise.
   */
  readonly standing?: true | undefined
}

/**
 * How long the promise under `epoch` lasts. Kept in the host's memory (tmpfs), so it survives the process but not a
 * reboot.
 */
export interface Mark {
  readonly epoch: Epoch
  readonly untilMs: number
}

export type Pledge =
  /** Nobody has the vote. */
  | { readonly phase: 'free' }
  /** After a restart. Earlier promises may be in use until then, so only the recorded holder may renew. */
  | { readonly phase: 'waiting'; readonly untilMs: number }
  /**
   * The ballot is being written to disk, and the promise is not given yet. `boundUntilMs`: until when an older
   * promise to the same node may be in use.
   */
  | {
      readonly phase: 'recording'
      readonly ballot: Ballot
      readonly boundUntilMs: number
      /** The standing vote before this ballot. It stays in force if the ballot cannot be written. */
      readonly stood?: Standing
      /**
       * The promise that this ballot turns into a standing vote. It is renewed in the meantime: the holder must not lose
       * its lease to a slow disk. It stays in force if the ballot cannot be written.
       */
      readonly renewed?: Promised
    }
  | Promised
  /** The voter's own node left and delegated its vote to `to`. It does not expire, and ends when `to` returns it. */
  | Standing

export interface Promised {
  readonly phase: 'promised'
  readonly to: NodeName
  readonly epoch: Epoch
  readonly grantedAtMs: number
  readonly untilMs: number
}

export interface Standing {
  readonly phase: 'standing'
  readonly to: NodeName
  readonly epoch: Epoch
  readonly sinceMs: number
}

export interface Voter {
  readonly pledge: Pledge
  /** The ballot that is surely on disk; null: none, or not known. */
  readonly record: Ballot | null
  /** A ballot that could not be written. It may be tried again, because no other ballot has its epoch. */
  readonly lost: Ballot | null
  /** The highest epoch that a ballot of this voter has used, written or not. It is never given again. */
  readonly spentEpoch: Epoch
  /** The highest epoch that this voter has spent or heard of. */
  readonly epoch: Epoch
}

export type VoteEffect =
  /** Write the ballot durably, then report `ballotRecorded` or `ballotLost`. */
  | { readonly type: 'record'; readonly ballot: Ballot }
  /** Note in the host's memory until when the promise lasts, before the grant leaves. */
  | { readonly type: 'mark'; readonly mark: Mark }

export interface Refusal {
  readonly kind: 'refused'
  readonly reason: RefusalReason
  readonly text: string
}

export type VoteDecision =
  | { readonly kind: 'granted'; readonly epoch: Epoch }
  | { readonly kind: 'pending'; readonly epoch: Epoch }
  | Refusal

/** What was found on disk at the start. `lost`: missing, torn, of another format, or rolled back. */
export type RecoveredBallot = { kind: 'valid'; ballot: Ballot | null; mark: Mark | null } | { kind: 'lost' }

/** Frees the vote if its promise or its wait has expired at `atMs`. */
export function expireVote(voter: Voter, atMs: number): Voter {
  const { pledge } = voter
  switch (pledge.phase) {
    case 'waiting':
    case 'promised':
      return pledge.untilMs <= atMs ? { ...voter, pledge: { phase: 'free' } } : voter
    case 'free':
    case 'recording':
    case 'standing':
      return voter
    default:
      return assertNever(pledge)
  }
}

/**
 * By how much one message of another moves an epoch. An honest one is ahead by the changes of holder that this voter did
 * not see, and by a thousand for each lost ledger (`epochLeapAfterLoss`). One that lies must not use up the numbers.
 */
export const epochStep = 10_000

/** Whether nobody who is honest can be so far ahead, unless this voter's own epochs were lost. */
export function isFarAhead(voter: Voter, epoch: Epoch): boolean {
  return epoch > voter.epoch + epochStep
}

/** Another voter or node says that it knows of a higher epoch. One that is far ahead is followed step by step. */
export function learnEpoch(voter: Voter, epoch: Epoch): Voter {
  return epoch > voter.epoch ? { ...voter, epoch: nearestTo(voter, epoch) } : voter
}

/** The epoch, or as far towards it as one message may move this voter. */
export function nearestTo(voter: Voter, epoch: Epoch): Epoch {
  return Math.min(epoch, voter.epoch + epochStep)
}

export interface Ask {
  readonly from: NodeName
  readonly epoch: Epoch
  /** T_h of the candidate. */
  readonly leaseMs: number
  readonly atMs: number
}

export interface VoteResult {
  readonly voter: Voter
  readonly effects: readonly VoteEffect[]
  readonly decision: VoteDecision
}

/**
 * To whom the voter's node delegated its vote; null: it has its own vote. The delegation still stands while the next
 * ballot is being written.
 */
export function leftWith({ pledge }: Voter): { readonly to: NodeName; readonly epoch: Epoch } | null {
  const standing = pledge.phase === 'recording' ? pledge.stood : pledge
  return standing?.phase === 'standing' ? standing : null
}

/** The promise or the standing vote that binds at `atMs`, also while the next ballot is written; null: none. */
export function inForce({ pledge }: Voter, atMs: number): Promised | Standing | null {
  const promise = pledge.phase === 'recording' ? (pledge.stood ?? pledge.renewed) : pledge
  if (promise?.phase === 'standing') return promise
  return promise?.phase === 'promised' && promise.untilMs > atMs ? promise : null
}

/** To whom the vote is promised at `atMs`, under which epoch, and when it was last renewed. */
export function promisedTo(
  voter: Voter,
  atMs: number,
): { node: NodeName; epoch: Epoch; renewedAtMs: number } | null {
  const promise = inForce(voter, atMs)
  if (promise === null) return null
  const renewedAtMs = promise.phase === 'standing' ? promise.sinceMs : promise.grantedAtMs
  return { node: promise.to, epoch: promise.epoch, renewedAtMs }
}

/** What a voter answers for one instance: its vote, and what it knows about the holder. */
export function replyOf(
  voter: Voter,
  { instance, vote, atMs }: { instance: string; vote: Vote; atMs: number },
): VoterReply {
  const promise = promisedTo(voter, atMs)
  return {
    instance,
    vote,
    holder: promise?.node ?? null,
    renewedAgoMs: promise === null ? null : Math.max(0, atMs - promise.renewedAtMs),
    epoch: voter.epoch,
  }
}
