/** Compares the keepalived of this machine with the simulator's model of it, so that a different version is noticed. */
import assert from 'node:assert/strict'
import { compareWithTrace } from '../sim/watch/trace-comparison.ts'
import { replay } from '../sim/run/trace-replay.ts'
import { recordTrace } from './keepalived-trace.ts'
import { assertPrerequisites } from './prerequisites.ts'
import { attemptsAtMost } from './runner.ts'
import { longestStallMs, watchStalls } from './stalls.ts'
import { traceScenario } from './trace-command.ts'

/**
 * A machine that runs tests may be busy. This is less than any of keepalived's times, of which the shortest is a skew
 * of 414 ms.
 */
const toleranceMs = 200

describe('keepalived on this machine', function () {
  this.timeout(3 * 60_000)

  before(() => assertPrerequisites())

  async function differences(): Promise<readonly string[]> {
    const traces = await Promise.all(
      ['bar-master', 'delete-vip'].map((name) => recordTrace(traceScenario(name))),
    )
    return traces.flatMap((trace) => {
      const compared = compareWithTrace(trace, replay(trace, { seed: 1 }), { toleranceMs })
      const events = compared.offsetsMs.length
      const tooFew = compared.differences.length === 0 && events <= 15 ? [`only ${events} events`] : []
      return [...compared.differences, ...tooFew].map(
        (text) => `keepalived ${trace.keepalived}, ${trace.name}: ${text}`,
      )
    })
  }

  it('does what the simulator assumes', async () => {
    const stalls = watchStalls()
    for (let attempt = 1; ; attempt += 1) {
      const fromMs = Date.now()
      const found = await differences()
      const stalledMs = longestStallMs(stalls, { fromMs, toMs: Date.now() })
      if (found.length === 0) return
      if (stalledMs <= toleranceMs / 2 || attempt === attemptsAtMost) assert.deepEqual(found, [])
      console.log(
        `      attempt ${attempt}: the machine stood still for ${stalledMs} ms; ${found.join('; ')}`,
      )
    }
  })
})
