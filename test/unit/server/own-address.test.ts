import assert from 'node:assert/strict'
import type { NetworkInterfaceInfo } from 'node:os'
import { ownAddress } from '../../../server/own-address.ts'

function ipv4(address: string, internal = false): NetworkInterfaceInfo {
  return { address, netmask: '255.0.0.0', mac: '', internal, cidr: null, family: 'IPv4' }
}
function ipv6(address: string, internal = false): NetworkInterfaceInfo {
  return { address, netmask: 'ffff::', mac: '', internal, cidr: null, family: 'IPv6', scopeid: 0 }
}
const host = {
  lo: [ipv4('127.0.0.1', true), ipv6('::1', true)],
  eth0: [ipv6('fe80::1'), ipv6('2001:db8::20'), ipv4('10.0.0.20')],
}

describe('own-address', () => {
  it('is what the witness listens on, where that is one address', () => {
    assert.equal(ownAddress({ host: '10.0.0.9', port: 7400 }, host), '10.0.0.9:7400')
    assert.equal(ownAddress({ host: '2001:db8::9', port: 7400 }, host), '[2001:db8::9]:7400')
  })

  it('is the first address that others reach, IPv4 before IPv6, where it listens on all', () => {
    assert.equal(ownAddress({ host: '0.0.0.0', port: 7400 }, host), '10.0.0.20:7400')
    assert.equal(ownAddress({ host: '::', port: 7400 }, host), '10.0.0.20:7400')
    const only6 = { eth0: [ipv6('fe80::1'), ipv6('2001:db8::20')] }
    assert.equal(ownAddress({ host: '::', port: 7400 }, only6), '[2001:db8::20]:7400')
  })

  it('is unknown where nobody else reaches any address', () => {
    assert.equal(ownAddress({ host: '0.0.0.0', port: 7400 }, { lo: host.lo }), null)
    assert.equal(ownAddress({ host: '0.0.0.0', port: 7400 }, { eth0: [ipv6('2001:db8::20')] }), null)
  })
})
