import assert from 'node:assert/strict'
import { cpuPercent, cpuTicks, mebibytes } from '../../bench/process-figures.ts'

describe('what a process used', () => {
  it('reads CPU time after a name with brackets and spaces', () => {
    const stat = '17 (node (x) y) S 1 17 17 0 -1 4194560 9 0 0 0 31 12 5 4 20 0 11 0 99 1 2'
    assert.deepEqual(cpuTicks(stat), { own: 43, children: 9 })
  })

  it('says so where the fields are missing', () => {
    assert.throws(() => cpuTicks('17 (node) S 1'), /field 14/)
  })

  it('reads memory in MiB', () => {
    assert.equal(mebibytes('Rss:   2048 kB\nPss:    512 kB\nPss_Dirty:  1 kB\n', 'Pss'), 0.5)
    assert.throws(() => mebibytes('Rss: 1 kB\n', 'Pss'), /no Pss/)
  })

  it('gives percent of one core', () => {
    assert.equal(cpuPercent(30, { ticksPerSecond: 100, lastedMs: 30_000 }), 1)
  })
})
