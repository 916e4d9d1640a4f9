import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseKeepalivedConf } from '../../../../agent/keepalived-conf/profiles.ts'
import type { Vip } from '../../../../agent/keepalived/vip.ts'
import { vipOn } from '../../../fixtures/vips.ts'

describe('the VIPs of keepalived.conf', () => {
  let folder: string
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'vips-'))))
  afterEach(() => rmSync(folder, { recursive: true }))

  function read(lines: { readonly vips: string; readonly others?: string; readonly globals?: string }): {
    written: readonly string[]
    vips: readonly Vip[]
    warnings: readonly string[]
  } {
    const { vips, others = 'interface eth0', globals = '' } = lines
    const path = join(folder, 'keepalived.conf')
    writeFileSync(
      path,
      `${globals}\nvrrp_instance VI {\n${others}\nvirtual_router_id 51\nvirtual_ipaddress {\n${vips}\n}\n}\n`,
    )
    const conf = parseKeepalivedConf(path)
    return {
      written: conf.profiles[0]?.vips ?? [],
      vips: conf.vips.get('VI') ?? [],
      warnings: conf.warnings,
    }
  }
  const written = (vips: string) => read({ vips }).written

  describe('have the prefix that keepalived mends', () => {
    const mended: [string, string][] = [
      ['10.0.0.100/255.255.255.0', '10.0.0.100'],
      ['10.0.0.100/24,', '10.0.0.100/24'],
      ['10.0.0.100/33', '10.0.0.100'],
      ['10.0.0.100/-1', '10.0.0.100'],
      ['10.0.0.100/x', '10.0.0.100/0'],
      ['10.0.0.100/', '10.0.0.100/0'],
      ['fe80::1/200', 'fe80::1'],
    ]
    for (const [text, vip] of mended)
      it(`${text} is ${vip}`, () => {
        const { written, warnings } = read({ vips: text })
        assert.deepEqual(written, [vip])
        assert.match(warnings.join('\n'), /has no valid prefix length; keepalived uses \/\d+, so write/)
      })

    it('and warn of none that is right', () => {
      assert.deepEqual(read({ vips: '10.0.0.100/24\n10.0.0.101\n10.0.0.102/32\n10.0.0.103/0' }), {
        written: ['10.0.0.100/24', '10.0.0.101', '10.0.0.102', '10.0.0.103/0'],
        vips: [100, 101, 102, 103].map((end) => vipOn('eth0', `10.0.0.${end}`)),
        warnings: [],
      })
    })

    it('and the one of a peer', () => {
      assert.deepEqual(written('10.0.0.100/24 peer 10.0.0.200'), ['10.0.0.100'])
    })
  })

  it('are left out where keepalived leaves them out', () => {
    for (const vip of [
      '10.0.0.100-110',
      '10.0.0.100/24 dev',
      '10.0.0.100/24 dev eth1 dev eth2',
      '10.0.0.100/24 label a-label-of-17-chr',
      '10.0.0.100/24 brd 10.0.0',
      'fe80::1/64 brd +',
      'fe80::1%eth0',
    ])
      assert.deepEqual(written(vip), [], vip)
  })

  it('are kept with options that keepalived passes over', () => {
    assert.deepEqual(
      written('10.0.0.100/24 home preferred_lft 0 no_track bogus scope link brd 10.0.0.255 -nodad'),
      ['10.0.0.100/24'],
    )
  })

  describe('are on', () => {
    it('the device of their line, else on the one of the instance', () => {
      const { vips } = read({
        vips: '10.0.0.100/24 label eth0:1\n10.0.0.101/24 dev eth0.20\n10.0.0.102 dev lo',
      })
      assert.deepEqual(vips, [
        vipOn('eth0', '10.0.0.100', 'eth0:1'),
        vipOn('eth0.20', '10.0.0.101'),
        vipOn('lo', '10.0.0.102'),
      ])
    })

    it('two devices, where two lines say so', () => {
      const { vips, written } = read({ vips: '10.0.0.100/24\n10.0.0.100/24 dev eth1' })
      assert.deepEqual(vips, [vipOn('eth0', '10.0.0.100'), vipOn('eth1', '10.0.0.100')])
      assert.deepEqual(written, ['10.0.0.100/24'])
    })

    it('the device of use_vmac, but not where the line names another, or the family is another', () => {
      const others =
        'interface eth0\nuse_vmac web 00:00:5e:00:53:01\nvirtual_ipaddress_excluded {\n2001:db8::1/64\n}'
      const { vips } = read({
        vips: '10.0.0.100/24\n10.0.0.101/24 dev eth0\n10.0.0.102/24 dev eth1',
        others,
        globals: 'global_defs {\nvmac_prefix v\n}',
      })
      const made = { kind: 'made', virtualRouterId: 51, names: ['web'], prefixes: ['v', 'vrrp'] } as const
      const byAddress = new Map(vips.map(({ address, on }) => [address, on]))
      assert.deepEqual(byAddress.get('10.0.0.100'), made)
      assert.deepEqual(byAddress.get('10.0.0.101'), made)
      assert.deepEqual(byAddress.get('10.0.0.102'), { kind: 'named', device: 'eth1' })
    })

    it('a device of their own with use_vmac in their line, or use_vmac_addr for those of other devices', () => {
      const made = { kind: 'made', virtualRouterId: 51, names: [], prefixes: ['vrrp'] } as const
      const own = read({ vips: '10.0.0.100/24 use_vmac\n10.0.0.101' })
      assert.deepEqual(
        own.vips.map(({ on }) => on),
        [made, { kind: 'named', device: 'eth0' }],
      )
      const others = read({
        vips: '10.0.0.100/24\n10.0.0.101 dev eth1',
        others: 'interface eth0\nuse_vmac_addr',
      })
      assert.deepEqual(
        others.vips.map(({ on }) => on),
        [{ kind: 'named', device: 'eth0' }, made],
      )
    })

    it('the interface itself with use_ipvlan', () => {
      const { vips } = read({ vips: '10.0.0.100/24', others: 'interface eth0\nuse_ipvlan' })
      assert.deepEqual(vips, [vipOn('eth0', '10.0.0.100')])
    })

    it('nothing without an interface: keepalived leaves them out', () => {
      const { vips, warnings } = read({
        vips: '10.0.0.100/24\n10.0.0.101/24 dev eth1',
        others: 'unicast_src_ip 10.0.0.11\nunicast_peer {\n10.0.0.12\n}',
      })
      assert.deepEqual(vips, [vipOn('eth1', '10.0.0.101')])
      assert.match(warnings.join('\n'), /10\.0\.0\.100\/24 has no device/)
    })
  })
})
