import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseKeepalivedConf } from '../../../../agent/keepalived-conf/profiles.ts'

describe('what is read only to compare the two nodes', () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'compared-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  const read = (lines: string, password?: string): unknown => {
    const path = join(folder, 'keepalived.conf')
    writeFileSync(
      path,
      `vrrp_instance VI_1 {\n  interface eth0\n  virtual_router_id 51\n${lines}\n  virtual_ipaddress {\n    10.0.0.100\n  }\n}\n`,
    )
    const { profiles, passwords } = parseKeepalivedConf(path)
    assert.equal(passwords.get('VI_1'), password)
    assert.ok(password === undefined || !JSON.stringify(profiles).includes(password))
    return profiles[0]?.compared
  }
  const auth = (type: string, pass: string): string =>
    `authentication {\n auth_type ${type}\n auth_pass ${pass}\n}`

  it('is nothing special where nothing is written', () =>
    assert.deepEqual(read(''), { state: 'BACKUP', auth: 'none', unicast: null }))

  it('is the first state', () =>
    assert.deepEqual(read('state MASTER'), { state: 'MASTER', auth: 'none', unicast: null }))

  it('is the type of authentication, with the eight characters of the password that keepalived sends', () => {
    assert.deepEqual(read(auth('PASS', 'longpassword'), 'longpass'), {
      state: 'BACKUP',
      auth: 'PASS',
      unicast: null,
    })
    assert.deepEqual(read(auth('AH', '1111'), '1111'), { state: 'BACKUP', auth: 'AH', unicast: null })
  })

  it('is no authentication in VRRP version 3, and without a password or a type that keepalived knows', () => {
    const none = { state: 'BACKUP', auth: 'none', unicast: null }
    assert.deepEqual(read(`version 3\n${auth('PASS', '1111')}`), none)
    assert.deepEqual(read('authentication {\n auth_type PASS\n}'), none)
    assert.deepEqual(read(auth('MD5', '1111')), none)
  })

  it('is where unicast goes and comes from', () => {
    assert.deepEqual(read('unicast_src_ip 10.0.0.11\nunicast_peer {\n 10.0.0.12\n 10.0.0.13 min_ttl 5\n}'), {
      state: 'BACKUP',
      auth: 'none',
      unicast: { source: '10.0.0.11', peers: ['10.0.0.12', '10.0.0.13'] },
    })
  })
})
