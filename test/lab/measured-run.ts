/** What was seen of one run of a scenario. All times are wall-clock times in ms. */
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
  /** Whether keepalived has a process on the node; a host without power has none. */
  readonly keepalivedRuns: Readonly<Record<LabNode, boolean>>
  /** What the witness answers; null: nothing, or there is no witness. */
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
  /** The events of the witness, including those before the fault. */
  readonly events: readonly EventView[]
  /** In time order. */
  readonly facts: readonly Timed[]
  /** What the scenario itself found wrong in the end (`atEnd`). */
  readonly complaints: readonly string[]
  /** How long each node was without an answer of the witness after the lab had killed it (witness-away.ts). */
  readonly witnessAwayMs: Readonly<Record<LabNode, number>>
  /** Null: nobody attacked. */
  readonly siege: SiegeFigures | null
  /** The invariants that the facts break; keepalived alone is not judged, so it breaks none here. */
  readonly violations: readonly Violation[]
}
