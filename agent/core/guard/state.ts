/** The words of a node's guard: what it knows, in which phase it is, what it is told, what it orders. */
import type {
  DrillRole,
  Drilled,
  KeepalivedState,
  ProcessState,
  Report,
  VipState,
} from '../../../shared/protocol/report.ts'
import type { Order } from '../../../shared/protocol/messages.ts'
import type { Epoch, NodeName } from '../../../shared/protocol/names.ts'
import type { Profile } from '../../../shared/protocol/plan.ts'
import type { Timing } from '../../../shared/core/timing.ts'
import type { Phase } from './phase.ts'
import type { RecoveredBallot, Voter } from '../../../shared/core/vote/voter.ts'
import type { Candidacy } from './lease.ts'
import { showsVip } from '../../../shared/core/vip-sighting.ts'

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
  /** Instants (boot clock) of recent fences; void after a reboot. */
  readonly recentAtMs: readonly number[]
  /** A drill was under way: whoever finds this brings keepalived back, whatever `rejoin` says. */
  readonly drilling?: true | undefined
}

/** A drill that is under way here: what it has shown so far. */
export interface Drill {
  readonly role: DrillRole
  readonly rungs: Drilled['rungs']
  /** When the last proof came; null: none yet. */
  readonly provedAtMs: number | null
  /** It begins when what a successor owes is on disk; null: it has begun. */
  readonly waiting: Order | null
}

export type Gateway = Report['gateway']

/** The vote that the peer left with this node, as the disk has it. */
export interface KeptBallot {
  readonly of: NodeName
  readonly epoch: Epoch
}

/** `kept` and `forgetting` with `counts` are votes for this node, without end. */
export type KeptVote =
  /** The disk surely has none. */
  | { readonly phase: 'none' }
  /** Found on disk after a reboot: counts when the peer and the witness had the time to deny it. */
  | { readonly phase: 'recovered'; readonly ballot: KeptBallot; readonly sinceMs: number }
  /** On its way to the disk: does not count yet. */
  | { readonly phase: 'keeping'; readonly ballot: KeptBallot; readonly sinceMs: number }
  | { readonly phase: 'kept'; readonly ballot: KeptBallot; readonly sinceMs: number }
  /** On its way out of the disk. Only then the peer may have it back. */
  | {
      readonly phase: 'forgetting'
      readonly ballot: KeptBallot
      readonly sinceMs: number
      readonly counts: boolean
    }
  /** Does not count any more, and may still be on the disk. */
  | { readonly phase: 'void'; readonly ballot: KeptBallot }

/** What was found on disk about votes that were left; see `KeptVote`. */
export interface FoundStanding {
  readonly kept: KeptBallot | null
  /** The disk is of an earlier boot. */
  readonly rebooted: boolean
  /** The state file was lost: whether this node left its vote only the peer can tell. */
  readonly inDoubt: boolean
}

/** Whether this node goes for long, on its operator's word (`witness-agent leave`). */
export type Leave =
  | 'none'
  /** Its vote is on its way to the peer. */
  | 'asked'
  /** The peer has it on its disk and counts it. */
  | 'proved'

export interface WitnessWord {
  /** To whom the witness's vote is promised. */
  readonly holder: NodeName | null
  /** When at the earliest, by this node's clock, the holder last renewed there. */
  readonly renewedAtMs: number
}

export interface Guard {
  readonly node: NodeName
  /** Null until a plan names one. */
  readonly peer: NodeName | null
  readonly profile: Profile
  readonly timing: Timing
  readonly policy: GuardPolicy
  readonly phase: Phase
  readonly seen: {
    readonly keepalived: KeepalivedState
    readonly process: ProcessState
    readonly vips: VipState
  }
  /** False until the first observation. */
  readonly observed: boolean
  /** This node as a voter. */
  readonly voter: Voter
  /** This node as a candidate; null while it wants no vote. */
  readonly candidacy: Candidacy | null
  /** When this agent began to listen without interruption: silence counts from here at the earliest. */
  readonly listeningSinceMs: number
  readonly witnessHeardAtMs: number | null
  readonly witnessWord: WitnessWord | null
  /** The highest epoch that the witness granted to this node. */
  readonly witnessEpoch: Epoch
  readonly peerHeardAtMs: number | null
  readonly peerReport: Report | null
  /** The peer's beat that waits for the own ballot to be on disk. */
  readonly peerBeatPending: number | null
  readonly memory: FenceMemory
  /** The last fence of this run of the agent, for the report. */
  readonly lastFence: Report['fence']
  readonly drill: Drill | null
  /** What the track_file says as far as known; null: not written by this run. */
  readonly barOn: boolean | null
  /** Unsuccessful probations in a row. */
  readonly failedProbations: number
  readonly checkSeenAtMs: number | null
  readonly gateway: Gateway
  /** The last ballot could not be written, and the operator was told. */
  readonly ballotFails: boolean
  /** How long the last ballot took to reach the disk. */
  readonly recordTookMs: number | null
  /** The peer's vote, where it left it here. */
  readonly kept: KeptVote
  readonly leave: Leave
  /** The state file was lost, and the wait for what was promised there lasts: the peer may still say that it has the vote. */
  readonly inDoubt: boolean
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
  /** Absent: no vote was left here, and none of this node is out. */
  readonly standing?: FoundStanding
  readonly atMs: number
}

/** This node has been looked at, and shows the VIP. */
export function holdsVip(guard: Guard): boolean {
  return guard.observed && showsVip(guard.seen)
}
