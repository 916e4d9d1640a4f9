import assert from 'node:assert/strict'
import { webcrypto, X509Certificate } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { Authority } from '../../../../server/registry/authority.ts'
import {
  authorityFileIn,
  CredentialsError,
  identityFileIn,
  readCredentials,
  writeCredentials,
  type Credentials,
} from '../../../../shared/identity/credentials.ts'
import {
  loadX509,
  makeKeyPair,
  privateKeyPem,
  signingAlgorithm,
} from '../../../../shared/identity/key-request.ts'
import { identities, identitiesOf, type Identities, nodeIdentity } from '../../../identities.ts'
import { skipAloud } from '../../../skip-aloud.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

const remedy = 'run "witness-agent join"'

describe('credentials', () => {
  const folder = temporaryFolder()
  let ours: Identities
  let lb01: Credentials
  let identityFile: string
  let authorityFile: string

  before(async () => {
    ours = await identities()
    lb01 = await ours.node()
  })
  beforeEach(() => {
    identityFile = identityFileIn(folder())
    authorityFile = authorityFileIn(folder())
    writeCredentials(folder(), lb01)
  })

  /** Names the file and what to do, and shows nothing of the key. */
  function refuses(code: CredentialsError['code'], message: string | RegExp): void {
    assert.throws(
      () => readCredentials(folder(), remedy),
      (error) => {
        assert.ok(error instanceof CredentialsError)
        assert.equal(error.code, code)
        if (typeof message === 'string') assert.equal(error.message, message)
        else assert.match(error.message, message)
        assert.ok(error.message.includes(folder()))
        for (const line of secretLines(lb01)) assert.ok(!error.message.includes(line))
        return true
      },
    )
  }

  it('are read as they were written, with whose they are', () => {
    assert.deepEqual(readCredentials(folder(), remedy), {
      ...lb01,
      identity: { kind: 'node', cluster: 'web', node: 'lb01', generation: 1 },
    })
    writeCredentials(folder('new/admin'), ours.admin)
    assert.deepEqual(readCredentials(folder('new/admin'), remedy).identity, { kind: 'admin', name: 'local' })
  })

  it('are a key that its owner alone reads, an authority for everybody, and nothing else', () => {
    const before = process.umask(0)
    try {
      writeCredentials(folder('new'), lb01)
    } finally {
      process.umask(before)
    }
    assert.deepEqual(readdirSync(folder('new')).toSorted(), ['authority.pem', 'identity.pem'])
    assert.equal(statSync(identityFileIn(folder('new'))).mode & 0o777, 0o600)
    assert.equal(statSync(authorityFileIn(folder('new'))).mode & 0o777, 0o644)
    assert.equal(statSync(folder('new')).mode & 0o777, 0o755)
    for (const line of secretLines(lb01))
      assert.ok(!readFileSync(authorityFileIn(folder('new')), 'utf8').includes(line))
  })

  it('are replaced by newer ones, also where the file was open to all', async () => {
    chmodSync(identityFile, 0o666)
    const newer = await ours.node({ generation: 2 })
    writeCredentials(folder(), newer)
    assert.deepEqual(readCredentials(folder(), remedy), {
      ...newer,
      identity: nodeIdentity('lb01', { generation: 2 }),
    })
    assert.equal(statSync(identityFile).mode & 0o777, 0o600)
  })

  it('are told to be missing, so that joining can be offered', () => {
    rmSync(authorityFile)
    refuses('missing', `${authorityFile} is missing: ${remedy}`)
    rmSync(identityFile)
    refuses('missing', `${identityFile} is missing: ${remedy}`)
  })

  it('are refused where others can read the key, with how to close it', () => {
    for (const mode of [0o640, 0o604, 0o620, 0o777]) {
      chmodSync(identityFile, mode)
      refuses(
        'unusable',
        `${identityFile}: mode 0${mode.toString(8)} lets other users read the private key; run "chmod 600 ${identityFile}", and if somebody may have read the key: ${remedy}`,
      )
    }
    chmodSync(identityFile, 0o400)
    readCredentials(folder(), remedy)
  })

  it('are read by root also where they are those of a service’s user', function () {
    if (process.getuid?.() !== 0) skipAloud(this, 'only root can give a file away')
    chownSync(identityFile, 12_345, 12_345)
    assert.equal(readCredentials(folder(), remedy).identity.kind, 'node')
  })

  it('are refused where the key is not that of the certificate', async () => {
    const { key } = await ours.node({ node: 'lb02' })
    writeCredentials(folder(), { ...lb01, key })
    refuses('unusable', `${identityFile}: the key does not belong to the certificate: ${remedy}`)
  })

  it('are refused where another authority has signed them', async () => {
    const theirs = await identitiesOf(await Authority.inMemory())
    writeCredentials(folder(), { ...lb01, authority: theirs.authority.certificatePem })
    refuses(
      'unusable',
      `${identityFile}: the certificate is not signed by the authority in ${authorityFile}: ${remedy}`,
    )
  })

  it('are refused where the certificate names nobody', async () => {
    const { key, certificate } = await nameless()
    writeCredentials(folder(), { key, certificate, authority: certificate })
    refuses(
      'unusable',
      `${identityFile}: the certificate names neither a node, an admin nor the witness: ${remedy}`,
    )
  })

  it('are refused wherever the file of the key was cut off', () => {
    const whole = readFileSync(identityFile, 'utf8')
    const end = whole.trimEnd().length
    for (let length = 0; length < end; length += 7) {
      writeFileSync(identityFile, whole.slice(0, length))
      refuses('unusable', `${identityFile} does not contain a key and a certificate: ${remedy}`)
    }
  })

  it('are refused where something else is in the files', () => {
    writeFileSync(authorityFile, lb01.authority.slice(0, 200))
    refuses('unusable', /identity\.pem or .*authority\.pem cannot be used \(.+\): run "witness-agent join"$/)
    writeFileSync(authorityFile, lb01.certificate)
    refuses('unusable', /not signed by the authority in/)
    writeFileSync(authorityFile, lb01.authority)
    writeFileSync(identityFile, `${lb01.key}${withLastByteChanged(lb01.certificate)}`)
    refuses(
      'unusable',
      `${identityFile}: the certificate is not signed by the authority in ${authorityFile}: ${remedy}`,
    )
    writeFileSync(identityFile, `${pem('PRIVATE KEY', Buffer.from('no key'))}${lb01.certificate}`)
    refuses('unusable', /identity\.pem or .*authority\.pem cannot be used \(.+\): run "witness-agent join"$/)
  })

  it('are refused where a folder is in the place of a file', () => {
    rmSync(identityFile)
    mkdirSync(identityFile)
    refuses('unusable', /identity\.pem: cannot be read \(.*EISDIR.*\): run "witness-agent join"$/)
  })
})

/** The last byte of a certificate is one of its signature. */
function withLastByteChanged(certificate: string): string {
  const der = Buffer.from(new X509Certificate(certificate).raw)
  der[der.length - 1] = (der.at(-1) ?? 0) ^ 1
  return pem('CERTIFICATE', der)
}

function pem(label: string, der: Buffer): string {
  return `-----BEGIN ${label}-----\n${der.toString('base64')}\n-----END ${label}-----\n`
}

function secretLines({ key }: Credentials): string[] {
  return key.split('\n').filter((line) => line.length > 20 && !line.startsWith('-'))
}

/** A certificate that vouches for itself, of some other software. */
async function nameless(): Promise<Pick<Credentials, 'key' | 'certificate'>> {
  const x509 = await loadX509()
  const keys = await makeKeyPair()
  const made = await x509.X509CertificateGenerator.createSelfSigned(
    { name: 'CN=nameless', keys, signingAlgorithm },
    webcrypto,
  )
  return { key: await privateKeyPem(keys.privateKey), certificate: `${made.toString('pem')}\n` }
}
