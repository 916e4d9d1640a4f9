import assert from 'node:assert/strict'
import { defaultTiming, masterDownMs } from '../../../shared/core/timing.ts'
import type { Fact } from '../../invariants/facts.ts'
import { WeightWatch } from '../../invariants/weights.ts'

const vrrp = { advertIntMs: 1000, downTimerAdverts: 3 }
const boundMs =
  masterDownMs({ version: 2, priority: 1, ...vrrp }) +
  Math.max(defaultTiming.claimMs, defaultTiming.handoverMs)
/** When the priority changes. */
const atMs = 5000

interface World {
  readonly preempts?: boolean
  readonly other?: { readonly kind: string; readonly where: string }
  readonly standbyState?: 'running' | 'ended'
}

/** lb01 holds with 150 beside lb02 with 100, and its weight of -60 counts from then on. */
function afterWeight({ preempts = true, other, standbyState = 'running' }: World = {}): WeightWatch {
  const watch = new WeightWatch(defaultTiming, {
    nodes: [
      { name: 'lb01', priority: 150 },
      { name: 'lb02', priority: 100 },
    ],
    preempts,
    ...vrrp,
  })
  const facts: Fact[] = [
    { type: 'program', host: 'lb01', program: 'keepalived', state: 'running' },
    { type: 'program', host: 'lb02', program: 'keepalived', state: standbyState },
    { type: 'vip', node: 'lb01', held: true },
    { type: 'calm' },
    { type: 'fault', kind: 'weight-fails', where: 'lb01', on: true },
    ...(other === undefined ? [] : [{ type: 'fault', on: true, ...other } as const]),
    { type: 'priority', node: 'lb01', priority: 90 },
  ]
  for (const fact of facts) watch.take({ atMs, fact })
  return watch
}

describe('the invariant L7', () => {
  it('is broken if a holder keeps the VIP for longer than keepalived alone would let it', () => {
    const watch = afterWeight()
    watch.pass(atMs + boundMs + 200)
    assert.equal(watch.violations.length, 0)
    watch.pass(atMs + boundMs + 300)
    assert.deepEqual(
      watch.violations.map(({ invariant }) => invariant),
      ['L7'],
    )
    assert.match(
      watch.violations[0]?.text ?? '',
      /lb01 has kept the VIP .*priority 90, although lb02 runs with 100/,
    )
  })

  it('is broken as well if the other node takes the VIP for a moment and loses it again', () => {
    const watch = afterWeight()
    for (const [afterMs, node, held] of [
      [3000, 'lb02', true],
      [3001, 'lb01', false],
      [3100, 'lb02', false],
      [3900, 'lb01', true],
    ] as const)
      watch.take({ atMs: atMs + afterMs, fact: { type: 'vip', node, held } })
    watch.pass(atMs + 3001 + 2 * boundMs)
    assert.equal(watch.violations.length, 1)
  })

  it('holds if the VIP moves, or the priority is back in time', () => {
    const moved = afterWeight()
    moved.take({ atMs: atMs + 3000, fact: { type: 'vip', node: 'lb02', held: true } })
    moved.take({ atMs: atMs + 3001, fact: { type: 'vip', node: 'lb01', held: false } })
    const back = afterWeight()
    back.take({ atMs: atMs + 3000, fact: { type: 'priority', node: 'lb01', priority: 150 } })
    for (const watch of [moved, back]) {
      watch.pass(atMs + 10 * boundMs)
      assert.deepEqual(watch.violations, [])
    }
  })

  it('asks nothing where keepalived alone would not move the VIP, or where something else is wrong', () => {
    for (const world of [
      { preempts: false },
      { standbyState: 'ended' },
      { other: { kind: 'cut-link', where: 'lb01>lb02' } },
    ] as const) {
      const watch = afterWeight(world)
      watch.pass(atMs + 10 * boundMs)
      assert.deepEqual(watch.violations, [])
    }
  })
})
