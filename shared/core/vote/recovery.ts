/**
 * What a voter may still have promised after a restart, a lost or rolled-back ledger, a clock jump, or a change of
 * the host behind a name. Pure.
 */
import { type Pledge, type RecoveredBallot, type VoteEffect, type Voter, nearestTo } from './voter.ts'
import type { Epoch, NodeName } from '../../protocol/names.ts'
import { assertNever } from '../../assert-never.ts'
import { ballotLost } from './ask.ts'

/** After a lost ledger, epochs jump by this much, beyond any epoch that the lost ledger may have granted. */
export const epochLeapAfterLoss = 1000

/** The voter of a process that starts at `atMs`. */
export function recoverVoter(found: RecoveredBallot, at: { atMs: number; reserveMs: number }): Voter {
  const waiting: Pledge = { phase: 'waiting', untilMs: at.atMs + at.reserveMs }
  if (found.kind === 'lost') return { pledge: waiting, record: null, ...spent(epochLeapAfterLoss) }
  const { ballot, mark } = found
  if (ballot?.standing === true)
    return {
      // The marks do not matter here, because they are about promises that expire.
      pledge: { phase: 'standing', to: ballot.to, epoch: ballot.epoch, sinceMs: at.atMs },
      record: ballot,
      ...spent(Math.max(ballot.epoch, mark?.epoch ?? 0)),
    }
  if (mark !== null && isRolledBack(found)) {
    const untilMs = Math.max(mark.untilMs, waiting.untilMs)
    return { pledge: { phase: 'waiting', untilMs }, record: null, ...spent(mark.epoch + epochLeapAfterLoss) }
  }
  if (ballot === null) return { pledge: waiting, record: null, ...spent(0) }
  const recovered = { record: ballot, ...spent(ballot.epoch) }
  if (mark?.epoch !== ballot.epoch) return { ...recovered, pledge: waiting }
  // The mark, not the current timing, says until when the promise lasts.
  if (mark.untilMs <= at.atMs) return { ...recovered, pledge: { phase: 'free' } }
  return { ...recovered, pledge: { phase: 'waiting', untilMs: mark.untilMs } }
}

function spent(epoch: Epoch): Pick<Voter, 'lost' | 'spentEpoch' | 'epoch'> {
  return { lost: null, spentEpoch: epoch, epoch }
}

/**
 * The ledger proved to be older than the voter's promises. Everyone waits, and new epochs start beyond those that
 * were seen. The mark lets the next restart notice it too.
 */
export function distrustLedger(
  voter: Voter,
  at: { seenEpoch: Epoch; atMs: number; reserveMs: number },
): { voter: Voter; effects: readonly VoteEffect[] } {
  const untilMs = at.atMs + at.reserveMs
  // Above the epoch of every ballot that can be on that disk.
  const epoch = Math.max(voter.epoch, nearestTo(voter, at.seenEpoch)) + epochLeapAfterLoss
  return {
    voter: { pledge: { phase: 'waiting', untilMs }, record: null, ...spent(epoch) },
    effects: [{ type: 'mark', mark: { epoch, untilMs } }],
  }
}

/** Whether the mark shows that the ledger is older than a promise given from it. */
export function isRolledBack(found: RecoveredBallot): boolean {
  // A mark is written after its ballot. A mark without a ballot, or with an older one, comes from a ledger that is
  // gone.
  return found.kind === 'valid' && found.mark !== null && found.mark.epoch > (found.ballot?.epoch ?? 0)
}

/**
 * The boot clock ran `jumpedMs` ahead of the monotonic clock. Either the host slept or its clock jumped (a
 * migration), and it cannot be known which. Promises are therefore kept as long as if no time had passed. A new mark
 * says so, because after a restart the old mark would end them too soon.
 */
export function keepOverJump(
  voter: Voter,
  jump: { atMs: number; jumpedMs: number; reserveMs: number },
): { voter: Voter; effects: readonly VoteEffect[] } {
  const { pledge, record, spentEpoch } = voter
  // A standing vote never expires, so a clock jump cannot shorten it.
  if (jump.jumpedMs <= 0 || pledge.phase === 'free' || pledge.phase === 'standing')
    return { voter, effects: [] }
  // But never earlier than before, because a promise given under a longer timing may last longer than reserveMs from
  // now.
  const keep = (untilMs: number): number =>
    Math.max(untilMs, Math.min(untilMs + jump.jumpedMs, jump.atMs + jump.reserveMs))
  // If it is not known which ballot is on disk, the mark makes a restart distrust any older one.
  const recordedEpoch = record?.epoch ?? spentEpoch
  const marked = (epoch: Epoch, untilMs: number): VoteEffect[] => [{ type: 'mark', mark: { epoch, untilMs } }]
  switch (pledge.phase) {
    // The record names what is promised.
    case 'promised':
    case 'waiting': {
      const untilMs = keep(pledge.untilMs)
      return { voter: { ...voter, pledge: { ...pledge, untilMs } }, effects: marked(recordedEpoch, untilMs) }
    }
    case 'recording': {
      const { renewed } = pledge
      const boundUntilMs = keep(pledge.boundUntilMs)
      // A mark is about promises that expire. A standing vote is in the ballot.
      const markUntilMs = Number.isFinite(boundUntilMs) ? boundUntilMs : jump.atMs + jump.reserveMs
      return {
        voter: {
          ...voter,
          pledge: {
            ...pledge,
            boundUntilMs,
            ...(renewed === undefined ? {} : { renewed: { ...renewed, untilMs: keep(renewed.untilMs) } }),
          },
        },
        effects: marked(recordedEpoch, markUntilMs),
      }
    }
    default:
      return assertNever(pledge)
  }
}

/**
 * From now on this name may belong to a different host. The promise to its previous owner is left to expire and can
 * no longer be renewed.
 */
export function disownPromise(voter: Voter, name: NodeName): Voter {
  const { pledge, record } = voter
  switch (pledge.phase) {
    case 'promised':
      if (pledge.to !== name) return voter
      return { ...voter, record: null, pledge: { phase: 'waiting', untilMs: pledge.untilMs } }
    case 'recording':
      if (pledge.ballot.to !== name) return voter
      // What it had cannot be renewed any more.
      if (pledge.renewed !== undefined)
        return { ...voter, record: null, pledge: { phase: 'waiting', untilMs: pledge.boundUntilMs } }
      return ballotLost(voter, pledge.ballot)
    case 'waiting':
      return record?.to === name ? { ...voter, record: null } : voter
    case 'free':
    case 'standing':
      return voter
    default:
      return assertNever(pledge)
  }
}
