import { type StopCommand } from '../keepalived-service.ts'
import { overlapAtMost, overlapBoundMs, ownerAfterHeal, ownerDuringFault } from '../musts.ts'
import { type Must, type Scenario } from '../scenario.ts'
import { nodeInstance } from '../witness-api.ts'
import { vrrpBlock } from './vrrp-block.ts'

const nextRung: Must = {
  says: 'the fence of lb02 ends beyond the stop command, with a proof or an honest "failed"',
  broken: ({ faultEnd }) => {
    const fence = faultEnd.view === null ? null : nodeInstance(faultEnd.view, 'lb02')?.fence
    if (fence === null || fence === undefined) return 'no fence is reported'
    if (fence.result === 'running') return `it still runs at rung "${fence.rung}"`
    if (fence.result === 'failed') return null
    return fence.rung === 'kill' || fence.rung === 'last-resort' ? null : `proved by rung "${fence.rung}"`
  },
}

const stopFailureTold: Must = {
  says: 'an event tells that the stop command of lb02 failed',
  broken: ({ events }) =>
    events.some(({ node, level, text }) => node === 'lb02' && level !== 'info' && /stop/i.test(text))
      ? null
      : `events: ${events.map(({ event, node }) => `${event} ${node ?? ''}`.trim()).join(', ')}`,
}

function fenceFails(variant: string, stopCommand: StopCommand, how: string): Scenario {
  return {
    ...vrrpBlock,
    name: `fence-fails/${variant}`,
    fault: `protocol 112 is dropped both ways, and the stop command ${how}`,
    setup: { stopCommand },
    comparable: false,
    musts: [
      ownerDuringFault('lb01'),
      ownerAfterHeal('lb01'),
      overlapAtMost(overlapBoundMs),
      nextRung,
      stopFailureTold,
    ],
  }
}

export const fenceFailures: readonly Scenario[] = [
  fenceFails('stop-fails', 'fails', 'fails'),
  fenceFails('stop-hangs', 'hangs', 'hangs'),
]
