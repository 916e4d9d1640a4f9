/**
 * How agents and voters reach each other: WebSocket over TLS 1.3 on `GET /agent`, a certificate on both sides, one JSON
 * message per text frame. The only place that knows.
 *
 * Whatever a stranger, a slow or a mad client does costs its own connection and nothing else.
 */
import type { IncomingMessage } from 'node:http'
import type { Server } from 'node:https'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls'
import type { Duplex } from 'node:stream'
import WebSocket, { WebSocketServer, type RawData } from 'ws'
import { TokenBucket } from './connection-limit.ts'
import { describeIdentity, type Identity } from './identity.ts'
import { maxMessageBytes } from './protocol.ts'
import { identityCheck, identityOfPeer, plainAddress } from './secure-server.ts'
import { endpointOf } from './witness-request.ts'

export const agentPath = '/agent'

export interface Connection {
  /** Unique in this process. */
  readonly id: number
  readonly remoteAddress: string
  /** A message to a connection that is closing is dropped. */
  send(message: object): void
  /** Nothing from the other side is handed on any more; `onClose` follows. */
  close(reason: string): void
}

export interface ConnectionEvents<Of extends Connection> {
  onOpen(connection: Of): void
  onMessage(connection: Of, data: string): void
  /** Once for each connection, also for one that was dialled and never opened. */
  onClose(connection: Of, reason: string): void
}

export interface AcceptedConnection extends Connection {
  /** Who the other side has proved to be. */
  readonly identity: Identity
}

export interface DialledConnection extends Connection {
  /**
   * As `close`, with a TCP reset: what the kernel still has to send is dropped. After a close it would be delivered, and
   * be it a minute later when the path is mended.
   */
  abort(reason: string): void
}

/** Names under which refused upgrades are counted. */
export type UpgradeRefusal = 'unauthenticated' | 'too-many-connections' | 'unknown-path' | 'malformed-upgrade'

/** Well above a heartbeat and a vote at each change of 32 instances; a client above it is broken or hostile. */
const messageRate = { perSecond: 100, burst: 200 } as const
/** A reader this far behind does not come back in time for any lease. */
const longestBacklogBytes = 8 * maxMessageBytes
/** How long the other side may take to agree to a close. */
const closeTimeoutMs = 500
/** What a voter says of its refusal is shown to an operator, and may be anybody's words. */
const longestRefusalBytes = 400

/** A host that vanished without a word costs a socket until the kernel has asked it in vain. */
const keepAliveMs = 5000

const socketLimits = {
  maxPayload: maxMessageBytes,
  maxFragments: 64,
  maxBufferedChunks: 1024,
  maxPendingAutoPongs: 16,
  perMessageDeflate: false,
  closeTimeout: closeTimeoutMs,
} as const

let lastId = 0

/**
 * Accepts agents on an HTTPS server of the caller's (shared/secure-server.ts).
 * @param options.refusalOf why somebody with a certificate of the authority may not connect; null: they may
 * @param options.onRefused is told why an upgrade was refused, for the counters
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
      return refuse('unauthenticated', '401 Unauthorized', 'no certificate of this authority was shown')
    const refusal = options.refusalOf(identity)
    if (refusal !== null)
      return refuse('unauthenticated', '403 Forbidden', `${describeIdentity(identity)}: ${refusal}`)
    if (acceptor.clients.size >= options.maxConnections)
      return refuse('too-many-connections', '503 Service Unavailable', 'too many connections')
    acceptor.handleUpgrade(request, socket, head, (webSocket) => {
      request.socket.setKeepAlive(true, keepAliveMs)
      const line: AcceptedLine = new AcceptedLine(
        webSocket,
        {
          message: (data) => options.onMessage(line, data),
          closed: (reason) => options.onClose(line, reason),
        },
        { monotonicMs: options.monotonicMs, remoteAddress, identity },
      )
      options.onOpen(line)
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

/**
 * One attempt to reach a voter; dialling again is the caller's.
 * @param options.url `https://host:port` of the voter
 * @param options.secureContext this side's key and certificate, and the authority that the voter's must be of
 * @param options.refusalOf why the voter is not the one that is wanted; null: it is
 * @param options.connectTimeoutMs for TCP, TLS and the upgrade together
 * @param options.monotonicMs for the rate limit alone, which no lease depends on
 * @returns a handle that gives up the attempt, or ends the connection; `abort` as that of a connection
 */
export function dialVoter(
  options: {
    url: string
    secureContext: SecureContext
    refusalOf: (identity: Identity | null) => string | null
    connectTimeoutMs: number
    monotonicMs: () => number
  } & ConnectionEvents<DialledConnection>,
): { close(): void; abort(reason: string): void } {
  const endpoint = endpointOf(options.url)
  const tcp = connectTcp({ ...endpoint, noDelay: true })
  const webSocket = new WebSocket(new URL(agentPath, options.url.replace(/^http/, 'ws')), {
    createConnection: () => secure(tcp, options),
    followRedirects: false,
    ...socketLimits,
  })
  const line: DialledLine = new DialledLine(
    webSocket,
    {
      message: (data) => options.onMessage(line, data),
      closed: (reason) => {
        clearTimeout(deadline)
        options.onClose(line, reason)
      },
    },
    { monotonicMs: options.monotonicMs, tcp, hostname: endpoint.host },
  )
  const deadline = setTimeout(
    () => line.fail(`no connection within ${options.connectTimeoutMs} ms`),
    options.connectTimeoutMs,
  )
  webSocket.once('unexpected-response', (_request, response) => {
    void readRefusal(response).then((text) =>
      line.fail(`refused: HTTP ${response.statusCode ?? '?'}${text === '' ? '' : `: ${text}`}`),
    )
  })
  webSocket.once('open', () => {
    clearTimeout(deadline)
    options.onOpen(line)
  })
  return { close: () => line.close('closed here'), abort: (reason) => line.abort(reason) }
}

/** TLS over a connection of our own, which can then be reset. */
function secure(
  tcp: Socket,
  {
    secureContext,
    refusalOf,
  }: { secureContext: SecureContext; refusalOf: (identity: Identity | null) => string | null },
): TLSSocket {
  const socket = connectTls({
    socket: tcp,
    secureContext,
    minVersion: 'TLSv1.3',
    checkServerIdentity: identityCheck(refusalOf),
  })
  tcp.once('error', (error) => socket.destroy(error))
  return socket
}

async function readRefusal(response: IncomingMessage): Promise<string> {
  let text = ''
  try {
    for await (const chunk of response) {
      text += String(chunk)
      if (text.length > longestRefusalBytes) break
    }
  } catch {
    // What came until it broke off is told.
  }
  return text
    .slice(0, longestRefusalBytes)
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
}

interface Hearing {
  message(data: string): void
  /** Once. */
  closed(reason: string): void
}

abstract class Line implements Connection {
  readonly id = ++lastId
  abstract readonly remoteAddress: string
  readonly #webSocket: WebSocket
  #endReason: string | null = null

  constructor(webSocket: WebSocket, hearing: Hearing, monotonicMs: () => number) {
    this.#webSocket = webSocket
    const rate = new TokenBucket(messageRate, monotonicMs)
    const limited = (): boolean => {
      if (this.#endReason !== null) return true
      if (rate.take()) return false
      this.close(`more than ${messageRate.perSecond} messages a second`)
      return true
    }
    webSocket.on('message', (data: RawData, isBinary: boolean) => {
      if (limited()) return
      if (isBinary) {
        this.close('binary message: JSON text is expected')
        return
      }
      hearing.message(textOf(data))
    })
    webSocket.on('ping', limited)
    webSocket.on('pong', limited)
    webSocket.on('error', (error) => (this.#endReason ??= error.message))
    webSocket.once('close', (code, reason) => {
      const said = reason.toString('utf8')
      hearing.closed(this.#endReason ?? `closed by the other side (${code}${said === '' ? '' : `, ${said}`})`)
    })
  }

  send(message: object): void {
    const webSocket = this.#webSocket
    if (webSocket.readyState !== WebSocket.OPEN || this.#endReason !== null) return
    if (webSocket.bufferedAmount > longestBacklogBytes) {
      this.fail('reads too slowly')
      return
    }
    // As bytes, head and message of a client's frame leave in one piece. An error of the socket comes as an event too;
    // here it would only be said twice.
    webSocket.send(Buffer.from(JSON.stringify(message)), { binary: false }, () => undefined)
  }

  close(reason: string): void {
    this.#endReason ??= reason
    // RFC 6455 section 5.5: a control frame carries 125 bytes, of which two are the code.
    this.#webSocket.close(
      1008,
      Buffer.from(reason)
        .subarray(0, 120)
        .toString('latin1')
        .replace(/[^\x20-\x7e]/g, '?'),
    )
  }

  /** Ends the connection without the courtesy of a close frame. */
  fail(reason: string): void {
    this.endedBecause(reason)
    this.#webSocket.terminate()
  }

  /** The first reason is the one that is told. */
  protected endedBecause(reason: string): void {
    this.#endReason ??= reason
  }
}

class AcceptedLine extends Line implements AcceptedConnection {
  readonly remoteAddress: string
  readonly identity: Identity

  constructor(
    webSocket: WebSocket,
    hearing: Hearing,
    other: { monotonicMs: () => number; remoteAddress: string; identity: Identity },
  ) {
    super(webSocket, hearing, other.monotonicMs)
    this.remoteAddress = other.remoteAddress
    this.identity = other.identity
  }
}

class DialledLine extends Line implements DialledConnection {
  readonly #tcp: Socket
  readonly #hostname: string

  constructor(
    webSocket: WebSocket,
    hearing: Hearing,
    other: { monotonicMs: () => number; tcp: Socket; hostname: string },
  ) {
    super(webSocket, hearing, other.monotonicMs)
    this.#tcp = other.tcp
    this.#hostname = other.hostname
  }

  get remoteAddress(): string {
    return this.#tcp.remoteAddress === undefined ? this.#hostname : plainAddress(this.#tcp.remoteAddress)
  }

  override fail(reason: string): void {
    super.fail(reason)
    this.#tcp.destroy()
  }

  abort(reason: string): void {
    // A reset would wait for a connection that is not made yet, and nothing is queued on it.
    if (this.#tcp.connecting || this.#tcp.destroyed) this.fail(reason)
    else {
      this.endedBecause(reason)
      this.#tcp.resetAndDestroy()
    }
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

function textOf(data: RawData): string {
  if (Buffer.isBuffer(data)) return data.toString('utf8')
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8')
  return Buffer.from(data).toString('utf8')
}
