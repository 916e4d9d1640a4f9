/**
 * One voter's vote on one instance: whom it is promised to, until when, and what must be on disk before that.
 * Pure: the witness's arbiter and the agent's guard both decide with this code.
 *
 * Invariant: at any instant at most one candidate has an unexpired promise of this voter, over every crash: a promise
 * is on disk before it is given, and after a restart nobody new gets one until every promise given before has ended.
 */
import type { Epoch, NodeName } from '../../protocol/names.ts'
import type { RefusalReason, Verdict, Vote } from '../../protocol/messages.ts'
import { assertNever } from '../../assert-never.ts'

/** The last promise to a new holder: what the ledger holds. Renewals do not change it. */
export interface Ballot {
  readonly to: NodeName
  readonly epoch: Epoch
  /** The promise has no end: the voter's node went, and left its vote with this one. Absent: an ordinary promise. */
  readonly standing?: true | undefined
}

/** How long the promise under `epoch` lasts, kept in memory of the host (tmpfs): survives the process, not the boot. */
export interface Mark {
  readonly epoch: Epoch
  readonly untilMs: number
}

export type Pledge =
  /** Nobody has the vote. */
  | { readonly phase: 'free' }
  /** After a restart: promises from before may be in use until then; only the recorded holder may renew. */
  | { readonly phase: 'waiting'; readonly untilMs: number }
  /**
   * The ballot is on its way to the disk; the promise is not given yet. `boundUntilMs`: an older promise to the same
   * node that is still in use.
   */
  | {
      readonly phase: 'recording'
      readonly ballot: Ballot
      readonly boundUntilMs: number
      /** What stood without end before: it goes on to where the ballot cannot be written. */
      readonly stood?: Standing
    }
  | {
      readonly phase: 'promised'
      readonly to: NodeName
      readonly epoch: Epoch
      readonly grantedAtMs: number
      readonly untilMs: number
    }
  /** The voter's own node left its vote here when it went: no end, until the node it was left with hands it back. */
  | Standing

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
  /** A ballot that could not be written: it may be tried again, for nobody else has its epoch. */
  readonly lost: Ballot | null
  /** The highest epoch that a ballot of this voter used up, written or not: never given again. */
  readonly spentEpoch: Epoch
  /** The highest epoch this voter has spent or heard of. */
  readonly epoch: Epoch
}

export type VoteEffect =
  /** Write the ballot durably, then report `ballotRecorded` or `ballotLost`. */
  | { readonly type: 'record'; readonly ballot: Ballot }
  /** Note the promise's end in memory of the host, before the grant leaves. */
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

/** What was found on disk at start. `lost`: missing, torn, alien or rolled back. */
export type RecoveredBallot = { kind: 'valid'; ballot: Ballot | null; mark: Mark | null } | { kind: 'lost' }

/** Time passes: a promise or a wait that has ended leaves the vote free. */
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

/** Another voter or node knows of a higher epoch. */
export function learnEpoch(voter: Voter, epoch: Epoch): Voter {
  return epoch > voter.epoch ? { ...voter, epoch } : voter
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

/** With whom the voter's node left its vote; null: it is its own. While the next ballot is being written it still stands. */
export function leftWith({ pledge }: Voter): { readonly to: NodeName; readonly epoch: Epoch } | null {
  const standing = pledge.phase === 'recording' ? pledge.stood : pledge
  return standing?.phase === 'standing' ? standing : null
}

/** To whom the vote is promised at `atMs`, under which epoch, and when it was last renewed. */
export function promisedTo(
  voter: Voter,
  atMs: number,
): { node: NodeName; epoch: Epoch; renewedAtMs: number } | null {
  const { pledge } = expireVote(voter, atMs)
  if (pledge.phase === 'standing')
    return { node: pledge.to, epoch: pledge.epoch, renewedAtMs: pledge.sinceMs }
  if (pledge.phase !== 'promised') return null
  return { node: pledge.to, epoch: pledge.epoch, renewedAtMs: pledge.grantedAtMs }
}

/** What a voter answers for one instance: its vote, and besides that what it knows of the holder. */
export function verdictOf(
  voter: Voter,
  { instance, vote, atMs }: { instance: string; vote: Vote; atMs: number },
): Verdict {
  const promise = promisedTo(voter, atMs)
  return {
    instance,
    vote,
    holder: promise?.node ?? null,
    renewedAgoMs: promise === null ? null : Math.max(0, atMs - promise.renewedAtMs),
    epoch: voter.epoch,
  }
}
