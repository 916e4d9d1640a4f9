/**
 * One voter's vote on one instance: whom it is promised to, until when, and what must be on disk before that.
 * Pure: the witness's arbiter and the agent's guard both decide with this code.
 *
 * Invariant: at any instant at most one candidate has an unexpired promise of this voter, over every crash: a promise
 * is on disk before it is given, and after a restart nobody new gets one until every promise given before has ended.
 */
import type { Epoch, NodeName, RefusalReason, Verdict, Vote } from './protocol.ts'
import { reserveNeededMs, type Timing } from './timing.ts'
import { assertNever } from './assert-never.ts'

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

interface Standing {
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

/** After a lost ledger, epochs jump by this much, beyond any that was granted unseen. */
export const epochGapAfterLoss = 1000

/** The voter of a process that starts at `atMs`. */
export function recoverVoter(found: RecoveredBallot, at: { atMs: number; reserveMs: number }): Voter {
  const waiting: Pledge = { phase: 'waiting', untilMs: at.atMs + at.reserveMs }
  if (found.kind === 'lost') return { pledge: waiting, record: null, ...spent(epochGapAfterLoss) }
  const { ballot, mark } = found
  if (ballot?.standing === true)
    return {
      // Whatever the marks say: they tell of promises that end.
      pledge: { phase: 'standing', to: ballot.to, epoch: ballot.epoch, sinceMs: at.atMs },
      record: ballot,
      ...spent(Math.max(ballot.epoch, mark?.epoch ?? 0)),
    }
  if (mark !== null && isRolledBack(found)) {
    const untilMs = Math.max(mark.untilMs, waiting.untilMs)
    return { pledge: { phase: 'waiting', untilMs }, record: null, ...spent(mark.epoch + epochGapAfterLoss) }
  }
  if (ballot === null) return { pledge: waiting, record: null, ...spent(0) }
  const recovered = { record: ballot, ...spent(ballot.epoch) }
  if (mark?.epoch !== ballot.epoch) return { ...recovered, pledge: waiting }
  // The mark, and not today's timing, says how long the promise was given for.
  if (mark.untilMs <= at.atMs) return { ...recovered, pledge: { phase: 'free' } }
  return { ...recovered, pledge: { phase: 'waiting', untilMs: mark.untilMs } }
}

function spent(epoch: Epoch): Pick<Voter, 'lost' | 'spentEpoch' | 'epoch'> {
  return { lost: null, spentEpoch: epoch, epoch }
}

/**
 * The voter whose ledger proved to be older than its promises: everyone waits, epochs go beyond what was seen. The mark
 * makes another restart see it, too.
 */
export function distrustLedger(
  voter: Voter,
  at: { seenEpoch: Epoch; atMs: number; reserveMs: number },
): { voter: Voter; effects: readonly VoteEffect[] } {
  const untilMs = at.atMs + at.reserveMs
  // Above every epoch that any ballot on that disk can have.
  const epoch = Math.max(voter.epoch, at.seenEpoch) + epochGapAfterLoss
  return {
    voter: { pledge: { phase: 'waiting', untilMs }, record: null, ...spent(epoch) },
    effects: [{ type: 'mark', mark: { epoch, untilMs } }],
  }
}

/** Whether what was found shows a ledger that is older than a promise given from it. */
export function isRolledBack(found: RecoveredBallot): boolean {
  // A mark follows its ballot: one without, or with an older one, was given by a ledger that is gone.
  return found.kind === 'valid' && found.mark !== null && found.mark.epoch > (found.ballot?.epoch ?? 0)
}

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

/**
 * The boot clock ran `jumpedMs` ahead of the monotonic clock: the host slept, or its clock jumped (a migration), and
 * nobody here can tell which. What was promised is therefore kept for as long as if no time had passed, and marked so,
 * since the old mark would end it too soon after a restart.
 */
export function keepOverJump(
  voter: Voter,
  jump: { atMs: number; jumpedMs: number; reserveMs: number },
): { voter: Voter; effects: readonly VoteEffect[] } {
  const { pledge, record, spentEpoch } = voter
  // What stands has no end that a jump could bring nearer.
  if (jump.jumpedMs <= 0 || pledge.phase === 'free' || pledge.phase === 'standing')
    return { voter, effects: [] }
  // Not sooner than before either: a promise from under a longer timing may last for more than reserveMs from now.
  const keep = (untilMs: number): number =>
    Math.max(untilMs, Math.min(untilMs + jump.jumpedMs, jump.atMs + jump.reserveMs))
  // Where it is not known which ballot is on disk, the mark makes a restart distrust any older one.
  const recordedEpoch = record?.epoch ?? spentEpoch
  const marked = (epoch: Epoch, untilMs: number): VoteEffect[] => [{ type: 'mark', mark: { epoch, untilMs } }]
  switch (pledge.phase) {
    // What is promised is what the record says.
    case 'promised':
    case 'waiting': {
      const untilMs = keep(pledge.untilMs)
      return { voter: { ...voter, pledge: { ...pledge, untilMs } }, effects: marked(recordedEpoch, untilMs) }
    }
    case 'recording': {
      const boundUntilMs = keep(pledge.boundUntilMs)
      // A mark tells of promises that end; the ballot tells of one that stands.
      const markUntilMs = Number.isFinite(boundUntilMs) ? boundUntilMs : jump.atMs + jump.reserveMs
      return {
        voter: { ...voter, pledge: { ...pledge, boundUntilMs } },
        effects: marked(recordedEpoch, markUntilMs),
      }
    }
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
      `${ask.from} counts a vote for ${ask.leaseMs} ms, which needs a promise of ${neededMs} ms; this voter keeps its own for ${timing.reserveMs} ms: give all hosts the same timing`,
    )

  const { pledge } = voter
  switch (pledge.phase) {
    case 'recording':
      if (pledge.ballot.to === ask.from && pledge.ballot.epoch === ask.epoch)
        return { voter, effects: [], decision: { kind: 'pending', epoch: ask.epoch } }
      return refuse(
        'recording',
        `the vote is being given to ${pledge.ballot.to} (epoch ${pledge.ballot.epoch})`,
      )

    case 'promised': {
      const leftMs = Math.round(pledge.untilMs - ask.atMs)
      if (pledge.to !== ask.from)
        return refuse(
          'promised',
          `${pledge.to} has the vote (epoch ${pledge.epoch}, renewed ${Math.round(ask.atMs - pledge.grantedAtMs)} ms ago, kept for another ${leftMs} ms)`,
        )
      break
    }

    case 'standing':
      if (pledge.to !== ask.from) return refuse('promised', standingText(pledge))
      // What has no end needs no renewal; the mark is for the day on which it is an ordinary promise again.
      if (pledge.epoch === ask.epoch) return grantStanding(voter, pledge, ask.atMs, timing)
      break

    case 'waiting':
      if (voter.record?.to !== ask.from)
        return refuse(
          'waiting',
          `${voter.record?.to ?? 'somebody'} may still have this vote from before for ${Math.round(pledge.untilMs - ask.atMs)} ms`,
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
  // An epoch that others are only known to use may be the candidate's own, heard of before its ask came.
  if ((!lost && ask.epoch <= voter.spentEpoch) || ask.epoch < voter.epoch)
    return refuse('stale-epoch', `epoch ${ask.epoch} is not new here; the highest known is ${voter.epoch}`)
  const ballot: Ballot =
    pledge.phase === 'standing'
      ? { to: ask.from, epoch: ask.epoch, standing: true }
      : { to: ask.from, epoch: ask.epoch }
  return recordNext(voter, ballot, ask.atMs)
}

/** Writes `ballot` down; what the same node has by the pledge so far binds meanwhile. */
function recordNext(voter: Voter, ballot: Ballot, atMs: number): VoteResult {
  const { pledge } = voter
  const boundUntilMs = boundUntil(pledge, atMs)
  const stood = pledge.phase === 'standing' ? { stood: pledge } : {}
  return {
    voter: {
      ...voter,
      spentEpoch: Math.max(voter.spentEpoch, ballot.epoch),
      epoch: Math.max(voter.epoch, ballot.epoch),
      pledge: { phase: 'recording', ballot, boundUntilMs, ...stood },
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

/** With whom the voter's node left its vote; null: it is its own. While the next ballot is being written it still stands. */
export function leftWith({ pledge }: Voter): { readonly to: NodeName; readonly epoch: Epoch } | null {
  const standing = pledge.phase === 'recording' ? pledge.stood : pledge
  return standing?.phase === 'standing' ? standing : null
}

/** What an operator reads where a vote was left with `to` and is wanted by somebody else. */
function standingText({ to, epoch }: { to: NodeName; epoch: Epoch }): string {
  return (
    `this node left its vote with ${to} (epoch ${epoch}), which may live on by it unseen: ` +
    `it votes again when ${to} hands it back; if ${to} is gone for good, run witness-agent take-vote-back here`
  )
}

/**
 * This voter's node goes: what is promised to `to` now is left with it for good, on disk before anybody is told.
 * @returns null: the vote is not `to`'s at this moment, and nothing is left
 */
export function leaveVote(before: Voter, leave: { to: NodeName; atMs: number }): VoteResult | null {
  const voter = expireVote(before, leave.atMs)
  const { pledge } = voter
  if (pledge.phase !== 'promised' || pledge.to !== leave.to) return null
  return recordNext(voter, { to: pledge.to, epoch: pledge.epoch, standing: true }, leave.atMs)
}

/**
 * The node that the vote was left with hands it back. From the disk on it is an ordinary promise to that node, which
 * ends like any other: what the node counted of this voter up to now stays true.
 * @returns null: nothing of that epoch is left with anybody
 */
export function takeVoteBack(
  voter: Voter,
  consent: { epoch: Epoch; atMs: number; reserveMs: number },
): VoteResult | null {
  const { pledge } = voter
  if (pledge.phase !== 'standing' || pledge.epoch !== consent.epoch) return null
  const { atMs, reserveMs } = consent
  const { to } = pledge
  // The holder may have gone on under higher epochs; none of them may be given away under a lower one afterwards.
  const epoch = Math.max(pledge.epoch, voter.epoch)
  const next = recordNext(voter, { to, epoch }, atMs)
  // Before the ballot: a process that dies between the two finds out how long the promise binds.
  return {
    ...next,
    effects: [{ type: 'mark', mark: { epoch, untilMs: atMs + reserveMs } }, ...next.effects],
  }
}

/** The ledger is lost, but the node that this voter's vote was left with says so: it stands as if it were on disk. */
export function recallStanding(voter: Voter, left: { to: NodeName; epoch: Epoch; atMs: number }): Voter {
  const { to, epoch, atMs } = left
  const spentEpoch = Math.max(voter.spentEpoch, epoch)
  return {
    pledge: { phase: 'standing', to, epoch, sinceMs: atMs },
    record: null,
    lost: null,
    spentEpoch,
    epoch: Math.max(voter.epoch, spentEpoch),
  }
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

/** The ballot is on disk: the promise may be given. A ballot that is no longer being recorded changes nothing. */
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
 * The ballot could not be written, and what is on disk is not known: the vote stays ungiven, its epoch is spent, and
 * nobody renews on the strength of the old record. What the same node had before runs out first.
 */
export function ballotLost(voter: Voter, ballot: Ballot): Voter {
  const { pledge } = voter
  if (!isRecording(voter, ballot) || pledge.phase !== 'recording') return voter
  if (pledge.stood !== undefined) return { ...voter, record: null, lost: ballot, pledge: pledge.stood }
  return { ...voter, record: null, lost: ballot, pledge: { phase: 'waiting', untilMs: pledge.boundUntilMs } }
}

/**
 * Whoever has this name from now on may be another host: what was promised to the one before runs out, and nobody renews it
 * or goes on from it.
 */
export function disownPromise(voter: Voter, name: NodeName): Voter {
  const { pledge, record } = voter
  switch (pledge.phase) {
    case 'promised':
      if (pledge.to !== name) return voter
      return { ...voter, record: null, pledge: { phase: 'waiting', untilMs: pledge.untilMs } }
    case 'recording':
      return pledge.ballot.to === name ? ballotLost(voter, pledge.ballot) : voter
    case 'waiting':
      return record?.to === name ? { ...voter, record: null } : voter
    case 'free':
    case 'standing':
      return voter
    default:
      return assertNever(pledge)
  }
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
 * A node gives the vote back; it has proved that its VIP is gone. While waiting after a restart nothing is given back:
 * this voter cannot tell yet who speaks for the node.
 */
export function releaseVote(voter: Voter, from: NodeName): { voter: Voter; effects: readonly VoteEffect[] } {
  const { pledge } = voter
  if (pledge.phase !== 'promised' || pledge.to !== from) return { voter, effects: [] }
  return {
    voter: { ...voter, pledge: { phase: 'free' } },
    effects: [{ type: 'mark', mark: { epoch: pledge.epoch, untilMs: 0 } }],
  }
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
