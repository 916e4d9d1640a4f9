/**
 * A voter answered a heartbeat: what its grant or refusal changes, and what the witness reports about the holder.
 * Pure.
 */
import { type Turn, set } from '../turn.ts'
import type { GuardEvent } from '../event.ts'
import { witness } from '../../../../shared/protocol/names.ts'
import { learnEpochFrom } from './epochs.ts'
import { bookCountedVote } from './leaving.ts'
import { bookReturnedVote, voidKept } from './standing.ts'
import { withGrant, withPending, withRefusal } from '../lease.ts'
import { bookWitnessMatch } from '../matching.ts'
import { notePeerRoundTrip } from '../hearing.ts'
import { raiseEpoch } from '../candidate.ts'
import { assertNever } from '../../../../shared/assert-never.ts'
import type { WitnessWord } from '../state.ts'
import { peerName } from '../own-lease.ts'

export function bookAnswer(turn: Turn, event: GuardEvent & { type: 'answer' }): void {
  const { from, sentAtMs, verdict, atMs } = event
  learnEpochFrom(turn, from, verdict.epoch)
  // It waited in the socket while this agent stood still, so it shows nobody alive and names nobody's holder.
  if (sentAtMs < (turn.guard.resumedAtMs ?? -Infinity)) return
  if (from === witness) {
    const { holder, renewedAgoMs } = verdict
    // The answer left after the heartbeat, so the renewal is at least this recent.
    const witnessWord = { holder, renewedAtMs: sentAtMs - (renewedAgoMs ?? Infinity) }
    set(turn, { witnessHeardAtMs: atMs, witnessWord, witnessWritesFail: verdict.writesFail === true })
    bookWitnessMatch(turn, verdict.unmatched !== true)
    bookWitnessWord(turn, witnessWord)
  } else {
    set(turn, { peerHeardAtMs: atMs, peerWritesFail: verdict.writesFail === true })
    notePeerRoundTrip(turn, atMs - sentAtMs)
    bookReturnedVote(turn, from, verdict.returnsVote)
    bookCountedVote(turn, from, verdict.countsVote)
  }

  const { candidacy } = turn.guard
  const { vote } = verdict
  if (candidacy === null) return
  switch (vote.kind) {
    case 'none':
      return
    case 'pending':
      if (vote.epoch === candidacy.epoch) set(turn, { candidacy: withPending(candidacy, from) })
      return
    case 'granted':
      if (vote.epoch !== candidacy.epoch) return
      set(turn, { candidacy: withGrant(candidacy, from, sentAtMs) })
      if (from === witness) set(turn, { witnessEpoch: vote.epoch })
      return
    case 'refused':
      if (vote.reason === 'stale-epoch' && verdict.epoch >= candidacy.epoch) return raiseEpoch(turn)
      return set(turn, { candidacy: withRefusal(candidacy, from, { ...vote, sentAtMs }) })
    default:
      return assertNever(vote)
  }
}

/**
 * A peer that renews at the witness has its own vote, so it has delegated none to this node, whatever an old disk
 * says.
 */
function bookWitnessWord(turn: Turn, { holder, renewedAtMs }: WitnessWord): void {
  const { kept, peer } = turn.guard
  if (kept.phase === 'none' || kept.phase === 'void') return
  if (holder === peer && renewedAtMs > kept.sinceMs)
    voidKept(turn, `${peerName(turn.guard)} renews its own lease at the witness`)
}
