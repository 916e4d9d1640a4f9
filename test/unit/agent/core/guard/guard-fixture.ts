/** Drives a guard by hand: events in at instants of the test's choice, effects collected in their order. */
import {
  type Guard,
  type GuardEffect,
  type GuardEvent,
  type GuardOptions,
  type GuardPolicy,
  createGuard,
  decide,
  reportOf,
} from '../../../../../agent/core/guard/guard.ts'
import { nextDeadlineMs } from '../../../../../agent/core/guard/deadline.ts'
import { leaseUntilMs } from '../../../../../agent/core/guard/lease.ts'
import { type VoterName, witness } from '../../../../../shared/protocol/names.ts'
import type { Order, VoterReply, Vote } from '../../../../../shared/protocol/messages.ts'
import type { Profile } from '../../../../../shared/protocol/plan.ts'
import type { Report } from '../../../../../shared/protocol/report.ts'
import { defaultTiming, silenceMs, type Timing } from '../../../../../shared/core/timing.ts'

export const node = 'lb01'
export const peer = 'lb02'
export const startMs = 1_000_000
export const timing = defaultTiming
export const instance = 'VI_1'

export const profile: Profile = {
  instance,
  virtualRouterId: 51,
  interface: 'eth0',
  version: 2,
  priority: 150,
  nopreempt: false,
  advertIntMs: 1000,
  vips: ['10.0.0.100/24'],
}

export const enforce: GuardPolicy = {
  mode: 'enforce',
  fence: 'stop',
  alone: 'stop',
  rejoin: 'auto',
  hasLastResort: false,
}

/** The vote was the peer's under epoch 7 and is surely free. */
export const freeBallot: GuardOptions['recovered'] = {
  kind: 'valid',
  ballot: { to: peer, epoch: 7 },
  mark: { epoch: 7, untilMs: 0 },
}

export const noFences: GuardOptions['memory'] = { stopped: false, number: 0, recentAtMs: [] }

export type TimelessEvent = GuardEvent extends infer E
  ? E extends GuardEvent
    ? Omit<E, 'atMs'>
    : never
  : never

export function peerReport(change: Partial<Report> = {}): Report {
  return {
    instance,
    phase: 'standby',
    why: 'may become MASTER',
    keepalived: 'BACKUP',
    process: 'running',
    vips: 'gone',
    priority: 100,
    nopreempt: false,
    ask: null,
    release: false,
    epoch: 7,
    witnessEpoch: 0,
    peerSilentMs: 0,
    checkSilentMs: 0,
    gateway: 'reachable',
    fence: null,
    warnings: [],
    ...change,
  }
}

/** What the peer says of itself while it holds the lease. */
export function holdingPeer(epoch: number, change: Partial<Report> = {}): Report {
  return peerReport({
    phase: 'holding',
    keepalived: 'MASTER',
    vips: 'held',
    ask: { epoch },
    epoch,
    ...change,
  })
}

export interface DriverOptions {
  readonly policy?: Partial<GuardPolicy>
  readonly timing?: Partial<Timing>
  readonly profile?: Partial<Profile>
  readonly recovered?: GuardOptions['recovered']
  readonly memory?: GuardOptions['memory']
  readonly standing?: NonNullable<GuardOptions['standing']>
  readonly peer?: string | null
  readonly armed?: boolean
  /** False: the test itself says when a ballot is on disk. */
  readonly recordsAtOnce?: boolean
}

export class GuardDriver {
  guard: Guard
  atMs = startMs
  /** What the guard was made from. */
  readonly origin: GuardOptions
  /** Every event so far. */
  readonly history: GuardEvent[] = []
  readonly #recordsAtOnce: boolean
  #beat = 0

  constructor(options: DriverOptions = {}) {
    this.#recordsAtOnce = options.recordsAtOnce ?? true
    this.origin = {
      node,
      peer: options.peer === undefined ? peer : options.peer,
      profile: { ...profile, ...options.profile },
      timing: { ...timing, ...options.timing },
      policy: { ...enforce, ...options.policy },
      recovered: options.recovered ?? freeBallot,
      memory: options.memory ?? noFences,
      standing: options.standing ?? { kept: null, rebooted: false, inDoubt: false },
      armed: options.armed ?? true,
      atMs: startMs,
    }
    this.guard = createGuard(this.origin)
  }

  get phase(): Guard['phase']['name'] {
    return this.guard.phase.name
  }

  get epoch(): number {
    if (this.guard.candidacy === null) throw new Error(`no candidacy in phase ${this.phase}`)
    return this.guard.candidacy.epoch
  }

  /** Until when the lease is good by the votes alone; -Infinity: no lease. */
  get leaseUntilMs(): number {
    const { candidacy } = this.guard
    return candidacy === null ? -Infinity : leaseUntilMs(candidacy, [node, witness, peer], timing.leaseMs)
  }

  get deadlineMs(): number | null {
    return nextDeadlineMs(this.guard)
  }

  report(): Report {
    return reportOf(this.guard, this.atMs)
  }

  feed(event: TimelessEvent): GuardEffect[] {
    const now = { ...event, atMs: this.atMs }
    this.history.push(now)
    const { guard, effects } = decide(this.guard, now)
    this.guard = guard
    const all = [...effects]
    for (const effect of effects) {
      if (!this.#recordsAtOnce) break
      if (effect.type === 'remember-first') all.push(...this.feed({ type: 'remembered', error: null }))
      if (effect.type === 'record')
        all.push(...this.feed({ type: 'recorded', ballot: effect.ballot, tookMs: 1 }))
      if (effect.type === 'keep-vote')
        all.push(...this.feed({ type: 'vote-kept', kept: effect.kept, error: null }))
    }
    return all
  }

  tick(): GuardEffect[] {
    return this.feed({ type: 'tick' })
  }

  /** Time passes with a tick at each deadline that the guard asks for, and one at the end. */
  pass(durationMs: number): GuardEffect[] {
    const untilMs = this.atMs + durationMs
    const effects: GuardEffect[] = []
    for (let deadlineMs = this.deadlineMs; deadlineMs !== null; deadlineMs = this.deadlineMs) {
      if (deadlineMs <= this.atMs || deadlineMs >= untilMs) break
      this.atMs = deadlineMs
      effects.push(...this.tick())
    }
    this.atMs = untilMs
    return [...effects, ...this.tick()]
  }

  /** Time passes without the guard running. */
  sleep(durationMs: number): void {
    this.atMs += durationMs
  }

  observe(seen: Partial<Guard['seen']>): GuardEffect[] {
    return this.feed({ type: 'observed', ...this.guard.seen, ...seen })
  }

  backup(): GuardEffect[] {
    return this.observe({ keepalived: 'BACKUP', process: 'running', vips: 'gone' })
  }

  master(): GuardEffect[] {
    return this.observe({ keepalived: 'MASTER', process: 'running', vips: 'held' })
  }

  fault(): GuardEffect[] {
    return this.observe({ keepalived: 'FAULT', process: 'running', vips: 'gone' })
  }

  absent(): GuardEffect[] {
    return this.observe({ keepalived: 'STOP', process: 'absent', vips: 'gone' })
  }

  /** keepalived was killed and its VIP is still in the kernel. */
  orphan(): GuardEffect[] {
    return this.observe({ keepalived: 'STOP', process: 'absent', vips: 'held' })
  }

  answer(from: VoterName, vote: Vote, more: Partial<VoterReply> & { sentAtMs?: number } = {}): GuardEffect[] {
    const { sentAtMs = this.atMs, ...change } = more
    const epoch = vote.kind === 'granted' || vote.kind === 'pending' ? vote.epoch : this.guard.voter.epoch
    const reply: VoterReply = { instance, vote, holder: null, renewedAgoMs: null, epoch, ...change }
    return this.feed({ type: 'answer', from, sentAtMs, verdict: reply })
  }

  granted(from: VoterName, sentAtMs = this.atMs): GuardEffect[] {
    return this.answer(from, { kind: 'granted', epoch: this.epoch }, { sentAtMs, holder: node })
  }

  refused(
    from: VoterName,
    reason: Extract<Vote, { kind: 'refused' }>['reason'],
    more: Partial<VoterReply> & { sentAtMs?: number } = {},
  ): GuardEffect[] {
    return this.answer(from, { kind: 'refused', reason, text: `${reason}, says ${from}` }, more)
  }

  /** The witness answers, and says that the peer renewed `renewedAgoMs` ago. */
  witnessNamesPeer(renewedAgoMs: number): GuardEffect[] {
    return this.answer(witness, { kind: 'none' }, { holder: peer, renewedAgoMs })
  }

  hearWitness(): GuardEffect[] {
    return this.answer(witness, { kind: 'none' })
  }

  hearPeer(report: Report = peerReport({ epoch: this.guard.voter.epoch })): GuardEffect[] {
    this.#beat += 1
    return this.feed({ type: 'peer-report', beat: this.#beat, report, leaseMs: timing.leaseMs })
  }

  renew(): GuardEffect[] {
    return this.feed({ type: 'renew' })
  }

  order(what: Order['what'], epoch = this.guard.voter.epoch): GuardEffect[] {
    const order: Order = { type: 'order', instance, what, epoch, reason: 'lb02 has the lease' }
    return this.feed({ type: 'order', order })
  }

  /** Nobody is heard until silence is evidence. */
  fallSilent(): GuardEffect[] {
    return this.pass(silenceMs(timing))
  }
}

/** keepalived is BACKUP; witness and peer are heard; nobody holds. */
export function standby(options: DriverOptions = {}): GuardDriver {
  const driver = new GuardDriver(options)
  driver.hearWitness()
  driver.hearPeer()
  driver.backup()
  return driver
}

/** The peer holds the lease with this node's vote and the witness's. */
export function standbyToHolder(options: DriverOptions = {}): GuardDriver {
  const driver = standby(options)
  driver.hearPeer(holdingPeer(8))
  driver.witnessNamesPeer(0)
  return driver
}

/** keepalived has just become MASTER and nobody has answered yet. */
export function claiming(options: DriverOptions = {}): GuardDriver {
  const driver = standby(options)
  driver.master()
  return driver
}

/** The lease was won at this instant by the own vote and the witness's. */
export function holding(options: DriverOptions = {}): GuardDriver {
  const driver = claiming(options)
  driver.granted(witness)
  return driver
}

/** A fence by the witness's refusal; the bar is written, nothing is proved yet. */
export function fencing(options: DriverOptions = {}): GuardDriver {
  const driver = claiming(options)
  driver.refused(witness, 'promised', { holder: peer, renewedAgoMs: 0 })
  driver.refused(peer, 'promised')
  return driver
}

/** Fenced by the bar, and where the policy wants it stopped. */
export function fenced(options: DriverOptions = {}): GuardDriver {
  const driver = fencing(options)
  driver.sleep(3)
  driver.fault()
  if (driver.phase === 'fencing') {
    driver.sleep(1000)
    driver.absent()
  }
  return driver
}

export function types(effects: readonly GuardEffect[]): string[] {
  return effects.map(({ type }) => type)
}

export function ofType<T extends GuardEffect['type']>(
  effects: readonly GuardEffect[],
  type: T,
): Extract<GuardEffect, { type: T }>[] {
  return effects.filter((effect): effect is Extract<GuardEffect, { type: T }> => effect.type === type)
}

export function told(effects: readonly GuardEffect[]): string[] {
  return ofType(effects, 'tell').map(({ event }) => event)
}

/** What operators read. */
export function texts(effects: readonly GuardEffect[]): string[] {
  return ofType(effects, 'tell').map(({ text }) => text)
}
