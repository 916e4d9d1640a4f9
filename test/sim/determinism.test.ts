import assert from 'node:assert/strict'
import { Crew } from './run/crew.ts'
import { runSchedule, scheduleOf } from './run/run.ts'
import { Tally } from './watch/tally.ts'

const seeds = [1, 2, 3, 4, 5, 6] as const
const hours = 0.25

describe('a seed of the simulator', function () {
  this.timeout(600_000)

  it('makes the very same run each time', () => {
    for (const seed of seeds) {
      const [one, other] = [1, 2].map(() => runSchedule(scheduleOf(seed, hours)))
      assert.deepEqual(one, other)
      assert.ok((one?.events ?? 0) > 1000)
    }
  })

  it('makes another run than another seed', () => {
    const hashes = seeds.map((seed) => runSchedule(scheduleOf(seed, hours)).traceHash)
    assert.equal(new Set(hashes).size, seeds.length)
  })

  it('makes the same run where each message goes through JSON and the production parser', () => {
    for (const seed of seeds) {
      const schedule = scheduleOf(seed, hours)
      assert.deepEqual(runSchedule(schedule, { onTheWire: true }), runSchedule(schedule), `seed ${seed}`)
    }
  })

  it('makes the same run in any worker, and the same hash over all with any number of them', async () => {
    const hashes: string[] = []
    for (const jobs of [1, 3]) {
      const crew = await Crew.gather(jobs)
      try {
        const tally = new Tally(1, (outcome) =>
          assert.deepEqual(outcome, runSchedule(scheduleOf(outcome.seed, hours))),
        )
        await Promise.all(
          seeds.map(async (seed) => tally.take(seed, await crew.run(scheduleOf(seed, hours)))),
        )
        assert.equal(tally.totals.runs, seeds.length)
        hashes.push(tally.hash)
      } finally {
        await crew.dismiss()
      }
    }
    assert.equal(hashes[0], hashes[1])
  })
})
