/** One turn of a guard: the working copy that `decide` hands back, and what every phase does with it. Pure. */
import { assertNever } from '../shared/assert-never.ts'
import { type VoterName, witness } from '../shared/protocol.ts'
import { fenceAtMs, holderPermitMs, permitMs } from '../shared/timing.ts'
import { releaseVote, type VoteEffect } from '../shared/vote.ts'
import { heardSomebody } from './bar-evidence.ts'
import type { Guard, GuardEffect, TellLevel } from './guard-state.ts'
import { leaseUntilMs } from './lease.ts'

/** What only this turn knows stands beside the guard's working copy. */
export interface Turn {
  guard: Guard
  readonly effects: GuardEffect[]
  readonly atMs: number
  /** The agent sees keepalived for the first time since it started. */
  firstSight: boolean
  /** keepalived has just become BACKUP. */
  enteredBackup: boolean
  /** The command of the current rung has just ended with an error. */
  commandFailed: boolean
}

export function set(turn: Turn, change: Partial<Guard>): void {
  turn.guard = { ...turn.guard, ...change }
}

export function tell(turn: Turn, event: string, level: TellLevel, text: string): void {
  turn.effects.push({ type: 'tell', event, level, text })
}

/** keepalived died and left its VIP in the kernel. */
export function isOrphaned(guard: Guard): boolean {
  return guard.observed && guard.seen.vips === 'held' && guard.seen.process === 'absent'
}

export function votersOf(guard: Guard): readonly VoterName[] {
  return [guard.node, witness, guard.peer ?? '(no peer yet)']
}

/** The instant at which this node starts to fence itself unless its lease is renewed. */
export function leaseEndsAtMs(guard: Guard): number {
  if (guard.candidacy === null) return -Infinity
  return fenceAtMs(leaseUntilMs(guard.candidacy, votersOf(guard), guard.timing.leaseMs), guard.timing)
}

export function peerName(guard: Guard): string {
  return guard.peer ?? 'the peer'
}

export function toStandby(turn: Turn): void {
  set(turn, { phase: { name: 'standby', sinceMs: turn.atMs } })
  writePermit(turn)
}

export function giveBackOwnVote(turn: Turn): void {
  const { voter, effects } = releaseVote(turn.guard.voter, turn.guard.node)
  set(turn, { voter })
  pushVoteEffects(turn, effects)
}

/** The VIP is gone and keepalived is not MASTER: the votes go back at once, so that the peer need not wait. */
export function release(turn: Turn): void {
  giveBackOwnVote(turn)
  set(turn, { candidacy: null })
  toStandby(turn)
  turn.effects.push({ type: 'beat' })
}

export function pushVoteEffects(turn: Turn, effects: readonly VoteEffect[]): void {
  turn.effects.push(...effects)
}

/** At the start nothing is lifted or permitted before somebody was heard; the check asks the witness meanwhile. */
export function mayPermit(guard: Guard): boolean {
  return heardSomebody(guard) || guard.policy.alone === 'keep'
}

/** In observe mode nothing is ever barred, and a bar that was left behind is lifted. */
export function setBar(turn: Turn, on: boolean): void {
  if (turn.guard.barOn === on || (on && turn.guard.policy.mode === 'observe')) return
  set(turn, { barOn: on })
  turn.effects.push({ type: 'bar', on })
}

/** The line that the check reads while this agent lives; its deadline is what a dead agent leaves behind. */
export function writePermit(turn: Turn): void {
  const { guard, atMs } = turn
  const { phase, timing, policy } = guard
  const line = (word: 'permit' | 'bar', untilMs: number, why: string): void => {
    turn.effects.push({ type: 'permit', word, untilMs: Math.floor(untilMs), why })
  }
  const standardMs = permitMs(timing)
  if (policy.mode === 'observe') return line('permit', atMs + standardMs, 'observe mode')
  switch (phase.name) {
    case 'standby':
    case 'probation':
    case 'rejoining':
      if (mayPermit(guard)) line('permit', atMs + standardMs, `${phase.name}: may become MASTER`)
      return
    case 'gated':
    case 'applying':
      return line('bar', atMs + standardMs, 'gate: strict; this node does not have the lease')
    case 'entitled':
    case 'holding':
      return line(
        'permit',
        Math.min(leaseEndsAtMs(guard), atMs + holderPermitMs(timing)),
        `holds the lease (epoch ${guard.candidacy?.epoch ?? 0})`,
      )
    case 'unprotected':
    case 'overruled':
      return line('permit', atMs + standardMs, phase.name)
    case 'claiming':
      return
    case 'barred':
      return line('bar', atMs + standardMs, phase.cause.text)
    case 'fencing':
    case 'fenced':
      return line('bar', atMs + standardMs, phase.reason)
    case 'drilling':
      if (phase.returning === null) return line('bar', atMs + standardMs, `a drill: ${phase.reason}`)
      if (guard.barOn === true) return line('bar', atMs + standardMs, 'after a drill; the bar stays')
      return line('permit', atMs + standardMs, 'after a drill: may become MASTER')
    default:
      return assertNever(phase)
  }
}
