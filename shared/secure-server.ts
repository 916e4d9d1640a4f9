/**
 * An HTTPS listener that knows who is on the other end: TLS 1.3, and the client's certificate where it has one. It does
 * not refuse those who have none: who may do what is decided by who asks (`identityOfPeer`).
 */
import { createServer, type Server } from 'node:https'
import type { RequestListener } from 'node:http'
import type { AddressInfo, DropArgument, Socket } from 'node:net'
import { TLSSocket, type SecureContextOptions } from 'node:tls'
import type { Duplex } from 'node:stream'
import type { ConnectionLimit } from './connection-limit.ts'
import type { Credentials } from './credentials.ts'
import { identityOf, type Identity } from './identity.ts'

export interface SecureServerOptions {
  readonly credentials: Credentials
  readonly limit: ConnectionLimit
  readonly mostConnections: number
  readonly onRequest: RequestListener
  /** A connection was cut before its TLS handshake, or the handshake came to nothing. */
  readonly onRefused: (reason: 'too-many-connections' | 'handshake-failed', remoteAddress: string) => void
}

/** Also how long a client may keep a connection open without having said who it is. */
const handshakeTimeoutMs = 3000

export function createSecureServer(options: SecureServerOptions): Server {
  const { credentials, limit, mostConnections, onRequest, onRefused } = options
  const server = createServer(
    {
      ...secureContextOf(credentials),
      requestCert: true,
      // A node that joins has no certificate yet, and gets to say so.
      rejectUnauthorized: false,
      handshakeTimeout: handshakeTimeoutMs,
      maxHeaderSize: 8 * 1024,
      headersTimeout: 3000,
      requestTimeout: 5000,
      keepAliveTimeout: 5000,
      connectionsCheckingInterval: 1000,
    },
    onRequest,
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
    if (limit.admits(from)) return false
    onRefused('too-many-connections', from)
    return true
  })
  return server
}

/** New connections from now on; those that are open go on with what they had. */
export function renewCredentials(server: Server, credentials: Credentials): void {
  server.setSecureContext(secureContextOf(credentials))
}

export function secureContextOf({ key, certificate, authority }: Credentials): SecureContextOptions {
  return { key, cert: certificate, ca: authority, minVersion: 'TLSv1.3' }
}

/** Null: it has no certificate, or not one of this authority. */
export function identityOfPeer(socket: Duplex): Identity | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null
  const certificate = socket.getPeerX509Certificate()
  return certificate === undefined ? null : identityOf(certificate)
}

/** @throws the system's error where the address cannot be listened on */
export function listen(
  server: Server,
  at: { readonly host: string; readonly port: number },
): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(at, () => {
      server.off('error', reject)
      const address = server.address()
      if (address === null || typeof address === 'string') return reject(new Error('not a TCP address'))
      resolve(address)
    })
  })
}

/** An IPv4 peer of a dual-stack socket shows as `::ffff:10.0.0.11`. */
export function plainAddress(address: string | undefined): string {
  return (address ?? 'unknown').replace(/^::ffff:/, '')
}

/** Node.js begins the handshake in its own listener for `connection`: ours decides whether that one hears of it. */
function cutBeforeHandshake(server: Server, isRefused: (socket: Socket) => boolean): void {
  const listeners = server.listeners('connection')
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    if (isRefused(socket)) {
      socket.resetAndDestroy()
      return
    }
    for (const listener of listeners) listener.call(server, socket)
  })
}
