import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { runCommand } from '../../../../../shared/host/command.ts'
import { checkTime } from '../../../../../agent/commands/doctor/check-time.ts'
import { checkBootClock, checkClockSource } from '../../../../../agent/commands/doctor/clock-check.ts'
import { checkDaemon, checkRights, checkUnit } from '../../../../../agent/commands/doctor/daemon-check.ts'
import { checkIdentity } from '../../../../../agent/commands/doctor/identity-check.ts'
import { checkStorage } from '../../../../../agent/commands/doctor/storage-check.ts'
import { checkCurl, checkSelinux } from '../../../../../agent/commands/doctor/surroundings-check.ts'
import { bootClockMs, bootId } from '../../../../../shared/host/boot-clock.ts'
import { writeCredentials } from '../../../../../shared/identity/credentials.ts'
import { lockFolder } from '../../../../../shared/disk/folder-lock.ts'
import { defaultTiming } from '../../../../../shared/core/timing.ts'
import { credentialsOf, nodeIdentity } from '../../../../identities.ts'

const says =
  (stdout: string, error: string | null = null): typeof runCommand =>
  () =>
    Promise.resolve({ error, stdout, stderr: '' })

describe('the doctor looks at the host:', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'doctor-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('whose certificate lies here', async () => {
    const at = { stateDir: folder, cluster: 'web', node: 'lb01' }
    assert.match(checkIdentity(at).finding.text, /identity\.pem is missing$/)
    writeCredentials(folder, await credentialsOf(nodeIdentity('lb01', { generation: 3 })))
    const { finding, credentials } = checkIdentity(at)
    assert.equal(finding.verdict, 'ok')
    assert.notEqual(credentials, null)
    const other = checkIdentity({ ...at, node: 'lb02' })
    assert.match(other.finding.text, /is that of node web\/lb01, but agent\.yaml names node web\/lb02/)
    assert.equal(other.credentials, null)
  })

  it('whether an agent works in its folder', () => {
    const at = { stateDir: folder, bootId: bootId() }
    assert.equal(checkDaemon(at).finding.verdict, 'FAIL')
    const lock = lockFolder({ path: folder, program: 'witness-agent', option: 'stateDir', bootId: bootId() })
    assert.equal(checkDaemon(at).pid, process.pid)
    assert.equal(checkDaemon({ ...at, bootId: 'another-boot' }).pid, null)
    lock.release()
  })

  it('whether its unit starts at boot', async () => {
    assert.equal((await checkUnit(says('enabled\n'))).verdict, 'ok')
    assert.equal((await checkUnit(says('disabled\n', 'exit code 1'))).verdict, 'FAIL')
    assert.equal((await checkUnit(says('', '"systemctl is-enabled": no such program'))).verdict, 'warn')
  })

  it('which rights the agent has', () => {
    const status = (capabilities: string): string =>
      `Name:\tnode\nUid:\t0\t0\t0\t0\nCapEff:\t${capabilities}\n`
    assert.equal(checkRights(status('000001ffffffffff'), 'the agent').verdict, 'ok')
    const bare = checkRights(status('0000000000001000'), 'the agent')
    assert.equal(bare.verdict, 'FAIL')
    assert.match(bare.text, /CAP_KILL.*CAP_NET_RAW/)
    assert.doesNotMatch(bare.text, /CAP_NET_ADMIN/)
    assert.equal(checkRights('', 'the agent').verdict, 'warn')
  })

  it('whether the boot clock goes, and goes as the others do', async () => {
    let nowMs = 0
    const clocks = {
      bootMs: () => 50_000 + nowMs,
      uptimeMs: () => 50_000 + nowMs,
      monotonicMs: () => nowMs,
      pauseMs: (durationMs: number) => {
        nowMs += durationMs
        return Promise.resolve()
      },
    }
    assert.equal((await checkBootClock(clocks)).verdict, 'ok')
    const apart = await checkBootClock({ ...clocks, uptimeMs: () => 90_000 })
    assert.match(apart.text, /are \d+ ms apart/)
    const fast = await checkBootClock({
      ...clocks,
      bootMs: () => 50_000 + 2 * nowMs,
      uptimeMs: () => 50_000 + 2 * nowMs,
    })
    assert.match(fast.text, /differed by 300 ms/)
    const unreadable = await checkBootClock({
      ...clocks,
      bootMs: () => {
        throw new Error('ENOENT')
      },
    })
    assert.equal(unreadable.verdict, 'FAIL')
  })

  it('which clock source the kernel uses', () => {
    const file = join(folder, 'current_clocksource')
    const verdictOn = (source: string): string => {
      writeFileSync(file, `${source}\n`)
      return checkClockSource(file).verdict
    }
    assert.deepEqual(['tsc', 'kvm-clock', 'hpet', 'jiffies'].map(verdictOn), ['ok', 'ok', 'warn', 'warn'])
  })

  it('how long its disk takes, and leaves nothing behind', () => {
    assert.equal(checkStorage(folder, defaultTiming).verdict, 'ok')
    assert.equal(checkStorage(folder, { claimMs: -1, renewMs: 60_000 }).verdict, 'warn')
    assert.equal(checkStorage(folder, { claimMs: -2, renewMs: -1 }).verdict, 'FAIL')
    assert.equal(checkStorage(join(folder, 'nowhere'), defaultTiming).verdict, 'FAIL')
    assert.deepEqual(readdirSync(folder), [])
  })

  it('whether the check can be run, without a word to the agent or the witness', async () => {
    const at = { bootId: bootId(), bootMs: bootClockMs() }
    const finding = await checkTime({ ...at, script: 'agent/check/witness-check' })
    assert.notEqual(finding.verdict, 'FAIL', finding.text)
    const missing = await checkTime({ ...at, script: join(folder, 'witness-check') })
    assert.match(missing.text, /cannot be run/)
    assert.match(readFileSync('agent/check/witness-check', 'utf8'), /--state-dir/)
    const { TMPDIR } = process.env
    process.env.TMPDIR = join(folder, 'nowhere')
    try {
      const homeless = await checkTime({ ...at, script: 'agent/check/witness-check' })
      assert.equal(homeless.verdict, 'warn')
      assert.match(homeless.remedy ?? '', /TMPDIR/)
    } finally {
      if (TMPDIR === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = TMPDIR
    }
  })

  it('whether SELinux lets keepalived run the check', async () => {
    const usual = '/usr/libexec/keepalived/witness-check'
    const elsewhere = '/usr/local/bin/witness-check'
    assert.equal((await checkSelinux(elsewhere, says('', 'no such program'))).verdict, 'ok')
    assert.equal((await checkSelinux(elsewhere, says('Disabled\n'))).verdict, 'ok')
    assert.equal((await checkSelinux(usual, says('Enforcing\n'))).verdict, 'ok')
    assert.equal((await checkSelinux(elsewhere, says('Enforcing\n'))).verdict, 'FAIL')
    assert.equal((await checkSelinux(elsewhere, says('Permissive\n'))).verdict, 'warn')
  })

  it('whether curl could ask the witness', async () => {
    const version = 'curl 7.88.1 (x86_64-pc-linux-gnu)\nProtocols: http https\n'
    assert.equal((await checkCurl(says(version))).verdict, 'ok')
    assert.equal((await checkCurl(says(version.replace('https', '')))).verdict, 'FAIL')
    assert.equal((await checkCurl(says('', '"curl": no such program'))).verdict, 'FAIL')
  })
})
