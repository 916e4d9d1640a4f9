/** The types of the witness's arbiter: its state, the events that it takes, and the effects that it returns. */
import type { DrillRole, Drilled } from '../../../shared/protocol/report.ts'
import type { Epoch, NodeName } from '../../../shared/protocol/names.ts'
import type { ConnectionId, NodeState } from './roster.ts'
import type { Beat, FromVoter, Hello, Tell } from '../../../shared/protocol/messages.ts'
import type { PairFinding } from '../../../shared/protocol/view.ts'
import type { Member } from '../../../shared/protocol/plan.ts'
import type { Ballot, Mark, RecoveredBallot, Voter } from '../../../shared/core/vote/voter.ts'
import type { Occurrence } from './occurrence.ts'
import type { Timing } from '../../../shared/core/timing.ts'
import type { Judgement } from './judgement.ts'
import type { Ambiguities, KnownInstances } from './instance-keys.ts'
import type { ReportedSituation } from './situation-reporting.ts'

/** The shell numbers the questions of checks. */
export type CheckId = number

/** The shell numbers the requests of admins for a drill. */
export type DrillRequestId = number

/** How the drill of one instance ended, as its node reported it. */
export interface DrillEnd extends Pick<Drilled, 'instance' | 'role' | 'rungs' | 'backMs' | 'text'> {
  /** For the drill of a holder: who has the lease now, and how long after the agent's report it got it. */
  readonly takenBy: NodeName | null
  readonly takeoverMs: number | null
}

/** A drill that is under way: one node of the cluster, one instance after the other. */
export interface DrillState {
  readonly node: NodeName
  /** The steps that are left; the first one is running. */
  readonly steps: readonly { readonly instance: string; readonly role: DrillRole }[]
  readonly done: readonly DrillEnd[]
  readonly under:
    /** The next step is ordered when all is normal. */
    | { readonly kind: 'pause'; readonly untilMs: number }
    /** The node has its order and has not reported how the step ended. */
    | { readonly kind: 'order'; readonly untilMs: number }
    /** A holder has provably released the VIP; the other node should now take it. */
    | {
        readonly kind: 'takeover'
        readonly end: DrillEnd
        readonly sinceMs: number
        readonly untilMs: number
      }
}

export type DrillAnswer =
  | { readonly kind: 'begun'; readonly steps: DrillState['steps'] }
  | { readonly kind: 'refused'; readonly text: string }

export type ArbiterEvent =
  | {
      readonly type: 'hello'
      readonly atMs: number
      readonly connection: ConnectionId
      readonly hello: Hello
      readonly remoteAddress: string
    }
  /** Who belongs to the cluster, according to enrolment. */
  | { readonly type: 'members'; readonly atMs: number; readonly members: readonly Member[] }
  | { readonly type: 'closed'; readonly atMs: number; readonly connection: ConnectionId }
  | { readonly type: 'beat'; readonly atMs: number; readonly connection: ConnectionId; readonly beat: Beat }
  | { readonly type: 'tell'; readonly atMs: number; readonly connection: ConnectionId; readonly tell: Tell }
  | {
      readonly type: 'drilled'
      readonly atMs: number
      readonly connection: ConnectionId
      readonly drilled: Drilled
    }
  /** An admin asks for a drill of the node. */
  | {
      readonly type: 'drill'
      readonly atMs: number
      readonly request: DrillRequestId
      readonly node: NodeName
      readonly includingHolder: boolean
    }
  | {
      readonly type: 'check'
      readonly atMs: number
      readonly check: CheckId
      readonly node: NodeName
      readonly instance: string
      /** The boot of the host that asks; null: the check did not say. */
      readonly bootId: string | null
    }
  /** One ICMP echo to a node ended; null: no answer. */
  | {
      readonly type: 'echo'
      readonly atMs: number
      readonly node: NodeName
      readonly roundTripMs: number | null
    }
  | { readonly type: 'recorded'; readonly atMs: number; readonly instance: string; readonly ballot: Ballot }
  | {
      readonly type: 'record-failed'
      readonly atMs: number
      readonly instance: string
      readonly ballot: Ballot
      readonly error: string
    }
  /** `error`: null if the disk took it. */
  | { readonly type: 'ledger-tried'; readonly atMs: number; readonly error: string | null }
  /** The deadline of `nextDeadlineMs`, or any other time. */
  | { readonly type: 'tick'; readonly atMs: number }
  /**
   * This process did not run for `gapMs`, or the boot clock ran `jumpedMs` ahead of the monotonic clock. It comes
   * before the event at which this was noticed.
   */
  | { readonly type: 'resumed'; readonly atMs: number; readonly gapMs: number; readonly jumpedMs: number }

export type ArbiterEffect =
  | { readonly type: 'send'; readonly connection: ConnectionId; readonly message: FromVoter }
  | { readonly type: 'close'; readonly connection: ConnectionId; readonly reason: string }
  | { readonly type: 'record'; readonly instance: string; readonly ballot: Ballot }
  /** Write the ledger as it is, then report `ledger-tried`. */
  | { readonly type: 'try-ledger' }
  | { readonly type: 'mark'; readonly instance: string; readonly mark: Mark }
  | {
      readonly type: 'answer-check'
      readonly check: CheckId
      readonly permit: boolean
      readonly text: string
    }
  | { readonly type: 'answer-drill'; readonly request: DrillRequestId; readonly answer: DrillAnswer }
  /** A drill passed: kept durably, for people. */
  | { readonly type: 'keep-drill'; readonly node: NodeName; readonly ends: readonly DrillEnd[] }
  | { readonly type: 'occurred'; readonly occurrence: Occurrence }
  /** The agent has the plan with these members on disk, and no vote counts that was given under one before. */
  | { readonly type: 'plan-settled'; readonly node: NodeName; readonly members: readonly NodeName[] }
  /** An agent has moved: the address at which its peer reaches it from now on. */
  | { readonly type: 'moved'; readonly node: NodeName; readonly address: string; readonly port: number }

/** What the ledger contained at start. */
export interface RecoveredLedger {
  readonly ballots: ReadonlyMap<string, RecoveredBallot>
  /** For an instance that is not in the ledger: `lost` if an earlier ledger, which may have had it, was lost. */
  readonly others: 'new' | 'lost'
  /** What the nodes call the instances; absent: the ledger says nothing. */
  readonly known?: KnownInstances
}

export interface ArbiterOptions {
  readonly cluster: string
  readonly timing: Timing
  readonly members: readonly Member[]
  readonly recovered: RecoveredLedger
  readonly atMs: number
}

/** A claim for a free vote that waits a moment for a rival claim. */
export interface Claim {
  readonly node: NodeName
  readonly epoch: Epoch
  readonly leaseMs: number
  readonly seq: number
}

export interface InstanceState {
  readonly voter: Voter
  /** The ledger was found to be older than its marks, and this has not been reported yet. */
  readonly rollbackUnreported: boolean
  /**
   * The highest epoch of any ballot that this ledger ever held. An agent that was granted a higher one proves a
   * rollback.
   */
  readonly recordedEpoch: Epoch
  readonly lastHolder: NodeName | null
  /** The node whose epochs are so far ahead that they are followed in steps only, as was told; null: none. */
  readonly farAhead: NodeName | null
  /** The heartbeat that is answered when its ballot is on disk. */
  readonly pendingBeat: { readonly node: NodeName; readonly seq: number } | null
  readonly pendingChecks: readonly CheckId[]
  /** The boot of the agent or check that last got a yes or is about to get one; null: not known. */
  readonly heldByBootId: string | null
  /** The last ballot could not be written, and this was reported. */
  readonly ledgerFails: boolean
  /** When a check last got a yes. A release that its node sent before then says nothing about what that yes led to. */
  readonly checkPermittedAtMs: number
  readonly contest: { readonly claims: readonly Claim[]; readonly untilMs: number } | null
  /** Since when two live nodes have reported the VIP; null: at most one does. */
  readonly dualSinceMs: number | null
  readonly orderedAtMs: number
  /** Since when the holder has not reached its gateway while the other node has; null: that is not the case. */
  readonly gatewayLostSinceMs: number | null
  readonly yieldedAtMs: number
  readonly judgement: Judgement | null
  /** What was last reported about it to operators. */
  readonly reported: ReportedSituation
}

export interface Arbiter {
  readonly cluster: string
  readonly timing: Timing
  readonly recovered: ArbiterOptions['recovered']
  readonly startedAtMs: number
  /** When enrolment last said who belongs to the cluster. */
  readonly membersSinceMs: number
  readonly nodes: ReadonlyMap<NodeName, NodeState>
  /** By key (instance-keys.ts). */
  readonly instances: ReadonlyMap<string, InstanceState>
  /** What each node calls each instance; the shell keeps it on disk. */
  readonly known: KnownInstances
  /** Instances of a node that are not matched with any of the other node, so that they get no vote. */
  readonly ambiguous: ReadonlyMap<NodeName, Ambiguities>
  /** Where the configurations of the two nodes differ, as it was last told. */
  readonly pair: readonly PairFinding[]
  /** When the ledger was last tried because it could not be written; Infinity: a try is under way. */
  readonly ledgerTriedAtMs: number
  /** When it was last told that an instance gets no vote for want of room. */
  readonly fullToldAtMs: number
  readonly drill: DrillState | null
  /** Since when this process has run without interruption. Orders wait for reports that are newer than this. */
  readonly runningSinceMs: number
  /** When the arbiter last had an event. */
  readonly turnedAtMs: number
  /** How many messages were refused, by reason. */
  readonly refusedMessages: Readonly<Record<string, number>>
}

export interface Arbitration {
  readonly arbiter: Arbiter
  readonly effects: readonly ArbiterEffect[]
}
