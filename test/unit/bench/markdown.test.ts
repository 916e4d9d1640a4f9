import assert from 'node:assert/strict'
import { documentText, readTable, type Section, tableText } from '../../bench/markdown.ts'

function section(fields: Partial<Section> = {}): Section {
  return {
    id: 'check',
    title: 'The check',
    how: 'With a clock.',
    setting: 'Measured today.',
    table: { head: ['path', 'ms'], rows: [['common', '1']] },
    notes: [],
    keyCells: 0,
    ...fields,
  }
}

describe('the tables of the bench', () => {
  it('keep what would break a table', () => {
    const table = { head: ['a', 'b'], rows: [['x | y', 'one\ntwo'], ['c:\\d']] }
    assert.equal(tableText(table), '| a | b |\n| --- | --- |\n| x \\| y | one two |\n| c:\\\\d |  |')
    assert.deepEqual(readTable(tableText(table))?.rows, [
      ['x | y', 'one two'],
      ['c:\\d', ''],
    ])
  })
})

describe('the document of the bench', () => {
  it('is the same when the same is measured again', () => {
    const first = documentText(null, [section()])
    assert.equal(documentText(first, [section()]), first)
  })

  it('keeps the parts that were not measured now, in their order', () => {
    const check = documentText(null, [section()])
    const both = documentText(check, [section({ id: 'idle', title: 'Idle' })])
    assert.ok(both.indexOf('## Idle') < both.indexOf('## The check'))
    const later = documentText(both, [section({ setting: 'Measured later.' })])
    assert.ok(later.includes('Measured today.') && later.includes('Measured later.'))
  })

  it('keeps what people wrote, above the sections', () => {
    const written = '<!-- bench: by-hand -->\n\nIn short: | fast |\n\n<!-- end: by-hand -->'
    const before = documentText(null, [section()]).replace('<!-- bench: check -->', `${written}\n\n$&`)
    const after = documentText(before, [section({ setting: 'Measured later.' })])
    assert.equal(after, before.replace('Measured today.', 'Measured later.'))
  })

  const rows = (...cells: string[][]): Section =>
    section({ id: 'scenarios', keyCells: 2, table: { head: ['scenario', 'arbiter', 'ms'], rows: cells } })

  it('replaces the rows that were measured again, and keeps the others', () => {
    const before = documentText(null, [
      rows(['a', 'none', '1'], ['a', 'witness', '2'], ['b', 'witness', '3']),
    ])
    const after = documentText(before, [rows(['a', 'witness', '9'], ['c', 'witness', '4'])])
    assert.deepEqual(readTable(after)?.rows, [
      ['a', 'none', '1'],
      ['a', 'witness', '9'],
      ['b', 'witness', '3'],
      ['c', 'witness', '4'],
    ])
  })

  it('puts rows where they belong, whichever was measured first', () => {
    const rank = ([scenario = '']: readonly string[]): number => ['a', 'b'].indexOf(scenario)
    const before = documentText(null, [rows(['b', 'witness', '2'])])
    const after = documentText(before, [{ ...rows(['a', 'witness', '1']), rank }])
    assert.deepEqual(
      readTable(after)?.rows.map(([scenario]) => scenario),
      ['a', 'b'],
    )
  })

  it('keeps no rows of a table that had other columns', () => {
    const old = section({ id: 'scenarios', table: { head: ['scenario', 'ms'], rows: [['a', '1']] } })
    const after = documentText(documentText(null, [old]), [rows(['b', 'witness', '3'])])
    assert.deepEqual(readTable(after)?.rows, [['b', 'witness', '3']])
  })
})
