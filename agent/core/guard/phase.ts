/** The phases of a guard. Exactly one at a time; transitions.ts has every way into one. */
import type { Ladder, Rung } from './fence-ladder.ts'

/** Why keepalived may not become MASTER on this node although it was not fenced. */
export type BarCause =
  /** Neither witness nor peer is heard: no claim could win. */
  | { readonly kind: 'alone'; readonly text: string }
  /** Somebody is heard, but too few disks take a ballot: no claim could win. */
  | { readonly kind: 'no-votes'; readonly text: string }
  /** The peer is not heard, and the witness reports a renewal by it that is newer than that silence. */
  | { readonly kind: 'holder-elsewhere'; readonly text: string }
  /** The holder reaches the gateway and this node does not, so this node must not preempt. */
  | { readonly kind: 'no-gateway'; readonly text: string }
  /** The holder is alive, but its adverts do not arrive, so keepalived would promote itself. */
  | { readonly kind: 'no-adverts'; readonly text: string; readonly retryAtMs: number }
  /** This node delegated its vote to the peer when it left, and does not have it back yet. */
  | { readonly kind: 'vote-left'; readonly text: string }

type CommandProgress = 'not tried' | 'running' | 'ended'

export type Phase =
  /** Not MASTER; keepalived may promote itself. */
  | { readonly name: 'standby'; readonly sinceMs: number }
  /** Not MASTER and allowed to be, but watched until an advert of the living holder has arrived. */
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
      /** The votes are not asked for again before this instant. */
      readonly retryAtMs: number
      /** Since when no node holds the lease, as far as this node knows; null: a node holds it. */
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
      /** The old holder is expected to release the VIP, so a refusal does not end the claim yet. */
      readonly handover: boolean
      /** The VIP was here before this agent could know, so the lease may already be its own. */
      readonly adopts: boolean
    }
  | { readonly name: 'holding'; readonly sinceMs: number }
  /** `alone: keep`: MASTER without a lease, because no voter can be heard. */
  | { readonly name: 'unprotected'; readonly sinceMs: number }
  /** Observe mode: this node would have been fenced. */
  | { readonly name: 'overruled'; readonly sinceMs: number; readonly reason: string }
  | {
      readonly name: 'fencing'
      readonly reason: string
      readonly ladder: Ladder
      /** The bar is enough if it works: keepalived is not at fault and keeps running. */
      readonly gentle: boolean
      /** keepalived was dead when the fence began, and had left its VIP in the kernel. */
      readonly orphan: boolean
      /** keepalived was in sight when the fence began, so it is owed a start if it ends. */
      readonly wasAlive: boolean
      /** Rungs whose command failed, which was reported. */
      readonly failedRungs: readonly Rung[]
    }
  | {
      readonly name: 'fenced'
      readonly sinceMs: number
      readonly reason: string
      readonly holdUntilMs: number
      /** keepalived has been seen absent since the fence. If it runs again, somebody started it on purpose. */
      readonly sawAbsent: boolean
      /** keepalived did not start. The agent tries again after growing pauses, whoever holds the lease. */
      readonly startFailed: boolean
      /** After a drill keepalived comes back by itself. */
      readonly drill: boolean
    }
  | {
      readonly name: 'rejoining'
      readonly sinceMs: number
      readonly deadlineMs: number
      readonly reason: string
      /**
       * As in `fenced`. If false, only the end of the start command shows that no stop command of an earlier agent is
       * still running.
       */
      readonly sawAbsent: boolean
    }
  /** A standby proves its fence (phases/drilling.ts). */
  | {
      readonly name: 'drilling'
      readonly sinceMs: number
      readonly reason: string
      readonly ladder: Ladder
      readonly rungSinceMs: number
      /** The first thing that went wrong; null: nothing so far. */
      readonly failure: string | null
      readonly stop: CommandProgress
      /** Everything is proved and keepalived is being brought back; null: not yet. */
      readonly returning: {
        readonly sinceMs: number
        readonly deadlineMs: number
        readonly start: CommandProgress
      } | null
    }

/** Whether a node in this phase asks the voters for their votes with each heartbeat. */
export function reportsAsk({ name }: Phase): boolean {
  return name === 'claiming' || name === 'holding' || name === 'applying' || name === 'entitled'
}

export type Drilling = Phase & { name: 'drilling' }
