/**
 * A guard knows durations, no dates: the same life begun at another instant gives the same effects, moved by as much.
 * This is what allows the simulator (test/sim) to leap over a quiet stretch: where every instant that a core still
 * counts with has moved by the length of the leap, it goes on exactly as if it had been asked all the time.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createGuard, decide, reportOf } from '../../../../../agent/core/guard/guard.ts'
import { nextDeadlineMs } from '../../../../../agent/core/guard/deadline.ts'
import type { Guard, GuardEvent, GuardOptions } from '../../../../../agent/core/guard/guard.ts'
import { moved } from '../../../../fixtures/time-shift.ts'
import { startMs } from './guard-fixture.ts'
import { beginnings, moves, setup, Watched } from './guard-story.ts'
import { storiesFrom } from '../../../../fixtures/effort.ts'

/** Instants of the boot clock come in steps of 10 ms: from a host that has just booted to one that runs for years. */
const otherStartMs = fc
  .oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 10_000_000_000 }))
  .map((steps) => 10 * steps)

const recentAtMs = fc.array(
  fc.integer({ min: 1, max: 400_000 }).map((steps) => startMs - 10 * steps),
  { maxLength: 4 },
)

describe('a guard at another time', function () {
  this.timeout(60_000)
  it('does the same, each instant moved by as much', () => {
    fc.assert(
      fc.property(
        fc.record({ setup, recentAtMs, beginning: beginnings, story: moves, otherStartMs }),
        ({ setup, recentAtMs, beginning, story, otherStartMs }) => {
          const watched = new Watched({ ...setup, memory: { ...setup.memory, recentAtMs } })
          for (const [afterMs, move] of [...beginning, ...story]) watched.play(afterMs, move)
          assertSameLife(watched.driver.origin, watched.driver.history, otherStartMs - startMs)
        },
      ),
      { numRuns: storiesFrom(500) },
    )
  })
})

function assertSameLife(origin: GuardOptions, history: readonly GuardEvent[], byMs: number): void {
  let here = createGuard(origin)
  let there = createGuard(moved(origin, byMs) as GuardOptions)
  assert.deepEqual(there, moved(here, byMs))
  for (const event of history) {
    const hence = decide(here, event)
    const thence = decide(there, moved(event, byMs) as GuardEvent)
    assert.deepEqual(thence.effects, moved(hence.effects, byMs))
    here = hence.guard
    there = thence.guard
    assert.deepEqual(outlook(there, event.atMs + byMs), moved(outlook(here, event.atMs), byMs))
  }
}

/** What others see of a guard. */
function outlook(guard: Guard, atMs: number): unknown {
  return { deadlineMs: nextDeadlineMs(guard), report: reportOf(guard, atMs) }
}
