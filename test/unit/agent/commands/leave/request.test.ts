import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import {
  takeLeaveAnswer,
  takeLeaveRequest,
  withdrawLeaveRequest,
  writeLeaveAnswer,
  writeLeaveRequest,
} from '../../../../../agent/commands/leave/request.ts'
import { temporaryFolder } from '../../../../fixtures/temporary-folder.ts'

describe('a request to leave', () => {
  const folder = temporaryFolder()
  const wish = { id: 'one', bootId: 'boot-1', untilMs: 5000 }

  it('is taken once', () => {
    writeLeaveRequest(folder(), wish)
    const now = { bootId: 'boot-1', atMs: 5000 }
    assert.equal(takeLeaveRequest(folder(), now), 'one')
    assert.equal(takeLeaveRequest(folder(), now), null)
    assert.equal(withdrawLeaveRequest(folder()), false)
  })

  it('is no wish of today where nobody waits for it any more, or another boot wrote it', () => {
    for (const now of [
      { bootId: 'boot-1', atMs: 5001 },
      { bootId: 'boot-2', atMs: 0 },
    ]) {
      writeLeaveRequest(folder(), wish)
      assert.equal(takeLeaveRequest(folder(), now), null)
      assert.equal(takeLeaveRequest(folder(), { bootId: 'boot-1', atMs: 0 }), null)
    }
  })

  it('is not what somebody else put there', () => {
    for (const text of ['', 'leave', '{"id":"one"}']) {
      writeFileSync(`${folder()}/leave.request`, text)
      assert.equal(takeLeaveRequest(folder(), { bootId: 'boot-1', atMs: 0 }), null)
    }
  })

  it('can be withdrawn as long as nobody took it', () => {
    writeLeaveRequest(folder(), wish)
    assert.equal(withdrawLeaveRequest(folder()), true)
    assert.equal(takeLeaveRequest(folder(), { bootId: 'boot-1', atMs: 0 }), null)
  })

  it('has the answer to itself, and none of an earlier one', () => {
    const outcome = { kind: 'refused', text: 'keepalived runs here' } as const
    writeLeaveAnswer(folder(), { id: 'older', outcome })
    writeLeaveRequest(folder(), wish)
    assert.equal(takeLeaveAnswer(folder(), 'one'), null)
    writeLeaveAnswer(folder(), { id: 'one', outcome })
    assert.deepEqual(takeLeaveAnswer(folder(), 'one'), outcome)
  })
})
