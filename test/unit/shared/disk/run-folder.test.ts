import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { assertRunFolder, replaceFile } from '../../../../shared/disk/run-folder.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

describe('assertRunFolder', () => {
  const folder = temporaryFolder()

  it('accepts a folder', () => {
    assert.doesNotThrow(() => assertRunFolder(folder()))
  })

  it('refuses a missing one and a file, and says what to do', () => {
    assert.throws(
      () => assertRunFolder(folder('missing')),
      /before keepalived starts.*then restart keepalived/,
    )
    writeFileSync(folder('file'), '')
    assert.throws(() => assertRunFolder(folder('file')), /is not a folder/)
  })
})

describe('replaceFile', () => {
  const folder = temporaryFolder()

  it('names the file that cannot be written', () => {
    writeFileSync(folder('file'), '')
    assert.throws(() => replaceFile(folder('file/below'), 'text'), /cannot write .*file\/below/)
  })
})
