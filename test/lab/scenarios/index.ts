/** Every scenario of the lab: first the basic faults, then those that the simulator found. */
import { type Scenario } from '../scenario.ts'
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
import { drills } from './drill.ts'
import { killHost, lastOneStanding, rebootHolderAtOnce, witnessRestarts } from './dying-hosts.ts'
import { fenceFailures } from './fence-fails.ts'
import { hostileNetworks } from './hostile-network.ts'
import { gatewayLost } from './lost-gateway.ts'
import { strictGates } from './strict-gate.ts'
import {
  agentDiesInFence,
  holderDeaf,
  lastingBlock,
  nopreemptOneWay,
  standbyDeaf,
  vrrpBlock,
  witnessDeadThenBlock,
} from './vrrp-block.ts'

export const scenarios: readonly Scenario[] = [
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
  ...hostileNetworks,
]

export class UnknownScenarioError extends Error {
  readonly code = 'unknown-scenario'
}

/** `all`, a family or a variant. @throws UnknownScenarioError for any other name. */
export function scenariosNamed(wanted: readonly string[]): readonly Scenario[] {
  const known = (name: string): readonly Scenario[] =>
    scenarios.filter(
      (scenario) => name === 'all' || scenario.name === name || scenario.name.startsWith(`${name}/`),
    )
  for (const name of wanted)
    if (known(name).length === 0)
      throw new UnknownScenarioError(`unknown scenario "${name}"; "npm run lab -- list" shows the names`)
  const chosen = new Set(wanted.flatMap(known))
  return scenarios.filter((scenario) => chosen.has(scenario))
}
