/** Real keepalived as it is on this machine, against the simulator's model of it: another version is noticed here. */
import assert from 'node:assert/strict'
import { compareWithTrace } from '../sim/watch/trace-comparison.ts'
import { replay } from '../sim/run/trace-replay.ts'
import { recordTrace } from './keepalived-trace.ts'
import { assertPrerequisites } from './prerequisites.ts'
import { traceScenario } from './trace-command.ts'

/** A machine that runs the tests may be busy: less than any of keepalived's times, the shortest a skew of 414 ms. */
const toleranceMs = 200

describe('keepalived on this machine', function () {
  this.timeout(60_000)

  before(() => assertPrerequisites())

  it('does what the simulator believes of it', async () => {
    const traces = await Promise.all(
      ['bar-master', 'delete-vip'].map((name) => recordTrace(traceScenario(name))),
    )
    for (const trace of traces) {
      const { differences, offsetsMs } = compareWithTrace(trace, replay(trace, { seed: 1 }), { toleranceMs })
      assert.deepEqual(differences, [], `keepalived ${trace.keepalived}, ${trace.name}`)
      assert.ok(offsetsMs.length > 15, `only ${offsetsMs.length} events of ${trace.name}`)
    }
  })
})
