/** The listening side of a connection: it accepts or refuses WebSocket upgrades. */
import type WebSocket from 'ws'
import type { Server } from 'node:https'
import { WebSocketServer } from 'ws'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Identity, describeIdentity } from '../identity/identity.ts'
import {
  type AcceptedConnection,
  type ConnectionEvents,
  type ConnectionHandlers,
  WebSocketConnection,
  type UpgradeRefusal,
  agentPath,
  closeTimeoutMs,
  keepAliveMs,
  socketLimits,
} from './connection.ts'
import { readsHeader } from '../protocol/first-release.ts'
import { identityOfPeer, plainAddress } from './secure-server.ts'

/**
 * Accepts agents on an HTTPS server of the caller's (shared/network/secure-server.ts).
 * @param options.refusalOf why somebody with a certificate of the authority may not connect; null: they may
 * @param options.onRefused gets the reason why an upgrade was refused, for the counters
 * @param options.monotonicMs for the rate limit alone, which no lease depends on
 * @returns a handle that ends every connection and stops accepting
 */
export function acceptAgents(
  server: Server,
  options: {
    refusalOf: (identity: Identity) => string | null
    maxConnections: number
    onRefused(reason: UpgradeRefusal, text: string, remoteAddress: string): void
    monotonicMs: () => number
  } & ConnectionEvents<AcceptedConnection>,
): { close(): void } {
  const acceptor = new WebSocketServer({ noServer: true, clientTracking: true, ...socketLimits })
  acceptor.on('headers', (headers) => headers.push(`${readsHeader.name}: ${readsHeader.value}`))
  acceptor.on('wsClientError', (_error, socket, request) => {
    const text = 'not a WebSocket handshake'
    options.onRefused('malformed-upgrade', text, plainAddress(request.socket.remoteAddress))
    refuseUpgrade(socket, '400 Bad Request', text)
  })

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy())
    const remoteAddress = plainAddress(request.socket.remoteAddress)
    const refuse = (reason: UpgradeRefusal, status: string, text: string): void => {
      options.onRefused(reason, text, remoteAddress)
      refuseUpgrade(socket, status, text)
    }
    if (pathOf(request) !== agentPath) return refuse('unknown-path', '404 Not Found', 'no such path')
    const identity = identityOfPeer(socket)
    if (identity === null)
      return refuse(
        'unauthenticated',
        '401 Unauthorized',
        'the client showed no certificate of this authority',
      )
    const refusal = options.refusalOf(identity)
    if (refusal !== null)
      return refuse('unauthenticated', '403 Forbidden', `${describeIdentity(identity)}: ${refusal}`)
    if (acceptor.clients.size >= options.maxConnections)
      return refuse('too-many-connections', '503 Service Unavailable', 'too many connections')
    acceptor.handleUpgrade(request, socket, head, (webSocket) => {
      request.socket.setKeepAlive(true, keepAliveMs)
      const connection: AcceptedWebSocket = new AcceptedWebSocket(
        webSocket,
        {
          message: (data) => options.onMessage(connection, data),
          closed: (reason) => options.onClose(connection, reason),
        },
        { monotonicMs: options.monotonicMs, remoteAddress, identity },
      )
      connection.shookHands(request.headers)
      options.onOpen(connection)
    })
  }
  server.on('upgrade', onUpgrade)

  return {
    close: () => {
      server.off('upgrade', onUpgrade)
      for (const client of acceptor.clients) {
        client.close(1001, 'shutting down')
        setTimeout(() => client.terminate(), closeTimeoutMs).unref()
      }
      acceptor.close()
    },
  }
}

class AcceptedWebSocket extends WebSocketConnection implements AcceptedConnection {
  readonly remoteAddress: string
  readonly identity: Identity

  constructor(
    webSocket: WebSocket,
    handlers: ConnectionHandlers,
    other: { monotonicMs: () => number; remoteAddress: string; identity: Identity },
  ) {
    super(webSocket, handlers, other.monotonicMs)
    this.remoteAddress = other.remoteAddress
    this.identity = other.identity
  }
}

function refuseUpgrade(socket: Duplex, status: string, text: string): void {
  const body = Buffer.from(`${text}\n`)
  socket.once('finish', () => socket.destroy())
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${text}\n`,
  )
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? ''
}
