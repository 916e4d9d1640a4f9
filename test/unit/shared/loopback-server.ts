import type { RequestListener } from 'node:http'
import type { Server } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { ConnectionLimit } from '../../../shared/network/connection-limit.ts'
import type { Credentials } from '../../../shared/identity/credentials.ts'
import { createSecureServer, listen } from '../../../shared/network/secure-server.ts'
import { eventually } from '../agent/eventually.ts'

/** The listener of the witness and of the agents, on loopback, which cuts nobody for coming too often. */
export class LoopbackServer {
  readonly server: Server
  /** What clients have sent inside TLS. */
  bytesHeard = 0
  /** Connections whose handshake was done, or came to nothing. */
  handshakes = 0
  readonly refused: string[] = []
  readonly #open = new Set<TLSSocket>()

  private constructor(credentials: Credentials, onRequest: RequestListener) {
    this.server = createSecureServer({
      credentials,
      limit: new ConnectionLimit({ isKnown: () => true, monotonicMs: unhurried() }),
      mostConnections: 2000,
      monotonicMs: unhurried(),
      onRequest,
      onRefused: (reason, from) => {
        this.handshakes += 1
        this.refused.push(`${reason} ${from}`)
      },
    })
    this.server.on('secureConnection', (socket: TLSSocket) => {
      this.handshakes += 1
      this.#open.add(socket)
      socket.on('close', () => {
        this.bytesHeard += socket.bytesRead
        this.#open.delete(socket)
      })
    })
  }

  static async open(
    credentials: Credentials,
    onRequest: RequestListener = (_request, response) => response.end('not this way'),
    host = '127.0.0.1',
  ): Promise<LoopbackServer> {
    const opened = new LoopbackServer(credentials, onRequest)
    await listen(opened.server, { host, port: 0 })
    return opened
  }

  get port(): number {
    const address = this.server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  get url(): string {
    const address = this.server.address()
    const isIPv6 = typeof address === 'object' && address?.family === 'IPv6'
    return `https://${isIPv6 ? '[::1]' : '127.0.0.1'}:${this.port}`
  }

  /** Somebody came, and everybody is gone. */
  untilHungUp(): Promise<void> {
    return eventually('everybody has hung up', () => this.handshakes > 0 && this.#open.size === 0)
  }

  close(): Promise<void> {
    return new Promise((closed) => {
      this.server.close(() => closed())
      this.server.closeAllConnections()
      for (const socket of this.#open) socket.destroy()
    })
  }
}

/** A clock that goes on with each look at it, so that nobody is too fast. */
function unhurried(): () => number {
  let clockMs = 0
  return () => (clockMs += 1000)
}
