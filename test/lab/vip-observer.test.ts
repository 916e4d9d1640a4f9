import assert from 'node:assert/strict'
import { parseMonitorLine } from './vip-observer.ts'

describe('a line of ip -ts monitor address', () => {
  it('tells when the VIP came, to the microsecond', () => {
    assert.deepEqual(
      parseMonitorLine(
        '[2026-11-21T00:52:50.862386] 2: eth0    inet 10.0.0.100/24 scope global secondary eth0',
        'eth0',
      ),
      { atMs: Date.UTC(2026, 10, 21, 0, 52, 50) + 862.386, has: true },
    )
  })

  it('tells when the VIP went', () => {
    assert.equal(
      parseMonitorLine(
        '[2026-11-21T00:52:50.864909] Deleted 2: eth0    inet 10.0.0.100/24 scope global eth0',
        'eth0',
      )?.has,
      false,
    )
  })

  it('says nothing about the same address on another device', () => {
    assert.equal(
      parseMonitorLine('[2026-11-21T00:52:50.862386] 1: lo    inet 10.0.0.100/32 scope global lo', 'eth0'),
      null,
    )
  })

  it('says nothing about other addresses', () => {
    for (const line of [
      '[2026-11-21T00:52:50.862386] 2: eth0    inet 10.0.0.10/24 scope global eth0',
      '[2026-11-21T00:52:50.862386] 2: eth0    inet 10.0.0.11/24 scope global eth0',
      '       valid_lft forever preferred_lft forever',
    ])
      assert.equal(parseMonitorLine(line, 'eth0'), null)
  })
})
