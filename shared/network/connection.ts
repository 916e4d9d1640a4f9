/**
 * What both ends of an agent's connection have in common: WebSocket over TLS 1.3 on `GET /agent`, a certificate on
 * both sides, one JSON message per text frame, and the limits. dial.ts has the dialling end, accept.ts the listening
 * one.
 *
 * Whatever a stranger, a slow client or a faulty client does costs its own connection and nothing else.
 */
import WebSocket from 'ws'
import type { IncomingHttpHeaders } from 'node:http'
import type { RawData } from 'ws'
import type { Identity } from '../identity/identity.ts'
import { inFirstRelease, readsHeader } from '../protocol/first-release.ts'
import { maxMessageBytes } from '../protocol/names.ts'
import { TokenBucket } from './token-bucket.ts'

export const agentPath = '/agent'

export interface Connection {
  /** Unique in this process. */
  readonly id: number
  readonly remoteAddress: string
  /** A message to a connection that is closing is dropped. */
  send(message: object): void
  /** No further message from the other side is passed on; `onClose` follows. */
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
   * As `close`, but with a TCP reset, so that what the kernel still has to send is dropped. After a close it would be
   * delivered even a minute later, when the path works again.
   */
  abort(reason: string): void
}

/** Names under which refused upgrades are counted. */
export type UpgradeRefusal = 'unauthenticated' | 'too-many-connections' | 'unknown-path' | 'malformed-upgrade'

/** Well above a heartbeat and a vote at each change of 32 instances. A client above it is faulty or hostile. */
const messageRate = { perSecond: 100, burst: 200 } as const

/** A reader that is this far behind cannot catch up in time for any lease. */
const longestBacklogBytes = 8 * maxMessageBytes

/** How long the other side may take to agree to a close. */
export const closeTimeoutMs = 500

/** The text of a refusal is shown to an operator and may come from anybody, so it is cut to this length. */
export const longestRefusalBytes = 400

/** A host that vanished occupies a socket until TCP keepalive finds out. */
export const keepAliveMs = 5000

export const socketLimits = {
  maxPayload: maxMessageBytes,
  maxFragments: 64,
  maxBufferedChunks: 1024,
  maxPendingAutoPongs: 16,
  perMessageDeflate: false,
  closeTimeout: closeTimeoutMs,
} as const

let lastId = 0

export interface ConnectionHandlers {
  message(data: string): void
  /** Once. */
  closed(reason: string): void
}

export abstract class WebSocketConnection implements Connection {
  readonly id = ++lastId
  abstract readonly remoteAddress: string
  readonly #webSocket: WebSocket
  #endReason: string | null = null
  #dropsUnknownFields = false

  constructor(webSocket: WebSocket, handlers: ConnectionHandlers, monotonicMs: () => number) {
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
        this.close('a binary message came, but JSON text is expected')
        return
      }
      handlers.message(textOf(data))
    })
    webSocket.on('ping', limited)
    webSocket.on('pong', limited)
    webSocket.on('error', (error) => (this.#endReason ??= error.message))
    webSocket.once('close', (code, reason) => {
      const said = reason.toString('utf8')
      handlers.closed(
        this.#endReason ?? `closed by the other side (${code}${said === '' ? '' : `, ${said}`})`,
      )
    })
  }

  /** The other side has said in the handshake which fields it reads, or has not. */
  shookHands(headers: IncomingHttpHeaders): void {
    this.#dropsUnknownFields = headers[readsHeader.name] === readsHeader.value
  }

  send(whole: object): void {
    const message = this.#dropsUnknownFields ? whole : inFirstRelease(whole)
    if (message === null) return
    const webSocket = this.#webSocket
    if (webSocket.readyState !== WebSocket.OPEN || this.#endReason !== null) return
    if (webSocket.bufferedAmount > longestBacklogBytes) {
      this.fail('the other side reads too slowly')
      return
    }
    const bytes = Buffer.from(JSON.stringify(message))
    if (bytes.length > maxMessageBytes) {
      this.fail(
        `a message of ${bytes.length} bytes was not sent, because the longest that is read has ${maxMessageBytes}; this is a fault of keepalived-witness, or there are too many instances and VIPs`,
      )
      return
    }
    // Sent as bytes, so that head and message of a client's frame leave in one piece. An error of the socket also
    // comes as an event, so it is ignored here.
    webSocket.send(bytes, { binary: false }, () => undefined)
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

  /** The first reason is the one that is reported. */
  protected endedBecause(reason: string): void {
    this.#endReason ??= reason
  }
}

function textOf(data: RawData): string {
  if (Buffer.isBuffer(data)) return data.toString('utf8')
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8')
  return Buffer.from(data).toString('utf8')
}
