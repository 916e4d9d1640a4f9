/**
 * An agent of a simulation: the production guard, fed as agent/runtime/runtime.ts feeds it, with what
 * agent/keepalived/observer.ts would see of the model, and with links as in agent/voters/link.ts.
 */
import { assertNever } from '../../../shared/assert-never.ts'
import { type VoterName, protocolVersion, witness } from '../../../shared/protocol/names.ts'
import type { Hello } from '../../../shared/protocol/messages.ts'
import type { Plan } from '../../../shared/protocol/plan.ts'
import type { Report } from '../../../shared/protocol/report.ts'
import type { Timing } from '../../../shared/core/timing.ts'
import { defaultTiming } from '../../../shared/core/timing.ts'
import { type Ballot, type Mark, type RecoveredBallot, promisedTo } from '../../../shared/core/vote/voter.ts'
import {
  type FenceMemory,
  type Guard,
  type GuardEffect,
  type GuardEvent,
  type KeptBallot,
  createGuard,
  decide,
  leaveHindrance,
  leaveProgress,
  reportOf,
} from '../../../agent/core/guard/guard.ts'
import { wasArmed } from '../../../agent/core/guard/arming.ts'
import { nextDeadlineMs } from '../../../agent/core/guard/deadline.ts'
import { SimulatedFenceRungs } from './fence-rungs.ts'
import { Program } from '../world/host.ts'
import { WriteQueue } from '../world/disk.ts'
import type { KeepalivedLine } from '../models/keepalived-model.ts'
import { SimulatedObserver } from './observer.ts'
import { cluster } from '../world/names.ts'
import type { StreamEnd } from '../world/network.ts'
import type { NodeHost } from './node-host.ts'
import { SimulatedPeerListener } from './peer-listener.ts'
import { isRelease, PromiseTeller } from '../watch/promise-teller.ts'
import type { Due } from '../world/timeline.ts'
import { SimulatedVoterLink } from './voter-link.ts'

type Timeless<E> = E extends GuardEvent ? Omit<E, 'atMs'> : never
export type Happening = Timeless<GuardEvent>

/** On disk. */
export interface AgentState {
  readonly boot: number
  readonly ballot: Ballot | null
  readonly memory: FenceMemory
  readonly plan: Plan | null
  readonly lostBefore: boolean
  /** The vote that the peer left here. */
  readonly kept: KeptBallot | null
  /** Whether this node enforces, where the state says so; as in agent/runtime/store.ts. */
  readonly armed?: boolean
}

/** On tmpfs. */
export interface AgentMemory {
  readonly mark: Mark | null
  readonly permit: { readonly word: 'permit' | 'bar'; readonly untilMs: number } | null
  readonly bar: boolean
  /** keepalived has run the check since the agent last looked. */
  readonly checkStamped: boolean
  /** What an agent of this boot did to keepalived; never older than the disk. */
  readonly fences: FenceMemory | null
}

const noMemory: FenceMemory = { stopped: false, number: 0, recentAtMs: [] }

/** The state of a new node: its state file exists, as an earlier start of the agent left it. */
export function firstState(boot: number): AgentState {
  return { boot, ballot: null, memory: noMemory, plan: null, lostBefore: false, kept: null }
}

const startMs = { least: 100, most: 300 }
const fifoMs = { least: 0.2, most: 1.2 }
const looksPerGlance = 5
/** The same as in agent/agent.ts. */
const leavePatienceMs = 3000

export class AgentDaemon {
  readonly program: Program
  readonly incarnation: string
  readonly node: NodeHost
  readonly #bootId: string
  #state: AgentState
  #guard: Guard | null = null
  #plan: Plan | null = null
  #queue: GuardEvent[] = []
  #running = false
  #beatWanted = false
  #seq = 0
  #ranAtMs = 0
  #lineReadAtMs = 0
  #jumpedMs = 0
  #deadline: { readonly due: Due; readonly atMs: number } | null = null
  #tickedForMs: number | null = null
  #renewal: Due | null = null
  #looks = 0
  #rebooted = false
  readonly #armed: boolean
  #onLeft: (() => void) | null = null
  readonly #writes: WriteQueue<AgentState>
  readonly #observer: SimulatedObserver
  readonly #rungs: SimulatedFenceRungs
  readonly #promises: PromiseTeller
  readonly peerListener: SimulatedPeerListener
  /** keepalived.conf does not change during a run. */
  readonly profiles: Hello['profiles']
  #witnessLink: SimulatedVoterLink | null = null
  #peerLink: SimulatedVoterLink | null = null

  constructor(node: NodeHost, incarnation: string) {
    const { host, chance, conf, instances } = node.around
    this.node = node
    this.profiles = instances.map((identity) => ({
      ...identity,
      interface: 'eth0',
      version: 2,
      priority: conf.priority,
      nopreempt: conf.nopreempt,
      advertIntMs: conf.advertIntMs,
      downTimerAdverts: conf.downTimerAdverts,
      ...(conf.app === null ? {} : { weights: conf.tellsPriority ? ('told' as const) : ('untold' as const) }),
      vips: [...identity.vips],
    }))
    this.incarnation = incarnation
    this.#bootId = host.bootId
    this.program = new Program(host, chance)
    this.#writes = new WriteQueue(node.state, this.program)
    node.state.settle()
    const { content } = node.state
    if (content.kind === 'torn') node.state.beginAnew({ ...firstState(host.boot), lostBefore: true })
    const stateTorn = content.kind === 'torn'
    const found = stateTorn ? { ...firstState(host.boot), lostBefore: true } : content.value
    // Times of another boot's clock mean nothing.
    const onDisk = found.boot === host.boot ? found.memory : { ...found.memory, recentAtMs: [] }
    const memory = node.memory.fences ?? onDisk
    const { ballot, kept, armed: noted } = found
    this.#armed = wasArmed({ noted, ballot, memory, kept, stateTorn, marked: false })
    this.#state = { ...found, boot: host.boot, memory, armed: this.#armed }
    node.checkArmed = this.#armed
    // What a torn file shows is gone at the next start.
    if (stateTorn) this.#write(() => undefined)
    this.#rebooted = found.boot !== host.boot
    this.#observer = new SimulatedObserver(node, this.program, {
      observed: (observation) => this.feed({ type: 'observed', ...observation }),
      rival: () => this.feed({ type: 'rival-advert' }),
      lettingGo: () => this.feed({ type: 'letting-go' }),
      priority: (priority) => this.feed({ type: 'priority', priority }),
    })
    this.#rungs = new SimulatedFenceRungs(node, this.program)
    this.#promises = new PromiseTeller(host, node.around.witnessing, () =>
      node.state.content.kind === 'whole' ? node.state.content.value.ballot : null,
    )
    this.peerListener = new SimulatedPeerListener(this)
    this.program.after(chance.between(startMs.least, startMs.most), () => this.#open())
  }

  get timing(): Timing {
    return this.#plan?.timing ?? defaultTiming
  }

  get peerName(): string | null {
    return this.#plan?.nodes.find(({ name }) => name !== this.node.host.name)?.name ?? null
  }

  /** What the guard believes; for invariants and traces. */
  get guard(): Guard | null {
    return this.#guard
  }

  /** Whether the peer can connect. */
  get listening(): boolean {
    return this.#ranAtMs > 0 && this.program.state !== 'ended'
  }

  /** Whether its vote is promised to the peer now. */
  promisesPeer(): boolean {
    this.#noteGap()
    this.#drain()
    return this.#guard !== null && promisedTo(this.#guard.voter, this.nowMs())?.node === this.peerName
  }

  /** What its next heartbeat would say. */
  report(): Report | null {
    return this.#guard === null ? null : reportOf(this.#guard, this.nowMs())
  }

  nowMs(): number {
    return this.node.host.nowMs()
  }

  end(): void {
    this.program.end()
    this.#witnessLink?.abandon()
    this.#peerLink?.abandon()
    this.peerListener.abandon()
  }

  /** keepalived wrote to the FIFO. */
  takeLine(line: KeepalivedLine, priority: number): void {
    const { timeline } = this.node.host
    const { chance } = this.node.around
    // A FIFO keeps their order.
    const readAtMs = timeline.nowMs + chance.between(fifoMs.least, fifoMs.most)
    this.#lineReadAtMs = Math.max(readAtMs, this.#lineReadAtMs)
    timeline.at(this.#lineReadAtMs, () =>
      this.program.take(() => {
        if (this.#ranAtMs > 0) this.#observer.takeLine(line, priority)
      }),
    )
  }

  takeWriterGone(): void {
    this.program.take(() => {
      if (this.#ranAtMs > 0) this.#observer.takeWriterGone()
    })
  }

  gatewayChanged(): void {
    this.program.after(500, () => this.feed({ type: 'gateway', gateway: this.node.gateway }))
  }

  feed(happening: Happening): void {
    this.feedTogether([happening])
  }

  /** Handles several events as one turn, with at most one heartbeat at its end. */
  feedTogether(happenings: readonly Happening[]): void {
    if (this.program.state === 'ended') return
    this.#noteGap()
    for (const happening of happenings) this.#enqueue(happening)
    this.#drain()
  }

  /** Renews and sends a heartbeat now, as it does every renewMs. */
  renew(): void {
    this.#look()
    if (this.#guard === null) return
    this.#noteGap()
    this.#enqueue({ type: 'renew' })
    this.#beatWanted = true
    this.#drain()
  }

  hello(incarnation = this.incarnation): Hello {
    return {
      type: 'hello',
      protocol: protocolVersion,
      cluster,
      node: this.node.host.name,
      incarnation,
      bootId: this.#bootId,
      software: 'simulation',
      listener: { address: null, port: 9101 },
      mode: 'enforce',
      profiles: this.profiles,
    }
  }

  #open(): void {
    this.#ranAtMs = this.nowMs()
    this.#jumpedMs = this.node.host.jumpedMs
    this.#witnessLink = new SimulatedVoterLink(this, witness)
    if (this.#state.plan !== null) this.takePlan(this.#state.plan)
    this.#armRenewal()
  }

  takePlan(plan: Plan): void {
    if (JSON.stringify(plan) === JSON.stringify(this.#plan)) return
    this.#plan = plan
    this.#state = { ...this.#state, plan }
    this.#write(() => undefined)
    if (this.#guard === null) this.#beginGuard()
    else this.feed({ type: 'plan', peer: this.peerName, timing: plan.timing })
    this.#armRenewal()
    const peer = this.peerName
    if (peer !== null) this.#peerLink ??= new SimulatedVoterLink(this, peer)
  }

  #beginGuard(): void {
    const { around, memory: onTmpfs } = this.node
    const { ballot, lostBefore, memory, kept } = this.#state
    const recovered: RecoveredBallot =
      ballot === null && lostBefore ? { kind: 'lost' } : { kind: 'valid', ballot, mark: onTmpfs.mark }
    const [profile] = this.profiles
    if (profile === undefined) throw new Error('a node without an instance')
    this.#guard = createGuard({
      node: around.host.name,
      peer: this.peerName,
      profile,
      timing: this.timing,
      policy: around.policy,
      recovered,
      memory,
      standing: { kept, rebooted: this.#rebooted, inDoubt: recovered.kind === 'lost' },
      armed: this.#armed,
      atMs: this.nowMs(),
    })
    if (recovered.kind === 'valid') this.node.voteLeft = ballot?.standing === true
    this.feed({ type: 'gateway', gateway: this.node.gateway })
    this.#observer.begin()
  }

  #enqueue(happening: Happening): void {
    this.#queue.push({ atMs: this.nowMs(), ...happening })
  }

  #drain(): void {
    if (this.#running || this.#guard === null) return
    this.#running = true
    for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
      const { guard, effects } = decide(this.#guard, event)
      this.#guard = guard
      this.#promises.look(guard.voter.pledge, effects.some(isRelease))
      for (const effect of effects) {
        if (this.node.killsBefore(effect)) return
        this.#execute(effect)
      }
    }
    if (this.#beatWanted) this.#beat()
    this.#running = false
    this.#noteLeft()
    this.node.noteLease()
    this.#armDeadline()
  }

  #execute(effect: GuardEffect): void {
    const { around } = this.node
    switch (effect.type) {
      case 'bar':
        return this.node.setBar(effect.on)
      case 'permit':
        return this.node.remember({ permit: { word: effect.word, untilMs: effect.untilMs } })
      case 'record':
        return this.#record(effect.ballot)
      case 'try-disk':
        return this.#write((error) => this.feed({ type: 'disk-tried', error: error?.message ?? null }))
      case 'mark':
        return this.node.remember({ mark: effect.mark })
      case 'answer-peer':
        return this.peerListener.answer(effect.beat, effect.verdict)
      case 'beat':
        this.#beatWanted = true
        return
      case 'fence':
        return this.#rungs.carryOut(effect, (error) => {
          this.feed({ type: 'rung-ended', rung: effect.rung, error })
          this.#observer.observe()
        })
      case 'start-keepalived':
        return this.#rungs.start((error) => this.feed({ type: 'start-ended', error }))
      case 'announce':
        return
      case 'find-origin':
        return this.feed({ type: 'origin', origin: { addresses: [], places: [] } })
      case 'count-adverts':
        return this.#rungs.countAdverts((received) => this.feed({ type: 'adverts', received }))
      case 'remember':
        this.#remember(effect.memory)
        return this.#write(() => undefined)
      case 'keep-vote': {
        const { kept } = effect
        this.#state = { ...this.#state, kept }
        return this.#write((error) =>
          this.feed({ type: 'vote-kept', kept, error: error === null ? null : error.message }),
        )
      }
      case 'vote-left':
        this.node.voteLeft = effect.on
        return
      case 'remember-first':
        this.#remember(effect.memory)
        return this.#write((error) => this.feed({ type: 'remembered', error: error?.message ?? null }))
      case 'arm':
        this.#state = { ...this.#state, armed: true }
        return this.#write((error) => (this.node.checkArmed ||= error === null))
      case 'drilled':
        this.#witnessLink?.tell(effect.drilled)
        return around.witnessing.told(around.host.name, `drill-${effect.drilled.result}`, effect.drilled.text)
      case 'tell':
        this.node.noteTell(effect.event, effect.text)
        return around.witnessing.told(around.host.name, effect.event, effect.text)
      default:
        return assertNever(effect)
    }
  }

  /** `witness-agent leave`: calls `done` when the peer has the vote; if that takes too long, this node stays. */
  leave(done: () => void): void {
    if (this.#guard === null || leaveHindrance(this.#guard, this.nowMs()) !== null) return
    this.#onLeft = done
    this.program.after(leavePatienceMs, () => this.#endLeave())
    this.feed({ type: 'leave' })
  }

  #noteLeft(): void {
    if (this.#onLeft !== null && this.#guard !== null && leaveProgress(this.#guard) !== 'leaving')
      this.#endLeave()
  }

  #endLeave(): void {
    const done = this.#onLeft
    if (done === null) return
    this.#onLeft = null
    if (this.#guard !== null && leaveProgress(this.#guard) === 'left') return done()
    this.feed({ type: 'stay' })
  }

  #remember(memory: FenceMemory): void {
    this.node.remember({ fences: memory })
    this.#state = { ...this.#state, memory }
  }

  #record(ballot: Ballot): void {
    const startedAtMs = this.nowMs()
    const { witnessing, host } = this.node.around
    const before = this.#state.ballot
    this.#state = { ...this.#state, ballot }
    this.#write((error) => {
      // As in agent/runtime/store.ts: a later write must not delegate the vote after all.
      const isTaken = before !== null && ballot.standing === true && this.#state.ballot === ballot
      if (error !== null && isTaken) this.#state = { ...this.#state, ballot: before }
      if (error !== null) return this.feed({ type: 'record-failed', ballot, error: error.message })
      witnessing.fact({ type: 'ballot', voter: host.name, to: ballot.to, epoch: ballot.epoch })
      this.feed({ type: 'recorded', ballot, tookMs: this.nowMs() - startedAtMs })
    })
  }

  #write(done: (error: Error | null) => void): void {
    this.#writes.write(this.#state, done)
  }

  #beat(): void {
    this.#beatWanted = false
    const report = this.report()
    if (report === null) return
    this.#seq += 1
    if (report.release && this.node.vipHeld)
      this.node.around.witnessing.fact({ type: 'released-with-vip', node: this.node.host.name })
    const beat = { seq: this.#seq, leaseMs: this.timing.leaseMs, reports: [report] }
    this.#witnessLink?.beat(beat)
    this.#peerLink?.beat(beat)
  }

  #look(): void {
    this.#witnessLink?.watch()
    this.#peerLink?.watch()
    if (this.#guard === null) return
    this.#looks += 1
    this.#observer.look(this.#looks % looksPerGlance === 0)
    if (!this.node.memory.checkStamped) return
    this.node.remember({ checkStamped: false })
    this.feed({ type: 'check-seen' })
  }

  #noteGap(): void {
    const atMs = this.nowMs()
    const gapMs = atMs - this.#ranAtMs
    const jumpedMs = this.node.host.jumpedMs - this.#jumpedMs
    this.#ranAtMs = atMs
    this.#jumpedMs = this.node.host.jumpedMs
    if (gapMs > 2 * this.timing.renewMs || jumpedMs > 0) this.#enqueue({ type: 'resumed', gapMs, jumpedMs })
  }

  #armRenewal(): void {
    if (this.#renewal !== null) this.#renewal.cancelled = true
    this.#renewal = this.program.after(this.timing.renewMs, () => {
      this.renew()
      this.#armRenewal()
    })
  }

  #armDeadline(): void {
    const atMs = this.#guard === null ? null : nextDeadlineMs(this.#guard)
    if (this.#deadline?.atMs === atMs) return
    if (this.#deadline !== null) this.#deadline.due.cancelled = true
    this.#deadline = null
    if (atMs === null) return
    const leftMs = Math.max(1, atMs - this.nowMs())
    const delayMs = atMs === this.#tickedForMs ? Math.max(leftMs, this.timing.grainMs) : leftMs
    const due = this.program.after(delayMs, () => {
      this.#deadline = null
      if (this.nowMs() >= atMs) this.#tickedForMs = atMs
      this.feed({ type: 'tick' })
    })
    this.#deadline = { due, atMs }
  }

  accept(stream: StreamEnd): void {
    this.peerListener.accept(stream)
  }

  takeAnswer(voter: VoterName, sentAtMs: number, verdicts: readonly Parameters<typeof answerOf>[2][]): void {
    const own = verdicts.filter(({ instance }) => instance === this.node.instance)
    this.feedTogether(own.map((verdict) => answerOf(voter, sentAtMs, verdict)))
  }
}

function answerOf(
  from: VoterName,
  sentAtMs: number,
  verdict: (GuardEvent & { type: 'answer' })['verdict'],
): Happening {
  return { type: 'answer', from, sentAtMs, verdict }
}
