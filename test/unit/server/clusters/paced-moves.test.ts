import assert from 'node:assert/strict'
import { moveEveryMs, PacedMoves, type Move } from '../../../../server/clusters/paced-moves.ts'

describe('moves of a node', () => {
  let moved: string[]
  let moves: PacedMoves
  let timers: { go: () => void; ms: number }[]
  const real = globalThis.setTimeout
  beforeEach(() => {
    moved = []
    timers = []
    globalThis.setTimeout = ((go: () => void, ms: number) => {
      timers.push({ go, ms })
      return undefined
    }) as never
    moves = new PacedMoves(({ node, address, port }) => moved.push(`${node} ${address}:${port}`))
  })
  afterEach(() => {
    globalThis.setTimeout = real
  })
  const to = (port: number, node = 'lb01'): Move => ({ node, address: '10.0.0.11', port })
  const passPause = (): void => timers.shift()?.go()

  it('count at once, and of those that follow soon only the newest, later', () => {
    for (let port = 7001; port <= 7500; port++) moves.take(to(port))
    assert.deepEqual(moved, ['lb01 10.0.0.11:7001'])
    assert.deepEqual(
      timers.map(({ ms }) => ms),
      [moveEveryMs],
    )
    passPause()
    assert.deepEqual(moved, ['lb01 10.0.0.11:7001', 'lb01 10.0.0.11:7500'])
    moves.take(to(7401))
    assert.equal(moved.length, 2)
    passPause()
    passPause()
    assert.equal(moved.at(-1), 'lb01 10.0.0.11:7401')
    moves.take(to(7402))
    assert.equal(moved.at(-1), 'lb01 10.0.0.11:7402')
  })

  it('of one do not wait for those of another', () => {
    moves.take(to(7001))
    moves.take(to(7002, 'lb02'))
    assert.deepEqual(moved, ['lb01 10.0.0.11:7001', 'lb02 10.0.0.11:7002'])
  })
})
