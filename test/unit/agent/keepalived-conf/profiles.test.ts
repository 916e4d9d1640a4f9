import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { KeepalivedConfError, parseKeepalivedConf } from '../../../../agent/keepalived-conf/profiles.ts'
import { storiesFrom } from '../../../fixtures/effort.ts'

const runDir = '/run/keepalived-witness'

const complete = `! Configuration File for keepalived
global_defs {
    script_user root
    enable_script_security
    vrrp_notify_fifo ${runDir}/notify.fifo
}
vrrp_track_file bar_VI_1 {
    file ${runDir}/VI_1.bar
    weight 0
}
vrrp_script witness_VI_1 {
    script "/usr/libexec/keepalived/witness-check VI_1"
    interval 1
    timeout 2
    fall 1
    rise 1
}
vrrp_instance VI_1 {
    state BACKUP
    nopreempt
    interface eth0      # the LAN
    virtual_router_id 51
    priority 150
    advert_int 1
    virtual_ipaddress {
        10.0.0.100/24 dev eth0 label eth0:1
        10.0.0.101
    }
    virtual_ipaddress_excluded {
        2001:db8::100/64
    }
    track_file {
        bar_VI_1
    }
    track_script {
        witness_VI_1
    }
}
`

describe('keepalived.conf', () => {
  let folder: string
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'keepalived-conf-'))))
  afterEach(() => rmSync(folder, { recursive: true }))

  function write(name: string, content: string): string {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
    return path
  }
  const parse = (content: string, options: Parameters<typeof parseKeepalivedConf>[1] = {}) =>
    parseKeepalivedConf(write('keepalived.conf', content), options)
  const only = (content: string, options: Parameters<typeof parseKeepalivedConf>[1] = {}) => {
    const { profiles } = parse(content, options)
    assert.equal(profiles.length, 1)
    return profiles[0]!
  }
  const instance = (lines: string, name = 'VI') =>
    `vrrp_instance ${name} {\n interface eth0\n virtual_router_id 7\n${lines}\n}\n`
  const vip = 'virtual_ipaddress {\n 10.0.0.9\n }'

  it('gives the profile of an instance and nothing to warn of', () => {
    const { profiles, warnings } = parse(complete, { runDir })
    assert.deepEqual(warnings, [])
    assert.deepEqual(profiles, [
      {
        instance: 'VI_1',
        virtualRouterId: 51,
        interface: 'eth0',
        version: 2,
        priority: 150,
        nopreempt: true,
        advertIntMs: 1000,
        downTimerAdverts: 3,
        vips: ['10.0.0.100/24', '10.0.0.101', '2001:db8::100/64'],
        compared: { state: 'BACKUP', auth: 'none', unicast: null },
      },
    ])
  })

  it('takes keepalived’s defaults', () => {
    const profile = only(instance(vip))
    assert.equal(profile.priority, 100)
    assert.equal(profile.advertIntMs, 1000)
    assert.equal(profile.nopreempt, false)
    assert.equal(profile.version, 2)
  })

  it('reads after how many missed adverts keepalived promotes itself', () => {
    const adverts = (content: string) => only(content).downTimerAdverts
    assert.equal(adverts(instance(vip)), 3)
    assert.equal(adverts(instance(`down_timer_adverts 1\n${vip}`)), 1)
    const globally = (lines: string) => `global_defs {\n${lines}\n}\n`
    assert.equal(adverts(globally('vrrp_down_timer_adverts 2') + instance(vip)), 2)
    assert.equal(adverts(instance(vip) + globally('vrrp_down_timer_adverts 2')), 2)
    assert.equal(adverts(globally('vrrp_down_timer_adverts 2') + instance(`down_timer_adverts 5\n${vip}`)), 5)
    assert.equal(adverts(globally('vrrp_strict') + instance(`down_timer_adverts 5\n${vip}`)), 3)
    const { profiles, warnings } = parse(instance(`down_timer_adverts 101\n${vip}`))
    assert.equal(profiles[0]?.downTimerAdverts, 3)
    assert.match(warnings.join('\n'), /down_timer_adverts must be 1 to 100; keepalived ignores the line/)
  })

  it('knows that "state MASTER" without a priority is priority 255, and that it undoes nopreempt', () => {
    const { profiles, warnings } = parse(instance(`state MASTER\nnopreempt\n${vip}`))
    assert.equal(profiles[0]?.priority, 255)
    assert.equal(profiles[0].nopreempt, false)
    assert.match(
      warnings.join('\n'),
      /keepalived\.conf:5: VI: keepalived ignores nopreempt with "state MASTER"/,
    )
  })

  it('lets "preempt" after "nopreempt" win, as keepalived does', () => {
    assert.equal(only(instance(`nopreempt\npreempt\n${vip}`)).nopreempt, false)
    assert.equal(only(instance(`preempt\nnopreempt\n${vip}`)).nopreempt, true)
  })

  describe('VRRP version and advert_int', () => {
    const version3 = 'global_defs {\n vrrp_version 3\n}\n'

    it('takes the global version where the instance has none of its own', () => {
      assert.equal(only(version3 + instance(vip)).version, 3)
      assert.equal(only(instance(vip) + version3).version, 3)
      assert.equal(only(version3 + instance(`version 2\n${vip}`)).version, 2)
      assert.equal(only(instance(`version 3\n${vip}`)).version, 3)
    })

    it('is 3 for IPv6', () => {
      const profile = only(instance('virtual_ipaddress {\n fe80::1/64\n 2001:db8::1/64 dev eth0\n }'))
      assert.equal(profile.version, 3)
      assert.deepEqual(profile.vips, ['fe80::1/64', '2001:db8::1/64'])
    })

    it('rounds to whole seconds in version 2 and to hundredths in version 3', () => {
      const rounded = (advertInt: string, version: number) =>
        only(instance(`version ${version}\nadvert_int ${advertInt}\n${vip}`)).advertIntMs
      assert.equal(rounded('0.3', 2), 1000)
      assert.equal(rounded('1.5', 2), 2000)
      assert.equal(rounded('2.4', 2), 2000)
      assert.equal(rounded('0.3', 3), 300)
      assert.equal(rounded('.25', 3), 250)
      assert.equal(rounded('0.123456', 3), 120)
      assert.equal(rounded('100', 3), 40_950)
      assert.equal(rounded('255', 2), 255_000)
      assert.equal(rounded('256', 2), 1000)
      assert.equal(rounded('-1', 2), 1000)
      assert.equal(rounded('fast', 3), 1000)
    })
  })

  describe('grammar', () => {
    it('reads braces wherever they stand', () => {
      const { profiles } = parse(
        'vrrp_instance A{interface eth0}\nvrrp_instance B\n{\n\ninterface eth1\n}\nvrrp_instance C { interface eth2\nvirtual_ipaddress { 10.0.0.1/32 } }',
      )
      assert.deepEqual(
        profiles.map((profile) => [profile.instance, profile.interface, profile.vips]),
        [
          ['A', 'eth0', []],
          ['B', 'eth1', []],
          ['C', 'eth2', ['10.0.0.1']],
        ],
      )
    })

    it('drops comments after "!" and "#", but not in quotes or after a backslash', () => {
      const conf = `global_defs { ! { not a brace\n router_id "a # b { ! }" # }\n smtp_helo_name a\\#b\n}\n`
      assert.equal(only(conf + instance(`priority 9!9\n#priority 8\n${vip}`)).priority, 9)
    })

    it('reads quoted words without their quotes', () => {
      assert.equal(
        only('vrrp_instance "VI_q" {\n interface "eth0"\n virtual_router_id "3"\n}').interface,
        'eth0',
      )
    })

    it('reads files with CRLF line ends, tabs, no last newline', () => {
      assert.equal(only(`vrrp_instance V {\r\n\tpriority\t42\t\r\n}`).priority, 42)
    })

    it('takes for a blank only what keepalived does, and tells of what merely looks like one', () => {
      const path = write(
        'keepalived.conf',
        '\ufeffglobal_defs {\n vrrp_version 3\n}\nvrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n priority\u00a0120\n virtual_ipaddress {\n 10.0.0.100 # one\u3000more\n }\n}\n',
      )
      const { profiles, warnings } = parseKeepalivedConf(path)
      assert.deepEqual(
        profiles.map(({ version, priority }) => [version, priority]),
        [[2, 100]],
      )
      assert.match(warnings[2] ?? '', /:1: keepalived knows no block "\ufeffglobal_defs" here/)
      assert.deepEqual(
        warnings.slice(0, 2),
        ['1: U+FEFF', '7: U+00A0'].map(
          (where) =>
            `${path}:${where.replace('U+', 'keepalived takes U+')} for a part of the word, not for a blank; delete it or replace it with a plain blank`,
        ),
      )
    })

    it('does not count a line of which keepalived would read the rest as another one, and says so', () => {
      const path = write(
        'keepalived.conf',
        `vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n priority 120 # ${'x'.repeat(1400)}\n virtual_ipaddress {\n 10.0.0.100\n }\n}\n`,
      )
      const { profiles, warnings } = parseKeepalivedConf(path)
      assert.equal(profiles[0]?.priority, 100)
      assert.deepEqual(warnings, [
        `${path}:4: this line is too long for keepalived and is ignored; keep it under 1023 bytes`,
      ])
    })

    it('passes over what it does not need: LVS, sync groups, unknown keywords', () => {
      const conf = `virtual_server 10.0.0.1 80 {\n delay_loop 6\n real_server 10.0.0.2 80 {\n TCP_CHECK {\n connect_timeout 3\n }\n }\n}
vrrp_sync_group G {\n group {\n VI\n }\n}\nnew_keyword of { the { future } }\n`
      assert.equal(only(conf + instance(vip)).instance, 'VI')
    })

    it('leaves out a second instance of the same name, and addresses that are none', () => {
      const { profiles, warnings } = parse(
        instance(
          `priority 10\nvirtual_ipaddress {\n 10.0.0.1\n 10.0.0.1\n 10.0.0.999\n 2001:db8::1\n 10.0.0.2%eth0\n}`,
        ) + instance('priority 20'),
      )
      assert.deepEqual(
        profiles.map(({ priority, vips }) => [priority, vips]),
        [[10, ['10.0.0.1']]],
      )
      assert.equal(warnings.length, 4)
      assert.match(warnings[1]!, /keepalived\.conf:8: VI: "10\.0\.0\.999" is not an IP address/)
      assert.match(warnings[0]!, /VI is already defined at .*keepalived\.conf:1/)
    })

    it('says what keepalived makes of impossible numbers', () => {
      const { profiles, warnings } = parse('vrrp_instance V {\n priority 300\n virtual_router_id 256\n}')
      assert.equal(profiles[0]?.priority, 100)
      assert.equal(profiles[0].virtualRouterId, 0)
      assert.match(warnings.join('\n'), /:2: V: priority must be 1 to 255/)
      assert.match(warnings.join('\n'), /:3: V: there is no valid virtual_router_id/)
    })
  })

  describe('braces that keepalived ignores', () => {
    const pair = (lines: string) =>
      `vrrp_instance VI {\ninterface eth0\nvirtual_router_id 7\n${lines}\nvirtual_ipaddress {\n10.0.0.9\n}\n}\n`

    it('a surplus "}" at the end: the pair works, and a warning says where it is', () => {
      const { profiles, warnings } = parse(`${pair('')}}\n`)
      assert.deepEqual(profiles[0]?.vips, ['10.0.0.9'])
      assert.deepEqual(warnings, [
        `${join(folder, 'keepalived.conf')}:9: keepalived ignores this "}", because no block is open; remove it`,
      ])
    })

    it('the "{" of a misspelt block: the instance ends at its "}", without a VIP', () => {
      const { profiles, warnings } = parse(pair('unicast_peers {\n10.0.0.12\n}'))
      assert.deepEqual(profiles[0]?.vips, [])
      assert.match(
        warnings.join('\n'),
        /:4: keepalived knows no block "unicast_peers" here and ignores its "{", so its "}" ends "vrrp_instance VI"/,
      )
      assert.match(warnings.join('\n'), /VI: there is no virtual_ipaddress/)
    })

    it('the "{" after a keyword that has no block', () => {
      const { profiles } = parse(pair('track_primary {\n}\npriority 50'))
      assert.deepEqual([profiles[0]?.priority, profiles[0]?.vips], [100, []])
    })

    it('those of a block that it does not know outside of instances: what is inside counts', () => {
      const { profiles, warnings } = parse(`vrrp_instances {\n${pair('')}}\n`)
      assert.deepEqual(profiles[0]?.vips, ['10.0.0.9'])
      assert.equal(warnings.length, 1)
      assert.match(warnings[0]!, /:1: keepalived knows no block "vrrp_instances" here and reads its lines/)
    })

    it('a missing "{", with a warning', () => {
      const { profiles, warnings } = parse(pair('').replace('virtual_ipaddress {', 'virtual_ipaddress'))
      assert.deepEqual(profiles[0]?.vips, ['10.0.0.9'])
      assert.match(warnings.join('\n'), /:5: the "{" of this block is missing; add it/)
    })

    it('and passes over the blocks of other processes, whatever is in them', () => {
      const others = 'virtual_server 10.0.0.9 80 {\nreal_server 10.0.0.2 80 {\nNEW_CHECK {\n}\n}\n}\n'
      assert.deepEqual(parse(others + pair('')).profiles[0]?.vips, ['10.0.0.9'])
      assert.deepEqual(parse(others + pair('')).warnings, [])
    })
  })

  describe('definitions', () => {
    it('are applied with and without braces', () => {
      const conf = `$PRIO=120\n$NET=10.0.0\n$IF = eth9\n`
      const profile = only(conf + instance(`priority $PRIO\nvirtual_ipaddress {\n \${NET}.7/24 dev $IF\n}`))
      assert.equal(profile.priority, 120)
      assert.deepEqual(profile.vips, ['10.0.0.7/24'])
    })

    it('may be redefined, and count from where they stand', () => {
      assert.equal(only('$P=1\n$P=2\n' + instance('priority $P') + '$P=3\n').priority, 2)
    })

    it('may have several lines', () => {
      const conf = `$COMMON=  \\\ninterface eth3\\\n  virtual_ipaddress { \\\n 10.0.0.5 \\\n}\n`
      const profile = only(conf + 'vrrp_instance VI {\n $COMMON\n priority 77\n}')
      assert.deepEqual([profile.interface, profile.vips, profile.priority], ['eth3', ['10.0.0.5'], 77])
    })

    it('may use each other', () => {
      const conf = '$A=5\n$B=1${A}\n$C=priority ${B}0\n'
      assert.equal(only(conf + instance('$C')).priority, 150)
    })

    it('are refused where they use themselves', () => {
      for (const conf of ['$A=$A\npriority $A\n', '$A=x ${B}\n$B=${A}\nfoo $A\n', '$A=x \\\n$A\n$A\n']) {
        assert.throws(
          () => parse(conf),
          /keepalived\.conf:\d+: (a definition uses itself|the configuration is too long|the line is too long)/,
        )
      }
    })

    it('are refused where only the running keepalived knows the value', () => {
      assert.throws(
        () => parse(instance('priority ${_RANDOM 1 9}')),
        /keepalived\.conf:4: priority takes its value from \$_RANDOM, .* write out the value/,
      )
      assert.equal(parse('global_defs {\n router_id ${_RANDOM}\n}\n' + instance(vip)).profiles.length, 1)
    })

    it('are told of where they are missing', () => {
      assert.match(
        parse('global_defs {\n router_id ${NOWHERE}\n}').warnings.join(),
        /:2: \$\{NOWHERE\} is not defined/,
      )
    })
  })

  describe('conditions', () => {
    const conf = instance(`@lb01 priority 150\n@^lb01 priority 90\n@lb0 nopreempt\n@\n@lb01\n${vip}`)

    it('take the lines of this host only', () => {
      assert.equal(only(conf, { configId: 'lb01' }).priority, 150)
      assert.equal(only(conf, { configId: 'lb02' }).priority, 90)
      assert.equal(only(conf, { configId: 'lb01' }).nopreempt, false)
    })

    it('hold for definitions too, and may come out of one', () => {
      const defined = '@lb01 $P=1\n@^lb01 $P=2\n$FIRST=@lb01\n' + instance('priority $P\n${FIRST} nopreempt')
      assert.deepEqual(
        [only(defined, { configId: 'lb01' }).priority, only(defined, { configId: 'lb01' }).nopreempt],
        [1, true],
      )
      assert.deepEqual(
        [only(defined, { configId: 'x' }).priority, only(defined, { configId: 'x' }).nopreempt],
        [2, false],
      )
    })
  })

  describe('include', () => {
    it('reads files relative to the including one, sorted, with wildcards and braces', () => {
      write('conf.d/b.conf', instance('', 'B'))
      write('conf.d/a.conf', 'include more/*.inc\n' + instance('', 'A'))
      write('conf.d/more/1.inc', instance('', 'M1'))
      write('conf.d/more/2.inc', instance('', 'M2'))
      write('conf.d/.hidden.conf', instance('', 'HIDDEN'))
      write('x1.conf', instance('', 'X1'))
      write('x2.conf', instance('', 'X2'))
      const { profiles, warnings } = parse(
        'include conf.d/*.conf\nincluder x{1,2}.conf\n' + instance('', 'LAST'),
      )
      assert.deepEqual(
        profiles.map((profile) => profile.instance),
        ['M1', 'M2', 'A', 'B', 'X1', 'X2', 'LAST'],
      )
      assert.deepEqual(
        warnings.filter((warning) => !warning.includes('virtual_ipaddress')),
        [],
      )
    })

    it('works in the middle of a block, and definitions reach both ways', () => {
      write('inside.conf', 'priority $P\n$Q=eth5\n')
      const profile = only('$P=33\nvrrp_instance V {\n include inside.conf\n interface $Q\n}')
      assert.deepEqual([profile.priority, profile.interface], [33, 'eth5'])
    })

    it('names the included file and its line', () => {
      write('inside.conf', '\nvirtual_ipaddress {\n nonsense\n}\n')
      assert.match(
        parse('vrrp_instance V {\n include inside.conf\n}').warnings.join('\n'),
        /inside\.conf:3: V: "nonsense"/,
      )
    })

    it('passes over missing, executable and other files as keepalived does, and says so', () => {
      write('run.conf', 'vrrp_instance X {\n}\n')
      chmodSync(join(folder, 'run.conf'), 0o755)
      mkdirSync(join(folder, 'dir.conf'))
      const { profiles, warnings } = parse(
        'include nothing.conf\ninclude nothing/*.conf\ninclude run.conf\ninclude dir.conf\n',
      )
      assert.deepEqual(profiles, [])
      assert.match(warnings[0]!, /keepalived\.conf:1: include nothing\.conf: no such file/)
      assert.match(warnings.join('\n'), /:3: include: keepalived skips .*run\.conf/)
      assert.match(warnings.join('\n'), /:4: include: keepalived skips .*dir\.conf/)
      assert.ok(!warnings.join('\n').includes('*'))
    })

    it('refuses loops', () => {
      write('a.conf', 'include b.conf\n')
      write('b.conf', 'include link.conf\n')
      symlinkSync(join(folder, 'a.conf'), join(folder, 'link.conf'))
      assert.throws(() => parse('include a.conf\n'), /b\.conf:1: include loop: .*link\.conf includes itself/)
      assert.throws(() => parse('include keepalived.conf\n'), /keepalived\.conf:1: include loop/)
    })
  })

  describe('refusals', () => {
    const refusals: [string, RegExp][] = [
      [
        'vrrp_instance V {\n priority 1\n',
        /keepalived\.conf:1: the block "vrrp_instance V" is not closed; add the missing "}"/,
      ],
      ['~SEQ(i, 1, 5) foo $i\n', /keepalived\.conf:1: the agent does not understand ~SEQ and ~LST; write/],
    ]
    for (const [content, message] of refusals) {
      it(`says where and what: ${message.source.slice(0, 60)}`, () => {
        assert.throws(
          () => parse(content),
          (error) => error instanceof KeepalivedConfError && message.test(error.message),
        )
      })
    }

    it('never refuses all instances because of one: what cannot be protected is left out and named', () => {
      const { profiles, warnings } = parse(`vrrp_instance ../etc {\n}\n${instance(vip)}`)
      assert.deepEqual(
        profiles.map((profile) => profile.instance),
        ['VI'],
      )
      assert.match(warnings[0]!, /keepalived\.conf:1: vrrp_instance "\.\.\/etc" is NOT protected.*rename/)
    })

    it('protects the first 64 instances, and says which ones it does not', () => {
      const conf = Array.from({ length: 66 }, (_, i) => instance(vip, `V${i}`)).join('')
      const { profiles, warnings } = parse(conf)
      assert.equal(profiles.length, 64)
      const left = warnings.filter((text) => text.includes('NOT protected'))
      assert.equal(left.length, 2)
      assert.match(left[0]!, /keepalived\.conf:\d+: vrrp_instance V64 is NOT protected/)
    })

    it('protects any number of VIPs, and tells of the first 64', () => {
      const many = Array.from({ length: 200 }, (_, i) => `10.0.0.${i}\n`).join('')
      const { profiles, vips, warnings } = parse(instance(`virtual_ipaddress {\n${many}}`))
      assert.deepEqual(warnings, [])
      assert.equal(vips.get('VI')?.length, 200)
      assert.equal(profiles[0]?.vips.length, 64)
    })

    it('names a file that is missing or none', () => {
      assert.throws(
        () => parseKeepalivedConf(join(folder, 'no.conf')),
        /no\.conf: cannot be read .*ENOENT.*check the path/,
      )
      assert.throws(() => parseKeepalivedConf(folder), /not a regular file/)
      assert.throws(() => parseKeepalivedConf('/dev/zero'), /not a regular file/)
    })
  })

  describe('the product’s own lines', () => {
    const warningsOf = (content: string) => parse(content, { runDir }).warnings

    it('are not looked for without a run folder', () => {
      assert.deepEqual(parse(instance(vip)).warnings, [])
    })

    it('are all asked for where none is there', () => {
      const warnings = warningsOf(instance(vip))
      assert.equal(warnings.length, 3)
      assert.match(
        warnings[0]!,
        /keepalived\.conf: vrrp_notify_fifo is missing; add "vrrp_notify_fifo \/run\/keepalived-witness\/notify\.fifo"/,
      )
      assert.match(
        warnings[1]!,
        /keepalived\.conf:1: VI: there is no track_file for \/run\/keepalived-witness\/VI\.bar/,
      )
      assert.match(
        warnings[2]!,
        /keepalived\.conf:1: VI: there is no track_script that runs "witness-check VI"/,
      )
    })

    it('may use either name of a track file, and either place of its weight', () => {
      assert.deepEqual(warningsOf(complete.replace('vrrp_track_file', 'track_file')), [])
      assert.deepEqual(
        warningsOf(
          complete.replace('    weight 0\n', '').replace('        bar_VI_1\n', '        bar_VI_1 weight 0\n'),
        ),
        [],
      )
    })

    const faults: [string, string, string, RegExp][] = [
      [
        'another FIFO',
        'notify.fifo',
        'other.fifo',
        /:5: vrrp_notify_fifo is used by a program of yours.*add "notify_fifo \/run\/keepalived-witness\/notify\.fifo root" to global_defs/,
      ],
      ['a bar with a weight', 'weight 0', 'weight -20', /:33: VI_1: track_file bar_VI_1 needs "weight 0"/],
      ['a bar without a weight', '    weight 0\n', '', /VI_1: track_file bar_VI_1 needs "weight 0"/],
      [
        'a bar that keepalived overwrites at its start',
        '    weight 0\n',
        '    weight 0\n    init_file 0 overwrite\n',
        /:10: VI_1: keepalived writes a value of its own into the bar file at each start/,
      ],
      [
        'a bar that is on until the agent starts',
        '    weight 0\n',
        '    weight 0\n    init_file 1\n',
        /:10: VI_1: keepalived writes a value of its own/,
      ],
      ['a reversed bar', 'weight 0', 'weight 0 reverse', /VI_1: track_file bar_VI_1 needs "weight 0"/],
      ['another bar file', 'VI_1.bar', 'VI_2.bar', /:18: VI_1: there is no track_file for .*VI_1\.bar/],
      [
        'a check of another instance',
        'witness-check VI_1',
        'witness-check VI_2',
        /:18: VI_1: there is no track_script/,
      ],
      [
        'a check that nobody tracks',
        '        witness_VI_1\n',
        '        other\n',
        /:18: VI_1: there is no track_script/,
      ],
      [
        'a check with a weight',
        '        witness_VI_1\n',
        '        witness_VI_1 weight 10\n',
        /the check needs weight 0/,
      ],
      ['a slow check', 'interval 1', 'interval 5', /:13: VI_1: the check needs "interval 1"/],
      ['a hasty check', 'timeout 2', 'timeout 1', /:14: VI_1: the check needs "timeout 2"/],
      ['a check whose time is its interval', '    timeout 2\n', '', /VI_1: the check needs "timeout 2"/],
      [
        'a check as another user',
        'script_user root',
        'script_user nobody',
        /:3: VI_1: the check must run as root/,
      ],
      [
        'a check as the default user',
        '    script_user root\n    enable_script_security\n',
        '',
        /:9: VI_1: the check must run as root/,
      ],
    ]

    const fifoRow = `    vrrp_notify_fifo ${runDir}/notify.fifo\n`

    it('may have the FIFO in either of the two places where keepalived writes changes of state', () => {
      assert.deepEqual(
        warningsOf(
          complete.replace(
            fifoRow,
            `    vrrp_notify_fifo /run/mine.fifo\n    notify_fifo ${runDir}/notify.fifo\n`,
          ),
        ),
        [],
      )
    })

    it('are told what to do where the admin uses both FIFOs', () => {
      const conf = complete.replace(fifoRow, '    vrrp_notify_fifo /run/one\n    notify_fifo /run/other\n')
      const [warning = '', ...more] = warningsOf(conf)
      assert.deepEqual(more, [])
      assert.match(warning, /:5: vrrp_notify_fifo is \/run\/one, and notify_fifo \(.*:6\) is \/run\/other/)
      assert.match(warning, /give it lvs_notify_fifo; .*"notify" scripts/)
    })

    it('lose their FIFO to a script that keepalived starts for it', () => {
      const conf = complete.replace(fifoRow, `${fifoRow}    vrrp_notify_fifo_script /opt/reader root\n`)
      const [warning = '', ...more] = warningsOf(conf)
      assert.deepEqual(more, [])
      assert.match(warning, /:6: vrrp_notify_fifo_script starts a program that reads the agent's FIFO/)
      assert.match(warning, /\(.*:5\) to "notify_fifo \/run\/keepalived-witness\/notify\.fifo root"/)
    })

    it('lose their FIFO to a script behind any keyword that names it', () => {
      for (const [keyword, script] of [
        ['notify_fifo', 'notify_fifo_script'],
        ['lvs_notify_fifo', 'lvs_notify_fifo_script'],
      ]) {
        const second = `${fifoRow}    ${keyword} /run/keepalived-witness/notify.fifo\n    ${script} /opt/reader root\n`
        const { fifoReaders } = parse(complete.replace(fifoRow, second), { runDir })
        assert.equal(fifoReaders.length, 1)
        assert.match(
          fifoReaders[0] ?? '',
          new RegExp(`:7: ${script} starts a program that reads the agent's FIFO`),
        )
      }
    })

    it('do not go where only a script of the admin’s waits for a FIFO', () => {
      const conf = complete.replace(fifoRow, '    vrrp_notify_fifo_script /opt/reader root\n')
      assert.match(warningsOf(conf).join(), /:5: vrrp_notify_fifo is used by .*add "notify_fifo /)
    })

    it('are lost at a reload where the FIFO stands above the user of scripts', () => {
      const early = complete
        .replace(fifoRow, '')
        .replace('    script_user root\n', `${fifoRow}    script_user root\n`)
      const warnings = warningsOf(early)
      assert.equal(warnings.length, 2)
      assert.match(
        warnings[0]!,
        /:3: with enable_script_security, keepalived drops this FIFO .* named only later, at .*:4/,
      )
      assert.match(warnings[1]!, /VI_1: keepalived drops this check at a reload .*; add "user root"/)
      const named = early.replace('notify.fifo\n', 'notify.fifo root\n')
      assert.deepEqual(warningsOf(named), [])
      assert.deepEqual(warningsOf(early.replace('    enable_script_security\n', '')), [])
    })

    it('are lost, too, where another line without a user stands above it', () => {
      const early = complete.replace('    script_user', '    lvs_notify_fifo /run/lvs\n    script_user')
      const warnings = warningsOf(early).join('\n')
      assert.match(
        warnings,
        /:6: with enable_script_security.* named only later, at .*:4, after .*:3 needed it/,
      )
      assert.match(warnings, /add "user root" to this vrrp_script/)
    })

    for (const [keyword, name] of [
      ['vrrp_track_file', 'bar_VI_1'],
      ['vrrp_script', 'witness_VI_1'],
    ] as const) {
      it(`warns of a ${keyword} below its use, which keepalived ignores`, () => {
        const definition = new RegExp(`^${keyword} [^}]*}\\n`, 'm').exec(complete)?.[0] ?? ''
        const [warning = '', ...more] = warningsOf(complete.replace(definition, '') + definition)
        assert.deepEqual(more, [])
        assert.match(
          warning,
          new RegExp(`keepalived ignores ${name} here, because it is defined only later, at .*conf:\\d+`),
        )
      })
    }
    for (const [what, from, to, message] of faults) {
      it(`warns of ${what}`, () => {
        assert.ok(complete.includes(from))
        const warnings = warningsOf(complete.replace(from, to))
        assert.equal(warnings.length, 1, warnings.join('\n'))
        assert.match(warnings[0]!, message)
      })
    }
  })

  describe('whatever the file holds', () => {
    const words = fc.constantFrom(
      ...'{ } " \' \\ # ! @lb @^lb $A=$B ${A} $A $B=\\ ~SEQ include include* keepalived.conf vrrp_instance VI'.split(
        ' ',
      ),
      ...'virtual_ipaddress 10.0.0.1/24 priority 5 advert_int 0.5 track_file track_script global_defs'.split(
        ' ',
      ),
      ...['\n', '\n', '\t', '\0', '\\\n', '${_RANDOM 1 2}', '\u2028', '\r'],
    )
    const soup = fc
      .array(fc.oneof(words, fc.string({ maxLength: 5 })), { maxLength: 60 })
      .map((parts) => parts.join(' '))

    it('ends, and throws nothing but its own error', () => {
      fc.assert(
        fc.property(soup, (content) => {
          try {
            parse(content, { runDir, configId: 'lb' })
          } catch (error) {
            if (!(error instanceof KeepalivedConfError)) throw error
          }
        }),
        { numRuns: storiesFrom(500) },
      )
    })

    it('reads any cut of a good file without another error', () => {
      for (let length = 0; length < complete.length; length += 7) {
        try {
          parse(complete.slice(0, length), { runDir })
        } catch (error) {
          assert.ok(error instanceof KeepalivedConfError)
        }
      }
    })
  })
})
