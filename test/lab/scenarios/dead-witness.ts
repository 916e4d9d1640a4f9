/**
 * The witness is dead, and nobody notices. The pair must not be worse off than one without a witness as long as one more
 * fault leaves the holder alive.
 */
import { nodes } from '../address-plan.ts'
import { type ClusterUnderTest } from '../cluster-under-test.ts'
import {
  bothKeepalivedRunAtEnd,
  keepsVip,
  nobodyFenced,
  notDarkAfterHeal,
  oneOwnerAfterHeal,
  overlapAtMost,
} from '../musts.ts'
import { pause } from '../pause.ts'
import { type Scenario } from '../scenario.ts'
import { startWarm } from '../steady-state.ts'

/** Longer than the standby waits until it leaves its vote with the holder. */
const deadForMs = 20_000

async function lose(cluster: ClusterUnderTest): Promise<void> {
  await startWarm(cluster)
  await cluster.killWitness()
  await pause(deadForMs)
}

const witnessDies = { kind: 'kill-witness', where: 'witness' } as const

const standbyDies: Scenario = {
  name: 'witness-dead-for-long/standby-dies',
  fault: 'the witness has been dead for long; then the host of the standby dies, and both come back',
  faults: [witnessDies, { kind: 'crash-host', where: 'lb02' }],
  comparable: false,
  prepare: lose,
  begin: (cluster) => cluster.killHost('lb02'),
  faultMs: 5000,
  heal: async (cluster) => {
    await cluster.bootHost('lb02')
    await cluster.startNode('lb02')
    await cluster.startWitness()
  },
  healedMs: 20_000,
  rightful: 'lb01',
  musts: [...keepsVip('lb01', { overlapMs: 0 }), nobodyFenced(), bothKeepalivedRunAtEnd()],
  benchMusts: [notDarkAfterHeal],
}

const cutFromEachOther: Scenario = {
  ...standbyDies,
  name: 'witness-dead-for-long/cut-ab',
  fault: 'the witness has been dead for long; then all traffic between the nodes is dropped',
  faults: [witnessDies, { kind: 'cut-link', where: 'lb01>lb02' }],
  begin: (cluster) => cluster.wires.cut(...nodes),
  faultMs: 8000,
  heal: async (cluster) => {
    await cluster.wires.endCut()
    await cluster.startWitness()
  },
}

/** The vote that the standby left with the holder is what this costs: nobody else can take the VIP. */
const holderDies: Scenario = {
  ...standbyDies,
  name: 'witness-dead-for-long/holder-dies',
  fault: 'the witness has been dead for long; then the host of the holder dies, and both come back',
  faults: [witnessDies, { kind: 'crash-host', where: 'lb01' }],
  begin: (cluster) => cluster.killHost('lb01'),
  heal: async (cluster) => {
    await cluster.bootHost('lb01')
    await cluster.startNode('lb01')
    await cluster.startWitness()
  },
  rightful: null,
  musts: [oneOwnerAfterHeal(), overlapAtMost(0), bothKeepalivedRunAtEnd()],
  benchMusts: [],
}

export const deadWitnesses: readonly Scenario[] = [standbyDies, cutFromEachOther, holderDies]
