import assert from 'node:assert/strict'
import { emptyRooms, findBreaks } from './walls.ts'
import { readSources } from './sources.ts'

describe('the walls of the house', () => {
  const sources = readSources()

  it('hold', () => {
    assert.ok(sources.size > 100)
    assert.deepEqual(findBreaks(sources), [])
  })

  it('have no room that stands empty', () => {
    assert.deepEqual(emptyRooms(sources), [])
  })
})
