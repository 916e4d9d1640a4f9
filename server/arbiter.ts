/**
 * The witness's decisions for one cluster. Pure: state and event in, state and ordered effects out.
 */
import type { Ballot, Mark, RecoveredBallot } from '../shared/vote.ts'
import type { Beat, FromVoter, Hello, Member, NodeName, Tell } from '../shared/protocol.ts'
import type { Timing } from '../shared/timing.ts'

/** The shell numbers the connections. */
export type ConnectionId = number
/** The shell numbers the questions of checks. */
export type CheckId = number

export type ArbiterEvent =
  | {
      readonly type: 'hello'
      readonly atMs: number
      readonly connection: ConnectionId
      readonly hello: Hello
      readonly remoteAddress: string
    }
  | { readonly type: 'closed'; readonly atMs: number; readonly connection: ConnectionId }
  | { readonly type: 'beat'; readonly atMs: number; readonly connection: ConnectionId; readonly beat: Beat }
  | { readonly type: 'tell'; readonly atMs: number; readonly connection: ConnectionId; readonly tell: Tell }
  | {
      readonly type: 'check'
      readonly atMs: number
      readonly check: CheckId
      readonly node: NodeName
      readonly instance: string
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
  /** The deadline of `nextDeadlineMs`, or any other time. */
  | { readonly type: 'tick'; readonly atMs: number }
  /** This process did not run for `gapMs`, or the clocks parted. Comes before the event that found it. */
  | { readonly type: 'resumed'; readonly atMs: number; readonly gapMs: number }

/** What operators read: kept by the shell, bounded, across restarts. */
export interface Occurrence {
  readonly event: string
  readonly level: 'info' | 'warning' | 'critical'
  readonly instance: string | null
  readonly node: NodeName | null
  /** One sentence in plain words. */
  readonly text: string
  /** The facts it rests on. */
  readonly evidence: Readonly<Record<string, unknown>>
  /** What was decided on it; null: nothing. */
  readonly decision: string | null
}

export type ArbiterEffect =
  | { readonly type: 'send'; readonly connection: ConnectionId; readonly message: FromVoter }
  | { readonly type: 'close'; readonly connection: ConnectionId; readonly reason: string }
  | { readonly type: 'record'; readonly instance: string; readonly ballot: Ballot }
  | { readonly type: 'mark'; readonly instance: string; readonly mark: Mark }
  | {
      readonly type: 'answer-check'
      readonly check: CheckId
      readonly permit: boolean
      readonly text: string
    }
  | { readonly type: 'occurred'; readonly occurrence: Occurrence }
  /** The members of the cluster changed (a cluster that admits its nodes at their first hello). */
  | { readonly type: 'members'; readonly members: readonly Member[] }

export interface ArbiterOptions {
  readonly cluster: string
  readonly timing: Timing
  readonly members: readonly Member[]
  /** Whether unknown nodes join at their first hello, up to two. */
  readonly admit: boolean
  /** Per instance of the ledger; 'lost' when the ledger was not to be trusted. */
  readonly recovered: ReadonlyMap<string, RecoveredBallot> | 'lost'
  readonly atMs: number
}

export interface Arbiter {
  readonly options: ArbiterOptions
}

export interface Arbitration {
  readonly arbiter: Arbiter
  readonly effects: readonly ArbiterEffect[]
}

export function createArbiter(options: ArbiterOptions): Arbiter {
  return { options }
}

export function arbitrate(arbiter: Arbiter, _event: ArbiterEvent): Arbitration {
  return { arbiter, effects: [] }
}

/** When the arbiter wants a `tick` at the latest; null: no wish. */
export function nextDeadlineMs(_arbiter: Arbiter): number | null {
  return null
}
