import assert from 'node:assert/strict'
import {
  bareAddress,
  deviceOfVip,
  type Vip,
  vipOfDump,
  vipsToWatch,
} from '../../../../agent/keepalived/vip.ts'
import { vipOn } from '../../../fixtures/vips.ts'

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

describe('vipOfDump', () => {
  it('reads address, device and label as keepalived 2.2.7 writes them', () => {
    assert.deepEqual(
      vipOfDump('10.0.0.100/24 dev vrrp.51@eth0 scope global label eth0:1 set'),
      vipOn('vrrp.51', '10.0.0.100', 'eth0:1'),
    )
    assert.deepEqual(
      vipOfDump('10.0.0.116/24 brd 10.0.0.255 dev eth1 scope global'),
      vipOn('eth1', '10.0.0.116'),
    )
    assert.deepEqual(
      vipOfDump('2001:db8::1/64 dev eth0 scope global preferred_lft forever set'),
      vipOn('eth0', '2001:db8::1'),
    )
  })

  it('takes nothing from what it does not understand', () => {
    assert.equal(vipOfDump('10.0.0.100/24'), null)
    assert.equal(vipOfDump('None dev eth0'), null)
  })
})

describe('the device of a VIP that keepalived makes', () => {
  const vmac: Vip = {
    address: '10.0.0.100',
    on: { kind: 'made', virtualRouterId: 51, names: ['web'], prefixes: ['vrrp'] },
    label: null,
  }
  const deviceOf = (device: string, vip = vmac) => deviceOfVip(vip, { address: '10.0.0.100', device })

  it('has a name of the configuration, or prefix, number and VRID', () => {
    for (const name of ['web', 'vrrp.51', 'vrrp6.51', 'vrrp12.51']) assert.equal(deviceOf(name), name)
  })

  it('is not another device', () => {
    for (const name of ['lo', 'eth0', 'eth0.51', 'vrrp.5', 'vrrp.151', 'vrrpx.51'])
      assert.equal(deviceOf(name), null)
  })

  it('has a prefix that is cut where the name would be too long', () => {
    const on = { kind: 'made', virtualRouterId: 51, names: [], prefixes: ['addresses-of-web'] } as const
    assert.equal(deviceOf('addresses-of.51', { ...vmac, on }), 'addresses-of.51')
    assert.equal(deviceOf('addresses.51', { ...vmac, on }), null)
  })

  it('is the one of the dump, once there was a dump', () => {
    const dumped = vipOn('vrrp1.51', '10.0.0.100')
    assert.deepEqual(vipsToWatch([dumped], [vmac]), [dumped])
    assert.deepEqual(vipsToWatch([], [vmac]), [vmac])
  })
})

describe('vipsToWatch', () => {
  it('has what keepalived had at its dump and what the file says now, because a reload may lie between', () => {
    const [old, young] = [vipOn('eth0', '10.0.0.100'), vipOn('eth1', '10.0.0.100')]
    assert.deepEqual(vipsToWatch([old], [young]), [old, young])
  })
})
