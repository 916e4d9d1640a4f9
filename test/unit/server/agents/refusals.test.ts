import assert from 'node:assert/strict'
import { Refusals } from '../../../../server/agents/refusals.ts'
import { recordingLog } from '../../../fixtures/recording-log.ts'

describe('refusals', () => {
  it('counts all and tells the log of each kind at most once in ten seconds', () => {
    const log = recordingLog()
    let nowMs = 0
    const refusals = new Refusals(log, () => nowMs)
    for (; nowMs < 12_000; nowMs += 100) refusals.count('unauthenticated', 'a request without a certificate')
    refusals.count('malformed', 'malformed message: not JSON')
    assert.deepEqual(refusals.counts, { unauthenticated: 120, malformed: 1 })
    assert.deepEqual(log.lines, [
      'warn refused: a request without a certificate',
      'warn refused: a request without a certificate',
      'warn refused: malformed message: not JSON',
    ])
  })
})
