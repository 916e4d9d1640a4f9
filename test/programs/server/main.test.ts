import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readCredentials } from '../../../shared/identity/credentials.ts'
import { witnessServerName } from '../../../shared/identity/identity.ts'
import { bundledProgram } from '../../fixtures/bundled-program.ts'
import { enrolHosts } from '../../lab/enrolled-hosts.ts'

interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

/** Node.js keeps an idle connection open for five seconds; who waits for it takes that long. */
const keepAliveMs = 5000

/** A real witnessd, from source. */
class Daemon {
  stdout = ''
  stderr = ''
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown>
  #wake: () => void = () => undefined

  constructor(args: readonly string[], { under = [] }: { under?: readonly string[] } = {}) {
    const [program = '', ...rest] = [...under, process.execPath, bundledProgram('server/main.ts'), ...args]
    this.#child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child.stdout?.on('data', (data) => {
      this.stdout += String(data)
      this.#wake()
    })
    this.#child.stderr?.on('data', (data) => {
      this.stderr += String(data)
    })
    this.#closed = once(this.#child, 'close').then(() => this.#wake())
  }

  async logged(event: string): Promise<Record<string, unknown>> {
    for (;;) {
      for (const line of this.stdout.split('\n').slice(0, -1)) {
        const parsed = JSON.parse(line) as Record<string, unknown>
        if (parsed.event === event) return parsed
      }
      assert.equal(this.#child.exitCode, null, `ended early: ${this.stdout}${this.stderr}`)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async ended(): Promise<Ended> {
    await this.#closed
    return { code: this.#child.exitCode, stdout: this.stdout, stderr: this.stderr }
  }
}

describe('witnessd', function () {
  this.timeout(20_000)
  let folder = ''
  const started: Daemon[] = []
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'witnessd-'))
  })
  afterEach(async () => {
    for (const daemon of started.splice(0)) {
      daemon.kill('SIGKILL')
      await daemon.ended()
    }
    rmSync(folder, { recursive: true })
  })

  function run(...args: string[]): Daemon {
    const daemon = new Daemon(args)
    started.push(daemon)
    return daemon
  }
  /** Also where the test is root, whom modes do not stop. */
  function runUnprivileged(...args: string[]): Daemon {
    const under = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : []
    const daemon = new Daemon(args, { under })
    started.push(daemon)
    return daemon
  }
  function configFile(text: string): string {
    const path = join(folder, 'witness.yaml')
    writeFileSync(path, text)
    return path
  }
  const usual = (): string => `listen: 127.0.0.1:0\ndataDir: ${folder}/data\nrunDir: ${folder}/run\n`

  /** As an admin of this host, whose identity witnessd makes at its first start. */
  function get(port: unknown, path: string): Promise<{ status: number; body: string }> {
    const { key, certificate: cert, authority: ca } = readCredentials(join(folder, 'data/admin'), '')
    const options = { key, cert, ca, servername: witnessServerName, agent: false }
    return new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port: Number(port), path, ...options }, (response) => {
        let body = ''
        response.on('data', (part: Buffer) => (body += part.toString()))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      })
        .on('error', reject)
        .end()
    })
  }

  it('serves, logs JSON, keeps its keys to itself, and ends without waiting for its clients when asked', async () => {
    const daemon = run('--config', configFile(usual()))
    const { port } = await daemon.logged('listening')
    assert.equal((await get(port, '/readyz')).body, 'ready\n')
    assert.equal((await get(port, '/api/v1/clusters')).status, 200)
    const before = performance.now()
    daemon.kill('SIGTERM')
    const { code, stdout, stderr } = await daemon.ended()
    assert.ok(performance.now() - before < keepAliveMs)
    assert.equal(code, 0)
    assert.equal(stderr, '')
    assert.doesNotMatch(stdout, /PRIVATE KEY/)
    for (const file of ['authority/ca.pem', 'admin/identity.pem'])
      assert.equal(statSync(join(folder, 'data', file)).mode & 0o777, 0o600)
  })

  it('ends with 2 and the places of all mistakes when its configuration is wrong', async () => {
    const path = configFile('listn: 0.0.0.0:7400\nicmpIntervalMs: fast\n')
    const { code, stdout, stderr } = await run('--config', path).ended()
    assert.equal(code, 2)
    assert.equal(stdout, '')
    assert.deepEqual(stderr.split('\n'), [
      `${path}:1:1: listn: unknown option; did you mean listen?`,
      `${path}:2:17: icmpIntervalMs: "fast" is not a number`,
      '',
    ])
  })

  it('ends with 2 when its authority is broken, and makes no other in its place', async () => {
    const path = configFile(usual())
    mkdirSync(join(folder, 'data/authority'), { recursive: true })
    writeFileSync(join(folder, 'data/authority/ca.pem'), 'torn', { mode: 0o600 })
    const { code, stderr } = await run('--config', path).ended()
    assert.equal(code, 2)
    assert.match(stderr, /ca\.pem: the authority cannot be used .*; restore .*authority from a backup/)
    assert.equal(readFileSync(join(folder, 'data/authority/ca.pem'), 'utf8'), 'torn')
  })

  it('ends with 1 where root put its files back as its own, and takes none for lost', async () => {
    const path = configFile(usual())
    mkdirSync(join(folder, 'data/authority'), { recursive: true })
    const registry = join(folder, 'data/authority/registry.json')
    writeFileSync(registry, 'nobody can read this', { mode: 0o000 })
    const { code, stderr } = await runUnprivileged('--config', path).ended()
    assert.equal(code, 1)
    assert.match(
      stderr,
      /registry\.json: witnessd is not permitted to read this file .*\. Run "chown --reference=.*\/data /,
    )
    assert.ok(existsSync(registry))
  })

  it('goes on with the authority and the admin that it made', async () => {
    const path = configFile(usual())
    const first = run('--config', path)
    const { authority } = await first.logged('listening')
    const admin = readFileSync(join(folder, 'data/admin/identity.pem'), 'utf8')
    first.kill('SIGTERM')
    await first.ended()
    const second = run('--config', path)
    assert.equal((await second.logged('listening')).authority, authority)
    assert.equal(readFileSync(join(folder, 'data/admin/identity.pem'), 'utf8'), admin)
  })

  it('ends with 2 on an unknown option, and with 0 after help', async () => {
    assert.equal((await run('--confg', 'x').ended()).code, 2)
    const help = await run('--help').ended()
    assert.equal(help.code, 0)
    assert.match(help.stdout, /Exit codes: 0 stopped on request/)
  })

  it('ends with 1 and says so when its port is taken', async () => {
    const other = createServer()
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const path = configFile(usual().replace('127.0.0.1:0', `127.0.0.1:${port}`))
    const { code, stderr } = await run('--config', path).ended()
    other.close()
    assert.equal(code, 1)
    assert.match(stderr, new RegExp(`127\\.0\\.0\\.1 port ${port}: another program already listens there`))
  })

  it('ends with 1 when its data folder cannot be written', async () => {
    writeFileSync(join(folder, 'data'), 'a file')
    const { code, stderr } = await run('--config', configFile(usual())).ended()
    assert.equal(code, 1)
    assert.match(stderr, /data: witnessd must keep its ledger in this folder but cannot write there/)
  })

  it('ends with 1 where another witnessd works in its data folder, which goes on', async () => {
    const first = run('--config', configFile(usual()))
    const { pid, port } = await first.logged('listening')
    const { code, stdout, stderr } = await run('--config', configFile(usual())).ended()
    assert.equal(code, 1)
    assert.match(
      stderr,
      new RegExp(`^${folder}/data: another witnessd is using this folder \\(pid ${String(pid)}\\)`),
    )
    assert.match(stderr, /with dataDir\n$/)
    assert.doesNotMatch(stdout, /listening/)
    assert.equal((await get(port, '/healthz')).status, 200)
  })

  it('leaves a ledger that the next process trusts after SIGKILL', async () => {
    const path = configFile(usual())
    const at = { address: '127.0.0.1', stateDir: join(folder, 'lb01') }
    await enrolHosts(join(folder, 'data'), [{ cluster: 'web', node: 'lb01', ...at }])
    const first = run('--config', path)
    await first.logged('listening')
    first.kill('SIGKILL')
    await first.ended()
    assert.ok(existsSync(join(folder, 'data/ledger/web.json')))
    assert.equal(statSync(join(folder, 'data/ledger/web.json')).mode & 0o777, 0o600)
    const second = run('--config', path)
    await second.logged('witness-started')
    assert.match(
      readFileSync(join(folder, 'data/events/web.jsonl'), 'utf8'),
      /cluster-new[^]*witness-started|cluster-new/,
    )
  })
})
