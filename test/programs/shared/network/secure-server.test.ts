import assert from 'node:assert/strict'
import { createPrivateKey, webcrypto } from 'node:crypto'
import { once } from 'node:events'
import { get } from 'node:https'
import type { Server } from 'node:https'
import { connect as connectTcp, type AddressInfo, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { Authority } from '../../../../server/registry/authority.ts'
import { ConnectionLimit } from '../../../../shared/network/connection-limit.ts'
import type { Credentials } from '../../../../shared/identity/credentials.ts'
import { describeIdentity, uriOf } from '../../../../shared/identity/identity.ts'
import {
  keyAlgorithm,
  loadX509,
  privateKeyPem,
  signingAlgorithm,
} from '../../../../shared/identity/key-request.ts'
import {
  createSecureServer,
  identityOfPeer,
  listen,
  plainAddress,
  renewCredentials,
} from '../../../../shared/network/secure-server.ts'
import { identities, identitiesOf, type Identities } from '../../../identities.ts'
import { eventually } from '../../../fixtures/eventually.ts'

/** How long a client may take for its handshake. */
const handshakeTimeoutMs = 3000

describe('a secure server', () => {
  let ours: Identities
  let lb01: Credentials
  let server: Server
  let at: AddressInfo
  let nowMs: number
  let isKnown: (address: string) => boolean
  let refused: string[]
  /** Who was on the other end, of each connection whose handshake was done. */
  let came: string[]
  let begun: number
  let asked: number
  const clients: Socket[] = []

  before(async () => {
    ours = await identities()
    lb01 = await ours.node()
  })
  beforeEach(() => {
    nowMs = 0
    isKnown = () => true
    refused = []
    came = []
    begun = 0
    asked = 0
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy()
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })

  async function serve({ mostConnections = 100 } = {}): Promise<void> {
    server = createSecureServer({
      credentials: ours.witness,
      limit: new ConnectionLimit({ isKnown: (address) => isKnown(address), monotonicMs: () => nowMs }),
      mostConnections,
      monotonicMs: () => nowMs,
      onRequest: (request, response) => {
        asked += 1
        response.end(request.url === '/long' ? Buffer.alloc(32 * 1024 * 1024) : nameOfPeer(request.socket))
      },
      onRefused: (reason, from) => refused.push(`${reason} ${from}`),
    })
    server.on('connection', () => (begun += 1))
    server.on('secureConnection', (socket: TLSSocket) => {
      came.push(nameOfPeer(socket))
      socket.on('error', () => undefined)
    })
    at = await listen(server, { host: '127.0.0.1', port: 0 })
  }
  function nameOfPeer(socket: Socket): string {
    const identity = identityOfPeer(socket)
    return identity === null ? 'nobody' : describeIdentity(identity)
  }
  function dial(options: ConnectionOptions = {}): TLSSocket {
    const client = connectTls({ ...shown(lb01), ...target(), ...options })
    client.on('error', () => undefined)
    clients.push(client)
    return client
  }
  function dialPlainly(): Socket {
    const client = connectTcp({ port: at.port, host: '127.0.0.1' })
    client.on('error', () => undefined)
    clients.push(client)
    return client
  }
  const target = (): ConnectionOptions => ({
    port: at.port,
    host: '127.0.0.1',
    ca: ours.authority.certificatePem,
    checkServerIdentity: () => undefined,
  })
  const shown = ({ key, certificate }: Pick<Credentials, 'key' | 'certificate'>): ConnectionOptions => ({
    key,
    cert: certificate,
  })
  /** Until its handshake is over, on the other side as well. */
  async function secured(client: TLSSocket): Promise<TLSSocket> {
    const before = came.length
    await once(client, 'secureConnect')
    await eventually('the handshake', () => came.length > before)
    return client
  }

  /** With an error or without. */
  async function ended(client: Socket): Promise<void> {
    client.resume()
    await eventually('the end', () => client.closed, 5 * handshakeTimeoutMs)
  }

  it('knows who shows a certificate of its authority', async () => {
    await serve()
    for (const credentials of [lb01, ours.admin, ours.witness]) await secured(dial(shown(credentials)))
    assert.deepEqual(came, ['node web/lb01', 'admin local', 'the witness'])
    assert.deepEqual(refused, [])
  })

  it('lets who shows no certificate in as nobody', async () => {
    await serve()
    await secured(dial({ key: undefined, cert: undefined }))
    assert.deepEqual([came, refused], [['nobody'], []])
  })

  it('takes who shows a certificate of another authority for nobody', async () => {
    await serve()
    const theirs = await identitiesOf(await Authority.inMemory())
    for (const credentials of [await theirs.node(), theirs.admin, theirs.witness])
      await secured(dial(shown(credentials)))
    assert.deepEqual(came, ['nobody', 'nobody', 'nobody'])
  })

  it('takes who shows a certificate that an enrolled node has signed for nobody', async () => {
    await serve()
    const forged = await signedBy(lb01)
    await secured(dial(shown(forged)))
    await secured(dial(shown({ ...forged, certificate: forged.certificate + lb01.certificate })))
    assert.deepEqual(came, ['nobody', 'nobody'])
  })

  it('makes nobody somebody who takes up an earlier session again', async () => {
    await serve()
    const theirs = await identitiesOf(await Authority.inMemory())
    for (const credentials of [
      { key: undefined, cert: undefined },
      shown(await theirs.node()),
      shown(lb01),
    ]) {
      const first = dial(credentials)
      const ticket = once(first, 'session')
      await secured(first)
      first.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
      const [session] = (await ticket) as [Buffer]
      const second = await secured(dial({ ...credentials, session }))
      assert.ok(second.isSessionReused())
    }
    assert.deepEqual(came, ['nobody', 'nobody', 'nobody', 'nobody', 'node web/lb01', 'node web/lb01'])
  })

  it('tells a request who is asking', async () => {
    await serve()
    const body = new Promise<string>((resolve, reject) =>
      get({ ...target(), ...shown(lb01), agent: false }, (response) => {
        response.on('data', (data) => resolve(String(data)))
      }).on('error', reject),
    )
    assert.equal(await body, 'node web/lb01')
  })

  it('answers one caller so often a second, over whatever connections, and tells the rest to go', async () => {
    await serve()
    // The clock stands still: a caller has a burst of 100.
    const ask = async (client: TLSSocket): Promise<string> => {
      const answer = once(client, 'data')
      client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
      return String((await answer)[0]).split('\r\n', 1)[0] ?? ''
    }
    const answers: string[] = []
    while (answers.at(-1) !== 'HTTP/1.1 429 Too Many Requests' && answers.length < 200) {
      const client = await secured(dial())
      for (let round = 0; round < 30 && answers.length < 200; round++) {
        answers.push(await ask(client))
        if (answers.at(-1) !== 'HTTP/1.1 200 OK') break
      }
    }
    assert.deepEqual([answers.filter((line) => line === 'HTTP/1.1 200 OK').length, asked], [100, 100])
    assert.equal(answers.at(100), 'HTTP/1.1 429 Too Many Requests')
    assert.equal(refused.at(-1), 'too-many-requests 127.0.0.1')
    assert.equal(await ask(await secured(dial(shown(ours.admin)))), 'HTTP/1.1 200 OK')
    nowMs += 1000
    assert.equal(await ask(await secured(dial())), 'HTTP/1.1 200 OK')
  })

  it('ends a connection on which a heap of requests comes at once', async () => {
    await serve()
    const client = await secured(dial())
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(500))
    await ended(client)
    assert.ok(asked <= 8, `${asked} were answered`)
    assert.deepEqual([...new Set(refused)], ['too-many-requests 127.0.0.1'])
  })

  it('ends a connection whose other side does not read the answer', async function () {
    this.timeout(30_000)
    await serve()
    const client = await secured(dial())
    client.pause()
    client.write('GET /long HTTP/1.1\r\nHost: x\r\n\r\n')
    await eventually('the request', () => asked === 1)
    const open = (): Promise<number> =>
      new Promise((resolve) => server.getConnections((_error, count) => resolve(count)))
    assert.equal(await open(), 1)
    const startedAtMs = performance.now()
    while ((await open()) > 0 && performance.now() - startedAtMs < 20_000)
      await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal(await open(), 0)
  })

  it('takes as many connections again as were closed', async () => {
    await serve({ mostConnections: 1000 })
    const openNow = (): Promise<number> =>
      new Promise((resolve) => server.getConnections((_error, count) => resolve(count)))
    for (let round = 1; round <= 3; round++) {
      const held: Socket[] = []
      while (held.length < 100) {
        nowMs += 1000
        held.push(...Array.from({ length: 20 }, dialPlainly))
        await eventually('they came', () => begun === (round - 1) * 100 + held.length)
      }
      await eventually(
        'those above the bound are cut',
        () => held.filter(({ closed }) => closed).length === 4,
      )
      for (const one of held) one.destroy()
      while ((await openNow()) > 0) await new Promise((resolve) => setImmediate(resolve))
    }
  })

  it('refuses whoever speaks an older TLS, and tells', async () => {
    await serve()
    const client = dial({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })
    await ended(client)
    await eventually('the refusal', () => refused.length > 0)
    assert.deepEqual([refused, came], [['handshake-failed 127.0.0.1'], []])
  })

  it('refuses what is no TLS, and tells', async () => {
    await serve()
    const client = dialPlainly()
    client.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    await ended(client)
    await eventually('the refusal', () => refused.length > 0)
    assert.deepEqual([refused, came], [['handshake-failed 127.0.0.1'], []])
  })

  it('ends a handshake that does not go on', async function () {
    this.timeout(5 * handshakeTimeoutMs)
    await serve()
    const client = dialPlainly()
    await once(client, 'connect')
    const startedAtMs = performance.now()
    await ended(client)
    const tookMs = performance.now() - startedAtMs
    assert.ok(tookMs > 0.9 * handshakeTimeoutMs && tookMs < 3 * handshakeTimeoutMs, `took ${tookMs} ms`)
    assert.equal(refused.length, 1)
    assert.match(refused[0] ?? '', /^handshake-failed /)
  })

  it('cuts who comes too often before the handshake, and tells', async () => {
    isKnown = () => false
    await serve()
    // The clock stands still: of strangers, a burst of 20 is taken.
    const strangers = Array.from({ length: 100 }, dialPlainly)
    await eventually('all', () => begun === 100)
    await eventually('cut', () => strangers.filter(({ closed }) => closed).length === 80)
    assert.deepEqual(
      refused,
      Array.from({ length: 80 }, () => 'too-many-connections 127.0.0.1'),
    )
    const late = dial()
    await ended(late)
    assert.deepEqual([refused.length, came], [81, []])
    nowMs += 1000
    await secured(dial())
    assert.deepEqual(came, ['node web/lb01'])
  })

  it('has no more connections open than allowed, and tells', async () => {
    await serve({ mostConnections: 2 })
    await secured(dial())
    await secured(dial())
    await ended(dial())
    assert.deepEqual([refused, came.length], [['too-many-connections 127.0.0.1'], 2])
  })

  it('shows renewed credentials to the next connection, and goes on with those that are open', async () => {
    await serve()
    const shownNames = (socket: TLSSocket): string | undefined =>
      socket.getPeerX509Certificate()?.subjectAltName
    const first = await secured(dial())
    assert.match(shownNames(first) ?? '', /:witness/)
    renewCredentials(server, await ours.node({ node: 'lb02', generation: 7 }))
    const second = await secured(dial())
    assert.equal(shownNames(second), 'URI:urn:keepalived-witness:node:web:lb02:7')
    // It is asked for as before: TLS 1.3, and who is on the other end.
    assert.deepEqual([second.getProtocol(), came], ['TLSv1.3', ['node web/lb01', 'node web/lb01']])
    first.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    const [answer] = (await once(first, 'data')) as [Buffer]
    assert.match(answer.toString(), /node web\/lb01/)
    const old = dial({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })
    await ended(old)
    assert.equal(came.length, 2)
  })

  it('fails with the system’s error where it cannot listen', async () => {
    await serve()
    const other = createSecureServer({
      credentials: ours.witness,
      limit: new ConnectionLimit({ isKnown, monotonicMs: () => nowMs }),
      mostConnections: 1,
      monotonicMs: () => nowMs,
      onRequest: () => undefined,
      onRefused: () => undefined,
    })
    await assert.rejects(listen(other, { host: '127.0.0.1', port: at.port }), { code: 'EADDRINUSE' })
  })
})

describe('the address of somebody', () => {
  it('is IPv4 where a dual-stack socket shows it as IPv6', () => {
    assert.deepEqual(['::ffff:10.0.0.11', '10.0.0.11', '2001:db8::1', undefined].map(plainAddress), [
      '10.0.0.11',
      '10.0.0.11',
      '2001:db8::1',
      'unknown',
    ])
  })

  it('has no zone, which no other host could do anything with', () => {
    assert.equal(plainAddress('fe80::1%eth0'), 'fe80::1')
  })
})

/** A certificate as another node, signed with the key of one that is enrolled. */
async function signedBy({
  key,
  certificate,
}: Credentials): Promise<Pick<Credentials, 'key' | 'certificate'>> {
  const x509 = await loadX509()
  const keys = await webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify'])
  const der = createPrivateKey(key).export({ format: 'der', type: 'pkcs8' })
  const forged = await x509.X509CertificateGenerator.create(
    {
      serialNumber: '01',
      subject: 'CN=forged',
      issuer: new x509.X509Certificate(certificate).subject,
      notBefore: new Date(0),
      notAfter: new Date('9999-12-31T23:59:59Z'),
      publicKey: keys.publicKey,
      signingKey: await webcrypto.subtle.importKey('pkcs8', der, keyAlgorithm, false, ['sign']),
      signingAlgorithm,
      extensions: [
        new x509.SubjectAlternativeNameExtension([
          { type: 'url', value: uriOf({ kind: 'node', cluster: 'web', node: 'lb02', generation: 1 }) },
        ]),
      ],
    },
    webcrypto,
  )
  return { key: await privateKeyPem(keys.privateKey), certificate: `${forged.toString('pem')}\n` }
}
