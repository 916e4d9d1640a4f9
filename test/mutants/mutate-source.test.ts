import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleWithMutation, mutate, MutationError, type SourceMutation } from './mutate-source.ts'

const mutation: SourceMutation = { file: 'shared/assert-never.ts', from: 'never', to: 'ever' }

describe('a mistake in a source', () => {
  it('replaces the one place that it names', () => {
    assert.equal(
      mutate('if (a < b) return', { ...mutation, from: 'a < b', to: 'a <= b' }),
      'if (a <= b) return',
    )
  })

  it('takes the new text as it is', () => {
    assert.equal(mutate('x', { ...mutation, from: 'x', to: '$& $1' }), '$& $1')
  })

  it('no longer matches where its text is not there, or there twice', () => {
    assert.throws(
      () => mutate('x', mutation),
      /mutation no longer matches: .*assert-never.ts has 0 times, instead of once: never/,
    )
    assert.throws(() => mutate('never never', mutation), /assert-never.ts has 2 times/)
  })
})

describe('a program with a mistake', function () {
  this.timeout(600_000)
  const folder = mkdtempSync(join(tmpdir(), 'keepalived-witness-mutant-'))
  const outfile = join(folder, 'program.mjs')
  after(() => rmSync(folder, { recursive: true }))

  const help = (): string =>
    spawnSync(process.execPath, [outfile, '--help'], { encoding: 'utf8' }).stdout.split('\n')[0] ?? ''
  const entry = 'test/walk/main.ts'
  const asked: SourceMutation = { file: entry, from: 'usage: npm run walk', to: 'usage: a mutant' }

  it('runs as it is without one, and with it where there is one', async () => {
    await bundleWithMutation({ entry, mutation: null, outfile })
    assert.match(help(), /^usage: npm run walk/)
    await bundleWithMutation({ entry, mutation: asked, outfile })
    assert.match(help(), /^usage: a mutant/)
  })

  it('is not built where the mistake no longer matches, or its file is no part of the program', async () => {
    const gone = { ...asked, from: 'this stands nowhere' + ' in it' }
    await assert.rejects(bundleWithMutation({ entry, mutation: gone, outfile }), MutationError)
    const elsewhere = {
      file: 'server/options.ts',
      from: 'export function parseOptions',
      to: 'export function parse',
    }
    await assert.rejects(
      bundleWithMutation({ entry, mutation: elsewhere, outfile }),
      /without effect: test\/walk\/main.ts does not contain server\/options.ts/,
    )
  })
})
