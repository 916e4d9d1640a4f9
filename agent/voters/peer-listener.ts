/**
 * The listener for the peer's agent. It accepts the connection of the peer and of nobody else, and passes its
 * heartbeats on.
 */
import type { Server } from 'node:https'
import {
  type Answer,
  type Beat,
  type Hello,
  type VoterReply,
  type Welcome,
  parseFromAgent,
} from '../../shared/protocol/messages.ts'
import { type NodeName, protocolVersion } from '../../shared/protocol/names.ts'
import type { Profile } from '../../shared/protocol/plan.ts'
import { type PeerNames, peerNames } from '../core/peer-names.ts'
import { assertNever } from '../../shared/assert-never.ts'
import { messageOf } from '../../shared/error-message.ts'
import { type Past, pastWith, type Predecessor, successionOf } from '../../shared/core/succession.ts'
import { silenceMs, type Timing } from '../../shared/core/timing.ts'
import { ConnectionLimit } from '../../shared/network/connection-limit.ts'
import type { Credentials } from '../../shared/identity/credentials.ts'
import { describeIdentity, type Identity } from '../../shared/identity/identity.ts'
import { createSecureServer, listen, renewCredentials } from '../../shared/network/secure-server.ts'
import { acceptAgents } from '../../shared/network/accept.ts'
import type { AcceptedConnection } from '../../shared/network/connection.ts'
import { refusalOfPeer, type Peer } from './identity.ts'

export interface PeerListenerOptions {
  readonly cluster: string
  readonly node: NodeName
  readonly listen: { readonly address: string; readonly port: number }
  readonly credentials: Credentials
  readonly nowMs: () => number
  readonly monotonicMs: () => number
  readonly timing: () => Timing
  /** An address of the cluster's hosts. */
  readonly isKnownAddress: (address: string) => boolean
  /** Whether this node's vote on any instance is promised to the peer now. */
  readonly promised: () => boolean
  /** What keepalived.conf says here now; the same list until it changes. */
  readonly profiles: () => readonly Profile[]
  /** An instance of the peer may be one or another of ours, so nothing is said or heard of it. */
  /** After a hello of the peer or a change of keepalived.conf, and before the heartbeat that is translated by it. */
  readonly onNames: (
    names: PeerNames,
    peer: { readonly incarnation: string; readonly profiles: readonly Profile[] },
  ) => void
  /** Called for each beat, with the names of this node. The answers to this beat are collected until it returns. */
  readonly onBeat: (beat: Beat) => void
  /** `reason` is stable, for counters. */
  readonly onRefused: (reason: string, text: string) => void
}

export class PeerListenerError extends Error {
  readonly code = 'peer-listener'
}

interface Incarnation {
  readonly incarnation: string
  readonly bootId: string
  /** Of its last hello. */
  profiles: readonly Profile[]
  connection: AcceptedConnection | null
  lastSeq: number
  /** When its newest beat came; null: none yet. */
  beatAtMs: number | null
  /** When its hello or its newest beat came. */
  heardAtMs: number
}

/** The peer has one connection, and others while an old one is being replaced. */
const maxConnections = 8
/** Includes those that have not proved yet who they are. */
const mostConnections = 256
/** A connection that has sent no hello by then is closed. */
const helloTimeoutMs = 2000

export class PeerListener {
  readonly #options: PeerListenerOptions
  readonly #server: Server
  #acceptor: { close(): void } | null = null
  #peer: Peer | null = null
  #incarnation: Incarnation | null = null
  /** The incarnations that were superseded. Their messages no longer count. */
  #past: Past = []
  #names: {
    readonly ours: readonly Profile[]
    readonly theirs: readonly Profile[]
    readonly names: PeerNames
  } | null = null
  #collecting: { readonly beat: number; readonly verdicts: VoterReply[] } | null = null

  private constructor(options: PeerListenerOptions) {
    this.#options = options
    this.#server = createSecureServer({
      credentials: options.credentials,
      limit: new ConnectionLimit({ isKnown: options.isKnownAddress, monotonicMs: options.monotonicMs }),
      mostConnections,
      onRequest: (_request, response) => response.writeHead(404, { connection: 'close' }).end(),
      monotonicMs: options.monotonicMs,
      onRefused: (reason, from) =>
        options.onRefused(reason, `a connection from ${from} was closed before its hello`),
    })
  }

  /** @throws PeerListenerError when the address is in use or not of this host. */
  static async listen(options: PeerListenerOptions): Promise<PeerListener> {
    const listener = new PeerListener(options)
    const { address, port } = options.listen
    try {
      await listen(listener.#server, { host: address, port })
    } catch (cause) {
      throw new PeerListenerError(
        `cannot listen on ${address}:${port} (${messageOf(cause)}); change "listen" in agent.yaml`,
        { cause },
      )
    }
    listener.#accept()
    return listener
  }

  /** The port on which it listens; differs from the options if those say port 0. */
  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : this.#options.listen.port
  }

  /** Who may connect; null: nobody yet. */
  setPeer(peer: Peer | null): void {
    const isSame = peer?.name === this.#peer?.name
    this.#peer = peer
    const connection = this.#incarnation?.connection ?? null
    if (!isSame) {
      this.#incarnation = null
      this.#past = []
    }
    const refusal = connection === null ? null : this.#refusalOf(connection.identity)
    if (refusal !== null) connection?.close(refusal)
  }

  /** From the next connection on. */
  renewCredentials(credentials: Credentials): void {
    renewCredentials(this.#server, credentials)
  }

  /** The answer of one instance to a beat; a pending vote is answered a second time, later. */
  answer(beat: number, reply: VoterReply): void {
    const known = this.#incarnation
    if (known === null) return
    const named = { ...reply, instance: this.#namesOf(known).toTheirs(reply.instance) }
    if (this.#collecting?.beat === beat) this.#collecting.verdicts.push(named)
    else this.#send(beat, [named], this.#options.nowMs())
  }

  close(): void {
    this.#acceptor?.close()
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #accept(): void {
    const said = new Map<number, NodeJS.Timeout>()
    this.#acceptor = acceptAgents(this.#server, {
      refusalOf: (identity) => this.#refusalOf(identity),
      maxConnections,
      monotonicMs: this.#options.monotonicMs,
      onRefused: (reason, text, from) =>
        this.#options.onRefused(reason, `a connection from ${from} was refused before its hello: ${text}`),
      onOpen: (connection) => {
        const timer = setTimeout(
          () => this.#refuse(connection, 'no-hello', 'no hello was received'),
          helloTimeoutMs,
        )
        said.set(connection.id, timer)
      },
      onMessage: (connection, data) => {
        clearTimeout(said.get(connection.id))
        this.#take(connection, data)
      },
      onClose: (connection) => {
        clearTimeout(said.get(connection.id))
        said.delete(connection.id)
        if (this.#incarnation?.connection === connection) this.#incarnation.connection = null
      },
    })
  }

  #take(connection: AcceptedConnection, data: string): void {
    let message: ReturnType<typeof parseFromAgent>
    try {
      message = parseFromAgent(data)
    } catch (cause) {
      this.#refuse(connection, 'malformed', messageOf(cause))
      return
    }
    switch (message.type) {
      case 'hello':
        return this.#takeHello(connection, message)
      case 'beat':
        return this.#takeBeat(connection, message)
      case 'tell':
      case 'drilled':
        // For the witness only.
        return this.#options.onRefused('tell', 'the peer sent a message that is meant for the witness only')
      default:
        return assertNever(message)
    }
  }

  #takeHello(connection: AcceptedConnection, hello: Hello): void {
    const { cluster, node } = this.#options
    if (hello.cluster !== cluster)
      return this.#refuse(
        connection,
        'foreign-cluster',
        `the hello names cluster "${hello.cluster}", but this node belongs to cluster "${cluster}"`,
      )
    if (this.#peer === null) return connection.close('this agent does not know its peer yet')
    const refusal = this.#refusalOf(connection.identity)
    if (refusal !== null) return this.#refuse(connection, 'unauthenticated', refusal)
    if (hello.node !== this.#peer.name)
      return this.#refuse(
        connection,
        'impersonation',
        `a hello as "${hello.node}" came with the certificate of "${this.#peer.name}"`,
      )
    const atMs = this.#options.nowMs()
    const incarnation = this.#incarnationOf(connection, hello, atMs)
    if (incarnation === null) return
    incarnation.heardAtMs = atMs
    incarnation.profiles = hello.profiles
    const old = incarnation.connection
    incarnation.connection = connection
    if (old !== null && old !== connection) old.close('replaced by a newer connection')
    const welcome: Welcome = { type: 'welcome', protocol: protocolVersion, voter: node, plan: null }
    connection.send(welcome)
  }

  #refusalOf(identity: Identity): string | null {
    const { cluster } = this.#options
    if (this.#peer !== null) return refusalOfPeer({ cluster, peer: this.#peer }, identity)
    // Until the witness has named the peer, the peer may connect too early. It is turned away at its hello and
    // connects again.
    return identity.kind === 'node' && identity.cluster === cluster
      ? null
      : `this is ${describeIdentity(identity)}, not a node of cluster ${cluster}`
  }

  /** The incarnation that speaks for the peer now; null: this connection does not, and was refused. */
  #incarnationOf(connection: AcceptedConnection, hello: Hello, atMs: number): Incarnation | null {
    const { reserveMs } = this.#options.timing()
    const present = this.#present(atMs)
    const succession = successionOf({ present, past: this.#past }, { ...hello, atMs, reserveMs })
    switch (succession) {
      case 'same':
        return this.#incarnation
      case 'next':
        return this.#replaceIncarnation(hello, atMs)
      case 'early':
        this.#refuse(
          connection,
          'double',
          `another agent with the name "${hello.node}" is connected and alive; check whether a host was cloned`,
        )
        return null
      case 'past':
        connection.send({ type: 'superseded' })
        this.#refuse(
          connection,
          'old-incarnation',
          "this instance of the peer's agent was replaced by a newer one",
        )
        return null
      default:
        return assertNever(succession)
    }
  }

  #present(atMs: number): Predecessor | null {
    const { timing, promised } = this.#options
    const known = this.#incarnation
    if (known === null) return null
    const { connection, beatAtMs } = known
    const live = connection !== null && beatAtMs !== null && atMs - beatAtMs < silenceMs(timing())
    return { ...known, live, promised: promised() }
  }

  #replaceIncarnation({ incarnation, bootId }: Hello, atMs: number): Incarnation {
    const old = this.#incarnation
    if (old !== null) {
      this.#past = pastWith(this.#past, old.incarnation)
      old.connection?.close("the peer's agent has restarted")
    }
    const next = {
      incarnation,
      bootId,
      profiles: [],
      connection: null,
      lastSeq: 0,
      beatAtMs: null,
      heardAtMs: atMs,
    }
    this.#incarnation = next
    return next
  }

  #takeBeat(connection: AcceptedConnection, beat: Beat): void {
    const incarnation = this.#incarnation
    if (incarnation?.connection !== connection)
      return this.#refuse(connection, 'no-hello', 'a heartbeat came without an accepted hello before it')
    if (beat.seq <= incarnation.lastSeq)
      return this.#options.onRefused(
        'replayed',
        `heartbeat ${beat.seq} is not newer than heartbeat ${incarnation.lastSeq}`,
      )
    incarnation.lastSeq = beat.seq
    const atMs = this.#options.nowMs()
    incarnation.beatAtMs = atMs
    incarnation.heardAtMs = atMs
    const collecting = { beat: beat.seq, verdicts: [] }
    this.#collecting = collecting
    const { toOurs } = this.#namesOf(incarnation)
    const reports = beat.reports.flatMap((report) => {
      const instance = toOurs(report.instance)
      return instance === null ? [] : [{ ...report, instance }]
    })
    this.#options.onBeat({ ...beat, reports })
    this.#collecting = null
    // The instant at which the beat came, although it is later now. A beat that echoes it is newer than this beat;
    // nothing more may be concluded.
    this.#send(beat.seq, collecting.verdicts, atMs)
  }

  /** Looked up again only after a hello of the peer, or a change of keepalived.conf here. */
  #namesOf({ incarnation, profiles: theirs }: Incarnation): PeerNames {
    const ours = this.#options.profiles()
    if (this.#names?.ours === ours && this.#names.theirs === theirs) return this.#names.names
    const names = peerNames(ours, theirs)
    this.#names = { ours, theirs, names }
    this.#options.onNames(names, { incarnation, profiles: theirs })
    return names
  }

  #send(seq: number, verdicts: VoterReply[], atMs: number): void {
    const answer: Answer = { type: 'answer', seq, atMs, verdicts }
    this.#incarnation?.connection?.send(answer)
  }

  #refuse(connection: AcceptedConnection, reason: string, text: string): void {
    this.#options.onRefused(reason, text)
    connection.close(text)
  }
}
