import { type ClusterUnderTest } from '../cluster-under-test.ts'
import {
  benchBound,
  bothKeepalivedRunAtEnd,
  notDarkAfterHeal,
  oneOwnerThroughout,
  overlapAtMost,
  overlapBoundMs,
} from '../musts.ts'
import { type Scenario } from '../scenario.ts'

type Starter = 'witness' | 'lb01' | 'lb02'

const orders: readonly (readonly Starter[])[] = [
  ['witness', 'lb01', 'lb02'],
  ['witness', 'lb02', 'lb01'],
  ['lb01', 'witness', 'lb02'],
  ['lb02', 'witness', 'lb01'],
  ['lb01', 'lb02', 'witness'],
  ['lb02', 'lb01', 'witness'],
]

function start(cluster: ClusterUnderTest, starter: Starter): Promise<void> {
  return starter === 'witness' ? cluster.startWitness() : cluster.startNode(starter)
}

const together: Scenario = {
  name: 'cold-start/together',
  fault: 'witness and both nodes start at the same moment',
  faults: [],
  comparable: true,
  prepare: () => Promise.resolve(),
  begin: async (cluster) => {
    await Promise.all((['witness', 'lb01', 'lb02'] as const).map((starter) => start(cluster, starter)))
  },
  faultMs: 10_000,
  heal: () => Promise.resolve(),
  healedMs: 20_000,
  rightful: null,
  musts: [...oneOwnerThroughout(), overlapAtMost(overlapBoundMs), bothKeepalivedRunAtEnd()],
  benchMusts: [benchBound('overlapMs', 'whole', { maxMs: 60 }), notDarkAfterHeal],
}

function inOrder(order: readonly Starter[]): Scenario {
  return {
    ...together,
    name: `cold-start/${order.join('-')}`,
    fault: `${order.join(', then ')} start at once`,
    begin: async (cluster) => {
      for (const starter of order) await start(cluster, starter)
    },
  }
}

const cut: Scenario = {
  ...together,
  name: 'cold-start/cut-ab',
  fault: 'witness and both nodes start at the same moment, and the nodes have never heard each other',
  prepare: (cluster) => cluster.wires.cut('lb01', 'lb02'),
  heal: (cluster) => cluster.wires.endCut(),
  faultMs: 12_000,
  healedMs: 30_000,
}

export const coldStarts: readonly Scenario[] = [together, ...orders.map(inOrder), cut]
