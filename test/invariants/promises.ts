/**
 * What S1 and S4 rest on, judged before two nodes can have a lease: each voter promises to one node at a time, across
 * every crash; a lease in use has a majority of promises behind it that last at least as long; a ballot is on disk
 * before its promise; a vote that is given back is no longer in use; and a VIP does not outlive its node's lease (E2).
 */
import type { Timing } from '../../shared/core/timing.ts'
import type { Fact, Timed, Violation } from './facts.ts'

/** The rounding error of arithmetic between clocks of different rates. */
const epsilonMs = 1
/** How long a program may take to see what its kernel has. */
const sightMs = 25
/** An agent that was just started or thawed needs this long to see its surroundings before its decisions are judged. */
const settledMs = 3000
/** The longest time for the rung of SIGKILL with several runs of `ip`, in an agent that has just been started. */
const orphanMs = 2000
const majority = 2

interface Promised {
  readonly to: string
  /** Infinity: the voter left its vote there when it was taken out of service. */
  readonly untilMs: number
}

interface Holder {
  vipSinceMs: number | null
  /** Until when it uses its lease; if that time is past, it uses none. */
  leaseUntilMs: number
  leaseEpoch: number
  /** When the newest lease ends that it has had since it got the VIP; null: it has had none. */
  lastLeaseEndMs: number | null
  /** Since when keepalived does not run; null: it runs. */
  orphanedAtMs: number | null
  /** Since when the agent and keepalived have run; null: it does not run. */
  readonly runsSinceMs: { agent: number | null; keepalived: number | null }
}

/** Faults under which a fence may take longer than E2 allows, or under which times mean nothing. */
const hampering: ReadonlySet<string> = new Set(['clock-jump', 'stop-fails', 'stop-hangs'])
/** A disk that is older than its promises; docs/safety.md says what is not covered for T_g after that. */
const forgetting: ReadonlySet<string> = new Set(['disk-rollback'])
/**
 * Faults that may cost a voter the record that it left its vote. It then uses its vote again, unless it hears the
 * holder.
 */
const losing: ReadonlySet<string> = new Set(['disk-rollback', 'disk-torn'])
/**
 * Somebody who has the node's key replays messages of an earlier instance of its agent. A voter that was restarted
 * since then does not know that this instance was replaced (docs/safety.md).
 */
const impersonating: ReadonlySet<string> = new Set(['replay'])

export class PromiseWatch {
  readonly #timing: Timing
  /** Nodes whose disk may be that of a node that was not armed yet. */
  readonly #rolledBack = new Set<string>()
  /** When both agents have had the time to see the first lease. Until then no guard need be armed (L6). */
  #armedFromMs = Infinity
  readonly #violations: Violation[] = []
  readonly #promises = new Map<string, Promised>()
  readonly #holders = new Map<string, Holder>()
  /** Until when a conflict with the voter's earlier promises is excused. */
  readonly #excusedUntilMs = new Map<string, number>()
  /** Voters whose disk no longer says that they left their vote. */
  readonly #lostStanding = new Set<string>()
  /** Nodes that once kept a vote that was left with them. A disk that is rolled back may have it again. */
  readonly #keptOnce = new Set<string>()
  readonly #resurrecting = new Set<string>()
  readonly #impersonated = new Set<string>()
  readonly #restarted = new Set<string>()
  /** Nodes whose agent lost its state file and the plan in it. It does nothing before it has reached the witness. */
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
    if (!onDisk) this.#violate('S4', `${voter} gave epoch ${epoch} to ${to} without having that on disk`)
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

  /** A node that has neither the lease nor the VIP uses no vote, so its restarted agent may give its own vote away. */
  #hasLetGo(node: string): boolean {
    const { vipSinceMs, leaseUntilMs } = this.#holder(node)
    return vipSinceMs === null && leaseUntilMs <= this.#nowMs
  }

  /**
   * Judges what changed in one instant when that instant is over, because a node that gives a vote back stops using it
   * in the same turn.
   */
  #checkLeases(): void {
    if (!this.#promisesChanged) return
    this.#promisesChanged = false
    for (const { voter, to, epoch } of this.#givenBack.splice(0)) {
      const { leaseUntilMs, leaseEpoch } = this.#holder(to)
      if (this.#impersonated.has(to) && this.#restarted.has(voter)) continue
      if (leaseUntilMs > this.#nowMs && leaseEpoch === epoch)
        this.#violate(
          'S1',
          `${voter} took back its vote for ${to} (epoch ${epoch}) while ${to} still uses it`,
        )
    }
    for (const [node, { leaseUntilMs }] of this.#holders)
      if (leaseUntilMs > this.#nowMs) this.#checkSupport(node, leaseUntilMs)
  }

  #takeLease({ node, epoch, untilMs }: Fact & { type: 'lease' }): void {
    const holder = this.#holder(node)
    holder.leaseUntilMs = untilMs
    holder.leaseEpoch = epoch
    if (untilMs <= this.#nowMs) return
    this.#rolledBack.delete(node)
    this.#armedFromMs = Math.min(this.#armedFromMs, this.#nowMs + settledMs)
    this.#checkOutlived(node, holder)
    holder.lastLeaseEndMs = untilMs
    this.#checkSupport(node, untilMs)
  }

  /** A node that uses a lease has the votes for at least as long. */
  #checkSupport(node: string, leaseUntilMs: number): void {
    if (this.#resurrecting.has(node)) return
    const behind = [...this.#promises].filter(
      ([voter, { to, untilMs }]) =>
        this.#isExcused(voter) || (to === node && untilMs >= leaseUntilMs - epsilonMs),
    )
    if (behind.length < majority)
      this.#violate(
        'S1',
        `${node} uses a lease for another ${Math.round(leaseUntilMs - this.#nowMs)} ms, but only ${behind.map(([voter]) => voter).join() || 'nobody'} promised a vote for that long`,
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

  /** E2: if agent and keepalived run, the VIP is gone when the lease ends under which it was held. */
  #checkOutlived(node: string, { vipSinceMs, lastLeaseEndMs, runsSinceMs }: Holder): void {
    if (vipSinceMs === null || lastLeaseEndMs === null || lastLeaseEndMs > this.#nowMs) return
    const wellSinceMs = Math.max(runsSinceMs.agent ?? Infinity, runsSinceMs.keepalived ?? Infinity)
    const wasWell = wellSinceMs + settledMs <= lastLeaseEndMs - this.#timing.leaseMs
    if (!wasWell || this.#isHampered || lastLeaseEndMs < this.#hamperedUntilMs) return
    this.#violate(
      'E2',
      `${node} still had the VIP ${(this.#nowMs - lastLeaseEndMs).toFixed(1)} ms after its lease had ended`,
    )
  }

  /** gate: strict: if agent and keepalived run, keepalived becomes MASTER under a lease or not at all. */
  #checkGate(node: string, { leaseUntilMs, runsSinceMs }: Holder): void {
    if (
      this.#rolledBack.has(node) ||
      this.#nowMs < this.#armedFromMs ||
      this.#timing.gate !== 'strict' ||
      leaseUntilMs > this.#nowMs ||
      this.#isHampered
    )
      return
    const wellSinceMs = Math.max(runsSinceMs.agent ?? Infinity, runsSinceMs.keepalived ?? Infinity)
    if (wellSinceMs + settledMs <= this.#nowMs)
      this.#violate('S2', `${node} got the VIP without a lease, despite gate: strict`)
  }

  /** The one rule: if the agent runs, a VIP that a dead keepalived left behind does not stay. */
  #checkOrphan(node: string, { vipSinceMs, orphanedAtMs, runsSinceMs }: Holder): void {
    if (
      this.#rolledBack.has(node) ||
      this.#nowMs < this.#armedFromMs ||
      vipSinceMs === null ||
      orphanedAtMs === null ||
      this.#isHampered
    )
      return
    if (this.#withoutPlan.has(node)) return
    const wellSinceMs = Math.max(runsSinceMs.agent ?? Infinity, orphanedAtMs)
    const stayedMs = this.#nowMs - wellSinceMs
    if (stayedMs > orphanMs)
      this.#violate(
        'rule',
        `${node} still had the VIP ${Math.round(stayedMs)} ms after its keepalived had died`,
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
    this.#violate(
      'S5',
      `${node} gave its votes back although its kernel had had the VIP for ${heldMs.toFixed(0)} ms`,
    )
  }

  #takeFault({ kind, where, on }: Fact & { type: 'fault' }): void {
    if (on && losing.has(kind) && this.#promises.get(where)?.untilMs === Infinity)
      this.#lostStanding.add(where)
    if (on && kind === 'disk-torn') this.#withoutPlan.add(where)
    if (on && kind === 'disk-rollback') this.#rolledBack.add(where)
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
