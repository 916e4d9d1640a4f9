/** Every scenario of the lab: first the basic faults, then those that the simulator found. */
import { type Scenario } from '../scenario.ts'
import { addresses } from './addresses.ts'
import { advertPaces } from './advert-pace.ts'
import { agentFaults, cleanStop, freezeKeepalived, killKeepalived, preempt } from './broken-processes.ts'
import { coldStarts } from './cold-start.ts'
import {
  cutAb,
  isolateHolder,
  isolateHolderBriefly,
  isolateStandby,
  isolateWitness,
  loneSurvivorFlap,
  loss,
  unplugHolder,
} from './cut-links.ts'
import { deadWitnesses } from './dead-witness.ts'
import { drills } from './drill.ts'
import { killHost, lastOneStanding, rebootHolderAtOnce, witnessRestarts } from './dying-hosts.ts'
import { fenceFailures } from './fence-fails.ts'
import { hostileNetworks } from './hostile-network.ts'
import { identities } from './identities.ts'
import { installations } from './installing.ts'
import { gatewayLost } from './lost-gateway.ts'
import { namesDiffer } from './names-differ.ts'
import { nightlyOnly } from './nightly.ts'
import { slowChecks } from './slow-check.ts'
import { standbyAgentFrozen } from './standstill.ts'
import { strictGates } from './strict-gate.ts'
import { weights } from './weights.ts'
import {
  agentDiesInFence,
  holderDeaf,
  lastingBlock,
  nopreemptOneWay,
  standbyDeaf,
  vrrpBlock,
  witnessDeadThenBlock,
} from './vrrp-block.ts'

const known: readonly Scenario[] = [
  vrrpBlock,
  lastingBlock,
  standbyDeaf,
  holderDeaf,
  cutAb,
  isolateHolder,
  unplugHolder,
  isolateStandby,
  isolateWitness,
  killHost,
  witnessDeadThenBlock,
  ...witnessRestarts,
  killKeepalived,
  freezeKeepalived,
  ...agentFaults,
  agentDiesInFence,
  cleanStop,
  preempt,
  loss,
  ...coldStarts,
  ...fenceFailures,
  isolateHolderBriefly,
  loneSurvivorFlap,
  rebootHolderAtOnce,
  lastOneStanding,
  nopreemptOneWay,
  gatewayLost,
  ...strictGates,
  ...drills,
  ...installations,
  ...weights,
  ...slowChecks,
  ...addresses,
  standbyAgentFrozen,
  namesDiffer,
  ...identities,
  ...advertPaces,
  ...deadWitnesses,
  ...hostileNetworks,
]

/** What the product does not do yet: these can be run by name, and `npm test` leaves them out. */
const notYet: ReadonlySet<string> = new Set([])

export const scenarios = known.filter(({ name }) => !notYet.has(name))

/** Those of `npm test`. */
export const everydayScenarios = scenarios.filter(({ name }) => !nightlyOnly.has(name))

export class UnknownScenarioError extends Error {
  readonly code = 'unknown-scenario'
}

/** `all`, a family or a variant. @throws UnknownScenarioError for any other name. */
export function scenariosNamed(wanted: readonly string[]): readonly Scenario[] {
  const named = (name: string): readonly Scenario[] =>
    name === 'all'
      ? scenarios
      : known.filter((scenario) => scenario.name === name || scenario.name.startsWith(`${name}/`))
  for (const name of wanted)
    if (named(name).length === 0)
      throw new UnknownScenarioError(`unknown scenario "${name}"; "npm run lab -- list" shows the names`)
  const chosen = new Set(wanted.flatMap(named))
  return known.filter((scenario) => chosen.has(scenario))
}
