/** What a scenario is: a fault, how long it lasts, and what must hold. */
import type { FaultKind } from '../sim/faults/faults.ts'
import { type LabHost, type LabNode } from './address-plan.ts'
import { type ClusterSetup } from './cluster-setup.ts'
import { type ClusterUnderTest } from './cluster-under-test.ts'
import { type MeasuredRun } from './measured-run.ts'
import { type ScenarioFigures } from './figures.ts'
import { type SiegePlan } from './siege.ts'

/** A fault by the name that the simulator's catalogue has for it (test/sim/faults/faults.ts), for the invariants. */
export interface CataloguedFault {
  readonly kind: FaultKind
  readonly where: LabHost | `${LabHost}>${LabHost}` | 'everywhere'
}

/** Something that must hold in every single run. */
export interface Must {
  readonly says: string
  /** Null if it holds, else what was seen instead. */
  readonly broken: (run: MeasuredRun) => string | null
}

/** A bound on time over many runs: for the bench, not for tests on a busy machine. */
export interface BenchMust {
  readonly says: string
  /** `alone` are the figures of keepalived alone under the same fault, if they were measured. */
  readonly broken: (figures: ScenarioFigures, alone: ScenarioFigures | null) => string | null
  readonly needsAlone: boolean
}

export interface Scenario {
  /** `family` or `family/variant`. */
  readonly name: string
  /** The fault, in a sentence. */
  readonly fault: string
  /** What happens from `begin` to `heal`; absent if the catalogue has no name for it, as for a cold start. */
  readonly faults: readonly CataloguedFault[]
  readonly setup?: Partial<Omit<ClusterSetup, 'arbiter' | 'product'>>
  /**
   * Attacks from the network while the fault lasts. Runs with attacks measure time and need the machine for themselves.
   */
  readonly siege?: SiegePlan
  /** It makes the machine busy, or a program must start within a second, so no other lab may run beside it. */
  readonly needsMachine?: true
  /** Whether the same scenario can be run with keepalived alone. */
  readonly comparable: boolean
  /** Brings the cluster up to the moment before the fault; default: `startWarm`. */
  readonly prepare?: (cluster: ClusterUnderTest) => Promise<void>
  /** May take long; the phase is counted from the moment it is called. */
  readonly begin: (cluster: ClusterUnderTest) => Promise<void>
  readonly faultMs: number
  readonly heal: (cluster: ClusterUnderTest) => Promise<void>
  /** How long to watch after the heal; a quick run ends early, once everything is settled. */
  readonly healedMs: number
  /**
   * Whose answers are right while both nodes have the VIP; null: those of the node that is the only one with it at the
   * end of the phase, or else at the end of the run.
   */
  readonly rightful: LabNode | null
  /**
   * What must be so for a run to say anything about the musts, because a busy machine may make a fault longer than it is
   * meant to be. A run without it is repeated (`runOnce`).
   */
  readonly premises?: readonly Must[]
  /** What else must hold when the watch ends, looked at in the lab; each complaint is a broken must. */
  readonly atEnd?: (cluster: ClusterUnderTest) => Promise<readonly string[]>
  readonly musts: readonly Must[]
  readonly benchMusts: readonly BenchMust[]
}
