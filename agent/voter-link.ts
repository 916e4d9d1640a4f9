/**
 * The connection to one voter (the witness, or the peer's agent): dials, says hello, sends beats, matches answers with
 * when their beat left, and dials again.
 */
import {
  parseFromVoter,
  type Answer,
  type Hello,
  type Order,
  type Plan,
  type Report,
  type Tell,
  type VoterName,
} from '../shared/protocol.ts'
import { assertNever } from '../shared/assert-never.ts'
import { messageOf } from '../shared/error-message.ts'
import { dialVoter, type Connection } from '../shared/transport.ts'

export interface VoterLinkEvents {
  /** The voter welcomed this agent: from now on beats are sent. */
  readonly up: (plan: Plan | null) => void
  readonly down: (reason: string) => void
  readonly answer: (answered: { readonly sentAtMs: number; readonly answer: Answer }) => void
  readonly order: (order: Order) => void
  readonly plan: (plan: Plan) => void
}

export interface VoterLinkOptions {
  readonly voter: VoterName
  /** `http://host:port`. */
  readonly url: string
  readonly token: string
  readonly hello: () => Hello
  readonly renewMs: () => number
  readonly nowMs: () => number
  readonly monotonicMs: () => number
  /** Between 0 and 1, new at each call: two agents must not dial in step. */
  readonly jitter: () => number
  readonly on: VoterLinkEvents
}

export interface OutgoingBeat {
  /** Not later than this beat leaves: a vote counts from when it was asked for, and may only err to the safe side. */
  readonly atMs: number
  readonly seq: number
  readonly leaseMs: number
  readonly reports: Report[]
}

const firstRedialMs = 50
/** A witness that is restarted must be back in use before a lease runs out. */
const longestRedialMs = 250
/** A pending vote is answered twice, and the second time late: so many beats are remembered. */
const beatsRemembered = 64

/** A shorter gap between two looks at the connection is no pause of this process, however often it renews. */
const shortestGapMs = 600

interface Session {
  readonly connection: Connection
  welcomed: boolean
  heardAtMs: number
  /** `atMs` of the voter's last answer. */
  echoMs: number | null
  readonly sentAtMs: Map<number, number>
}

export class VoterLink {
  readonly #options: VoterLinkOptions
  #dialled: { close(): void } | null = null
  #session: Session | null = null
  #redialMs = firstRedialMs
  #redialTimer: NodeJS.Timeout | null = null
  #watchedAtMs: number
  #closed = false
  #lastReason: string | null = null

  constructor(options: VoterLinkOptions) {
    this.#options = options
    this.#watchedAtMs = options.nowMs()
    this.#dial()
  }

  /** Whether beats reach the voter now. */
  get up(): boolean {
    return this.#session?.welcomed === true
  }

  beat({ atMs, seq, leaseMs, reports }: OutgoingBeat): void {
    const session = this.#session
    if (session?.welcomed !== true) return
    session.sentAtMs.set(seq, atMs)
    const oldest = session.sentAtMs.keys().next()
    if (session.sentAtMs.size > beatsRemembered && !oldest.done) session.sentAtMs.delete(oldest.value)
    session.connection.send({ type: 'beat', seq, echoMs: session.echoMs, leaseMs, reports })
  }

  /** keepalived.conf changed. */
  helloAgain(): void {
    if (this.#session?.welcomed === true) this.#session.connection.send(this.#options.hello())
  }

  /** @returns false: not connected, keep it. */
  tell(message: Tell): boolean {
    if (this.#session?.welcomed !== true) return false
    this.#session.connection.send(message)
    return true
  }

  close(): void {
    this.#closed = true
    if (this.#redialTimer !== null) clearTimeout(this.#redialTimer)
    this.#dialled?.close()
    this.#session = null
  }

  #dial(): void {
    this.#redialTimer = null
    if (this.#closed) return
    const { url, token, nowMs, monotonicMs, renewMs } = this.#options
    let mine: Connection | null = null
    const handle = dialVoter({
      url,
      token,
      connectTimeoutMs: Math.max(500, 2 * renewMs()),
      monotonicMs,
      onOpen: (connection) => {
        mine = connection
        if (this.#closed || this.#dialled !== handle) return
        this.#session = {
          connection,
          welcomed: false,
          heardAtMs: nowMs(),
          echoMs: null,
          sentAtMs: new Map(),
        }
        connection.send(this.#options.hello())
      },
      onMessage: (connection, data) => {
        if (this.#session?.connection === connection) this.#take(this.#session, data)
      },
      onClose: (_connection, reason) => {
        if (this.#dialled !== handle) return
        if (mine !== null && this.#session?.connection !== mine) return
        this.#lose(reason)
      },
    })
    this.#dialled = handle
  }

  #take(session: Session, data: string): void {
    let message: ReturnType<typeof parseFromVoter>
    try {
      message = parseFromVoter(data)
    } catch (cause) {
      this.#giveUp(session, `not of the protocol: ${messageOf(cause)}`)
      return
    }
    session.heardAtMs = this.#options.nowMs()
    switch (message.type) {
      case 'welcome':
        if (message.voter !== this.#options.voter) {
          this.#giveUp(
            session,
            `${this.#options.url} is "${message.voter}" and not "${this.#options.voter}": wrong address`,
          )
          return
        }
        session.welcomed = true
        this.#redialMs = firstRedialMs
        this.#lastReason = null
        this.#options.on.up(message.plan)
        return
      case 'answer': {
        const sentAtMs = session.sentAtMs.get(message.seq)
        session.echoMs = message.atMs
        if (sentAtMs !== undefined) this.#options.on.answer({ sentAtMs, answer: message })
        return
      }
      case 'order':
        this.#options.on.order(message)
        return
      case 'plan':
        this.#options.on.plan(message.plan)
        return
      default:
        assertNever(message)
    }
  }

  /** The look at the connection, each renewMs: one on which nothing comes is dead, whatever TCP believes. */
  watch(atMs: number): void {
    const { renewMs } = this.#options
    const gapMs = atMs - this.#watchedAtMs
    this.#watchedAtMs = atMs
    const session = this.#session
    if (session === null) return
    // Where this process itself did not run, the silence is its own.
    if (gapMs > Math.max(2 * renewMs(), shortestGapMs)) session.heardAtMs = atMs
    const silentMs = atMs - session.heardAtMs
    if (silentMs > 3 * renewMs()) this.#giveUp(session, `silent for ${Math.round(silentMs)} ms`)
  }

  #giveUp(session: Session, reason: string): void {
    if (this.#session !== session) return
    session.connection.close(reason)
    this.#lose(reason)
  }

  #lose(reason: string): void {
    const wasUp = this.#session?.welcomed === true
    this.#session = null
    this.#dialled = null
    if (this.#closed) return
    // The same refusal again and again is told once.
    if (wasUp || reason !== this.#lastReason) this.#options.on.down(reason)
    this.#lastReason = reason
    const delayMs = this.#redialMs * (0.5 + this.#options.jitter() / 2)
    this.#redialMs = Math.min(longestRedialMs, this.#redialMs * 2)
    this.#redialTimer = setTimeout(() => this.#dial(), delayMs)
  }
}
