import assert from 'node:assert/strict'
import { uptime } from 'node:os'
import { bootClockMs, bootId, parseUptime } from '../../../../shared/host/boot-clock.ts'

const parse = (text: string): number => parseUptime(Buffer.from(text), text.length)

describe('boot-clock', () => {
  it('tells the time since boot in steps of 10 ms, each time anew', () => {
    const before = uptime() * 1000
    const first = bootClockMs()
    assert.ok(first >= Math.round(before) && first < before + 1000)
    assert.equal(first % 10, 0)
    let next = first
    while (next === first) next = bootClockMs()
    assert.ok(next > first && next < first + 1000)
  })

  it('reads what proc(5) describes, exactly', () => {
    assert.equal(parse('0.01 0.00\n'), 10)
    assert.equal(parse('1701.93 3217.55\n'), 1_701_930)
    assert.equal(parse('315360000.07 1.00\n'), 315_360_000_070)
  })

  for (const text of [
    '',
    '12345.67',
    '12345 1.00\n',
    '12345.6 1.00\n',
    '.67 1.00\n',
    '-1.00 1.00\n',
    '1.2.34 1.00\n',
  ])
    it(`is no clock where it reads ${JSON.stringify(text)}`, () => {
      assert.throws(() => parse(text), /\/proc\/uptime cannot be used as a clock/)
    })

  it('knows one boot by one name', () => {
    assert.match(bootId(), /^[0-9a-f-]{36}$/)
    assert.equal(bootId(), bootId())
  })
})
