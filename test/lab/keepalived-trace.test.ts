/** Compares the keepalived of this machine with the simulator's model of it, so that a different version is noticed. */
import assert from 'node:assert/strict'
import { compareWithTrace } from '../sim/watch/trace-comparison.ts'
import { replay } from '../sim/run/trace-replay.ts'
import { recordTrace } from './keepalived-trace.ts'
import { assertPrerequisites } from './prerequisites.ts'
import { traceScenario } from './trace-command.ts'

/**
 * A machine that runs tests may be busy. This is less than any of keepalived's times, of which the shortest is a skew
 * of 414 ms.
 */
const toleranceMs = 200

describe('keepalived on this machine', function () {
  this.timeout(60_000)

  before(() => assertPrerequisites())

  it('does what the simulator assumes', async () => {
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
