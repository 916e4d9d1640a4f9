import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseProductLines, readProductLines } from '../../lab/product-lines.ts'

const start =
  '{"level":"info","time":"2026-11-21T10:18:23.305Z","program":"witness-agent","pid":133,"event":"start","text":"hello"}'

describe('product lines', () => {
  it('have their stamp, their event and their words', () => {
    assert.deepEqual(parseProductLines(`${start}\n`), [
      { atMs: Date.UTC(2026, 10, 21, 10, 18, 23, 305), event: 'start', text: 'hello' },
    ])
  })

  it('leave out what a killed program did not finish, and what is no line of the log', () => {
    const text = `node:internal/modules: warning\n${start}\n{"level":"info","time":"2026-11-21T10:1`
    assert.equal(parseProductLines(text).length, 1)
  })

  it('are those of one cluster, and those of none', () => {
    const folder = mkdtempSync(join(tmpdir(), 'product-lines-'))
    const path = join(folder, 'witnessd.log')
    const of = (cluster: string): string => start.replace('"pid"', `"cluster":"${cluster}","pid"`)
    writeFileSync(path, [start, of('web'), of('mail'), ''].join('\n'))
    assert.equal(readProductLines(path, { cluster: 'web', isInstance: (name) => name === 'VI_1' }).length, 2)
    rmSync(folder, { recursive: true })
  })

  it('are those of one instance, and those of none', () => {
    const folder = mkdtempSync(join(tmpdir(), 'product-lines-'))
    const path = join(folder, 'witnessd.log')
    const of = (instance: string): string =>
      start.replace('"pid"', `"cluster":"web","instance":${instance},"pid"`)
    writeFileSync(path, [start, of('"VI_1"'), of('"VI_17"'), of('null'), ''].join('\n'))
    assert.equal(readProductLines(path, { cluster: 'web', isInstance: (name) => name === 'VI_1' }).length, 3)
    rmSync(folder, { recursive: true })
  })

  it('are none where the program never started', () => {
    assert.deepEqual(
      readProductLines('/nowhere/witness-agent.log', {
        cluster: 'web',
        isInstance: (name) => name === 'VI_1',
      }),
      [],
    )
  })
})
