/**
 * What a voter may still have promised: after a restart, a lost or rolled-back ledger, a clock jump, a
 * change of hosts.
 */
import type { Pledge, RecoveredBallot, VoteEffect, Voter } from './voter.ts'
import type { Epoch, NodeName } from '../../protocol/names.ts'
import { assertNever } from '../../assert-never.ts'
import { ballotLost } from './ask.ts'

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
