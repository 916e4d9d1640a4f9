import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { draftApply } from '../../../../../agent/commands/setup/conf-draft.ts'
import { reportOf, type Report } from '../../../../../agent/commands/setup/conf-report.ts'
import { defaultTiming } from '../../../../../shared/core/timing.ts'
import { temporaryFolder } from '../../../../fixtures/temporary-folder.ts'
import { instance } from '../../../../fixtures/keepalived-confs.ts'

describe('what setup tells of a configuration', () => {
  const folder = temporaryFolder()

  function report(text: string, advised = false, tellsPriorities = true): Report {
    const path = folder('keepalived.conf')
    writeFileSync(path, text)
    const checkProgram = '/usr/libexec/keepalived/witness-check'
    const draft = draftApply({
      path,
      configId: 'me',
      runDir: '/run/keepalived-witness',
      checkProgram,
      stateDir: null,
      advised,
      tellsPriorities,
    })
    return reportOf({ ...draft, timing: defaultTiming })
  }

  it('has each instance with all that matters, at its place in the file as it is', () => {
    const conf = `# head
vrrp_sync_group G {
    group {
        VI_1 VI_2
    }
}
${instance(
  'VI_1',
  `    use_vmac vrrp.51
    nopreempt
    unicast_peer {
        192.0.2.2
    }
    virtual_ipaddress_excluded {
        2001:db8::1/64
    }
`,
)}${instance('VI_2', '    version 3\n    advert_int 0.5\n', 52)}`
    const [first = '', second = ''] = report(conf).instances
    assert.match(
      first,
      /^VI_1 \(.*keepalived\.conf:7\): VIPs 10\.0\.0\.51\/24, 2001:db8::1\/64, 1 of them excluded/,
    )
    for (const part of [
      'priority 100',
      'nopreempt',
      'VRRP version 2',
      'advert_int 1 s (promotes itself after 3.61 s)',
    ])
      assert.ok(first.includes(part), part)
    assert.match(first, /unicast to 192\.0\.2\.2, on a virtual MAC \(vrrp\.51\), in sync group G$/)
    assert.match(
      second,
      /preempts, VRRP version 3, advert_int 0\.5 s \(promotes itself after 1\.80 s\), multicast/,
    )
  })

  it('warns with numbers where keepalived promotes itself before the votes are free', () => {
    const { warnings } = report(instance('VI_1', '    version 3\n    advert_int 0.5\n'))
    assert.match(
      warnings.join('\n'),
      /keepalived\.conf:1: VI_1: keepalived may promote itself 1305 ms after the holder died, but votes are kept for 1900 ms/,
    )
    assert.deepEqual(report(instance('VI_1')).warnings, [])
  })

  it('warns that a sync group goes into FAULT as a whole', () => {
    const conf = `vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\n${instance('VI_1')}${instance('VI_2', '', 52)}`
    assert.match(
      report(conf).warnings.join('\n'),
      /:1: VI_1, VI_2 are in sync group G, so a bar .* puts all of them into FAULT/,
    )
  })

  it('warns of a line that only the admin may change', () => {
    const conf = `global_defs {\n vrrp_notify_fifo /run/mine\n notify_fifo /run/too\n}\n${instance('VI_1')}`
    assert.match(report(conf).warnings.join('\n'), /:2: vrrp_notify_fifo is \/run\/mine/)
  })

  it('warns of a VIP that is a static address, too', () => {
    const conf = `static_ipaddress {\n 10.0.0.51 dev eth0 scope global\n 10.0.0.5/24 dev eth0\n}\n${instance('VI_1')}`
    const warnings = report(conf).warnings
    assert.equal(warnings.length, 1)
    assert.match(warnings[0] ?? '', /:2: VI_1: 10\.0\.0\.51 is in static_ipaddress .*:5\), .* Remove it/)
  })

  it('tells of a notify_master that a node runs although it loses the vote', () => {
    const told = report(instance('VI_1', '    notify_master "/opt/move attach"\n')).advice.join('\n')
    assert.match(
      told,
      /: VI_1: if VRRP is blocked, .* set "gate: strict" for this cluster in witness\.yaml on the witness host/,
    )
    assert.doesNotMatch(report(instance('VI_1')).advice.join('\n'), /gate: strict/)
  })

  it('advises to let keepalived tell its priority where something has a weight', () => {
    const weighed = (globals: string, rows = '', tellsPriorities = true): string =>
      report(
        `global_defs {\n${globals}\n}\nvrrp_script app {\n script /bin/true\n weight -60\n}\n${instance('VI_1', `    track_script {\n app\n }\n${rows}`)}`,
        false,
        tellsPriorities,
      ).advice.join('\n')
    const add = /Add "vrrp_notify_priority_changes true" to global_defs, if keepalived is 2\.0\.16 or later/
    // Setup adds the line itself.
    assert.doesNotMatch(weighed(''), add)
    // It does not for a keepalived that is too old, beside a program that reads the FIFO, and against the admin's word.
    assert.match(weighed('', '', false), add)
    assert.match(weighed('', '', false), /: VI_1: something that it tracks has a weight, .*witness is dead/)
    assert.match(weighed('vrrp_notify_fifo /run/mine'), add)
    assert.match(weighed('notify_fifo /run/mine'), add)
    assert.match(weighed('vrrp_notify_priority_changes false'), add)
    assert.match(weighed('', '    notify_priority_changes false\n'), add)
    assert.doesNotMatch(weighed('', '    nopreempt\n', false), /witness is dead/)
    assert.doesNotMatch(weighed('vrrp_notify_priority_changes true'), add)
    assert.doesNotMatch(report(instance('VI_1')).advice.join('\n'), /Add "vrrp_notify/)
  })

  it('advises on priorities always, on the rest until it is done', () => {
    const plain = report(instance('VI_1')).advice
    assert.equal(plain.length, 3)
    assert.match(
      plain.join('\n'),
      /vrrp_garp_master_refresh 60.*priorities on this node: VI_1 100\..*:1: VI_1: without nopreempt/s,
    )
    assert.match(report(instance('VI_1'), true).advice.join('\n'), /^priorities on this node[^\n]*$/)
    const master = report(instance('VI_1').replace('BACKUP', 'MASTER')).advice
    assert.match(
      master.at(-1) ?? '',
      /:2: VI_1: with "state MASTER" keepalived promotes itself at each start/,
    )
  })

  it('says what becomes of scripts that are there', () => {
    const script = 'vrrp_script chk {\n script /bin/true\n}\n'
    assert.match(
      report(script + instance('VI_1')).advice.join('\n'),
      /setup adds no script_user.*enable_script_security keeps/s,
    )
    const named = `global_defs {\n script_user nobody\n}\n${script}${instance('VI_1')}`
    assert.match(
      report(named).advice.join('\n'),
      /:2: script_user is nobody; it stays as it is for your scripts/,
    )
  })
})
