import { nodes, type LabNode } from '../address-plan.ts'
import { type ClusterUnderTest } from '../cluster-under-test.ts'
import {
  benchBound,
  bothKeepalivedRunAtEnd,
  fencesAtMost,
  holderChangesAtMost,
  keepalivedBackOn,
  keepalivedStoppedOn,
  keepsVip,
  notDarkAfterHeal,
  oneOwnerThroughout,
  overlapAtMost,
  overlapBoundMs,
} from '../musts.ts'
import { admitVrrpAt, dropVrrpAt } from '../packet-filter.ts'
import { agentKilled } from '../keepalived-service.ts'
import { pause, until } from '../pause.ts'
import { type Scenario } from '../scenario.ts'
import { startWarm, untilOwner, untilSettled } from '../steady-state.ts'

/** Nodes that no longer hear VRRP. */
export async function dropVrrp(cluster: ClusterUnderTest, deaf: readonly LabNode[]): Promise<void> {
  await Promise.all(deaf.map((node) => dropVrrpAt(cluster.host(node))))
}

export async function admitVrrp(cluster: ClusterUnderTest, deaf: readonly LabNode[]): Promise<void> {
  await Promise.all(deaf.map((node) => admitVrrpAt(cluster.host(node))))
}

/** `RestartSec` of the agent's unit. */
const restartMs = 500
const shortOverlap = benchBound('overlapMs', 'whole', { medianMs: 10, maxMs: 60 })
const neverDark = benchBound('longestDarkMs', 'whole', { maxMs: 100 })
const holderKeepsVip = keepsVip('lb01', { overlapMs: overlapBoundMs })
const loserStopsAndReturns = [keepalivedStoppedOn('lb02'), keepalivedBackOn('lb02'), fencesAtMost(1, 'lb02')]

export const vrrpBlock: Scenario = {
  name: 'vrrp-block',
  fault: 'protocol 112 is dropped both ways, as by a firewalld without the VRRP rule',
  faults: [{ kind: 'vrrp-block', where: 'everywhere' }],
  comparable: true,
  begin: (cluster) => dropVrrp(cluster, nodes),
  faultMs: 8000,
  heal: (cluster) => admitVrrp(cluster, nodes),
  healedMs: 30_000,
  rightful: 'lb01',
  musts: [...holderKeepsVip, ...loserStopsAndReturns],
  benchMusts: [shortOverlap, neverDark, notDarkAfterHeal],
}

/**
 * The stop continues without the agent that ordered it; the next agent finds keepalived still running, and must start
 * it again.
 */
export const agentDiesInFence: Scenario = {
  ...vrrpBlock,
  name: 'kill-agent/in-its-fence',
  fault:
    "protocol 112 is dropped both ways, and the loser's stop command kills the agent that runs it; the next agent starts 0.5 s later",
  faults: [...vrrpBlock.faults, { kind: 'kill-agent-in-fence', where: 'lb02' }],
  setup: { stopCommand: 'kills its agent' },
  comparable: false,
  begin: async (cluster) => {
    await dropVrrp(cluster, nodes)
    await until('the agent of lb02 is killed', { withinMs: 10_000, everyMs: 20 }, async () =>
      (await cluster.host('lb02').tryRun('test', '-e', agentKilled)).code === 0 ? true : null,
    )
    await cluster.signalAgent('lb02', 'KILL')
    await pause(restartMs)
    await cluster.startAgent('lb02')
  },
  musts: [...holderKeepsVip, keepalivedBackOn('lb02'), bothKeepalivedRunAtEnd()],
  benchMusts: [notDarkAfterHeal],
}

/** Long enough for a loser that rejoins too early to be fenced repeatedly; the waits must grow. */
export const lastingBlock: Scenario = {
  ...vrrpBlock,
  name: 'vrrp-block-lasting',
  fault: 'protocol 112 is dropped both ways for a long time',
  faultMs: 45_000,
  healedMs: 60_000,
  musts: [...holderKeepsVip, keepalivedBackOn('lb02'), fencesAtMost(3, 'lb02')],
  benchMusts: [neverDark, notDarkAfterHeal],
}

export const standbyDeaf: Scenario = {
  ...vrrpBlock,
  name: 'vrrp-block-one-way/standby-deaf',
  fault: 'the standby no longer hears the holder over VRRP',
  faults: [{ kind: 'vrrp-block-one-way', where: 'lb01>lb02' }],
  begin: (cluster) => dropVrrp(cluster, ['lb02']),
  heal: (cluster) => admitVrrp(cluster, ['lb02']),
}

/** A standby sends nothing over VRRP, so a holder that cannot hear it loses nothing. */
export const holderDeaf: Scenario = {
  ...vrrpBlock,
  name: 'vrrp-block-one-way/holder-deaf',
  fault: 'the holder no longer hears the standby over VRRP',
  faults: [{ kind: 'vrrp-block-one-way', where: 'lb02>lb01' }],
  begin: (cluster) => dropVrrp(cluster, ['lb01']),
  heal: (cluster) => admitVrrp(cluster, ['lb01']),
  musts: [...holderKeepsVip, keepalivedBackOn('lb02')],
}

/** keepalived yields to a higher priority that it hears, whatever `nopreempt` says. */
export const nopreemptOneWay: Scenario = {
  ...standbyDeaf,
  name: 'nopreempt-one-way',
  fault: 'nopreempt; the holder has the lower priority, and the standby no longer hears it over VRRP',
  faults: [{ kind: 'vrrp-block-one-way', where: 'lb02>lb01' }],
  prepare: async (cluster) => {
    await startWarm(cluster)
    await cluster.stopKeepalived('lb01')
    await untilOwner(cluster, 'lb02')
    await cluster.startKeepalived('lb01')
    await untilSettled(cluster)
  },
  begin: (cluster) => dropVrrp(cluster, ['lb01']),
  faultMs: 6000,
  heal: (cluster) => admitVrrp(cluster, ['lb01']),
  rightful: null,
  // On a busy machine the holder's proof of release may come after the claim has stopped waiting; then the VIP goes
  // back to the holder.
  musts: [
    ...oneOwnerThroughout(),
    holderChangesAtMost(2),
    fencesAtMost(1, 'lb01'),
    fencesAtMost(0, 'lb02'),
    overlapAtMost(overlapBoundMs),
    bothKeepalivedRunAtEnd(),
  ],
  benchMusts: [benchBound('outageMs', 'whole', { maxMs: 100 }), notDarkAfterHeal],
}

export const witnessDeadThenBlock: Scenario = {
  ...vrrpBlock,
  name: 'witness-dead-then-block',
  fault: 'the witness is killed; three seconds later protocol 112 is dropped both ways',
  faults: [
    { kind: 'kill-witness', where: 'witness' },
    { kind: 'vrrp-block', where: 'everywhere' },
  ],
  comparable: false,
  prepare: async (cluster) => {
    await startWarm(cluster)
    await cluster.killWitness()
    await pause(3000)
  },
  heal: async (cluster) => {
    await admitVrrp(cluster, nodes)
    await cluster.startWitness()
  },
}
