import assert from 'node:assert/strict'
import fc from 'fast-check'
import { compareCandidates, type Candidate } from '../../../../shared/core/preference.ts'

const candidate = (node: string, changes: Partial<Candidate> = {}): Candidate => ({
  node,
  gateway: 'reachable',
  priority: 100,
  ...changes,
})
const preferred = (a: Candidate, b: Candidate, lastHolder: string | null = null): string | undefined =>
  [b, a].sort((x, y) => compareCandidates(x, y, lastHolder))[0]?.node

describe('preference', () => {
  it('prefers the node that reaches its gateway to the last holder and to priority', () =>
    assert.equal(
      preferred(candidate('lb01', { gateway: 'unreachable', priority: 254 }), candidate('lb02'), 'lb01'),
      'lb02',
    ))

  it('holds an unknown gateway against nobody', () =>
    assert.equal(preferred(candidate('lb01', { gateway: 'unknown' }), candidate('lb02')), 'lb01'))

  it('prefers the last holder to a higher priority', () =>
    assert.equal(preferred(candidate('lb01', { priority: 254 }), candidate('lb02'), 'lb02'), 'lb02'))

  it('prefers the higher priority where nobody held before', () =>
    assert.equal(preferred(candidate('lb01'), candidate('lb02', { priority: 101 })), 'lb02'))

  it('falls back on the name, so that there is always an answer', () =>
    assert.equal(preferred(candidate('lb02'), candidate('lb01')), 'lb01'))

  it('gives every voter the same answer: total, antisymmetric, transitive', () => {
    const any = fc.record({
      node: fc.constantFrom('lb01', 'lb02', 'lb03'),
      gateway: fc.constantFrom('reachable' as const, 'unreachable' as const, 'unknown' as const),
      priority: fc.integer({ min: 1, max: 255 }),
    })
    const last = fc.constantFrom(null, 'lb01', 'lb02', 'lb03')
    fc.assert(
      fc.property(any, any, any, last, (a, b, c, lastHolder) => {
        const compare = (x: Candidate, y: Candidate): number => Math.sign(compareCandidates(x, y, lastHolder))
        assert.equal(compare(a, b) + compare(b, a), 0)
        if (a.node !== b.node) assert.notEqual(compare(a, b), 0)
        if (compare(a, b) < 0 && compare(b, c) < 0) assert.ok(compare(a, c) < 0)
      }),
    )
  })
})
