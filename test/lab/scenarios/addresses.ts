/** A VIP is an address and a device. Each must hold with the product as with keepalived alone. */
import type { NodeInstanceView } from '../../../shared/protocol/view.ts'
import { nodes, vip, type LabNode } from '../address-plan.ts'
import { type ClusterUnderTest } from '../cluster-under-test.ts'
import { everydayPair } from '../keepalived-config.ts'
import {
  bothKeepalivedRunAtEnd,
  keepsVip,
  nobodyFenced,
  notDarkAfterHeal,
  outageAtMost,
  outageRatioAtMost,
  overlapBoundMs,
  takesVipOver,
} from '../musts.ts'
import { type Snapshot } from '../measured-run.ts'
import { pause } from '../pause.ts'
import { type Scenario } from '../scenario.ts'
import { secondPortOf } from '../switch.ts'
import { cleanStop } from './broken-processes.ts'

/** Whether the node has the address on the device. */
async function has(
  cluster: ClusterUnderTest,
  { node, address, device }: { node: (typeof nodes)[number]; address: string; device: string },
): Promise<boolean> {
  const shown = await cluster.host(node).run('ip', '-o', 'address', 'show', 'dev', device)
  return shown.includes(` ${address}/`)
}

/** LVS-DR: each director is a real server, too, and answers to the VIP of the packets that another one sends it. */
const onLoopback: Scenario = {
  ...cleanStop,
  name: 'vip-on-lo',
  fault: `both nodes have the VIP on lo as well (LVS-DR); ${cleanStop.fault}`,
  faults: [],
  setup: {
    atBoot: `echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore
echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce
ip address add ${vip}/32 dev lo`,
  },
  faultMs: 5000,
  atEnd: async (cluster) => {
    const kept = await Promise.all(nodes.map((node) => has(cluster, { node, address: vip, device: 'lo' })))
    return nodes.filter((_, index) => kept[index] !== true).map((node) => `${node} lost the VIP on lo`)
  },
}

/** What keepalived takes to see the lost carrier and to hand over. */
const carrierMs = 2500

const onePortFails: Omit<Scenario, 'name' | 'fault'> = {
  faults: [],
  comparable: true,
  begin: (cluster) => cluster.wires.setPort(secondPortOf('lb01'), 'down'),
  faultMs: 6000,
  heal: (cluster) => cluster.wires.setPort(secondPortOf('lb01'), 'up'),
  healedMs: 20_000,
  rightful: 'lb02',
  musts: [
    ...takesVipOver('lb02', { overlapMs: overlapBoundMs }),
    outageAtMost(carrierMs),
    nobodyFenced(),
    bothKeepalivedRunAtEnd(),
  ],
  benchMusts: [outageRatioAtMost(1.05), notDarkAfterHeal],
}

/** The switch has no VLANs, because not every kernel has; two interfaces are the same to keepalived. */
const otherVip = '10.0.0.110'
const bothInterfaces = `echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore
for device in eth0 eth1; do echo 0 >/proc/sys/net/ipv6/conf/$device/disable_ipv6; done`

const linkLocalTwice: Scenario = {
  ...onePortFails,
  name: 'fe80-two-vlans',
  fault:
    'two instances have fe80::1, each on an interface of its own; the second interface of the holder loses its carrier',
  setup: {
    ports: 'two',
    vipDevice: 'eth1',
    atBoot: bothInterfaces,
    pair: {
      ...everydayPair,
      addresses: [`${vip}/24 dev eth1`],
      rows: ['virtual_ipaddress_excluded {', '    fe80::1/64 dev eth1', '}'],
      others: [
        {
          name: 'VI_10',
          routerId: 10,
          addresses: [`${otherVip}/24 dev eth0`],
          rows: ['virtual_ipaddress_excluded {', '    fe80::1/64 dev eth0', '}'],
        },
      ],
    },
  },
  atEnd: async (cluster) => {
    const at = (node: (typeof nodes)[number]) => has(cluster, { node, address: otherVip, device: 'eth0' })
    const [lb01, lb02] = await Promise.all(nodes.map(at))
    return lb01 === true && lb02 === false ? [] : ['the VIP of the other instance is not on lb01 alone']
  },
}

const onTwoInterfaces: Scenario = {
  ...onePortFails,
  name: 'vip-on-two-interfaces',
  fault: 'the instance has the VIP on two interfaces; the second interface of the holder loses its carrier',
  setup: {
    ports: 'two',
    atBoot: bothInterfaces,
    pair: { ...everydayPair, addresses: [`${vip}/24 dev eth0`, `${vip}/32 dev eth1`] },
  },
}

const otherInstance = 'VI_10'
const readdEveryMs = 2000
const readdTimes = 8

/** The other instance's part of what the witness shows of the node. */
function otherOn({ view }: Snapshot, node: LabNode): NodeInstanceView | undefined {
  return view?.nodes
    .find((each) => each.node === node)
    ?.instances.find((each) => each.instance === otherInstance)
}

function warningsOn({ view }: Snapshot, node: LabNode): readonly string[] {
  return view?.nodes.find((each) => each.node === node)?.warnings ?? []
}

const notKeepaliveds = "is not keepalived's"

/**
 * The VIP of the other instance, because two hosts with one address are what this is about: the invariants judge the
 * instance that works.
 */
const alsoStatic: Scenario = {
  name: 'vip-also-static',
  fault:
    'a VIP is a static address of the standby, too: its network tool puts it up again each time that it is removed',
  faults: [],
  setup: {
    pair: {
      ...everydayPair,
      others: [{ name: otherInstance, routerId: 10, addresses: [`${otherVip}/24`], rows: [] }],
    },
  },
  comparable: false,
  begin: async (cluster) => {
    for (let time = 0; time < readdTimes; time += 1) {
      const device = 'eth0'
      if (!(await has(cluster, { node: 'lb02', address: otherVip, device })))
        await cluster.host('lb02').run('ip', 'address', 'add', `${otherVip}/24`, 'dev', device)
      await pause(readdEveryMs)
    }
  },
  faultMs: readdTimes * readdEveryMs + 4000,
  heal: async (cluster) => {
    await cluster.host('lb02').run('ip', 'address', 'del', `${otherVip}/24`, 'dev', 'eth0')
  },
  healedMs: 20_000,
  rightful: 'lb01',
  atEnd: async (cluster) => {
    const at = (node: LabNode) => has(cluster, { node, address: otherVip, device: 'eth0' })
    const [lb01, lb02] = await Promise.all(nodes.map(at))
    return lb01 === true && lb02 === false ? [] : ['the VIP of the other instance is not on lb01 alone']
  },
  musts: [
    ...keepsVip('lb01', { overlapMs: 0 }),
    {
      says: 'lb02 is fenced once because of it, and keepalived runs there afterwards',
      broken: ({ faultEnd }) => {
        const number = otherOn(faultEnd, 'lb02')?.fence?.number ?? 0
        if (number !== 1) return `it was fenced ${number} times`
        return faultEnd.keepalivedRuns.lb02 ? null : 'keepalived does not run'
      },
    },
    {
      says: 'while the address is there, the warnings of lb02 say that it is not keepalived’s',
      broken: ({ faultEnd }) => {
        const warnings = warningsOn(faultEnd, 'lb02')
        return warnings.some((text) => text.includes(notKeepaliveds))
          ? null
          : warnings.join(' | ') || 'nothing'
      },
    },
    {
      says: 'once it is gone, they no longer say it',
      broken: ({ end }) => warningsOn(end, 'lb02').find((text) => text.includes(notKeepaliveds)) ?? null,
    },
  ],
  benchMusts: [notDarkAfterHeal],
}

export const addresses: readonly Scenario[] = [onLoopback, linkLocalTwice, onTwoInterfaces, alsoStatic]
