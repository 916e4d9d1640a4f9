/** Faults in the wires. */
import { defaultTiming, masterDownMs } from '../../../shared/core/timing.ts'
import { type LabHost } from '../address-plan.ts'
import { type ClusterUnderTest } from '../cluster-under-test.ts'
import { advertIntervalMs, priorities } from '../keepalived-config.ts'
import {
  benchBound,
  bothKeepalivedRunAtEnd,
  fencesAtMost,
  holderChangesAtMost,
  keepalivedLeftStoppedOn,
  keepsVip,
  nobodyFenced,
  noOutage,
  notDarkAfterHeal,
  oneOwnerAfterHeal,
  outageRatioAtMost,
  overlapAtMost,
  overlapBoundMs,
  ownerAfterHeal,
  ownerAgainWithin,
  ownerDuringFault,
  takesVipOver,
} from '../musts.ts'
import { type Scenario } from '../scenario.ts'
import { startWarm } from '../steady-state.ts'

export const cutAb: Scenario = {
  name: 'cut-ab',
  fault: 'all traffic between the nodes is dropped; both reach the witness',
  faults: [{ kind: 'cut-link', where: 'lb01>lb02' }],
  comparable: true,
  begin: (cluster) => cluster.wires.cut('lb01', 'lb02'),
  faultMs: 8000,
  heal: (cluster) => cluster.wires.endCut(),
  healedMs: 30_000,
  rightful: 'lb01',
  musts: [...keepsVip('lb01', { overlapMs: 0 }), bothKeepalivedRunAtEnd()],
  benchMusts: [benchBound('longestDarkMs', 'whole', { maxMs: 100 }), notDarkAfterHeal],
}

function isolation(host: LabHost): Pick<Scenario, 'faults' | 'begin' | 'heal'> {
  return {
    faults: [{ kind: 'isolate', where: host }],
    begin: (cluster: ClusterUnderTest) => cluster.wires.isolate(host),
    heal: (cluster: ClusterUnderTest) => cluster.wires.endIsolation(host),
  }
}

export const isolateHolder: Scenario = {
  name: 'isolate-holder',
  fault: 'every frame from and to the holder is dropped at the switch; its carrier stays up',
  comparable: true,
  ...isolation('lb01'),
  faultMs: 8000,
  healedMs: 30_000,
  rightful: 'lb02',
  musts: [...takesVipOver('lb02', { overlapMs: 0 }), fencesAtMost(1, 'lb01'), bothKeepalivedRunAtEnd()],
  benchMusts: [benchBound('outageMs', 'whole', { maxMs: 4100 }), notDarkAfterHeal],
}

export const unplugHolder: Scenario = {
  name: 'unplug-holder',
  fault: "the holder's port at the switch goes down, its carrier is lost",
  faults: [{ kind: 'unplug', where: 'lb01' }],
  comparable: true,
  begin: (cluster) => cluster.wires.setPort('lb01', 'down'),
  faultMs: 8000,
  heal: (cluster) => cluster.wires.setPort('lb01', 'up'),
  healedMs: 30_000,
  rightful: 'lb02',
  musts: [...takesVipOver('lb02', { overlapMs: 0 }), bothKeepalivedRunAtEnd()],
  benchMusts: [outageRatioAtMost(1.05), notDarkAfterHeal],
}

export const isolateStandby: Scenario = {
  name: 'isolate-standby',
  fault: 'every frame from and to the standby is dropped at the switch',
  comparable: true,
  ...isolation('lb02'),
  faultMs: 8000,
  healedMs: 30_000,
  rightful: 'lb01',
  musts: [...keepsVip('lb01', { overlapMs: 0 }), bothKeepalivedRunAtEnd()],
  benchMusts: [notDarkAfterHeal],
}

export const isolateWitness: Scenario = {
  name: 'isolate-witness',
  fault: 'every frame from and to the witness is dropped at the switch',
  comparable: true,
  ...isolation('witness'),
  faultMs: 8000,
  healedMs: 30_000,
  rightful: 'lb01',
  musts: [...keepsVip('lb01', { overlapMs: 0 }), nobodyFenced(), bothKeepalivedRunAtEnd()],
  benchMusts: [notDarkAfterHeal],
}

/** Shorter than a lease without renewals: nobody has to notice. */
export const isolateHolderBriefly: Scenario = {
  name: 'isolate-holder-briefly',
  fault: 'every frame from and to the holder is dropped at the switch for one second',
  comparable: true,
  ...isolation('lb01'),
  faultMs: 1000,
  healedMs: 30_000,
  rightful: null,
  // A fresh connection is dialled beside the silent one, and the lease is renewed in time; on a busy machine it may not be.
  musts: [
    oneOwnerAfterHeal(),
    holderChangesAtMost(1),
    overlapAtMost(overlapBoundMs),
    bothKeepalivedRunAtEnd(),
  ],
  benchMusts: [notDarkAfterHeal],
}

/** T_g + master-down + 1 s: L3 of docs/safety.md. */
const settledMs =
  defaultTiming.reserveMs +
  masterDownMs({ version: 2, priority: priorities.lb01, advertIntMs: advertIntervalMs }) +
  1000

/** Nobody else could take the VIP: a hold-down would only keep it dark. */
export const loneSurvivorFlap: Scenario = {
  name: 'lone-survivor-flap',
  fault:
    "the admin has stopped the standby's keepalived; every frame from and to the holder is dropped for five seconds",
  comparable: false,
  ...isolation('lb01'),
  prepare: async (cluster) => {
    await startWarm(cluster)
    await cluster.stopKeepalived('lb02')
  },
  faultMs: 5000,
  healedMs: 8000,
  rightful: 'lb01',
  musts: [
    ownerAfterHeal('lb01'),
    ownerAgainWithin(settledMs),
    overlapAtMost(0),
    fencesAtMost(1, 'lb01'),
    keepalivedLeftStoppedOn('lb02'),
  ],
  benchMusts: [],
}

/**
 * Each frame is lost with this probability on its way from host to host; the switch decides once for every frame and
 * receiving port. Where three adverts in a row are lost (in one of 130 runs) keepalived itself takes over.
 */
const lossPercent = 5

export const loss: Scenario = {
  name: 'loss',
  fault: `${lossPercent} % of all frames are lost everywhere`,
  faults: [{ kind: 'loss', where: 'everywhere' }],
  comparable: true,
  begin: (cluster) => cluster.wires.loseFrames(lossPercent),
  faultMs: 60_000,
  heal: (cluster) => cluster.wires.endLoss(),
  healedMs: 20_000,
  rightful: 'lb01',
  musts: [
    ownerDuringFault('lb01'),
    ownerAfterHeal('lb01'),
    holderChangesAtMost(0),
    noOutage(),
    nobodyFenced(),
  ],
  benchMusts: [notDarkAfterHeal],
}
