import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { serviceManager, type ServiceManager } from '../../../../shared/host/service-manager.ts'
import { eventually } from '../../../fixtures/eventually.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'
import { openNotifySocket, type NotifySocket } from '../../../fixtures/notify-socket.ts'

describe('serviceManager', () => {
  const folder = temporaryFolder()
  let socket: NotifySocket
  let problems: string[]

  beforeEach(async () => {
    problems = []
    socket = await openNotifySocket(folder('notify'))
  })
  afterEach(() => socket.close())

  const onProblem = (text: string): void => void problems.push(text)
  function managed(env: Record<string, string>, program?: string): ServiceManager {
    return serviceManager({
      env: { PATH: process.env.PATH, ...env },
      pid: 4711,
      onProblem,
      ...(program === undefined ? {} : { program }),
    })
  }
  const heard = (count: number): Promise<void> =>
    eventually(`${count} messages`, () => socket.heard.length >= count)

  it('says that the start is over, in one line', async () => {
    managed({ NOTIFY_SOCKET: socket.path }).ready('listens on ::\nport 7400')
    await heard(1)
    assert.deepEqual(socket.heard, ['READY=1\nSTATUS=listens on :: port 7400'])
  })

  it('feeds the watchdog by turns, three times within its patience and not more often', async () => {
    const service = managed({ NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '3000000', WATCHDOG_PID: '4711' })
    for (let atMs = 100_000; atMs < 103_000; atMs += 50) service.turned({ atMs, everyMs: 50 })
    await heard(3)
    service.ready('after all that')
    await heard(4)
    assert.deepEqual([...socket.heard].sort(), [
      'READY=1\nSTATUS=after all that',
      'WATCHDOG=1',
      'WATCHDOG=1',
      'WATCHDOG=1',
    ])
  })

  it('does not feed while another loop of the program stands still, and does as soon as it turns', async () => {
    const service = managed({ NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '3000000' })
    service.turned({ atMs: 1000, everyMs: 50, othersTurn: () => false })
    service.turned({ atMs: 1050, everyMs: 50, othersTurn: () => true })
    service.ready('then')
    await heard(2)
    assert.deepEqual([...socket.heard].sort(), ['READY=1\nSTATUS=then', 'WATCHDOG=1'])
  })

  it('asks for more patience where the turns are configured far apart', async () => {
    const service = managed({ NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '3000000' })
    service.turned({ atMs: 1000, everyMs: 2000 })
    service.turned({ atMs: 3000, everyMs: 2000 })
    service.turned({ atMs: 5000, everyMs: 2000 })
    await heard(3)
    assert.deepEqual([...socket.heard].sort(), ['WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG_USEC=8000000'])
  })

  it('leaves the socket to nobody whom this program starts: keepalived would call itself this service', () => {
    const env: Record<string, string | undefined> = {
      NOTIFY_SOCKET: socket.path,
      WATCHDOG_USEC: '1',
      WATCHDOG_PID: '4711',
      PATH: '/usr/bin',
    }
    serviceManager({ env, pid: 4711, onProblem })
    assert.deepEqual(env, { PATH: '/usr/bin' })
  })

  it('runs nothing without a service manager, and feeds nothing that watches another process', async () => {
    const program = folder('notify-program')
    writeFileSync(program, `#!/bin/sh\ntouch ${folder('was-run')}\n`, { mode: 0o755 })
    const alone = managed({ WATCHDOG_USEC: '1000' }, program)
    alone.ready('x')
    alone.turned({ atMs: 1000, everyMs: 1 })
    const other = managed(
      { NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '1000', WATCHDOG_PID: '4712' },
      program,
    )
    other.turned({ atMs: 1000, everyMs: 1 })
    // A program that is run in vain would have run by the time that one started later has.
    managed({ NOTIFY_SOCKET: socket.path }).ready('now')
    await heard(1)
    assert.equal(existsSync(folder('was-run')), false)
  })

  it('says once, with what to do, that nobody can be told', async () => {
    const service = managed({ NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '3000' }, folder('missing'))
    service.ready('x')
    service.turned({ atMs: 1000, everyMs: 0 })
    await eventually('the problem', () => problems.length > 0)
    service.turned({ atMs: 5000, everyMs: 0 })
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(problems.length, 1)
    assert.match(problems[0] ?? '', /missing.*WatchdogSec=0/s)
  })
})
