import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { killKeepalived, lookAtKeepalived, usualVrrpPidFiles } from '../../../agent/keepalived-process.ts'
import { bootClockMs } from '../../../shared/boot-clock.ts'
import { eventually } from './eventually.ts'
import { fakeKeepalived, type FakeKeepalived } from './fake-keepalived.ts'
import { temporaryFolder } from './temporary-folder.ts'

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
    assert.equal(lookAtKeepalived(fake).hasPidFile, true)
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
    assert.equal(lookAtKeepalived(fake).hasPidFile, false)
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

  it('knows where keepalived writes the pid of its VRRP child', () => {
    assert.deepEqual(usualVrrpPidFiles('/run/keepalived.pid'), ['/run/vrrp.pid', '/run/keepalived_vrrp.pid'])
  })
})
