import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { readStatements } from '../../../../../agent/keepalived-conf/statements.ts'
import { uniqueInstances } from '../../../../../agent/keepalived-conf/profiles.ts'
import { planInsertions } from '../../../../../agent/commands/setup/conf-plan.ts'
import { readBytes } from '../../../../../agent/commands/setup/replace-file.ts'
import { temporaryFolder } from '../../../../fixtures/temporary-folder.ts'
import { instance } from '../../../../fixtures/keepalived-confs.ts'

const fifo = 'vrrp_notify_fifo /run/keepalived-witness/notify.fifo'

describe('where the lines go', () => {
  const folder = temporaryFolder()

  function plan(
    files: Readonly<Record<string, string>>,
    advised = false,
    stateDir: string | null = null,
  ): Record<string, [number, string[]][]> {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(folder(name)), { recursive: true })
      writeFileSync(folder(name), text)
    }
    const path = folder('keepalived.conf')
    const read = readStatements(path, 'me')
    const insertions = planInsertions(read, {
      bases: new Map(read.files.map(({ realPath }) => [realPath, readBytes(realPath)])),
      instances: uniqueInstances(read.root, []),
      options: {
        path,
        runDir: '/run/keepalived-witness',
        checkProgram: '/usr/libexec/keepalived/witness-check',
        stateDir,
        advised,
        tellsPriorities: true,
      },
    })
    return Object.fromEntries(
      [...insertions].map(([realPath, all]) => [
        realPath.slice(folder().length + 1),
        all.map(({ row, lines }) => [row, [...lines]] as [number, string[]]),
      ]),
    )
  }

  it('is nowhere where keepalived would cut the path of the check in two', () => {
    assert.throws(
      () => plan({ 'keepalived.conf': instance('VI_1') }, false, '/srv/my state'),
      /^Error: "\/srv\/my state" cannot be used in the line with which keepalived runs the check/,
    )
  })

  it('is a new global_defs at the top, definitions before the instance, and their use at its end', () => {
    const planned = plan({ 'keepalived.conf': `# head\n\n# web\n${instance('VI_1')}` })
    assert.deepEqual(planned['keepalived.conf'], [
      [2, ['global_defs {', '    script_user root', '    enable_script_security', `    ${fifo}`, '}']],
      [
        2,
        [
          'vrrp_track_file bar_VI_1 {',
          '    file /run/keepalived-witness/VI_1.bar',
          '    weight 0',
          '}',
          'vrrp_script witness_VI_1 {',
          '    script "/usr/libexec/keepalived/witness-check VI_1"',
          '    interval 1',
          '    timeout 2',
          '    fall 1',
          '    rise 1',
          '}',
        ],
      ],
      [
        11,
        [
          '    track_file {',
          '        bar_VI_1',
          '    }',
          '    track_script {',
          '        witness_VI_1',
          '    }',
        ],
      ],
    ])
  })

  it('gives the bar weight 0 where the admin has defined its file with another one', () => {
    const definition = 'vrrp_track_file mine {\n file /run/keepalived-witness/VI_1.bar\n}\n'
    const planned = plan({ 'keepalived.conf': definition + instance('VI_1') })['keepalived.conf']!
    const lines = planned.flatMap(([, added]) => added)
    assert.ok(lines.includes('        mine weight 0'), lines.join('\n'))
    assert.ok(!lines.some((line) => line.includes('bar_VI_1')))
  })

  it('is the file in which each instance stands', () => {
    const planned = plan({ 'keepalived.conf': 'include a\n', a: instance('VI_1') })
    assert.deepEqual(Object.keys(planned), ['keepalived.conf', 'a'])
  })

  it('is a global_defs that is there, but not one below the first script: keepalived would read it too late', () => {
    const defs = 'global_defs {\n\trouter_id x\n}\n'
    const [first] = plan({ 'keepalived.conf': defs + instance('VI_1') })['keepalived.conf']!
    assert.deepEqual(first, [2, ['\tscript_user root', '\tenable_script_security', `\t${fifo}`]])
    const [late] = plan({ 'keepalived.conf': instance('VI_1') + defs })['keepalived.conf']!
    assert.deepEqual([late?.[0], late?.[1][0]], [0, 'global_defs {'])
  })

  it('extends a track_script that is there, in its own indentation', () => {
    const conf = instance('VI_1', '    track_script {\n      chk\n    }\n')
    const inserted = plan({ 'keepalived.conf': conf })['keepalived.conf']!
    assert.deepEqual(
      inserted.find(([, lines]) => lines.length === 1),
      [10, ['      witness_VI_1']],
    )
  })

  it('keeps the condition of the instance on every line', () => {
    const conf = instance('VI_1').replace(/^(?=.)/gm, '@me ')
    const [, ...ofInstance] = plan({ 'keepalived.conf': conf })['keepalived.conf']!
    for (const line of ofInstance.flatMap(([, lines]) => lines)) assert.match(line, /^@me {1,}\S/)
  })

  it('keeps variables of the name, once for a file that is included twice', () => {
    const text = instance('VI_${N}')
    const planned = plan({ 'keepalived.conf': '$N=1\ninclude i\n$N=2\ninclude i\n', i: text })
    assert.deepEqual(
      planned.i!.map(([row]) => row),
      [0, 8],
    )
    assert.match(planned.i![0]![1].join('\n'), /bar_VI_\$\{N\} \{\n {4}file .*\/VI_\$\{N\}\.bar/)
  })

  it('changes neither user nor security of scripts that are there: the check alone is run as root', () => {
    const script = 'vrrp_script chk {\n  script "/bin/true"\n}\n'
    const lines = plan({ 'keepalived.conf': script + instance('VI_1') })['keepalived.conf']!.flatMap(
      ([, all]) => all,
    )
    assert.ok(lines.includes('    user root'))
    assert.ok(lines.includes(`    ${fifo} root`))
    assert.ok(!lines.some((line) => /script_user|enable_script_security/.test(line)))
  })

  it('adds what is advisable only where asked, and nopreempt only where keepalived would heed it', () => {
    const flat = (files: Record<string, string>, advised: boolean) =>
      Object.values(plan(files, advised)).flatMap((all) =>
        all.flatMap(([, lines]) => lines.map((line) => line.trim())),
      )
    const plain = { 'keepalived.conf': instance('VI_1') }
    assert.ok(!flat(plain, false).some((line) => /nopreempt|refresh/.test(line)))
    assert.ok(['nopreempt', 'vrrp_garp_master_refresh 60'].every((line) => flat(plain, true).includes(line)))
    for (const [from, to] of [
      ['state BACKUP', 'state MASTER'],
      ['priority 100', 'priority 255'],
      ['priority 100', 'nopreempt'],
    ] as const)
      assert.ok(!flat({ 'keepalived.conf': instance('VI_1').replace(from, to) }, true).includes('nopreempt'))
  })

  it('is nowhere where all is there', () => {
    const conf = `global_defs {
  ${fifo}
  script_user root
  enable_script_security
}
vrrp_track_file b {
  file /run/keepalived-witness/VI_1.bar
  weight 0
}
vrrp_script w {
  script "/usr/libexec/keepalived/witness-check VI_1"
}
${instance('VI_1', '  track_file {\n b\n }\n track_script {\n w\n }\n')}`
    assert.deepEqual(plan({ 'keepalived.conf': conf }), {})
  })
})
