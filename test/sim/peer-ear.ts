/** An agent as a voter for its peer: accepts the peer's stream and nobody else's. As agent/peer-listener.ts does. */
import { protocolVersion, type Beat, type Hello, type Verdict } from '../../shared/protocol.ts'
import { maySucceed } from '../../shared/succession.ts'
import { silenceMs } from '../../shared/timing.ts'
import type { AgentDaemon } from './agent-daemon.ts'
import type { StreamEnd } from './network.ts'

interface Incarnation {
  readonly id: string
  readonly bootId: string
  stream: StreamEnd | null
  lastSeq: number
  beatAtMs: number | null
  heardAtMs: number
}

export class PeerEar {
  readonly #agent: AgentDaemon
  #incarnation: Incarnation | null = null
  readonly #past = new Set<string>()
  #collecting: { readonly beat: number; readonly verdicts: Verdict[] } | null = null
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

  /** The answer of one beat; a pending vote is answered a second time, later. */
  answer(beat: number, verdict: Verdict): void {
    if (this.#collecting?.beat === beat) this.#collecting.verdicts.push(verdict)
    else this.#send(beat, [verdict])
  }

  #take(stream: StreamEnd, data: object): void {
    const message = this.#agent.node.around.witnessing.fromAgent(data)
    if (message.type === 'hello') this.#takeHello(stream, message)
    else if (message.type === 'beat') this.#takeBeat(stream, message)
  }

  #takeHello(stream: StreamEnd, hello: Hello): void {
    const agent = this.#agent
    const atMs = agent.nowMs()
    if (hello.node !== agent.peerName || !this.#mayReplace(hello, atMs) || this.#past.has(hello.incarnation))
      return this.#drop(stream)
    const known = this.#incarnation
    if (known?.id !== hello.incarnation) {
      if (known !== null) {
        this.#past.add(known.id)
        if (known.stream !== null) this.#drop(known.stream)
      }
      const { incarnation: id, bootId } = hello
      this.#incarnation = { id, bootId, stream: null, lastSeq: 0, beatAtMs: null, heardAtMs: atMs }
    }
    const incarnation = this.#incarnation
    if (incarnation === null) return
    incarnation.heardAtMs = atMs
    if (incarnation.stream !== null && incarnation.stream !== stream) this.#drop(incarnation.stream)
    incarnation.stream = stream
    stream.send({ type: 'welcome', protocol: protocolVersion, voter: agent.node.host.name, plan: null })
  }

  #mayReplace({ incarnation, bootId }: Hello, atMs: number): boolean {
    const { timing } = this.#agent
    const known = this.#incarnation
    if (known === null || known.id === incarnation) return true
    const { stream, beatAtMs } = known
    const live = stream !== null && beatAtMs !== null && atMs - beatAtMs < silenceMs(timing)
    return maySucceed(
      { ...known, live, promised: this.#agent.promisedToPeer },
      { bootId, atMs, reserveMs: timing.reserveMs },
    )
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
      beat.reports.map((report) => ({
        type: 'peer-report',
        beat: beat.seq,
        report,
        leaseMs: beat.leaseMs,
      })),
    )
    this.#collecting = null
    this.#send(beat.seq, collecting.verdicts)
  }

  #send(seq: number, verdicts: readonly Verdict[]): void {
    this.#incarnation?.stream?.send({ type: 'answer', seq, atMs: this.#agent.nowMs(), verdicts })
  }
}
