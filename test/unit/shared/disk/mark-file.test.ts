import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MarkFile, MarkFileError } from '../../../../shared/disk/mark-file.ts'

describe('mark-file', () => {
  let folder = ''
  let path = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mark-file-'))
    path = join(folder, 'web.marks')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('gives the marks to the next process of the same boot', () => {
    const marks = new MarkFile(path, 'boot-one')
    assert.equal(marks.recover(), null)
    assert.equal(marks.set('VI_1', { epoch: 3, untilMs: 5000 }), true)
    marks.set('VI_2', { epoch: 1, untilMs: 6000 })
    marks.set('VI_1', { epoch: 3, untilMs: 5400 })
    assert.deepEqual(new MarkFile(path, 'boot-one').recover(), {
      VI_1: { epoch: 3, untilMs: 5400 },
      VI_2: { epoch: 1, untilMs: 6000 },
    })
  })

  it('keeps the recovered marks beside new ones', () => {
    new MarkFile(path, 'boot-one').set('VI_1', { epoch: 3, untilMs: 5000 })
    const next = new MarkFile(path, 'boot-one')
    next.recover()
    next.set('VI_2', { epoch: 1, untilMs: 6000 })
    assert.deepEqual(Object.keys(new MarkFile(path, 'boot-one').recover() ?? {}), ['VI_1', 'VI_2'])
  })

  it('trusts no marks of another boot', () => {
    new MarkFile(path, 'boot-one').set('VI_1', { epoch: 3, untilMs: 5000 })
    assert.equal(new MarkFile(path, 'boot-two').recover(), null)
  })

  it('trusts no file that is torn, empty or alien', () => {
    for (const text of [
      '',
      '{"bootId":"boot-one","marks":{"VI_1":{"epoch":3',
      '[]',
      '{"bootId":"boot-one"}',
    ]) {
      writeFileSync(path, text)
      assert.equal(new MarkFile(path, 'boot-one').recover(), null, text)
    }
  })

  it('leaves no older mark behind when a newer one cannot be written', () => {
    const marks = new MarkFile(path, 'boot-one')
    marks.set('VI_1', { epoch: 3, untilMs: 5000 })
    mkdirSync(`${path}.new`)
    assert.equal(marks.set('VI_1', { epoch: 3, untilMs: 5400 }), false)
    assert.throws(() => readFileSync(path), /ENOENT/)
  })

  it('trusts no marks that it could not replace later', () => {
    new MarkFile(path, 'boot-one').set('VI_1', { epoch: 3, untilMs: 5000 })
    mkdirSync(`${path}.new`)
    assert.equal(new MarkFile(path, 'boot-one').recover(), null)
  })

  it('ends the process when an older mark can be neither replaced nor removed', () => {
    const marks = new MarkFile(path, 'boot-one')
    mkdirSync(path)
    assert.throws(() => marks.set('VI_1', { epoch: 3, untilMs: 5000 }), MarkFileError)
  })

  it('goes on without marks where there is no folder for them', () => {
    const marks = new MarkFile(join(folder, 'none', 'web.marks'), 'boot-one')
    assert.equal(marks.recover(), null)
    assert.equal(marks.set('VI_1', { epoch: 3, untilMs: 5000 }), false)
  })
})
