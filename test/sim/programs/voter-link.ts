/** An agent's connection to one voter: dials, greets, sends heartbeats, dials again, as agent/voters/link.ts does. */
import {
  beatsRemembered,
  dialInMs,
  firstRedialMs,
  longerRedialMs,
  lookAgainInMs,
  mayDialBeside,
  openMs,
  silenceOf,
  stoodStill,
} from '../../../agent/core/dial-pace.ts'
import { assertNever } from '../../../shared/assert-never.ts'
import { type VoterName, witness } from '../../../shared/protocol/names.ts'
import type { Beat, FromVoter, Hello, Superseded } from '../../../shared/protocol/messages.ts'
import type { Drilled } from '../../../shared/protocol/report.ts'
import type { Plan } from '../../../shared/protocol/plan.ts'
import type { AgentDaemon } from './agent-daemon.ts'
import { dial, type StreamEnd } from '../world/network.ts'
import type { Due } from '../world/timeline.ts'

interface Session {
  readonly stream: StreamEnd
  heardAtMs: number
  echoMs: number | null
}

interface Attempt {
  readonly dialled: { abort(): void }
  greeting: { readonly stream: StreamEnd; readonly sinceMs: number } | null
}

export class SimulatedVoterLink {
  readonly #agent: AgentDaemon
  readonly #voter: VoterName
  /** How often this voter took another agent instance for the successor of this one. */
  #anew = 0
  #session: Session | null = null
  readonly #attempts = new Set<Attempt>()
  readonly #sentAtMs = new Map<number, number>()
  #redialMs = firstRedialMs
  #dialTimer: Due | null = null
  #watchedAtMs: number

  constructor(agent: AgentDaemon, voter: VoterName) {
    this.#agent = agent
    this.#voter = voter
    this.#watchedAtMs = agent.nowMs()
    this.#dialWhereDue()
  }

  abandon(): void {
    this.#session?.stream.abandon()
    this.#session = null
    for (const { dialled, greeting } of this.#attempts) {
      dialled.abort()
      greeting?.stream.abandon()
    }
    this.#attempts.clear()
  }

  beat({ seq, leaseMs, reports }: Omit<Beat, 'type' | 'echoMs'>): void {
    const session = this.#session
    if (session === null) return
    this.#sentAtMs.set(seq, this.#agent.nowMs())
    this.#sentAtMs.delete(seq - beatsRemembered)
    const beat: Beat = { type: 'beat', seq, echoMs: session.echoMs, leaseMs, reports }
    const { tapes } = this.#agent.node
    tapes[this.#voter === witness ? 'witness' : 'peer'].note(this.#hello(), beat)
    session.stream.send(beat)
  }

  /** A message on which no decision depends; it is sent only if there is a session. */
  tell(message: Drilled): void {
    this.#session?.stream.send(message)
  }

  /** Checks the stream, every renewMs. */
  watch(): void {
    const agent = this.#agent
    const atMs = agent.nowMs()
    const { renewMs } = agent.timing
    const gapMs = atMs - this.#watchedAtMs
    this.#watchedAtMs = atMs
    const session = this.#session
    if (session === null) return
    if (stoodStill({ gapMs, renewMs })) session.heardAtMs = atMs
    const silence = silenceOf({ silentMs: atMs - session.heardAtMs, renewMs })
    if (silence === 'dead') {
      session.stream.abort()
      this.#lose()
    } else if (silence === 'long' && this.#dialTimer === null) this.#arm(Math.max(0, this.#dialInMs(atMs)))
  }

  #dialInMs(atMs: number): number {
    const { renewMs } = this.#agent.timing
    return dialInMs({ heardAtMs: this.#session?.heardAtMs ?? null, atMs, renewMs })
  }

  #dialWhereDue(): void {
    const atMs = this.#agent.nowMs()
    const { renewMs } = this.#agent.timing
    for (const attempt of this.#attempts)
      if (attempt.greeting !== null && atMs - attempt.greeting.sinceMs > openMs(renewMs)) this.#drop(attempt)
    const dueInMs = this.#dialInMs(atMs)
    if (dueInMs <= 0 && this.#mayDial()) this.#dial()
    const againInMs = lookAgainInMs({ dueInMs, attempts: this.#attempts.size, renewMs })
    if (againInMs !== null) this.#arm(againInMs)
  }

  #mayDial(): boolean {
    // In the simulator TCP and TLS are one step, so an attempt that has reached the voter is open.
    return mayDialBeside(
      [...this.#attempts].map(({ greeting }) => ({ reached: greeting !== null, greeting })),
      this.#session !== null,
    )
  }

  #dial(): void {
    const agent = this.#agent
    const { network, witness: witnessHost, peer } = agent.node.around
    const toWitness = this.#voter === witness
    const attempt: Attempt = {
      greeting: null,
      dialled: dial(network, {
        from: agent.program,
        to: toWitness ? witnessHost.host : peer().host,
        acceptor: () => {
          if (toWitness) return witnessHost.daemon
          const other = peer().agent
          return other?.listening === true ? other : null
        },
        timeoutMs: openMs(this.#agent.timing.renewMs),
        opened: (stream) => this.#greet(attempt, stream),
        failed: () => this.#end(attempt),
      }),
    }
    this.#attempts.add(attempt)
  }

  #greet(attempt: Attempt, stream: StreamEnd): void {
    attempt.greeting = { stream, sinceMs: this.#agent.nowMs() }
    this.#dropSilentAttempts()
    stream.listen({
      message: (data) => this.#hear(attempt, stream, data),
      closed: () => {
        if (this.#session?.stream === stream) this.#lose()
        else this.#end(attempt)
      },
    })
    stream.send(this.#hello())
  }

  #hello(): Hello {
    const { incarnation } = this.#agent
    return this.#agent.hello(this.#anew === 0 ? incarnation : `${incarnation}-anew-${this.#anew}`)
  }

  #hear(attempt: Attempt, stream: StreamEnd, data: object): void {
    const session = this.#session?.stream === stream ? this.#session : null
    if (session === null && !this.#attempts.has(attempt)) return
    const message = this.#agent.node.around.witnessing.fromVoter(data)
    if (message.type === 'superseded') {
      this.#anew += 1
      return
    }
    if (session === null) {
      if (message.type === 'welcome') this.#takeWelcome(attempt, stream, message.plan)
      return
    }
    session.heardAtMs = this.#agent.nowMs()
    this.#dropSilentAttempts()
    this.#take(session, message)
  }

  #takeWelcome(attempt: Attempt, stream: StreamEnd, plan: Plan | null): void {
    const agent = this.#agent
    const old = this.#session
    this.#attempts.delete(attempt)
    for (const other of this.#attempts) this.#drop(other)
    this.#disarm()
    this.#session = { stream, heardAtMs: agent.nowMs(), echoMs: null }
    this.#redialMs = firstRedialMs
    old?.stream.abort()
    if (plan !== null) agent.takePlan(plan)
    agent.renew()
  }

  #take(session: Session, message: Exclude<FromVoter, Superseded>): void {
    const agent = this.#agent
    switch (message.type) {
      case 'welcome':
        return
      case 'answer': {
        const sentAtMs = this.#sentAtMs.get(message.seq)
        session.echoMs = message.atMs
        if (sentAtMs !== undefined) agent.takeAnswer(this.#voter, sentAtMs, message.verdicts)
        return
      }
      case 'order':
        return agent.feed({ type: 'order', order: message })
      case 'plan':
        return agent.takePlan(message.plan)
      case 'renew':
        return
      default:
        return assertNever(message)
    }
  }

  #end(attempt: Attempt): void {
    if (this.#attempts.delete(attempt) && this.#attempts.size === 0) this.#redial()
  }

  #lose(): void {
    this.#session = null
    if (this.#attempts.size === 0) this.#redial()
  }

  #redial(): void {
    const delayMs = this.#redialMs * this.#agent.node.around.chance.between(0.5, 1)
    this.#redialMs = longerRedialMs(this.#redialMs)
    this.#disarm()
    this.#arm(delayMs)
  }

  #arm(delayMs: number): void {
    const due = this.#agent.program.after(delayMs, () => {
      // A timer that fired while the program stood still may have been replaced since.
      if (this.#dialTimer !== due) return
      this.#dialTimer = null
      this.#dialWhereDue()
    })
    this.#dialTimer = due
  }

  #disarm(): void {
    if (this.#dialTimer !== null) this.#dialTimer.cancelled = true
    this.#dialTimer = null
  }

  #dropSilentAttempts(): void {
    for (const attempt of this.#attempts) if (attempt.greeting === null) this.#drop(attempt)
  }

  #drop(attempt: Attempt): void {
    this.#attempts.delete(attempt)
    attempt.dialled.abort()
    attempt.greeting?.stream.abort()
  }
}
