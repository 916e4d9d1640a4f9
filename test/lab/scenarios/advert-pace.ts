/**
 * keepalived that promotes itself sooner than the votes of a dead holder can be free, or later. Sooner costs a refusal,
 * and never a stopped keepalived: it waits at its bar until the votes are free.
 */
import { join } from 'node:path'
import { defaultTiming, slowestTakeoverMs, votesAreFreeInTime } from '../../../shared/core/timing.ts'
import { type ClusterUnderTest } from '../cluster-under-test.ts'
import { everydayPair, priorities, type AdvertPace } from '../keepalived-config.ts'
import { readKeepalivedLines } from '../keepalived-lines.ts'
import {
  benchBound,
  bothKeepalivedRunAtEnd,
  fencesAtMost,
  keepalivedBackOn,
  keepsVip,
  notDarkAfterHeal,
  outageAtMost,
  outageRatioAtMost,
  overlapBoundMs,
  takesVipOver,
} from '../musts.ts'
import { type Scenario } from '../scenario.ts'
import { killHost } from './dying-hosts.ts'
import { vrrpBlock } from './vrrp-block.ts'

const oneMissed: AdvertPace = { version: 2, advertIntMs: 1000, downTimerAdverts: 1 }
const fiveMissed: AdvertPace = { version: 2, advertIntMs: 1000, downTimerAdverts: 5 }
const fifth: AdvertPace = { version: 3, advertIntMs: 200 }
const tenth: AdvertPace = { version: 3, advertIntMs: 100 }

/** What a busy machine adds. */
const busyMs = 1000

/** Each start of keepalived writes a line. */
function neverStopped(cluster: ClusterUnderTest): Promise<readonly string[]> {
  const lines = readKeepalivedLines(join(cluster.folderPath, 'lb02', 'keepalived.log'))
  const starts = lines.filter(({ says }) => says === 'starts').length
  return Promise.resolve(starts === 1 ? [] : [`keepalived of lb02 was started ${starts} times`])
}

function holderDies(name: string, pace: AdvertPace): Scenario {
  const standby = { ...pace, priority: priorities.lb02 }
  const isInTime = votesAreFreeInTime(standby, defaultTiming)
  // docs/safety.md, E4.
  const takeoverMs = slowestTakeoverMs(standby, defaultTiming)
  return {
    ...killHost,
    name: `advert-pace/${name}/kill-host`,
    fault: `${paceText(pace)}; ${killHost.fault}`,
    setup: { pair: { ...everydayPair, pace } },
    faultMs: Math.max(6000, takeoverMs + busyMs + 1000),
    atEnd: neverStopped,
    musts: [
      ...takesVipOver('lb02', { overlapMs: 0 }),
      outageAtMost(takeoverMs + busyMs),
      bothKeepalivedRunAtEnd(),
    ],
    benchMusts: [
      isInTime ? outageRatioAtMost(1.05) : benchBound('outageMs', 'whole', { maxMs: Math.round(takeoverMs) }),
      notDarkAfterHeal,
    ],
  }
}

function vrrpIsBlocked(name: string, pace: AdvertPace): Scenario {
  return {
    ...vrrpBlock,
    name: `advert-pace/${name}/vrrp-block`,
    fault: `${paceText(pace)}; ${vrrpBlock.fault}`,
    setup: { pair: { ...everydayPair, pace } },
    // The bar is enough for a keepalived that will be refused again, and one that promotes itself soon may be so twice.
    musts: [
      ...keepsVip('lb01', { overlapMs: overlapBoundMs }),
      fencesAtMost(2, 'lb02'),
      keepalivedBackOn('lb02'),
    ],
    atEnd: neverStopped,
  }
}

function paceText({ version, advertIntMs, downTimerAdverts }: AdvertPace): string {
  const down = downTimerAdverts === undefined ? '' : `, down_timer_adverts ${downTimerAdverts}`
  return `VRRPv${version}, advert_int ${advertIntMs / 1000}${down}`
}

export const advertPaces: readonly Scenario[] = [
  holderDies('one-missed', oneMissed),
  vrrpIsBlocked('one-missed', oneMissed),
  holderDies('five-missed', fiveMissed),
  holderDies('fifth', fifth),
  vrrpIsBlocked('fifth', fifth),
  holderDies('tenth', tenth),
  vrrpIsBlocked('tenth', tenth),
]
