/** Faults of whole hosts and of the witness's process. */
import {
  benchBound,
  bothKeepalivedRunAtEnd,
  keepsVip,
  nobodyFenced,
  notDarkAfterHeal,
  outageAtMost,
  outageRatioAtMost,
  takesVipOver,
} from '../musts.ts'
import { defaultTiming } from '../../../shared/core/timing.ts'
import { type LabNode } from '../address-plan.ts'
import { pause } from '../pause.ts'
import { type Scenario } from '../scenario.ts'
import { leaseSurvivesMs, witnessBackWithin } from '../witness-away.ts'
import { cutAb, isolateHolder } from './cut-links.ts'
import { vrrpBlock } from './vrrp-block.ts'

export const killHost: Scenario = {
  name: 'kill-host',
  fault: 'everything on the holder dies and its port goes down; the heal is its next boot',
  faults: [{ kind: 'crash-host', where: 'lb01' }],
  comparable: true,
  begin: (cluster) => cluster.killHost('lb01'),
  faultMs: 7000,
  heal: async (cluster) => {
    await cluster.bootHost('lb01')
    await cluster.startNode('lb01')
  },
  healedMs: 30_000,
  rightful: 'lb02',
  musts: [...takesVipOver('lb02', { overlapMs: 0 }), bothKeepalivedRunAtEnd()],
  benchMusts: [outageRatioAtMost(1.05), notDarkAfterHeal],
}

/**
 * What keepalived takes, plus time to notice on a busy machine; a takeover that is refused once takes as long again.
 */
const oneTakeoverMs = 5500

/** Before the agent runs, its check asks the witness. A yes must not bind the vote to a node without the VIP. */
export const rebootHolderAtOnce: Scenario = {
  name: 'reboot-holder-at-once',
  fault:
    'everything on the holder dies; it is back at once with keepalived, and with its agent five seconds later',
  faults: [{ kind: 'crash-host', where: 'lb01' }],
  comparable: false,
  begin: async (cluster) => {
    await cluster.killHost('lb01')
    await cluster.bootHost('lb01')
    await cluster.startKeepalived('lb01')
    await pause(5000)
    await cluster.startAgent('lb01')
  },
  faultMs: 8000,
  heal: () => Promise.resolve(),
  healedMs: 20_000,
  rightful: 'lb02',
  musts: [...takesVipOver('lb02', { overlapMs: 0 }), outageAtMost(oneTakeoverMs), bothKeepalivedRunAtEnd()],
  benchMusts: [benchBound('outageMs', 'whole', { maxMs: 3800 }), notDarkAfterHeal],
}

/** Without a standing vote the holder would give the VIP up here, because nobody would be left to vote for it. */
export const lastOneStanding: Scenario = {
  name: 'last-one-standing',
  fault:
    'the admin takes the standby out of service (witness-agent leave); then the witness is killed, and both come back',
  faults: [
    { kind: 'leave', where: 'lb02' },
    { kind: 'kill-witness', where: 'witness' },
  ],
  comparable: false,
  begin: async (cluster) => {
    await cluster.leave('lb02')
    await cluster.killWitness()
  },
  faultMs: 12_000,
  heal: async (cluster) => {
    await cluster.startNode('lb02')
    await pause(4000)
    await cluster.startWitness()
  },
  healedMs: 20_000,
  rightful: 'lb01',
  musts: [...keepsVip('lb01', { overlapMs: 0 }), nobodyFenced(), bothKeepalivedRunAtEnd()],
  benchMusts: [notDarkAfterHeal],
}

const quiet: Scenario = {
  name: 'witness-restart/quiet',
  fault: 'the witness is killed and started again, and nothing else happens',
  faults: [{ kind: 'kill-witness', where: 'witness' }],
  comparable: false,
  begin: (cluster) => cluster.restartWitness(),
  faultMs: 7000,
  heal: () => Promise.resolve(),
  healedMs: 20_000,
  rightful: 'lb01',
  musts: [...keepsVip('lb01', { overlapMs: 0 }), nobodyFenced()],
  benchMusts: [notDarkAfterHeal],
}

/**
 * The witness is away when the cluster needs it most, between the fault and keepalived's own reaction.
 * @param needy the node that has no majority without the witness; null: there is none
 */
function whileWitnessRestarts(scenario: Scenario, needy: LabNode | null): Scenario {
  return {
    ...scenario,
    name: `witness-restart/${scenario.name}`,
    fault: `${scenario.fault}; during that the witness is killed and started again`,
    faults: [...scenario.faults, { kind: 'kill-witness', where: 'witness' }],
    comparable: false,
    begin: async (cluster) => {
      await scenario.begin(cluster)
      await pause(1000)
      await cluster.restartWitness()
    },
    ...(needy === null
      ? {}
      : { needsMachine: true, premises: [witnessBackWithin(leaseSurvivesMs(defaultTiming), needy)] }),
  }
}

export const witnessRestarts: readonly Scenario[] = [
  quiet,
  // The restart is a part of the fault, which has to end before the hold-down does.
  whileWitnessRestarts({ ...vrrpBlock, faultMs: vrrpBlock.faultMs - 2000 }, null),
  whileWitnessRestarts(cutAb, 'lb01'),
  whileWitnessRestarts(isolateHolder, 'lb02'),
  whileWitnessRestarts(killHost, 'lb02'),
]
