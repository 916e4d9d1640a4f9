import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { scenarios as hostsScenarios } from '../../hosts/scenarios.ts'
import { scenarios as labScenarios } from '../../lab/scenarios/index.ts'
import { figuresTable } from '../../sim/faults/fault-figures.ts'
import { faultKinds, placesOf } from '../../sim/faults/faults.ts'

const text = readFileSync(join(import.meta.dirname, '../../../docs/FAULTS.md'), 'utf8')
const inCode = new Set([...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code))

/** Which fault, where, what is expected, where it is tested: all but the figures. */
function wordsOf(table: string): readonly (readonly string[])[] {
  return table
    .split('\n')
    .filter((line) => line.startsWith('| **'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map(([, fault = '', where = '', expected = '', , , , tested = '']) => [fault, where, expected, tested])
}

describe('FAULTS.md', () => {
  it('has a row for each fault at each place, as the catalogue says it', () => {
    const none = { runs: 1, overlapMs: [0], outageMs: [0], mostChanges: 0, mostFences: 0, violations: [] }
    const places = faultKinds.flatMap((kind) => placesOf(kind).map((where) => ({ ...none, kind, where })))
    assert.deepEqual(wordsOf(text), wordsOf(figuresTable(places)))
  })

  for (const [lab, scenarios] of [
    ['lab', labScenarios],
    ['hosts', hostsScenarios],
  ] as const)
    it(`names each scenario of npm run ${lab}`, () => {
      const names = scenarios.map(({ name }) => name)
      assert.ok(names.length > 5)
      assert.deepEqual(
        names.filter((name) => !inCode.has(name)),
        [],
      )
    })
})
