/** What the witness's API answers about clusters, instances, nodes and events. */
import type { Drilled, FenceReport, GuardPhase, KeepalivedState, ProcessState, VipState } from './report.ts'

export const situations = [
  'normal',
  'no-master',
  'dual-master',
  'agent-down',
  'host-down',
  'contested',
  'id-conflict',
  'starting',
] as const

export type Situation = (typeof situations)[number]

/** The last drill of a node that passed. */
export interface DrillView {
  /** RFC 3339, the witness's wall clock. */
  readonly at: string
  readonly instances: readonly Pick<Drilled, 'instance' | 'role' | 'rungs' | 'backMs'>[]
}

export interface NodeInstanceView {
  readonly instance: string
  readonly keepalived: KeepalivedState
  readonly process: ProcessState
  readonly vips: VipState
  readonly phase: GuardPhase
  /** Why the node is in its phase, in plain words, from its agent. */
  readonly why: string
  readonly allowed:
    'holds the lease' | 'may become MASTER' | 'unprotected' | 'barred' | 'fenced' | 'in a drill' | 'unknown'
  readonly priority: number
  readonly epoch: number
  readonly checkSilentMs: number | null
  readonly peerSilentMs: number | null
  readonly fence: FenceReport | null
}

export interface NodeView {
  readonly node: string
  readonly address: string
  readonly connected: boolean
  readonly mode: 'enforce' | 'observe' | null
  readonly software: string | null
  /** Milliseconds since its last heartbeat; null: none since the witness started. */
  readonly heartbeatAgeMs: number | null
  readonly icmp: { readonly roundTripMs: number | null; readonly lossPercent: number | null }
  readonly instances: readonly NodeInstanceView[]
  readonly warnings: readonly string[]
  /** Null: none is known. */
  readonly lastDrill: DrillView | null
}

export interface InstanceView {
  readonly instance: string
  readonly vips: readonly string[]
  readonly situation: Situation
  /** One sentence that an operator understands. */
  readonly text: string
  readonly holder: string | null
  readonly epoch: number
  /** How long the witness keeps its vote for the holder. */
  readonly promiseLeftMs: number | null
}

export interface ClusterView {
  readonly cluster: string
  readonly verdict: { readonly level: 'ok' | 'warning' | 'critical'; readonly text: string }
  readonly instances: readonly InstanceView[]
  readonly nodes: readonly NodeView[]
  /** Messages that changed nothing, by reason. */
  readonly refusedMessages: Readonly<Record<string, number>>
}

/** A kept event, as `/api/v1/clusters/:cluster/events` lists it. */
export interface EventView {
  readonly id: number
  /** RFC 3339, the witness's wall clock: for people; nothing is decided on it. */
  readonly at: string
  readonly cluster: string
  readonly event: string
  readonly level: 'info' | 'warning' | 'critical'
  readonly instance: string | null
  readonly node: string | null
  readonly text: string
  readonly evidence: Readonly<Record<string, unknown>>
  readonly decision: string | null
}
