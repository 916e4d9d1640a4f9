/** Another voter names an epoch. What one message says moves this node's epochs by little, whatever it says. Pure. */
import type { Epoch, VoterName } from '../../../../shared/protocol/names.ts'
import { isFarAhead, learnEpoch } from '../../../../shared/core/vote/voter.ts'
import { type Turn, set, tell } from '../turn.ts'

/** It knows of that epoch. */
export function learnEpochFrom(turn: Turn, from: VoterName, epoch: Epoch): void {
  noteFarAhead(turn, from, epoch)
  set(turn, { voter: learnEpoch(turn.guard.voter, epoch) })
}

/** An epoch that nobody can have reached is told once. */
export function noteFarAhead(turn: Turn, from: VoterName, epoch: Epoch): void {
  const { farAhead, voter } = turn.guard
  if (!isFarAhead(voter, epoch)) {
    if (farAhead === from) set(turn, { farAhead: null })
    return
  }
  if (farAhead === from) return
  set(turn, { farAhead: from })
  tell(
    turn,
    'epoch-too-high',
    'critical',
    `${from} reports epoch ${epoch}, but the highest epoch known here is ${voter.epoch}. This node follows in small steps only. Unless this node's state file was lost, ${from} does not say what is so: find out who controls it.`,
  )
}
