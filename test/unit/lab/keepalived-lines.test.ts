import assert from 'node:assert/strict'
import { livesOnAfter, parseKeepalivedLines, statesAt } from '../../lab/keepalived-lines.ts'

/** Of keepalived 2.2.7 in the lab, shortened. */
const log = `Sat Nov 21 10:18:27 2026: Starting Keepalived v2.2.7 (01/16,2022)
Sat Nov 21 10:18:27 2026: (VI_1) removing VIPs.
Sat Nov 21 10:18:27 2026: (VI_1) Entering BACKUP STATE (init)
Sat Nov 21 10:18:34 2026: (VI_1) Receive advertisement timeout
Sat Nov 21 10:18:34 2026: (VI_1) Entering MASTER STATE
Sat Nov 21 10:18:34 2026: (VI_1) Entering FAULT STATE
Sat Nov 21 10:18:40 2026: Starting Keepalived v2.2.7 (01/16,2022)
`
const lines = parseKeepalivedLines(log)
const at = (second: number): number => new Date(2026, 10, 21, 10, 18, second).getTime()

describe('keepalived’s lines', () => {
  it('tell every state of the second, and the one that it began with', () => {
    assert.deepEqual(statesAt(lines, at(26)), [])
    assert.deepEqual(statesAt(lines, at(27) + 500), ['BACKUP', 'INIT'])
    assert.deepEqual(statesAt(lines, at(30)), ['BACKUP'])
    assert.deepEqual(statesAt(lines, at(34) + 1), ['FAULT', 'MASTER', 'BACKUP'])
    assert.deepEqual(statesAt(lines, at(36)), ['FAULT'])
  })

  it('tell a keepalived that goes on from one that is followed by another', () => {
    assert.equal(livesOnAfter(lines, at(30)), true)
    assert.equal(livesOnAfter(lines, at(36)), false)
    assert.equal(livesOnAfter(lines, at(41)), false)
  })

  it('do not take the one that starts in the same second for the one that stopped', () => {
    const drilled = parseKeepalivedLines(`${log}Sat Nov 21 10:18:50 2026: Stopped
Sat Nov 21 10:18:51 2026: Starting Keepalived v2.2.7 (01/16,2022)
Sat Nov 21 10:18:52 2026: (VI_1) Entering BACKUP STATE
`)
    assert.equal(livesOnAfter(drilled, at(51) + 20), false)
  })
})
