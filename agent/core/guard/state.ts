/** The state of a guard: everything that it knows about its node, its peer and the witness, and what it starts with. */
import type {
  DrillRole,
  Drilled,
  KeepalivedState,
  Report,
  VipState,
} from '../../../shared/protocol/report.ts'
import type { Order } from '../../../shared/protocol/messages.ts'
import type { Epoch, NodeName, VoterName } from '../../../shared/protocol/names.ts'
import type { Profile } from '../../../shared/protocol/plan.ts'
import type { Timing } from '../../../shared/core/timing.ts'
import type { Phase } from './phase.ts'
import type { ProcessSight } from './fence-ladder.ts'
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
  /** This agent stopped keepalived and must therefore start it again. */
  readonly stopped: boolean
  /** The number of fences of this node so far. */
  readonly number: number
  /** When the recent fences began (boot clock). Meaningless after a reboot. */
  readonly recentAtMs: readonly number[]
  /** A drill was running. An agent that finds this at its start brings keepalived back, whatever `rejoin` says. */
  readonly drilling?: true | undefined
}

/** A drill that is running on this node, and what it has shown so far. */
export interface Drill {
  readonly role: DrillRole
  readonly rungs: Drilled['rungs']
  /** When the last proof came; null: none yet. */
  readonly provedAtMs: number | null
  /** The order to carry out once the disk says that keepalived must be started again; null: the drill has begun. */
  readonly waiting: Order | null
}

export type Gateway = Report['gateway']

/** The vote that the peer delegated to this node, as it is written on disk. */
export interface KeptBallot {
  readonly of: NodeName
  readonly epoch: Epoch
}

/**
 * In phase `kept`, and in `forgetting` while `counts` is true, the peer's vote counts for this node and does not
 * expire.
 */
export type KeptVote =
  /** There is certainly none on disk. */
  | { readonly phase: 'none' }
  /** Found on disk after a reboot. It counts once the peer and the witness have had time to deny it. */
  | { readonly phase: 'recovered'; readonly ballot: KeptBallot; readonly sinceMs: number }
  /** Being written to disk; does not count yet. */
  | {
      readonly phase: 'keeping'
      readonly ballot: KeptBallot
      readonly sinceMs: number
      /** An earlier write of it failed, and that was reported. */
      readonly again?: true
    }
  | { readonly phase: 'kept'; readonly ballot: KeptBallot; readonly sinceMs: number }
  /** Being removed from disk. Only after that may the peer have it back. */
  | {
      readonly phase: 'forgetting'
      readonly ballot: KeptBallot
      readonly sinceMs: number
      readonly counts: boolean
    }
  /** No longer counts, or could not be written at `failedAtMs`; may be on disk. */
  | { readonly phase: 'void'; readonly ballot: KeptBallot; readonly failedAtMs?: number }

/** What was found on disk about delegated votes; see `KeptVote`. */
export interface FoundStanding {
  readonly kept: KeptBallot | null
  /** The disk was last written before the last reboot. */
  readonly rebooted: boolean
  /** The state file was lost, so only the peer knows whether this node delegated its vote. */
  readonly inDoubt: boolean
}

/** Why this node's vote is, or is about to be, delegated to the peer. */
export type Leave =
  /** It has its vote, or wants it back. */
  | 'none'
  /** The witness has been silent for long: events/lending.ts. */
  | 'lent'
  /**
   * This node leaves for a long time at its operator's request (`witness-agent leave`): the vote is being delegated to
   * the peer.
   */
  | 'asked'
  /** Likewise; the peer has the vote on disk and counts it. */
  | 'proved'

export interface Unmatched {
  /** As far as the hello of the peer tells. */
  readonly peer: boolean
  /** The witness said so in its last answer. */
  readonly witness: boolean
}

export interface WitnessWord {
  /** The node to which the vote of the witness is promised. */
  readonly holder: NodeName | null
  /** The earliest instant, by this node's clock, at which the holder can last have renewed there. */
  readonly renewedAtMs: number
}

/** Where an address of this host comes from, as far as files and the kernel tell. */
export interface VipOrigin {
  /** With prefix and device. */
  readonly addresses: readonly string[]
  /** Files with their lines, or "DHCP"; empty: not found. */
  readonly places: readonly string[]
}

/** A VIP that keepalived did not put up is here. */
export type ForeignVip =
  /** Since a moment: keepalived's word may be under way. */
  | { readonly phase: 'new'; readonly sinceMs: number }
  /** Its origin is being looked for. */
  | { readonly phase: 'asked'; readonly sinceMs: number }
  | { readonly phase: 'told'; readonly sinceMs: number; readonly origin: VipOrigin }

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
    readonly process: ProcessSight
    readonly vips: VipState
  }
  /**
   * keepalived was seen alive, or a pid file named a process of it that is gone. Only such a keepalived can have left
   * a VIP behind.
   */
  readonly lived: boolean
  /**
   * When a fence proved that the VIP was gone; null: never, or keepalived was MASTER since, as far as it can be known
   * (foreign-vip.ts).
   */
  readonly clearedAtMs: number | null
  /** keepalived has said its state since it started, and can still say it. */
  readonly keepalivedTells: boolean
  /** When keepalived's process was first seen after its absence; null: its start was not seen. */
  readonly runningSinceMs: number | null
  readonly foreign: ForeignVip | null
  /** keepalived says that it removed the VIP, and the kernel's addresses have not been looked at since. */
  readonly lettingGo: boolean
  /** The priority that keepalived runs with, weights included; null: not known yet. */
  readonly runningPriority: number | null
  /** When this node learned that it no longer outranks the peer; -Infinity: it never did since this agent started. */
  readonly outrankedUntilMs: number
  /** False until the first observation. */
  readonly observed: boolean
  /** Whether it enforces; arming.ts. Never false again once it is true. */
  readonly armed: boolean
  /** Who says that it cannot be told which instance of the peer this one is; matching.ts. */
  readonly unmatched: Unmatched
  /** This node as a voter. */
  readonly voter: Voter
  /** This node as a candidate; null while it asks for no vote. */
  readonly candidacy: Candidacy | null
  /** Since when this agent has listened without interruption. Silence is counted from here at the earliest. */
  readonly listeningSinceMs: number
  /** When this agent last went on after a standstill; null: it did not stand still. */
  readonly resumedAtMs: number | null
  readonly witnessHeardAtMs: number | null
  readonly witnessWord: WitnessWord | null
  /** The highest epoch that the witness granted to this node. */
  readonly witnessEpoch: Epoch
  /** An answer counts, too. */
  readonly peerHeardAtMs: number | null
  readonly peerReport: Report | null
  readonly peerReportedAtMs: number
  /** How long the last answers of the peer took, the newest last: how old its news is when it comes. */
  readonly peerRoundTripsMs: readonly number[]
  /** The peer's heartbeat whose answer waits until this node's ballot is on disk. */
  readonly peerBeatPending: number | null
  /** The voter whose epochs are so far ahead that they are followed in steps only, as was told; null: none. */
  readonly farAhead: VoterName | null
  readonly memory: FenceMemory
  /** The last fence of this run of the agent, for the report. */
  readonly lastFence: Report['fence']
  readonly drill: Drill | null
  /** What the track_file contains; null: this agent has not written it yet. */
  readonly barOn: boolean | null
  /** Unsuccessful probations in a row. */
  readonly failedProbations: number
  readonly checkSeenAtMs: number | null
  readonly gateway: Gateway
  /** The last ballot could not be written, and that has been reported. */
  readonly ballotFails: boolean
  /** When the disk was last tried because of that; Infinity: a try is under way. */
  readonly diskTriedAtMs: number
  /** According to its last answer, the voter's disk does not take a ballot, so it gives no new vote. */
  readonly witnessWritesFail: boolean
  readonly peerWritesFail: boolean
  /** How long the last ballot took to reach the disk. */
  readonly recordTookMs: number | null
  readonly recordedAtMs: number | null
  /** The peer's vote, if the peer delegated it to this node. */
  readonly kept: KeptVote
  readonly leave: Leave
  /** A vote that could not be delegated because of the disk is not delegated again before this instant. */
  readonly lendNotBeforeMs: number
  /** When the silence of the witness was last reported; null: it is heard, or has not been silent for long. */
  readonly silenceToldAtMs: number | null
  /**
   * The state file was lost, and the wait for earlier promises is not over, so the peer may still report that it has
   * this node's vote.
   */
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
  /** Absent: no vote is delegated in either direction. */
  readonly standing?: FoundStanding
  /** Whether an earlier agent of this node was armed. Absent: it was. */
  readonly armed?: boolean
  readonly atMs: number
}

/** The priority of keepalived's adverts. Until keepalived has said it, the one in keepalived.conf. */
export function priorityOf({ runningPriority, profile }: Guard): number {
  return runningPriority ?? profile.priority
}

/** Whether keepalived may run with another priority than `priorityOf` says, because it does not tell of changes. */
export function mayWeighOtherwise({ runningPriority, profile }: Guard): boolean {
  if (profile.weights === undefined) return false
  return profile.weights === 'untold' || runningPriority === null
}

/** Whether this guard bars, fences and removes addresses. If not, it only watches, votes and asks for votes. */
export function enforces({ armed, unmatched }: Guard): boolean {
  return armed && !unmatched.peer && !unmatched.witness
}

/** Whether this node has been observed and shows the VIP. */
export function holdsVip(guard: Guard): boolean {
  return guard.observed && showsVip(guard.seen) && !isForeignVip(guard)
}

/** The kernel has the VIP, and it is not keepalived's: a fence removed it, and it came back without a MASTER. */
export function isForeignVip({ clearedAtMs, seen, phase }: Guard): boolean {
  // What shows during a fence is the reason for it.
  if (clearedAtMs === null || phase.name === 'fencing') return false
  return seen.vips === 'held' && seen.keepalived !== 'MASTER'
}
