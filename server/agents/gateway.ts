/**
 * Connects the agents' connections with the clusters: finds the cluster that a hello names, and hands on what follows.
 */
import { assertNever } from '../../shared/assert-never.ts'
import { type FromAgent, type Hello, ProtocolError, parseFromAgent } from '../../shared/protocol/messages.ts'
import { describeIdentity, type Identity } from '../../shared/identity/identity.ts'
import type { AcceptedConnection, ConnectionEvents } from '../../shared/network/connection.ts'
import { AgentBudgets, type BudgetRefusal } from './budgets.ts'
import type { ClusterRuntime, Outbound } from '../clusters/runtime.ts'
import type { Refusals } from './refusals.ts'
import type { Registry } from '../registry/registry.ts'

/** A connection that sends no hello for this long does not belong to an agent. */
export const helloTimeoutMs = 2000
/** How many messages an agent may send while its cluster is being opened. */
const mostWaiting = 64

/** What the gateway needs of enrolment (server/registry/registry.ts). */
export interface Enrolment extends Pick<Registry, 'renewalDue'> {
  /** Records that a certificate is in use, and where its agent listens. */
  sawInUse(...use: Parameters<Registry['sawInUse']>): void
}

/** What the gateway needs of a cluster. */
export type Receiver = Pick<ClusterRuntime, 'handle'>

interface AgentConnection {
  readonly connection: AcceptedConnection
  readonly helloTimeout: NodeJS.Timeout
  state:
    | { readonly phase: 'silent' }
    | { readonly phase: 'joining'; readonly waiting: FromAgent[] }
    | { readonly phase: 'member'; readonly cluster: Receiver }
    | { readonly phase: 'gone' }
}

export class AgentGateway implements ConnectionEvents<AcceptedConnection>, Outbound {
  readonly #agents = new Map<number, AgentConnection>()
  readonly #join: (cluster: string) => Promise<Receiver | null>
  readonly #refusals: Refusals
  readonly #enrolment: Enrolment
  readonly #budgets: AgentBudgets

  /**
   * @param options.join finds a cluster; null: unknown here
   * @param options.monotonicMs for the budgets alone, which no lease depends on
   */
  constructor(options: {
    join: (cluster: string) => Promise<Receiver | null>
    enrolment: Enrolment
    refusals: Refusals
    monotonicMs: () => number
  }) {
    this.#join = options.join
    this.#enrolment = options.enrolment
    this.#budgets = new AgentBudgets(options.monotonicMs)
    this.#refusals = options.refusals
  }

  readonly onOpen = (connection: AcceptedConnection): void => {
    const helloTimeout = setTimeout(
      () => this.#refuse(connection, 'no-hello', `no hello within ${helloTimeoutMs} ms`),
      helloTimeoutMs,
    )
    this.#agents.set(connection.id, { connection, helloTimeout, state: { phase: 'silent' } })
    const { identity } = connection
    if (identity.kind !== 'node') return
    const tooMuch = this.#budgets.connected(identity)
    if (tooMuch !== null) this.#refuseExcess(connection, tooMuch)
  }

  readonly onMessage = (connection: AcceptedConnection, data: string): void => {
    const agent = this.#agents.get(connection.id)
    if (agent === undefined) return
    const { identity } = connection
    const tooMuch = identity.kind === 'node' ? this.#budgets.refusalOfMessage(identity) : null
    if (tooMuch !== null) return this.#refuseExcess(connection, tooMuch)
    let message: FromAgent
    try {
      message = parseFromAgent(data)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return this.#refuse(connection, 'malformed', `malformed message: ${error.message}`)
    }
    this.#receive(agent, message)
  }

  readonly onClose = (connection: AcceptedConnection): void => {
    const agent = this.#agents.get(connection.id)
    if (agent === undefined) return
    this.#agents.delete(connection.id)
    clearTimeout(agent.helloTimeout)
    if (connection.identity.kind === 'node') this.#budgets.hungUp(connection.identity)
    const { state } = agent
    agent.state = { phase: 'gone' }
    if (state.phase === 'member') state.cluster.handle({ type: 'closed', connection: connection.id })
  }

  send(id: number, message: object): void {
    this.#agents.get(id)?.connection.send(message)
  }

  close(id: number, reason: string): void {
    this.#agents.get(id)?.connection.close(reason)
  }

  /** Closes the connections that are no longer allowed, because a node was removed or its certificate replaced. */
  closeRefused(refusalOf: (identity: Identity) => string | null): void {
    for (const { connection } of this.#agents.values()) {
      const refusal = refusalOf(connection.identity)
      if (refusal !== null) connection.close(refusal)
    }
  }

  /**
   * Asks the nodes whose certificate is old, or for which the admin wants another, to create a new key when they have
   * time.
   */
  askForRenewals(): void {
    for (const { connection, state } of this.#agents.values())
      if (state.phase === 'member') this.#askForRenewal(connection)
  }

  #askForRenewal(connection: AcceptedConnection): void {
    const { identity } = connection
    if (identity.kind === 'node' && this.#enrolment.renewalDue(identity)) connection.send({ type: 'renew' })
  }

  #receive(agent: AgentConnection, message: FromAgent): void {
    const { state, connection } = agent
    if (message.type === 'hello' && !speaksForItself(connection.identity, message))
      return this.#refuse(
        connection,
        'impersonation',
        `a hello as ${message.cluster}/${message.node} with the certificate of ${describeIdentity(connection.identity)}`,
      )
    const tooMuch =
      connection.identity.kind === 'node' ? this.#budgets.refusalOf(connection.identity, message) : null
    if (tooMuch !== null) return this.#refuseExcess(connection, tooMuch)
    switch (state.phase) {
      case 'silent':
        if (message.type !== 'hello')
          return this.#refuse(connection, 'no-hello', `${message.type} before hello`)
        clearTimeout(agent.helloTimeout)
        return void this.#admit(agent, message)
      case 'joining':
        if (state.waiting.length >= mostWaiting)
          return this.#refuse(connection, 'malformed', 'too many messages before the welcome')
        state.waiting.push(message)
        return
      case 'member':
        return this.#handOn(connection, state.cluster, message)
      case 'gone':
        return
      default:
        return assertNever(state)
    }
  }

  async #admit(agent: AgentConnection, hello: Hello): Promise<void> {
    const { connection } = agent
    const { identity, remoteAddress } = connection
    if (identity.kind === 'node')
      this.#enrolment.sawInUse(identity, {
        address: hello.listener.address ?? remoteAddress,
        port: hello.listener.port,
      })
    const waiting: FromAgent[] = []
    agent.state = { phase: 'joining', waiting }
    const cluster = await this.#join(hello.cluster)
    // It may have disconnected in the meantime.
    if (!this.#agents.has(connection.id)) return
    if (cluster === null) {
      this.#refuse(connection, 'unknown-cluster', `this witness does not know cluster "${hello.cluster}"`, {
        node: hello.node,
      })
      return
    }
    agent.state = { phase: 'member', cluster }
    this.#askForRenewal(connection)
    this.#handOn(connection, cluster, hello)
    for (const message of waiting) this.#handOn(connection, cluster, message)
  }

  #handOn(connection: AcceptedConnection, cluster: Receiver, message: FromAgent): void {
    const at = { connection: connection.id }
    switch (message.type) {
      case 'hello':
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

  /**
   * A healthy agent may report too many events. The excess is dropped, but the connection stays open so that the agent
   * keeps its vote.
   */
  #refuseExcess(connection: AcceptedConnection, kind: BudgetRefusal): void {
    const text = `${describeIdentity(connection.identity)}: ${kind.replaceAll('-', ' ')}`
    this.#refusals.count(kind, text, { from: connection.remoteAddress })
    if (kind !== 'too-many-tells') connection.close(text)
  }

  #refuse(
    connection: AcceptedConnection,
    kind: 'no-hello' | 'malformed' | 'unknown-cluster' | 'impersonation',
    text: string,
    facts: Readonly<Record<string, unknown>> = {},
  ): void {
    this.#refusals.count(kind, text, { from: connection.remoteAddress, ...facts })
    connection.close(text)
  }
}

function speaksForItself(identity: Identity, { cluster, node }: Hello): boolean {
  return identity.kind === 'node' && identity.cluster === cluster && identity.node === node
}
