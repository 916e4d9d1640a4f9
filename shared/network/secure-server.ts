/**
 * An HTTPS listener that knows who is on the other end: TLS 1.3, and the client's certificate if it has one. It does
 * not refuse clients without a certificate; the caller decides who may do what (`identityOfPeer`).
 */
import { X509Certificate } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { AddressInfo, DropArgument, Socket } from 'node:net'
import { TLSSocket, type PeerCertificate, type SecureContextOptions } from 'node:tls'
import type { Duplex } from 'node:stream'
import { type ConnectionLimit, RequestLimit } from './connection-limit.ts'
import type { Credentials } from '../identity/credentials.ts'
import { identityOf, uriOf, type Identity } from '../identity/identity.ts'

export interface SecureServerOptions {
  readonly credentials: Credentials
  readonly limit: ConnectionLimit
  readonly mostConnections: number
  readonly onRequest: RequestListener
  /** For the limit of requests alone, which no lease depends on. */
  readonly monotonicMs: () => number
  /** A connection was closed before its TLS handshake, the handshake failed, or a client sends too many requests. */
  readonly onRefused: (reason: ListenerRefusal, remoteAddress: string) => void
}

export type ListenerRefusal = 'too-many-connections' | 'handshake-failed' | 'too-many-requests'

/** Also how long a client may keep a connection open without having proved who it is. */
const handshakeTimeoutMs = 3000
/** A client that has not read its response by then never will; drop it to free the memory. */
const longestAnswerMs = 10_000
/** How many connections the kernel keeps for this program: a whole fleet dials at once after a restart. */
const mostWaiting = 4096
/** Clients may send the next request before we have seen the previous response flushed; allow a few in flight. */
const mostUnanswered = 4

export function createSecureServer(options: SecureServerOptions): Server {
  const { credentials, limit, mostConnections, onRequest, monotonicMs, onRefused } = options
  const server = createServer(
    {
      ...secureContextOf(credentials),
      requestCert: true,
      // A node that joins has no certificate yet, so its connection must be accepted.
      rejectUnauthorized: false,
      handshakeTimeout: handshakeTimeoutMs,
      maxHeaderSize: 8 * 1024,
      headersTimeout: 3000,
      requestTimeout: 5000,
      keepAliveTimeout: 5000,
      connectionsCheckingInterval: 1000,
    },
    limitRequests(onRequest, { limit: new RequestLimit(monotonicMs), onRefused }),
  )
  server.maxConnections = mostConnections
  server.on('drop', (data?: DropArgument) =>
    onRefused('too-many-connections', plainAddress(data?.remoteAddress)),
  )
  server.on('tlsClientError', (_error, socket) =>
    onRefused('handshake-failed', plainAddress(socket.remoteAddress)),
  )
  cutBeforeHandshake(server, (socket) => {
    const from = plainAddress(socket.remoteAddress)
    const release = limit.admit(from)
    if (release === null) {
      onRefused('too-many-connections', from)
      return true
    }
    socket.once('close', release)
    return false
  })
  return server
}

/** Used by new connections from now on. Open connections keep their credentials. */
export function renewCredentials(server: Server, credentials: Credentials): void {
  server.setSecureContext(secureContextOf(credentials))
}

export function secureContextOf({ key, certificate, authority }: Credentials): SecureContextOptions {
  return { key, cert: certificate, ca: authority, minVersion: 'TLSv1.3' }
}

/** Reading a certificate costs as much as answering a request, and the certificate of a connection does not change. */
const shown = new WeakMap<TLSSocket, Identity | null>()

/** Null: it has no certificate, or not one of this authority. */
export function identityOfPeer(socket: Duplex): Identity | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null
  let identity = shown.get(socket)
  if (identity === undefined) {
    const certificate = socket.getPeerX509Certificate()
    identity = certificate === undefined ? null : identityOf(certificate)
    shown.set(socket, identity)
  }
  return identity
}

/**
 * For the dialling side of TLS. It checks who the other end is, not its address, which is in no certificate.
 * @param refusalOf why the other end is not the one that is wanted; null: it is
 */
export function identityCheck(
  refusalOf: (identity: Identity | null) => string | null,
): (host: string, certificate: PeerCertificate) => Error | undefined {
  return (_host, { raw }) => {
    const refusal = refusalOf(identityOf(new X509Certificate(raw)))
    return refusal === null ? undefined : new WrongIdentityError(refusal)
  }
}

/** The chain is valid but names someone other than the expected peer. */
export class WrongIdentityError extends Error {
  readonly code = 'wrong-identity'
}

/** @throws the system's error if it cannot listen on the address */
export function listen(
  server: Server,
  at: { readonly host: string; readonly port: number },
): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ ...at, backlog: mostWaiting }, () => {
      server.off('error', reject)
      const address = server.address()
      if (address === null || typeof address === 'string') return reject(new Error('not a TCP address'))
      resolve(address)
    })
  })
}

/**
 * An IPv4 peer of a dual-stack socket is shown as `::ffff:10.0.0.11`, and a zone (`fe80::1%eth0`) has a meaning on
 * this host only. Both are removed.
 */
export function plainAddress(address: string | undefined): string {
  return (address ?? 'unknown').replace(/^::ffff:/, '').replace(/%.*$/, '')
}

/**
 * Limits the requests per second of a caller, and the unanswered ones of a connection. Clients of this API wait for a
 * response before the next request; without the limit, one read could bring a thousand requests to be answered at
 * once.
 */
function limitRequests(
  onRequest: RequestListener,
  { limit, onRefused }: { limit: RequestLimit; onRefused: SecureServerOptions['onRefused'] },
): RequestListener {
  const unanswered = new WeakMap<Socket, number>()
  return (request: IncomingMessage, response: ServerResponse & { req: IncomingMessage }) => {
    const { socket } = request
    // The remaining requests of the same read.
    if (socket.destroyed) return
    const refuse = (): void => onRefused('too-many-requests', plainAddress(socket.remoteAddress))
    const waiting = unanswered.get(socket) ?? 0
    if (waiting >= mostUnanswered) {
      refuse()
      socket.destroy()
      return
    }
    unanswered.set(socket, waiting + 1)
    const deadline = setTimeout(() => socket.destroy(), longestAnswerMs)
    response.once('close', () => {
      clearTimeout(deadline)
      unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1)
    })
    const identity = identityOfPeer(socket)
    if (limit.admits(identity === null ? null : uriOf(identity))) return onRequest(request, response)
    refuse()
    response
      .writeHead(429, { 'Content-Type': 'text/plain', 'Retry-After': '1', Connection: 'close' })
      .end('too many requests; send fewer per second\n')
  }
}

/**
 * Node.js begins the handshake in its own listener for `connection`. This listener decides whether and when that one
 * is called: one connection at a time, so that heartbeats and deadlines are served between the handshakes when many
 * clients connect at once.
 */
function cutBeforeHandshake(server: Server, isRefused: (socket: Socket) => boolean): void {
  const listeners = server.listeners('connection')
  server.removeAllListeners('connection')
  const waiting: Socket[] = []
  const beginNext = (): void => {
    const socket = waiting[0]
    if (socket === undefined) return
    if (!socket.destroyed) for (const listener of listeners) listener.call(server, socket)
    waiting.shift()
    if (waiting.length > 0) setImmediate(beginNext)
  }
  server.on('connection', (socket: Socket) => {
    if (isRefused(socket)) {
      socket.resetAndDestroy()
      return
    }
    // The socket may be reset before its turn comes.
    socket.on('error', () => undefined)
    waiting.push(socket)
    if (waiting.length === 1) setImmediate(beginNext)
  })
}
