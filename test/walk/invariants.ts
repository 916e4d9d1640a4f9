/** What must hold in every state (docs/safety.md): asked by whoever looks on, and of no core's own word alone. */
import { witness } from '../../shared/protocol/names.ts'
import { keptVoter } from '../../agent/core/guard/own-lease.ts'
import { type Ballot, promisedTo } from '../../shared/core/vote/voter.ts'
import {
  longestOverlapSteps,
  nodeNames,
  otherNode,
  timing,
  type Host,
  type Party,
  type State,
} from './state.ts'

/** Something that must never be. */
export class Violation extends Error {}

/** S1: at no instant do two nodes have the lease. */
export function assertOneLease({ atMs, hosts: { lb01, lb02 } }: State): void {
  if (lb01.leaseUntilMs > atMs && lb02.leaseUntilMs > atMs)
    throw new Violation(
      `S1: both have a lease: lb01 for another ${lb01.leaseUntilMs - atMs} ms, lb02 for ${lb02.leaseUntilMs - atMs} ms`,
    )
}

/**
 * A voter gives a promise now. It must be on the voter's disk, no promise to another may be in use, and epochs never
 * fall and never go to two nodes (S4).
 */
export function noteGrant(state: State, voter: Party, ballot: Ballot): void {
  const { atMs, given } = state
  const disk = voter === witness ? state.disk : state.hosts[voter].disk
  const before = given[voter]
  const text = `${voter} promises itself to ${ballot.to} (epoch ${ballot.epoch})`
  if (disk.ballot?.to !== ballot.to || disk.ballot.epoch !== ballot.epoch)
    throw new Violation(`${text} before that is on its disk`)
  if (before !== null && before.to !== ballot.to && before.untilMs > atMs)
    throw new Violation(
      `voter: ${text} while its promise to ${before.to} is good for another ${before.untilMs - atMs} ms`,
    )
  if (before !== null && before.epoch > ballot.epoch)
    throw new Violation(`S4: ${text} after it gave epoch ${before.epoch}`)
  if (before !== null && before.epoch === ballot.epoch && before.to !== ballot.to)
    throw new Violation(`S4: ${text}, which it gave to ${before.to} before`)
  for (const name of nodeNames)
    if (name !== ballot.to && keeps(state.hosts[name]) === voter)
      throw new Violation(`voter: ${text} while ${name} counts on the vote that ${voter} left there`)
  state.given = { ...given, [voter]: { ...ballot, untilMs: atMs + timing.reserveMs } }
}

/** Whose vote this node counts without end, now or when its agent is there again. */
function keeps({ guard, disk }: Host): string | null {
  return guard === null ? (disk.kept?.of ?? null) : keptVoter(guard)
}

/** A node gave its votes back: what it was promised is not in use any more. */
export function noteRelease(state: State, voter: Party, by: string): void {
  const before = state.given[voter]
  if (before?.to === by) state.given = { ...state.given, [voter]: { ...before, untilMs: -Infinity } }
}

/** A lease is won: ownerships are numbered upwards (S4). */
export function noteLease(state: State, host: Host): void {
  const epoch = host.guard?.candidacy?.epoch ?? 0
  const { won } = state
  if (won !== null && (epoch < won.epoch || (epoch === won.epoch && won.by !== host.name)))
    throw new Violation(
      `S4: ${host.name} wins the lease under epoch ${epoch} after ${won.by} won it under ${won.epoch}`,
    )
  state.won = { epoch, by: host.name }
}

/** S5: what is called fenced has no VIP, and keepalived is in FAULT or gone. */
export function assertFenced(host: Host): void {
  if (host.vip || (host.keepalived !== 'FAULT' && host.keepalived !== 'STOP'))
    throw new Violation(
      `S5: ${host.name} calls itself fenced; VIP ${host.vip ? 'held' : 'gone'}, keepalived ${host.keepalived}`,
    )
}

/** S2: two VIPs stand side by side only for a moment, wherever both agents run. */
export function noteOverlap(state: State): void {
  const { lb01, lb02 } = state.hosts
  const both = lb01.vip && lb02.vip && nodeNames.every((name) => isWatched(state.hosts[name]))
  state.overlapSteps = both ? state.overlapSteps + 1 : 0
  if (state.overlapSteps > longestOverlapSteps)
    throw new Violation(`S2: both have the VIP for ${state.overlapSteps} steps, and both agents run`)
}

/** An agent that has just come back to a VIP waits for an answer before it fences. */
function isWatched({ guard }: Host): boolean {
  return guard !== null && !(guard.phase.name === 'claiming' && guard.phase.adopts)
}

/** One node holds, with the VIP and by two promises at least; the other does not even claim. */
export function ownerOf(state: State): Host | null {
  const holders = nodeNames.map((name) => state.hosts[name]).filter(({ vip }) => vip)
  const [holder] = holders
  if (holders.length !== 1 || holder?.guard?.phase.name !== 'holding') return null
  const other = state.hosts[otherNode(holder.name)].guard
  return other !== null && promisedTo(other.voter, state.atMs)?.node === holder.name ? holder : null
}
