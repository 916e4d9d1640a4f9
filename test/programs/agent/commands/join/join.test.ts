import assert from 'node:assert/strict'
import { webcrypto, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { createServer as createTlsServer } from 'node:tls'
import express from 'express'
import { joinExits, runJoin, type JoinOptions } from '../../../../../agent/commands/join/join.ts'
import { agentConfigSchema } from '../../../../../agent/config.ts'
import { renewCredentials } from '../../../../../agent/voters/renewal.ts'
import { createEnrolmentRouter } from '../../../../../server/api/enrolment.ts'
import { Registry } from '../../../../../server/registry/registry.ts'
import { loadConfig } from '../../../../../shared/host/config-file.ts'
import { identityFileIn, readCredentials } from '../../../../../shared/identity/credentials.ts'
import { identityOf } from '../../../../../shared/identity/identity.ts'
import { writeInviteLine, type Invite } from '../../../../../shared/identity/invite-line.ts'
import {
  loadX509,
  makeKeyPair,
  privateKeyPem,
  signingAlgorithm,
} from '../../../../../shared/identity/key-request.ts'
import { identityOfPeer } from '../../../../../shared/network/secure-server.ts'
import {
  authority,
  credentialsOf,
  foreignAuthority,
  lb01Credentials,
  nodeIdentity,
  witnessCredentials,
} from '../../../../identities.ts'
import { temporaryFolder } from '../../../../fixtures/temporary-folder.ts'

describe('witness-agent join', () => {
  const file = temporaryFolder()
  let server: Server
  let registry: Registry
  let atMs: number
  let connected: string | null

  beforeEach(async () => {
    atMs = 1000
    connected = null
    registry = await Registry.open({
      folder: file('authority'),
      authorityWasThere: false,
      bootId: 'boot-0001',
      nowMs: () => atMs,
      now: () => new Date(Date.UTC(2026, 0, 2)),
      onError: (error) => assert.fail(error),
    })
    server = createServer(
      {
        key: witnessCredentials.key,
        cert: witnessCredentials.certificate,
        ca: authority.certificatePem,
        requestCert: true,
        rejectUnauthorized: false,
        minVersion: 'TLSv1.3',
      },
      express().use(
        createEnrolmentRouter({
          authority,
          registry,
          identityOf: ({ socket }) => identityOfPeer(socket),
          ownAddress: () => null,
          holdsLease: () => false,
          isConnected: ({ node }) => node === connected,
          tell: () => undefined,
          onUnknownInvite: () => undefined,
          nowMs: () => atMs,
        }),
      ),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  const address = (): string => `127.0.0.1:${(server.address() as AddressInfo).port}`
  async function invite(more: Partial<Invite> = {}): Promise<string> {
    const outcome = await registry.invite({ cluster: 'web', node: 'lb01' })
    assert.ok(outcome.kind === 'done')
    return writeInviteLine({
      address: address(),
      fingerprint: authority.fingerprint,
      secret: outcome.secret,
      cluster: 'web',
      node: 'lb01',
      ...more,
    })
  }
  async function run(
    input: string,
    {
      words = [] as string[],
      systemctl = null as string[] | null,
      ...options
    }: Partial<JoinOptions> & { words?: string[]; systemctl?: string[] | null } = {},
  ): Promise<{ code: number; said: string }> {
    const said: string[] = []
    const code = await runJoin(
      words,
      { config: file('etc/agent.yaml'), stateDir: file('state'), listen: null, start: false, ...options },
      {
        input: Readable.from([input]),
        isTty: false,
        say: (line) => said.push(line),
        systemctl,
      },
    )
    return { code, said: said.join('\n') }
  }
  const config = () => loadConfig(file('etc/agent.yaml'), agentConfigSchema)
  function nothingWasDone(): void {
    assert.equal(existsSync(identityFileIn(file('state'))), false)
    assert.equal(existsSync(file('etc/agent.yaml')), false)
    assert.deepEqual(registry.members('web'), [])
  }

  it('leaves a key that was made here, a certificate, and a configuration that the agent takes', async () => {
    const { code, said } = await run(await invite())
    assert.equal(code, joinExits.ok, said)
    assert.deepEqual(readCredentials(file('state'), '').identity, nodeIdentity('lb01'))
    assert.equal(statSync(identityFileIn(file('state'))).mode & 0o777, 0o600)
    const { cluster, node, witness, stateDir, listen } = config()
    assert.deepEqual([cluster, node, witness], ['web', 'lb01', `https://${address()}`])
    assert.deepEqual([stateDir, listen.port], [file('state'), 7401])
    assert.match(readFileSync(file('etc/agent.yaml'), 'utf8'), /^ *# .*\n/m)
    assert.deepEqual(registry.members('web'), [
      { name: 'lb01', address: '127.0.0.1', port: 7401, leastGeneration: 1 },
    ])
    assert.match(said, /web\/lb01 is enrolled at the witness.*\n.*agent\.yaml was created/)
    // Neither runs keepalived where tests run, nor is it in this network namespace.
    assert.match(said, /keepalived is not running on this host|keepalived's process cannot be found/)
  })

  it('takes a line that was broken up when it was pasted', async () => {
    const line = await invite()
    const { code, said } = await run(`  ${line.slice(0, 50)}\r\n ${line.slice(50)} \n\n`)
    assert.equal(code, joinExits.ok, said)
  })

  it('tells the witness where the agent listens, also when it is said here', async () => {
    await run(await invite(), { listen: '0.0.0.0:7411' })
    assert.equal(registry.members('web')[0]?.port, 7411)
    assert.equal(config().listen.port, 7411)
  })

  it('keeps an agent.yaml as the admin wrote it, but for what the invite says', async () => {
    mkdirSync(file('etc'))
    writeFileSync(
      file('etc/agent.yaml'),
      `# ours\ncluster: old # was lab\nnode: x\nwitness: https://192.0.2.1:7400\ntokenFile: /etc/token\nadvertise: 192.0.2.11\nkeepalived:\n  stopCommand: [systemctl, stop, keepalived]\n`,
    )
    chmodSync(file('etc/agent.yaml'), 0o640)
    const { code, said } = await run(await invite(), { stateDir: file('state') })
    assert.equal(code, joinExits.ok, said)
    assert.equal(
      readFileSync(file('etc/agent.yaml'), 'utf8'),
      `# ours\ncluster: web # was lab\nnode: lb01\nwitness: https://${address()}\nadvertise: 192.0.2.11\nkeepalived:\n  stopCommand: [systemctl, stop, keepalived]\nstateDir: ${file('state')}\n`,
    )
    assert.equal(statSync(file('etc/agent.yaml')).mode & 0o777, 0o640)
    assert.equal(registry.members('web')[0]?.address, '192.0.2.11')
  })

  it('writes through a symbolic link to where the admin keeps agent.yaml', async () => {
    mkdirSync(file('etc'))
    mkdirSync(file('kept'))
    writeFileSync(file('kept/lb01.yaml'), '# ours\n')
    symlinkSync('../kept/lb01.yaml', file('etc/agent.yaml'))
    const { code, said } = await run(await invite())
    assert.equal(code, joinExits.ok, said)
    assert.ok(lstatSync(file('etc/agent.yaml')).isSymbolicLink())
    assert.match(readFileSync(file('kept/lb01.yaml'), 'utf8'), /^# ours\n[^]*cluster: web\n/)
  })

  it('uses up no invite where agent.yaml is wrong, or where nothing can be written', async () => {
    mkdirSync(file('etc'))
    writeFileSync(file('etc/agent.yaml'), 'clutser: web\n')
    const wrong = await run(await invite())
    assert.equal(wrong.code, joinExits.refused)
    assert.match(wrong.said, /agent\.yaml:1:1: clutser: unknown option; did you mean cluster\?/)
    writeFileSync(file('etc/agent.yaml'), 'cluster: [\n')
    assert.match((await run(await invite())).said, /not YAML/)
    writeFileSync(file('blocked'), '')
    const blocked = await run(await invite(), {
      config: file('x/agent.yaml'),
      stateDir: file('blocked/state'),
    })
    assert.match(blocked.said, /cannot be written .*The invite is still valid/)
    assert.equal(registry.openInvites.length, 1)
    assert.deepEqual(registry.members('web'), [])
  })

  it('refuses an invite on the command line: everybody on the host could read it', async () => {
    const line = await invite()
    const { code, said } = await run('', { words: [line] })
    assert.equal(code, joinExits.refused)
    assert.match(said, /not accepted on the command line.*paste the line when asked/)
    assert.ok(!said.includes(line))
    nothingWasDone()
  })

  it('refuses what is no invite, and asks for one where nothing comes', async () => {
    assert.match((await run('hello\n')).said, /this is not an invite \(an invite begins with "kw1\."\)/)
    assert.match((await run('')).said, /no invite was given/)
    assert.match((await run((await invite()).slice(0, -9))).said, /copy the whole line/)
    nothingWasDone()
  })

  it('says why the witness refuses: used, late', async () => {
    const line = await invite()
    assert.equal((await run(line)).code, joinExits.ok)
    const again = await run(line)
    assert.equal(again.code, joinExits.refused)
    assert.match(again.said, /this invite was already used/)
    const late = await invite()
    atMs += 16 * 60_000
    assert.match((await run(late)).said, /this invite expired 1 min ago/)
  })

  it('says what to do where nobody answers', async () => {
    const line = await invite({ address: '127.0.0.1:9' })
    const { code, said } = await run(line)
    assert.equal(code, joinExits.refused)
    assert.match(said, /cannot be reached \(ECONNREFUSED\); check that witnessd is running/)
    nothingWasDone()
  })

  describe('with somebody in between', () => {
    /** Accepts every connection with this certificate, and writes down what is said to it. */
    async function between(
      { key, certificate }: { key: string; certificate: string },
      join: (address: string) => Promise<void>,
    ): Promise<string> {
      const heard: Buffer[] = []
      const listener = createTlsServer({ key, cert: certificate }, (socket) => {
        socket.on('error', () => undefined)
        socket.on('data', (data: Buffer) => {
          heard.push(data)
          socket.end('HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}')
        })
      })
      listener.on('tlsClientError', () => undefined)
      listener.listen(0, '127.0.0.1')
      await once(listener, 'listening')
      try {
        await join(`127.0.0.1:${(listener.address() as AddressInfo).port}`)
      } finally {
        listener.close()
      }
      return Buffer.concat(heard).toString()
    }

    /** All that is public is right: the names, the authority's key identifier, the authority's certificate. */
    async function forgedWitness(): Promise<{ key: string; certificate: string }> {
      const x509 = await loadX509()
      const real = new x509.X509Certificate(authority.certificatePem)
      const keys = await makeKeyPair()
      const forged = await x509.X509CertificateGenerator.create(
        {
          issuer: real.subject,
          subject: 'CN=the witness',
          notBefore: new Date(0),
          notAfter: new Date('9999-12-31T23:59:59Z'),
          publicKey: keys.publicKey,
          signingKey: keys.privateKey,
          signingAlgorithm,
          extensions: [
            new x509.SubjectAlternativeNameExtension([
              { type: 'url', value: 'urn:keepalived-witness:witness' },
            ]),
            await x509.AuthorityKeyIdentifierExtension.create(real.publicKey, false, webcrypto),
          ],
        },
        webcrypto,
      )
      const certificate = `${forged.toString('pem')}\n${authority.certificatePem}`
      return { key: await privateKeyPem(keys.privateKey), certificate }
    }

    it('sends no secret to one with another authority', async () => {
      const stranger = await credentialsOf({ kind: 'witness' }, foreignAuthority)
      const heard = await between(stranger, async (at) => {
        const { code, said } = await run(await invite({ address: at }))
        assert.equal(code, joinExits.refused)
        assert.match(said, /is not the witness that created this invite.*The secret was not sent/)
      })
      assert.equal(heard, '')
      nothingWasDone()
    })

    it('sends no secret to one who shows the real authority beside a certificate of its own', async () => {
      const liar = await forgedWitness()
      const heard = await between(liar, async (at) => {
        const { code, said } = await run(await invite({ address: at }))
        assert.equal(code, joinExits.refused)
        assert.match(
          said,
          /is not the witness \(its certificate is not signed by the authority.*something is intercepting the connection\. The secret was not sent/,
        )
      })
      assert.equal(heard, '')
      nothingWasDone()
    })

    it('sends no secret to an enrolled node that plays the witness', async () => {
      const { key, certificate } = lb01Credentials
      const heard = await between(
        { key, certificate: certificate + authority.certificatePem },
        async (at) => {
          const { code, said } = await run(await invite({ address: at }))
          assert.equal(code, joinExits.refused)
          assert.match(
            said,
            /has a certificate from the right authority but is not the witness.*The secret was not sent/,
          )
        },
      )
      assert.equal(heard, '')
      nothingWasDone()
    })
  })

  it('enables and restarts the unit, and says where to look when it does not run', async () => {
    const calls = file('calls')
    writeFileSync(file('systemctl'), `#!/bin/sh\necho "$@" >> ${calls}\n[ "$1" != "$FAIL" ]\n`, {
      mode: 0o755,
    })
    const { code, said } = await run(await invite(), { start: true, systemctl: [file('systemctl')] })
    assert.equal(code, joinExits.ok, said)
    assert.equal(readFileSync(calls, 'utf8'), 'enable witness-agent\nrestart witness-agent\n')
    assert.match(said, /The agent is running/)
    const broken = await run(await invite(), {
      start: true,
      systemctl: ['/usr/bin/env', 'FAIL=restart', file('systemctl')],
    })
    assert.equal(broken.code, joinExits.notStarted)
    assert.match(broken.said, /is enrolled, but its agent is not running: .*journalctl -u witness-agent/)
  })

  describe('as the first or second node of its cluster', () => {
    async function joinWith(systemctl: string): Promise<{ code: number; said: string; calls: string }> {
      writeFileSync(file('systemctl'), `#!/bin/sh\necho "$@" >> ${file('calls')}\n${systemctl}\n`, {
        mode: 0o755,
      })
      const done = await run(await invite(), { start: true, systemctl: [file('systemctl')] })
      return { ...done, calls: readFileSync(file('calls'), 'utf8') }
    }

    it('starts the agent before the other node has one, and says that it only watches until then', async () => {
      const { code, said, calls } = await joinWith('true')
      assert.equal(code, joinExits.ok)
      assert.equal(calls, 'enable witness-agent\nrestart witness-agent\n')
      assert.match(said, /No other node of web is connected to the witness yet\. .*only watches and votes/)
    })

    it('writes what the check reads before the certificate, so that the check refuses nothing', async () => {
      await joinWith('true')
      assert.match(readFileSync(file('state/check.conf'), 'utf8'), /^ARMED=$/m)
    })

    it('says nothing of that beside the other node', async () => {
      const other = await registry.invite({ cluster: 'web', node: 'lb02' })
      assert.ok(other.kind === 'done')
      await registry.redeem({
        cluster: 'web',
        node: 'lb02',
        secret: other.secret,
        address: '10.0.0.12',
        port: 7401,
      })
      connected = 'lb02'
      const { code, said } = await joinWith('true')
      assert.equal(code, joinExits.ok)
      assert.doesNotMatch(said, /only watches/)
    })
  })

  describe('and then the renewal', () => {
    const renew = () => {
      const { identity, ...current } = readCredentials(file('state'), '')
      assert.ok(identity.kind === 'node')
      return renewCredentials({
        cluster: 'web',
        node: 'lb01',
        witness: `https://${address()}`,
        stateDir: file('state'),
        current,
      })
    }

    it('puts a new key and the next certificate in place of the old ones', async () => {
      await run(await invite())
      const before = readCredentials(file('state'), '')
      const renewed = await renew()
      assert.notEqual(renewed.key, before.key)
      assert.deepEqual(
        identityOf(new X509Certificate(renewed.certificate)),
        nodeIdentity('lb01', { generation: 2 }),
      )
      assert.deepEqual(readCredentials(file('state'), '').identity, nodeIdentity('lb01', { generation: 2 }))
    })

    it('changes nothing where the witness refuses or is gone', async () => {
      await run(await invite())
      const before = readFileSync(identityFileIn(file('state')), 'utf8')
      await registry.remove({ cluster: 'web', node: 'lb01' })
      await assert.rejects(renew(), /web\/lb01 was removed/)
      server.closeAllConnections()
      const at = address()
      server.close()
      const current = readCredentials(file('state'), '')
      await assert.rejects(
        renewCredentials({
          cluster: 'web',
          node: 'lb01',
          witness: `https://${at}`,
          stateDir: file('state'),
          current,
        }),
        /ECONNREFUSED/,
      )
      assert.equal(readFileSync(identityFileIn(file('state')), 'utf8'), before)
    })
  })
})
