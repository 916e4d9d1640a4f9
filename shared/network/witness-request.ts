/** One HTTPS request to the witness. Nothing is sent before the other end has proved that it is the witness. */
import { request, type RequestOptions } from 'node:https'
import { describeIdentity } from '../identity/identity.ts'
import { messageOf } from '../error-message.ts'
import { identityCheck, WrongIdentityError } from './secure-server.ts'

export interface WitnessRequest {
  readonly host: string
  readonly port: number
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Sent as JSON; null: no body. */
  readonly body: unknown
  /** The authority that must have signed the witness's certificate. */
  readonly authority: string
  /** Null: this side has no certificate yet. */
  readonly own: { readonly key: string; readonly certificate: string } | null
  readonly timeoutMs: number
}
export interface WitnessAnswer {
  readonly status: number
  readonly text: string
  /** The witness's wall clock as it reports it; null: it does not. */
  readonly dateMs: number | null
}

/**
 * The witness cannot be reached, or something else answers in its place. The message is a reason to be put into a
 * sentence.
 */
export class WitnessRequestError extends Error {
  readonly code: 'unreachable' | 'not-the-witness'

  constructor(code: WitnessRequestError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Of HTTPS. */
const usualPort = 443

/**
 * Host and port of an `https://HOST:PORT`. A URL object leaves out the default port of its scheme, even if it was
 * written.
 */
export function endpointOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? usualPort : Number(port) }
}

/** No answer of a witness is longer. */
const longestAnswer = 16 * 1024 * 1024

/** @throws WitnessRequestError */
export async function askWitness(options: WitnessRequest): Promise<WitnessAnswer> {
  const body = options.body === null ? null : JSON.stringify(options.body)
  return new Promise((resolve, reject) => {
    const outgoing = request(requestOptions(options, body), (response) => {
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        chunks.push(chunk)
        if (length > longestAnswer) outgoing.destroy(new Error('its answer is too long'))
      })
      response.on('error', fail)
      response.on('end', () => {
        clearTimeout(timer)
        const dateMs = Date.parse(response.headers.date ?? '')
        resolve({
          status: response.statusCode ?? 0,
          text: Buffer.concat(chunks).toString('utf8'),
          dateMs: Number.isNaN(dateMs) ? null : dateMs,
        })
      })
    })
    const timer = setTimeout(
      () => outgoing.destroy(new Error(`no answer within ${options.timeoutMs} ms`)),
      options.timeoutMs,
    )
    function fail(cause: Error): void {
      clearTimeout(timer)
      reject(failureOf(cause))
    }
    outgoing.on('error', fail)
    outgoing.end(body ?? undefined)
  })
}

function requestOptions(
  { host, port, method, path, authority, own }: WitnessRequest,
  body: string | null,
): RequestOptions {
  return {
    host,
    port,
    method,
    path,
    agent: false,
    checkServerIdentity: identityCheck((identity) =>
      identity?.kind === 'witness'
        ? null
        : `its certificate is that of ${identity === null ? 'an unknown party' : describeIdentity(identity)}, not that of the witness`,
    ),
    ca: authority,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
    ...(own !== null && { key: own.key, cert: own.certificate }),
    headers: {
      accept: 'application/json',
      connection: 'close',
      ...(body !== null && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    },
  }
}

/** The error codes of Node.js and OpenSSL for a chain that does not lead to the authority. */
const untrusted = /^(SELF_SIGNED_CERT|DEPTH_ZERO|UNABLE_TO_|CERT_|ERR_TLS_CERT)/

function failureOf(cause: Error): WitnessRequestError {
  if (cause instanceof WrongIdentityError)
    return new WitnessRequestError('not-the-witness', cause.message, { cause })
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
  if (untrusted.test(code))
    return new WitnessRequestError(
      'not-the-witness',
      `its certificate is not signed by the authority that this host trusts: ${code}`,
      { cause },
    )
  return new WitnessRequestError('unreachable', code === '' ? messageOf(cause) : code, { cause })
}

/** The reason that a refusal gives (RFC 9457); null: the answer has none. */
export function problemDetail(text: string): string | null {
  try {
    const problem: unknown = JSON.parse(text)
    return typeof problem === 'object' &&
      problem !== null &&
      'detail' in problem &&
      typeof problem.detail === 'string'
      ? problem.detail
      : null
  } catch {
    return null
  }
}
