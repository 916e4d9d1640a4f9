/**
 * How agents and voters reach each other: WebSocket on `GET /agent`, the token on the upgrade, one JSON message per
 * text frame. The only place that knows; certificates will replace the token here.
 *
 * Whatever a stranger, a slow or a mad client does costs its own connection and nothing else.
 */
import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import WebSocket, { WebSocketServer, type RawData } from 'ws'
import { maxMessageBytes } from './protocol.ts'
import { bearsToken } from './token.ts'

export const agentPath = '/agent'

export interface Connection {
  /** Unique in this process. */
  readonly id: number
  readonly remoteAddress: string
  /** A message to a connection that is closing is dropped. */
  send(message: object): void
  /** Nothing from the other side is handed on any more; `onClose` follows. */
  close(reason: string): void
  /**
   * As `close`, with a TCP reset: what the kernel still has to send is dropped. After a close it would be delivered, and
   * be it a minute later when the path is mended.
   */
  abort(reason: string): void
}

export interface ConnectionEvents {
  onOpen(connection: Connection): void
  onMessage(connection: Connection, data: string): void
  /** Once for each connection, also for one that was dialled and never opened. */
  onClose(connection: Connection, reason: string): void
}

/** Names under which refused upgrades are counted. */
export type UpgradeRefusal = 'unauthenticated' | 'too-many-connections' | 'unknown-path' | 'malformed-upgrade'

/** Well above a heartbeat and a vote at each change of 32 instances; a client above it is broken or hostile. */
const messagesPerSecond = 100
const messageBurst = 200
/** A reader this far behind does not come back in time for any lease. */
const longestBacklogBytes = 8 * maxMessageBytes
/** How long the other side may take to agree to a close. */
const closeTimeoutMs = 500

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
 * Accepts agents on an HTTP server of the caller's.
 * @param options.onRefused is told why an upgrade was refused, for the counters
 * @param options.monotonicMs for the rate limit alone, which no lease depends on
 * @returns a handle that ends every connection and stops accepting
 */
export function acceptAgents(
  server: Server,
  options: {
    token: string
    maxConnections: number
    onRefused(reason: UpgradeRefusal): void
    monotonicMs: () => number
  } & ConnectionEvents,
): { close(): void } {
  const acceptor = new WebSocketServer({ noServer: true, clientTracking: true, ...socketLimits })
  acceptor.on('wsClientError', (_error, socket) => {
    options.onRefused('malformed-upgrade')
    refuseUpgrade(socket, 400, 'Bad Request')
  })

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy())
    const refuse = (reason: UpgradeRefusal, status: number, text: string): void => {
      options.onRefused(reason)
      refuseUpgrade(socket, status, text)
    }
    if (pathOf(request) !== agentPath) {
      refuse('unknown-path', 404, 'Not Found')
      return
    }
    if (!bearsToken(request.headers.authorization, options.token)) {
      refuse('unauthenticated', 401, 'Unauthorized')
      return
    }
    if (acceptor.clients.size >= options.maxConnections) {
      refuse('too-many-connections', 503, 'Service Unavailable')
      return
    }
    acceptor.handleUpgrade(request, socket, head, (webSocket) => {
      const remoteAddress = plainAddress(request.socket.remoteAddress)
      request.socket.setKeepAlive(true, keepAliveMs)
      const ends = { address: () => remoteAddress, socket: () => request.socket }
      const line = new Line(webSocket, options, ends, options.monotonicMs)
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
 * @param options.url `http://host:port` of the voter
 * @param options.monotonicMs for the rate limit alone, which no lease depends on
 * @returns a handle that gives up the attempt, or ends the connection; `abort` as that of a connection
 */
export function dialVoter(
  options: {
    url: string
    token: string
    connectTimeoutMs: number
    monotonicMs: () => number
  } & ConnectionEvents,
): { close(): void; abort(reason: string): void } {
  let socket: Socket | null = null
  const webSocket = new WebSocket(new URL(agentPath, options.url), {
    headers: { authorization: `Bearer ${options.token}` },
    handshakeTimeout: options.connectTimeoutMs,
    followRedirects: false,
    finishRequest: (request) => {
      request.once('socket', (assigned) => (socket = assigned))
      request.end()
    },
    ...socketLimits,
  })
  let remoteAddress = new URL(options.url).hostname
  const ends = { address: () => remoteAddress, socket: () => socket }
  const line = new Line(webSocket, options, ends, options.monotonicMs)
  webSocket.once('upgrade', (response) => {
    remoteAddress = plainAddress(response.socket.remoteAddress)
    response.socket.setNoDelay(true)
  })
  webSocket.once('unexpected-response', (_request, response) => {
    response.resume()
    line.fail(
      response.statusCode === 401
        ? 'refused: the token here is not the token there (HTTP 401)'
        : `refused: HTTP ${response.statusCode ?? '?'} ${response.statusMessage ?? ''}`.trimEnd(),
    )
  })
  webSocket.once('open', () => options.onOpen(line))
  return { close: () => line.close('closed here'), abort: (reason) => line.abort(reason) }
}

interface LineEnds {
  readonly address: () => string
  /** Null: none was made yet. */
  readonly socket: () => Socket | null
}

class Line implements Connection {
  readonly id = ++lastId
  readonly #webSocket: WebSocket
  readonly #ends: LineEnds
  #endReason: string | null = null

  constructor(webSocket: WebSocket, events: ConnectionEvents, ends: LineEnds, monotonicMs: () => number) {
    this.#webSocket = webSocket
    this.#ends = ends
    const allow = rateLimit(monotonicMs)
    const limited = (): boolean => {
      if (this.#endReason !== null) return true
      if (allow()) return false
      this.close(`more than ${messagesPerSecond} messages a second`)
      return true
    }
    webSocket.on('message', (data: RawData, isBinary: boolean) => {
      if (limited()) return
      if (isBinary) {
        this.close('binary message: JSON text is expected')
        return
      }
      events.onMessage(this, textOf(data))
    })
    webSocket.on('ping', limited)
    webSocket.on('pong', limited)
    webSocket.on('error', (error) => (this.#endReason ??= error.message))
    webSocket.once('close', (code, reason) => {
      const said = reason.toString('utf8')
      events.onClose(
        this,
        this.#endReason ?? `closed by the other side (${code}${said === '' ? '' : `, ${said}`})`,
      )
    })
  }

  get remoteAddress(): string {
    return this.#ends.address()
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

  abort(reason: string): void {
    this.#endReason ??= reason
    const socket = this.#ends.socket()
    // A reset would wait for a connection that is not made yet, and nothing is queued on it.
    if (socket === null || socket.connecting || socket.destroyed) this.#webSocket.terminate()
    else socket.resetAndDestroy()
  }

  /** Ends the connection without the courtesy of a close frame. */
  fail(reason: string): void {
    this.#endReason ??= reason
    this.#webSocket.terminate()
  }
}

/** A token bucket. */
function rateLimit(monotonicMs: () => number): () => boolean {
  let left = messageBurst
  let filledAtMs = monotonicMs()
  return () => {
    const atMs = monotonicMs()
    left = Math.min(messageBurst, left + ((atMs - filledAtMs) / 1000) * messagesPerSecond)
    filledAtMs = atMs
    if (left < 1) return false
    left -= 1
    return true
  }
}

function refuseUpgrade(socket: Duplex, status: number, text: string): void {
  const authenticate = status === 401 ? 'WWW-Authenticate: Bearer\r\n' : ''
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${text}\r\n${authenticate}Connection: close\r\nContent-Length: 0\r\n\r\n`)
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? ''
}

/** An IPv4 peer of a dual-stack socket shows as `::ffff:10.0.0.11`. */
function plainAddress(address: string | undefined): string {
  return (address ?? 'unknown').replace(/^::ffff:/, '')
}

function textOf(data: RawData): string {
  if (Buffer.isBuffer(data)) return data.toString('utf8')
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8')
  return Buffer.from(data).toString('utf8')
}
