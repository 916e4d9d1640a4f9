import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import {
  KeepalivedProcesses,
  killKeepalived,
  lookAtKeepalived,
} from '../../../../agent/keepalived/process.ts'
import { bootClockMs } from '../../../../shared/host/boot-clock.ts'
import { eventually } from '../../../fixtures/eventually.ts'
import { fakeKeepalived, type FakeKeepalived } from '../../../fixtures/fake-keepalived.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

describe('lookAtKeepalived', () => {
  const folder = temporaryFolder()
  let fake: FakeKeepalived
  beforeEach(async () => {
    fake = await fakeKeepalived(folder())
  })
  afterEach(() => fake.end())

  it('sees it run, and since when', async () => {
    await eventually('exec', () => lookAtKeepalived(fake).state === 'running')
    const look = lookAtKeepalived(fake)
    assert.equal(look.parentPid, fake.parent.pid)
    assert.equal(look.vrrpPid, fake.vrrp.pid)
    assert.ok(Math.abs(bootClockMs() - (look.startedAtMs ?? 0)) < 5000)
  })

  it('sees it frozen and thawed', async () => {
    fake.vrrp.kill('SIGSTOP')
    await eventually('frozen', () => lookAtKeepalived(fake).state === 'frozen')
    fake.vrrp.kill('SIGCONT')
    await eventually('running', () => lookAtKeepalived(fake).state === 'running')
  })

  it('sees it absent when its VRRP child died, though the pid file is still there', async () => {
    fake.vrrp.kill('SIGKILL')
    await eventually('absent', () => lookAtKeepalived(fake).state === 'absent')
    assert.equal(lookAtKeepalived(fake).died, true)
  })

  it('takes a pid that now belongs to another program for absent', () => {
    writeFileSync(folder('vrrp.pid'), `${process.pid}\n`)
    assert.equal(lookAtKeepalived(fake).state, 'absent')
  })

  it('takes a missing or senseless pid file for absent', () => {
    writeFileSync(folder('vrrp.pid'), 'nonsense')
    assert.equal(lookAtKeepalived(fake).state, 'absent')
    rmSync(folder('vrrp.pid'))
    assert.equal(lookAtKeepalived(fake).state, 'absent')
    assert.equal(lookAtKeepalived(fake).died, false)
  })

  it('kills both by their pids', async () => {
    await eventually(
      'exec',
      () => lookAtKeepalived(fake).parentPid !== null && lookAtKeepalived(fake).vrrpPid !== null,
    )
    assert.equal(killKeepalived(fake), null)
    await eventually('dead', () => fake.parent.signalCode === 'SIGKILL' && fake.vrrp.signalCode === 'SIGKILL')
    assert.equal(killKeepalived(fake), null)
  })
})

describe('KeepalivedProcesses', () => {
  const folder = temporaryFolder()
  let fake: FakeKeepalived
  let processes: KeepalivedProcesses
  beforeEach(async () => {
    fake = await fakeKeepalived(folder())
    await eventually('exec', () => lookAtKeepalived(fake).parentPid !== null)
    await eventually('exec', () => lookAtKeepalived(fake).vrrpPid !== null)
    processes = new KeepalivedProcesses(() => fake)
  })
  afterEach(() => {
    processes.close()
    fake.end()
  })

  it('sees at each look what a first look sees', async () => {
    for (let look = 0; look < 3; look += 1) assert.deepEqual(processes.look(), lookAtKeepalived(fake))
    fake.vrrp.kill('SIGSTOP')
    await eventually('frozen', () => processes.look().state === 'frozen')
    fake.vrrp.kill('SIGCONT')
    await eventually('running', () => processes.look().state === 'running')
  })

  it('sees a child that died, whatever its pid file says', async () => {
    assert.equal(processes.look().state, 'running')
    fake.vrrp.kill('SIGKILL')
    await eventually('absent', () => processes.look().state === 'absent')
    assert.deepEqual(processes.look(), lookAtKeepalived(fake))
  })

  it('finds the keepalived that was started in the place of the one it knew', async () => {
    const before = processes.look()
    mkdirSync(folder('next'))
    const next = await fakeKeepalived(folder('next'))
    try {
      fake.end()
      await eventually('absent', () => processes.look().state === 'absent')
      writeFileSync(folder('keepalived.pid'), `${next.parent.pid}\n`)
      writeFileSync(folder('vrrp.pid'), `${next.vrrp.pid}\n`)
      await eventually('running', () => processes.look().state === 'running')
      assert.notEqual(processes.look().identity, before.identity)
      assert.equal(processes.look().vrrpPid, next.vrrp.pid)
    } finally {
      next.end()
    }
  })

  it('keeps two descriptors open at most, and none once it is closed', async () => {
    const open = (): number => readdirSync('/proc/self/fd').length
    const before = open()
    for (let look = 0; look < 10; look += 1) processes.look()
    assert.equal(open(), before + 2)
    fake.vrrp.kill('SIGKILL')
    await eventually('absent', () => processes.look().state === 'absent')
    for (let look = 0; look < 10; look += 1) processes.look()
    assert.equal(open(), before + 1)
    processes.close()
    assert.equal(open(), before)
  })
})
