import { strict as assert } from 'node:assert'
import type { Timed } from '../../invariants/facts.ts'
import type { FaultKind } from '../../sim/faults/faults.ts'
import { runSchedule, scheduleOf } from '../../sim/run/run.ts'
import type { PlannedFault } from '../../sim/faults/schedule.ts'

const seeds = 30

interface Seen {
  /** How often the agent of lb02 died. */
  readonly deaths: number
  /** How often keepalived of lb02 ended, and started again. */
  readonly stops: number
  readonly starts: number
  /** The first such start, after the first fault began. */
  readonly startedAfterMs: number
  readonly violations: readonly string[]
}

/** A calm pair of which lb02 stands by, then these faults. */
function play(seed: number, faults: readonly Omit<PlannedFault, 'afterMs'>[]): Seen {
  const { setup } = scheduleOf(seed, 1)
  const facts: Timed[] = []
  let begun = false
  const fact = (timed: Timed): void => {
    begun ||= timed.fact.type === 'fault'
    if (begun) facts.push(timed)
  }
  const { violations } = runSchedule(
    {
      seed,
      hours: 0.03,
      setup: {
        ...setup,
        priorities: [150, 100],
        nopreempt: true,
        fence: 'stop',
        gate: 'open',
        startsAtMs: [0, 3000, 0],
        install: null,
        delegateAfterMs: 0,
        app: null,
        downTimerAdverts: 3,
      },
      episodes: [{ atMs: 20_000, faults: faults.map((fault) => ({ ...fault, afterMs: 0 })) }],
    },
    { listeners: [{ fact }] },
  )
  const changes = (program: string, state: string): number[] =>
    facts
      .filter(
        ({ fact: one }) =>
          one.type === 'program' && one.host === 'lb02' && one.program === program && one.state === state,
      )
      .map(({ atMs }) => atMs - (facts[0]?.atMs ?? 0))
  const starts = changes('keepalived', 'running')
  return {
    deaths: changes('agent', 'ended').length,
    stops: changes('keepalived', 'ended').length,
    starts: starts.length,
    startedAfterMs: starts[0] ?? Infinity,
    violations: violations.map(({ text }) => text),
  }
}

describe('an agent that is killed while it stops keepalived', () => {
  const isBack = (kind: FaultKind, where: string): Seen[] =>
    Array.from({ length: seeds }, (_, index) => {
      const seen = play(index + 1, [
        { kind, where, lastsMs: 6000 },
        { kind: 'kill-agent-in-fence', where: 'lb02', lastsMs: 6000 },
      ])
      assert.deepEqual(seen.violations, [], `seed ${index + 1}`)
      assert.equal(seen.starts, seen.stops, `seed ${index + 1}: keepalived ends as often as it starts`)
      return seen
    })

  it('leaves a successor that starts it again: in a fence', function () {
    this.timeout(60_000)
    const runs = isBack('vrrp-block', 'everywhere')
    assert.ok(runs.every(({ deaths }) => deaths === 1))
    const stopped = runs.filter(({ stops }) => stops > 0).length
    assert.ok(stopped > seeds / 4 && stopped <= seeds, `${stopped} stops went on without the agent`)
  })

  it('leaves a successor that starts it again: in a drill', function () {
    this.timeout(60_000)
    const runs = isBack('drill', 'lb02')
    assert.ok(runs.every(({ deaths }) => deaths === 1))
    assert.ok(runs.filter(({ stops }) => stops > 0).length > seeds / 4)
  })

  it('starts nothing that the admin stopped', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { stops, starts, startedAfterMs, violations } = play(seed, [
        { kind: 'stop-keepalived', where: 'lb02', lastsMs: 30_000 },
        { kind: 'kill-agent', where: 'lb02', lastsMs: 1000 },
      ])
      assert.deepEqual([stops, starts, violations], [1, 1, []])
      assert.ok(startedAfterMs >= 30_000, 'the admin starts it')
    }
  })
})
