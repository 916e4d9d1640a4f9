import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { placeFile } from '../../../../shared/disk/placed-file.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

describe('placed-file', () => {
  const file = temporaryFolder()

  it('replaces a file as a whole, with the mode that was asked for', () => {
    placeFile(file('key'), 'old', 0o644)
    placeFile(file('key'), 'new', 0o600)
    assert.equal(readFileSync(file('key'), 'utf8'), 'new')
    assert.equal(statSync(file('key')).mode & 0o777, 0o600)
    assert.deepEqual(readdirSync(file()), ['key'])
  })

  it('gives a leftover of an earlier crash its own mode, not the old one', () => {
    const leftover = `${file('key')}.${process.pid}`
    writeFileSync(leftover, 'half', { mode: 0o644 })
    chmodSync(leftover, 0o644)
    placeFile(file('key'), 'new', 0o600)
    assert.equal(statSync(file('key')).mode & 0o777, 0o600)
  })

  it('leaves what was there, and nothing temporary, where it cannot be placed', () => {
    mkdirSync(file('key'))
    writeFileSync(join(file('key'), 'inside'), 'x')
    assert.throws(() => placeFile(file('key'), 'new', 0o600), /EISDIR|ENOTEMPTY|EEXIST/)
    assert.deepEqual(readdirSync(file()), ['key'])
  })
})
