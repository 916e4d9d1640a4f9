/** Faults of whole hosts and of the witness's process. */
import {
  bothKeepalivedRunAtEnd,
  holderChangesAtMost,
  nobodyFenced,
  noOutage,
  notDarkAfterHeal,
  outageRatioAtMost,
  overlapAtMost,
  ownerAfterHeal,
  ownerDuringFault,
} from '../musts.ts'
import { pause } from '../pause.ts'
import { type ClusterUnderTest } from '../cluster-under-test.ts'
import { type Scenario } from '../scenario.ts'
import { cutAb, isolateHolder } from './cut-links.ts'
import { vrrpBlock } from './vrrp-block.ts'

export const killHost: Scenario = {
  name: 'kill-host',
  fault: 'everything on the holder dies and its port goes down; the heal is its next boot',
  faults: [{ kind: 'crash-host', where: 'lb01' }],
  comparable: true,
  begin: (cluster) => cluster.killHost('lb01'),
  faultMs: 7000,
  heal: async (cluster) => {
    await cluster.bootHost('lb01')
    await cluster.startNode('lb01')
  },
  healedMs: 30_000,
  rightful: 'lb02',
  musts: [
    ownerDuringFault('lb02'),
    ownerAfterHeal('lb02'),
    holderChangesAtMost(1),
    overlapAtMost(0),
    bothKeepalivedRunAtEnd(),
  ],
  benchMusts: [outageRatioAtMost(1.05), notDarkAfterHeal],
}

/** systemd's RestartSec, where the unit does not say otherwise. */
const restartDelayMs = 100

async function restartWitness(cluster: ClusterUnderTest): Promise<void> {
  await cluster.killWitness()
  await pause(restartDelayMs)
  await cluster.startWitness()
}

const quiet: Scenario = {
  name: 'witness-restart/quiet',
  fault: 'nothing but a witness that is killed and started again',
  faults: [{ kind: 'kill-witness', where: 'witness' }],
  comparable: false,
  begin: restartWitness,
  faultMs: 7000,
  heal: () => Promise.resolve(),
  healedMs: 20_000,
  rightful: 'lb01',
  musts: [
    ownerDuringFault('lb01'),
    ownerAfterHeal('lb01'),
    holderChangesAtMost(0),
    noOutage(),
    overlapAtMost(0),
    nobodyFenced(),
  ],
  benchMusts: [notDarkAfterHeal],
}

/** The witness is away when the cluster needs it most: between the fault and keepalived's own reaction. */
function whileWitnessRestarts(scenario: Scenario): Scenario {
  return {
    ...scenario,
    name: `witness-restart/${scenario.name}`,
    fault: `${scenario.fault}; meanwhile the witness is killed and started again`,
    faults: [...scenario.faults, { kind: 'kill-witness', where: 'witness' }],
    comparable: false,
    begin: async (cluster) => {
      await scenario.begin(cluster)
      await pause(1000)
      await restartWitness(cluster)
    },
  }
}

export const witnessRestarts: readonly Scenario[] = [
  quiet,
  ...[vrrpBlock, cutAb, isolateHolder, killHost].map(whileWitnessRestarts),
]
