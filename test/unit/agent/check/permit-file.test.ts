import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { writePermit } from '../../../../agent/check/permit-file.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

describe('writePermit', () => {
  const folder = temporaryFolder()

  it('writes one line that the check reads', () => {
    writePermit(
      { runDir: folder(), instance: 'VI_1', bootId: 'boot-1' },
      { word: 'permit', untilMs: 1234.9, why: 'holds the lease' },
    )
    assert.equal(readFileSync(folder('VI_1.permit'), 'utf8'), 'permit boot-1 1234 holds the lease\n')
  })

  it('keeps a reason of several lines on one', () => {
    writePermit(
      { runDir: folder(), instance: 'VI_1', bootId: 'boot-1' },
      { word: 'bar', untilMs: 0, why: 'one\npermit boot-1 9 two' },
    )
    assert.equal(readFileSync(folder('VI_1.permit'), 'utf8'), 'bar boot-1 0 one permit boot-1 9 two\n')
  })
})
