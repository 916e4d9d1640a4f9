/** `gate: strict`: not even milliseconds of two owners, at the price of a slower takeover. */
import { defaultTiming, masterDownMs, strictReserveMs } from '../../../shared/core/timing.ts'
import { advertIntervalMs, priorities } from '../keepalived-config.ts'
import {
  bothKeepalivedRunAtEnd,
  keepsVip,
  nobodyFenced,
  notDarkAfterHeal,
  outageAtMost,
  takesVipOver,
} from '../musts.ts'
import { type Scenario } from '../scenario.ts'
import { killHost } from './dying-hosts.ts'
import { vrrpBlock } from './vrrp-block.ts'

const strict = { gate: 'strict' } as const

const strictBlock: Scenario = {
  ...vrrpBlock,
  name: 'gate-strict/vrrp-block',
  fault: `gate: strict; ${vrrpBlock.fault}`,
  setup: strict,
  comparable: false,
  faultMs: 6000,
  musts: [...keepsVip('lb01', { overlapMs: 0 }), nobodyFenced(), bothKeepalivedRunAtEnd()],
  benchMusts: [notDarkAfterHeal],
}

/**
 * The old promise expires, the standby gets the lease (an application that came too early is repeated a second later),
 * and only then does its keepalived begin to wait for adverts.
 */
const strictTakeoverMs =
  strictReserveMs +
  defaultTiming.renewMs +
  1000 +
  masterDownMs({ version: 2, priority: priorities.lb02, advertIntMs: advertIntervalMs })
/** Room for a busy machine. */
const slackMs = 1000

const strictKillHost: Scenario = {
  ...killHost,
  name: 'gate-strict/kill-host',
  fault: `gate: strict; ${killHost.fault}`,
  setup: strict,
  comparable: false,
  faultMs: 11_000,
  musts: [
    ...takesVipOver('lb02', { overlapMs: 0 }),
    outageAtMost(strictTakeoverMs + slackMs),
    bothKeepalivedRunAtEnd(),
  ],
  benchMusts: [notDarkAfterHeal],
}

export const strictGates: readonly Scenario[] = [strictBlock, strictKillHost]
