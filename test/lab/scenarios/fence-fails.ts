/** A ladder is only as good as its next rung. */
import {
  notDarkAfterHeal,
  overlapAtMost,
  overlapBoundMs,
  ownerAfterHeal,
  ownerDuringFault,
} from '../musts.ts'
import { type Must, type Scenario } from '../scenario.ts'
import { nodeInstance } from '../witness-api.ts'
import { vrrpBlock } from './vrrp-block.ts'

type Rung = 'bar' | 'stop' | 'kill' | 'last-resort'

function fenceEndsAt(rungs: readonly Rung[]): Must {
  return {
    says: `the fence of lb02 ends with a proof at rung ${rungs.join(' or ')}, or with an honest "failed"`,
    broken: ({ faultEnd }) => {
      const fence = faultEnd.view === null ? null : nodeInstance(faultEnd.view, 'lb02')?.fence
      if (fence === null || fence === undefined) return 'no fence is reported'
      if (fence.result === 'failed') return null
      if (fence.result === 'running') return `it still runs at rung "${fence.rung}"`
      return rungs.includes(fence.rung) ? null : `proved at rung "${fence.rung}"`
    },
  }
}

const stopFailureTold: Must = {
  says: 'an event reports that the stop command of lb02 failed',
  broken: ({ events }) =>
    events.some(({ node, level, text }) => node === 'lb02' && level !== 'info' && text.includes('"stop"'))
      ? null
      : `events: ${events.map(({ event, node }) => `${event} ${node ?? ''}`.trim()).join(', ')}`,
}

function fenceFails(options: {
  variant: string
  how: string
  stopCommand: 'fails' | 'hangs'
  tracked: boolean
  endsAt: readonly Rung[]
}): Scenario {
  const { variant, how, stopCommand, tracked, endsAt } = options
  return {
    ...vrrpBlock,
    name: `fence-fails/${variant}`,
    fault: `protocol 112 is dropped both ways, and ${how}`,
    faults: [
      ...vrrpBlock.faults,
      { kind: stopCommand === 'hangs' ? 'stop-hangs' : 'stop-fails', where: 'lb02' },
    ],
    setup: { stopCommand, tracked },
    comparable: false,
    musts: [
      ownerDuringFault('lb01'),
      ownerAfterHeal('lb01'),
      overlapAtMost(overlapBoundMs),
      fenceEndsAt(endsAt),
      stopFailureTold,
    ],
    benchMusts: [notDarkAfterHeal],
  }
}

export const fenceFailures: readonly Scenario[] = [
  fenceFails({
    variant: 'stop-fails',
    how: 'the stop command fails',
    stopCommand: 'fails',
    tracked: true,
    endsAt: ['bar', 'stop', 'kill'],
  }),
  fenceFails({
    variant: 'stop-hangs',
    how: 'the stop command hangs',
    stopCommand: 'hangs',
    tracked: true,
    // The bar is enough; on a busy machine its proof may come when the next rung is already in use.
    endsAt: ['bar', 'stop', 'kill'],
  }),
  fenceFails({
    variant: 'no-bar-stop-fails',
    how: 'the bar has no effect (the track lines are missing) and the stop command fails',
    stopCommand: 'fails',
    tracked: false,
    endsAt: ['kill'],
  }),
  fenceFails({
    variant: 'no-bar-stop-hangs',
    how: 'the bar has no effect (the track lines are missing) and the stop command hangs',
    stopCommand: 'hangs',
    tracked: false,
    endsAt: ['kill'],
  }),
]
