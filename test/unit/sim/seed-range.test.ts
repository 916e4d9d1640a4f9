import assert from 'node:assert/strict'
import type { SeedRange } from '../../sim/run/request.ts'
import type { RunOutcome } from '../../sim/run/run.ts'
import { runSeeds, type Runner } from '../../sim/run/seed-range.ts'

const calm = { calendarMs: 3_600_000, simulatedMs: 1, events: 1, faults: 1, longestOverlapMs: 0 }

/** Nothing is simulated: the seed 3 breaks something, later seeds are done sooner. */
function runner(seen: number[] = []): Runner {
  return {
    run: async ({ seed }): Promise<RunOutcome> => {
      seen.push(seed)
      for (let turn = 10 - seed; turn > 0; turn--) await Promise.resolve()
      const violations = seed === 3 ? [{ invariant: 'S1', atMs: 1500, text: 'two leases' }] : []
      return { ...calm, seed, violations, traceHash: String(seed) }
    },
  }
}

const range: SeedRange = { from: 1, seeds: 5, minutes: null, hours: 2, whole: false }

async function run(over: Partial<SeedRange>, { jobs = 2, json = false } = {}) {
  const printed: string[] = []
  const told: string[] = []
  const isWell = await runSeeds(
    { ...range, ...over },
    { crew: runner(), jobs, json, print: (text) => printed.push(text), tell: (text) => told.push(text) },
  )
  return { isWell, printed: printed.join('\n'), told: told.join('\n') }
}

describe('a range of seeds', () => {
  it('prints what is broken with the seed, the invariant and the command that replays it', async () => {
    const { isWell, printed } = await run({})
    assert.equal(isWell, false)
    assert.match(
      printed,
      /^seed 3\n {2}S1 broken at 1\.5 s: two leases\n {2}npm run sim -- --seed 3 --hours 2 --trace$/m,
    )
    assert.match(printed, /1 of 5 runs broke an invariant/)
  })

  it('is well where nothing is broken, and has the same hash for any number of jobs', async () => {
    const [one, three] = await Promise.all([run({ from: 4 }, { jobs: 1 }), run({ from: 4 }, { jobs: 3 })])
    const hashOf = (text: string): string | undefined => /^hash (\w+)$/m.exec(text)?.[1]
    assert.equal(one.isWell, true)
    assert.ok(hashOf(one.printed) !== undefined)
    assert.equal(hashOf(one.printed), hashOf(three.printed))
  })

  it('is a failure where it had to be run whole and the time was up before', async () => {
    const late = await run({ from: 4, minutes: 1e-9, whole: true })
    assert.equal(late.isWell, false)
    assert.match(late.told, /only 0 of 5 seeds/)
    assert.doesNotMatch(late.printed, /^hash/m)
    const cut = await run({ from: 4, minutes: 1e-9 })
    assert.equal(cut.isWell, true)
  })

  it('is one object with --json', async () => {
    const { printed } = await run({}, { json: true })
    const { broken, clusterHours, violations, complete } = JSON.parse(printed) as Record<string, unknown>
    assert.deepEqual({ broken, clusterHours, complete }, { broken: 1, clusterHours: 5, complete: true })
    assert.deepEqual(violations, [
      {
        seed: 3,
        violations: [{ invariant: 'S1', atMs: 1500, text: 'two leases' }],
        command: 'npm run sim -- --seed 3 --hours 2 --trace',
      },
    ])
  })
})
