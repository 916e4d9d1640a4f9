import assert from 'node:assert/strict'
import { defaultTiming } from '../../../shared/core/timing.ts'
import type { Fact } from '../../invariants/facts.ts'
import { LivenessWatch } from '../../invariants/liveness.ts'

/** The invariants that a fence of lb02 breaks in a calm cluster under these faults. */
function brokenByFence(...kinds: readonly string[]): string[] {
  const watch = new LivenessWatch(defaultTiming, {
    nodes: [
      { name: 'lb01', priority: 150 },
      { name: 'lb02', priority: 100 },
    ],
    advertIntMs: 1000,
  })
  const facts: Fact[] = [
    { type: 'vip', node: 'lb01', held: true },
    { type: 'calm' },
    ...kinds.map((kind): Fact => ({ type: 'fault', kind, where: 'lb01', on: true })),
    { type: 'fencing', node: 'lb02', reason: 'a test' },
  ]
  for (const fact of facts) watch.take({ atMs: 5000, fact })
  return watch.violations.map(({ invariant }) => invariant)
}

describe('the invariant L5', () => {
  it('is broken by a fence under disturbances, one or several', () => {
    for (const kinds of [['loss'], ['jitter', 'kill-witness'], ['disk-full', 'freeze-witness']])
      assert.deepEqual(brokenByFence(...kinds), ['L5'], kinds.join())
  })

  it('is broken by a fence under a weight alone, or on a slow network', () => {
    for (const kinds of [
      ['weight-fails', 'weight-fails'],
      ['weight-fails', 'jitter'],
    ])
      assert.deepEqual(brokenByFence(...kinds), ['L5'], kinds.join())
  })

  it('says nothing of a weight beside a fault that withholds votes, because the takeover needs them', () => {
    for (const kind of ['disk-full', 'kill-witness'])
      assert.deepEqual(brokenByFence('weight-fails', kind), [], kind)
  })

  it('says nothing of a fault that stops a node', () =>
    assert.deepEqual(brokenByFence('crash-host', 'loss'), []))
})
