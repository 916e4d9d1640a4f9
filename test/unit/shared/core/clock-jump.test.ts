import assert from 'node:assert/strict'
import fc from 'fast-check'
import { clockJumpMs } from '../../../../shared/core/clock-jump.ts'

describe('a jump of the boot clock against the monotonic clock', () => {
  it('is what the boot clock ran ahead, from 51 ms on', () => {
    assert.equal(clockJumpMs(10_000, 400), 9600)
    assert.equal(clockJumpMs(151, 100), 51)
  })

  it('is none within what two readings in steps of 10 ms may differ', () => {
    for (const aheadMs of [0, 10, 40, 50]) assert.equal(clockJumpMs(100 + aheadMs, 100), 0, `${aheadMs} ms`)
  })

  it('is none where the process stood still and both clocks ran on', () => {
    assert.equal(clockJumpMs(60_000, 60_003.4), 0)
  })

  it('is none where the monotonic clock ran ahead: no promise was made to look older than it is', () => {
    assert.equal(clockJumpMs(100, 10_000), 0)
  })

  it('is a whole number of milliseconds, never negative (property)', () => {
    const passedMs = fc.double({ min: 0, max: 1e9, noNaN: true })
    fc.assert(
      fc.property(passedMs, passedMs, (bootMs, monotonicMs) => {
        const jumpedMs = clockJumpMs(bootMs, monotonicMs)
        assert.ok(Number.isInteger(jumpedMs) && jumpedMs >= 0)
        assert.ok(jumpedMs === 0 || Math.abs(jumpedMs - (bootMs - monotonicMs)) <= 0.5)
      }),
    )
  })
})
