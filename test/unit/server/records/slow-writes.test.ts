import assert from 'node:assert/strict'
import { SlowWrites } from '../../../../server/records/slow-writes.ts'

describe('slow writes of the witness', () => {
  let nowMs = 1000
  let writes: SlowWrites
  beforeEach(() => {
    nowMs = 1000
    writes = new SlowWrites(() => nowMs)
  })

  it('are told until a write is fast again, and are new only once', () => {
    assert.equal(writes.ended(249), false)
    assert.equal(writes.warning(), null)
    assert.equal(writes.ended(250), true)
    assert.match(writes.warning() ?? '', /took 250 ms for its last write/)
    assert.equal(writes.ended(800), false)
    assert.match(writes.warning() ?? '', /took 800 ms/)
    assert.equal(writes.ended(20), false)
    assert.equal(writes.warning(), null)
    assert.equal(writes.ended(300), true)
  })

  it('say nothing of the disk ten minutes later', () => {
    writes.ended(900)
    nowMs += 600_000
    assert.notEqual(writes.warning(), null)
    nowMs += 1
    assert.equal(writes.warning(), null)
  })

  it('are told while one has not ended', () => {
    const ended = writes.begin()
    nowMs += 100
    const other = writes.begin()
    nowMs += 149
    assert.equal(writes.warning(), null)
    nowMs += 4000
    assert.match(writes.warning() ?? '', /has been busy with one write for 4249 ms/)
    ended()
    assert.match(writes.warning() ?? '', /has been busy with one write for 4149 ms/)
    other()
    assert.equal(writes.warning(), null)
  })
})
