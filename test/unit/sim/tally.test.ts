import assert from 'node:assert/strict'
import type { RunOutcome } from '../../sim/run/run.ts'
import { Tally } from '../../sim/watch/tally.ts'

function outcome(seed: number, over: Partial<RunOutcome> = {}): RunOutcome {
  return {
    seed,
    violations: [],
    calendarMs: 3_600_000,
    simulatedMs: 360_000,
    events: 10,
    faults: 2,
    longestOverlapMs: seed,
    traceHash: `hash-${seed}`,
    ...over,
  }
}

describe('the tally of many runs', () => {
  it('comes to the same in whatever order they end', () => {
    const tallies = [
      [3, 4, 5, 6],
      [6, 4, 3, 5],
    ].map((seeds) => {
      const seen: number[] = []
      const tally = new Tally(3, ({ seed }) => seen.push(seed))
      for (const seed of seeds) tally.take(seed, outcome(seed))
      assert.deepEqual(seen, [3, 4, 5, 6])
      return { hash: tally.hash, totals: tally.totals }
    })
    assert.deepEqual(tallies[0], tallies[1])
    assert.deepEqual(tallies[0]?.totals, {
      ...{ runs: 4, broken: 0, clusterHours: 4, hoursRun: 0.4, faults: 8, events: 40, longestOverlapMs: 6 },
    })
  })

  it('has another hash where one run was seen differently', () => {
    const hashes = ['hash-1', 'hash-2'].map((traceHash) => {
      const tally = new Tally(1, () => undefined)
      tally.take(1, outcome(1, { traceHash }))
      return tally.hash
    })
    assert.notEqual(hashes[0], hashes[1])
  })

  it('counts a run that breaks two things once', () => {
    const violations = ['S1', 'L3'].map((invariant) => ({ invariant, atMs: 1, text: 'x' }))
    const tally = new Tally(1, () => undefined)
    tally.take(1, outcome(1, { violations }))
    assert.equal(tally.totals.broken, 1)
  })
})
