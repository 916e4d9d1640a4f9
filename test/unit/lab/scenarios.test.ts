import assert from 'node:assert/strict'
import { everydayScenarios, scenarios } from '../../lab/scenarios/index.ts'
import { nightlyOnly } from '../../lab/scenarios/nightly.ts'
import { faultBook } from '../../sim/faults/fault-book.ts'
import { faultKinds, placesOf } from '../../sim/faults/faults.ts'

describe('the scenarios of the lab', () => {
  for (const { name, faults } of scenarios)
    it(`${name} breaks what the catalogue knows, where it can break`, () => {
      for (const { kind, where } of faults) assert.ok(placesOf(kind).includes(where), `${kind} at ${where}`)
    })

  for (const kind of faultKinds)
    it(`are in the book of faults under ${kind}, where they show it alone`, () => {
      const alone = scenarios.filter(({ faults }) => faults.length === 1 && faults[0]?.kind === kind)
      const missing = alone.filter(({ name }) => !faultBook[kind].lab.includes(name))
      assert.deepEqual(
        missing.map(({ name }) => name),
        [],
      )
      const known = new Map(scenarios.map(({ name, faults }) => [name, faults]))
      const wrong = faultBook[kind].lab.filter((name) => {
        const faults = known.get(name)
        return faults === undefined || (faults.length > 0 && faults.every((fault) => fault.kind !== kind))
      })
      assert.deepEqual(wrong, [])
    })

  it('are left to the nightly run only where one of npm test stands for them', () => {
    const names = scenarios.map(({ name }) => name)
    const everyday = everydayScenarios.map(({ name }) => name)
    for (const [left, other] of nightlyOnly) {
      assert.ok(names.includes(left), left)
      assert.ok(everyday.includes(other), `${other}, which stands for ${left}`)
    }
  })

  it('are in npm test for every kind of fault that the lab has', () => {
    const kindsOf = (chosen: typeof scenarios): Set<string> =>
      new Set(chosen.flatMap(({ faults }) => faults.map(({ kind }) => kind)))
    assert.deepEqual(kindsOf(everydayScenarios), kindsOf(scenarios))
  })
})
