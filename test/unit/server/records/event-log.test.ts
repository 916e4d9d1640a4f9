import assert from 'node:assert/strict'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Occurrence } from '../../../../server/core/arbiter/arbiter.ts'
import { EventLog, eventPath, keptEvents } from '../../../../server/records/event-log.ts'

function occurrence(text: string): Occurrence {
  return {
    event: 'took-over',
    level: 'info',
    instance: 'VI_1',
    node: 'lb01',
    text,
    evidence: { epoch: 7 },
    decision: 'granted',
  }
}

describe('event-log', () => {
  let dataDir = ''
  const errors: unknown[] = []
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'event-log-'))
    errors.length = 0
  })
  afterEach(() => rmSync(dataDir, { recursive: true }))
  const open = (): EventLog =>
    new EventLog({
      dataDir,
      cluster: 'web',
      now: () => new Date('2026-01-02T03:04:05.678Z'),
      onError: (error) => errors.push(error),
    })

  it('keeps events with time, evidence, decision and sentence across restarts', async () => {
    const log = open()
    assert.equal(log.seenBefore, false)
    log.append(occurrence('lb01 took over'))
    await log.flush()
    const next = open()
    assert.equal(next.seenBefore, true)
    assert.deepEqual(next.list({ limit: 10, after: null }), [
      { id: 1, at: '2026-01-02T03:04:05.678Z', cluster: 'web', ...occurrence('lb01 took over') },
    ])
    assert.equal(next.append(occurrence('again')).id, 2)
    await next.flush()
    assert.equal(statSync(eventPath(dataDir, 'web')).mode & 0o777, 0o600)
  })

  it('lists the newest, or those after an id', () => {
    const log = open()
    for (let number = 1; number <= 5; number += 1) log.append(occurrence(`${number}`))
    const ids = (range: { limit: number; after: number | null }) => log.list(range).map(({ id }) => id)
    assert.deepEqual(ids({ limit: 2, after: null }), [4, 5])
    assert.deepEqual(ids({ limit: 2, after: 1 }), [2, 3])
    assert.deepEqual(ids({ limit: 9, after: 5 }), [])
  })

  it('skips a line that a crash cut off, and does not continue it', async () => {
    const log = open()
    log.append(occurrence('whole'))
    await log.flush()
    appendFileSync(eventPath(dataDir, 'web'), '{"id":2,"at":"2026')
    const next = open()
    next.append(occurrence('after the crash'))
    await next.flush()
    assert.deepEqual(
      open()
        .list({ limit: 10, after: null })
        .map(({ id, text }) => [id, text]),
      [
        [1, 'whole'],
        [2, 'after the crash'],
      ],
    )
  })

  it('stays bounded on disk and in memory, and never keeps fewer than promised', async () => {
    const log = open()
    const total = 3 * keptEvents + 10
    for (let number = 1; number <= total; number += 1) {
      log.append(occurrence(`${number}`))
      if (number % 100 === 0) await log.flush()
    }
    await log.flush()
    const lines = readFileSync(eventPath(dataDir, 'web'), 'utf8').trimEnd().split('\n').length
    assert.ok(lines <= keptEvents, `${lines} lines`)
    for (const one of [log, open()]) {
      const ids = one.list({ limit: 10 * keptEvents, after: null }).map(({ id }) => id)
      assert.ok(ids.length >= keptEvents && ids.length <= 2 * keptEvents, `${ids.length} events`)
      assert.equal(ids.at(-1), total)
      assert.deepEqual(
        ids,
        [...ids].sort((a, b) => a - b),
      )
    }
  })

  it('keeps events in memory and says so when the disk refuses', async () => {
    writeFileSync(join(dataDir, 'events'), 'a file where the folder should be')
    const log = open()
    log.append(occurrence('unwritten'))
    await log.flush()
    assert.equal(errors.length, 1)
    assert.equal(log.list({ limit: 1, after: null })[0]?.text, 'unwritten')
    rmSync(join(dataDir, 'events'))
    mkdirSync(join(dataDir, 'events'))
    log.append(occurrence('written'))
    await log.flush()
    assert.equal(open().list({ limit: 1, after: null })[0]?.id, 2)
  })
})
