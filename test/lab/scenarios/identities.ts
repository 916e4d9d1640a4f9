/** What the agents read of keepalived.conf: as keepalived reads it, or they say that they cannot tell. */
import { instance, nodes, otherName, vip } from '../address-plan.ts'
import { everydayPair, priorities, type PairConf } from '../keepalived-config.ts'
import { type MeasuredRun, type Snapshot } from '../measured-run.ts'
import {
  bothKeepalivedRunAtEnd,
  keepalivedBackOn,
  keepsVip,
  nobodyFenced,
  notDarkAfterHeal,
  overlapBoundMs,
  toldOnEachNode,
} from '../musts.ts'
import { pause } from '../pause.ts'
import { type Must, type Scenario } from '../scenario.ts'
import { nodeInstance } from '../witness-api.ts'
import { vrrpBlock } from './vrrp-block.ts'

/** Who takes the names of the hosts for the names of the configurations finds another VRID and one priority twice. */
const configIds: Scenario = {
  ...vrrpBlock,
  name: 'config-id/vrrp-block',
  fault: `keepalived runs with -i, and one file has the lines of both nodes; ${vrrpBlock.fault}`,
  setup: { pair: { ...everydayPair, configIds: { lb01: 'blue', lb02: 'green' } } },
  musts: [
    ...vrrpBlock.musts,
    {
      says: 'the witness shows the priorities of the lines that keepalived reads',
      broken: ({ before }) => {
        const shown = prioritiesIn(before)
        return nodes.every((node, index) => shown[index] === priorities[node]) ? null : shown.join(' and ')
      },
    },
  ],
}

function prioritiesIn({ view }: Snapshot): readonly (number | undefined)[] {
  return nodes.map((node) => (view === null ? undefined : nodeInstance(view, node)?.priority))
}

const pair: PairConf = { ...everydayPair, names: { lb01: instance, lb02: otherName } }
/** Of one virtual_router_id, address family and VIP on lb02, so that either may be the one of lb01. */
const twoThatFit: PairConf = {
  ...pair,
  othersOfLb02: [
    { name: 'GW-SPARE', device: 'eth1', routerId: 51, addresses: [`${vip}/24 dev eth1`], rows: [] },
  ],
}

const cannotBeTold = /cannot be told which instance/

const toldNoMore: Must = {
  says: 'once only one instance fits, no node warns of it any more',
  broken: ({ end }: MeasuredRun) => {
    const warnings = end.view?.nodes.flatMap((node) => node.warnings) ?? ['the witness does not answer']
    return warnings.find((text) => text.includes('cannot be told which instance')) ?? null
  },
}

const ambiguous: Scenario = {
  name: 'ambiguous-instances',
  fault:
    'the nodes name the instance differently; then the admin of the standby adds a second one of the same VRID and VIP on another interface, and reloads keepalived',
  faults: [],
  setup: { pair, ports: 'two' },
  comparable: false,
  begin: async (cluster) => {
    cluster.editKeepalivedConf('lb02', twoThatFit)
    await cluster.reloadKeepalived('lb02')
  },
  // Longer than a lease, a promise and the wait before a retry.
  faultMs: 8000,
  heal: async (cluster) => {
    cluster.editKeepalivedConf('lb02', pair)
    await cluster.reloadKeepalived('lb02')
    await pause(3000)
  },
  healedMs: 20_000,
  rightful: 'lb01',
  musts: [
    ...keepsVip('lb01', { overlapMs: 0 }),
    nobodyFenced(),
    bothKeepalivedRunAtEnd(),
    toldOnEachNode(cannotBeTold),
    toldNoMore,
  ],
  benchMusts: [notDarkAfterHeal],
}

function withPassword(password: string): PairConf {
  return {
    ...everydayPair,
    rows: ['authentication {', '    auth_type PASS', `    auth_pass ${password}`, '}'],
  }
}

const differentPasswords = 'pair.auth'
const findingsIn = ({ view }: Snapshot): readonly string[] =>
  view?.pair?.map(({ code }) => code) ?? ['the witness does not answer']

/** keepalived drops the adverts of the other node, as if VRRP were blocked; the password itself leaves no node. */
const passwords: Scenario = {
  name: 'passwords-differ',
  fault: 'the admin of the standby writes another auth_pass into keepalived.conf, and reloads keepalived',
  faults: [],
  setup: { pair: withPassword('first') },
  comparable: false,
  begin: async (cluster) => {
    cluster.editKeepalivedConf('lb02', withPassword('second'))
    await cluster.reloadKeepalived('lb02')
  },
  faultMs: 9000,
  heal: async (cluster) => {
    cluster.editKeepalivedConf('lb02', withPassword('first'))
    // The unit of a keepalived that its agent has stopped is not reloaded; it reads the file when it starts.
    await cluster.reloadKeepalived('lb02').catch(() => undefined)
  },
  healedMs: 30_000,
  rightful: 'lb01',
  musts: [
    ...keepsVip('lb01', { overlapMs: overlapBoundMs }),
    keepalivedBackOn('lb02'),
    {
      says: 'the witness names the difference while it is there, and no longer afterwards',
      broken: ({ before, faultEnd, end }) => {
        const [no, yes, noMore] = [before, faultEnd, end].map((each) =>
          findingsIn(each).includes(differentPasswords),
        )
        return no === false && yes === true && noMore === false
          ? null
          : `named before, during and after: ${[no, yes, noMore].join(', ')}`
      },
    },
  ],
  benchMusts: [notDarkAfterHeal],
}

const runsOtherwise = /the running keepalived and .* differ: .*priority/

/** The agent reads the file every five seconds; that it asks keepalived anew after a reload takes 30 s. */
const notReloaded: Scenario = {
  name: 'edited-and-not-reloaded',
  fault:
    'the admin of the standby edits the priority in keepalived.conf and forgets the reload; the heal is the reload',
  faults: [],
  comparable: false,
  begin: (cluster) => {
    const edited = { ...priorities, lb02: 90 }
    cluster.editKeepalivedConf('lb02', { ...everydayPair, priorities: edited })
    return Promise.resolve()
  },
  faultMs: 12_000,
  heal: async (cluster) => {
    await cluster.reloadKeepalived('lb02')
    await pause(37_000)
  },
  healedMs: 60_000,
  rightful: 'lb01',
  musts: [
    ...keepsVip('lb01', { overlapMs: 0 }),
    nobodyFenced(),
    {
      says: 'lb02 warns that keepalived runs with something else until the reload, and no longer afterwards',
      broken: ({ faultEnd, end }) => {
        const [during, after] = [faultEnd, end].map(
          ({ view }) => view?.nodes.find(({ node }) => node === 'lb02')?.warnings ?? [],
        )
        if (during?.some((text) => runsOtherwise.test(text)) !== true)
          return `before the reload it says: ${during?.join(' | ') ?? 'nothing'}`
        return after?.find((text) => runsOtherwise.test(text)) ?? null
      },
    },
  ],
  benchMusts: [notDarkAfterHeal],
}

export const identities: readonly Scenario[] = [configIds, ambiguous, passwords, notReloaded]
