/**
 * One turn of a guard: the working copy that `decide` returns, and the functions with which every phase changes it.
 * Pure.
 */
import type { Guard } from './state.ts'
import type { GuardEffect, TellLevel } from './effect.ts'
import { differs } from '../../../shared/core/differs.ts'
import type { VoteEffect } from '../../../shared/core/vote/voter.ts'

/** The working copy of the guard, the effects so far, and what is known in this turn only. */
export interface Turn {
  guard: Guard
  readonly effects: GuardEffect[]
  readonly atMs: number
  /**
   * The agent sees keepalived for the first time since it started, or goes on after a standstill: a VIP that it finds
   * now may have been here before.
   */
  firstSight: boolean
  /** keepalived has just become BACKUP. */
  enteredBackup: boolean
  /** The command of the current rung has just ended with an error. */
  commandFailed: boolean
}

/** Changes fields of the working copy. */
export function set(turn: Turn, change: Partial<Guard>): void {
  if (differs(turn.guard, change)) turn.guard = { ...turn.guard, ...change }
}

/** Reports an event to the operator. */
export function tell(turn: Turn, event: string, level: TellLevel, text: string): void {
  turn.effects.push({ type: 'tell', event, level, text })
}

export function pushVoteEffects(turn: Turn, effects: readonly VoteEffect[]): void {
  turn.effects.push(...effects)
}
