/** The effects that `decide` returns. The runtime carries them out in their order. */
import type { Ballot, Mark } from '../../../shared/core/vote/voter.ts'
import type { VoterReply } from '../../../shared/protocol/messages.ts'
import type { Rung } from './fence-ladder.ts'
import type { FenceMemory, Guard, KeptBallot } from './state.ts'
import type { Drilled } from '../../../shared/protocol/report.ts'

export type TellLevel = 'info' | 'warning' | 'critical'

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
  /** Write to the disk what it should have anyway, then report `disk-tried`. */
  | { readonly type: 'try-disk' }
  | { readonly type: 'mark'; readonly mark: Mark }
  | { readonly type: 'answer-peer'; readonly beat: number; readonly verdict: VoterReply }
  /** Send a heartbeat to every voter now. */
  | { readonly type: 'beat' }
  /** Carry out this rung (the bar has its own effect), look at kernel and processes, report `rung-ended` and `observed`. */
  | {
      readonly type: 'fence'
      readonly rung: Exclude<Rung, 'bar'>
      /**
       * Of `kill` if no keepalived is in sight: look again right before, and if one lives by now, or may
       * live, kill nobody and remove nothing. Nobody would start it again.
       */
      readonly spares?: true
    }
  | { readonly type: 'start-keepalived' }
  /** Send gratuitous ARP for every VIP of the instance. */
  | { readonly type: 'announce' }
  | { readonly type: 'count-adverts' }
  /** Find out where the VIP comes from, and report `origin`. */
  | { readonly type: 'find-origin' }
  /**
   * Keep this for the next start of the agent: in the run folder before the next effect, on disk without waiting for
   * it.
   */
  | { readonly type: 'remember'; readonly memory: FenceMemory }
  /** Write the vote that the peer delegated to this node durably, or remove it from disk; then report `vote-kept`. */
  | { readonly type: 'keep-vote'; readonly kept: KeptBallot | null }
  /**
   * Write to disk for the check whether this node's vote is delegated to the peer. If it is, the check must refuse
   * while no agent runs.
   */
  | { readonly type: 'vote-left'; readonly on: boolean }
  /** As `remember`, but wait for the disk before anything else is done; then report `remembered`. */
  | { readonly type: 'remember-first'; readonly memory: FenceMemory }
  /** Write durably, for the next start of the agent and for the check, that this node enforces from now on. */
  | { readonly type: 'arm' }
  /** How a drill ended, for the witness. */
  | { readonly type: 'drilled'; readonly drilled: Drilled }
  /** One line for the operator: to the log here and to the witness's events. */
  | { readonly type: 'tell'; readonly event: string; readonly level: TellLevel; readonly text: string }

export interface Guarding {
  readonly guard: Guard
  readonly effects: readonly GuardEffect[]
}
