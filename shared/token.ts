/**
 * The secret that agents, checks and the CLI share with the witness until every host has a certificate of its own.
 * It stands in a file that only its owner reads, and is never logged.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'

const shortestToken = 16

/** A token file that is missing, too open, of another owner or malformed. The message names the file and the remedy. */
export class TokenError extends Error {
  readonly code = 'token'
}

/**
 * Reads the token of `path`, provided that nobody but its owner (root or this user) can.
 * @throws TokenError
 */
export function readToken(path: string): string {
  const descriptor = openToken(path)
  try {
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) throw new TokenError(`${path}: not a regular file: name a token file`)
    const mode = stat.mode & 0o777
    if ((mode & 0o077) !== 0)
      throw new TokenError(
        `${path}: mode ${mode.toString(8).padStart(4, '0')} lets others read the token: run "chmod 600 ${path}"`,
      )
    if (stat.uid !== 0 && stat.uid !== process.getuid?.())
      throw new TokenError(
        `${path}: owned by user ${stat.uid}, but must be owned by root or by the user of this process: run "chown root ${path}"`,
      )
    const token = readFileSync(descriptor, 'utf8').trim()
    if (!/^[\x21-\x7e]+$/.test(token) || token.length < shortestToken)
      throw new TokenError(
        `${path}: not a token: expected one line of at least ${shortestToken} printable characters without spaces, ` +
          `for example from "openssl rand -hex 32"`,
      )
    return token
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Makes a token of 256 random bits in a new file of mode 0600. An existing file is left alone.
 * @throws TokenError when the file exists or cannot be written
 */
export function makeToken(path: string): string {
  const token = randomBytes(32).toString('base64url')
  try {
    const descriptor = openSync(path, 'wx', 0o600)
    try {
      writeSync(descriptor, `${token}\n`)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  } catch (cause) {
    throw new TokenError(`${path}: the token cannot be made: ${reasonOf(cause)}`, { cause })
  }
  return token
}

/** Compares in a time that says nothing about where, or in what length, the two differ. */
export function sameToken(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other))
}

/** Whether an Authorization header (RFC 6750) brings this token. */
export function bearsToken(authorization: string | undefined, token: string): boolean {
  const bearer = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
  return sameToken(bearer ?? '', token) && bearer !== undefined
}

function openToken(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    throw new TokenError(
      missing
        ? `${path}: no such file: copy the witness's token file there (mode 0600), or name another with tokenFile`
        : `${path}: the token cannot be read: ${reasonOf(cause)}`,
      { cause },
    )
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
