import assert from 'node:assert/strict'
import {
  glanceAtAddresses,
  held,
  holdsAny,
  listAddresses,
  parseAddresses,
} from '../../../../agent/keepalived/kernel-addresses.ts'
import { vipOn } from '../../../fixtures/vips.ts'

describe('parseAddresses', () => {
  it('reads every interface, also one without addresses and one that vanished meanwhile', () => {
    const json = JSON.stringify([
      { ifname: 'lo', addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8 }] },
      {},
      { ifname: 'eth1', operstate: 'DOWN', addr_info: [] },
      { ifname: 'vrrp.51', addr_info: [{ family: 'inet', local: '10.77.0.100', prefixlen: 24 }, {}] },
    ])
    assert.deepEqual(parseAddresses(json), [
      { device: 'lo', address: '127.0.0.1', prefixLength: 8, peer: null },
      { device: 'vrrp.51', address: '10.77.0.100', prefixLength: 24, peer: null },
    ])
  })

  it('refuses what is not an address list', () => {
    assert.throws(() => parseAddresses('Usage: ip [ OPTIONS ]'))
    assert.throws(() => parseAddresses('{"a":1}'))
  })
})

describe('held', () => {
  const onLoopback = { device: 'lo', address: '10.77.0.100', prefixLength: 32, peer: null }
  const onDevice = { device: 'eth0', address: '10.77.0.100', prefixLength: 24, peer: null }

  it('finds a VIP on its device, whatever its prefix', () => {
    assert.deepEqual(held([onLoopback, onDevice], [vipOn('eth0', '10.77.0.100')]), [onDevice])
    assert.deepEqual(held([onDevice], [vipOn('eth0', '10.77.0.10')]), [])
  })

  it('finds nothing where the address is on another device: on lo of a real server', () => {
    assert.deepEqual(held([onLoopback], [vipOn('eth0', '10.77.0.100')]), [])
  })

  it('tells the device of a labelled address, also where a glance has the label in its place', () => {
    const glance = { device: 'eth0:1', address: '10.77.0.100', prefixLength: 24, peer: null }
    assert.deepEqual(held([glance], [vipOn('eth0', '10.77.0.100', 'eth0:1')]), [onDevice])
    const named = { ...glance, device: 'service' }
    assert.deepEqual(held([named], [vipOn('eth0', '10.77.0.100', 'service')]), [onDevice])
    assert.deepEqual(held([named], [vipOn('eth0', '10.77.0.100')]), [])
  })
})

describe('the kernel', () => {
  it('shows its addresses at a glance and in proof', async () => {
    assert.ok(held(glanceAtAddresses(), [vipOn('lo', '127.0.0.1')]).some(({ device }) => device === 'lo'))
    const listed = await listAddresses()
    assert.ok('addresses' in listed)
    assert.deepEqual(held(listed.addresses, [vipOn('lo', '127.0.0.1')]), [
      { device: 'lo', address: '127.0.0.1', prefixLength: 8, peer: null },
    ])
  })

  it('finds 512 VIPs of 32 instances within 10 ms of processor time, because decisions wait meanwhile', () => {
    const addresses = Array.from({ length: 512 }, (_, at) => `10.77.${at >> 8}.${at & 255}`)
    const instances = Array.from({ length: 32 }, (_, at) =>
      addresses.slice(16 * at, 16 * at + 16).map((address) => vipOn('eth0', address)),
    )
    const tookMs = Array.from({ length: 15 }, () => {
      // As each look of the kernel's addresses is another list.
      const kernel = addresses.map((address) => ({ device: 'eth0', address, prefixLength: 24, peer: null }))
      const before = process.cpuUsage()
      for (const vips of instances) assert.equal(holdsAny(kernel, vips), true)
      for (const vips of instances) assert.equal(held(kernel, vips).length, 16)
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1000
    }).sort((one, other) => one - other)
    assert.ok((tookMs[7] ?? Infinity) <= 10, tookMs.join(' '))
  })
})
