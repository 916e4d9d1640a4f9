import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { writeCredentials } from '../../../../shared/identity/credentials.ts'
import { lb01Credentials } from '../../../identities.ts'
import { enrolHosts } from '../../../lab/enrolled-hosts.ts'
import { bundledProgram } from '../../../fixtures/bundled-program.ts'
import { eventually } from '../../../fixtures/eventually.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'
import { openNotifySocket, type NotifySocket } from '../../../fixtures/notify-socket.ts'

const patienceMs = 900

/** Both daemons as systemd runs them: Type=notify, a watchdog, one process. */
describe('the watchdog of the units', function () {
  this.timeout(30_000)
  const folder = temporaryFolder()
  let socket: NotifySocket
  let child: ChildProcess | null = null

  beforeEach(async () => {
    socket = await openNotifySocket(folder('notify'))
    mkdirSync(folder('run'))
    writeCredentials(folder('state'), lb01Credentials)
    writeFileSync(
      folder('keepalived.conf'),
      'vrrp_instance VI_1 {\n interface lo\n virtual_router_id 51\n virtual_ipaddress {\n 192.0.2.100/24\n }\n}\n',
    )
    const folders = `runDir: ${folder('run')}\n`
    writeFileSync(
      folder('agent.yaml'),
      `cluster: web\nnode: lb01\nwitness: https://127.0.0.1:9\nlisten: 127.0.0.1:0\nstateDir: ${folder('state')}\n${folders}` +
        `keepalived:\n  config: ${folder('keepalived.conf')}\n  pidFile: ${folder('run/keepalived.pid')}\n`,
    )
    const witness = `listen: 127.0.0.1:0\nicmpIntervalMs: 200\n${folders}`
    writeFileSync(folder('empty.yaml'), `${witness}dataDir: ${folder('empty')}\n`)
    writeFileSync(folder('witness.yaml'), `${witness}dataDir: ${folder('data')}\n`)
    const lb01 = { cluster: 'web', node: 'lb01', address: '127.0.0.1', stateDir: folder('lb01') }
    await enrolHosts(folder('data'), [lb01])
  })
  afterEach(async () => {
    if (child?.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await socket.close()
  })

  function start(program: string, config: string): ChildProcess {
    child = spawn(process.execPath, [bundledProgram(program), '--config', folder(config)], {
      stdio: 'ignore',
      env: { ...process.env, NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: String(patienceMs * 1000) },
    })
    return child
  }
  const feeds = (): number => socket.heard.filter((text) => text === 'WATCHDOG=1').length

  for (const { who, program, config } of [
    { who: 'a witness with a cluster', program: 'server/main.ts', config: 'witness.yaml' },
    { who: 'a witness without clusters', program: 'server/main.ts', config: 'empty.yaml' },
    { who: 'an agent that waits for its plan', program: 'agent/main.ts', config: 'agent.yaml' },
  ]) {
    it(`is told by ${who} that it is ready, is fed, and is not while that is frozen`, async () => {
      const daemon = start(program, config)
      await eventually(
        'READY',
        () => socket.heard.some((text) => text.startsWith('READY=1\nSTATUS=')),
        15_000,
      )
      await eventually('three feeds', () => feeds() >= 3, 10_000)
      daemon.kill('SIGSTOP')
      // What was under way arrives.
      await new Promise((resolve) => setTimeout(resolve, 300))
      const before = feeds()
      await new Promise((resolve) => setTimeout(resolve, patienceMs))
      assert.equal(feeds(), before)
      daemon.kill('SIGCONT')
      await eventually('food again', () => feeds() > before)
    })
  }
})
