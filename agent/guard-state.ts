/** The words of a node's guard: what it knows, in which phase it is, what it is told, what it orders. */
import type { Ballot, Mark, RecoveredBallot, Voter } from '../shared/vote.ts'
import type {
  Drilled,
  DrillRole,
  Epoch,
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
import { showsVip } from '../shared/vip-sighting.ts'
import type { Candidacy } from './lease.ts'
import type { Ladder, Rung } from './fence-ladder.ts'

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
  /** The witness handed out a plan: who the peer is, and the timing of the cluster. */
  | { readonly type: 'plan'; readonly atMs: number; readonly peer: NodeName | null; readonly timing: Timing }
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
  /**
   * This process did not run for `gapMs`, or the boot clock ran `jumpedMs` ahead of the monotonic clock. Comes before
   * the event that found it.
   */
  | { readonly type: 'resumed'; readonly atMs: number; readonly gapMs: number; readonly jumpedMs: number }
  | { readonly type: 'recorded'; readonly atMs: number; readonly ballot: Ballot; readonly tookMs: number }
  | { readonly type: 'record-failed'; readonly atMs: number; readonly ballot: Ballot; readonly error: string }
  /** A rung's command ended (not yet the proof: that is an `observed`). */
  | { readonly type: 'rung-ended'; readonly atMs: number; readonly rung: Rung; readonly error: string | null }
  /** The memory of `remember-first` is on disk; or not, and why. */
  | { readonly type: 'remembered'; readonly atMs: number; readonly error: string | null }
  | { readonly type: 'start-ended'; readonly atMs: number; readonly error: string | null }
  /** How many adverts keepalived received since it started; null: it cannot say. */
  | { readonly type: 'adverts'; readonly atMs: number; readonly received: number | null }
  | { readonly type: 'gateway'; readonly atMs: number; readonly gateway: Gateway }
  | { readonly type: 'check-seen'; readonly atMs: number }
  /** The operator's word that this node goes for long. */
  | { readonly type: 'leave'; readonly atMs: number }
  /** The leave came to nothing: this node is here still. */
  | { readonly type: 'stay'; readonly atMs: number }
  /** What `keep-vote` wanted on the disk is there; `error`: nobody knows what is there. */
  | {
      readonly type: 'vote-kept'
      readonly atMs: number
      readonly kept: KeptBallot | null
      readonly error: string | null
    }
  /** The peer's agent lives and has no such instance: it keeps no vote of this one. */
  | { readonly type: 'peer-without'; readonly atMs: number }

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
  | { readonly type: 'mark'; readonly mark: Mark }
  | { readonly type: 'answer-peer'; readonly beat: number; readonly verdict: Verdict }
  /** Send a heartbeat to every voter now. */
  | { readonly type: 'beat' }
  /** Carry out this rung (the bar has its own effect), look at kernel and processes, report `rung-ended` and `observed`. */
  | { readonly type: 'fence'; readonly rung: Exclude<Rung, 'bar'> }
  | { readonly type: 'start-keepalived' }
  /** Send gratuitous ARP for every VIP of the instance. */
  | { readonly type: 'announce' }
  | { readonly type: 'count-adverts' }
  /** For a successor of this process, before the next effect; on disk without waiting for it. */
  | { readonly type: 'remember'; readonly memory: FenceMemory }
  /** Write the vote that the peer left here durably, or take it off the disk; then report `vote-kept`. */
  | { readonly type: 'keep-vote'; readonly kept: KeptBallot | null }
  /** Tell the check, on disk, that this node's vote was left with the peer: without an agent it must refuse. */
  | { readonly type: 'vote-left'; readonly on: boolean }
  /** As `remember`, and nothing else is done before: report `remembered`. */
  | { readonly type: 'remember-first'; readonly memory: FenceMemory }
  /** How a drill ended, for the witness. */
  | { readonly type: 'drilled'; readonly drilled: Drilled }
  /** One line for the operator: to the log here and to the witness's events. */
  | { readonly type: 'tell'; readonly event: string; readonly level: TellLevel; readonly text: string }

/** Why keepalived may not become MASTER here, though nothing was fenced. */
export type BarCause =
  /** Neither witness nor peer is heard: no claim could win. */
  | { readonly kind: 'alone'; readonly text: string }
  /** The peer is not heard, and the witness reports a renewal by it that is newer than that silence. */
  | { readonly kind: 'holder-elsewhere'; readonly text: string }
  /** The holder reaches the gateway and this node does not: it must not preempt. */
  | { readonly kind: 'no-gateway'; readonly text: string }
  /** The holder lives, but its adverts do not arrive: keepalived would promote itself. */
  | { readonly kind: 'no-adverts'; readonly text: string; readonly retryAtMs: number }
  /** This node left its vote with the peer when it went, and does not have it back yet. */
  | { readonly kind: 'vote-left'; readonly text: string }

type CommandProgress = 'not tried' | 'running' | 'ended'

export type Phase =
  /** Not MASTER; keepalived may promote itself. */
  | { readonly name: 'standby'; readonly sinceMs: number }
  /** Not MASTER and allowed, but under watch until an advert of the living holder has arrived. */
  | {
      readonly name: 'probation'
      readonly sinceMs: number
      readonly untilMs: number
      /** Adverts received when the probation began; null: not counted yet. */
      readonly baseline: number | null
      readonly counting: boolean
    }
  /** `gate: strict`: held in FAULT until nobody holds and this node has won the lease. */
  | {
      readonly name: 'gated'
      readonly sinceMs: number
      /** Not asked for the votes again before. */
      readonly retryAtMs: number
      /** Since when nobody holds, as far as this node knows; null: somebody does. */
      readonly freeSinceMs: number | null
    }
  /** `gate: strict`: asks for the votes; keepalived is still in FAULT. */
  | { readonly name: 'applying'; readonly sinceMs: number; readonly deadlineMs: number }
  /** `gate: strict`: has the lease; keepalived may become MASTER. */
  | { readonly name: 'entitled'; readonly sinceMs: number }
  | { readonly name: 'barred'; readonly sinceMs: number; readonly cause: BarCause }
  /** MASTER, without a lease yet. */
  | {
      readonly name: 'claiming'
      readonly sinceMs: number
      readonly deadlineMs: number
      readonly retryAtMs: number
      /** The old holder is expected to let go: a refusal is not the end yet. */
      readonly handover: boolean
      /** The VIP is here since before this agent could know: the lease may be its own already. */
      readonly adopts: boolean
    }
  | { readonly name: 'holding'; readonly sinceMs: number }
  /** `alone: keep`: MASTER without a lease, because nobody can be heard. */
  | { readonly name: 'unprotected'; readonly sinceMs: number }
  /** Observe mode: this node would have been fenced. */
  | { readonly name: 'overruled'; readonly sinceMs: number; readonly reason: string }
  | {
      readonly name: 'fencing'
      readonly reason: string
      readonly ladder: Ladder
      /** The bar is enough where it works: keepalived is not at fault and goes on. */
      readonly gentle: boolean
    }
  | {
      readonly name: 'fenced'
      readonly sinceMs: number
      readonly reason: string
      readonly holdUntilMs: number
      /** keepalived was seen absent since the fence: if it runs again, somebody wanted it. */
      readonly sawAbsent: boolean
      /** keepalived would not start: tried again after growing pauses, whoever holds. */
      readonly startFailed: boolean
      /** After a drill keepalived comes back by itself. */
      readonly drill: boolean
    }
  | {
      readonly name: 'rejoining'
      readonly sinceMs: number
      readonly deadlineMs: number
      readonly reason: string
      /** As in `fenced`; else the start command's end alone tells that no stop of an earlier agent is on its way. */
      readonly sawAbsent: boolean
    }
  /** A standby proves its fence (guard-drill.ts). */
  | {
      readonly name: 'drilling'
      readonly sinceMs: number
      readonly reason: string
      readonly ladder: Ladder
      readonly rungSinceMs: number
      /** The first thing that went wrong; null: nothing so far. */
      readonly failure: string | null
      readonly stop: CommandProgress
      /** All that was to be proved is; null: not yet. */
      readonly returning: {
        readonly sinceMs: number
        readonly deadlineMs: number
        readonly start: CommandProgress
      } | null
    }

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

export interface Guarding {
  readonly guard: Guard
  readonly effects: readonly GuardEffect[]
}

/** Whether a node in this phase asks the voters for their votes with each heartbeat. */
export function reportsAsk({ name }: Phase): boolean {
  return name === 'claiming' || name === 'holding' || name === 'applying' || name === 'entitled'
}

/** This node has been looked at, and shows the VIP. */
export function holdsVip(guard: Guard): boolean {
  return guard.observed && showsVip(guard.seen)
}
