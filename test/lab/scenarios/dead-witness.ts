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
  outageAtMost,
  overlapAtMost,
  takesVipOver,
} from '../musts.ts'
import { pause } from '../pause.ts'
import { type Scenario } from '../scenario.ts'
import { startWarm } from '../steady-state.ts'

/** In the world outside these are minutes. */
const setup = { delegateAfterMs: 4000 } as const
/** Longer than the standby waits until it delegates its vote to the holder. */
const deadForMs = 2 * setup.delegateAfterMs

async function lose(cluster: ClusterUnderTest): Promise<void> {
  await startWarm(cluster)
  await cluster.killWitness()
  await pause(deadForMs)
}

/** keepalived's skew time at priority 100 is 0.6 s; the rest is for a busy machine. */
const quickTakeoverMs = 2000

const witnessDies = { kind: 'kill-witness', where: 'witness' } as const

const standbyDies: Scenario = {
  name: 'witness-dead-for-long/standby-dies',
  fault: 'the witness has been dead for long; then the host of the standby dies, and both come back',
  faults: [witnessDies, { kind: 'crash-host', where: 'lb02' }],
  setup,
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

/** keepalived is held in FAULT on the standby, and the gate must not open while its vote is delegated. */
const strictCut: Scenario = {
  ...cutFromEachOther,
  name: 'witness-dead-for-long/strict-cut-ab',
  fault: `gate: strict; ${cutFromEachOther.fault}`,
  setup: { ...setup, gate: 'strict' },
}

/** The holder returns the vote before the standby needs it. */
const holderStops: Scenario = {
  ...standbyDies,
  name: 'witness-dead-for-long/clean-stop',
  fault: 'the witness has been dead for long; then the admin stops keepalived on the holder',
  faults: [witnessDies, { kind: 'stop-keepalived', where: 'lb01' }],
  begin: (cluster) => cluster.stopKeepalived('lb01'),
  heal: async (cluster) => {
    await cluster.startKeepalived('lb01')
    await cluster.startWitness()
  },
  rightful: 'lb02',
  musts: [
    ...takesVipOver('lb02', { overlapMs: 250 }),
    outageAtMost(quickTakeoverMs),
    nobodyFenced(),
    bothKeepalivedRunAtEnd(),
  ],
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

export const deadWitnesses: readonly Scenario[] = [
  standbyDies,
  cutFromEachOther,
  strictCut,
  holderStops,
  holderDies,
]
