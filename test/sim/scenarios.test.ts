import assert from 'node:assert/strict'
import { variantsOf } from './run/replay.ts'
import { runSchedule } from './run/run.ts'
import { readScenario, scenarioNames } from './run/scenarios.ts'
import { violationText } from './watch/summary.ts'

describe('what once broke an invariant', function () {
  this.timeout(600_000)

  it('is kept', () => assert.ok(scenarioNames().length > 0))

  for (const name of scenarioNames())
    it(`no longer does: ${name}`, () => {
      for (const schedule of variantsOf(readScenario(name))) {
        const violations = runSchedule(schedule).violations.map(violationText)
        assert.deepEqual(violations, [], `npm run sim -- --scenario ${name} (seed ${schedule.seed})`)
      }
    })
})
