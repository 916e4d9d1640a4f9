import assert from 'node:assert/strict'
import { type OwnershipChange, ownershipFigures } from './vip-ownership.ts'

const gets = (node: 'lb01' | 'lb02', atMs: number): OwnershipChange => ({ node, atMs, has: true })
const loses = (node: 'lb01' | 'lb02', atMs: number): OwnershipChange => ({ node, atMs, has: false })

describe('ownership of the VIP', () => {
  it('counts an overlap while both nodes have it, and no change of holder when the first one stays', () => {
    const changes = [gets('lb01', 10), gets('lb02', 1000), loses('lb02', 1007)]
    const figures = ownershipFigures(changes, { fromMs: 500, toMs: 2000 })
    assert.deepEqual(
      [figures.overlapMs, figures.outageMs, figures.holderChanges, figures.ownersAtEnd],
      [7, 0, 0, ['lb01']],
    )
    assert.deepEqual(figures.takeovers, { lb01: 0, lb02: 1 })
  })

  it('counts an outage between two owners, and one change of holder', () => {
    const changes = [gets('lb01', 10), loses('lb01', 1000), gets('lb02', 4600)]
    const figures = ownershipFigures(changes, { fromMs: 500, toMs: 6000 })
    assert.deepEqual(
      [figures.overlapMs, figures.outageMs, figures.holderChanges, figures.ownersAtEnd],
      [0, 3600, 1, ['lb02']],
    )
  })

  it('sees two owners at the end of a split that nobody settles', () => {
    const changes = [gets('lb01', 10), gets('lb02', 1000)]
    const figures = ownershipFigures(changes, { fromMs: 500, toMs: 3000 })
    assert.equal(figures.overlapMs, 2000)
    assert.deepEqual(figures.ownersAtEnd, ['lb01', 'lb02'])
  })

  it('takes what was so before the span as its beginning', () => {
    const changes = [gets('lb01', 10), gets('lb02', 20)]
    assert.equal(ownershipFigures(changes, { fromMs: 100, toMs: 200 }).overlapMs, 100)
  })

  it('does not count a change of holder that happened before the span', () => {
    const changes = [gets('lb01', 10), loses('lb01', 20), gets('lb02', 30)]
    assert.equal(ownershipFigures(changes, { fromMs: 100, toMs: 200 }).holderChanges, 0)
  })

  it('counts a change that ends an overlap in favour of the second', () => {
    const changes = [gets('lb01', 10), gets('lb02', 150), loses('lb01', 160)]
    assert.equal(ownershipFigures(changes, { fromMs: 100, toMs: 200 }).holderChanges, 1)
  })
})
