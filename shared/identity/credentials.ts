/**
 * The private key and certificate of this program, and the certificate of the authority that it trusts: two files in
 * one folder. Key and certificate are in one file, so that a renewal replaces both or neither.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../error-message.ts'
import { identityOf, type Identity } from './identity.ts'
import { readKeyAndCertificate } from './pem.ts'
import { placeFile } from '../disk/placed-file.ts'

/** All PEM. */
export interface Credentials {
  /** PKCS #8. */
  readonly key: string
  readonly certificate: string
  readonly authority: string
}

/**
 * The credentials are missing, readable by others, of another owner, torn, or do not fit together. The message names
 * the file and the remedy.
 */
export class CredentialsError extends Error {
  readonly code: 'missing' | 'unusable'

  constructor(code: CredentialsError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Mode 0600: the key, then the certificate. curl takes it as it is. */
export function identityFileIn(folder: string): string {
  return join(folder, 'identity.pem')
}

/** Public. */
export function authorityFileIn(folder: string): string {
  return join(folder, 'authority.pem')
}

/**
 * @param remedy what the message tells the admin to do if they are missing or broken
 * @throws CredentialsError
 */
export function readCredentials(
  folder: string,
  remedy: string,
): Credentials & { readonly identity: Identity } {
  const identityFile = identityFileIn(folder)
  const authorityFile = authorityFileIn(folder)
  const { key, certificate } = readKeyAndCertificate(readPrivate(identityFile, remedy))
  const authority = read(authorityFile, remedy)
  if (key === undefined || certificate === undefined)
    throw new CredentialsError(
      'unusable',
      `${identityFile} does not contain a key and a certificate: ${remedy}`,
    )
  try {
    const leaf = new X509Certificate(certificate)
    if (!leaf.checkPrivateKey(createPrivateKey(key)))
      throw new CredentialsError(
        'unusable',
        `${identityFile}: the key does not belong to the certificate: ${remedy}`,
      )
    if (!leaf.verify(new X509Certificate(authority).publicKey))
      throw new CredentialsError(
        'unusable',
        `${identityFile}: the certificate is not signed by the authority in ${authorityFile}: ${remedy}`,
      )
    const identity = identityOf(leaf)
    if (identity === null)
      throw new CredentialsError(
        'unusable',
        `${identityFile}: the certificate names neither a node, an admin nor the witness: ${remedy}`,
      )
    return { key, certificate, authority, identity }
  } catch (cause) {
    if (cause instanceof CredentialsError) throw cause
    throw new CredentialsError(
      'unusable',
      `${identityFile} or ${authorityFile} cannot be used (${messageOf(cause)}): ${remedy}`,
      { cause },
    )
  }
}

/** Durable when it returns. The authority is written first, because a certificate without it is of no use. */
export function writeCredentials(folder: string, { key, certificate, authority }: Credentials): void {
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  placeFile(authorityFileIn(folder), authority, 0o644)
  placeFile(identityFileIn(folder), `${key.trim()}\n${certificate.trim()}\n`, 0o600)
}

function readPrivate(path: string, remedy: string): string {
  const text = read(path, remedy)
  const descriptor = openSync(path, 'r')
  try {
    const { mode, uid } = fstatSync(descriptor)
    if ((mode & 0o077) !== 0)
      throw new CredentialsError(
        'unusable',
        `${path}: mode ${(mode & 0o777).toString(8).padStart(4, '0')} lets other users read the private key; run "chmod 600 ${path}", and if somebody may have read the key: ${remedy}`,
      )
    if (uid !== 0 && uid !== process.getuid?.() && process.getuid?.() !== 0)
      throw new CredentialsError('unusable', `${path} is owned by user ${uid}; run "chown root ${path}"`)
    return text
  } finally {
    closeSync(descriptor)
  }
}

function read(path: string, remedy: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    throw new CredentialsError(
      missing ? 'missing' : 'unusable',
      missing ? `${path} is missing: ${remedy}` : `${path}: cannot be read (${messageOf(cause)}): ${remedy}`,
      { cause },
    )
  }
}
