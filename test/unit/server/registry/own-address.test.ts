import assert from 'node:assert/strict'
import type { NetworkInterfaceInfo } from 'node:os'
import { addressForNodes } from '../../../../server/registry/own-address.ts'

function address(text: string, internal = false): NetworkInterfaceInfo {
  const rest = { netmask: '', mac: '', internal, cidr: null }
  return text.includes(':')
    ? { ...rest, address: text, family: 'IPv6', scopeid: 0 }
    : { ...rest, address: text, family: 'IPv4' }
}

describe('the address that an invite names where the admin names none', () => {
  const any = { host: '0.0.0.0', port: 7400 }

  it('is the one that the witness listens on', () => {
    assert.equal(addressForNodes({ host: '10.0.0.20', port: 7500 }), '10.0.0.20:7500')
    assert.equal(addressForNodes({ host: '2001:db8::20', port: 7400 }), '[2001:db8::20]:7400')
    assert.equal(addressForNodes({ host: 'witness.example', port: 7400 }), 'witness.example:7400')
  })

  it('is the first of the host where it listens on all, IPv4 before IPv6', () => {
    const interfaces = {
      lo: [address('127.0.0.1', true)],
      eth0: [address('fe80::1'), address('2001:db8::20'), address('10.0.0.20')],
    }
    assert.equal(
      addressForNodes(any, () => interfaces),
      '10.0.0.20:7400',
    )
    assert.equal(
      addressForNodes(any, () => ({ eth0: [address('fe80::1'), address('2001:db8::20')] })),
      '[2001:db8::20]:7400',
    )
  })

  it('is none where nodes could not reach it', () => {
    for (const host of ['127.0.0.1', '::1', 'localhost'])
      assert.equal(addressForNodes({ host, port: 7400 }), null)
    assert.equal(
      addressForNodes(any, () => ({ lo: [address('127.0.0.1', true)] })),
      null,
    )
  })
})
