/** The events of a guard: everything that can reach `decide`. */
import type { KeepalivedState, Report, VipState } from '../../../shared/protocol/report.ts'
import type { Profile } from '../../../shared/protocol/plan.ts'
import type { NodeName, VoterName } from '../../../shared/protocol/names.ts'
import type { Timing } from '../../../shared/core/timing.ts'
import type { Order, VoterReply } from '../../../shared/protocol/messages.ts'
import type { Ballot } from '../../../shared/core/vote/voter.ts'
import type { ProcessSight, Rung } from './fence-ladder.ts'
import type { Gateway, KeptBallot, VipOrigin } from './state.ts'

export type GuardEvent =
  /** What keepalived and the kernel show. `gone` is proved by the kernel's whole address list, never guessed. */
  | {
      readonly type: 'observed'
      readonly atMs: number
      readonly keepalived: KeepalivedState
      readonly process: ProcessSight
      /** Only if absent: it ended, as far as its pid file or the agent's own sight of it tells. */
      readonly died?: boolean
      readonly vips: VipState
      /** keepalived has said its state since it started, and can still say it; absent: not known. */
      readonly tells?: boolean
    }
  /** Where a VIP comes from that keepalived did not put up. */
  | { readonly type: 'origin'; readonly atMs: number; readonly origin: VipOrigin }
  /** keepalived says that it is no longer MASTER. The proof that the VIP is gone comes as `observed`. */
  | { readonly type: 'letting-go'; readonly atMs: number }
  /** keepalived received an advert of a lower-priority MASTER (MASTER_RX_LOWER_PRI). */
  | { readonly type: 'rival-advert'; readonly atMs: number }
  /** The priority that keepalived runs with, weights included; null: it is not known since keepalived started. */
  | { readonly type: 'priority'; readonly atMs: number; readonly priority: number | null }
  | { readonly type: 'profile'; readonly atMs: number; readonly profile: Profile }
  /** The witness sent a plan: who the peer is, and the timing of the cluster. */
  | { readonly type: 'plan'; readonly atMs: number; readonly peer: NodeName | null; readonly timing: Timing }
  /** A voter answered a beat of ours that left at `sentAtMs`. */
  | {
      readonly type: 'answer'
      readonly atMs: number
      readonly from: VoterName
      readonly sentAtMs: number
      readonly verdict: VoterReply
    }
  /** The peer's beat: it reports, and may ask for our vote. `beat` is its seq, for the answer. */
  | {
      readonly type: 'peer-report'
      readonly atMs: number
      readonly beat: number
      readonly report: Report
      readonly leaseMs: number
      /** When the newest answer left here that the peer had when it sent this (boot clock); null: it had none. */
      readonly echoMs?: number | null
    }
  | { readonly type: 'order'; readonly atMs: number; readonly order: Order }
  /** The heartbeat is about to be composed: renew the own vote, extend the permit. */
  | { readonly type: 'renew'; readonly atMs: number }
  /** The deadline of `nextDeadlineMs` has come. May also come at any other time. */
  | { readonly type: 'tick'; readonly atMs: number }
  /**
   * This process did not run for `gapMs`, or the boot clock ran `jumpedMs` ahead of the monotonic clock. Comes before
   * the event at which it was noticed.
   */
  | { readonly type: 'resumed'; readonly atMs: number; readonly gapMs: number; readonly jumpedMs: number }
  | { readonly type: 'recorded'; readonly atMs: number; readonly ballot: Ballot; readonly tookMs: number }
  | { readonly type: 'record-failed'; readonly atMs: number; readonly ballot: Ballot; readonly error: string }
  /** `error`: null if the disk took it. */
  | { readonly type: 'disk-tried'; readonly atMs: number; readonly error: string | null }
  /** The command of a rung ended. That is not the proof yet, which comes as `observed`. */
  | { readonly type: 'rung-ended'; readonly atMs: number; readonly rung: Rung; readonly error: string | null }
  /** The memory of `remember-first` is on disk, or could not be written. */
  | { readonly type: 'remembered'; readonly atMs: number; readonly error: string | null }
  | { readonly type: 'start-ended'; readonly atMs: number; readonly error: string | null }
  /** How many adverts keepalived received since it started; null: it cannot say. */
  | { readonly type: 'adverts'; readonly atMs: number; readonly received: number | null }
  | { readonly type: 'gateway'; readonly atMs: number; readonly gateway: Gateway }
  | { readonly type: 'check-seen'; readonly atMs: number }
  /** The operator takes this node out of service for a long time. */
  | { readonly type: 'leave'; readonly atMs: number }
  /** The leave did not succeed, so this node stays. */
  | { readonly type: 'stay'; readonly atMs: number }
  /** What `keep-vote` wanted is on disk. With an `error` it is not known what is on disk. */
  | {
      readonly type: 'vote-kept'
      readonly atMs: number
      readonly kept: KeptBallot | null
      readonly error: string | null
    }
  /** What the newest hello of the peer, or the newest keepalived.conf here, tells of this instance. */
  | { readonly type: 'peer-match'; readonly atMs: number; readonly isMatched: boolean }
  /** The peer's agent is alive and does not have this instance, so it keeps no vote of this node. */
  | { readonly type: 'peer-without'; readonly atMs: number }
