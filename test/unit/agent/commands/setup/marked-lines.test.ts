import assert from 'node:assert/strict'
import { insert, separate } from '../../../../../agent/commands/setup/marked-lines.ts'
import { SetupError } from '../../../../../agent/commands/setup/error.ts'

const base = 'a\n\n  b\nc'
const insertion = { row: 2, indent: '  ', lines: ['  script_user root', '  enable_script_security'] }
const text = (rows: readonly { text: string }[]): string => rows.map((row) => row.text).join('')

describe('the marked lines', () => {
  const marked = text(insert(base, [insertion]))

  it('stand between two comments, before the row that was asked for', () => {
    assert.match(
      marked,
      /^a\n\n {2}# keepalived-witness begin [0-9a-f]{8} \(.*--undo\)\n {2}script_user root\n {2}enable_script_security\n {2}# keepalived-witness end\n {2}b\nc$/,
    )
  })

  it('come out again, and leave the rest byte for byte', () => {
    const separated = separate('f', marked)
    assert.equal(separated.base, base)
    assert.deepEqual(separated.edited, [])
    assert.deepEqual(
      separated.rows.map(({ isOurs }) => isOurs),
      [false, false, true, true, true, true, false, false],
    )
  })

  it('take the line ends of the row they come before, also where the last row has none', () => {
    assert.doesNotMatch(text(insert('a\r\nb\r\n', [{ ...insertion, row: 1 }])), /[^\r]\n/)
    assert.doesNotMatch(text(insert('a\r\nb', [{ ...insertion, row: 1 }])), /[^\r]\n/)
    assert.doesNotMatch(text(insert('a', [{ ...insertion, row: 0 }])), /\r/)
  })

  it('are still themselves where an editor changed indentation or line ends', () => {
    const edited = marked.replace('  script_user', '\tscript_user').replaceAll('\n', '\r\n')
    assert.deepEqual(separate('f', edited).edited, [])
  })

  it('are told where a value among them was changed', () => {
    const [edited = ''] = separate('f', marked.replace('  enable_script_security\n', '')).edited
    assert.match(edited, /^f:3: the lines between the keepalived-witness comments were changed/)
  })

  it('are not touched where a line that setup never writes is among them', () => {
    assert.throws(
      () => separate('f', marked.replace('  enable_script_security\n', '  priority 10\n')),
      (cause) => cause instanceof SetupError && cause.message.startsWith('f:5: this line is between'),
    )
  })

  for (const [what, broken, line] of [
    ['without its end', marked.replace(/.*witness end\n/, ''), 3],
    ['without its begin', marked.replace(/.*witness begin.*\n/, ''), 5],
    ['inside another', marked.replace('  enable_script_security', '  # keepalived-witness begin'), 3],
  ] as const) {
    it(`are not touched where a comment is ${what}`, () => {
      assert.throws(() => separate('f', broken), new RegExp(`f:${line}: a "# keepalived-witness begin"`))
    })
  }
})
