/**
 * The witness as certificate authority of its clusters: who holds one of these certificates is who it says.
 *
 * Certificates are valid from 1970 to 9999 (RFC 5280, 4.1.2.5: "no well-defined expiration date"), because a host whose
 * clock is wrong by years must not lose its peer. What ends a certificate is the registry, at once, not a date.
 */
import { X509Certificate, createPrivateKey, createPublicKey, randomBytes, webcrypto } from 'node:crypto'
import type { webcrypto as WebCrypto } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Extension, PublicKey } from '@peculiar/x509'
import { readKeyAndCertificate } from '../../shared/identity/pem.ts'
import { messageOf } from '../../shared/error-message.ts'
import {
  describeIdentity,
  uriOf,
  witnessServerName,
  type Identity,
  type NodeIdentity,
} from '../../shared/identity/identity.ts'
import { fingerprintOf } from '../../shared/identity/invite-line.ts'
import {
  keyAlgorithm,
  loadX509,
  longestRequest,
  makeKeyPair,
  privateKeyPem,
  signingAlgorithm,
} from '../../shared/identity/key-request.ts'
import { placeFile } from '../../shared/disk/placed-file.ts'

/** The authority's files are torn or do not fit together. The message names the file and the remedy. */
export class AuthorityError extends Error {
  readonly code = 'authority'
}

/** What a node sent to be signed is no request of ours. The message is for that node. */
export class KeyRequestError extends Error {
  readonly code = 'key-request'
}

export interface KeyAndCertificate {
  /** PKCS #8, PEM. */
  readonly key: string
  /** PEM. */
  readonly certificate: string
}

const notBefore = new Date(0)
const notAfter = new Date('9999-12-31T23:59:59Z')
const authorityName = 'CN=keepalived-witness authority'

/** Key and certificate in one file, so that a crash leaves both or neither. */
export function authorityKeyFileIn(folder: string): string {
  return join(folder, 'ca.pem')
}

type X509 = Awaited<ReturnType<typeof loadX509>>

/** What signing takes, and nothing else does: it costs a tenth of a second to load. */
interface Signer {
  readonly x509: X509
  readonly key: WebCrypto.CryptoKey
  readonly publicKey: PublicKey
}

export class Authority {
  /** The authority's own certificate: what every node trusts. */
  readonly certificatePem: string
  /** SHA-256 of the certificate (DER), base64url: 43 characters. It is in every invite. */
  readonly fingerprint: string
  /** False: made by this start. */
  readonly wasThere: boolean
  readonly #key: string
  #signer: Promise<Signer> | null = null

  private constructor({ key, certificate }: KeyAndCertificate, { wasThere }: { readonly wasThere: boolean }) {
    this.#key = key
    this.certificatePem = `${certificate.trim()}\n`
    this.fingerprint = fingerprintOf(new X509Certificate(certificate))
    this.wasThere = wasThere
  }

  /**
   * Loads the authority of `folder`, or makes it, durably, where nothing was ever enrolled.
   * @throws AuthorityError where it is torn, or lost: a new one would shut out every enrolled node
   * @throws the system's error where the folder cannot be written
   */
  static async open(folder: string): Promise<Authority> {
    const path = authorityKeyFileIn(folder)
    const found = readIfThere(path)
    if (found !== null) return new Authority(readAuthority(path, found), { wasThere: true })
    refuseWhereNodesWereEnrolled(folder, path)
    const made = await makeAuthority()
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    placeFile(path, `${made.key.trim()}\n${made.certificate.trim()}\n`, 0o600)
    return new Authority(made, { wasThere: false })
  }

  /** One that lives as long as this process. */
  static async inMemory(): Promise<Authority> {
    return new Authority(await makeAuthority(), { wasThere: false })
  }

  /** For somebody on this host: the witness itself, or its admin. */
  async issue(identity: Identity): Promise<KeyAndCertificate> {
    const { x509 } = await this.#ready()
    const keys = await makeKeyPair()
    const publicKey = await x509.PublicKey.create(keys.publicKey, webcrypto)
    return { key: await privateKeyPem(keys.privateKey), certificate: await this.#sign(identity, publicKey) }
  }

  /**
   * Signs the public key of a node's request. Nothing else in the request counts: who it is for is the caller's word.
   * @returns the certificate, PEM
   * @throws KeyRequestError
   */
  async signNode({ request, ...node }: Omit<NodeIdentity, 'kind'> & { request: string }): Promise<string> {
    return this.#sign({ kind: 'node', ...node }, await this.#readRequest(request))
  }

  /**
   * Whether `signNode` would take the request: to be known before an invite is used up for it.
   * @throws KeyRequestError
   */
  async checkRequest(request: string): Promise<void> {
    await this.#readRequest(request)
  }

  /** A witness that is started anew must be in use before a lease runs out, and signs nothing for that. */
  #ready(): Promise<Signer> {
    this.#signer ??= loadSigner(this.#key, this.certificatePem)
    return this.#signer
  }

  async #readRequest(pem: string): Promise<PublicKey> {
    if (pem.length > longestRequest)
      throw new KeyRequestError(`the certificate request is longer than ${longestRequest} characters`)
    const { x509 } = await this.#ready()
    let parsed: InstanceType<X509['Pkcs10CertificateRequest']>
    try {
      parsed = new x509.Pkcs10CertificateRequest(pem)
    } catch (cause) {
      throw new KeyRequestError('not a certificate request (PKCS #10, PEM)', { cause })
    }
    refuseOtherKeys(parsed.publicKey)
    // Whoever cannot sign with the key must not get a certificate for it.
    if (!(await isSignedByItself(parsed)))
      throw new KeyRequestError('the certificate request is not signed by its own key')
    return parsed.publicKey
  }

  async #sign(identity: Identity, publicKey: PublicKey): Promise<string> {
    const { x509, key } = await this.#ready()
    const certificate = await x509.X509CertificateGenerator.create(
      {
        serialNumber: randomSerial(),
        issuer: authorityName,
        subject: `CN=${describeIdentity(identity)}`,
        notBefore,
        notAfter,
        publicKey,
        signingKey: key,
        signingAlgorithm,
        extensions: await this.#extensionsOf(identity, publicKey),
      },
      webcrypto,
    )
    return `${certificate.toString('pem')}\n`
  }

  async #extensionsOf(identity: Identity, publicKey: PublicKey): Promise<Extension[]> {
    const { x509, publicKey: own } = await this.#ready()
    const dns = identity.kind === 'witness' ? [{ type: 'dns' as const, value: witnessServerName }] : []
    return [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.clientAuth,
        x509.ExtendedKeyUsage.serverAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: uriOf(identity) }, ...dns]),
      await x509.SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
      await x509.AuthorityKeyIdentifierExtension.create(own, false, webcrypto),
    ]
  }
}

async function loadSigner(key: string, certificatePem: string): Promise<Signer> {
  const x509 = await loadX509()
  const der = createPrivateKey(key).export({ format: 'der', type: 'pkcs8' })
  return {
    x509,
    key: await webcrypto.subtle.importKey('pkcs8', der, keyAlgorithm, false, ['sign']),
    publicKey: new x509.X509Certificate(certificatePem).publicKey,
  }
}

/** @throws AuthorityError */
function readAuthority(path: string, text: string): KeyAndCertificate {
  const { key, certificate } = readKeyAndCertificate(text)
  if (key === undefined || certificate === undefined)
    throw unusable(path, 'the private key or the certificate is missing in it')
  try {
    const own = new X509Certificate(certificate)
    if (!own.checkPrivateKey(createPrivateKey(key)))
      throw unusable(path, 'its key and its certificate do not belong together')
    if (!own.ca || !own.verify(own.publicKey))
      throw unusable(path, 'its certificate is not that of an authority')
    return { key, certificate }
  } catch (cause) {
    if (cause instanceof AuthorityError) throw cause
    throw unusable(path, messageOf(cause), { cause })
  }
}

async function makeAuthority(): Promise<KeyAndCertificate> {
  const x509 = await loadX509()
  const keys = await makeKeyPair()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: randomSerial(),
      name: authorityName,
      notBefore,
      notAfter,
      keys,
      signingAlgorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  )
  return { key: await privateKeyPem(keys.privateKey), certificate: `${certificate.toString('pem')}\n` }
}

/** 126 random bits, positive and not zero (RFC 5280, 4.1.2.2). */
function randomSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex')
}

function refuseOtherKeys(publicKey: PublicKey): void {
  const wanted = 'the key of the certificate request is not ECDSA P-256'
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey.rawData), format: 'der', type: 'spki' })
    if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return
  } catch (cause) {
    throw new KeyRequestError(wanted, { cause })
  }
  throw new KeyRequestError(wanted)
}

async function isSignedByItself(request: {
  verify(crypto: WebCrypto.Crypto): Promise<boolean>
}): Promise<boolean> {
  try {
    return await request.verify(webcrypto)
  } catch {
    return false
  }
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw unusable(path, messageOf(cause), { cause })
  }
}

function refuseWhereNodesWereEnrolled(folder: string, path: string): void {
  let names: readonly string[]
  try {
    names = readdirSync(folder)
  } catch {
    return
  }
  const trace = names.find((name) => name.startsWith('registry.json'))
  if (trace === undefined) return
  throw new AuthorityError(
    `${path} is missing, but ${join(folder, trace)} shows that nodes were enrolled: ${remedy(folder)}`,
  )
}

function unusable(path: string, reason: string, options?: ErrorOptions): AuthorityError {
  return new AuthorityError(
    `${path}: the authority cannot be used (${reason}): ${remedy(join(path, '..'))}`,
    options,
  )
}

function remedy(folder: string): string {
  return `restore ${folder} from a backup; without one, move the whole folder away and enrol every node again`
}
