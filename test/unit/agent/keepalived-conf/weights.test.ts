import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseKeepalivedConf } from '../../../../agent/keepalived-conf/profiles.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

describe('the weights of what an instance tracks', () => {
  const folder = temporaryFolder()
  const weights = (before: string, rows: string, more = 'priority 150') => {
    const path = join(folder(), 'keepalived.conf')
    const content = [
      before,
      'vrrp_instance VI_1 {',
      'interface eth0',
      'virtual_router_id 51',
      more,
      'virtual_ipaddress {\n10.0.0.100/24\n}',
      rows,
      '}',
    ]
    writeFileSync(path, content.join('\n'))
    return parseKeepalivedConf(path).profiles[0]?.weights
  }
  const script = (rows: string) => `vrrp_script app {\nscript "/bin/true"\n${rows}\n}`
  const uses = (keyword: string, row: string) => `${keyword} {\n${row}\n}`

  it('are nothing where a failure means FAULT', () => {
    assert.equal(weights('', ''), undefined)
    assert.equal(weights(script(''), uses('track_script', 'app')), undefined)
    assert.equal(weights(script('weight -60'), uses('track_script', 'app weight 0')), undefined)
    assert.equal(weights(script('weight -60'), ''), undefined)
    assert.equal(weights('', uses('track_interface', 'eth1')), undefined)
    const bar = 'vrrp_track_file bar {\nfile /run/bar\nweight 0\n}'
    assert.equal(weights(bar, uses('track_file', 'bar')), undefined)
  })

  for (const [what, before, rows] of [
    ['a script by its definition', script('weight -60'), uses('track_script', 'app')],
    ['a script by its use', script(''), uses('track_script', 'app weight 20')],
    ['a script that counts the other way', script(''), uses('track_script', 'app weight 20 reverse')],
    ['an interface', '', uses('track_interface', 'eth1 weight -60')],
    ['a file by default', 'vrrp_track_file f {\nfile /run/f\n}', uses('track_file', 'f')],
    ['a process', 'vrrp_track_process p {\nprocess nginx\nweight 5\n}', uses('track_process', 'p')],
    ['BFD', 'bfd_instance b {\nneighbor_ip 10.0.0.1\n}', uses('track_bfd', 'b weight -5')],
    [
      'what its sync group tracks',
      `${script('')}\nvrrp_sync_group G {\ngroup {\nVI_1\n}\ntrack_script {\napp weight -60\n}\n}`,
      '',
    ],
  ] as const)
    it(`are seen for ${what}`, () => {
      assert.equal(weights(before, rows), 'untold')
    })

  it('are not those of another sync group', () => {
    const other = 'vrrp_sync_group G {\ngroup {\nVI_2\n}\ntrack_interface {\neth1 weight -60\n}\n}'
    assert.equal(weights(other, ''), undefined)
  })

  it('do not move the owner of the address', () => {
    assert.equal(weights('', uses('track_interface', 'eth1 weight -60'), 'priority 255'), undefined)
  })

  it('are told where keepalived writes each change of the priority', () => {
    const rows = uses('track_interface', 'eth1 weight -60')
    const globals = (row: string) => `global_defs {\n${row}\n}`
    assert.equal(weights(globals('vrrp_notify_priority_changes true'), rows), 'told')
    assert.equal(weights(globals('vrrp_notify_priority_changes'), rows), 'told')
    assert.equal(weights(globals('vrrp_notify_priority_changes off'), rows), 'untold')
    assert.equal(weights('', `${rows}\nnotify_priority_changes yes`), 'told')
    assert.equal(
      weights(globals('vrrp_notify_priority_changes true'), `${rows}\nnotify_priority_changes no`),
      'untold',
    )
  })
})
