/** What a scenario of the hosts lab is. They follow one another on the same hosts: what one leaves, the next begins with. */
import { type CataloguedFault, type Must } from '../lab/scenario.ts'
import { type HostsLab } from './hosts-lab.ts'
import { type Roles } from './witness-word.ts'

export interface HostsScenario {
  readonly name: string
  readonly fault: string
  /** Who plays which part is known when it begins. */
  readonly cast: (roles: Roles) => Play
}

export interface Play {
  /** By the names of the simulator's catalogue, for the invariants; none where it has no name for it. */
  readonly faults: readonly CataloguedFault[]
  readonly begin: (lab: HostsLab) => Promise<void>
  /** From the beginning to the heal, at least. */
  readonly faultMs: number
  readonly heal: (lab: HostsLab) => Promise<void>
  readonly musts: readonly Must[]
  /** What else must be so at the end of the fault; throws what is wrong. */
  readonly inFault?: (lab: HostsLab) => Promise<void>
  /** What else must be so in the end. */
  readonly after?: (lab: HostsLab) => Promise<void>
}
