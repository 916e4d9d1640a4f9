/** Whatever stands in keepalived.conf and what it includes: it is read, or refused with its file and line. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import fc from 'fast-check'
import { KeepalivedConfError, parseKeepalivedConf } from '../../../../agent/keepalived-conf/profiles.ts'
import { profileSchema } from '../../../../shared/protocol/plan.ts'
import { damaged } from '../../../fixtures/damaged-text.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'
import { storiesFrom } from '../../../fixtures/effort.ts'

const runDir = '/run/keepalived-witness'
const good = `global_defs {
    script_user root
    vrrp_notify_fifo ${runDir}/notify.fifo
    vrrp_version 3
}
$VIP=10.0.0.100/24
$TRACK= \\
 track_file { \\
  bar_VI_1 \\
 }
vrrp_track_file bar_VI_1 {
    file ${runDir}/VI_1.bar
    weight 0
}
include conf.d/*.conf
vrrp_script witness_VI_1 {
    script "/usr/libexec/keepalived/witness-check VI_1"
    interval 1
}
vrrp_instance VI_1 {
    state BACKUP
    @lb01 priority 150
    @^lb01 priority 100
    nopreempt
    interface eth0      # the LAN
    virtual_router_id 51
    advert_int 0.5
    virtual_ipaddress {
        \${VIP} dev eth0 label eth0:1
        2001:db8::100/64
    }
    $TRACK
    track_script {
        witness_VI_1
    }
}
`
const included = `vrrp_instance VI_2 {
    state MASTER
    interface eth1
    virtual_router_id 52
    native_ipv6
    virtual_ipaddress { fe80::1 }
}
`
const snippets = [
  ...[
    '{',
    '}',
    '"',
    '!',
    '#',
    '@',
    '@^',
    '$',
    '${',
    '}\n',
    '\n',
    '\r\n',
    '\t',
    '\\',
    '\\\n',
    '\0',
    '~',
    '~SEQ(x, 1, 3)',
  ],
  ...[
    '$VIP',
    '${VIP}',
    '$TRACK',
    '$A=$A',
    '$A= \\',
    '$_PWD',
    '${_RANDOM 1 9}',
    '$_HASH',
    '${_INSTANCE}',
    '${NONE}',
  ],
  ...[
    'include',
    'include *',
    'include keepalived.conf',
    'include conf.d/{a,b}*.conf',
    'includer [a',
    'include .',
    'include /dev/null',
  ],
  ...[
    'vrrp_instance',
    'vrrp_instance VI_1',
    'vrrp_instance __proto__ {',
    'vrrp_instance a/b {',
    'priority',
    'priority 0',
    'priority 256',
    'priority 1e3',
  ],
  ...[
    'advert_int -1',
    'advert_int 1e9',
    'advert_int .',
    'virtual_router_id 256',
    'version 2',
    'version 4',
    'interface',
    'interface ${VIP}',
  ],
  ...[
    'virtual_ipaddress {',
    'virtual_ipaddress_excluded { ::/129 }',
    '::1%eth0/64',
    '10.0.0.1/33',
    '999.1.1.1',
    'weight 1',
    'track_file',
  ],
]

describe('keepalived.conf under fuzz', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()
  function write(path: string, content: string): string {
    mkdirSync(dirname(folder(path)), { recursive: true })
    writeFileSync(folder(path), content)
    return folder(path)
  }

  it('tells the place of its mistakes, in whichever file they are', () => {
    const files = new Map([
      ['keepalived.conf', 0],
      ['conf.d/more.conf', 0],
    ])
    fc.assert(
      fc.property(damaged(good, snippets), damaged(included, snippets), (main, more) => {
        for (const [path, text] of [
          ['keepalived.conf', main],
          ['conf.d/more.conf', more],
        ] as const)
          files.set(write(path, text), text.split('\n').length)
        const placed = (text: string): void => {
          const [, file, line] = /^(.*?\.conf)(?::(\d+))?: ./s.exec(text) ?? []
          const lines = files.get(file ?? '')
          assert.ok(lines !== undefined, text)
          assert.ok(line === undefined || (Number(line) >= 1 && Number(line) <= lines), text)
        }
        try {
          const { profiles, warnings } = parseKeepalivedConf(folder('keepalived.conf'), {
            runDir,
            configId: 'lb01',
          })
          for (const profile of profiles) assert.deepEqual(profileSchema.parse(profile), profile)
          warnings.forEach(placed)
        } catch (error) {
          if (!(error instanceof KeepalivedConfError)) throw error
          placed(error.message)
        }
      }),
      { numRuns: storiesFrom(200) },
    )
  })
})
