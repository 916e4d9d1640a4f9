/**
 * The line that `witnessctl invite` prints and `witness-agent join` reads: the address of the witness, the
 * fingerprint by which to recognise it, and a secret that is valid for one join.
 */
import { createHash, type X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { clusterName, nodeName, witnessPort } from '../protocol/names.ts'

export interface Invite {
  /** HOST:PORT of the witness; an IPv6 address stands in brackets. */
  readonly address: string
  /** Of the authority's certificate: SHA-256 of the DER, base64url. */
  readonly fingerprint: string
  /** 128 random bits, base64url. */
  readonly secret: string
  readonly cluster: string
  readonly node: string
}

/** Not an invite, or only part of one. The message says what to do and repeats nothing of the line. */
export class InviteLineError extends Error {
  readonly code = 'invite-line'
}

const mark = 'kw1.'
/** A host name of the longest kind and names of the longest kind fit. */
const longestLine = 1024

export const inviteAddress = z
  .string()
  .max(260)
  .regex(
    /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9_.-]*):[1-9]\d{0,4}$/,
    `HOST:PORT is expected, like 10.0.0.20:${witnessPort} or [2001:db8::20]:${witnessPort}`,
  )
  .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'a port is at most 65535')

export const inviteSecret = z.string().regex(/^[A-Za-z0-9_-]{22}$/)

const contentSchema = z.strictObject({
  a: inviteAddress,
  f: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  s: inviteSecret,
  c: clusterName,
  n: nodeName,
})

export function writeInviteLine({ address, fingerprint, secret, cluster, node }: Invite): string {
  const content = { a: address, f: fingerprint, s: secret, c: cluster, n: node }
  return mark + Buffer.from(JSON.stringify(content)).toString('base64url')
}

/**
 * Terminals and chats break lines and add blanks, which are removed.
 * @throws InviteLineError
 */
export function parseInviteLine(text: string): Invite {
  const line = text.replace(/\s+/g, '')
  if (line === '')
    throw new InviteLineError('no invite was given; paste the line that "witnessctl invite" printed')
  if (line.length > longestLine) throw unreadable('it is too long')
  if (!line.startsWith(mark)) throw unreadable(`an invite begins with "${mark}"`)
  const coded = line.slice(mark.length)
  if (!/^[A-Za-z0-9_-]+$/.test(coded)) throw unreadable('it contains characters that an invite cannot have')
  const content = contentSchema.safeParse(jsonOf(Buffer.from(coded, 'base64url').toString('utf8')))
  if (!content.success) throw unreadable('part of it is missing or changed')
  const { a: address, f: fingerprint, s: secret, c: cluster, n: node } = content.data
  return { address, fingerprint, secret, cluster, node }
}

/** SHA-256 of the DER, base64url: 43 characters. */
export function fingerprintOf(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('base64url')
}

function unreadable(why: string): InviteLineError {
  return new InviteLineError(
    `this is not an invite (${why}); copy the whole line that "witnessctl invite" printed, from "${mark}" to its end`,
  )
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
