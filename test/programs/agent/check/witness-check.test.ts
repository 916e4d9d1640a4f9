import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import type http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { networkInterfaces, tmpdir, uptime } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { Authority } from '../../../../server/registry/authority.ts'
import {
  identityFileIn,
  writeCredentials,
  type Credentials,
} from '../../../../shared/identity/credentials.ts'
import type { Identity } from '../../../../shared/identity/identity.ts'
import { identityOfPeer, secureContextOf } from '../../../../shared/network/secure-server.ts'
import { identities, identitiesOf, type Identities } from '../../../identities.ts'
import { programOrSkip, skipAloud } from '../../../skip-aloud.ts'
import { LoopbackServer } from '../../../fixtures/loopback-server.ts'

const script = new URL('../../../../agent/check/witness-check', import.meta.url).pathname
const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()

const shells = {
  sh: ['sh'],
  dash: ['dash'],
  bash: ['bash'],
  'busybox ash': ['busybox', 'ash'],
} as const

/** `timeout 2` in keepalived.conf: a check that takes longer has failed. */
const keepalivedWaitsMs = 2000

interface Outcome {
  code: number
  line: string
  tookMs: number
}

for (const [shellName, [shellProgram, ...shellArguments]] of Object.entries(shells)) {
  describe(`witness-check under ${shellName}`, () => {
    let shell: string
    let folder: string
    let stateDir: string
    let runDir: string
    let ours: Identities
    let lb01: Credentials
    const closers: (() => Promise<void> | void)[] = []

    before(async function () {
      shell = programOrSkip(this, shellProgram)
      ours = await identities()
      lb01 = await ours.node()
    })
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'witness-check-'))
      stateDir = join(folder, 'state')
      runDir = join(folder, 'run')
      mkdirSync(runDir)
      writeCredentials(stateDir, lb01)
    })
    afterEach(async () => {
      for (const close of closers.splice(0)) await close()
      rmSync(folder, { recursive: true })
    })

    function settings(changes: Record<string, string | null> = {}): void {
      const all: Record<string, string | null> = {
        WITNESS: 'https://127.0.0.1:9',
        CLUSTER: 'web',
        NODE: 'lb01',
        ALONE: 'stop',
        RUN_DIR: runDir,
        ...changes,
      }
      const lines = Object.entries(all).filter(([, value]) => value !== null)
      writeFileSync(join(stateDir, 'check.conf'), lines.map(([key, value]) => `${key}=${value}\n`).join(''))
    }

    function permitFile(content: string): void {
      writeFileSync(join(runDir, 'VI_1.permit'), content)
    }

    const inMs = (ms: number) => Math.round(uptime() * 1000 + ms)

    function run(
      options: { args?: string[]; env?: NodeJS.ProcessEnv; path?: string } = {},
    ): Promise<Outcome> {
      const args = options.args ?? ['--state-dir', stateDir, 'VI_1']
      const startedAt = performance.now()
      return new Promise((resolve) => {
        execFile(
          shell,
          [...shellArguments, options.path ?? script, ...args],
          { env: options.env ?? { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, encoding: 'utf8' },
          (error, stdout, stderr) => {
            assert.equal(stderr, '')
            assert.match(stdout, /^[^\n]+\n$/, 'one line of reason')
            const code = error === null ? 0 : Number(error.code)
            resolve({ code, line: stdout.trimEnd(), tookMs: performance.now() - startedAt })
          },
        )
      })
    }

    async function serve(
      answer: http.RequestListener,
      as: { credentials?: Credentials; host?: string } = {},
    ): Promise<string> {
      const server = await LoopbackServer.open(as.credentials ?? ours.witness, answer, as.host)
      closers.push(() => server.close())
      return server.url
    }

    /** The witness's certificate, and then whatever comes. */
    async function serveSecured(talk: (socket: net.Socket) => void): Promise<string> {
      return serveOn(tls.createServer(secureContextOf(ours.witness)), 'secureConnection', talk)
    }

    async function serveRaw(talk: (socket: net.Socket) => void): Promise<string> {
      return serveOn(net.createServer(), 'connection', talk)
    }

    async function serveOn(
      server: net.Server,
      event: 'connection' | 'secureConnection',
      talk: (socket: net.Socket) => void,
    ): Promise<string> {
      const sockets = new Set<net.Socket>()
      server.on('connection', (socket: net.Socket) => {
        sockets.add(socket)
        socket.on('error', () => undefined)
      })
      server.on(event, (socket: net.Socket) => {
        socket.on('error', () => undefined)
        talk(socket)
      })
      server.listen(0, '127.0.0.1')
      closers.push(() => {
        for (const socket of sockets) socket.destroy()
        server.close()
      })
      await new Promise((resolve) => server.once('listening', resolve))
      return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    }

    const nothing = { PATH: '/nonexistent' }

    describe('where this node left its vote', () => {
      it('refuses without an agent, whatever the witness would say, with alone: keep, too', async () => {
        const WITNESS = await serve((_request, response) => response.end('permit'))
        for (const ALONE of ['stop', 'keep']) {
          settings({ WITNESS, ALONE })
          writeFileSync(join(stateDir, 'VI_1.left'), '')
          const { code, line } = await run()
          assert.equal(code, 1)
          assert.match(line, /delegated its vote to its peer when it left; start the agent/)
        }
      })

      it('goes by the living agent’s word', async () => {
        settings()
        writeFileSync(join(stateDir, 'VI_1.left'), '')
        permitFile(`permit ${bootId} ${inMs(5000)} holder\n`)
        assert.equal((await run({ env: nothing })).code, 0)
      })
    })

    describe('before the permit file’s deadline', () => {
      it('permits without starting any program', async () => {
        settings()
        permitFile(`permit ${bootId} ${inMs(5000)} holder of epoch 7\n`)
        assert.deepEqual(
          { ...(await run({ env: nothing })), tookMs: 0 },
          { code: 0, line: 'permit: holder of epoch 7', tookMs: 0 },
        )
      })

      it('bars without starting any program', async () => {
        settings()
        permitFile(`bar ${bootId} ${inMs(5000)} lb02 is the holder\n`)
        assert.deepEqual(
          { ...(await run({ env: nothing })), tookMs: 0 },
          { code: 1, line: 'refused: lb02 is the holder', tookMs: 0 },
        )
      })

      it('never forks', function () {
        const strace = programOrSkip(this, 'strace')
        settings()
        permitFile(`permit ${bootId} ${inMs(60_000)} holder\n`)
        const trace = join(folder, 'trace')
        const args = [
          '-f',
          '-o',
          trace,
          '-e',
          'trace=process',
          shell,
          ...shellArguments,
          script,
          '--state-dir',
          stateDir,
          'VI_1',
        ]
        const { status, error } = spawnSync(strace, args, { env: nothing })
        if (error !== undefined || !existsSync(trace) || !readFileSync(trace, 'utf8').includes('execve'))
          skipAloud(this, 'this machine lets nobody trace a process')
        assert.equal(status, 0)
        assert.doesNotMatch(readFileSync(trace, 'utf8'), /\b(clone|clone3|fork|vfork)\(/)
      })

      it('works without reason and with strange ones', async () => {
        settings()
        permitFile(`permit ${bootId} ${inMs(5000)}\n`)
        assert.equal((await run({ env: nothing })).line, 'permit: the agent permits it')
        permitFile(`bar ${bootId} ${inMs(5000)}   -n \\t %s $(id) * 'quote  \n`)
        assert.equal((await run({ env: nothing })).line, "refused: -n \\t %s $(id) * 'quote")
      })

      it('needs no check.conf to permit', async () => {
        const copy = join(folder, 'copy')
        writeFileSync(copy, readFileSync(script, 'utf8').replaceAll('/run/keepalived-witness', runDir))
        permitFile(`permit ${bootId} ${inMs(5000)} yes\n`)
        assert.equal((await run({ path: copy, env: nothing })).code, 0)
      })

      it('permits everything in observe mode, also when the agent is dead', async () => {
        settings({ MODE: 'observe' })
        assert.deepEqual(
          { ...(await run({ env: nothing })), tookMs: 0 },
          { code: 0, line: 'permit: observe mode: nothing is refused', tookMs: 0 },
        )
        permitFile(`bar ${bootId} 1 long ago\n`)
        assert.equal((await run({ env: nothing })).code, 0)
      })

      it('touches the stamp, and does not mind where it cannot', async () => {
        settings()
        permitFile(`permit ${bootId} ${inMs(5000)} yes\n`)
        const stamp = join(runDir, 'VI_1.checked')
        await run({ env: nothing })
        utimesSync(stamp, 1, 1)
        await run({ env: nothing })
        assert.notEqual(statSync(stamp).mtimeMs, 1000)
        rmSync(stamp)
        mkdirSync(stamp)
        assert.equal((await run({ env: nothing })).code, 0)
      })

      it('prints what the common path costs', async function () {
        this.timeout(30_000)
        settings()
        permitFile(`permit ${bootId} ${inMs(300_000)} yes\n`)
        const median = (command: string[]) => {
          const times = Array.from({ length: 60 }, () => {
            const startedAt = performance.now()
            spawnSync(command[0]!, command.slice(1), { env: nothing })
            return performance.now() - startedAt
          })
          return times.sort((a, b) => a - b)[30]!
        }
        const all = median([shell, ...shellArguments, script, '--state-dir', stateDir, 'VI_1'])
        const empty = median([shell, ...shellArguments, '-c', 'exit 0'])
        console.log(
          `        ${shellName}: ${all.toFixed(2)} ms with starting the process, of which an empty script takes ${empty.toFixed(2)} ms (medians of 60)`,
        )
        await Promise.resolve()
      })
    })

    describe('the clock', () => {
      async function at(uptimeText: string, untilMs: number | string): Promise<Outcome> {
        settings()
        const clock = join(folder, 'uptime')
        writeFileSync(clock, uptimeText)
        const copy = join(folder, 'copy')
        writeFileSync(copy, readFileSync(script, 'utf8').replaceAll('/proc/uptime', clock))
        permitFile(`permit ${bootId} ${untilMs} yes\n`)
        return run({ path: copy, env: nothing })
      }

      it('is read with leading zeros', async () => {
        assert.equal((await at('12.08 3.00\n', 12_090)).code, 0)
        assert.equal((await at('12.08 3.00\n', 12_080)).code, 1)
        assert.match((await at('12.09 3.00\n', 12_079)).line, /the permit of the agent expired 11 ms ago/)
        assert.equal((await at('0.08 0.00\n', 90)).code, 0)
        assert.equal((await at('0.00 0.00\n', 1)).code, 0)
        assert.equal((await at('80908.99 1.00\n', 80_908_991)).code, 0)
        assert.equal((await at('80908.99 1.00\n', 80_908_990)).code, 1)
        assert.equal((await at('3153600000.00 1.00\n', 3_153_600_000_001)).code, 0)
      })

      it('decides nothing where it cannot be read', async () => {
        for (const text of ['', 'x\n', '12\n', '12.345 1\n', '-1.00 1\n', '1.2.30 1\n', '012.00 1\n']) {
          assert.match(
            (await at(text, 50_000)).line,
            /^refused: the boot clock cannot be read/,
            JSON.stringify(text),
          )
        }
      })

      it('does not believe a deadline far away', async () => {
        assert.equal((await at('12.00 1\n', 12_000 + 660_000)).code, 0)
        assert.match(
          (await at('12.00 1\n', 12_000 + 660_001)).line,
          /deadline in the permit file is too far ahead/,
        )
      })
    })

    const unusable: [string, () => string | null, RegExp][] = [
      ['missing', () => null, /there is no permit file/],
      ['empty', () => '', /malformed/],
      ['cut off', () => `permit ${bootId} ${inMs(5000)}`, /malformed/],
      ['without a number', () => `permit ${bootId} soon yes\n`, /malformed/],
      ['with a negative number', () => `permit ${bootId} -5 yes\n`, /malformed/],
      ['with an octal number', () => `permit ${bootId} 0${inMs(5000)} yes\n`, /malformed/],
      ['with a huge number', () => `permit ${bootId} 99999999999999999999999999 yes\n`, /malformed/],
      ['with another word', () => `perhaps ${bootId} ${inMs(5000)} yes\n`, /malformed/],
      [
        'of another boot',
        () => `permit 0b5a5c5e-0000-4000-8000-000000000000 ${inMs(5000)} yes\n`,
        /written before the last reboot/,
      ],
      [
        'past its deadline',
        () => `permit ${bootId} ${inMs(-100)} yes\n`,
        /the permit of the agent expired \d+ ms ago/,
      ],
      [
        'a bar past its deadline',
        () => `bar ${bootId} ${inMs(-100)} no\n`,
        /the permit of the agent expired \d+ ms ago/,
      ],
      ['binary', () => '\u0000\u0001\u0002\n', /malformed/],
    ]
    for (const [what, content, reason] of unusable) {
      it(`asks the witness where the permit file is ${what}`, async () => {
        let asked = ''
        let asking: Identity | null = null
        const witness = await serve((request, response) => {
          asked = request.url ?? ''
          asking = identityOfPeer(request.socket)
          response.setHeader('Content-Type', 'text/plain; charset=utf-8').end('vote for lb01, epoch 8\n')
        })
        settings({ WITNESS: witness })
        const text = content()
        if (text !== null) permitFile(text)
        const { code, line } = await run()
        assert.equal(code, 0, line)
        assert.match(line, reason)
        assert.match(line, /^permit: .*; the witness: vote for lb01, epoch 8$/)
        assert.equal(asked, `/api/v1/check?cluster=web&node=lb01&instance=VI_1&boot=${bootId}`)
        assert.deepEqual(asking, { kind: 'node', cluster: 'web', node: 'lb01', generation: 1 })
      })
    }

    it('asks without naming its boot where that cannot be read', async () => {
      const urls: (string | undefined)[] = []
      const witness = await serve((request, response) => {
        urls.push(request.url)
        response.setHeader('Content-Type', 'text/plain').end('vote for lb01, epoch 8\n')
      })
      settings({ WITNESS: witness })
      permitFile(`permit ${bootId} ${inMs(5000)} yes\n`)
      const copy = join(folder, 'copy')
      const bootIdFile = '/proc/sys/kernel/random/boot_id'
      writeFileSync(copy, readFileSync(script, 'utf8').replaceAll(bootIdFile, join(folder, 'nothing')))
      const { code, line } = await run({ path: copy })
      assert.equal(code, 0, line)
      assert.match(line, /the boot clock cannot be read; the witness: vote for lb01/)
      assert.deepEqual(urls, ['/api/v1/check?cluster=web&node=lb01&instance=VI_1'])
    })

    describe('where only the witness can say', () => {
      const plain = (status: number, body: string): http.RequestListener => {
        return (_request, response) => response.writeHead(status, { 'Content-Type': 'text/plain' }).end(body)
      }

      async function refusedBy(
        witness: string,
        reason: RegExp,
        changes: Record<string, string> = {},
      ): Promise<void> {
        settings({ WITNESS: witness, ...changes })
        const { code, line, tookMs } = await run()
        assert.equal(code, 1, line)
        assert.match(line, reason)
        assert.ok(tookMs < keepalivedWaitsMs, `took ${tookMs.toFixed(0)} ms`)
        settings({ WITNESS: witness, ...changes, ALONE: 'keep' })
        const alone = await run()
        assert.equal(alone.code, 0, alone.line)
        assert.match(alone.line, /^permit: .*; alone: keep$/)
      }

      it('takes its "no", also with "alone: keep"', async () => {
        const witness = await serve(plain(503, 'lb02 has the vote for 1200 ms'))
        for (const ALONE of ['stop', 'keep']) {
          settings({ WITNESS: witness + '/', ALONE })
          const { code, line } = await run()
          assert.equal(code, 1)
          assert.match(line, /^refused: .*; the witness: lb02 has the vote for 1200 ms$/)
        }
      })

      it('takes silence for a "no": nobody listens', () =>
        refusedBy('https://127.0.0.1:9', /the witness does not answer/))

      it('takes silence for a "no": it hangs, before the handshake or after it', async () => {
        await refusedBy(await serveRaw(() => undefined), /the witness does not answer/)
        await refusedBy(await serveSecured(() => undefined), /the witness does not answer/)
      })

      it('takes silence for a "no": it drips', async () => {
        const drip = (socket: net.Socket, text: string): void => {
          let sent = 0
          const timer = setInterval(() => socket.write(text.charAt(sent++), 'latin1'), 20)
          socket.on('close', () => clearInterval(timer))
        }
        const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX: ' + 'x'.repeat(1000)
        const dripping = await serveSecured((socket) => drip(socket, head))
        await refusedBy(dripping, /the witness does not answer/)
        // The head of a record of TLS with a length that takes for ever to come (RFC 8446 section 5.1).
        const record = '\x16\x03\x03\x40\x00\x02\x00\x3f\xfc' + 'x'.repeat(1000)
        await refusedBy(await serveRaw((socket) => drip(socket, record)), /the witness does not answer/)
      })

      it('takes silence for a "no": it closes at once, or talks garbage', async () => {
        for (const server of [serveRaw, serveSecured]) {
          await refusedBy(await server((socket) => socket.end()), /the witness does not answer/)
          await refusedBy(
            await server((socket) => socket.end('SSH-2.0-garbage\r\n\r\n')),
            /the witness does not answer/,
          )
        }
      })

      it('takes a "yes" without TLS for nothing', async () => {
        const yes = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nyes'
        await refusedBy(await serveRaw((socket) => socket.end(yes)), /the witness does not answer/)
      })

      it('ends in time when it is flooded', async () => {
        for (const server of [serveRaw, serveSecured]) {
          const flood = await server((socket) => {
            const chunk = Buffer.alloc(65_536, 'x')
            socket.write('HTTP/1.1 200 OK\r\nX-Long: ')
            const more = () => {
              while (!socket.destroyed && socket.write(chunk));
            }
            socket.on('drain', more)
            more()
          })
          await refusedBy(flood, /the witness does not answer/)
        }
      })

      describe('takes nobody’s word but the witness’s', () => {
        /** Says yes to everybody, and was not asked. */
        async function isNotAsked(credentials: Credentials): Promise<void> {
          const asked: (string | undefined)[] = []
          const witness = await serve(
            (request, response) => {
              asked.push(request.url)
              plain(200, 'yes')(request, response)
            },
            { credentials },
          )
          await refusedBy(witness, /the witness does not answer/)
          assert.deepEqual(asked, [])
        }

        it('not that of a witness of another authority', async () => {
          await isNotAsked((await identitiesOf(await Authority.inMemory())).witness)
        })

        it('not that of an enrolled node, not even this one', async () => {
          await isNotAsked(await ours.node({ node: 'lb02' }))
          await isNotAsked(lb01)
        })

        it('not that of an admin', () => isNotAsked(ours.admin))

        it('not where an older TLS is all that is spoken', async () => {
          const { key, certificate } = ours.witness
          const server = tls.createServer({ key, cert: certificate, maxVersion: 'TLSv1.2' })
          const yes = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nyes'
          const witness = await serveOn(server, 'secureConnection', (socket) => socket.end(yes))
          await refusedBy(witness, /the witness does not answer/)
        })
      })

      it('reaches the witness at an IPv6 address', async function () {
        const hasIPv6 = Object.values(networkInterfaces()).some((addresses) =>
          addresses?.some(({ address }) => address === '::1'),
        )
        if (!hasIPv6) skipAloud(this, 'this machine has no IPv6')
        settings({ WITNESS: await serve(plain(200, 'vote for lb01, epoch 8'), { host: '::1' }) })
        const { code, line } = await run()
        assert.equal(code, 0, line)
        assert.match(line, /; the witness: vote for lb01, epoch 8$/)
      })

      it('reaches the witness at a name', async () => {
        const url = await serve(plain(200, 'vote for lb01, epoch 8'))
        settings({ WITNESS: url.replace('127.0.0.1', 'localhost') })
        const { code, line } = await run()
        assert.equal(code, 0, line)
      })

      it('does not take another web server’s page for a vote', async () => {
        const page = await serve((_request, response) =>
          response.setHeader('Content-Type', 'text/html').end('<h1>It works</h1>'),
        )
        await refusedBy(page, /what answers at https:\/\/127\.0\.0\.1:\d+ is not a witness \(status 200\)/)
      })

      it('tells a refused certificate, and why, from other failures', async () => {
        await refusedBy(
          await serve(plain(401, 'no certificate was shown')),
          /the witness refuses this node \(status 401\): no certificate was shown/,
        )
        await refusedBy(
          await serve(plain(403, 'lb01 was removed')),
          /the witness refuses this node \(status 403\): lb01 was removed/,
        )
        await refusedBy(await serve(plain(500, 'broken')), /the witness gives no vote \(status 500\): broken/)
        await refusedBy(
          await serve(plain(302, '')),
          /the witness gives no vote \(status 302\): no reason given/,
        )
      })

      it('prints one clean line whatever the witness writes', async () => {
        settings({ WITNESS: await serve(plain(503, 'first\r\nsecond\n')) })
        assert.match((await run()).line, /the witness: first$/)
        settings({ WITNESS: await serve(plain(503, '\u001b[31mred\u0000\n')) })
        assert.match((await run()).line, /the witness: no reason given$/)
        settings({ WITNESS: await serve(plain(503, 'x'.repeat(100_000))) })
        assert.ok((await run()).line.length < 2500)
      })

      it('ignores proxies and .curlrc', async () => {
        const witness = await serve(plain(200, 'yes'))
        writeFileSync(join(folder, '.curlrc'), 'url = http://127.0.0.1:9\nfail\nmax-time = 30\n')
        settings({ WITNESS: witness })
        const env = {
          PATH: '/usr/bin:/bin',
          HOME: folder,
          https_proxy: 'http://127.0.0.1:9',
          ALL_PROXY: 'http://127.0.0.1:9',
        }
        assert.equal((await run({ env })).code, 0)
      })

      it('shows the key in no list of processes', async () => {
        let seen = ''
        const witness = await serve((_request, response) => {
          seen = spawnSync(
            'sh',
            ['-c', 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\\0" " "'],
            {
              encoding: 'utf8',
            },
          ).stdout
          plain(200, 'yes')(_request, response)
        })
        settings({ WITNESS: witness })
        assert.equal((await run()).code, 0)
        assert.ok(seen.includes('api/v1/check'))
        const secret = lb01.key.split('\n').filter((line) => line.length > 20 && !line.startsWith('-'))
        assert.ok(secret.length > 0)
        for (const line of secret) assert.ok(!seen.includes(line))
      })

      it('says that curl is missing', async () => {
        settings()
        const { code, line } = await run({ env: nothing })
        assert.equal(code, 1)
        assert.match(line, /the witness cannot be asked, because curl is not installed/)
      })

      it('says what is wrong with its settings', async () => {
        const faults: [Record<string, string | null>, RegExp][] = [
          ...[null, '-o/etc/passwd', 'http://127.0.0.1:9', 'https://127.0.0.1', 'https://:9'].map(
            (WITNESS): [Record<string, string | null>, RegExp] => [
              { WITNESS },
              /WITNESS in .*check\.conf is not https:\/\/HOST:PORT/,
            ],
          ),
          [{ ALONE: 'maybe' }, /ALONE in .*check\.conf is neither stop nor keep/],
          [{ NODE: '' }, /CLUSTER or NODE in .*check\.conf is malformed/],
          [{ CLUSTER: 'a&node=b' }, /CLUSTER or NODE in .*check\.conf is malformed/],
        ]
        for (const [changes, reason] of faults) {
          settings(changes)
          const { code, line } = await run()
          assert.equal(code, 1)
          assert.match(line, reason)
        }
      })

      it('refuses nothing on a node that has not joined', async () => {
        rmSync(identityFileIn(stateDir))
        const { code, line } = await run()
        assert.equal(code, 0)
        assert.match(line, /this node has not joined a witness yet, so nothing is refused/)
      })

      it('refuses nothing for an instance that is not armed', async () => {
        for (const armed of ['', 'VI_2', 'VI_11 VI_2']) {
          settings({ ARMED: armed })
          const { code, line } = await run()
          assert.equal(code, 0)
          assert.match(line, /VI_1 is not armed on this node yet, so nothing is refused/)
        }
      })

      it('asks the witness for an armed instance, and for every one where an older agent wrote check.conf', async () => {
        for (const armed of ['VI_1', 'VI_2 VI_1', null]) {
          settings({ ARMED: armed })
          const { code, line } = await run()
          assert.equal(code, 1)
          assert.match(line, /the witness does not answer/)
        }
      })

      it('obeys a bar whether or not the instance is armed', async () => {
        settings({ ARMED: '' })
        permitFile(`bar ${bootId} ${inMs(60_000)} another node holds\n`)
        const { code, line } = await run()
        assert.equal(code, 1, line)
      })

      it('says that check.conf is missing', async () => {
        const { code, line } = await run()
        assert.equal(code, 1)
        assert.match(line, /check\.conf is missing or empty; start the agent/)
      })

      for (const file of ['identity.pem', 'authority.pem'])
        it(`says that ${file} is missing`, async () => {
          const witness = await serve(plain(200, 'yes'))
          rmSync(join(stateDir, file))
          await refusedBy(
            witness,
            new RegExp(
              `the witness cannot be asked, because .*/${file.replace('.', '\\.')} cannot be read; .*enrolled`,
            ),
          )
        })

      it('takes silence for a "no": its own key is torn', async () => {
        const witness = await serve(plain(200, 'yes'))
        const path = identityFileIn(stateDir)
        writeFileSync(path, readFileSync(path, 'utf8').slice(0, 100))
        await refusedBy(witness, /the witness does not answer/)
      })
    })

    it('refuses wrong arguments with a usage line', async () => {
      for (const args of [
        [],
        ['a', 'b'],
        ['../x'],
        [''],
        ['a b'],
        ['--state-dir'],
        ['-h'],
        ['--state-dir', '', 'x'],
      ]) {
        const { code, line } = await run({ args })
        assert.equal(code, 1)
        assert.match(line, /^usage: witness-check/)
      }
    })

    it('is executable', () => {
      assert.notEqual(statSync(script).mode & 0o111, 0)
    })
  })
}
