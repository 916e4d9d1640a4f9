/**
 * The connection to one voter (the witness, or the peer's agent). It dials, sends the hello and the heartbeats,
 * matches each answer with the instant at which its heartbeat left, and dials again when needed.
 *
 * TCP repeats lost packets after 0.2, 0.4, 0.8 s and so on, so after an interruption a stream may stall for as long
 * again. A lease cannot wait for that. When a session falls silent, further connections are dialled beside it, and
 * the first that is welcomed replaces it.
 */
import type { SecureContext } from 'node:tls'
import {
  type Answer,
  type FromVoter,
  type Hello,
  type Order,
  type Superseded,
  type Tell,
  type Welcome,
  parseFromVoter,
} from '../../shared/protocol/messages.ts'
import type { Drilled, Report } from '../../shared/protocol/report.ts'
import type { Plan } from '../../shared/protocol/plan.ts'
import type { VoterName } from '../../shared/protocol/names.ts'
import { assertNever } from '../../shared/assert-never.ts'
import { messageOf } from '../../shared/error-message.ts'
import type { Identity } from '../../shared/identity/identity.ts'
import { dialVoter } from '../../shared/network/dial.ts'
import type { DialledConnection } from '../../shared/network/connection.ts'
import {
  beatsRemembered,
  dialInMs,
  firstRedialMs,
  longerRedialMs,
  lookAgainInMs,
  mayDialBeside,
  openMs,
  shortestSessionMs,
  silenceOf,
  stoodStill,
} from '../core/dial-pace.ts'

export interface VoterLinkEvents {
  /** The voter welcomed this agent, and from now on heartbeats are sent. */
  readonly up: (plan: Plan | null) => void
  readonly down: (reason: string) => void
  readonly answer: (answered: { readonly sentAtMs: number; readonly answer: Answer }) => void
  readonly order: (order: Order) => void
  readonly plan: (plan: Plan) => void
  /** The witness asks for a new key and certificate. */
  readonly renew?: () => void
}

export interface VoterLinkOptions {
  readonly voter: VoterName
  /** `https://host:port`. */
  readonly url: string
  /** Asked at each dial: a renewed certificate is used from the next connection on. */
  readonly secureContext: () => SecureContext
  /** Why the other end is not this voter; null: it is. */
  readonly refusalOf: (identity: Identity | null) => string | null
  readonly hello: (incarnation: string) => Hello
  /** A name for a start of the agent that no other has. */
  readonly newIncarnation: () => string
  readonly renewMs: () => number
  readonly nowMs: () => number
  readonly monotonicMs: () => number
  /** Between 0 and 1, new at each call: two agents must not dial in step. */
  readonly jitter: () => number
  readonly on: VoterLinkEvents
}

export interface OutgoingBeat {
  /**
   * Not later than when this beat leaves. A vote counts from when it was asked for, so an error must be on the safe
   * side.
   */
  readonly atMs: number
  readonly seq: number
  readonly leaseMs: number
  readonly reports: Report[]
}

/** The voter has welcomed this agent. */
interface Session {
  readonly connection: DialledConnection
  heardAtMs: number
  readonly sinceMs: number
  /** `atMs` of the voter's last answer. */
  echoMs: number | null
}

interface Attempt {
  readonly dialled: Pick<DialledConnection, 'abort'>
  /** The voter's host answered. */
  reached: boolean
  /** The connection is open, and the hello was sent. */
  greeting: { readonly connection: DialledConnection; readonly sinceMs: number } | null
}

export class VoterLink {
  readonly #options: VoterLinkOptions
  /** The name of this start of the agent for this voter. */
  #incarnation: string
  #session: Session | null = null
  readonly #attempts = new Set<Attempt>()
  /** When each beat left, by its number, whichever connection it left on. */
  readonly #sentAtMs = new Map<number, number>()
  #redialMs = firstRedialMs
  /** How many attempts in a row have failed although the voter's host answered. */
  #busyFailures = 0
  /** Runs only if there is no session, its voter is late, or another connection is being dialled. */
  #dialTimer: NodeJS.Timeout | null = null
  #watchedAtMs: number
  #closed = false
  #lastReason: string | null = null

  constructor(options: VoterLinkOptions) {
    this.#options = options
    this.#incarnation = options.newIncarnation()
    this.#watchedAtMs = options.nowMs()
    this.#dialWhereDue()
  }

  /** Whether beats reach the voter now. */
  get up(): boolean {
    return this.#session !== null
  }

  beat({ atMs, seq, leaseMs, reports }: OutgoingBeat): void {
    const session = this.#session
    if (session === null) return
    this.#sentAtMs.set(seq, atMs)
    const oldest = this.#sentAtMs.keys().next()
    if (this.#sentAtMs.size > beatsRemembered && !oldest.done) this.#sentAtMs.delete(oldest.value)
    session.connection.send({ type: 'beat', seq, echoMs: session.echoMs, leaseMs, reports })
  }

  /** keepalived.conf changed. */
  helloAgain(): void {
    this.#session?.connection.send(this.#options.hello(this.#incarnation))
  }

  /** @returns false: not connected, keep it. */
  tell(message: Tell | Drilled): boolean {
    if (this.#session === null) return false
    this.#session.connection.send(message)
    return true
  }

  /**
   * Replaces the connection after a renewal of the certificate. The old one is closed when the voter welcomes the new
   * one, so that no beat is missed.
   */
  dialAnew(): void {
    if (!this.#mayDial()) return
    this.#dial()
    // The timer gives the attempt up if it is never welcomed. Otherwise it would block all other attempts.
    if (this.#dialTimer === null) this.#armNextLook(this.#options.nowMs())
  }

  close(): void {
    this.#closed = true
    this.#disarm()
    this.#dropAttempts()
    const session = this.#session
    this.#session = null
    session?.connection.close('closed here')
  }

  /** The look at the connection, each renewMs. */
  watch(atMs: number): void {
    const renewMs = this.#options.renewMs()
    const gapMs = atMs - this.#watchedAtMs
    this.#watchedAtMs = atMs
    const session = this.#session
    if (session === null) return
    if (stoodStill({ gapMs, renewMs })) session.heardAtMs = atMs
    const silentMs = atMs - session.heardAtMs
    const silence = silenceOf({ silentMs, renewMs })
    if (silence === 'dead') {
      session.connection.abort('silent')
      this.#lose(`silent for ${Math.round(silentMs)} ms`)
    } else if (silence === 'long' && this.#dialTimer === null) this.#arm(Math.max(0, this.#dialInMs(atMs)))
  }

  #dialInMs(atMs: number): number {
    return dialInMs({ heardAtMs: this.#session?.heardAtMs ?? null, atMs, renewMs: this.#options.renewMs() })
  }

  #dialWhereDue(): void {
    const atMs = this.#options.nowMs()
    this.#giveUpGreeting(atMs)
    if (this.#dialInMs(atMs) <= 0 && this.#mayDial()) this.#dial()
    this.#armNextLook(atMs)
  }

  #armNextLook(atMs: number): void {
    const againInMs = lookAgainInMs({
      dueInMs: this.#dialInMs(atMs),
      attempts: this.#attempts.size,
      renewMs: this.#options.renewMs(),
    })
    if (againInMs !== null) this.#arm(againInMs)
  }

  #openMs(): number {
    return openMs(this.#options.renewMs(), this.#busyFailures)
  }

  #mayDial(): boolean {
    return mayDialBeside([...this.#attempts], this.#session !== null)
  }

  #dial(): void {
    const { url, secureContext, refusalOf, monotonicMs } = this.#options
    const attempt: Attempt = {
      reached: false,
      greeting: null,
      dialled: dialVoter({
        url,
        secureContext: secureContext(),
        refusalOf,
        connectTimeoutMs: this.#openMs(),
        monotonicMs,
        onReached: () => {
          attempt.reached = true
        },
        onOpen: (connection) => this.#greet(attempt, connection),
        onMessage: (connection, data) => this.#hear(attempt, connection, data),
        onClose: (connection, reason) => {
          if (this.#session?.connection === connection) this.#lose(reason)
          else if (this.#attempts.delete(attempt)) this.#fail(reason, attempt)
        },
      }),
    }
    this.#attempts.add(attempt)
  }

  /**
   * Only one attempt at a time sends a hello. Of two, the voter would keep the later one and close the other, which
   * may be the one whose welcome arrived first here.
   */
  #greet(attempt: Attempt, connection: DialledConnection): void {
    if (!this.#attempts.has(attempt)) return
    attempt.greeting = { connection, sinceMs: this.#options.nowMs() }
    this.#dropSilentAttempts()
    connection.send(this.#options.hello(this.#incarnation))
  }

  #giveUpGreeting(atMs: number): void {
    const longestMs = this.#openMs()
    for (const attempt of this.#attempts) {
      if (attempt.greeting === null || atMs - attempt.greeting.sinceMs <= longestMs) continue
      this.#drop(attempt)
      this.#busyFailures += 1
      this.#tellFailure(`no welcome within ${longestMs} ms`)
    }
  }

  #hear(attempt: Attempt, connection: DialledConnection, data: string): void {
    const session = this.#session?.connection === connection ? this.#session : null
    if (session === null && !this.#attempts.has(attempt)) return
    let message: FromVoter
    try {
      message = parseFromVoter(data)
    } catch (cause) {
      this.#refuse(attempt, connection, `the message does not follow the protocol: ${messageOf(cause)}`)
      return
    }
    if (message.type === 'superseded') {
      this.#beginAnew(attempt, connection)
      return
    }
    if (session === null) {
      if (message.type === 'welcome') this.#takeWelcome(attempt, connection, message)
      return
    }
    session.heardAtMs = this.#options.nowMs()
    if (this.#attempts.size > 0) this.#dropSilentAttempts()
    this.#take(session, message)
  }

  #refuse(attempt: Attempt, connection: DialledConnection, reason: string): void {
    connection.close(reason)
    if (this.#attempts.delete(attempt)) this.#fail(reason, attempt)
    else this.#lose(reason)
  }

  /**
   * While this agent stood still, another one (perhaps on a cloned host) spoke for its node and is gone again. This
   * agent continues as a new instance.
   */
  #beginAnew(attempt: Attempt, connection: DialledConnection): void {
    this.#incarnation = this.#options.newIncarnation()
    this.#refuse(
      attempt,
      connection,
      'another agent took the place of this one; this agent connects again as a new instance',
    )
  }

  #takeWelcome(attempt: Attempt, connection: DialledConnection, { voter, plan }: Welcome): void {
    const { url, voter: expected, on, nowMs } = this.#options
    if (voter !== expected) {
      this.#refuse(attempt, connection, `${url} is "${voter}", not "${expected}"; check the address`)
      return
    }
    const old = this.#session
    this.#attempts.delete(attempt)
    this.#dropAttempts()
    this.#disarm()
    this.#session = { connection, heardAtMs: nowMs(), sinceMs: nowMs(), echoMs: null }
    this.#lastReason = null
    if (old !== null) {
      // An abort drops what still waits on it, which would otherwise arrive as if it were new when the path works
      // again.
      old.connection.abort('replaced by a newer connection')
      on.down('a newer connection replaces this one')
    }
    on.up(plan)
  }

  #take(session: Session, message: Exclude<FromVoter, Superseded>): void {
    switch (message.type) {
      case 'welcome':
        // The answer to a repeated hello.
        this.#options.on.up(message.plan)
        return
      case 'answer': {
        const sentAtMs = this.#sentAtMs.get(message.seq)
        session.echoMs = message.atMs
        // Only now: a voter that welcomes this agent and ends the session soon would be dialled without a pause.
        if (session.heardAtMs - session.sinceMs >= shortestSessionMs) {
          this.#redialMs = firstRedialMs
          this.#busyFailures = 0
        }
        if (sentAtMs !== undefined) this.#options.on.answer({ sentAtMs, answer: message })
        return
      }
      case 'order':
        this.#options.on.order(message)
        return
      case 'plan':
        this.#options.on.plan(message.plan)
        return
      case 'renew':
        this.#options.on.renew?.()
        return
      default:
        assertNever(message)
    }
  }

  /** An attempt failed. If others are still open, the next one follows at its own pace. */
  #fail(reason: string, { reached }: Pick<Attempt, 'reached'>): void {
    if (reached) this.#busyFailures += 1
    this.#tellFailure(reason)
    if (this.#attempts.size === 0) this.#redial()
  }

  /** The session is over. */
  #lose(reason: string): void {
    const session = this.#session
    this.#session = null
    if (session !== null && this.#options.nowMs() - session.sinceMs < shortestSessionMs)
      this.#busyFailures += 1
    this.#lastReason = reason
    this.#options.on.down(reason)
    if (this.#attempts.size === 0) this.#redial()
  }

  /** A refusal that repeats is reported once. */
  #tellFailure(reason: string): void {
    if (this.#session !== null || reason === this.#lastReason) return
    this.#lastReason = reason
    this.#options.on.down(reason)
  }

  #redial(): void {
    const delayMs = this.#redialMs * (0.5 + this.#options.jitter() / 2)
    this.#redialMs = longerRedialMs(this.#redialMs, this.#busyFailures)
    this.#disarm()
    this.#arm(delayMs)
  }

  #arm(delayMs: number): void {
    if (this.#closed) return
    this.#dialTimer = setTimeout(() => {
      this.#dialTimer = null
      this.#dialWhereDue()
    }, delayMs)
  }

  #disarm(): void {
    if (this.#dialTimer !== null) clearTimeout(this.#dialTimer)
    this.#dialTimer = null
  }

  /**
   * Keeps an attempt that has sent its hello, because the voter may already have dropped the old session in its
   * favour.
   */
  #dropSilentAttempts(): void {
    for (const attempt of this.#attempts) if (attempt.greeting === null) this.#drop(attempt)
  }

  #dropAttempts(): void {
    for (const attempt of this.#attempts) this.#drop(attempt)
  }

  #drop(attempt: Attempt): void {
    this.#attempts.delete(attempt)
    attempt.dialled.abort('no longer needed')
  }
}
