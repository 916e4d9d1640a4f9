import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '../../../shared/log.ts'

describe('log', () => {
  let folder = ''
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'log-'))))
  afterEach(() => rmSync(folder, { recursive: true }))

  it('writes one line of JSON for each decision, with a stable event name', () => {
    const path = join(folder, 'log')
    const log = createLog('witnessd', 'info', openSync(path, 'w'))
    log.debug('not-seen', 'too fine')
    log.info('agent-connected', 'lb01 connected', { node: 'lb01' })
    log.fatal('uncaught', 'cannot go on')
    const lines = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.equal(lines.length, 2)
    assert.equal(lines[0]!.level, 'info')
    assert.equal(lines[0]!.program, 'witnessd')
    assert.equal(lines[0]!.event, 'agent-connected')
    assert.equal(lines[0]!.text, 'lb01 connected')
    assert.equal(lines[0]!.node, 'lb01')
    assert.match(String(lines[0]!.time), /^\d{4}-\d\d-\d\dT/)
    assert.equal(lines[1]!.event, 'uncaught')
  })

  it('keeps secrets out', () => {
    const path = join(folder, 'log')
    const log = createLog('witnessd', 'info', openSync(path, 'w'))
    log.info('request', 'a request', { token: 'hush-hush', headers: { authorization: 'Bearer hush-hush' } })
    log.flush()
    assert.doesNotMatch(readFileSync(path, 'utf8'), /hush/)
  })

  it('survives a reader that has gone', async () => {
    const { spawn } = await import('node:child_process')
    const child = spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        '--input-type=module',
        '-e',
        `import { createLog } from './shared/log.ts'
         const log = createLog('x', 'info')
         process.stdout.destroy()
         for (let i = 0; i < 100; i += 1) log.info('line', 'x'.repeat(1000))
         setTimeout(() => { log.flush(); process.exit(7) }, 50)`,
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    )
    child.stdout.destroy()
    const [code] = (await once(child, 'exit')) as [number | null]
    assert.equal(code, 7)
  })
})
