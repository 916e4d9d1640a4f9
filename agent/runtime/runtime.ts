/**
 * Runs the guards of a node: it hands them one event at a time, carries out the effects in their order, and keeps one
 * timer for the next deadline. It never waits: what takes time comes back as an event.
 */
import { assertNever } from '../../shared/assert-never.ts'
import { messageOf } from '../../shared/error-message.ts'
import type { Drilled, Report } from '../../shared/protocol/report.ts'
import type { Epoch, NodeName } from '../../shared/protocol/names.ts'
import type { Profile } from '../../shared/protocol/plan.ts'
import type { VoterReply } from '../../shared/protocol/messages.ts'
import { clockJumpMs } from '../../shared/core/clock-jump.ts'
import type { Timing } from '../../shared/core/timing.ts'
import {
  type Ballot,
  type Mark,
  type RecoveredBallot,
  leftWith,
  promisedTo,
} from '../../shared/core/vote/voter.ts'
import {
  type FenceMemory,
  type FoundStanding,
  type Guard,
  type GuardEffect,
  type GuardEvent,
  type GuardPolicy,
  type KeptBallot,
  type TellLevel,
  type VipOrigin,
  createGuard,
  decide,
  leaveHindrance,
  leaveProgress,
  reportOf,
} from '../core/guard/guard.ts'
import { nextDeadlineMs } from '../core/guard/deadline.ts'
import type { Permit } from '../check/permit-file.ts'

/** Where the effects of the guards go. A function that returns a promise must not throw instead. */
export interface RuntimeOutlets {
  /** @throws when it cannot be written. */
  readonly bar: (instance: string, on: boolean) => void
  /** @throws when it cannot be written. */
  readonly permit: (instance: string, permit: Permit) => void
  readonly record: (instance: string, ballot: Ballot) => Promise<void>
  /** Resolves to what the disk said; null: it took what it was given. */
  readonly tryDisk: () => Promise<string | null>
  readonly mark: (instance: string, mark: Mark) => void
  readonly answerPeer: (beat: number, verdict: VoterReply) => void
  /** `atMs`: not later than when the beat leaves, because votes are counted from then. */
  readonly beat: (beat: { atMs: number; seq: number; leaseMs: number; reports: Report[] }) => void
  /** @returns what went wrong, or null. */
  readonly carryOut: (instance: string, fence: GuardEffect & { type: 'fence' }) => Promise<string | null>
  readonly start: () => Promise<string | null>
  /** Looks, and feeds `observed`. */
  readonly observe: (instance: string) => Promise<void>
  readonly announce: (instance: string) => void
  /** Where the VIPs come from, if keepalived did not put them up. */
  readonly findOrigin: (instance: string) => Promise<VipOrigin>
  readonly countAdverts: (instance: string) => Promise<number | null>
  /** When it returns, the next process of this boot would know it, so a stop command may follow at once. */
  readonly remember: (instance: string, memory: FenceMemory) => void
  /** Settles when it is on disk, or off it. */
  readonly keepVote: (instance: string, kept: KeptBallot | null) => Promise<void>
  /** Tells the check, on disk. */
  readonly voteLeft: (instance: string, on: boolean) => void
  /** @returns why it is not on disk; null: it is. */
  readonly rememberFirst: (instance: string, memory: FenceMemory) => Promise<string | null>
  /** Notes durably that this node enforces from now on. */
  readonly arm: (instance: string) => void
  /** The periodic look around, before each renewal. */
  readonly look: () => void
  /** How a drill ended. */
  readonly drilled: (drilled: Drilled) => void
  readonly tell: (told: { instance: string | null; event: string; level: TellLevel; text: string }) => void
}

export interface RuntimeOptions {
  readonly node: NodeName
  readonly policy: GuardPolicy
  readonly nowMs: () => number
  /** A clock that stands still while the host sleeps, to find out that it slept. */
  readonly monotonicMs: () => number
  readonly recovered: (instance: string) => RecoveredBallot
  readonly memory: (instance: string) => FenceMemory
  readonly standing: (instance: string) => FoundStanding
  readonly armed: (instance: string) => boolean
  /** What is wrong on this node beside the guards, in words; absent: nothing. */
  readonly lasting?: () => readonly string[]
  readonly outlets: RuntimeOutlets
  /** A turn has ended, and everything in it was decided. */
  readonly onTurn?: (turn: { readonly atMs: number; readonly everyMs: number }) => void
}

export interface NodePlan {
  readonly peer: NodeName | null
  readonly timing: Timing
}

/** Without its `atMs`, which the runtime adds. */
export type TimelessEvent = GuardEvent extends infer E
  ? E extends GuardEvent
    ? Omit<E, 'atMs'>
    : never
  : never

/** As many and as long as the protocol allows. */
const mostWarnings = 8
const longestWarning = 500

export class NodeRuntime {
  readonly #options: RuntimeOptions
  readonly #guards = new Map<string, Guard>()
  /** Instances that have had a guard since this agent started. */
  readonly #guarded = new Set<string>()
  #plan: NodePlan
  #seq = 0
  #queue: { instance: string; event: GuardEvent }[] = []
  #running = false
  #beatWanted = false
  #deadline: { readonly timer: NodeJS.Timeout; readonly atMs: number } | null = null
  #renewTimer: NodeJS.Timeout | null = null
  #tickedForMs: number | null = null
  #onLeft: (() => void) | null = null
  #ranAt: { bootMs: number; monotonicMs: number }
  #closed = false

  constructor(options: RuntimeOptions, plan: NodePlan) {
    this.#options = options
    this.#plan = plan
    this.#ranAt = { bootMs: options.nowMs(), monotonicMs: options.monotonicMs() }
    this.#armRenewal()
  }

  get instances(): string[] {
    return [...this.#guards.keys()]
  }

  /**
   * Whether this node's vote on any instance is promised to the peer. A clock jump is taken into account first, so
   * that it does not shorten the promise.
   */
  promisesPeer(): boolean {
    const { peer } = this.#plan
    const atMs = this.#noteGap()
    return (
      peer !== null && [...this.#guards.values()].some(({ voter }) => promisedTo(voter, atMs)?.node === peer)
    )
  }

  /**
   * keepalived.conf was read. Guards are added and removed with its instances.
   * @param moved names that mean another instance than before: a guard with its promises is of one instance only
   */
  setProfiles(profiles: readonly Profile[], moved: ReadonlySet<string> = new Set()): void {
    const names = new Set(profiles.map(({ instance }) => instance))
    for (const name of this.#guards.keys()) if (!names.has(name) || moved.has(name)) this.#guards.delete(name)
    for (const profile of profiles) {
      if (this.#guards.has(profile.instance)) this.feed(profile.instance, { type: 'profile', profile })
      else this.#guards.set(profile.instance, this.#newGuard(profile))
    }
    this.#armDeadline(this.#options.nowMs())
  }

  setPlan(plan: NodePlan): void {
    this.#plan = plan
    this.feedAll({ type: 'plan', peer: plan.peer, timing: plan.timing })
    this.#armRenewal()
  }

  /** Passes an event to the guard of the instance. An event of an instance without a guard is dropped. */
  feed(instance: string, event: TimelessEvent): void {
    const atMs = this.#noteGap()
    this.#enqueue(instance, event, atMs)
    this.#drain(atMs)
  }

  feedAll(event: TimelessEvent): void {
    const atMs = this.#noteGap()
    for (const instance of this.#guards.keys()) this.#enqueue(instance, event, atMs)
    this.#drain(atMs)
  }

  /** Several events as one turn, with at most one heartbeat at its end. */
  feedTogether(events: readonly { readonly instance: string; readonly event: TimelessEvent }[]): void {
    const atMs = this.#noteGap()
    for (const { instance, event } of events) this.#enqueue(instance, event, atMs)
    this.#drain(atMs)
  }

  /** Renews and sends a heartbeat now, as each renewMs. */
  renew(): void {
    // The look feeds what it finds and notes a gap itself. The renewal comes after all of that.
    this.#options.outlets.look()
    const atMs = this.#noteGap()
    for (const instance of this.#guards.keys()) this.#enqueue(instance, { type: 'renew' }, atMs)
    this.#beatWanted = true
    this.#drain(atMs)
  }

  /** Why this node cannot leave now, for the operator; null: it can. All instances leave, or none does. */
  leaveHindrance(): string | null {
    if (this.#guards.size === 0)
      return 'keepalived.conf has no vrrp_instance, so there is no vote to delegate'
    const atMs = this.#options.nowMs()
    for (const [instance, guard] of this.#guards) {
      const hindrance = leaveHindrance(guard, atMs)
      if (hindrance !== null) return `${instance}: ${hindrance}`
    }
    return null
  }

  /**
   * This node leaves: the vote of each instance is delegated to the peer.
   * @returns settles when no vote is still being delegated
   */
  leave(): Promise<void> {
    this.feedAll({ type: 'leave' })
    const left = new Promise<void>((resolve) => {
      this.#onLeft = resolve
    })
    this.#noteLeft()
    return left
  }

  /** The votes that are delegated to the peer and proved to count there, by instance; null: not all of them are. */
  votesLeft(): Readonly<Record<string, { to: NodeName; epoch: Epoch }>> | null {
    const votes: Record<string, { to: NodeName; epoch: Epoch }> = {}
    for (const [instance, guard] of this.#guards) {
      const left = leftWith(guard.voter)
      if (left === null || leaveProgress(guard) !== 'left') return null
      votes[instance] = { to: left.to, epoch: left.epoch }
    }
    return votes
  }

  #noteLeft(): void {
    if (this.#onLeft === null) return
    if ([...this.#guards.values()].some((guard) => leaveProgress(guard) === 'leaving')) return
    this.#onLeft()
    this.#onLeft = null
  }

  close(): void {
    this.#closed = true
    if (this.#renewTimer !== null) clearInterval(this.#renewTimer)
    this.#disarmDeadline()
  }

  #newGuard(profile: Profile): Guard {
    const { node, policy, memory, standing, armed, nowMs } = this.#options
    return createGuard({
      node,
      peer: this.#plan.peer,
      profile,
      timing: this.#plan.timing,
      policy,
      recovered: this.#recovered(profile.instance),
      memory: memory(profile.instance),
      standing: standing(profile.instance),
      armed: armed(profile.instance),
      atMs: nowMs(),
    })
  }

  /**
   * The marks are from the start of this agent. An instance that vanished from keepalived.conf and came back may have
   * been promised since, so it gets no mark and waits.
   */
  #recovered(instance: string): RecoveredBallot {
    const found = this.#options.recovered(instance)
    const isBack = this.#guarded.has(instance)
    this.#guarded.add(instance)
    return isBack && found.kind === 'valid' ? { ...found, mark: null } : found
  }

  #enqueue(instance: string, event: TimelessEvent, atMs: number): void {
    this.#queue.push({ instance, event: { ...event, atMs } })
  }

  /**
   * Works through the queue; events that effects feed at once are handled in the same run. Everything happens at the
   * instant that was read when the event came, because reading the clock costs more than the rest of a turn in which
   * nothing is decided.
   */
  #drain(atMs: number): void {
    if (this.#running || this.#closed) return
    this.#running = true
    let latestMs = atMs
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        latestMs = Math.max(latestMs, next.event.atMs)
        this.#turn(next.instance, next.event)
      }
      if (this.#beatWanted) this.#beat(latestMs)
    } finally {
      this.#running = false
    }
    this.#noteLeft()
    this.#armDeadline(latestMs)
    this.#options.onTurn?.({ atMs: latestMs, everyMs: this.#plan.timing.renewMs })
  }

  #turn(instance: string, event: GuardEvent): void {
    const before = this.#guards.get(instance)
    if (before === undefined) return
    const { guard, effects } = decide(before, event)
    this.#guards.set(instance, guard)
    for (const effect of effects) this.#execute(instance, effect)
  }

  #execute(instance: string, effect: GuardEffect): void {
    const { outlets } = this.#options
    switch (effect.type) {
      case 'bar':
        return this.#bar(instance, effect.on)
      case 'permit':
        return this.#permit(instance, effect)
      case 'record':
        return this.#record(instance, effect.ballot)
      case 'try-disk':
        return this.#later(instance, outlets.tryDisk(), (error) => ({ type: 'disk-tried', error }))
      case 'mark':
        return outlets.mark(instance, effect.mark)
      case 'answer-peer':
        return outlets.answerPeer(effect.beat, effect.verdict)
      case 'beat':
        this.#beatWanted = true
        return
      case 'fence':
        return this.#fence(instance, effect)
      case 'start-keepalived':
        return this.#later(instance, outlets.start(), (error) => ({ type: 'start-ended', error }))
      case 'announce':
        return outlets.announce(instance)
      case 'count-adverts':
        return this.#later(instance, outlets.countAdverts(instance), (received) => ({
          type: 'adverts',
          received,
        }))
      case 'find-origin':
        return this.#later(instance, outlets.findOrigin(instance), (origin) => ({ type: 'origin', origin }))
      case 'remember':
        return outlets.remember(instance, effect.memory)
      case 'keep-vote':
        return this.#keepVote(instance, effect.kept)
      case 'vote-left':
        return outlets.voteLeft(instance, effect.on)
      case 'remember-first':
        return this.#later(instance, outlets.rememberFirst(instance, effect.memory), (error) => ({
          type: 'remembered',
          error,
        }))
      case 'arm':
        return outlets.arm(instance)
      case 'drilled':
        return outlets.drilled(effect.drilled)
      case 'tell':
        return outlets.tell({ instance, event: effect.event, level: effect.level, text: effect.text })
      default:
        return assertNever(effect)
    }
  }

  /** If the bar cannot be written, the ladder continues with the next rung at once. */
  #bar(instance: string, on: boolean): void {
    try {
      this.#options.outlets.bar(instance, on)
    } catch (cause) {
      const error = messageOf(cause)
      this.#options.outlets.tell({ instance, event: 'bar-not-written', level: 'critical', text: error })
      if (on) this.#enqueue(instance, { type: 'rung-ended', rung: 'bar', error }, this.#options.nowMs())
    }
  }

  #permit(instance: string, permit: Permit): void {
    try {
      this.#options.outlets.permit(instance, { word: permit.word, untilMs: permit.untilMs, why: permit.why })
    } catch (cause) {
      this.#options.outlets.tell({
        instance,
        event: 'permit-not-written',
        level: 'critical',
        text: messageOf(cause),
      })
    }
  }

  #record(instance: string, ballot: Ballot): void {
    const { outlets, nowMs } = this.#options
    const startedAtMs = nowMs()
    outlets.record(instance, ballot).then(
      () => this.feed(instance, { type: 'recorded', ballot, tookMs: nowMs() - startedAtMs }),
      (cause: unknown) => this.feed(instance, { type: 'record-failed', ballot, error: messageOf(cause) }),
    )
  }

  #keepVote(instance: string, kept: KeptBallot | null): void {
    this.#options.outlets.keepVote(instance, kept).then(
      () => this.feed(instance, { type: 'vote-kept', kept, error: null }),
      (cause: unknown) => this.feed(instance, { type: 'vote-kept', kept, error: messageOf(cause) }),
    )
  }

  #fence(instance: string, fence: GuardEffect & { type: 'fence' }): void {
    const { outlets } = this.#options
    const carriedOut = outlets.carryOut(instance, fence)
    this.#later(instance, carriedOut, (error) => ({ type: 'rung-ended', rung: fence.rung, error }))
    this.#later(
      instance,
      carriedOut.then(() => outlets.observe(instance)),
      () => null,
    )
  }

  /** Feeds the event that `promise` resolves to. A rejection is a fault of this program, and ends it. */
  #later<T>(instance: string, promise: Promise<T>, eventOf: (value: T) => TimelessEvent | null): void {
    void promise.then((value) => {
      const event = eventOf(value)
      if (event !== null) this.feed(instance, event)
    })
  }

  #beat(atMs: number): void {
    this.#beatWanted = false
    this.#seq += 1
    this.#options.outlets.beat({
      atMs,
      seq: this.#seq,
      leaseMs: this.#plan.timing.leaseMs,
      reports: this.#reports(atMs),
    })
  }

  /** What is wrong on the node as a whole is told with its first instance. */
  #reports(atMs: number): Report[] {
    const [first, ...others] = [...this.#guards.values()].map((guard) => reportOf(guard, atMs))
    if (first === undefined) return []
    const lasting = (this.#options.lasting?.() ?? []).map((text) => text.slice(0, longestWarning))
    return [{ ...first, warnings: [...lasting, ...first.warnings].slice(0, mostWarnings) }, ...others]
  }

  /**
   * Before any event is handled: finds out whether this process stood still, or the host slept, since the last call.
   * It is called at least every renewMs, so that no gap of more than 2 × renewMs is missed.
   * @returns the instant of the current event
   */
  #noteGap(): number {
    const bootMs = this.#options.nowMs()
    const monotonicMs = this.#options.monotonicMs()
    const stoodMs = bootMs - this.#ranAt.bootMs
    const jumpedMs = clockJumpMs(stoodMs, monotonicMs - this.#ranAt.monotonicMs)
    this.#ranAt = { bootMs, monotonicMs }
    if (stoodMs <= 2 * this.#plan.timing.renewMs && jumpedMs === 0) return bootMs
    const resumed = { type: 'resumed', gapMs: Math.round(stoodMs), jumpedMs } as const
    for (const instance of this.#guards.keys()) this.#enqueue(instance, resumed, bootMs)
    this.#drain(bootMs)
    return bootMs
  }

  #armRenewal(): void {
    if (this.#renewTimer !== null) clearInterval(this.#renewTimer)
    this.#renewTimer = setInterval(() => this.renew(), this.#plan.timing.renewMs)
  }

  /**
   * Each answer moves the deadline. The timer stays as it is, and when it fires it checks whether a deadline is due.
   */
  #armDeadline(nowMs: number): void {
    const deadlineMs = this.#closed ? null : this.#nextDeadlineMs()
    if (deadlineMs === null) return this.#disarmDeadline()
    // A deadline that stays in the past although it was served must not cause a busy loop.
    const served = deadlineMs === this.#tickedForMs
    const atMs = served ? Math.max(deadlineMs, nowMs + this.#plan.timing.grainMs) : deadlineMs
    if (this.#deadline !== null && this.#deadline.atMs <= atMs) return
    this.#disarmDeadline()
    const timer = setTimeout(() => this.#serveDeadline(), Math.max(1, atMs - nowMs))
    this.#deadline = { timer, atMs }
  }

  #disarmDeadline(): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline.timer)
    this.#deadline = null
  }

  #serveDeadline(): void {
    this.#deadline = null
    const deadlineMs = this.#nextDeadlineMs()
    const nowMs = this.#options.nowMs()
    if (deadlineMs === null || deadlineMs > nowMs) return this.#armDeadline(nowMs)
    this.#tickedForMs = deadlineMs
    this.feedAll({ type: 'tick' })
  }

  #nextDeadlineMs(): number | null {
    const deadlines = [...this.#guards.values()].map(nextDeadlineMs).filter((deadline) => deadline !== null)
    return deadlines.length === 0 ? null : Math.min(...deadlines)
  }
}
