/**
 * What a scenario of the hosts lab is. Scenarios follow one another on the same hosts: each begins with what the one
 * before left.
 */
import { type CataloguedFault, type Must } from '../lab/scenario.ts'
import { type HostsLab } from './hosts-lab.ts'
import { type Roles } from './witness-word.ts'

export interface HostsScenario {
  readonly name: string
  readonly fault: string
  /** Which node is holder and which is standby is known when it begins. */
  readonly cast: (roles: Roles) => Play
}

export interface Play {
  /** Named as in the simulator's catalogue, for the invariants; none if the catalogue has no name for it. */
  readonly faults: readonly CataloguedFault[]
  readonly begin: (lab: HostsLab) => Promise<void>
  /** From the beginning to the heal, at least. */
  readonly faultMs: number
  readonly heal: (lab: HostsLab) => Promise<void>
  readonly musts: readonly Must[]
  /** Checks what else must hold at the end of the fault; throws what is wrong. */
  readonly inFault?: (lab: HostsLab) => Promise<void>
  /** Checks what else must hold in the end. */
  readonly after?: (lab: HostsLab) => Promise<void>
}
