import assert from 'node:assert/strict'
import { clientRow, type Grid, labels, ownerRow, ruler } from '../../demo/timeline.ts'

const grid: Grid = { fromMs: 0, zeroAtMs: 1000, columnMs: 500, columns: 8 }
const changes = [
  { node: 'lb01', atMs: -10, has: true },
  { node: 'lb02', atMs: 2100, has: true },
  { node: 'lb02', atMs: 2103, has: false },
  { node: 'lb01', atMs: 3000, has: false },
] as const

describe('the timeline', () => {
  it('shows a node that has the VIP all the time, and where it lost it', () => {
    assert.deepEqual(ownerRow(changes, 'lb01', grid), [
      ...Array<string>(6).fill('whole'),
      ...Array<string>(2).fill('none'),
    ])
  })

  it('shows three milliseconds as a part of their column', () => {
    assert.deepEqual(ownerRow(changes, 'lb02', grid), [
      ...Array<string>(4).fill('none'),
      'part',
      ...Array<string>(3).fill('none'),
    ])
  })

  it('shows who answered the client, and a single attempt without an answer', () => {
    const attempts = [
      { atMs: 0, answeredBy: 'lb01' },
      { atMs: 500, answeredBy: 'lb01' },
      { atMs: 700, answeredBy: 'lb02' },
      { atMs: 1000, answeredBy: 'lb02' },
      { atMs: 1500, answeredBy: 'lb02' },
      { atMs: 1700, answeredBy: null },
    ]
    assert.deepEqual(clientRow(attempts, grid).slice(0, 5), ['lb01', 'both', 'lb02', 'dark', 'none'])
  })

  it('has a ruler whose numbers begin at their columns', () => {
    assert.equal(ruler({ ...grid, columns: 14 }, 2000, ' s'), '  0 s 2 s 4 s')
  })

  it('leaves a label out that would run into the one before it, or over the edge', () => {
    const marks = [
      { atMs: 500, label: 'abcd' },
      { atMs: 1500, label: 'x' },
      { atMs: 3500, label: 'y' },
      { atMs: 3500, label: 'too long' },
    ]
    assert.equal(labels(grid, marks), ' abcd  y')
  })
})
