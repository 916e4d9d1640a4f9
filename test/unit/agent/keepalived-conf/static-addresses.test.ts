import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { staticAddressesAmong } from '../../../../agent/keepalived-conf/static-addresses.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'
import { vipOn } from '../../../fixtures/vips.ts'

describe('static_ipaddress', () => {
  const folder = temporaryFolder()

  it('shows the VIPs among its addresses, with file and line', () => {
    const config = folder('keepalived.conf')
    writeFileSync(
      config,
      'static_ipaddress {\n    10.0.0.7/24 dev eth0\n    10.0.0.100 dev eth0 scope global\n}\n',
    )
    const vips = [vipOn('eth0', '10.0.0.100'), vipOn('eth0', '10.0.0.101')]
    assert.deepEqual(staticAddressesAmong(vips, { config, configId: null }), [
      { address: '10.0.0.100', place: `static_ipaddress in ${config}:3` },
    ])
  })

  it('says nothing of a file that cannot be read', () =>
    assert.deepEqual(
      staticAddressesAmong([vipOn('eth0', '10.0.0.100')], { config: folder('none'), configId: null }),
      [],
    ))
})
