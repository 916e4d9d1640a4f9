/** The dialling side of a connection: TCP, TLS and the upgrade, with one deadline over all of them. */
import WebSocket from 'ws'
import { type SecureContext, type TLSSocket, connect as connectTls } from 'node:tls'
import { type Socket, connect as connectTcp } from 'node:net'
import type { IncomingMessage } from 'node:http'
import type { Identity } from '../identity/identity.ts'
import {
  type ConnectionEvents,
  type DialledConnection,
  type ConnectionHandlers,
  WebSocketConnection,
  agentPath,
  longestRefusalBytes,
  socketLimits,
} from './connection.ts'
import { lookUpOnce } from './look-up-once.ts'
import { readsHeader } from '../protocol/first-release.ts'
import { endpointOf } from './witness-request.ts'
import { identityCheck, plainAddress } from './secure-server.ts'

/**
 * One attempt to reach a voter. The caller decides whether to dial again.
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
    /** The other host answered: TCP is connected. */
    onReached?: () => void
    monotonicMs: () => number
  } & ConnectionEvents<DialledConnection>,
): { close(): void; abort(reason: string): void } {
  const endpoint = endpointOf(options.url)
  const tcp = connectTcp({ ...endpoint, noDelay: true, lookup: lookUpOnce })
  if (options.onReached !== undefined) tcp.once('connect', options.onReached)
  const webSocket = new WebSocket(new URL(agentPath, options.url.replace(/^http/, 'ws')), {
    createConnection: () => secure(tcp, options),
    followRedirects: false,
    headers: { [readsHeader.name]: readsHeader.value },
    ...socketLimits,
  })
  const connection: DialledWebSocket = new DialledWebSocket(
    webSocket,
    {
      message: (data) => options.onMessage(connection, data),
      closed: (reason) => {
        clearTimeout(deadline)
        options.onClose(connection, reason)
      },
    },
    { monotonicMs: options.monotonicMs, tcp, hostname: endpoint.host },
  )
  const deadline = setTimeout(
    () => connection.fail(`no connection within ${options.connectTimeoutMs} ms`),
    options.connectTimeoutMs,
  )
  webSocket.once('unexpected-response', (_request, response) => {
    void readRefusal(response).then((text) =>
      connection.fail(`refused: HTTP ${response.statusCode ?? '?'}${text === '' ? '' : `: ${text}`}`),
    )
  })
  webSocket.once('upgrade', ({ headers }) => connection.shookHands(headers))
  webSocket.once('open', () => {
    clearTimeout(deadline)
    options.onOpen(connection)
  })
  return { close: () => connection.close('closed here'), abort: (reason) => connection.abort(reason) }
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
    // What came before it broke off is reported.
  }
  return text
    .slice(0, longestRefusalBytes)
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
}

class DialledWebSocket extends WebSocketConnection implements DialledConnection {
  readonly #tcp: Socket
  readonly #hostname: string

  constructor(
    webSocket: WebSocket,
    handlers: ConnectionHandlers,
    other: { monotonicMs: () => number; tcp: Socket; hostname: string },
  ) {
    super(webSocket, handlers, other.monotonicMs)
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
    // A reset would wait for a connection that is not made yet, on which nothing is queued.
    if (this.#tcp.connecting || this.#tcp.destroyed) this.fail(reason)
    else {
      this.endedBecause(reason)
      this.#tcp.resetAndDestroy()
    }
  }
}
