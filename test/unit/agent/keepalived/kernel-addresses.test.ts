import assert from 'node:assert/strict'
import {
  bareAddress,
  glanceAtAddresses,
  held,
  listAddresses,
  parseAddresses,
} from '../../../../agent/keepalived/kernel-addresses.ts'

describe('bareAddress', () => {
  it('takes the address out of every spelling of a VIP', () => {
    assert.equal(bareAddress('10.77.0.100'), '10.77.0.100')
    assert.equal(bareAddress('10.77.0.100/24'), '10.77.0.100')
    assert.equal(bareAddress('10.77.0.100/24 dev eth0 scope global set'), '10.77.0.100')
    assert.equal(bareAddress('fe80::1%eth0'), 'fe80::1')
  })

  it('writes IPv6 as the kernel does', () => {
    assert.equal(bareAddress('2001:0DB8:0:0::0001/64'), '2001:db8::1')
  })
})

describe('parseAddresses', () => {
  it('reads every interface, also one without addresses and one that vanished meanwhile', () => {
    const json = JSON.stringify([
      { ifname: 'lo', addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8 }] },
      {},
      { ifname: 'eth1', operstate: 'DOWN', addr_info: [] },
      { ifname: 'vrrp.51', addr_info: [{ family: 'inet', local: '10.77.0.100', prefixlen: 24 }, {}] },
    ])
    assert.deepEqual(parseAddresses(json), [
      { device: 'lo', address: '127.0.0.1', prefixLength: 8 },
      { device: 'vrrp.51', address: '10.77.0.100', prefixLength: 24 },
    ])
  })

  it('refuses what is not an address list', () => {
    assert.throws(() => parseAddresses('Usage: ip [ OPTIONS ]'))
    assert.throws(() => parseAddresses('{"a":1}'))
  })
})

describe('held', () => {
  it('finds a VIP on any interface, whatever its prefix', () => {
    const addresses = [{ device: 'vrrp.51', address: '10.77.0.100', prefixLength: 32 }]
    assert.deepEqual(held(addresses, ['10.77.0.100/24']), addresses)
    assert.deepEqual(held(addresses, ['10.77.0.10']), [])
  })
})

describe('the kernel', () => {
  it('shows its addresses at a glance and in proof', async () => {
    assert.ok(held(glanceAtAddresses(), ['127.0.0.1']).some(({ device }) => device === 'lo'))
    const listed = await listAddresses()
    assert.ok('addresses' in listed)
    assert.deepEqual(held(listed.addresses, ['127.0.0.1/8']), [
      { device: 'lo', address: '127.0.0.1', prefixLength: 8 },
    ])
  })
})
