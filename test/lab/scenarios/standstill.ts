/** An agent that stood still goes on. What it missed is no reason to stop what works. */
import {
  bothKeepalivedRunAtEnd,
  fencesAtMost,
  notDarkAfterHeal,
  outageAtMost,
  takesVipOver,
} from '../musts.ts'
import { pause } from '../pause.ts'
import { type Scenario } from '../scenario.ts'

/** keepalived's takeover, with room for a busy machine. A fence costs another master-down time. */
const oneTakeoverMs = 5500
const standsStillMs = 6000
/** More than the machine has processors for. */
const burners = 6
const burnMs = 4000

export const standbyAgentFrozen: Scenario = {
  name: 'standby-agent-frozen-while-holder-dies',
  fault:
    'the agent of the standby stands still; the host of the holder dies, keepalived takes over with the vote that its check asks for, and the agent goes on while six programs want the processors',
  faults: [
    { kind: 'freeze-agent', where: 'lb02' },
    { kind: 'crash-host', where: 'lb01' },
  ],
  setup: { processors: 'common' },
  comparable: false,
  needsMachine: true,
  begin: async (cluster) => {
    await cluster.signalAgent('lb02', 'STOP')
    await cluster.killHost('lb01')
    await pause(standsStillMs)
    await cluster
      .host('lb02')
      .shell(
        `for _ in $(seq ${burners}); do setsid -f timeout ${burnMs / 1000} sh -c 'while :; do :; done' </dev/null >/dev/null 2>&1; done`,
      )
    await cluster.signalAgent('lb02', 'CONT')
    await pause(burnMs)
  },
  faultMs: standsStillMs + burnMs + 500,
  heal: async (cluster) => {
    await cluster.bootHost('lb01')
    await cluster.startNode('lb01')
  },
  healedMs: 20_000,
  rightful: 'lb02',
  musts: [
    ...takesVipOver('lb02', { overlapMs: 0 }),
    outageAtMost(oneTakeoverMs),
    fencesAtMost(0, 'lb02'),
    bothKeepalivedRunAtEnd(),
  ],
  benchMusts: [notDarkAfterHeal],
}
