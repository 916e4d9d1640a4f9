/** Drills that an admin orders, with real keepalived: what they cost, and that everything is back afterwards. */
import { type ClusterUnderTest } from '../cluster-under-test.ts'
import { type LabNode } from '../address-plan.ts'
import {
  bothKeepalivedRunAtEnd,
  keepalivedBackOn,
  keepsVip,
  notDarkAfterHeal,
  outageAtMost,
  takesVipOver,
} from '../musts.ts'
import { type MeasuredRun } from '../measured-run.ts'
import { type Must, type Scenario } from '../scenario.ts'
import { orderDrill } from '../witness-api.ts'

const order = (node: LabNode) => (cluster: ClusterUnderTest) =>
  orderDrill(cluster.host('witness'), { node, includingHolder: true })

/** The witness reports that the drill passed, and keeps that. */
function drillPassed(node: LabNode, rungs: readonly string[]): Must {
  return {
    says: `the drill of ${node} passed, each rung proved: ${rungs.join(', ')}`,
    broken: ({ events, end }: MeasuredRun) => {
      const told = events.filter(({ event }) => event.startsWith('drill-')).map(({ text }) => text)
      const last = end.view?.nodes.find((each) => each.node === node)?.lastDrill
      const proved = last?.instances.flatMap((of) => of.rungs.filter((rung) => rung.proved))
      const names = proved?.map(({ rung }) => rung).join(', ')
      return names === rungs.join(', ')
        ? null
        : `${names ?? 'none is kept'}; ${told.join(' ') || 'no event about it'}`
    },
  }
}

const standby: Scenario = {
  name: 'drill/standby',
  fault: 'an admin orders a drill of the standby',
  faults: [{ kind: 'drill', where: 'lb02' }],
  comparable: false,
  begin: order('lb02'),
  faultMs: 4000,
  heal: () => Promise.resolve(),
  healedMs: 20_000,
  rightful: 'lb01',
  musts: [
    drillPassed('lb02', ['bar', 'stop']),
    ...keepsVip('lb01', { overlapMs: 0 }),
    keepalivedBackOn('lb02'),
    bothKeepalivedRunAtEnd(),
  ],
  benchMusts: [notDarkAfterHeal],
}

const holder: Scenario = {
  ...standby,
  name: 'drill/holder',
  fault: 'an admin orders a drill of the holder and allows the VIP to move',
  faults: [{ kind: 'drill-holder', where: 'lb01' }],
  begin: order('lb01'),
  rightful: 'lb02',
  musts: [
    drillPassed('lb01', ['bar']),
    ...takesVipOver('lb02', { overlapMs: 0 }),
    // keepalived announces that it releases the VIP, so the other waits only for its skew time and not for a
    // master-down time.
    outageAtMost(2000),
    keepalivedBackOn('lb01'),
    bothKeepalivedRunAtEnd(),
  ],
}

/** The agent dies while keepalived is stopped, and the next agent brings keepalived back. */
const dyingAgent: Scenario = {
  ...standby,
  name: 'drill/agent-dies',
  fault: 'the agent of the standby is killed half way through its drill, and comes back',
  faults: [
    { kind: 'drill', where: 'lb02' },
    { kind: 'kill-agent', where: 'lb02' },
  ],
  begin: async (cluster) => {
    await order('lb02')(cluster)
    await cluster.signalAgent('lb02', 'KILL')
  },
  faultMs: 3000,
  heal: (cluster) => cluster.startAgent('lb02'),
  musts: [...keepsVip('lb01', { overlapMs: 0 }), keepalivedBackOn('lb02'), bothKeepalivedRunAtEnd()],
}

export const drills: readonly Scenario[] = [standby, holder, dyingAgent]
