/**
 * The votes that a candidate has collected. A lease is a majority of votes, each worth leaseMs from when its request
 * left. Pure arithmetic.
 */
import type { Epoch, VoterName } from '../../../shared/protocol/names.ts'
import type { RefusalReason } from '../../../shared/protocol/messages.ts'
import { majorityOf } from '../../../shared/core/majority.ts'

export interface Candidacy {
  readonly epoch: Epoch
  /**
   * Per voter: when the newest request that it granted left this node. Absent if the voter has since promised its
   * vote to another node.
   */
  readonly grantedSentAtMs: Readonly<Record<VoterName, number>>
  /** Per voter: its last answer, if that was a refusal. */
  readonly refusals: Readonly<Record<VoterName, { reason: RefusalReason; text: string }>>
  /** Voters that will grant once their ballot is on disk. Until then they promise nothing to another node. */
  readonly pending: readonly VoterName[]
  /** When this node's own vote was asked for. Its grant follows only when the ballot is on disk. */
  readonly ownAskedAtMs: number
  /** Until when a lease under an earlier epoch of the same ownership is still good. */
  readonly carriedUntilMs: number
}

export function newCandidacy(asked: { epoch: Epoch; askedAtMs: number; carriedUntilMs: number }): Candidacy {
  return {
    epoch: asked.epoch,
    grantedSentAtMs: {},
    refusals: {},
    pending: [],
    ownAskedAtMs: asked.askedAtMs,
    carriedUntilMs: asked.carriedUntilMs,
  }
}

/**
 * Until when the candidate has the lease; -Infinity: it has none.
 * @param kept the voter that delegated its vote to this node, if any; that vote does not expire
 */
export function leaseUntilMs(
  candidacy: Candidacy,
  voters: readonly VoterName[],
  leaseMs: number,
  kept: VoterName | null = null,
): number {
  const needed = majorityOf(voters.length)
  const grantedAtMs = (voter: VoterName): number =>
    voter === kept ? Infinity : (candidacy.grantedSentAtMs[voter] ?? -Infinity)
  // The newest instant that a majority reaches.
  let decisiveMs = -Infinity
  for (const voter of voters) {
    const atMs = grantedAtMs(voter)
    if (atMs <= decisiveMs) continue
    let reached = 0
    for (const other of voters) if (grantedAtMs(other) >= atMs) reached += 1
    if (reached >= needed) decisiveMs = atMs
  }
  return Math.max(decisiveMs + leaseMs, candidacy.carriedUntilMs)
}

/** Refusals that may turn into a grant within the time of a claim. */
const passing: ReadonlySet<RefusalReason> = new Set(['recording', 'stale-epoch', 'yielding'])

/**
 * Whether a majority is no longer possible, because too many voters have refused or cannot be heard.
 * @param present whether a voter was heard lately, so that its answer is worth waiting for
 * @param how.patientWith these are waited for while they only wait after their start
 */
export function isHopeless(
  candidacy: Candidacy,
  voters: readonly VoterName[],
  present: (voter: VoterName) => boolean,
  { kept = null, patientWith = [] }: { kept?: VoterName | null; patientWith?: readonly VoterName[] } = {},
): boolean {
  const possible = voters.filter((voter) => {
    if (voter === kept || candidacy.grantedSentAtMs[voter] !== undefined) return true
    const refusal = candidacy.refusals[voter]
    if (refusal === undefined) return present(voter)
    return passing.has(refusal.reason) || (refusal.reason === 'waiting' && patientWith.includes(voter))
  })
  return possible.length < majorityOf(voters.length)
}

/**
 * Whether a majority has voted or is writing its ballot. Then no other node can win, and only the disks are awaited.
 * @param how.patientWith these also count while they only wait after their start, because they vote then
 */
export function isUnderWay(
  candidacy: Candidacy,
  voters: readonly VoterName[],
  { kept = null, patientWith = [] }: { kept?: VoterName | null; patientWith?: readonly VoterName[] } = {},
): boolean {
  const won = voters.filter(
    (voter) =>
      voter === kept ||
      candidacy.grantedSentAtMs[voter] !== undefined ||
      candidacy.pending.includes(voter) ||
      (patientWith.includes(voter) && candidacy.refusals[voter]?.reason === 'waiting'),
  )
  return won.length >= majorityOf(voters.length)
}

export function withPending(candidacy: Candidacy, voter: VoterName): Candidacy {
  return { ...candidacy, pending: [...notPending(candidacy.pending, voter), voter] }
}

export function withGrant(candidacy: Candidacy, voter: VoterName, sentAtMs: number): Candidacy {
  const before = candidacy.grantedSentAtMs[voter] ?? -Infinity
  return {
    ...candidacy,
    grantedSentAtMs: { ...candidacy.grantedSentAtMs, [voter]: Math.max(before, sentAtMs) },
    refusals: without(candidacy.refusals, voter),
    pending: notPending(candidacy.pending, voter),
  }
}

/**
 * A voter refused. If it has promised its vote to another node, its earlier grant no longer counts, whatever the
 * clock here says, because a voter promises to one candidate at a time. (The clock of a paused virtual machine may
 * have stood still.)
 * @param refusal.sentAtMs when the refused request left; the grant of a later request stays
 */
export function withRefusal(
  candidacy: Candidacy,
  voter: VoterName,
  refusal: { reason: RefusalReason; text: string; sentAtMs: number },
): Candidacy {
  const { reason, text, sentAtMs } = refusal
  const isOver = reason === 'promised' && sentAtMs >= (candidacy.grantedSentAtMs[voter] ?? Infinity)
  return {
    ...candidacy,
    grantedSentAtMs: isOver ? without(candidacy.grantedSentAtMs, voter) : candidacy.grantedSentAtMs,
    refusals: { ...candidacy.refusals, [voter]: { reason, text } },
    pending: notPending(candidacy.pending, voter),
  }
}

/** Who refused, and why, for an operator. */
export function describeRefusals(candidacy: Candidacy): string {
  return Object.entries(candidacy.refusals)
    .map(([voter, { text }]) => `${voter} refused: ${text}`)
    .join('; ')
}

function notPending(pending: readonly VoterName[], voter: VoterName): readonly VoterName[] {
  return pending.includes(voter) ? pending.filter((other) => other !== voter) : pending
}

function without<T>(
  record: Readonly<Record<VoterName, T>>,
  voter: VoterName,
): Readonly<Record<VoterName, T>> {
  if (record[voter] === undefined) return record
  return Object.fromEntries(Object.entries(record).filter(([other]) => other !== voter))
}
