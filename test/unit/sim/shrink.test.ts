import assert from 'node:assert/strict'
import { scheduleOf } from '../../sim/run/run.ts'
import { scheduleSchema, type PlannedFault, type Schedule } from '../../sim/faults/schedule.ts'
import { shrink, type Shrunk } from '../../sim/run/shrink.ts'

function faultsOf({ episodes }: Schedule): readonly PlannedFault[] {
  return episodes.flatMap(({ faults }) => faults)
}

function shrinkBy(
  schedule: Schedule,
  breaks: (candidate: Schedule) => boolean,
  tries = 1,
): Promise<Shrunk & { asked: number }> {
  let asked = 0
  const counted = (candidate: Schedule): Promise<boolean> => {
    asked += 1
    scheduleSchema.parse(candidate)
    return Promise.resolve(breaks(candidate))
  }
  return shrink(schedule, { breaks: counted, tries }).then((shrunk) => ({ ...shrunk, asked }))
}

/** A whole day: many episodes, all kinds. */
const whole = scheduleOf(4, 24)
const [first] = faultsOf(whole)
assert.ok(first !== undefined)

describe('shrinking a schedule', () => {
  it('leaves the one fault that matters, with plain times in a plain cluster', async () => {
    const { schedule } = await shrinkBy(whole, (candidate) =>
      faultsOf(candidate).some(({ kind, lastsMs }) => kind === 'crash-host' && lastsMs > 2345),
    )
    const [fault, ...others] = faultsOf(schedule)
    assert.deepEqual(others, [])
    assert.equal(fault?.kind, 'crash-host')
    assert.equal(fault.afterMs, 0)
    assert.equal(fault.lastsMs, 10_000)
    assert.deepEqual(schedule.setup, {
      priorities: [150, 100],
      nopreempt: false,
      fence: 'stop',
      gate: 'open',
      ratesPpm: [0, 0, 0],
      startsAtMs: [0, 0, 0],
      install: null,
      delegateAfterMs: 300_000,
      app: null,
      downTimerAdverts: 3,
      naming: 'same',
    })
    assert.equal(schedule.hours, 0.01)
    assert.equal(schedule.seed, whole.seed)
  })

  it('keeps two episodes that matter only together, in their order', async () => {
    const { schedule } = await shrinkBy(whole, (candidate) => {
      const kinds = candidate.episodes.map(({ faults }) => faults.map(({ kind }) => kind))
      const coldAt = kinds.findIndex((some) => some.includes('disk-full'))
      return coldAt >= 0 && kinds.slice(coldAt + 1).some((some) => some.includes('jitter'))
    })
    assert.deepEqual(
      faultsOf(schedule).map(({ kind }) => kind),
      ['disk-full', 'jitter'],
    )
    const [one, other] = schedule.episodes
    assert.ok(one !== undefined && other !== undefined && one.atMs <= other.atMs)
  })

  it('keeps of the setup what matters', async () => {
    const skewed: Schedule = {
      ...whole,
      setup: { ...whole.setup, ratesPpm: [120, -4900, 3000], fence: 'fault', priorities: [100, 200] },
    }
    const { schedule } = await shrinkBy(
      skewed,
      ({ setup }) => setup.ratesPpm[1] < -4000 && setup.fence === 'fault',
    )
    assert.deepEqual(schedule.setup.ratesPpm, [0, -4900, 0])
    assert.equal(schedule.setup.fence, 'fault')
    assert.deepEqual(schedule.setup.priorities, [150, 100])
  })

  it('gives back what came in where it breaks nothing', async () => {
    const { schedule, share, asked } = await shrinkBy(whole, () => false)
    assert.equal(schedule, whole)
    assert.deepEqual(share, { broken: 0, tried: 1 })
    assert.equal(asked, 1)
  })

  it('goes on with another seed where its own no longer breaks it, and tells how often it breaks', async () => {
    const { schedule, share } = await shrinkBy(
      whole,
      ({ seed, episodes }) => seed === (episodes.length === 1 ? 7 : whole.seed),
      12,
    )
    assert.equal(schedule.episodes.length, 1)
    assert.equal(schedule.seed, 7)
    assert.deepEqual(share, { broken: 1, tried: 12 })
  })

  it('does not make rare what breaks often', async () => {
    const { schedule, share } = await shrinkBy(
      whole,
      ({ seed, episodes }) => (episodes.length > 2 ? true : seed === whole.seed),
      16,
    )
    assert.equal(schedule.episodes.length, 3)
    assert.deepEqual(share, { broken: 16, tried: 16 })
  })
})
