/** An agent's connection to one voter: dials, greets, sends beats, dials again. As agent/voter-link.ts does. */
import { assertNever } from '../../shared/assert-never.ts'
import { witness, type Beat, type VoterName } from '../../shared/protocol.ts'
import type { AgentDaemon } from './agent-daemon.ts'
import { dial, type StreamEnd } from './network.ts'

const firstRedialMs = 50
const longestRedialMs = 250
const beatsRemembered = 64
const shortestGapMs = 600

interface Session {
  readonly stream: StreamEnd
  welcomed: boolean
  heardAtMs: number
  echoMs: number | null
  readonly sentAtMs: Map<number, number>
}

export class VoterLine {
  readonly #agent: AgentDaemon
  readonly #voter: VoterName
  #session: Session | null = null
  #redialMs = firstRedialMs
  #watchedAtMs: number

  constructor(agent: AgentDaemon, voter: VoterName) {
    this.#agent = agent
    this.#voter = voter
    this.#watchedAtMs = agent.nowMs()
    this.#dial()
  }

  abandon(): void {
    this.#session?.stream.abandon()
    this.#session = null
  }

  beat({ seq, leaseMs, reports }: Omit<Beat, 'type' | 'echoMs'>): void {
    const session = this.#session
    if (session?.welcomed !== true) return
    session.sentAtMs.set(seq, this.#agent.nowMs())
    session.sentAtMs.delete(seq - beatsRemembered)
    const beat: Beat = { type: 'beat', seq, echoMs: session.echoMs, leaseMs, reports }
    const { tapes } = this.#agent.node
    tapes[this.#voter === witness ? 'witness' : 'peer'].note(this.#agent.hello(), beat)
    session.stream.send(beat)
  }

  #dial(): void {
    const agent = this.#agent
    const { network, witness: witnessHost, peer } = agent.node.around
    const toWitness = this.#voter === witness
    dial(network, {
      from: agent.program,
      to: toWitness ? witnessHost.host : peer().host,
      acceptor: () => {
        if (toWitness) return witnessHost.daemon
        const other = peer().agent
        return other?.listening === true ? other : null
      },
      timeoutMs: Math.max(500, 2 * agent.timing.renewMs),
      opened: (stream) => this.#begin(stream),
      failed: () => this.#redial(),
    })
  }

  #begin(stream: StreamEnd): void {
    const session: Session = {
      stream,
      welcomed: false,
      heardAtMs: this.#agent.nowMs(),
      echoMs: null,
      sentAtMs: new Map(),
    }
    this.#session = session
    stream.listen({
      message: (data) => {
        if (this.#session === session) this.#take(session, data)
      },
      closed: () => {
        if (this.#session === session) this.#lose()
      },
    })
    stream.send(this.#agent.hello())
  }

  #take(session: Session, data: object): void {
    const agent = this.#agent
    const message = agent.node.around.witnessing.fromVoter(data)
    session.heardAtMs = agent.nowMs()
    switch (message.type) {
      case 'welcome':
        session.welcomed = true
        this.#redialMs = firstRedialMs
        if (message.plan !== null) agent.takePlan(message.plan)
        return agent.renew()
      case 'answer': {
        const sentAtMs = session.sentAtMs.get(message.seq)
        session.echoMs = message.atMs
        if (sentAtMs !== undefined) agent.takeAnswer(this.#voter, sentAtMs, message.verdicts)
        return
      }
      case 'order':
        return agent.feed({ type: 'order', order: message })
      case 'plan':
        return agent.takePlan(message.plan)
      default:
        return assertNever(message)
    }
  }

  /** The look at the stream, each renewMs: one on which nothing comes is dead, whatever TCP believes. */
  watch(): void {
    const agent = this.#agent
    const atMs = agent.nowMs()
    const { renewMs } = agent.timing
    const gapMs = atMs - this.#watchedAtMs
    this.#watchedAtMs = atMs
    const session = this.#session
    if (session === null) return
    if (gapMs > Math.max(2 * renewMs, shortestGapMs)) session.heardAtMs = atMs
    if (atMs - session.heardAtMs <= 3 * renewMs) return
    session.stream.abort()
    this.#lose()
  }

  #lose(): void {
    this.#session = null
    this.#redial()
  }

  #redial(): void {
    const { program, node } = this.#agent
    const delayMs = this.#redialMs * node.around.chance.between(0.5, 1)
    this.#redialMs = Math.min(longestRedialMs, this.#redialMs * 2)
    program.after(delayMs, () => this.#dial())
  }
}
