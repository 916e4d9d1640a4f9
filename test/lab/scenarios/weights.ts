/**
 * Checks with a weight: the effective priority decides, and not the one that is configured. Each must hold with the
 * product as with keepalived alone.
 */
import { type ClusterUnderTest } from '../cluster-under-test.ts'
import { everydayPair, type PairConf } from '../keepalived-config.ts'
import {
  bothKeepalivedRunAtEnd,
  holderChangesAtMost,
  keepsVip,
  nobodyFenced,
  notDarkAfterHeal,
  outageAtMost,
  outageRatioAtMost,
  overlapAtMost,
  overlapBoundMs,
  ownerAfterHeal,
  ownerDuringFault,
} from '../musts.ts'
import { pause } from '../pause.ts'
import { type Scenario } from '../scenario.ts'

interface Weighed {
  readonly name: string
  readonly what: string
  readonly pair: Partial<PairConf>
  readonly atBoot?: string
  /** What happens on lb01. */
  readonly begin: (cluster: ClusterUnderTest) => Promise<unknown>
  readonly heal: (cluster: ClusterUnderTest) => Promise<unknown>
  /** Who has the VIP afterwards, with preemption. */
  readonly after: 'lb01' | 'lb02'
}

const appDead = '/run/app-dead'
const appDies = (cluster: ClusterUnderTest) => cluster.host('lb01').run('touch', appDead)
const appLives = (cluster: ClusterUnderTest) => cluster.host('lb01').run('rm', appDead)

function app(weight: number): Pick<PairConf, 'trackers' | 'scripts'> {
  return {
    trackers: [
      'vrrp_script app {',
      `    script "/usr/bin/test ! -e ${appDead}"`,
      '    interval 1',
      `    weight ${weight}`,
      '    user root',
      '}',
    ],
    scripts: ['app'],
  }
}

const uplink = 'uplink'
const loadFile = '/run/load-weight'

const weighed: readonly Weighed[] = [
  {
    name: 'weight-script',
    what: 'a script with weight -60 fails on the holder',
    pair: app(-60),
    begin: appDies,
    heal: appLives,
    after: 'lb01',
  },
  {
    name: 'weight-positive',
    what: 'a script with weight 60 fails on the holder, so the 60 are missing',
    pair: { ...app(60), priorities: { lb01: 100, lb02: 80 } },
    begin: appDies,
    heal: appLives,
    after: 'lb01',
  },
  {
    name: 'weight-equal-base',
    what: 'both have priority 100; a script with weight -60 fails on the holder',
    pair: { ...app(-60), priorities: { lb01: 100, lb02: 100 } },
    begin: appDies,
    heal: appLives,
    after: 'lb02',
  },
  {
    name: 'weight-interface',
    what: 'a tracked interface with weight -60 goes down on the holder',
    pair: { rows: ['track_interface {', `    ${uplink} weight -60`, '}'] },
    atBoot: `ip link add ${uplink} type veth peer name ${uplink}-peer
ip link set ${uplink}-peer up
ip link set ${uplink} up`,
    begin: (cluster) => cluster.host('lb01').run('ip', 'link', 'set', uplink, 'down'),
    heal: (cluster) => cluster.host('lb01').run('ip', 'link', 'set', uplink, 'up'),
    after: 'lb01',
  },
  {
    name: 'weight-file',
    what: 'the holder’s own program writes -60 into a tracked file of weight 1',
    pair: {
      trackers: ['vrrp_track_file load {', `    file "${loadFile}"`, '    weight 1', '}'],
      rows: ['track_file {', '    load', '}'],
    },
    atBoot: `echo 0 >${loadFile}`,
    begin: (cluster) => cluster.host('lb01').shell(`echo -60 >${loadFile}`),
    heal: (cluster) => cluster.host('lb01').shell(`echo 0 >${loadFile}`),
    after: 'lb01',
  },
]

/** The better one takes the VIP while the other still has it; a takeover that is refused costs more than this. */
const oneMoveMs = 500

/** Long enough for a takeover that is refused and tried again. */
const weighedMs = 5000

function preempting({ name, what, pair, atBoot = '', begin, heal, after }: Weighed): Scenario {
  return {
    name: `${name}/preempt`,
    fault: `without nopreempt, ${what}`,
    faults: [{ kind: 'weight-fails', where: 'lb01' }],
    setup: { pair: { ...everydayPair, ...pair, preempt: true }, atBoot },
    comparable: true,
    begin: async (cluster) => {
      await begin(cluster)
    },
    faultMs: weighedMs,
    heal: async (cluster) => {
      await heal(cluster)
      await pause(weighedMs)
    },
    healedMs: 20_000,
    rightful: null,
    musts: [
      ownerDuringFault('lb02'),
      ownerAfterHeal(after),
      holderChangesAtMost(after === 'lb01' ? 2 : 1),
      outageAtMost(oneMoveMs),
      overlapAtMost(overlapBoundMs),
      nobodyFenced(),
      bothKeepalivedRunAtEnd(),
    ],
    benchMusts: [outageRatioAtMost(1.05), notDarkAfterHeal],
  }
}

/** A standby with nopreempt leaves a MASTER alone, however low its priority is. */
function withNopreempt(each: Weighed): Scenario {
  const { name, what, pair } = each
  return {
    ...preempting(each),
    name: `${name}/nopreempt`,
    fault: `with nopreempt, ${what}`,
    setup: { pair: { ...everydayPair, ...pair, preempt: false }, atBoot: each.atBoot ?? '' },
    faultMs: 4000,
    heal: async (cluster) => {
      await each.heal(cluster)
    },
    musts: [...keepsVip('lb01', { overlapMs: 0 }), nobodyFenced(), bothKeepalivedRunAtEnd()],
  }
}

export const weights: readonly Scenario[] = weighed.flatMap((each) => [preempting(each), withNopreempt(each)])
