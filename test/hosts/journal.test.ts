import assert from 'node:assert/strict'
import { keepalivedLinesOf, parseJournal, productLinesOf } from './journal.ts'

const entry = (atMicroseconds: string, message: string | number[]): string =>
  JSON.stringify({ __REALTIME_TIMESTAMP: atMicroseconds, MESSAGE: message })

describe('the journal of a host', () => {
  it('is read entry by entry, with the instant to the microsecond', () => {
    assert.deepEqual(parseJournal(`${entry('1795262400123456', 'Started.')}\n`), [
      { atMs: 1795262400123.456, text: 'Started.' },
    ])
  })

  it('leaves out what is no text', () => {
    assert.deepEqual(parseJournal(entry('1795262400123456', [104, 105])), [])
  })

  it('has the product’s lines with the stamp that they brought', () => {
    const line = '{"time":"2026-11-21T12:00:00.120Z","event":"start","text":"here"}'
    assert.deepEqual(productLinesOf([{ atMs: Date.UTC(2026, 10, 21, 12, 0, 0, 123), text: line }]), [
      { atMs: Date.UTC(2026, 10, 21, 12, 0, 0, 120), event: 'start', text: 'here' },
    ])
  })

  it('takes journald’s stamp for a line of a daemon whose clock is wrong', () => {
    const line = '{"time":"2046-11-21T12:00:00.120Z","event":"start","text":"here"}'
    const atMs = Date.UTC(2026, 10, 21, 12, 0, 0, 123)
    assert.equal(productLinesOf([{ atMs, text: line }])[0]?.atMs, atMs)
  })

  it('has keepalived’s states to the second', () => {
    assert.deepEqual(
      keepalivedLinesOf([
        { atMs: 5900.5, text: 'Starting Keepalived v2.2.7 (01/16,2022)' },
        { atMs: 6100, text: 'Netlink reports eth0 up' },
        { atMs: 7999, text: '(VI_1) Entering MASTER STATE' },
      ]),
      [
        { secondMs: 5000, says: 'starts' },
        { secondMs: 7000, says: 'MASTER' },
      ],
    )
  })
})
