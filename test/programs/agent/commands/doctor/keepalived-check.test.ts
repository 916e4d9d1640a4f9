import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  checkBar,
  checkConfiguration,
  checkFifo,
  checkLoaded,
  checkPermits,
  checkProcess,
  checkProcessTable,
  checkStamps,
  checkStaticVips,
} from '../../../../../agent/commands/doctor/keepalived-check.ts'
import { vipOn } from '../../../../fixtures/vips.ts'
import { unseen } from '../../../../../agent/keepalived/process.ts'
import { writePermit } from '../../../../../agent/check/permit-file.ts'

const bootId = 'a-boot-of-the-test'

describe('the doctor looks at keepalived:', () => {
  let folder = ''
  let fifo = ''
  /** A /proc of one process, 42. */
  let proc = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'doctor-'))
    fifo = join(folder, 'notify.fifo')
    proc = join(folder, 'proc')
    for (const name of ['fd', 'fdinfo']) mkdirSync(join(proc, '42', name), { recursive: true })
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('its processes', () => {
    const look = { ...unseen, vrrpPid: 43 }
    assert.equal(checkProcess({ ...look, state: 'running' }).verdict, 'ok')
    assert.equal(checkProcess({ ...look, state: 'frozen' }).verdict, 'FAIL')
    assert.match(checkProcess({ ...unseen, state: 'absent' }).text, /not running/)
    const hidden = checkProcess({ ...unseen, state: 'unknown', why: 'it hides' })
    assert.match(hidden.text, /cannot be found \(it hides\)/)
    assert.match(hidden.remedy ?? '', /vrrpPidFile/)
  })

  it('a process table that the agent cannot read', () => {
    const mounts = join(folder, 'mounts')
    writeFileSync(mounts, 'proc /proc proc rw,nosuid,relatime 0 0\n')
    assert.deepEqual(checkProcessTable(mounts), [])
    writeFileSync(mounts, 'proc /proc proc rw,nosuid,relatime,hidepid=invisible 0 0\n')
    assert.equal(checkProcessTable(mounts)[0]?.verdict, 'warn')
  })

  it('its configuration, with the lines that are missing', () => {
    const path = join(folder, 'keepalived.conf')
    assert.equal(checkConfiguration({ path, runDir: folder }).findings[0]?.verdict, 'FAIL')
    writeFileSync(
      path,
      'vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n priority 100\n virtual_ipaddress {\n 10.0.0.100/24\n }\n}\n',
    )
    const { findings, profiles } = checkConfiguration({ path, runDir: folder })
    assert.deepEqual(
      profiles.map(({ instance }) => instance),
      ['VI_1'],
    )
    assert.equal(findings[0]?.verdict, 'ok')
    assert.ok(findings.length > 1 && findings.slice(1).every(({ verdict }) => verdict === 'warn'))
    writeFileSync(path, '')
    assert.equal(checkConfiguration({ path, runDir: folder }).findings[0]?.verdict, 'FAIL')
  })

  it('whether a VIP is a static address, too, of keepalived or of the host', () => {
    const config = join(folder, 'keepalived.conf')
    const look = () => checkStaticVips([vipOn('eth0', '10.0.0.100')], { config, configId: null }, folder)
    writeFileSync(config, 'static_ipaddress {\n 10.0.0.10/24 dev eth0\n}\n')
    mkdirSync(join(folder, 'etc/netplan'), { recursive: true })
    const netplan = join(folder, 'etc/netplan/01-net.yaml')
    writeFileSync(netplan, 'network:\n  ethernets:\n    eth0:\n      addresses: [10.0.0.10/24]\n')
    assert.deepEqual(
      look().map(({ check, verdict }) => [check, verdict]),
      [['static-vip', 'ok']],
    )

    writeFileSync(config, 'static_ipaddress {\n 10.0.0.10/24 dev eth0\n 10.0.0.100 dev eth0\n}\n')
    writeFileSync(
      netplan,
      'network:\n  ethernets:\n    eth0:\n      addresses: [10.0.0.10/24, 10.0.0.100/24]\n',
    )
    const found = look()
    assert.deepEqual(
      found.map(({ verdict }) => verdict),
      ['FAIL', 'FAIL'],
    )
    const places = [`static_ipaddress in ${config}:3`, `${netplan}:4`]
    for (const [index, place] of places.entries()) {
      assert.ok(found[index]?.text.includes(`10.0.0.100 is a VIP and a static address, too (${place})`))
      assert.ok(found[index]?.remedy?.startsWith(`remove it from ${place} on both nodes; `))
    }
  })

  it('whether its FIFO is one, is safe, and is open', () => {
    assert.match(checkFifo(fifo, [42], proc).text, /is missing/)
    writeFileSync(fifo, '')
    assert.match(checkFifo(fifo, [42], proc).text, /is not a FIFO/)
    rmSync(fifo)
    execFileSync('mkfifo', ['-m', '600', fifo])
    assert.equal(checkFifo(fifo, [], proc).verdict, 'warn')
    assert.match(checkFifo(fifo, [42], proc).text, /does not have .* open/)
    symlinkSync(fifo, join(proc, '42/fd/7'))
    assert.equal(checkFifo(fifo, [41, 42], proc).verdict, 'ok')
    assert.equal(checkFifo(fifo, [41], proc).verdict, 'warn', 'it cannot be seen')
    symlinkSync(folder, join(folder, 'var-run'))
    assert.equal(checkFifo(join(folder, 'var-run/notify.fifo'), [42], proc).verdict, 'ok', 'by another name')
    chmodSync(fifo, 0o622)
    assert.match(checkFifo(fifo, [42], proc).text, /written by users other than root/)
  })

  it('whether it watches the folder of the bar', () => {
    assert.match(checkBar(join(folder, 'nowhere'), [42], proc).text, /is missing/)
    assert.equal(checkBar(folder, [], proc).verdict, 'warn')
    assert.equal(checkBar(folder, [41], proc).verdict, 'warn')
    assert.equal(checkBar(folder, [42], proc).verdict, 'FAIL')
    const inode = statSync(folder).ino.toString(16)
    writeFileSync(
      join(proc, '42/fdinfo/9'),
      `pos:\t0\nflags:\t02004000\ninotify wd:1 ino:${inode} sdev:1a mask:3ce ignored_mask:0\n`,
    )
    assert.equal(checkBar(folder, [42], proc).verdict, 'ok')
  })

  it('whether the file is younger than the process', () => {
    const path = join(folder, 'keepalived.conf')
    writeFileSync(path, '')
    utimesSync(path, 1000, 1000)
    // It started 50 s after boot, which was 100 s before now.
    const at = { path, startedAtMs: 50_000, isInUse: false, bootMs: 100_000 }
    assert.equal(checkLoaded({ ...at, nowMs: 1_050_000 }).verdict, 'ok')
    const younger = checkLoaded({ ...at, nowMs: 1_040_000 })
    assert.equal(younger.verdict, 'warn')
    assert.match(younger.text, /changed 10 s after keepalived started/)
    assert.equal(checkLoaded({ ...at, isInUse: true, nowMs: 1_040_000 }).verdict, 'ok')
  })

  it('whether it runs the check, instance by instance', async () => {
    const findings = await checkStamps({
      runDir: folder,
      instances: ['VI_1', 'VI_2'],
      checkMs: 1000,
      pauseMs: () => {
        writeFileSync(join(folder, 'VI_1.checked'), '')
        return Promise.resolve()
      },
    })
    assert.deepEqual(
      findings.map(({ verdict, text }) => `${verdict} ${text.slice(0, 4)}`),
      ['ok VI_1', 'FAIL VI_2'],
    )
  })

  it('what the agent last said to the check', () => {
    const at = { runDir: folder, instances: ['VI_1'], bootId, bootMs: 10_000 }
    const said = (): string => {
      const [finding] = checkPermits(at)
      return `${finding?.verdict ?? ''}: ${finding?.text ?? ''}`
    }
    assert.match(said(), /^FAIL: .*cannot be read/)
    const write = (word: 'permit' | 'bar', untilMs: number, boot = bootId): void =>
      writePermit({ runDir: folder, instance: 'VI_1', bootId: boot }, { word, untilMs, why: 'so it is' })
    write('permit', 10_500)
    assert.equal(said(), 'ok: VI_1: permitted: so it is')
    write('bar', 10_500)
    assert.equal(said(), 'warn: VI_1: barred: so it is')
    write('permit', 9_000)
    assert.match(said(), /^FAIL: .*expired 1000 ms ago/)
    write('permit', 10_500, 'another-boot')
    assert.match(said(), /^FAIL: .*before the last reboot/)
    writeFileSync(join(folder, 'VI_1.permit'), 'nonsense')
    assert.match(said(), /^FAIL: .*malformed/)
  })
})
