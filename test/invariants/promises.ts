/**
 * What S1 and S4 rest on, judged before two nodes have a lease: each voter promises to one node at a time, over every crash;
 * a lease that is in use has a majority of promises behind it that last at least as long; a ballot is on disk before its
 * promise; what is given back is not in use any more; and a VIP does not outlive its node's lease (E2).
 */
import type { Timing } from '../../shared/core/timing.ts'
import type { Fact, Timed, Violation } from './facts.ts'

/** What is left of arithmetic between clocks of different rates. */
const epsilonMs = 1
/** How long a program may take to see what its kernel has. */
const sightMs = 25
/** An agent that was started or thawed sees first and decides then; its lease is as good as what it hears. */
const settledMs = 3000
/** SIGKILL's rung, with several runs of `ip`, and an agent that has just been started. */
const orphanMs = 2000
const majority = 2

interface Promised {
  readonly to: string
  /** Infinity: the voter left its vote there when it went. */
  readonly untilMs: number
}

interface Holder {
  vipSinceMs: number | null
  /** Until when it uses its lease; an instant that is past: no longer. */
  leaseUntilMs: number
  leaseEpoch: number
  /** When the newest lease ends that it had since it got the VIP; null: it had none. */
  lastLeaseEndMs: number | null
  /** Since when keepalived is not there; null: it is. */
  orphanedAtMs: number | null
  /** Since when the agent and keepalived run; null: one does not. */
  readonly runsSinceMs: { agent: number | null; keepalived: number | null }
}

/** Faults under which a fence may take longer than E2 leaves it, or instants say nothing. */
const hampering: ReadonlySet<string> = new Set(['clock-jump', 'stop-fails', 'stop-hangs'])
/** A disk that is older than its promises: docs/safety.md ("What is assumed") says what is not covered for T_g after. */
const forgetting: ReadonlySet<string> = new Set(['disk-rollback'])
/** Faults that may cost a voter the ballot of a vote that it left: it has its vote again unless the holder is heard. */
const losing: ReadonlySet<string> = new Set(['disk-rollback', 'disk-torn'])
/**
 * Somebody who has the node's key says what an older start of its agent said: a voter that was restarted since does not know
 * that another took its place (docs/safety.md, "What is left").
 */
const impersonating: ReadonlySet<string> = new Set(['replay'])

export class PromiseWatch {
  readonly #timing: Timing
  readonly #violations: Violation[] = []
  readonly #promises = new Map<string, Promised>()
  readonly #holders = new Map<string, Holder>()
  /** Until when the voter's earlier promises are not held against it. */
  readonly #excusedUntilMs = new Map<string, number>()
  /** Voters whose disk no longer says that they left their vote. */
  readonly #lostStanding = new Set<string>()
  /** Nodes that have kept a vote which was left with them; on a disk that is put back it is there again. */
  readonly #keptOnce = new Set<string>()
  readonly #resurrecting = new Set<string>()
  readonly #impersonated = new Set<string>()
  readonly #restarted = new Set<string>()
  /** Nodes whose agent lost its state file, the plan with it: it does nothing before it has reached the witness. */
  readonly #withoutPlan = new Set<string>()
  #promisesChanged = false
  readonly #givenBack: { readonly voter: string; readonly to: string; readonly epoch: number }[] = []
  #hampered = 0
  #hamperedUntilMs = -Infinity
  #nowMs = 0

  constructor(timing: Timing) {
    this.#timing = timing
  }

  get violations(): readonly Violation[] {
    return this.#violations
  }

  take({ atMs, fact }: Timed): void {
    if (atMs > this.#nowMs) this.#checkLeases()
    this.#nowMs = atMs
    if (fact.type === 'promise') this.#takePromise(fact)
    else if (fact.type === 'lease') this.#takeLease(fact)
    else if (fact.type === 'vip') this.#takeVip(fact)
    else if (fact.type === 'program') this.#takeProgram(fact)
    else if (fact.type === 'released-with-vip') this.#takeRelease(fact)
    else if (fact.type === 'fault') this.#takeFault(fact)
  }

  #violate(invariant: string, text: string): void {
    this.#violations.push({ invariant, atMs: this.#nowMs, text })
  }

  #holder(name: string): Holder {
    let holder = this.#holders.get(name)
    if (holder === undefined) {
      const runsSinceMs = { agent: null, keepalived: null }
      holder = {
        vipSinceMs: null,
        leaseUntilMs: -Infinity,
        leaseEpoch: 0,
        lastLeaseEndMs: null,
        orphanedAtMs: null,
        runsSinceMs,
      }
      this.#holders.set(name, holder)
    }
    return holder
  }

  get #isHampered(): boolean {
    return this.#hampered > 0 || this.#nowMs < this.#hamperedUntilMs
  }

  #isExcused(voter: string): boolean {
    return this.#nowMs < (this.#excusedUntilMs.get(voter) ?? -Infinity)
  }

  #takePromise({ voter, to, epoch, untilMs, onDisk }: Fact & { type: 'promise' }): void {
    this.#withoutPlan.delete(voter)
    if (!onDisk) this.#violate('S4', `${voter} gave epoch ${epoch} to ${to}, and its disk does not say so`)
    const before = this.#promises.get(voter)
    if (
      before !== undefined &&
      before.to !== to &&
      before.untilMs > this.#nowMs + epsilonMs &&
      !(before.to === voter && this.#hasLetGo(voter)) &&
      !(this.#lostStanding.has(voter) && this.#hasLetGo(before.to)) &&
      !this.#isExcused(voter)
    )
      this.#violate(
        'S1',
        `${voter} promised its vote to ${to} (epoch ${epoch}) while ${before.to} has it for another ${Math.round(before.untilMs - this.#nowMs)} ms`,
      )
    this.#promises.set(voter, { to, untilMs })
    if (untilMs === Infinity) this.#keptOnce.add(to)
    this.#lostStanding.delete(voter)
    if (untilMs === this.#nowMs) this.#givenBack.push({ voter, to, epoch })
    this.#promisesChanged = true
  }

  /** Who has neither lease nor VIP uses no vote: its own may be given away by an agent that started anew. */
  #hasLetGo(node: string): boolean {
    const { vipSinceMs, leaseUntilMs } = this.#holder(node)
    return vipSinceMs === null && leaseUntilMs <= this.#nowMs
  }

  /** What changed in one instant is judged when it is over: who gives a vote back stops using it in the same turn. */
  #checkLeases(): void {
    if (!this.#promisesChanged) return
    this.#promisesChanged = false
    for (const { voter, to, epoch } of this.#givenBack.splice(0)) {
      const { leaseUntilMs, leaseEpoch } = this.#holder(to)
      if (this.#impersonated.has(to) && this.#restarted.has(voter)) continue
      if (leaseUntilMs > this.#nowMs && leaseEpoch === epoch)
        this.#violate('S1', `${voter} took back its vote for ${to} (epoch ${epoch}), which is in use there`)
    }
    for (const [node, { leaseUntilMs }] of this.#holders)
      if (leaseUntilMs > this.#nowMs) this.#checkSupport(node, leaseUntilMs)
  }

  #takeLease({ node, epoch, untilMs }: Fact & { type: 'lease' }): void {
    const holder = this.#holder(node)
    holder.leaseUntilMs = untilMs
    holder.leaseEpoch = epoch
    if (untilMs <= this.#nowMs) return
    this.#checkOutlived(node, holder)
    holder.lastLeaseEndMs = untilMs
    this.#checkSupport(node, untilMs)
  }

  /** Who uses a lease has the votes, for at least as long. */
  #checkSupport(node: string, leaseUntilMs: number): void {
    if (this.#resurrecting.has(node)) return
    const behind = [...this.#promises].filter(
      ([voter, { to, untilMs }]) =>
        this.#isExcused(voter) || (to === node && untilMs >= leaseUntilMs - epsilonMs),
    )
    if (behind.length < majority)
      this.#violate(
        'S1',
        `${node} uses a lease for another ${Math.round(leaseUntilMs - this.#nowMs)} ms, promised for so long by ${behind.map(([voter]) => voter).join() || 'nobody'}`,
      )
  }

  #takeVip({ node, held }: Fact & { type: 'vip' }): void {
    const holder = this.#holder(node)
    if (held) this.#checkGate(node, holder)
    else {
      this.#checkOutlived(node, holder)
      this.#checkOrphan(node, holder)
    }
    holder.vipSinceMs = held ? this.#nowMs : null
    holder.lastLeaseEndMs = held && holder.leaseUntilMs > this.#nowMs ? holder.leaseUntilMs : null
  }

  /** E2: where agent and keepalived run, the VIP is gone when the lease that it was held under ends. */
  #checkOutlived(node: string, { vipSinceMs, lastLeaseEndMs, runsSinceMs }: Holder): void {
    if (vipSinceMs === null || lastLeaseEndMs === null || lastLeaseEndMs > this.#nowMs) return
    const wellSinceMs = Math.max(runsSinceMs.agent ?? Infinity, runsSinceMs.keepalived ?? Infinity)
    const wasWell = wellSinceMs + settledMs <= lastLeaseEndMs - this.#timing.leaseMs
    if (!wasWell || this.#isHampered || lastLeaseEndMs < this.#hamperedUntilMs) return
    this.#violate(
      'E2',
      `${node} had the VIP for ${(this.#nowMs - lastLeaseEndMs).toFixed(1)} ms more when its lease had ended`,
    )
  }

  /** gate: strict: where agent and keepalived run, keepalived becomes MASTER under a lease or not at all. */
  #checkGate(node: string, { leaseUntilMs, runsSinceMs }: Holder): void {
    if (this.#timing.gate !== 'strict' || leaseUntilMs > this.#nowMs || this.#isHampered) return
    const wellSinceMs = Math.max(runsSinceMs.agent ?? Infinity, runsSinceMs.keepalived ?? Infinity)
    if (wellSinceMs + settledMs <= this.#nowMs)
      this.#violate('S2', `${node} got the VIP without a lease, in spite of gate: strict`)
  }

  /** The one rule: where the agent runs, a VIP that a dead keepalived left behind does not stay. */
  #checkOrphan(node: string, { vipSinceMs, orphanedAtMs, runsSinceMs }: Holder): void {
    if (vipSinceMs === null || orphanedAtMs === null || this.#isHampered) return
    if (this.#withoutPlan.has(node)) return
    const wellSinceMs = Math.max(runsSinceMs.agent ?? Infinity, orphanedAtMs)
    const stayedMs = this.#nowMs - wellSinceMs
    if (stayedMs > orphanMs)
      this.#violate(
        'rule',
        `${node} had the VIP for ${Math.round(stayedMs)} ms more when its keepalived was dead`,
      )
  }

  #takeProgram({ host, program, state }: Fact & { type: 'program' }): void {
    if (program !== 'keepalived' && state === 'ended') this.#restarted.add(host)
    if (program === 'witness') return
    const holder = this.#holder(host)
    if (program === 'keepalived') {
      this.#checkOrphan(host, holder)
      holder.orphanedAtMs = state === 'ended' ? this.#nowMs : null
    } else if (state !== 'running') this.#checkOrphan(host, holder)
    holder.runsSinceMs[program] = state === 'running' ? this.#nowMs : null
  }

  #takeRelease({ node }: Fact & { type: 'released-with-vip' }): void {
    const { vipSinceMs, runsSinceMs } = this.#holder(node)
    if (vipSinceMs === null || runsSinceMs.agent === null) return
    const heldMs = this.#nowMs - vipSinceMs
    if (heldMs < sightMs || this.#nowMs - runsSinceMs.agent < sightMs) return
    this.#violate('S5', `${node} gave its votes back with the VIP in its kernel for ${heldMs.toFixed(0)} ms`)
  }

  #takeFault({ kind, where, on }: Fact & { type: 'fault' }): void {
    if (on && losing.has(kind) && this.#promises.get(where)?.untilMs === Infinity)
      this.#lostStanding.add(where)
    if (on && kind === 'disk-torn') this.#withoutPlan.add(where)
    if (impersonating.has(kind)) {
      if (on) this.#impersonated.add(where)
      else this.#impersonated.delete(where)
    }
    if (on && forgetting.has(kind) && this.#keptOnce.has(where)) this.#resurrecting.add(where)
    if (on && forgetting.has(kind)) this.#excusedUntilMs.set(where, Infinity)
    if (!on && forgetting.has(kind))
      this.#excusedUntilMs.set(where, this.#nowMs + this.#timing.reserveMs + settledMs + 3000)
    if (!hampering.has(kind)) return
    this.#hampered += on ? 1 : -1
    if (!on) this.#hamperedUntilMs = this.#nowMs + this.#timing.reserveMs + settledMs
  }
}
