import assert from 'node:assert/strict'
import { utimesSync, writeFileSync } from 'node:fs'
import { CheckStamp } from '../../../../agent/check/stamp.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

describe('CheckStamp', () => {
  const folder = temporaryFolder()

  it('sees the check run, and only then', () => {
    const stamp = new CheckStamp(folder(), 'VI_1')
    assert.equal(stamp.look(), false)
    writeFileSync(folder('VI_1.checked'), '')
    assert.equal(stamp.look(), true)
    assert.equal(stamp.look(), false)
    utimesSync(folder('VI_1.checked'), 1, 1)
    assert.equal(stamp.look(), true)
  })

  it('takes a stamp from before it started for no sign of life', () => {
    writeFileSync(folder('VI_1.checked'), '')
    assert.equal(new CheckStamp(folder(), 'VI_1').look(), false)
  })
})
