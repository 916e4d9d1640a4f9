/**
 * The product comes to a pair that serves, and whose keepalived.conf does not have its lines yet. Nothing was promised to
 * anybody, so there is nothing to enforce (L6 of docs/safety.md).
 */
import { nodes, type LabNode } from '../address-plan.ts'
import { type ClusterUnderTest } from '../cluster-under-test.ts'
import { bothKeepalivedRunAtEnd, keepsVip, nobodyFenced, notDarkAfterHeal, toldOnEachNode } from '../musts.ts'
import { closeAgentPortAt } from '../packet-filter.ts'
import { pause } from '../pause.ts'
import { type Scenario } from '../scenario.ts'
import { untilServed, untilWitnessAnswers } from '../steady-state.ts'

async function servePlainly(cluster: ClusterUnderTest): Promise<void> {
  await Promise.all([cluster.startWitness(), cluster.startKeepalived('lb01')])
  await untilServed(cluster, 'lb01')
  await Promise.all([cluster.startKeepalived('lb02'), untilWitnessAnswers(cluster)])
}

function joinOneAfterTheOther(order: readonly [LabNode, LabNode], gapMs: number) {
  return async (cluster: ClusterUnderTest): Promise<void> => {
    const [first, second] = order
    await cluster.startAgent(first)
    await pause(gapMs)
    await cluster.startAgent(second)
  }
}

const unharmed = [...keepsVip('lb01', { overlapMs: 0 }), nobodyFenced(), bothKeepalivedRunAtEnd()]

const install: Scenario = {
  name: 'install-at-once/holder-first',
  fault:
    'both agents start for the first time within half a second, on a pair that serves, the holder’s first',
  faults: [],
  setup: { productLines: 'later' },
  comparable: false,
  prepare: servePlainly,
  begin: joinOneAfterTheOther(['lb01', 'lb02'], 500),
  // Until every voter has ended its wait after its start, and the claim of an agent that waited for that.
  faultMs: 6000,
  // What `setup --apply` and a reload do.
  heal: async (cluster) => {
    for (const node of nodes) await cluster.addProductLines(node)
  },
  healedMs: 20_000,
  rightful: 'lb01',
  musts: unharmed,
  benchMusts: [notDarkAfterHeal],
}

function inOrder(name: string, order: readonly [LabNode, LabNode], gapMs: number): Scenario {
  return {
    ...install,
    name: `install-at-once/${name}`,
    fault: `both agents start for the first time, ${order.join(' and then ')}, ${gapMs} ms apart, on a pair that serves`,
    begin: joinOneAfterTheOther(order, gapMs),
  }
}

const closedPort: Scenario = {
  ...install,
  name: 'install-with-7401-closed',
  fault:
    'both agents start for the first time, and both firewalls drop TCP 7401, as firewalld does by default',
  prepare: async (cluster) => {
    await servePlainly(cluster)
    await Promise.all(nodes.map((node) => closeAgentPortAt(cluster.host(node))))
  },
  faultMs: 8000,
  musts: [...unharmed, toldOnEachNode(/7401/)],
}

const slowDisk: Scenario = {
  ...install,
  name: 'install-with-slow-disk',
  fault: 'both agents start for the first time, and each fsync takes 300 ms longer on both nodes',
  setup: { ...install.setup, agentDisk: 'slow' },
  faultMs: 8000,
  musts: [...unharmed, toldOnEachNode(/disk/)],
}

const besideContainer: Scenario = {
  ...install,
  name: 'install-beside-container',
  fault:
    'both agents start for the first time, and the pid files of keepalived are not where agent.yaml says, as with keepalived in a container',
  setup: { ...install.setup, pidFiles: 'elsewhere' },
  faultMs: 8000,
  heal: () => Promise.resolve(),
  // Nothing becomes settled for the witness while keepalived's process is not found.
  healedMs: 3000,
  musts: [...unharmed, toldOnEachNode(/pid ?file|process/i)],
}

export const installations: readonly Scenario[] = [
  install,
  inOrder('standby-first', ['lb02', 'lb01'], 500),
  inOrder('holder-first-slowly', ['lb01', 'lb02'], 3000),
  inOrder('standby-first-slowly', ['lb02', 'lb01'], 3000),
  closedPort,
  slowDisk,
  besideContainer,
]
