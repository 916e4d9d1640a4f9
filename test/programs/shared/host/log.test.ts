import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '../../../../shared/host/log.ts'

/** Lines are written on the side: waits until there are so many. */
async function linesOf(path: string, count: number): Promise<Record<string, unknown>[]> {
  for (;;) {
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
    if (lines.length >= count) return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    await new Promise(setImmediate)
  }
}

describe('log', () => {
  let folder = ''
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'log-'))))
  afterEach(() => rmSync(folder, { recursive: true }))

  it('writes one line of JSON for each decision, with a stable event name', async () => {
    const path = join(folder, 'log')
    const log = createLog('witnessd', 'info', openSync(path, 'w'))
    log.debug('not-seen', 'too fine')
    log.info('agent-connected', 'lb01 connected', { node: 'lb01' })
    log.fatal('uncaught', 'cannot go on')
    const lines = await linesOf(path, 2)
    assert.deepEqual(lines.map(({ event }) => event).sort(), ['agent-connected', 'uncaught'])
    const info = lines.find(({ event }) => event === 'agent-connected')!
    assert.equal(info.level, 'info')
    assert.equal(info.program, 'witnessd')
    assert.equal(info.text, 'lb01 connected')
    assert.equal(info.node, 'lb01')
    assert.match(String(info.time), /^\d{4}-\d\d-\d\dT/)
  })

  it('keeps secrets out', async () => {
    const path = join(folder, 'log')
    const log = createLog('witnessd', 'info', openSync(path, 'w'))
    log.info('request', 'a request', {
      secret: 'hush-hush',
      invite: { secret: 'hush-hush' },
      key: 'hush-hush',
    })
    assert.doesNotMatch(JSON.stringify(await linesOf(path, 1)), /hush/)
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
        `import { createLog } from './shared/host/log.ts'
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
