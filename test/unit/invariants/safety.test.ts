import assert from 'node:assert/strict'
import { defaultTiming } from '../../../shared/core/timing.ts'
import type { Fact } from '../../invariants/facts.ts'
import { SafetyWatch } from '../../invariants/safety.ts'

const voters = ['witness', 'lb01', 'lb02'] as const

/**
 * lb02 has the lease under epoch 3 by the ballots of these voters; then disks go back, and lb01 gets it under epoch 3.
 */
function brokenByReuse(of: {
  readonly ballots: readonly string[]
  readonly lost: readonly string[]
}): string[] {
  const watch = new SafetyWatch(defaultTiming)
  const facts: { readonly atMs: number; readonly fact: Fact }[] = [
    ...voters.map((voter) => ({
      atMs: 0,
      fact: { type: 'ballot', voter, to: 'lb01', epoch: 2 } as const,
    })),
    ...of.ballots.map((voter) => ({
      atMs: 1000,
      fact: { type: 'ballot', voter, to: 'lb02', epoch: 3 } as const,
    })),
    { atMs: 1000, fact: { type: 'lease', node: 'lb02', epoch: 3, untilMs: 2800 } },
    ...of.lost.map((where) => ({
      atMs: 3000,
      fact: { type: 'fault', kind: 'disk-rollback', where, on: true } as const,
    })),
    { atMs: 9000, fact: { type: 'lease', node: 'lb01', epoch: 3, untilMs: 10_800 } },
  ]
  for (const each of facts) watch.take(each)
  return watch.violations.map(({ invariant }) => invariant)
}

describe('the invariant S4', () => {
  const pair = ['lb01', 'lb02']

  it('is broken by an epoch that belongs to the leases of two nodes', () =>
    assert.deepEqual(brokenByReuse({ ballots: pair, lost: [] }), ['S4']))

  it('is broken as well while one disk still has the epoch', () => {
    assert.deepEqual(brokenByReuse({ ballots: pair, lost: ['lb01'] }), ['S4'])
    assert.deepEqual(brokenByReuse({ ballots: voters, lost: pair }), ['S4'])
  })

  it('says nothing where no disk has it any more', () => {
    assert.deepEqual(brokenByReuse({ ballots: pair, lost: pair }), [])
    assert.deepEqual(brokenByReuse({ ballots: voters, lost: voters }), [])
  })
})
