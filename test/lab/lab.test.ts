/**
 * Runs every scenario of `npm test` once on real keepalived, several in parallel; bounds on time are checked by the bench.
 * Needs root.
 */
import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { type Arbiter } from './arbiter.ts'
import { sweepAbandonedFolders } from './lab-folder.ts'
import { buildProduct } from './lab-programs.ts'
import { type MeasuredRun } from './measured-run.ts'
import { Pool } from './pool.ts'
import { assertPrerequisites } from './prerequisites.ts'
import { type Judged, runOnce } from './runner.ts'
import { runStory } from './run-story.ts'
import { everydayScenarios } from './scenarios/index.ts'
import { type Scenario } from './scenario.ts'

/** Scenarios that measure how late things are run by themselves (hostile-network.test.ts). */
const scenarios = everydayScenarios.filter(({ siege }) => siege === undefined)

/**
 * Runs mostly wait for timers, and what must be in time gets a processor before the rest (`ClusterSetup.processors`), so
 * three per core do not disturb each other.
 */
const width = Math.min(9, Math.max(3, 3 * availableParallelism()))

/** What keepalived alone must suffer, as proof that the lab really causes the faults that it claims to cause. */
const alone: Readonly<Record<string, (run: MeasuredRun) => void>> = {
  'vrrp-block': ({ fault }) => {
    assert.deepEqual(fault.ownersAtEnd, ['lb01', 'lb02'])
    assert.ok(fault.overlapMs > 3000, `only ${fault.overlapMs} ms with two owners`)
    assert.ok(fault.wrongAnswers > 0, 'the client noticed nothing')
  },
  'isolate-holder': ({ fault }) => {
    assert.deepEqual(fault.ownersAtEnd, ['lb01', 'lb02'])
    assert.ok(fault.longestDarkMs > 2000, `the client was unanswered for only ${fault.longestDarkMs} ms`)
  },
  'kill-keepalived': ({ fault }) => assert.deepEqual(fault.ownersAtEnd, ['lb01', 'lb02']),
  'kill-host': ({ fault }) => {
    assert.deepEqual(fault.ownersAtEnd, ['lb02'])
    assert.ok(fault.outageMs > 2000 && fault.outageMs < 4500, `nobody had it for ${fault.outageMs} ms`)
  },
}

describe('lab', function () {
  this.timeout(15 * 60_000)
  const started = new Map<string, Promise<Judged>>()
  const key = (scenario: Scenario, arbiter: Arbiter): string => `${arbiter} ${scenario.name}`

  before(async () => {
    assertPrerequisites()
    sweepAbandonedFolders()
    const product = await buildProduct()
    const pool = new Pool(width)
    const start = (scenario: Scenario, arbiter: Arbiter, turn: Promise<unknown>): void => {
      const judged = turn.then(() =>
        pool.run(() => runOnce(scenario, { arbiter, pace: 'quick', product, number: 1, tell: console.log })),
      )
      judged.catch(() => undefined) // Reported by the test that awaits it.
      started.set(key(scenario, arbiter), judged)
    }
    const atOnce = Promise.resolve()
    const longestFirst = [...scenarios].sort((one, other) => other.faultMs - one.faultMs)
    for (const scenario of longestFirst)
      if (scenario.needsMachine !== true) start(scenario, 'witness', atOnce)
    for (const scenario of scenarios) if (alone[scenario.name] !== undefined) start(scenario, 'none', atOnce)
    for (const scenario of scenarios)
      if (scenario.needsMachine === true)
        start(scenario, 'witness', Promise.allSettled([...started.values()]))
  })

  async function judgedRun(scenario: Scenario, arbiter: Arbiter): Promise<Judged> {
    const judged = await started.get(key(scenario, arbiter))
    if (judged === undefined) throw new Error(`${scenario.name} was not started`)
    return judged
  }

  describe('with the witness', () => {
    for (const scenario of scenarios)
      it(`${scenario.name}: ${scenario.musts.map(({ says }) => says).join('; ')}`, async () => {
        const { run, broken } = await judgedRun(scenario, 'witness')
        const complaints = broken.map(({ must, seen, logs }) => `${must}: ${seen} (logs in ${logs ?? '-'})`)
        assert.deepEqual(complaints, [], `${complaints.join('\n')}\n${runStory(run)}`)
      })
  })

  describe('with keepalived alone', () => {
    for (const scenario of scenarios) {
      const proof = alone[scenario.name]
      if (proof === undefined) continue
      it(`${scenario.name} does its harm`, async () => {
        const { run } = await judgedRun(scenario, 'none')
        proof(run)
      })
    }
  })
})
