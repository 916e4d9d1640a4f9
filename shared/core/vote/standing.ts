/** A vote that a leaving node leaves with the holder: it has no end until the node takes it back. */
import { type VoteResult, type Voter, expireVote } from './voter.ts'
import type { Epoch, NodeName } from '../../protocol/names.ts'
import { recordNext } from './ask.ts'

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
