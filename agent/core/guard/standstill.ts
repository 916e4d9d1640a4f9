/** The agent did not run for a while, or its boot clock jumped ahead: what still counts, and what does not. Pure. */
import { keepOverJump } from '../../../shared/core/vote/recovery.ts'
import type { GuardEvent } from './event.ts'
import { interruptDrill } from './phases/drilling.ts'
import { enterClaim, enterGated } from './transitions.ts'
import { type Turn, pushVoteEffects, set, tell } from './turn.ts'

/** A promise that a clock jump makes look expired may still be in use. */
export function keepPromise(turn: Turn, { atMs, jumpedMs }: GuardEvent & { type: 'resumed' }): void {
  const { voter, timing } = turn.guard
  const kept = keepOverJump(voter, { atMs, jumpedMs, reserveMs: timing.reserveMs })
  set(turn, { voter: kept.voter })
  pushVoteEffects(turn, kept.effects)
}

/**
 * The agent did not run for a while. What it heard before is out of date, and so is its lease until a voter confirms
 * it.
 */
export function bookGap(turn: Turn, { gapMs, jumpedMs }: GuardEvent & { type: 'resumed' }): void {
  set(turn, { listeningSinceMs: turn.atMs, resumedAtMs: turn.atMs })
  const what =
    jumpedMs > 0
      ? `The boot clock jumped ahead by ${Math.round(jumpedMs)} ms, or this host was suspended`
      : `This agent did not run for ${Math.round(gapMs)} ms`
  tell(turn, 'paused', 'warning', `${what}. Nothing that it knew before counts until it is confirmed.`)
  const { phase } = turn.guard
  if (phase.name === 'holding' || phase.name === 'claiming') enterClaim(turn, 'adopt')
  if (phase.name === 'applying' || phase.name === 'entitled') enterGated(turn)
  interruptDrill(turn, what)
}
