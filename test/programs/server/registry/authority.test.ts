import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { generateKeyPairSync, webcrypto, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type PeerCertificate } from 'node:tls'
import { promisify } from 'node:util'
import {
  Authority,
  authorityKeyFileIn,
  AuthorityError,
  KeyRequestError,
} from '../../../../server/registry/authority.ts'
import {
  authorityFileIn,
  identityFileIn,
  readCredentials,
  writeCredentials,
} from '../../../../shared/identity/credentials.ts'
import { identityOf, witnessServerName, type Identity } from '../../../../shared/identity/identity.ts'
import { fingerprintOf } from '../../../../shared/identity/invite-line.ts'
import { loadX509, makeKeyRequest } from '../../../../shared/identity/key-request.ts'
import {
  adminCredentials,
  authority,
  credentialsOf,
  foreignAuthority,
  lb01Credentials,
  nodeIdentity,
  witnessCredentials,
  type OwnCredentials,
} from '../../../identities.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

const run = promisify(execFile)
const node = { cluster: 'web', node: 'lb01', generation: 1 }

/** Both ends of a TLS 1.3 connection: whom the server sees, and whom the client sees; null: not verified. */
async function meet(
  client: OwnCredentials,
  server: OwnCredentials,
): Promise<{ client: Identity | null; server: Identity | null }> {
  const listener = createServer({
    key: server.key,
    cert: server.certificate,
    ca: server.authority,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
  })
  const seenClient = new Promise<Identity | null>((resolve) => {
    listener.on('secureConnection', (socket) => {
      socket.on('error', () => undefined)
      const certificate = socket.getPeerX509Certificate()
      resolve(socket.authorized && certificate !== undefined ? identityOf(certificate) : null)
      socket.end('x')
    })
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const socket = connect({
    host: '127.0.0.1',
    port,
    key: client.key,
    cert: client.certificate,
    ca: client.authority,
    checkServerIdentity: () => undefined,
    rejectUnauthorized: false,
  })
  try {
    await once(socket, 'secureConnect')
    const certificate = socket.getPeerX509Certificate()
    return {
      client: await seenClient,
      server: socket.authorized && certificate !== undefined ? identityOf(certificate) : null,
    }
  } finally {
    socket.destroy()
    listener.close()
  }
}

describe('authority', () => {
  const file = temporaryFolder()

  it('issues what both ends of a TLS connection verify, and know each other by', async () => {
    for (const [client, server] of [
      [lb01Credentials, witnessCredentials],
      [adminCredentials, witnessCredentials],
      [lb01Credentials, await credentialsOf(nodeIdentity('lb02'))],
    ] as const)
      assert.deepEqual(await meet(client, server), { client: client.identity, server: server.identity })
  })

  it('is not taken for another authority with the same name', async () => {
    const stranger = await credentialsOf(nodeIdentity('lb01'), foreignAuthority)
    assert.deepEqual(await meet(stranger, witnessCredentials), { client: null, server: null })
    const mixed = { ...stranger, authority: authority.certificatePem }
    assert.deepEqual(await meet(mixed, witnessCredentials), { client: null, server: { kind: 'witness' } })
  })

  it('lets nobody but itself sign: a node that signs a certificate is believed by nobody', async () => {
    const x509 = await loadX509()
    const { key, request } = await makeKeyRequest()
    const der = Buffer.from(lb01Credentials.key.replace(/-----.*-----|\n/g, ''), 'base64')
    const forged = await x509.X509CertificateGenerator.create(
      {
        issuer: new x509.X509Certificate(lb01Credentials.certificate).subject,
        subject: 'CN=the witness',
        notAfter: new Date('9999-12-31T23:59:59Z'),
        publicKey: new x509.Pkcs10CertificateRequest(request).publicKey,
        signingKey: await webcrypto.subtle.importKey(
          'pkcs8',
          der,
          { name: 'ECDSA', namedCurve: 'P-256' },
          false,
          ['sign'],
        ),
        signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
        extensions: [
          new x509.SubjectAlternativeNameExtension([
            { type: 'url', value: 'urn:keepalived-witness:witness' },
          ]),
        ],
      },
      webcrypto,
    )
    const liar = {
      key,
      certificate: `${forged.toString('pem')}\n${lb01Credentials.certificate}`,
      authority: authority.certificatePem,
      identity: { kind: 'witness' } as const,
    }
    assert.equal((await meet(lb01Credentials, liar)).server, null)
    assert.equal((await meet(liar, witnessCredentials)).client, null)
  })

  it('issues certificates that are good in 1971, now, and in 9998, for client and server', async () => {
    writeCredentials(file(), lb01Credentials)
    for (const year of [1971, 2026, 2049, 2050, 2200, 9998])
      for (const purpose of ['sslclient', 'sslserver']) {
        const atSeconds = Date.UTC(year, 5) / 1000
        const { stdout } = await run('openssl', [
          'verify',
          '-x509_strict',
          '-attime',
          `${atSeconds}`,
          '-purpose',
          purpose,
          '-CAfile',
          authorityFileIn(file()),
          identityFileIn(file()),
        ])
        assert.match(stdout, /: OK/, `${year} ${purpose}`)
      }
  })

  it('gives the witness a name that curl verifies at any address, and shows its own certificate in the chain', async () => {
    writeCredentials(file('witness'), witnessCredentials)
    writeCredentials(file('lb01'), lb01Credentials)
    const chain: PeerCertificate[] = []
    const server = createHttpsServer(
      {
        key: witnessCredentials.key,
        cert: witnessCredentials.certificate,
        ca: authority.certificatePem,
        requestCert: true,
        rejectUnauthorized: true,
        minVersion: 'TLSv1.3',
      },
      (_request, response) => response.end('hello'),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    try {
      const ask = (name: string): Promise<{ stdout: string }> =>
        run('curl', [
          '-sS',
          '--max-time',
          '5',
          '--cert',
          identityFileIn(file('lb01')),
          '--cacert',
          authorityFileIn(file('lb01')),
          '--connect-to',
          `${name}:7400:127.0.0.1:${port}`,
          `https://${name}:7400/`,
        ])
      assert.equal((await ask(witnessServerName)).stdout, 'hello')
      await assert.rejects(ask('another.keepalived-witness.internal'), /curl: \(60\)/)
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
      socket.on('error', () => undefined)
      await once(socket, 'secureConnect')
      chain.push(socket.getPeerCertificate(true).issuerCertificate)
      socket.destroy()
    } finally {
      server.close()
    }
    assert.equal(fingerprintOf(new X509Certificate(chain[0]!.raw)), authority.fingerprint)
  })

  it('gives nobody but the witness the name that curl asks for', () => {
    for (const { certificate } of [lb01Credentials, adminCredentials])
      assert.doesNotMatch(new X509Certificate(certificate).subjectAltName ?? '', /DNS:/)
    assert.match(
      new X509Certificate(witnessCredentials.certificate).subjectAltName ?? '',
      new RegExp(`DNS:${witnessServerName}`),
    )
  })

  it('never uses a serial number twice, and uses many bits of chance', async () => {
    const { request } = await makeKeyRequest()
    const serials = new Set<string>()
    for (let count = 0; count < 8; count += 1)
      serials.add(new X509Certificate(await authority.signNode({ ...node, request })).serialNumber)
    assert.equal(serials.size, 8)
    for (const serial of serials) assert.match(serial, /^[4-7][0-9A-F]{31}$/)
  })

  describe('on disk', () => {
    it('is made once, in a file that only its owner reads, and is the same after a restart', async () => {
      const first = await Authority.open(file('authority'))
      const second = await Authority.open(file('authority'))
      assert.deepEqual([first.wasThere, second.wasThere], [false, true])
      assert.equal(second.certificatePem, first.certificatePem)
      assert.equal(statSync(authorityKeyFileIn(file('authority'))).mode & 0o777, 0o600)
      assert.equal(statSync(file('authority')).mode & 0o777, 0o700)
      assert.deepEqual(readdirSync(file('authority')), ['ca.pem'], 'nothing temporary stays')
      const { key, certificate } = await second.issue({ kind: 'admin', name: 'local' })
      writeCredentials(file('admin'), { key, certificate, authority: first.certificatePem })
      assert.deepEqual(readCredentials(file('admin'), 'x').identity, { kind: 'admin', name: 'local' })
    })

    it('is never made anew where nodes were enrolled', async () => {
      for (const trace of ['registry.json', 'registry.json.torn-1']) {
        mkdirSync(file(trace), { recursive: true })
        writeFileSync(file(`${trace}/${trace}`), '{}')
        await assert.rejects(Authority.open(file(trace)), (error) => {
          assert.ok(error instanceof AuthorityError)
          assert.match(error.message, /ca\.pem is missing, but .* shows that nodes were enrolled: restore/)
          return true
        })
        assert.deepEqual(readdirSync(file(trace)), [trace])
      }
    })

    it('says of a torn file what is wrong and what to do, and leaves it as it is', async () => {
      await Authority.open(file('authority'))
      const path = authorityKeyFileIn(file('authority'))
      const good = readFileSync(path, 'utf8')
      const own = good.slice(good.indexOf('-----BEGIN CERTIFICATE'))
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const otherKey = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
      for (const [text, says] of [
        ['', /private key or the certificate is missing/],
        [good.slice(0, good.length / 2), /is missing in it/],
        [own, /is missing in it/],
        [otherKey + own, /do not belong together/],
        [lb01Credentials.key + lb01Credentials.certificate, /not that of an authority/],
        [good.replace(/(BEGIN PRIVATE KEY-----\n).{20}/, `$1${'A'.repeat(20)}`), /cannot be used/],
      ] as const) {
        writeFileSync(path, text)
        await assert.rejects(Authority.open(file('authority')), (error) => {
          assert.ok(error instanceof AuthorityError, String(error))
          assert.match(error.message, says)
          assert.match(error.message, /ca\.pem: .*restore .*authority from a backup/)
          assert.doesNotMatch(error.message, /PRIVATE KEY/)
          return true
        })
        assert.equal(readFileSync(path, 'utf8'), text)
      }
    })
  })

  describe('asked to sign a request', () => {
    const refused = (request: string, says: RegExp): Promise<void> =>
      assert.rejects(authority.signNode({ ...node, request }), (error) => {
        assert.ok(error instanceof KeyRequestError, String(error))
        assert.match(error.message, says)
        return true
      })

    it('takes its key and nothing else: the name in it is worth nothing', async () => {
      const x509 = await loadX509()
      const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
        'sign',
        'verify',
      ])
      const request = await x509.Pkcs10CertificateRequestGenerator.create(
        {
          name: 'CN=the witness',
          keys,
          signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
          extensions: [
            new x509.BasicConstraintsExtension(true, 3, true),
            new x509.SubjectAlternativeNameExtension([
              { type: 'url', value: 'urn:keepalived-witness:witness' },
              { type: 'dns', value: witnessServerName },
            ]),
          ],
        },
        webcrypto,
      )
      const signed = new X509Certificate(
        await authority.signNode({ ...node, request: request.toString('pem') }),
      )
      assert.equal(signed.subjectAltName, 'URI:urn:keepalived-witness:node:web:lb01:1')
      assert.equal(signed.ca, false)
      assert.equal(signed.subject, 'CN=node web/lb01')
    })

    it('refuses what is none, cut off, of another kind, or much too long', async () => {
      const { request, key } = await makeKeyRequest()
      const withoutEnd = request.replace(/-----END[^\n]*\n/, '')
      for (const text of ['', 'hello', key, lb01Credentials.certificate, withoutEnd, request.slice(100)])
        await refused(text, /not a certificate request|not signed by its own key|not ECDSA P-256/)
      await refused(request + ' '.repeat(5000), /longer than 4096/)
    })

    it('refuses one that was changed after it was signed', async () => {
      const { request } = await makeKeyRequest()
      const der = Buffer.from(request.replace(/-----[^-]*-----|\s/g, ''), 'base64')
      const name = der.indexOf('keepalived-witness')
      der[name] = 'K'.charCodeAt(0)
      const changed = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
      await refused(changed, /not signed by its own key/)
    })

    it('refuses keys other than P-256', async () => {
      const x509 = await loadX509()
      const rsa = {
        name: 'RSASSA-PKCS1-v1_5',
        hash: 'SHA-256',
        modulusLength: 2048,
        publicExponent: new Uint8Array([1, 0, 1]),
      }
      const p384 = { name: 'ECDSA', namedCurve: 'P-384' }
      for (const [algorithm, signingAlgorithm] of [
        [rsa, { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }],
        [p384, { name: 'ECDSA', hash: 'SHA-384' }],
      ] as const) {
        const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
        const request = await x509.Pkcs10CertificateRequestGenerator.create(
          { name: 'CN=x', keys, signingAlgorithm },
          webcrypto,
        )
        await refused(request.toString('pem'), /not ECDSA P-256/)
      }
    })
  })
})
