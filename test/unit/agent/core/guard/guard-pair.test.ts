import assert from 'node:assert/strict'
import fc from 'fast-check'
import { GuardPair, nodes, TwoHolders, type Fault, type PairOptions } from './guard-pair.ts'
import { storiesFrom } from '../../../../fixtures/effort.ts'

const node = fc.constantFrom(...nodes)
const forMs = fc.oneof(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 500, max: 6000 }))

const fault: fc.Arbitrary<Fault> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('promote' as const, 'promote' as const, 'demote' as const),
      node,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('kill-keepalived' as const, 'crash-host' as const), node }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('crash-agent' as const, 'freeze-agent' as const),
      node,
      forMs,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash-witness' as const), forMs }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('cut' as const), link: fc.integer({ min: 0, max: 2 }), forMs }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('ineffective-bar' as const, 'failing-disk' as const),
      node,
      forMs,
    }),
  },
)

const rate = fc.constantFrom(0.99, 1, 1.01)
const options: fc.Arbitrary<PairOptions> = fc.record({
  seed: fc.integer(),
  rates: fc.tuple(rate, rate, rate),
  lossPercent: fc.constantFrom(0, 0, 5, 30),
  longestDelayMs: fc.constantFrom(2, 20, 200),
  slowestDiskMs: fc.constantFrom(3, 40, 300),
})
const schedule = fc.array(fc.tuple(fc.integer({ min: 0, max: 20_000 }), fault), { maxLength: 25 })

function pairAfter(options: PairOptions, faults: readonly (readonly [number, Fault])[]): GuardPair {
  const pair = new GuardPair(options)
  for (const [atMs, fault] of faults) pair.schedule(atMs, fault)
  pair.run(25_000)
  return pair
}

const calm: PairOptions = { seed: 1, rates: [1, 1, 1], lossPercent: 0, longestDelayMs: 2, slowestDiskMs: 3 }

describe('two guards and a witness', () => {
  it('come to one holder when nothing fails', () => {
    const pair = pairAfter(calm, [])
    const phases = nodes.map((name) => pair.hosts[name].guard?.phase.name)
    assert.deepEqual(phases, ['holding', 'standby'])
  })

  it('let the standby take over when the holder’s host dies', () => {
    const pair = pairAfter(calm, [[10_000, { kind: 'crash-host', node: 'lb01' }]])
    assert.ok(pair.wins >= 2)
    assert.equal(nodes.filter((name) => pair.hosts[name].guard?.phase.name === 'holding').length, 1)
  })

  it('leave one holder where both became MASTER while they could not hear each other', () => {
    const pair = pairAfter(calm, [
      [8000, { kind: 'cut', link: 2, forMs: 10_000 }],
      [11_500, { kind: 'promote', node: 'lb02' }],
    ])
    assert.equal(nodes.filter((name) => pair.hosts[name].guard?.phase.name === 'holding').length, 1)
  })

  it('come to one holder without fencing both where both claim at once and the witness is dead', () => {
    const pair = pairAfter(calm, [
      [9000, { kind: 'crash-witness', forMs: 20_000 }],
      [10_000, { kind: 'demote', node: 'lb01' }],
      [10_100, { kind: 'promote', node: 'lb01' }],
      [10_100, { kind: 'promote', node: 'lb02' }],
    ])
    assert.deepEqual(
      nodes.map((name) => pair.hosts[name].memory.number),
      [0, 1],
    )
  })

  it('hand over to a preempting node without fencing either', () => {
    const pair = pairAfter(calm, [
      [8000, { kind: 'crash-host', node: 'lb01' }],
      [16_000, { kind: 'promote', node: 'lb01' }],
      [16_004, { kind: 'demote', node: 'lb02' }],
    ])
    assert.deepEqual(
      nodes.map((name) => [pair.hosts[name].memory.number, pair.hosts[name].guard?.phase.name]),
      [
        [0, 'holding'],
        [0, 'standby'],
      ],
    )
  })

  it('would be caught here if the witness forgot its promises too early', () => {
    const promotedAt = (atMs: number): GuardPair =>
      pairAfter({ ...calm, witnessForgetsAfterMs: 200 }, [
        [7000, { kind: 'ineffective-bar', node: 'lb02', forMs: 20_000 }],
        [8000, { kind: 'cut', link: 2, forMs: 20_000 }],
        [atMs, { kind: 'promote', node: 'lb02' }],
      ])
    assert.throws(() => {
      for (let atMs = 12_000; atMs < 12_400; atMs += 20) promotedAt(atMs)
    }, TwoHolders)
  })

  it('never have two leases at one instant, whatever is cut, lost, late, frozen or crashed (property)', function () {
    this.timeout(60_000)
    let wins = 0
    fc.assert(
      fc.property(options, schedule, (options, faults) => {
        wins += pairAfter(options, faults).wins
      }),
      { numRuns: storiesFrom(133) },
    )
    // The schedules are new each time: 133 stories won 146 to 166 leases in four runs, so 150 would fail by chance.
    assert.ok(wins > 120, `only ${wins} leases were won`)
  })
})
