/**
 * A standing vote: a leaving node delegates it to the holder, and it does not expire until the holder returns it.
 * Pure.
 */
import { type VoteResult, type Voter, expireVote, nearestTo } from './voter.ts'
import type { Epoch, NodeName } from '../../protocol/names.ts'
import { recordNext } from './ask.ts'

/**
 * This voter's node leaves: the vote that is promised to `to` is delegated to it, and is on disk before it is
 * reported.
 * @returns null: the vote is not promised to `to` at this moment, so nothing changes
 */
export function leaveVote(before: Voter, leave: { to: NodeName; atMs: number }): VoteResult | null {
  const voter = expireVote(before, leave.atMs)
  const { pledge } = voter
  if (pledge.phase !== 'promised' || pledge.to !== leave.to) return null
  return recordNext(voter, { to: pledge.to, epoch: pledge.epoch, standing: true }, leave.atMs)
}

/**
 * The holder returns the vote. Once that is on disk, the vote is an ordinary promise to the holder, which expires
 * like any other, so a lease that the holder has based on it stays valid.
 * @returns null: no vote is delegated under that epoch
 */
export function takeVoteBack(
  voter: Voter,
  consent: { epoch: Epoch; atMs: number; reserveMs: number },
): VoteResult | null {
  const { pledge } = voter
  if (pledge.phase !== 'standing' || pledge.epoch !== consent.epoch) return null
  const { atMs, reserveMs } = consent
  const { to } = pledge
  // The holder may have used higher epochs since. None of them may be given to another node later.
  const epoch = Math.max(pledge.epoch, voter.epoch)
  const next = recordNext(voter, { to, epoch }, atMs)
  // The mark comes before the ballot, so that after a crash between the two it is known how long the promise binds.
  return {
    ...next,
    effects: [{ type: 'mark', mark: { epoch, untilMs: atMs + reserveMs } }, ...next.effects],
  }
}

/**
 * The ledger is lost, but the holder reports that this voter's vote is delegated to it. The vote stands as if it were
 * on disk.
 */
export function recallStanding(voter: Voter, left: { to: NodeName; epoch: Epoch; atMs: number }): Voter {
  const { to, atMs } = left
  const epoch = nearestTo(voter, left.epoch)
  const spentEpoch = Math.max(voter.spentEpoch, epoch)
  return {
    pledge: { phase: 'standing', to, epoch, sinceMs: atMs },
    record: null,
    lost: null,
    spentEpoch,
    epoch: Math.max(voter.epoch, spentEpoch),
  }
}
