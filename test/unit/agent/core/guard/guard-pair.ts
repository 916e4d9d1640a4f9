/**
 * Two real guards and a plain voter as their witness, with keepalived, disks, clocks and a network that fail by
 * schedule. Small on purpose: it proves that no two nodes have the lease; what users see is the simulator's part.
 */
import {
  type FenceMemory,
  type Guard,
  type GuardEffect,
  createGuard,
  decide,
  reportOf,
} from '../../../../../agent/core/guard/guard.ts'
import { nextDeadlineMs } from '../../../../../agent/core/guard/deadline.ts'
import { leaseUntilMs } from '../../../../../agent/core/guard/lease.ts'
import type { Timing } from '../../../../../shared/core/timing.ts'
import { witness } from '../../../../../shared/protocol/names.ts'
import type { Report } from '../../../../../shared/protocol/report.ts'
import type { VoterReply, Vote } from '../../../../../shared/protocol/messages.ts'
import { askVote, ballotLost, ballotRecorded, releaseVote } from '../../../../../shared/core/vote/ask.ts'
import {
  type Ballot,
  type Mark,
  type VoteEffect,
  type Voter,
  expireVote,
  learnEpoch,
  promisedTo,
} from '../../../../../shared/core/vote/voter.ts'
import { recoverVoter } from '../../../../../shared/core/vote/recovery.ts'
import { enforce, instance, noFences, profile, timing, type TimelessEvent } from './guard-fixture.ts'

export type NodeName = 'lb01' | 'lb02'
type Party = NodeName | typeof witness
export const nodes: readonly NodeName[] = ['lb01', 'lb02']

export type Fault =
  | { readonly kind: 'promote' | 'demote' | 'kill-keepalived' | 'crash-host'; readonly node: NodeName }
  | { readonly kind: 'crash-agent' | 'freeze-agent'; readonly node: NodeName; readonly forMs: number }
  | { readonly kind: 'crash-witness'; readonly forMs: number }
  | { readonly kind: 'cut'; readonly link: number; readonly forMs: number }
  | { readonly kind: 'ineffective-bar' | 'failing-disk'; readonly node: NodeName; readonly forMs: number }

export interface PairOptions {
  readonly seed: number
  /** Rates of the clocks of lb01, lb02 and the witness, relative to true time. */
  readonly rates: readonly [number, number, number]
  readonly lossPercent: number
  readonly longestDelayMs: number
  readonly slowestDiskMs: number
  /** A broken witness, which forgets its promises after this long: to prove that this model would notice. */
  readonly witnessForgetsAfterMs?: number
}

/** From when nobody has the VIP until keepalived promotes itself: the master-down time, less one lost advert. */
const electionMs = 2600

interface Disk {
  ballot: Ballot | null
  mark: Mark | null
}

interface Host {
  readonly name: NodeName
  readonly disk: Disk
  memory: FenceMemory
  guard: Guard | null
  /** Which start of the agent: what was meant for an older one is dropped. */
  incarnation: number
  frozenUntilMs: number
  kept: TimelessEvent[]
  frozeAtMs: number
  seq: number
  readonly sentAtMs: Map<number, number>
  keepalived: 'MASTER' | 'BACKUP' | 'FAULT' | 'STOP'
  vip: boolean
  barred: boolean
  barWorksFromMs: number
  diskWorksFromMs: number
  /** True time until which the VIP may be used here by the last lease; -Infinity when the VIP went. */
  inUseUntilMs: number
}

interface Beat {
  readonly from: NodeName
  readonly incarnation: number
  readonly seq: number
  readonly report: Report
}

interface Happening {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

/** Small deterministic generator (mulberry32): the schedule's seed decides every delay and loss. */
function diceOf(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

export class TwoHolders extends Error {}

export class GuardPair {
  nowMs = 0
  /** How often a lease was won, to prove that the schedules do something. */
  wins = 0
  readonly hosts: Readonly<Record<NodeName, Host>>
  readonly #options: PairOptions
  readonly #dice: () => number
  #queue: Happening[] = []
  #order = 0
  readonly #linkFreeAtMs = new Map<string, number>()
  readonly #cutUntilMs = [0, 0, 0]
  #voter: Voter | null
  readonly #witnessDisk: Disk = { ballot: null, mark: null }
  #witnessIncarnation = 0
  #pending: { ballot: Ballot; beat: Beat } | null = null
  #vipSeenAtMs = 0

  constructor(options: PairOptions) {
    this.#options = options
    this.#dice = diceOf(options.seed)
    this.hosts = { lb01: this.#newHost('lb01'), lb02: this.#newHost('lb02') }
    this.#voter = recoverVoter(
      { kind: 'valid', ballot: null, mark: null },
      { atMs: this.#clock(witness), reserveMs: timing.reserveMs },
    )
    for (const name of nodes) {
      this.#startAgent(name)
      this.#everyRenewal(name)
    }
    this.#vrrp()
  }

  schedule(atMs: number, fault: Fault): void {
    this.#at(atMs, () => this.#strike(fault))
  }

  /** @throws TwoHolders at the first instant at which both have a lease in use. */
  run(untilMs: number): void {
    for (;;) {
      const next = this.#pop()
      if (next === undefined) return
      if (next.atMs > untilMs) return void this.#queue.push(next)
      this.nowMs = next.atMs
      next.run()
      this.#assertOneHolder()
    }
  }

  #assertOneHolder(): void {
    const { lb01, lb02 } = this.hosts
    if (lb01.inUseUntilMs > this.nowMs && lb02.inUseUntilMs > this.nowMs)
      throw new TwoHolders(
        `at ${this.nowMs} ms both have a lease: lb01 until ${lb01.inUseUntilMs}, lb02 until ${lb02.inUseUntilMs}`,
      )
  }

  #newHost(name: NodeName): Host {
    return {
      name,
      disk: { ballot: null, mark: null },
      memory: noFences,
      guard: null,
      incarnation: 0,
      frozenUntilMs: 0,
      kept: [],
      frozeAtMs: 0,
      seq: 0,
      sentAtMs: new Map(),
      keepalived: 'BACKUP',
      vip: false,
      barred: false,
      barWorksFromMs: 0,
      diskWorksFromMs: 0,
      inUseUntilMs: -Infinity,
    }
  }

  // Time -------------------------------------------------------------------------------------------------------------

  #rate(party: Party): number {
    return this.#options.rates[party === 'lb01' ? 0 : party === 'lb02' ? 1 : 2]
  }

  #clock(party: Party): number {
    return 1_000_000 + this.nowMs * this.#rate(party)
  }

  #trueMs(party: Party, clockMs: number): number {
    return (clockMs - 1_000_000) / this.#rate(party)
  }

  #at(atMs: number, run: () => void): void {
    this.#order += 1
    this.#queue.push({ atMs, order: this.#order, run })
  }

  #in(delayMs: number, run: () => void): void {
    this.#at(this.nowMs + delayMs, run)
  }

  #pop(): Happening | undefined {
    let best = 0
    for (let index = 1; index < this.#queue.length; index++) {
      const one = this.#queue[index]!
      const other = this.#queue[best]!
      if (one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order)) best = index
    }
    return this.#queue.splice(best, 1)[0]
  }

  // Network: each link keeps the order of what it carries, loses some, and delays all. -----------------------------

  #send(from: Party, to: Party, deliver: () => void): void {
    const link = from !== witness && to !== witness ? 2 : from === 'lb01' || to === 'lb01' ? 0 : 1
    if (this.nowMs < this.#cutUntilMs[link]! || this.#dice() * 100 < this.#options.lossPercent) return
    const key = `${from}>${to}`
    const arrivesAtMs = Math.max(
      this.#linkFreeAtMs.get(key) ?? 0,
      this.nowMs + 0.2 + this.#dice() * this.#options.longestDelayMs,
    )
    this.#linkFreeAtMs.set(key, arrivesAtMs)
    this.#at(arrivesAtMs, deliver)
  }

  // Agents -----------------------------------------------------------------------------------------------------------

  #startAgent(name: NodeName): void {
    const host = this.hosts[name]
    host.incarnation += 1
    host.kept = []
    host.frozenUntilMs = 0
    host.sentAtMs.clear()
    host.guard = createGuard({
      node: name,
      peer: name === 'lb01' ? 'lb02' : 'lb01',
      profile: { ...profile, priority: name === 'lb01' ? 150 : 100 },
      timing,
      policy: enforce,
      recovered: { kind: 'valid', ballot: host.disk.ballot, mark: host.disk.mark },
      memory: host.memory,
      atMs: this.#clock(name),
    })
    this.#in(5, () => this.#look(name))
  }

  #everyRenewal(name: NodeName): void {
    this.#in(timing.renewMs / this.#rate(name), () => this.#everyRenewal(name))
    this.#look(name)
    this.#feed(name, { type: 'renew' })
    this.#beat(name)
  }

  #feed(name: NodeName, event: TimelessEvent): void {
    const host = this.hosts[name]
    if (host.guard === null) return
    if (this.nowMs < host.frozenUntilMs) {
      host.kept.push(event)
      return
    }
    const { guard, effects } = decide(host.guard, { ...event, atMs: this.#clock(name) })
    if (guard.phase.name === 'holding' && host.guard.phase.name !== 'holding') this.wins += 1
    host.guard = guard
    if (guard.phase.name === 'holding' && guard.candidacy !== null && host.vip) {
      const untilMs = leaseUntilMs(guard.candidacy, [...nodes, witness], timing.leaseMs)
      host.inUseUntilMs = this.#trueMs(name, untilMs)
    }
    for (const effect of effects) this.#execute(host, effect)
    this.#armDeadline(host)
  }

  #armDeadline(host: Host): void {
    if (host.guard === null) return
    const deadlineMs = nextDeadlineMs(host.guard)
    if (deadlineMs === null) return
    const { incarnation } = host
    const dueMs = Math.max(this.nowMs + 1, this.#trueMs(host.name, deadlineMs))
    this.#at(dueMs + this.#dice() * 3, () => {
      if (host.incarnation !== incarnation || host.guard === null) return
      if (nextDeadlineMs(host.guard) === deadlineMs) this.#feed(host.name, { type: 'tick' })
    })
  }

  #look(name: NodeName): void {
    const { keepalived, vip } = this.hosts[name]
    this.#feed(name, {
      type: 'observed',
      keepalived,
      process: keepalived === 'STOP' ? 'absent' : 'running',
      vips: vip ? 'held' : 'gone',
    })
  }

  #execute(host: Host, effect: GuardEffect): void {
    switch (effect.type) {
      case 'record':
        return this.#writeBallot(host, effect.ballot)
      case 'try-disk':
        this.#in(2, () => this.#feed(host.name, { type: 'disk-tried', error: null }))
        return
      case 'mark':
        host.disk.mark = effect.mark
        return
      case 'remember':
        host.memory = effect.memory
        return
      case 'remember-first':
        host.memory = effect.memory
        this.#in(2, () => this.#feed(host.name, { type: 'remembered', error: null }))
        return
      case 'answer-peer':
        return this.#answer(host.name, { seq: effect.beat, verdict: effect.verdict })
      case 'beat':
        return this.#beat(host.name)
      case 'bar':
        host.barred = effect.on
        this.#in(2, () => this.#obeyBar(host))
        return
      case 'fence':
        this.#in(effect.rung === 'stop' ? 3 : 5, () => {
          if (effect.spares !== true || host.keepalived === 'STOP') this.#end(host)
        })
        return
      case 'start-keepalived':
        this.#in(40, () => {
          if (host.keepalived === 'STOP') this.#setKeepalived(host, host.barred ? 'FAULT' : 'BACKUP')
          this.#feed(host.name, { type: 'start-ended', error: null })
        })
        return
      case 'find-origin':
        this.#in(5, () => this.#feed(host.name, { type: 'origin', origin: { addresses: [], places: [] } }))
        return
      case 'count-adverts':
        this.#in(5, () => this.#feed(host.name, { type: 'adverts', received: Math.round(this.nowMs) }))
        return
      case 'announce':
      case 'permit':
      case 'drilled':
      case 'tell':
      case 'keep-vote': // nobody shuts down here; the simulator and the walk play that
      case 'vote-left':
      case 'arm': // both are armed from the start
        return
    }
  }

  /** A crash or a failure in between leaves the old ballot or the new one: nobody knows which. */
  #writeBallot(host: Host, ballot: Ballot): void {
    const { incarnation } = host
    const tookMs = 0.5 + this.#dice() * this.#options.slowestDiskMs
    const fails = this.nowMs < host.diskWorksFromMs
    const reachesDisk = !fails || this.#dice() < 0.5
    this.#in(tookMs * 0.8, () => {
      if (reachesDisk && host.incarnation === incarnation) host.disk.ballot = ballot
    })
    this.#in(tookMs, () => {
      if (host.incarnation !== incarnation) return
      this.#feed(
        host.name,
        fails ? { type: 'record-failed', ballot, error: 'EIO' } : { type: 'recorded', ballot, tookMs },
      )
    })
  }

  #beat(name: NodeName): void {
    const host = this.hosts[name]
    if (host.guard === null || this.nowMs < host.frozenUntilMs) return
    host.seq += 1
    const atMs = this.#clock(name)
    host.sentAtMs.set(host.seq, atMs)
    const beat: Beat = {
      from: name,
      incarnation: host.incarnation,
      seq: host.seq,
      report: reportOf(host.guard, atMs),
    }
    const other = name === 'lb01' ? 'lb02' : 'lb01'
    this.#send(name, witness, () => this.#hearAtWitness(beat))
    this.#send(name, other, () =>
      this.#feed(other, {
        type: 'peer-report',
        beat: beat.incarnation * 1e6 + beat.seq,
        report: beat.report,
        leaseMs: timing.leaseMs,
      }),
    )
  }

  /** An agent's answer to its peer. */
  #answer(from: NodeName, answer: { seq: number; verdict: VoterReply }): void {
    const to = from === 'lb01' ? 'lb02' : 'lb01'
    const incarnation = Math.floor(answer.seq / 1e6)
    this.#deliverAnswer(from, to, { ...answer, seq: answer.seq % 1e6, incarnation })
  }

  #deliverAnswer(
    from: Party,
    to: NodeName,
    answer: { seq: number; incarnation: number; verdict: VoterReply },
  ): void {
    this.#send(from, to, () => {
      const host = this.hosts[to]
      const sentAtMs = host.sentAtMs.get(answer.seq)
      if (host.incarnation !== answer.incarnation || sentAtMs === undefined) return
      this.#feed(to, { type: 'answer', from, sentAtMs, verdict: answer.verdict })
    })
  }

  // The witness: nothing but its vote. -----------------------------------------------------------------------------

  #hearAtWitness(beat: Beat): void {
    if (this.#voter === null) return
    const atMs = this.#clock(witness)
    this.#voter = expireVote(this.#voter, atMs)
    const { report, from } = beat
    if (report.release) {
      const { voter, effects } = releaseVote(this.#voter, from)
      this.#voter = voter
      this.#markAtWitness(effects)
    }
    if (report.ask === null) {
      this.#voter = learnEpoch(this.#voter, report.epoch)
      return this.#answerFromWitness(beat, { kind: 'none' })
    }
    const ask = { from, epoch: report.ask.epoch, leaseMs: this.#witnessLeaseMs, atMs }
    const { voter, effects, decision } = askVote(this.#voter, ask, this.#witnessTiming)
    this.#voter = voter
    this.#markAtWitness(effects)
    if (decision.kind === 'pending') this.#pending = { ballot: { to: from, epoch: ask.epoch }, beat }
    for (const effect of effects) if (effect.type === 'record') this.#writeAtWitness(effect.ballot)
    this.#answerFromWitness(beat, decision)
  }

  get #witnessTiming(): Timing {
    return { ...timing, reserveMs: this.#options.witnessForgetsAfterMs ?? timing.reserveMs }
  }

  /** What the witness believes to be asked for; a broken one does not know better. */
  get #witnessLeaseMs(): number {
    return this.#options.witnessForgetsAfterMs === undefined ? timing.leaseMs : 1
  }

  #markAtWitness(effects: readonly VoteEffect[]): void {
    for (const effect of effects) if (effect.type === 'mark') this.#witnessDisk.mark = effect.mark
  }

  #writeAtWitness(ballot: Ballot): void {
    const incarnation = this.#witnessIncarnation
    const tookMs = 0.5 + this.#dice() * this.#options.slowestDiskMs
    const fails = this.#dice() < 0.02
    const reachesDisk = !fails || this.#dice() < 0.5
    this.#in(tookMs * 0.8, () => {
      if (reachesDisk && this.#witnessIncarnation === incarnation) this.#witnessDisk.ballot = ballot
    })
    this.#in(tookMs, () => {
      if (this.#voter === null || this.#witnessIncarnation !== incarnation) return
      const pending = this.#pending
      this.#pending = null
      if (fails) {
        this.#voter = ballotLost(this.#voter, ballot)
        return
      }
      const result = ballotRecorded(this.#voter, ballot, {
        atMs: this.#clock(witness),
        timing: this.#witnessTiming,
      })
      if (result === null) return
      this.#voter = result.voter
      this.#markAtWitness(result.effects)
      if (pending !== null) this.#answerFromWitness(pending.beat, result.decision)
    })
  }

  #answerFromWitness(beat: Beat, vote: Vote): void {
    if (this.#voter === null) return
    const atMs = this.#clock(witness)
    const promise = promisedTo(this.#voter, atMs)
    const reply: VoterReply = {
      instance,
      vote,
      holder: promise?.node ?? null,
      renewedAgoMs: promise === null ? null : atMs - promise.renewedAtMs,
      epoch: this.#voter.epoch,
    }
    this.#deliverAnswer(witness, beat.from, { seq: beat.seq, incarnation: beat.incarnation, verdict: reply })
  }

  // keepalived and the kernel --------------------------------------------------------------------------------------

  #setKeepalived(host: Host, state: Host['keepalived']): void {
    host.keepalived = state
    this.#setVip(host, state === 'MASTER')
    this.#in(0.5 + this.#dice(), () => this.#look(host.name))
  }

  #setVip(host: Host, vip: boolean): void {
    host.vip = vip
    if (!vip) host.inUseUntilMs = -Infinity
  }

  #obeyBar(host: Host): void {
    if (host.keepalived === 'STOP' || this.nowMs < host.barWorksFromMs) return
    if (host.barred && host.keepalived !== 'FAULT') this.#setKeepalived(host, 'FAULT')
    if (!host.barred && host.keepalived === 'FAULT') this.#setKeepalived(host, 'BACKUP')
  }

  #end(host: Host): void {
    host.keepalived = 'STOP'
    this.#setVip(host, false)
    this.#in(1, () => this.#look(host.name))
  }

  /** A service manager and an election, both in short: somebody takes a VIP that nobody has. */
  #vrrp(): void {
    this.#in(200, () => this.#vrrp())
    for (const name of nodes) {
      const host = this.hosts[name]
      if (host.keepalived === 'STOP' && !host.vip && host.guard !== null && !host.memory.stopped)
        this.#setKeepalived(host, host.barred ? 'FAULT' : 'BACKUP')
      else this.#obeyBar(host)
    }
    if (nodes.some((name) => this.hosts[name].vip)) this.#vipSeenAtMs = this.nowMs
    if (this.nowMs - this.#vipSeenAtMs < electionMs) return
    const next = nodes.find((name) => this.hosts[name].keepalived === 'BACKUP' && !this.hosts[name].barred)
    if (next !== undefined) this.#setKeepalived(this.hosts[next], 'MASTER')
  }

  // Faults ---------------------------------------------------------------------------------------------------------

  #strike(fault: Fault): void {
    switch (fault.kind) {
      case 'promote': {
        const host = this.hosts[fault.node]
        if (host.keepalived === 'BACKUP') this.#setKeepalived(host, 'MASTER')
        return
      }
      case 'demote': {
        const host = this.hosts[fault.node]
        if (host.keepalived === 'MASTER') this.#setKeepalived(host, 'BACKUP')
        return
      }
      case 'kill-keepalived': {
        // The VIP stays behind.
        const host = this.hosts[fault.node]
        host.keepalived = 'STOP'
        return this.#in(1, () => this.#look(fault.node))
      }
      case 'crash-host': {
        const host = this.hosts[fault.node]
        this.#crashAgent(host, 800)
        host.disk.mark = null
        host.barred = false
        host.memory = { ...host.memory, recentAtMs: [] }
        host.keepalived = 'STOP'
        return this.#setVip(host, false)
      }
      case 'crash-agent':
        return this.#crashAgent(this.hosts[fault.node], fault.forMs)
      case 'freeze-agent':
        return this.#freezeAgent(this.hosts[fault.node], fault.forMs)
      case 'crash-witness':
        this.#voter = null
        this.#pending = null
        this.#witnessIncarnation += 1
        return this.#in(fault.forMs, () => this.#restartWitness())
      case 'cut':
        this.#cutUntilMs[fault.link] = this.nowMs + fault.forMs
        return
      case 'ineffective-bar':
        this.hosts[fault.node].barWorksFromMs = this.nowMs + fault.forMs
        return
      case 'failing-disk':
        this.hosts[fault.node].diskWorksFromMs = this.nowMs + fault.forMs
        return
    }
  }

  #crashAgent(host: Host, forMs: number): void {
    host.guard = null
    host.incarnation += 1
    const { incarnation } = host
    this.#in(forMs, () => {
      if (host.incarnation === incarnation) this.#startAgent(host.name)
    })
  }

  #freezeAgent(host: Host, forMs: number): void {
    if (host.guard === null || this.nowMs < host.frozenUntilMs) return
    const { incarnation } = host
    host.frozeAtMs = this.#clock(host.name)
    host.frozenUntilMs = this.nowMs + forMs
    this.#at(host.frozenUntilMs, () => {
      if (host.incarnation !== incarnation) return
      host.frozenUntilMs = 0
      const gapMs = this.#clock(host.name) - host.frozeAtMs
      if (gapMs > 2 * timing.renewMs) this.#feed(host.name, { type: 'resumed', gapMs, jumpedMs: 0 })
      const kept = host.kept
      host.kept = []
      for (const event of kept) this.#feed(host.name, event)
      this.#look(host.name)
      this.#feed(host.name, { type: 'tick' })
    })
  }

  #restartWitness(): void {
    if (this.#voter !== null) return
    const { ballot, mark } = this.#witnessDisk
    this.#voter = recoverVoter(
      { kind: 'valid', ballot, mark },
      { atMs: this.#clock(witness), reserveMs: timing.reserveMs },
    )
  }
}
