import assert from 'node:assert/strict'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { BarFiles, writeBar } from '../../../../agent/fence/bar-file.ts'
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

describe('BarFiles', () => {
  const folder = temporaryFolder()
  const barOf = (instance: string): string => readFileSync(folder(`${instance}.bar`), 'utf8')

  it('writes a bar again that somebody removed or overwrote, and says which', () => {
    const bars = new BarFiles(folder())
    for (const instance of ['VI_1', 'VI_2', 'VI_3']) bars.write(instance, true)
    assert.deepEqual(bars.mend(), [])
    rmSync(folder('VI_1.bar'))
    writeFileSync(folder('VI_2.bar'), '0\n')
    assert.deepEqual(bars.mend(), ['VI_1', 'VI_2'])
    assert.deepEqual(['VI_1', 'VI_2', 'VI_3'].map(barOf), ['1\n', '1\n', '1\n'])
  })

  it('leaves a bar that is off to whoever puts it on by hand', () => {
    const bars = new BarFiles(folder())
    bars.write('VI_1', true)
    bars.write('VI_1', false)
    writeFileSync(folder('VI_1.bar'), '1\n')
    assert.deepEqual(bars.mend(), [])
    assert.equal(barOf('VI_1'), '1\n')
  })
})
