import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { writeBar } from '../../../../agent/fence/bar-file.ts'
import { RunFolderError } from '../../../../shared/disk/run-folder.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

describe('writeBar', () => {
  const folder = temporaryFolder()

  it('writes what keepalived reads, and leaves nothing else behind', () => {
    writeBar(folder(), 'VI_1', true)
    assert.equal(readFileSync(folder('VI_1.bar'), 'utf8'), '1\n')
    writeBar(folder(), 'VI_1', false)
    assert.equal(readFileSync(folder('VI_1.bar'), 'utf8'), '0\n')
    assert.deepEqual(readdirSync(folder()), ['VI_1.bar'])
  })

  it('says what to do where the folder is missing', () => {
    assert.throws(
      () => writeBar(folder('missing'), 'VI_1', true),
      (error) =>
        error instanceof RunFolderError && /runDir .*missing is missing; create it/.test(error.message),
    )
  })
})
