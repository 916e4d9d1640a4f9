/** The phases of a guard. Exactly one at a time; transitions.ts has every way into one. */
import type { Ladder } from './fence-ladder.ts'

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

/** Whether a node in this phase asks the voters for their votes with each heartbeat. */
export function reportsAsk({ name }: Phase): boolean {
  return name === 'claiming' || name === 'holding' || name === 'applying' || name === 'entitled'
}

export type Drilling = Phase & { name: 'drilling' }
