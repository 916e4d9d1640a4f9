import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { FenceMemoryFile } from '../../../../agent/runtime/fence-memory-file.ts'
import { RunFolderError } from '../../../../shared/disk/run-folder.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

describe('FenceMemoryFile', () => {
  const folder = temporaryFolder()
  const open = (bootId = 'boot-1'): FenceMemoryFile => new FenceMemoryFile(folder(), bootId)
  const stopped = { stopped: true, number: 2, recentAtMs: [10, 20] }
  const drilling = { stopped: true, drilling: true, number: 2, recentAtMs: [] } as const

  it('has each instance’s newest memory for the next process when `set` returns', () => {
    const file = open()
    file.set('VI_1', drilling)
    file.set('VI_2', stopped)
    assert.deepEqual(open().recover(), { VI_1: drilling, VI_2: stopped })
    file.set('VI_1', stopped)
    assert.deepEqual(open().recover(), { VI_1: stopped, VI_2: stopped })
    assert.deepEqual(readdirSync(folder()), ['agent.fences'])
  })

  it('goes on from what the process before left', () => {
    open().set('VI_1', stopped)
    const next = open()
    next.recover()
    next.set('VI_2', drilling)
    assert.deepEqual(open().recover(), { VI_1: stopped, VI_2: drilling })
  })

  it('knows nothing of another boot, nor where the file is missing or not its own', () => {
    assert.deepEqual(open().recover(), {})
    open().set('VI_1', stopped)
    assert.deepEqual(open('boot-2').recover(), {})
    const whole = readFileSync(folder('agent.fences'), 'utf8')
    for (const text of ['', whole.slice(0, -5), '{"bootId":"boot-1","memories":{"VI_1":{"stopped":1}}}']) {
      writeFileSync(folder('agent.fences'), text)
      assert.deepEqual(open().recover(), {}, text)
    }
  })

  it('leaves no older word in its place where it cannot be written', () => {
    const file = open()
    file.set('VI_1', stopped)
    // A folder in the way of the temporary file: as a full tmpfs, the old file stays as it was.
    mkdirSync(folder(`.agent.fences.${process.pid}`))
    assert.throws(() => file.set('VI_1', { ...stopped, stopped: false }), RunFolderError)
    assert.equal(existsSync(folder('agent.fences')), false)
    assert.deepEqual(open().recover(), {})
    rmSync(folder(`.agent.fences.${process.pid}`), { recursive: true })
    file.set('VI_2', stopped)
    assert.deepEqual(open().recover(), { VI_1: { ...stopped, stopped: false }, VI_2: stopped })
  })

  it('says what to do where the run folder is gone', () => {
    rmSync(folder(), { recursive: true })
    assert.throws(
      () => open().set('VI_1', stopped),
      /runDir .* is missing; create it before keepalived starts/,
    )
  })
})
