import assert from 'node:assert/strict'
import { Reporter } from '../../../../agent/runtime/reporter.ts'
import type { Log } from '../../../../shared/host/log.ts'

describe('Reporter', () => {
  let logged: string[]
  let sent: string[]
  let connected: boolean
  let nowMs: number
  let reporter: Reporter
  beforeEach(() => {
    logged = []
    sent = []
    connected = true
    nowMs = 0
    const line =
      (level: string) =>
      (event: string): void =>
        void logged.push(`${level} ${event}`)
    const log: Log = {
      debug: line('debug'),
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
      fatal: line('fatal'),
      flush: () => undefined,
    }
    reporter = new Reporter(
      log,
      ({ text }) => {
        if (connected) sent.push(text)
        return connected
      },
      () => nowMs,
    )
  })
  const tell = (text: string): void =>
    reporter.tell({ instance: 'VI_1', event: 'x', level: 'critical', text })

  it('logs here and tells the witness', () => {
    tell('one')
    assert.deepEqual([logged, sent], [['error x'], ['one']])
  })

  it('keeps the last ones, in order, while the witness is away', () => {
    connected = false
    for (let number = 0; number < 150; number += 1) tell(String(number))
    connected = true
    reporter.flush()
    assert.equal(sent.length, 100)
    assert.deepEqual([sent[0], sent.at(-1)], ['50', '149'])
    reporter.flush()
    assert.equal(sent.length, 100)
  })

  it('tells the same problem again only after a while', () => {
    reporter.problem('p', 'one')
    reporter.problem('p', 'two')
    nowMs = 600_000
    reporter.problem('p', 'three')
    assert.deepEqual(sent, ['one', 'three'])
  })

  it('cuts what is too long for the protocol', () => {
    tell('x'.repeat(1000))
    assert.equal(sent[0]?.length, 500)
  })

  it('keeps a lasting problem until it ends, and reports it like any problem', () => {
    reporter.lastingProblem('drift', 'one')
    reporter.lastingProblem('drift', 'two')
    assert.deepEqual(reporter.lasting, ['two'])
    assert.deepEqual(sent, ['one'])
    reporter.lastingProblem('drift', null)
    assert.deepEqual(reporter.lasting, [])
    reporter.lastingProblem('drift', null)
    assert.deepEqual(sent, ['one'])
  })
})
