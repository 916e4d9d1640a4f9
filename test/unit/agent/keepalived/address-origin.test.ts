import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { addressesThere, staticPlaces } from '../../../../agent/keepalived/address-origin.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'
import { vipOn } from '../../../fixtures/vips.ts'

const vips = [vipOn('eth0', '203.0.113.10'), vipOn('eth0', '2001:db8::10')]

describe('the origin of an address', () => {
  const root = temporaryFolder()

  function placesIn(files: Readonly<Record<string, string>>): string[] {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(root(path)), { recursive: true })
      writeFileSync(root(path), text)
    }
    return staticPlaces(vips, root()).map(({ place }) => place.replace(root().replace(/\/$/, ''), ''))
  }

  const files: readonly [string, string, number][] = [
    [
      '/etc/netplan/50-net.yaml',
      'network:\n  ethernets:\n    eth0:\n      addresses: [203.0.113.10/24]\n',
      4,
    ],
    ['/etc/netplan/50-net.yaml', 'addresses:\n  - "2001:db8:0::10/64"\n', 2],
    ['/etc/network/interfaces', 'iface eth0 inet static\n  address 203.0.113.10/24\n', 2],
    ['/etc/network/interfaces.d/vip', 'iface eth0:0 inet static\naddress 203.0.113.10\n', 2],
    ['/etc/sysconfig/network-scripts/ifcfg-eth0', 'IPADDR2="203.0.113.10"\n', 1],
    ['/etc/sysconfig/network/ifcfg-eth0', "IPADDR_1='203.0.113.10/24'\n", 1],
    ['/etc/NetworkManager/system-connections/eth0.nmconnection', 'address1=203.0.113.10/24,203.0.113.1\n', 1],
    ['/etc/systemd/network/10-eth0.network', '[Network]\nAddress=203.0.113.10/24\n', 2],
    ['/etc/dhcpcd.conf', 'static ip_address=203.0.113.10/24\n', 1],
  ]
  for (const [path, text, line] of files)
    it(`is found in ${path}: ${text.trim().split('\n').at(-1) ?? ''}`, () =>
      assert.deepEqual(placesIn({ [path]: text }), [`${path}:${line}`]))

  it('is not a comment, another address, or a longer one', () =>
    assert.deepEqual(
      placesIn({
        '/etc/network/interfaces':
          '# address 203.0.113.10\naddress 203.0.113.100/24\naddress 1203.0.113.10\n',
        '/etc/netplan/50.yaml': 'addresses: [203.0.113.11/24] # not 203.0.113.10\n',
        '/etc/netplan/50.yaml.bak': 'addresses: [203.0.113.10/24]\n',
      }),
      [],
    ))

  it('is DHCP where the kernel marks the address as dynamic', () => {
    const json = JSON.stringify([
      {
        ifname: 'eth0',
        addr_info: [
          { local: '203.0.113.10', prefixlen: 24, dynamic: true },
          { local: '203.0.113.2', prefixlen: 24 },
        ],
      },
      { ifname: 'lo', addr_info: [{ local: '203.0.113.10', prefixlen: 32 }] },
    ])
    assert.deepEqual(addressesThere(json, vips), [{ text: '203.0.113.10/24 on eth0', isLeased: true }])
    assert.deepEqual(addressesThere('garbage', vips), [])
  })
})
