/**
 * A node's decisions for one vrrp_instance. Pure: state and event in, state and ordered effects out.
 */
import type { Ballot, Mark, RecoveredBallot } from '../shared/vote.ts'
import type {
  KeepalivedState,
  NodeName,
  Order,
  ProcessState,
  Profile,
  Report,
  Verdict,
  VipState,
  VoterName,
} from '../shared/protocol.ts'
import type { Timing } from '../shared/timing.ts'

/** The rungs of the fence ladder, in order. */
export type Rung = 'bar' | 'stop' | 'kill' | 'last-resort'

export interface GuardPolicy {
  readonly mode: 'enforce' | 'observe'
  readonly fence: 'stop' | 'fault'
  readonly alone: 'stop' | 'keep'
  readonly rejoin: 'auto' | 'manual'
  readonly hasLastResort: boolean
}

/** What must survive the agent's restart besides the ballot. */
export interface FenceMemory {
  /** keepalived was stopped by this agent, which therefore owes it a start. */
  readonly stopped: boolean
  /** How many fences there were, ever. */
  readonly number: number
  /** Wall-independent instants (boot clock) of recent fences; void after a reboot. */
  readonly recentAtMs: readonly number[]
}

export type GuardEvent =
  /** What keepalived and the kernel show. `gone` is proved by the kernel's whole address list, never guessed. */
  | {
      readonly type: 'observed'
      readonly atMs: number
      readonly keepalived: KeepalivedState
      readonly process: ProcessState
      readonly vips: VipState
    }
  /** keepalived received an advert of a lower-priority MASTER (MASTER_RX_LOWER_PRI). */
  | { readonly type: 'rival-advert'; readonly atMs: number }
  | { readonly type: 'profile'; readonly atMs: number; readonly profile: Profile }
  /** A voter answered a beat of ours that left at `sentAtMs`. */
  | {
      readonly type: 'answer'
      readonly atMs: number
      readonly from: VoterName
      readonly sentAtMs: number
      readonly verdict: Verdict
    }
  /** The peer's beat: it reports, and may ask for our vote. `beat` is its seq, for the answer. */
  | {
      readonly type: 'peer-report'
      readonly atMs: number
      readonly beat: number
      readonly report: Report
      readonly leaseMs: number
    }
  | { readonly type: 'order'; readonly atMs: number; readonly order: Order }
  /** The heartbeat is about to be composed: renew the own vote, extend the permit. */
  | { readonly type: 'renew'; readonly atMs: number }
  /** The deadline of `nextDeadlineMs`, or any other time. */
  | { readonly type: 'tick'; readonly atMs: number }
  /** This process did not run for `gapMs`, or the clocks parted. Comes before the event that found it. */
  | { readonly type: 'resumed'; readonly atMs: number; readonly gapMs: number }
  | { readonly type: 'recorded'; readonly atMs: number; readonly ballot: Ballot; readonly tookMs: number }
  | { readonly type: 'record-failed'; readonly atMs: number; readonly ballot: Ballot; readonly error: string }
  /** A rung's command ended (not yet the proof: that is an `observed`). */
  | { readonly type: 'rung-ended'; readonly atMs: number; readonly rung: Rung; readonly error: string | null }
  | { readonly type: 'start-ended'; readonly atMs: number; readonly error: string | null }
  /** How many adverts keepalived received since it started; null: it cannot say. */
  | { readonly type: 'adverts'; readonly atMs: number; readonly received: number | null }
  | {
      readonly type: 'gateway'
      readonly atMs: number
      readonly gateway: 'reachable' | 'unreachable' | 'unknown'
    }
  | { readonly type: 'check-seen'; readonly atMs: number }

export type GuardEffect =
  /** Write the track_file: on puts the instance into FAULT, off lets it go. */
  | { readonly type: 'bar'; readonly on: boolean }
  /** Write the permit file: what the check tells keepalived until `untilMs` (boot clock). */
  | {
      readonly type: 'permit'
      readonly word: 'permit' | 'bar'
      readonly untilMs: number
      readonly why: string
    }
  /** Write the ballot durably, then report `recorded` or `record-failed`. */
  | { readonly type: 'record'; readonly ballot: Ballot }
  | { readonly type: 'mark'; readonly mark: Mark }
  | { readonly type: 'answer-peer'; readonly beat: number; readonly verdict: Verdict }
  /** Send a heartbeat to every voter now. */
  | { readonly type: 'beat' }
  /** Carry out this rung (the bar has its own effect), look at kernel and processes, report `rung-ended` and `observed`. */
  | { readonly type: 'fence'; readonly rung: Exclude<Rung, 'bar'> }
  /** Look at the kernel's whole address list and the process table now, and report `observed`. */
  | { readonly type: 'observe' }
  | { readonly type: 'start-keepalived' }
  /** Send gratuitous ARP for every VIP of the instance. */
  | { readonly type: 'announce' }
  | { readonly type: 'count-adverts' }
  | { readonly type: 'remember'; readonly memory: FenceMemory }
  /** One line for the operator: to the log here and to the witness's events. */
  | {
      readonly type: 'tell'
      readonly event: string
      readonly level: 'info' | 'warning' | 'critical'
      readonly text: string
    }

export interface GuardOptions {
  readonly node: NodeName
  /** Null until the plan names one. */
  readonly peer: NodeName | null
  readonly profile: Profile
  readonly timing: Timing
  readonly policy: GuardPolicy
  readonly recovered: RecoveredBallot
  readonly memory: FenceMemory
  readonly atMs: number
}

export interface Guard {
  readonly options: GuardOptions
}

export interface Guarding {
  readonly guard: Guard
  readonly effects: readonly GuardEffect[]
}

export function createGuard(options: GuardOptions): Guard {
  return { options }
}

export function decide(guard: Guard, _event: GuardEvent): Guarding {
  return { guard, effects: [] }
}

/** When the guard wants a `tick` at the latest; null: no wish. */
export function nextDeadlineMs(_guard: Guard): number | null {
  return null
}

/** The instance's part of the heartbeat to `voter`. */
export function reportOf(_guard: Guard, _atMs: number): Report {
  throw new Error('not written yet')
}
