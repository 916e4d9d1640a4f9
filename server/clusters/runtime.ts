/**
 * Runs one cluster's arbiter: one event at a time goes in, its effects are carried out in their order. A mark is
 * written before the next effect; a ballot is written in the background, and its result comes back as an event.
 */
import { assertNever } from '../../shared/assert-never.ts'
import { clockJumpMs } from '../../shared/core/clock-jump.ts'
import { TokenBucket } from '../../shared/network/token-bucket.ts'
import { messageOf } from '../../shared/error-message.ts'
import type { Log } from '../../shared/host/log.ts'
import type { MarkFile } from '../../shared/disk/mark-file.ts'
import type { FromVoter } from '../../shared/protocol/messages.ts'
import type { Member } from '../../shared/protocol/plan.ts'
import type { Ballot } from '../../shared/core/vote/voter.ts'
import {
  arbitrate,
  nextDeadlineMs,
  type Arbiter,
  type ArbiterEffect,
  type ArbiterEvent,
  type ConnectionId,
  type DrillAnswer,
  type DrillEnd,
  type Occurrence,
} from '../core/arbiter/arbiter.ts'
import { SlowWrites, slowWriteMs } from '../records/slow-writes.ts'
import { viewOf } from '../core/status/cluster-view.ts'
import type { ClusterView, EventView } from '../../shared/protocol/view.ts'
import type { DrillRecords } from '../records/drills.ts'
import type { EventLog } from '../records/event-log.ts'
import type { Ledger } from '../records/ledger.ts'
import { holderOf, isHeard } from '../core/arbiter/queries.ts'

/** The pure core; tests can replace it with a small one of their own. */
export interface Core {
  arbitrate: typeof arbitrate
  nextDeadlineMs: typeof nextDeadlineMs
  viewOf: typeof viewOf
}

/** Where messages to agents go. */
export interface Outbound {
  send(connection: ConnectionId, message: FromVoter): void
  close(connection: ConnectionId, reason: string): void
}

/** An event before the runtime adds its time. */
export type Happening = ArbiterEvent extends infer Event
  ? Event extends ArbiterEvent
    ? Omit<Event, 'atMs' | 'type'> & { readonly type: Event['type'] }
    : never
  : never

export interface CheckAnswer {
  readonly permit: boolean
  readonly text: string
}

export interface RuntimeOptions {
  readonly cluster: string
  readonly arbiter: Arbiter
  /** A pause longer than this is reported to the arbiter as `resumed`. */
  readonly longestPauseMs: number
  readonly ledger: Ledger
  readonly marks: MarkFile
  readonly events: EventLog
  readonly drills: DrillRecords
  readonly outbound: Outbound
  /** A node's agent has reported where its peer reaches it from now on. */
  readonly onMoved: (to: { readonly node: string; readonly address: string; readonly port: number }) => void
  readonly log: Log
  readonly nowMs: () => number
  /**
   * A clock that stops while the host is suspended, which reveals that it was suspended or that its boot clock jumped.
   */
  readonly monotonicMs: () => number
  /** A turn has ended, and everything in it was decided. */
  readonly onTurn?: (turn: { readonly atMs: number; readonly everyMs: number }) => void
  readonly core?: Core
}

/** A check without an answer by then is answered "no", because keepalived runs the check each second. */
export const checkTimeoutMs = 600
/** The boot clock has a resolution of 10 ms, so a shorter timer would only run twice. */
const shortestTimerMs = 5
const longestTimerMs = 60_000
/** After this many longest pauses without a turn, the cluster counts as stalled. */
const pausesToStall = 10
/**
 * Limits events, because a node that reports something else each time must not fill disk and log. 32 instances may
 * change their holder and their situation four times over before any event is dropped.
 */
const eventRate = { perSecond: 1, burst: 300 } as const

export class ClusterRuntime {
  readonly cluster: string
  readonly #options: RuntimeOptions
  readonly #core: Core
  #arbiter: Arbiter
  #queue: ArbiterEvent[] = []
  #running = false
  #ended = false
  #lastRanAt: { readonly bootMs: number; readonly monotonicMs: number }
  #deadline: NodeJS.Timeout | undefined
  #checks = new Map<number, (answer: CheckAnswer) => void>()
  #lastCheck = 0
  #drillAnswers = new Map<number, DrillAnswer>()
  #lastDrillRequest = 0
  /** Ledger writes under way. */
  readonly #writes = new Set<Promise<void>>()
  #marksFail = false
  readonly #slowWrites: SlowWrites
  readonly #events: TokenBucket
  /** They have a budget of their own, so that other events cannot displace them. */
  readonly #criticalEvents: TokenBucket
  #eventsDropped = 0

  constructor(options: RuntimeOptions) {
    this.cluster = options.cluster
    this.#options = options
    this.#core = options.core ?? { arbitrate, nextDeadlineMs, viewOf }
    this.#arbiter = options.arbiter
    this.#slowWrites = new SlowWrites(options.nowMs)
    const bootMs = options.nowMs()
    this.#lastRanAt = { bootMs, monotonicMs: options.monotonicMs() }
    this.#events = new TokenBucket(eventRate, options.monotonicMs)
    this.#criticalEvents = new TokenBucket(eventRate, options.monotonicMs)
    this.#arm(bootMs)
  }

  get members(): readonly Member[] {
    return [...this.#arbiter.nodes.values()].map(({ member }) => member)
  }

  view(): ClusterView {
    const { drills, nowMs } = this.#options
    const slow = this.#slowWrites.warning()
    return this.#core.viewOf(this.#arbiter, nowMs(), {
      lastDrill: (node) => drills.last(node),
      witnessWarnings: slow === null ? [] : [slow],
    })
  }

  /** Whether the node's agent is heard. */
  hears(node: string): boolean {
    const known = this.#arbiter.nodes.get(node)
    return known !== undefined && isHeard(this.#arbiter, known, this.#options.nowMs())
  }

  /** Whether it has not run for so long that its timer must have been lost. */
  isStalled(atMs: number): boolean {
    return atMs - this.#lastRanAt.bootMs > pausesToStall * this.#options.longestPauseMs
  }

  /**
   * Whether this witness has promised a vote to the node, or the node holds by its peer's vote. Then it has the VIP or
   * is about to get it.
   */
  holdsLease(node: string): boolean {
    const atMs = this.#options.nowMs()
    return [...this.#arbiter.instances.keys()].some(
      (instance) => holderOf(this.#arbiter, instance, atMs) === node,
    )
  }

  listEvents(range: { limit: number; after: number | null }): readonly EventView[] {
    return this.#options.events.list(range)
  }

  /** Hands one event to the arbiter and carries out what it decides. */
  handle(happening: Happening): void {
    if (this.#ended) return
    const atMs = this.#noteRun()
    this.#queue.push({ ...happening, atMs })
    this.#drain(atMs)
  }

  /** Answers a check whose agent is dead; if nothing is decided within `checkTimeoutMs`, the answer is "no". */
  check(question: { node: string; instance: string; bootId: string | null }): Promise<CheckAnswer> {
    this.#lastCheck += 1
    const check = this.#lastCheck
    return new Promise((resolve) => {
      const timeout = setTimeout(() => {
        this.#checks.delete(check)
        resolve({ permit: false, text: `the witness did not decide within ${checkTimeoutMs} ms` })
      }, checkTimeoutMs)
      this.#checks.set(check, (answer) => {
        clearTimeout(timeout)
        this.#checks.delete(check)
        resolve(answer)
      })
      this.handle({ type: 'check', check, ...question })
    })
  }

  /**
   * An admin asks for a drill of the node; an event reports how it ends.
   * @returns `afterEvent`: the id of the newest event before the drill
   */
  drill(asked: {
    node: string
    includingHolder: boolean
  }): (DrillAnswer & { kind: 'begun'; afterEvent: number }) | (DrillAnswer & { kind: 'refused' }) {
    const afterEvent = this.#options.events.list({ limit: 1, after: null })[0]?.id ?? 0
    this.#lastDrillRequest += 1
    const request = this.#lastDrillRequest
    this.handle({ type: 'drill', request, ...asked })
    const answer = this.#drillAnswers.get(request)
    this.#drillAnswers.delete(request)
    if (answer === undefined) return { kind: 'refused', text: 'The witness is shutting down.' }
    return answer.kind === 'begun' ? { ...answer, afterEvent } : answer
  }

  /** Stores and logs an event, of the arbiter or of the shell. */
  tell(occurrence: Occurrence): void {
    const budget = occurrence.level === 'critical' ? this.#criticalEvents : this.#events
    if (!budget.take()) {
      this.#eventsDropped += 1
      return
    }
    if (this.#eventsDropped > 0) this.#tellDropped()
    this.#write(occurrence)
  }

  #tellDropped(): void {
    const dropped = this.#eventsDropped
    this.#eventsDropped = 0
    this.#write({
      event: 'events-dropped',
      level: 'warning',
      instance: null,
      node: null,
      text: `${dropped} events of this cluster came too fast and were dropped. Find out which of its nodes keeps changing.`,
      evidence: { dropped },
      decision: null,
    })
  }

  #write(occurrence: Occurrence): void {
    const { log, events } = this.#options
    const { event, level, text, ...facts } = occurrence
    events.append(occurrence)
    const line = { cluster: this.cluster, ...facts }
    switch (level) {
      case 'info':
        return log.info(event, text, line)
      case 'warning':
        return log.warn(event, text, line)
      case 'critical':
        return log.error(event, text, line)
      default:
        return assertNever(level)
    }
  }

  /** Stops deciding; settles when the ledger and the events are on disk. */
  async close(): Promise<void> {
    this.#ended = true
    clearTimeout(this.#deadline)
    for (const answer of [...this.#checks.values()])
      answer({ permit: false, text: 'the witness is shutting down' })
    await Promise.all(this.#writes)
    await this.#options.events.flush()
  }

  /**
   * A process that did not run must not decide on what it heard before its pause. The arbiter's deadlines are at most
   * renewMs apart, so it runs often enough to notice a pause.
   */
  #noteRun(): number {
    const atMs = this.#options.nowMs()
    const monotonicMs = this.#options.monotonicMs()
    const gapMs = atMs - this.#lastRanAt.bootMs
    const jumpedMs = clockJumpMs(gapMs, monotonicMs - this.#lastRanAt.monotonicMs)
    this.#lastRanAt = { bootMs: atMs, monotonicMs }
    if (gapMs > this.#options.longestPauseMs || jumpedMs > 0)
      this.#queue.push({ type: 'resumed', atMs, gapMs, jumpedMs })
    return atMs
  }

  /** Everything that one event causes happens at the time that was read when it arrived. */
  #drain(atMs: number): void {
    if (this.#running) return
    this.#running = true
    let latestMs = atMs
    try {
      for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
        latestMs = Math.max(latestMs, event.atMs)
        const { arbiter, effects } = this.#core.arbitrate(this.#arbiter, event)
        // Before the effects, so that no ballot is on disk without the names that it is for.
        if (arbiter.known !== this.#arbiter.known) this.#onTheSide(this.#note(arbiter.known))
        this.#arbiter = arbiter
        for (const effect of effects) this.#carryOut(effect)
      }
    } finally {
      this.#running = false
    }
    this.#arm(latestMs)
    this.#options.onTurn?.({ atMs: latestMs, everyMs: this.#arbiter.timing.renewMs })
  }

  #arm(nowMs: number): void {
    clearTimeout(this.#deadline)
    if (this.#ended) return
    const deadlineMs = this.#core.nextDeadlineMs(this.#arbiter)
    const delayMs = Math.min(longestTimerMs, Math.max(shortestTimerMs, deadlineMs - nowMs))
    this.#deadline = setTimeout(() => this.handle({ type: 'tick' }), delayMs)
  }

  #carryOut(effect: ArbiterEffect): void {
    switch (effect.type) {
      case 'send':
        return this.#options.outbound.send(effect.connection, effect.message)
      case 'close':
        return this.#options.outbound.close(effect.connection, effect.reason)
      case 'record':
        return this.#onTheSide(this.#record(effect.instance, effect.ballot))
      case 'try-ledger':
        return this.#onTheSide(this.#tryLedger())
      case 'mark':
        return this.#noteMark(this.#options.marks.set(effect.instance, effect.mark))
      case 'answer-check':
        return this.#checks.get(effect.check)?.({ permit: effect.permit, text: effect.text })
      case 'answer-drill':
        this.#drillAnswers.set(effect.request, effect.answer)
        return
      case 'keep-drill':
        return this.#onTheSide(this.#keepDrill(effect.node, effect.ends))
      case 'occurred':
        return this.tell(effect.occurrence)
      case 'moved':
        return this.#options.onMoved(effect)
      default:
        return assertNever(effect)
    }
  }

  #onTheSide(write: Promise<void>): void {
    this.#writes.add(write)
    void write.finally(() => this.#writes.delete(write))
  }

  async #record(instance: string, ballot: Ballot): Promise<void> {
    const { ledger } = this.#options
    const ended = this.#slowWrites.begin()
    try {
      await ledger.record(instance, ballot)
    } catch (error) {
      this.handle({ type: 'record-failed', instance, ballot, error: messageOf(error) })
      return
    } finally {
      ended()
    }
    this.handle({ type: 'recorded', instance, ballot })
    this.#tellSlowWrite(instance, ledger.lastWriteMs ?? 0)
  }

  async #tryLedger(): Promise<void> {
    const error = await this.#options.ledger.establish().then(() => null, messageOf)
    this.handle({ type: 'ledger-tried', error })
  }

  /** What could not be written goes to the disk with the next ballot, which tells of a disk that fails. */
  async #note(known: Arbiter['known']): Promise<void> {
    try {
      await this.#options.ledger.note(known)
    } catch (error) {
      this.#options.log.error('names-not-kept', messageOf(error), { cluster: this.cluster })
    }
  }

  async #keepDrill(node: string, ends: readonly DrillEnd[]): Promise<void> {
    try {
      await this.#options.drills.keep(node, ends)
    } catch (error) {
      this.tell({
        event: 'drill-not-kept',
        level: 'warning',
        instance: null,
        node,
        text: `The drill of ${node} passed, but that could not be written to disk. "witnessctl status" no longer shows the drill after the next restart of the witness.`,
        evidence: { error: messageOf(error) },
        decision: null,
      })
    }
  }

  #tellSlowWrite(instance: string, tookMs: number): void {
    if (!this.#slowWrites.ended(tookMs)) return
    this.tell({
      event: 'ledger-slow',
      level: 'warning',
      instance,
      node: null,
      text: `The ledger's disk took ${tookMs} ms for one write, and takeovers wait for such writes. Move dataDir to a faster disk, or find out what keeps this one busy.`,
      evidence: { tookMs, slowWriteMs },
      decision: null,
    })
  }

  #noteMark(kept: boolean): void {
    if (kept === !this.#marksFail) return
    this.#marksFail = !kept
    if (kept) return
    this.#options.log.warn(
      'marks-not-kept',
      'the run folder cannot be written, so after a restart of the witness everybody waits until the longest promise has expired',
      { cluster: this.cluster },
    )
  }
}
