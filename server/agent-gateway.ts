/** Between the agents' connections and the clusters: finds the cluster that a hello names, hands on what follows. */
import { assertNever } from '../shared/assert-never.ts'
import { parseFromAgent, ProtocolError, type FromAgent, type Hello } from '../shared/protocol.ts'
import type { Connection, ConnectionEvents } from '../shared/transport.ts'
import type { ClusterRuntime, Outbound } from './cluster-runtime.ts'
import type { Refusals } from './refusals.ts'

/** A connection that says nothing for so long is not an agent's. */
export const helloTimeoutMs = 2000
/** What an agent may say while its cluster is being opened. */
const mostWaiting = 64

/** What the gateway needs of a cluster. */
export type Receiver = Pick<ClusterRuntime, 'handle'>

interface Guest {
  readonly connection: Connection
  readonly helloTimeout: NodeJS.Timeout
  state:
    | { readonly phase: 'silent' }
    | { readonly phase: 'joining'; readonly hello: Hello; readonly waiting: FromAgent[] }
    | { readonly phase: 'member'; readonly hello: Hello; readonly cluster: Receiver }
    | { readonly phase: 'gone' }
}

export class AgentGateway implements ConnectionEvents, Outbound {
  readonly #guests = new Map<number, Guest>()
  readonly #join: (cluster: string) => Promise<Receiver | null>
  readonly #refusals: Refusals

  /** @param options.join finds or admits a cluster; null: unknown here */
  constructor(options: { join: (cluster: string) => Promise<Receiver | null>; refusals: Refusals }) {
    this.#join = options.join
    this.#refusals = options.refusals
  }

  readonly onOpen = (connection: Connection): void => {
    const helloTimeout = setTimeout(
      () => this.#refuse(connection, 'no-hello', `no hello within ${helloTimeoutMs} ms`),
      helloTimeoutMs,
    )
    this.#guests.set(connection.id, { connection, helloTimeout, state: { phase: 'silent' } })
  }

  readonly onMessage = (connection: Connection, data: string): void => {
    const guest = this.#guests.get(connection.id)
    if (guest === undefined) return
    let message: FromAgent
    try {
      message = parseFromAgent(data)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return this.#refuse(connection, 'malformed', `malformed message: ${error.message}`)
    }
    this.#receive(guest, message)
  }

  readonly onClose = (connection: Connection): void => {
    const guest = this.#guests.get(connection.id)
    if (guest === undefined) return
    this.#guests.delete(connection.id)
    clearTimeout(guest.helloTimeout)
    const { state } = guest
    guest.state = { phase: 'gone' }
    if (state.phase === 'member') state.cluster.handle({ type: 'closed', connection: connection.id })
  }

  send(id: number, message: object): void {
    this.#guests.get(id)?.connection.send(message)
  }

  close(id: number, reason: string): void {
    this.#guests.get(id)?.connection.close(reason)
  }

  #receive(guest: Guest, message: FromAgent): void {
    const { state, connection } = guest
    switch (state.phase) {
      case 'silent':
        if (message.type !== 'hello')
          return this.#refuse(connection, 'no-hello', `${message.type} before hello`)
        clearTimeout(guest.helloTimeout)
        return void this.#admit(guest, message)
      case 'joining':
        if (state.waiting.length >= mostWaiting)
          return this.#refuse(connection, 'malformed', 'too many messages before the welcome')
        state.waiting.push(message)
        return
      case 'member':
        return this.#handOn(connection, state, message)
      case 'gone':
        return
      default:
        return assertNever(state)
    }
  }

  async #admit(guest: Guest, hello: Hello): Promise<void> {
    const { connection } = guest
    const waiting: FromAgent[] = []
    guest.state = { phase: 'joining', hello, waiting }
    const cluster = await this.#join(hello.cluster)
    // It may have hung up meanwhile.
    if (!this.#guests.has(connection.id)) return
    if (cluster === null) {
      this.#refuse(connection, 'unknown-cluster', `this witness knows no cluster "${hello.cluster}"`, {
        node: hello.node,
      })
      return
    }
    const member = { phase: 'member', hello, cluster } as const
    guest.state = member
    this.#handOn(connection, member, hello)
    for (const message of waiting) this.#handOn(connection, member, message)
  }

  #handOn(
    connection: Connection,
    { hello, cluster }: { hello: Hello; cluster: Receiver },
    message: FromAgent,
  ): void {
    const at = { connection: connection.id }
    switch (message.type) {
      case 'hello':
        if (message.cluster !== hello.cluster || message.node !== hello.node)
          return this.#refuse(
            connection,
            'foreign',
            `a second hello as ${message.cluster}/${message.node} on the connection of ${hello.cluster}/${hello.node}`,
          )
        return cluster.handle({
          type: 'hello',
          ...at,
          hello: message,
          remoteAddress: connection.remoteAddress,
        })
      case 'beat':
        return cluster.handle({ type: 'beat', ...at, beat: message })
      case 'tell':
        return cluster.handle({ type: 'tell', ...at, tell: message })
      case 'drilled':
        return cluster.handle({ type: 'drilled', ...at, drilled: message })
      default:
        return assertNever(message)
    }
  }

  #refuse(
    connection: Connection,
    kind: 'no-hello' | 'malformed' | 'unknown-cluster' | 'foreign',
    text: string,
    facts: Readonly<Record<string, unknown>> = {},
  ): void {
    this.#refusals.count(kind, text, { from: connection.remoteAddress, ...facts })
    connection.close(text)
  }
}
