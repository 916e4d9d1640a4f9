/** Faults of one daemon on one node. */
import { nodes, type LabNode } from '../address-plan.ts'
import { type ClusterUnderTest } from '../cluster-under-test.ts'
import { everydayPair } from '../keepalived-config.ts'
import {
  benchBound,
  bothKeepalivedRunAtEnd,
  fencesAtMost,
  holderChangesAtMost,
  keepalivedLeftStoppedOn,
  keepsVip,
  nobodyFenced,
  notDarkAfterHeal,
  oneOwnerThroughout,
  outageRatioAtMost,
  overlapAtMost,
  overlapBoundMs,
  overlapWithoutAgentMs,
  takesVipOver,
} from '../musts.ts'
import { type Scenario } from '../scenario.ts'
import { startWarm, untilOwner } from '../steady-state.ts'
import { admitVrrp, dropVrrp } from './vrrp-block.ts'

/** What keepalived itself needs to take over with the priorities of the lab: 3.61 s, plus the time to notice. */
const takeoverMs = 3800

export const killKeepalived: Scenario = {
  name: 'kill-keepalived',
  fault: 'SIGKILL to all of keepalived on the holder; its VIP stays in the kernel',
  faults: [{ kind: 'kill-keepalived', where: 'lb01' }],
  comparable: true,
  begin: (cluster) => cluster.signalKeepalived('lb01', 'KILL'),
  faultMs: 8000,
  heal: (cluster) => cluster.startKeepalived('lb01'),
  healedMs: 30_000,
  rightful: null,
  musts: [...oneOwnerThroughout(), overlapAtMost(0), holderChangesAtMost(1), bothKeepalivedRunAtEnd()],
  benchMusts: [benchBound('outageMs', 'whole', { maxMs: takeoverMs }), notDarkAfterHeal],
}

export const freezeKeepalived: Scenario = {
  name: 'freeze-keepalived',
  fault: 'SIGSTOP to all of keepalived on the holder, SIGCONT ten seconds later',
  faults: [{ kind: 'freeze-keepalived', where: 'lb01' }],
  comparable: true,
  begin: (cluster) => cluster.signalKeepalived('lb01', 'STOP'),
  faultMs: 10_000,
  heal: async (cluster) => {
    await cluster.signalKeepalived('lb01', 'CONT')
    await cluster.startKeepalived('lb01')
  },
  healedMs: 30_000,
  rightful: null,
  musts: [
    ...oneOwnerThroughout(),
    overlapAtMost(overlapBoundMs),
    fencesAtMost(1, 'lb01'),
    fencesAtMost(1, 'lb02'),
    holderChangesAtMost(1),
    bothKeepalivedRunAtEnd(),
  ],
  benchMusts: [benchBound('overlapMs', 'whole', { maxMs: 60 }), notDarkAfterHeal],
}

interface AgentFault {
  readonly family: 'kill-agent' | 'freeze-agent'
  readonly what: string
  readonly strike: (cluster: ClusterUnderTest, node: LabNode) => Promise<void>
  readonly undo: (cluster: ClusterUnderTest, node: LabNode) => Promise<void>
}

const killedAgent: AgentFault = {
  family: 'kill-agent',
  what: 'SIGKILL to the agent',
  strike: (cluster, node) => cluster.signalAgent(node, 'KILL'),
  undo: (cluster, node) => cluster.startAgent(node),
}

const frozenAgent: AgentFault = {
  family: 'freeze-agent',
  what: 'SIGSTOP to the agent, SIGCONT ten seconds later,',
  strike: (cluster, node) => cluster.signalAgent(node, 'STOP'),
  undo: (cluster, node) => cluster.signalAgent(node, 'CONT'),
}

function onHolder({ family, what, strike, undo }: AgentFault): Scenario {
  return {
    name: `${family}/holder`,
    fault: `${what} on the holder`,
    faults: [{ kind: family, where: 'lb01' }],
    comparable: false,
    begin: (cluster) => strike(cluster, 'lb01'),
    faultMs: 10_000,
    heal: (cluster) => undo(cluster, 'lb01'),
    healedMs: 30_000,
    rightful: 'lb01',
    musts: [...keepsVip('lb01', { overlapMs: 0 }), bothKeepalivedRunAtEnd()],
    benchMusts: [notDarkAfterHeal],
  }
}

/** Both happen at the same moment, so the permit is still fresh when keepalived begins to miss adverts. */
function onStandbyWhileBlocked({ family, what, strike, undo }: AgentFault): Scenario {
  return {
    name: `${family}/standby-blocked`,
    fault: `${what} on the standby, and protocol 112 dropped both ways`,
    faults: [
      { kind: family, where: 'lb02' },
      { kind: 'vrrp-block', where: 'everywhere' },
    ],
    comparable: false,
    begin: async (cluster) => {
      await Promise.all([strike(cluster, 'lb02'), dropVrrp(cluster, nodes)])
    },
    faultMs: 10_000,
    heal: async (cluster) => {
      await Promise.all([undo(cluster, 'lb02'), admitVrrp(cluster, nodes)])
    },
    healedMs: 30_000,
    rightful: 'lb01',
    musts: [...keepsVip('lb01', { overlapMs: overlapWithoutAgentMs }), bothKeepalivedRunAtEnd()],
    benchMusts: [notDarkAfterHeal],
  }
}

export const agentFaults: readonly Scenario[] = [killedAgent, frozenAgent].flatMap((fault) => [
  onHolder(fault),
  onStandbyWhileBlocked(fault),
])

export const cleanStop: Scenario = {
  name: 'clean-stop',
  fault: 'the admin stops keepalived on the holder and starts it again later',
  faults: [{ kind: 'stop-keepalived', where: 'lb01' }],
  comparable: true,
  begin: (cluster) => cluster.stopKeepalived('lb01'),
  faultMs: 7000,
  heal: (cluster) => cluster.startKeepalived('lb01'),
  healedMs: 30_000,
  rightful: 'lb02',
  musts: [
    ...takesVipOver('lb02', { overlapMs: overlapBoundMs }),
    keepalivedLeftStoppedOn('lb01'),
    nobodyFenced(),
    bothKeepalivedRunAtEnd(),
  ],
  benchMusts: [outageRatioAtMost(1.05), notDarkAfterHeal],
}

export const preempt: Scenario = {
  name: 'preempt',
  fault: 'without nopreempt, the keepalived with the higher priority comes back',
  faults: [],
  setup: { pair: { ...everydayPair, preempt: true } },
  comparable: true,
  prepare: async (cluster) => {
    await startWarm(cluster)
    await cluster.stopKeepalived('lb01')
    await untilOwner(cluster, 'lb02')
  },
  begin: (cluster) => cluster.startKeepalived('lb01'),
  faultMs: 7000,
  heal: () => Promise.resolve(),
  healedMs: 20_000,
  rightful: 'lb01',
  musts: [...takesVipOver('lb01', { overlapMs: overlapBoundMs }), nobodyFenced(), bothKeepalivedRunAtEnd()],
  benchMusts: [benchBound('overlapMs', 'whole', { maxMs: 100 }), notDarkAfterHeal],
}
