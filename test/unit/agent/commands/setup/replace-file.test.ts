import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import {
  backUp,
  isBackupOf,
  isIncluded,
  replaceText,
} from '../../../../../agent/commands/setup/replace-file.ts'
import { temporaryFolder } from '../../../../fixtures/temporary-folder.ts'

const at = new Date('2026-11-21T12:34:56.789Z')

describe('a file of the admin’s', () => {
  const folder = temporaryFolder()
  const file = () => folder('keepalived.conf')
  beforeEach(() => {
    writeFileSync(file(), 'old \u00ff', 'latin1')
    chmodSync(file(), 0o604)
  })

  it('is replaced with its mode, byte for byte, and without leftovers', () => {
    replaceText(file(), { from: 'old \u00ff', to: 'new \u00fe' })
    assert.deepEqual([...readFileSync(file())], [...Buffer.from('new \u00fe', 'latin1')])
    assert.equal(statSync(file()).mode & 0o7777, 0o604)
    assert.deepEqual(readdirSync(folder()), ['keepalived.conf'])
  })

  it('is replaced also where a crash left a half-written one', () => {
    writeFileSync(folder('.keepalived.conf.keepalived-witness-new'), 'half')
    replaceText(file(), { from: 'old \u00ff', to: 'new' })
    assert.deepEqual(readdirSync(folder()), ['keepalived.conf'])
  })

  it('is not replaced where somebody changed it meanwhile', () => {
    assert.throws(
      () => replaceText(file(), { from: 'older', to: 'new' }),
      /the file changed while setup was running/,
    )
    assert.equal(readFileSync(file(), 'latin1'), 'old \u00ff')
  })

  it('is kept under a name with the time, a second one in that second too', () => {
    const names = [0, 1].map(() => basename(backUp(file(), { at, includes: [] })))
    assert.deepEqual(names, [
      'keepalived.conf.20261121T123456Z.before-witness',
      'keepalived.conf.20261121T123456Z-2.before-witness',
    ])
    for (const name of names) {
      assert.equal(readFileSync(folder(name), 'latin1'), 'old \u00ff')
      assert.equal(statSync(folder(name)).mode & 0o7777, 0o604)
      assert.ok(isBackupOf(name, file()))
    }
    assert.ok(!isBackupOf(names[0]!, folder('other.conf')))
  })

  it('is kept under a hidden name where keepalived includes every file, and not at all where also those', () => {
    const path = backUp(file(), { at, includes: [{ folder: folder(), pattern: '*' }] })
    assert.equal(basename(path), '.keepalived.conf.20261121T123456Z.before-witness')
    assert.ok(isBackupOf(basename(path), file()))
    const includes = ['*', '.*'].map((pattern) => ({ folder: folder(), pattern }))
    assert.throws(() => backUp(file(), { at, includes }), /narrow the include to \*\.conf/)
  })

  it('is told to be included by what keepalived expands its patterns to', () => {
    mkdirSync(folder('conf.d'))
    const asked = (pattern: string, name: string) => isIncluded(folder(name), [{ folder: folder(), pattern }])
    assert.ok(asked('conf.d/*.conf', 'conf.d/new.conf'))
    assert.ok(asked('{x,conf.d}/*', 'conf.d/new'))
    assert.ok(asked('*/new', 'conf.d/new'))
    assert.ok(asked(folder('conf.d/new'), 'conf.d/new'))
    assert.ok(!asked('conf.d/*.conf', 'conf.d/new.conf.before-witness'))
    assert.ok(!asked('conf.d/*', 'conf.d/.new'))
    assert.ok(!asked('*', 'conf.d/new'))
    assert.ok(!asked('missing/*', 'missing/new'))
  })
})
