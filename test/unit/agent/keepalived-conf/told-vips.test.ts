import assert from 'node:assert/strict'
import { withToldVips } from '../../../../agent/keepalived-conf/told-vips.ts'
import { parseFromAgent } from '../../../../shared/protocol/messages.ts'
import { maxInstances, maxMessageBytes, maxVipsTold } from '../../../../shared/protocol/names.ts'
import type { Profile } from '../../../../shared/protocol/plan.ts'

function profiles({ instances, vips }: { instances: number; vips: readonly string[] }): Profile[] {
  return Array.from({ length: instances }, (_, index) => ({
    instance: `VI_${index}`.padEnd(63, '_'),
    ...{ virtualRouterId: index + 1, interface: 'a'.repeat(32), version: 3, priority: 100, nopreempt: false },
    ...{ advertIntMs: 1000, downTimerAdverts: 5, weights: 'told' },
    vips: [...vips],
    compared: {
      ...{ state: 'BACKUP', auth: 'none' },
      unicast: { source: 'f'.repeat(39), peers: Array.from({ length: 16 }, () => 'f'.repeat(39)) },
    },
  }))
}

/** As an agent sends it to its peer, which gets the most. */
function hello(of: readonly Profile[]): string {
  return JSON.stringify({
    ...{
      type: 'hello',
      protocol: 1,
      cluster: 'c'.repeat(63),
      node: 'n'.repeat(63),
      incarnation: 'i'.repeat(64),
    },
    ...{ bootId: 'b'.repeat(36), software: 's'.repeat(500), mode: 'enforce', gateway: 'g'.repeat(253) },
    listener: { address: 'a'.repeat(253), port: 7401 },
    profiles: of.map((profile) => ({ ...profile, authProof: '0'.repeat(64) })),
  })
}

const longAddress = (index: number): string =>
  `2001:db8:1234:5678:9abc:def0:1234:${index.toString(16).padStart(4, '0')}/128`

describe('the VIPs that an agent tells of', () => {
  it('are all that a large fleet has: 32 instances with 64 IPv6 addresses', () => {
    const vips = Array.from({ length: maxVipsTold }, (_, index) => longAddress(index))
    const warnings: string[] = []
    const fleet = profiles({ instances: 32, vips })
    assert.deepEqual(withToldVips(fleet, warnings), fleet)
    assert.deepEqual(warnings, [])
    assert.ok(Buffer.byteLength(hello(fleet)) <= maxMessageBytes)
  })

  it('are as many of each instance as one message holds, and that is said', () => {
    const vips = Array.from({ length: maxVipsTold }, (_, index) => `${longAddress(index)} `.padEnd(64, 'x'))
    const warnings: string[] = []
    const most = profiles({ instances: maxInstances, vips })
    assert.ok(Buffer.byteLength(hello(most)) > maxMessageBytes)
    const told = withToldVips(most, warnings)
    assert.equal(warnings.length, 1)
    const [, count = ''] = /are told the first (\d+) of each instance/.exec(warnings[0] ?? '') ?? []
    assert.ok(Number(count) > 32, count)
    for (const { vips: some } of told) assert.deepEqual(some, vips.slice(0, Number(count)))
    assert.ok(Buffer.byteLength(hello(told)) <= maxMessageBytes)
    assert.doesNotThrow(() => parseFromAgent(hello(told)))
  })
})
