/**
 * An agent as a voter for its peer: accepts the peer's stream and nobody else's, as agent/voters/peer-listener.ts does.
 */
import { type PeerNames, peerNames } from '../../../agent/core/peer-names.ts'
import { assertNever } from '../../../shared/assert-never.ts'
import { protocolVersion } from '../../../shared/protocol/names.ts'
import type { Beat, Hello, VoterReply } from '../../../shared/protocol/messages.ts'
import { type Past, pastWith, type Predecessor, successionOf } from '../../../shared/core/succession.ts'
import { silenceMs } from '../../../shared/core/timing.ts'
import type { AgentDaemon } from './agent-daemon.ts'
import type { StreamEnd } from '../world/network.ts'

interface Incarnation {
  readonly incarnation: string
  readonly bootId: string
  profiles: Hello['profiles']
  stream: StreamEnd | null
  lastSeq: number
  beatAtMs: number | null
  heardAtMs: number
}

/** Before the first hello. */
const none: Hello['profiles'] = []

export class SimulatedPeerListener {
  readonly #agent: AgentDaemon
  #incarnation: Incarnation | null = null
  #past: Past = []
  #named: { readonly theirs: Hello['profiles']; readonly names: PeerNames } | null = null
  #collecting: { readonly beat: number; readonly verdicts: VoterReply[] } | null = null
  readonly #streams = new Set<StreamEnd>()

  constructor(agent: AgentDaemon) {
    this.#agent = agent
  }

  accept(stream: StreamEnd): void {
    this.#streams.add(stream)
    stream.listen({
      message: (data) => this.#take(stream, data),
      closed: () => {
        this.#streams.delete(stream)
        if (this.#incarnation?.stream === stream) this.#incarnation.stream = null
      },
    })
  }

  abandon(): void {
    for (const stream of this.#streams) stream.abandon()
    this.#streams.clear()
  }

  /** The answer to one heartbeat; a pending vote is answered a second time, later. */
  answer(beat: number, reply: VoterReply): void {
    const instance = this.#names().toTheirs(reply.instance)
    const named = { ...reply, instance }
    if (this.#collecting?.beat === beat) this.#collecting.verdicts.push(named)
    else this.#send(beat, [named])
  }

  /** Looked up again only after a hello, as in production. */
  #names(): PeerNames {
    const theirs = this.#incarnation?.profiles ?? none
    if (this.#named?.theirs === theirs) return this.#named.names
    const names = peerNames(this.#agent.profiles, theirs)
    this.#named = { theirs, names }
    this.#agent.feed({ type: 'peer-match', isMatched: names.isClear(this.#agent.node.instance) })
    return names
  }

  #take(stream: StreamEnd, data: object): void {
    const message = this.#agent.node.around.witnessing.fromAgent(data)
    if (message.type === 'hello') this.#takeHello(stream, message)
    else if (message.type === 'beat') this.#takeBeat(stream, message)
  }

  #takeHello(stream: StreamEnd, hello: Hello): void {
    const agent = this.#agent
    const atMs = agent.nowMs()
    if (hello.node !== agent.peerName) return this.#drop(stream)
    const incarnation = this.#incarnationOf(stream, hello, atMs)
    if (incarnation === null) return
    incarnation.heardAtMs = atMs
    incarnation.profiles = hello.profiles
    if (incarnation.stream !== null && incarnation.stream !== stream) this.#drop(incarnation.stream)
    incarnation.stream = stream
    stream.send({ type: 'welcome', protocol: protocolVersion, voter: agent.node.host.name, plan: null })
  }

  #incarnationOf(stream: StreamEnd, hello: Hello, atMs: number): Incarnation | null {
    const { reserveMs } = this.#agent.timing
    const present = this.#present(atMs)
    const succession = successionOf({ present, past: this.#past }, { ...hello, atMs, reserveMs })
    switch (succession) {
      case 'same':
        return this.#incarnation
      case 'next':
        return this.#replaceIncarnation(hello, atMs)
      case 'early':
        this.#drop(stream)
        return null
      case 'past':
        stream.send({ type: 'superseded' })
        this.#drop(stream)
        return null
      default:
        return assertNever(succession)
    }
  }

  #present(atMs: number): Predecessor | null {
    const known = this.#incarnation
    if (known === null) return null
    const { stream, beatAtMs } = known
    const live = stream !== null && beatAtMs !== null && atMs - beatAtMs < silenceMs(this.#agent.timing)
    return { ...known, live, promised: this.#agent.promisesPeer() }
  }

  #replaceIncarnation({ incarnation, bootId }: Hello, atMs: number): Incarnation {
    const old = this.#incarnation
    if (old !== null) {
      this.#past = pastWith(this.#past, old.incarnation)
      if (old.stream !== null) this.#drop(old.stream)
    }
    const next = {
      incarnation,
      bootId,
      profiles: [],
      stream: null,
      lastSeq: 0,
      beatAtMs: null,
      heardAtMs: atMs,
    }
    this.#incarnation = next
    return next
  }

  #drop(stream: StreamEnd): void {
    this.#streams.delete(stream)
    stream.close()
  }

  #takeBeat(stream: StreamEnd, beat: Beat): void {
    const incarnation = this.#incarnation
    if (incarnation?.stream !== stream || beat.seq <= incarnation.lastSeq) return
    incarnation.lastSeq = beat.seq
    incarnation.beatAtMs = this.#agent.nowMs()
    incarnation.heardAtMs = incarnation.beatAtMs
    const collecting = { beat: beat.seq, verdicts: [] }
    this.#collecting = collecting
    this.#agent.feedTogether(
      beat.reports
        .filter(({ instance }) => this.#names().toOurs(instance) === this.#agent.node.instance)
        .map((report) => ({
          type: 'peer-report',
          beat: beat.seq,
          report: { ...report, instance: this.#agent.node.instance },
          leaseMs: beat.leaseMs,
          echoMs: beat.echoMs,
        })),
    )
    this.#collecting = null
    this.#send(beat.seq, collecting.verdicts)
  }

  #send(seq: number, verdicts: readonly VoterReply[]): void {
    this.#incarnation?.stream?.send({ type: 'answer', seq, atMs: this.#agent.nowMs(), verdicts })
  }
}
