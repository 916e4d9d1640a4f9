/** What was seen of one run of a scenario. All instants: wall clock, ms. */
import type { ClusterView, EventView } from '../../shared/protocol/view.ts'
import type { Timed, Violation } from '../invariants/facts.ts'
import { type LabNode } from './address-plan.ts'
import { type Arbiter } from './arbiter.ts'
import { type SiegeFigures } from './siege.ts'
import { type OwnershipChange, type OwnershipFigures, type Span } from './vip-ownership.ts'
import { type ClientFigures } from './web-client.ts'

export type PhaseFigures = OwnershipFigures & ClientFigures

/** The lab at one moment. */
export interface Snapshot {
  /** Whether keepalived has a process there; a host without power has none. */
  readonly keepalivedRuns: Readonly<Record<LabNode, boolean>>
  /** What the witness says; null: nothing, or there is none. */
  readonly view: ClusterView | null
}

export interface MeasuredRun {
  readonly scenario: string
  readonly arbiter: Arbiter
  readonly fault: PhaseFigures
  readonly healed: PhaseFigures
  readonly whole: PhaseFigures
  readonly spans: { readonly fault: Span; readonly healed: Span }
  readonly changes: readonly OwnershipChange[]
  readonly before: Snapshot
  readonly faultEnd: Snapshot
  readonly end: Snapshot
  /** Of the witness, those before the fault included. */
  readonly events: readonly EventView[]
  /** In time order. */
  readonly facts: readonly Timed[]
  /** Null: nobody attacked. */
  readonly siege: SiegeFigures | null
  /** What the facts break; keepalived alone is not judged, and breaks nothing here. */
  readonly violations: readonly Violation[]
}
