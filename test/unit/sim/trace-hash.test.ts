import assert from 'node:assert/strict'
import type { Fact } from '../../invariants/facts.ts'
import { TraceHash } from '../../sim/watch/trace-hash.ts'

function hashOf(...seen: readonly (readonly [atMs: number, fact: Fact])[]): string {
  const hash = new TraceHash()
  for (const [atMs, fact] of seen) hash.fact({ atMs, fact })
  return hash.text
}

const ordered: Fact = { type: 'ordered', node: 'lb01' }
const held: Fact = { type: 'vip', node: 'lb01', held: true }

describe('the hash of a trace', () => {
  it('is of what was seen, when, and in which order', () => {
    const hashes = [
      hashOf([1, ordered], [2, held]),
      hashOf([2, held], [1, ordered]),
      hashOf([1, ordered], [2.0000001, held]),
      hashOf([1, ordered], [2, { ...held, held: false }]),
      hashOf([1, ordered], [2, { ...held, node: 'lb02' }]),
      hashOf([1, ordered]),
    ]
    assert.equal(new Set(hashes).size, hashes.length)
    assert.equal(hashOf([1, ordered], [2, held]), hashes[0])
  })

  it('is written down once: a machine that computes it otherwise is found here', () => {
    assert.equal(hashOf([1234.5678, ordered], [2e9 + 1 / 3, held]), 'b9915669e779e716')
  })

  it('does not take two texts for one', () => {
    const [one, other] = [
      ['lb01', 'a: b'],
      ['lb01a', ': b'],
    ].map(([who = '', text = '']) => {
      const hash = new TraceHash()
      hash.line(1, who, text)
      return hash.text
    })
    assert.notEqual(one, other)
  })
})
