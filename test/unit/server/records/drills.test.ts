import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DrillEnd } from '../../../../server/core/arbiter/state.ts'
import { drillPath, DrillRecords } from '../../../../server/records/drills.ts'

const end: DrillEnd = {
  instance: 'VI_1',
  role: 'standby',
  rungs: [{ rung: 'bar', proved: true, tookMs: 4 }],
  backMs: 20,
  text: 'as it should be',
  takenBy: null,
  takeoverMs: null,
}
const kept = {
  at: '1970-01-01T00:00:05.000Z',
  instances: [{ instance: 'VI_1', role: 'standby', rungs: end.rungs, backMs: 20 }],
}

describe('the records of drills', () => {
  let dataDir = ''
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'drill-records-'))
  })
  afterEach(() => rmSync(dataDir, { recursive: true }))
  const open = (): Promise<DrillRecords> =>
    DrillRecords.open({ dataDir, cluster: 'web', nowMs: () => 0, now: () => new Date(5000) })

  it('know of none before the first one', async () => {
    assert.equal((await open()).last('lb02'), null)
  })

  it('keep the last drill of each node over a restart of the witness', async () => {
    const records = await open()
    await records.keep('lb02', [end])
    await records.keep('lb01', [{ ...end, role: 'holder' }])
    await records.keep('lb02', [end])
    const after = await open()
    assert.deepEqual(after.last('lb02'), kept)
    assert.equal(after.last('lb01')?.instances[0]?.role, 'holder')
  })

  it('forget what is torn, and go on', async () => {
    await (await open()).keep('lb02', [end])
    writeFileSync(drillPath(dataDir, 'web'), 'torn')
    const after = await open()
    assert.equal(after.last('lb02'), null)
    await after.keep('lb02', [end])
    assert.deepEqual((await open()).last('lb02'), kept)
  })
})
