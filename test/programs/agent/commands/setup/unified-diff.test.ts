import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import fc from 'fast-check'
import type { Row } from '../../../../../agent/commands/setup/marked-lines.ts'
import { unifiedDiff } from '../../../../../agent/commands/setup/unified-diff.ts'
import { temporaryFolder } from '../../../../fixtures/temporary-folder.ts'
import { storiesFrom } from '../../../../fixtures/effort.ts'

const text = (rows: readonly Row[]): string => rows.map((row) => row.text).join('')

describe('the diff', () => {
  const folder = temporaryFolder()

  it('is empty where nothing changes', () => {
    const rows = [{ text: 'a\n', isOurs: true }]
    assert.equal(unifiedDiff('f', rows, rows), '')
  })

  it('is what diff(1) shows', () => {
    const foreign = Array.from({ length: 20 }, (_, row) => ({ text: `${row}\n`, isOurs: false }))
    const ours = { text: 'ours\n', isOurs: true }
    const after = [
      ...foreign.slice(0, 3),
      ours,
      ...foreign.slice(3, 6),
      ours,
      ...foreign.slice(6, 19),
      ours,
      foreign[19]!,
    ]
    writeFileSync(folder('before'), text(foreign))
    writeFileSync(folder('after'), text(after))
    let wanted = ''
    try {
      execFileSync('diff', ['-u', '--label', 'f', '--label', 'f', folder('before'), folder('after')])
    } catch (cause) {
      wanted = String((cause as { stdout: Buffer }).stdout)
    }
    assert.equal(unifiedDiff('f', foreign, after), wanted)
  })

  it('makes the one file from the other, whatever comes and goes', () => {
    const row = fc.record({ text: fc.constantFrom('a\n', 'b\n', 'c\n', '}\n', '\n'), isOurs: fc.boolean() })
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1, maxLength: 30 }),
        fc.array(row, { maxLength: 10 }),
        (before, more) => {
          const foreign = before.filter(({ isOurs }) => !isOurs)
          const ours = more.map(({ text: line }) => ({ text: line, isOurs: true }))
          const after = [...foreign.slice(0, 3), ...ours, ...foreign.slice(3)]
          fc.pre(text(before) !== text(after) && text(before) !== '')
          const diff = unifiedDiff('f', before, after)
          if (diff === '') return
          writeFileSync(folder('f'), text(before))
          execFileSync('patch', ['--quiet', folder('f')], { input: diff })
          assert.equal(execFileSync('cat', [folder('f')], { encoding: 'utf8' }), text(after))
        },
      ),
      { numRuns: storiesFrom(20) },
    )
  }).timeout(30_000)
})
