import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Timeline } from '../../sim/world/timeline.ts'

describe('the timeline', () => {
  it('runs what is due in the order of instants, and what is due together as it was planned', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.boolean())), (plans) => {
        const timeline = new Timeline()
        const ran: number[] = []
        for (const [index, [atMs, cancelled]] of plans.entries()) {
          const due = timeline.at(atMs, () => {
            assert.equal(timeline.nowMs, atMs)
            ran.push(index)
          })
          due.cancelled = cancelled
        }
        while (timeline.step(100));
        const wanted = [...plans.entries()]
          .filter(([, [, cancelled]]) => !cancelled)
          .sort(([one, [oneAtMs]], [other, [otherAtMs]]) => oneAtMs - otherAtMs || one - other)
          .map(([index]) => index)
        assert.deepEqual(ran, wanted)
        assert.equal(timeline.nowMs, 100)
      }),
    )
  })

  it('runs what is planned meanwhile at its place', () => {
    const timeline = new Timeline()
    const ran: string[] = []
    timeline.at(10, () => {
      ran.push('first')
      timeline.after(5, () => ran.push('planned by the first'))
      timeline.at(3, () => ran.push('due already'))
    })
    timeline.at(20, () => ran.push('last'))
    while (timeline.step(50));
    assert.deepEqual(ran, ['first', 'due already', 'planned by the first', 'last'])
  })

  it('runs nothing that is due later than asked for', () => {
    const timeline = new Timeline()
    let ran = false
    timeline.at(10.5, () => (ran = true))
    assert.equal(timeline.step(10), false)
    assert.equal(ran, false)
    assert.equal(timeline.nowMs, 10)
    assert.equal(timeline.step(11), true)
  })
})
