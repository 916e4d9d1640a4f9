import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type NightlyRow, withRow } from '../../nightly-page.ts'
import { everydayParts, isPreparation, nightlyParts } from '../../parts.ts'

const page = readFileSync(join(import.meta.dirname, '../../../docs/nightly.md'), 'utf8')
const row: NightlyRow = {
  part: 'walk',
  when: '2026-11-28, 2 cores',
  commit: 'abc1234',
  took: '8.0 min',
  result: '366045 states',
}

const { preparation, timely, patient } = everydayParts('/nowhere')
const everyday = [...preparation, ...timely.flat(2), ...patient]

function rowsOf(text: string): readonly string[] {
  const [, table = ''] = text.split('<!-- results -->')
  return table
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    .map((line) => line.replaceAll(/ {2,}/g, ' '))
}

describe('the page of nightly results', () => {
  it('gets a row for a part that had none, and keeps the others', () => {
    const [heading, ...before] = rowsOf(page)
    const [sameHeading, ...after] = rowsOf(withRow(page, { ...row, part: 'never-run' }))
    assert.equal(sameHeading, heading)
    assert.deepEqual(after.slice(0, -1), before)
    assert.match(
      after.at(-1) ?? '',
      /^\| never-run \| 2026-11-28, 2 cores \| abc1234 \| 8\.0 min \| 366045 states \|$/,
    )
  })

  it('gets the newer row in place of the older one', () => {
    const once = withRow(page, row)
    const twice = withRow(once, { ...row, commit: 'def5678', result: 'a | b' })
    assert.equal(rowsOf(twice).length, rowsOf(once).length)
    assert.equal(rowsOf(twice).filter((line) => line.includes('| walk |')).length, 1)
    assert.ok(twice.includes('def5678') && !twice.includes('abc1234') && twice.includes('a \\| b'))
  })

  it('says what to do if its marks are gone', () => {
    assert.throws(() => withRow('# The nightly run\n', row), /put both lines back/)
  })

  it('describes every part of the nightly run', () => {
    const [description = ''] = page.split('<!-- results -->')
    const described = description
      .split('\n')
      .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
      .flatMap(
        (line) =>
          line
            .split('|')[1]
            ?.split(',')
            .map((name) => name.trim()) ?? [],
      )
    const own = nightlyParts('/nowhere')
      .filter((part) => !isPreparation(part))
      .map(({ name }) => name)
    assert.deepEqual(described.slice(1).sort(), [...own].sort())
  })
})

describe('a test run', () => {
  for (const [kind, parts] of [
    ['npm test', everyday],
    ['npm run test:nightly', nightlyParts('/nowhere')],
  ] as const)
    it(`has parts with names of their own: ${kind}`, () => {
      const names = parts.map(({ name }) => name)
      assert.equal(new Set(names).size, names.length)
      assert.ok(names.indexOf('build') < names.indexOf('unit'))
    })

  it('runs the walls, types, lint and format, every suite, and six thousand cluster-hours', () => {
    const names = everyday.map(({ name }) => name)
    for (const name of [
      'check',
      'unit',
      'programs',
      'proof',
      'lab',
      'lab-others',
      'siege',
      'hosts',
      'simulation',
    ])
      assert.ok(names.includes(name), name)
  })
})
