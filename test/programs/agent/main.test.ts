import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { writeCredentials } from '../../../shared/identity/credentials.ts'
import { lb01Credentials, lb02Credentials } from '../../identities.ts'
import { bundledProgram } from '../../fixtures/bundled-program.ts'
import { eventually } from '../../fixtures/eventually.ts'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'

const program = bundledProgram('agent/main.ts')
const command = [program, '--config']

describe('witness-agent', () => {
  const folder = temporaryFolder()
  const configure = (more = ''): string => {
    mkdirSync(folder('run'), { recursive: true })
    writeCredentials(folder('state'), lb01Credentials)
    writeFileSync(
      folder('keepalived.conf'),
      'vrrp_instance VI_1 {\n interface lo\n virtual_router_id 51\n virtual_ipaddress {\n 192.0.2.100/24\n }\n}\n',
    )
    writeFileSync(
      folder('agent.yaml'),
      `cluster: web
node: lb01
witness: https://127.0.0.1:9
listen: 127.0.0.1:0
stateDir: ${folder('state')}
runDir: ${folder('run')}
keepalived:
  config: ${folder('keepalived.conf')}
  pidFile: ${folder('run/keepalived.pid')}
${more}`,
    )
    return folder('agent.yaml')
  }

  it('ends with 2 and the place of a mistake in its configuration', () => {
    const file = configure('  pidfile: /x\n')
    const { status, stderr } = spawnSync('node', [...command, file], { encoding: 'utf8' })
    assert.equal(status, 2)
    assert.match(stderr, /agent\.yaml:10:3: keepalived\.pidfile: unknown option; did you mean pidFile\?/)
  }).timeout(20_000)

  it('ends with 2 where it is not enrolled, or as another node than agent.yaml says', () => {
    const file = configure()
    writeCredentials(folder('state'), lb02Credentials)
    const other = spawnSync('node', [...command, file], { encoding: 'utf8' })
    assert.equal(other.status, 2)
    assert.match(
      other.stderr,
      /identity\.pem is the certificate of node web\/lb02, but agent\.yaml names node web\/lb01/,
    )
    rmSync(folder('state/identity.pem'))
    const none = spawnSync('node', [...command, file], { encoding: 'utf8' })
    assert.equal(none.status, 2)
    assert.match(
      none.stderr,
      /identity\.pem is missing: enrol this node: run "witnessctl invite --cluster web --node lb01"/,
    )
  }).timeout(20_000)

  it('has a command that sets keepalived.conf up, with --config before or behind it', () => {
    const file = configure()
    const agent = (...words: string[]) => spawnSync('node', [program, ...words], { encoding: 'utf8' })
    for (const words of [
      ['setup', '--config', file],
      ['--config', file, 'setup'],
    ]) {
      const { status, stdout, stderr } = agent(...words)
      assert.equal(status, 1, stderr)
      assert.match(stdout, /^--- .*keepalived\.conf\n/)
      assert.match(stdout, /^\+ +file .*\/run\/VI_1\.bar$/m)
      assert.match(stdout, /^\+ +script ".*\/witness-check --state-dir .*\/state VI_1"$/m)
      assert.match(stderr, /^Nothing was changed/m)
    }
    const both = agent('setup', '--apply', '--undo')
    assert.equal(both.status, 2)
    assert.match(both.stderr, /'--apply' cannot be used with option '--undo'/)
    assert.match(agent('--help').stdout, /^ {2}setup /m)
  }).timeout(40_000)

  it('ends with 2 for a command that it does not know, and says where they are listed', () => {
    const file = configure()
    for (const words of [['nonsense'], ['--config', file, 'nonsense'], ['nonsense', 'setup']]) {
      const { status, stdout, stderr } = spawnSync('node', [program, ...words], {
        encoding: 'utf8',
      })
      assert.equal(status, 2, words.join(' '))
      assert.equal(
        stderr,
        'error: unknown command \'nonsense\'; "witness-agent --help" lists the commands\n',
        words.join(' '),
      )
      assert.equal(stdout, '')
    }
  }).timeout(40_000)

  it('ends with 2 where another agent works in its state folder', async () => {
    const file = configure()
    const first = spawn('node', [...command, file], { stdio: 'ignore' })
    try {
      await eventually('its FIFO', () => existsSync(folder('run/notify.fifo')), 15_000)
      const { status, stderr } = spawnSync('node', [...command, file], { encoding: 'utf8' })
      assert.equal(status, 2)
      assert.match(
        stderr,
        new RegExp(`state: another witness-agent is using this folder \\(pid ${first.pid}\\)`),
      )
      assert.match(stderr, /stateDir/)
      assert.equal(first.exitCode, null)
    } finally {
      first.kill('SIGKILL')
      await once(first, 'exit')
    }
  }).timeout(30_000)

  it('says why it cannot leave, also where it has no plan yet', async () => {
    const file = configure()
    const child = spawn('node', [...command, file], { stdio: 'ignore' })
    const closed = once(child, 'close')
    try {
      await eventually('its FIFO', () => existsSync(folder('run/notify.fifo')), 15_000)
      const leave = [program, '--config', file, 'leave', '--no-stop']
      const { status, stdout } = spawnSync('node', leave, { encoding: 'utf8' })
      assert.equal(status, 1)
      assert.match(stdout, /nothing was changed: the agent has not received its plan from the witness yet/)
    } finally {
      child.kill('SIGKILL')
      await closed
    }
  }).timeout(40_000)

  it('waits without a plan and without a witness, permits nothing meanwhile, and ends at once when told', async () => {
    const child = spawn('node', [...command, configure()], { stdio: 'ignore' })
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
    await eventually('its FIFO', () => existsSync(folder('run/notify.fifo')), 15_000)
    await eventually('the settings of the check', () => existsSync(folder('state/check.conf')))
    assert.equal(existsSync(folder('run/VI_1.permit')), false)
    // The signal handlers come with the end of the start.
    await eventually('it to end', () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      return child.exitCode !== null || child.signalCode !== null
    })
    await ended
    assert.equal(existsSync(folder('run/VI_1.permit')), false)
  }).timeout(30_000)
})
