import assert from 'node:assert/strict'
import { exitCodeOf, fail, ok, renderFindings, warn } from '../../../../../agent/commands/doctor/finding.ts'

describe('the findings of the doctor', () => {
  it('end with 0, 1 or 2: the worst of them', () => {
    assert.equal(exitCodeOf([]), 0)
    assert.equal(exitCodeOf([ok('a', 'b')]), 0)
    assert.equal(exitCodeOf([ok('a', 'b'), warn('a', 'b', 'c')]), 1)
    assert.equal(exitCodeOf([fail('a', 'b', 'c'), warn('a', 'b', 'c')]), 2)
  })

  it('are a line each, with what to do on the same line, whatever a text holds', () => {
    const text = renderFindings([ok('fifo', 'it is open'), fail('bar', 'not\nwatched\u001b[2J', 'reload')])
    assert.deepEqual(text.split('\n'), [
      'ok    fifo                it is open',
      'FAIL  bar                 not watched [2J: reload',
      '',
      '1 ok, 0 warnings, 1 failures',
      '',
    ])
  })
})
