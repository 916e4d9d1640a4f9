/**
 * S1 to S5 of docs/safety.md, judged from facts (facts.ts) as they come. S6 is about bytes that strangers send, which
 * are not among the facts; the tests of the protocol and of the transport cover it.
 */
import { assertNever } from '../../shared/assert-never.ts'
import { holderPermitMs, permitMs, type Timing } from '../../shared/core/timing.ts'
import type { Fact, ProgramState, Timed, Violation } from './facts.ts'

/** What one clock cannot resolve: the resolution of the hosts' clocks, and how late programs run on a healthy host. */
const graceMs = 25
interface NodeSeen {
  vipHeld: boolean
  lease: { readonly epoch: number; readonly untilMs: number; readonly sinceMs: number } | null
  agent: { readonly state: ProgramState; readonly sinceMs: number }
  keepalived: { readonly state: ProgramState; readonly sinceMs: number }
}

/** What was wrong while two nodes had the VIP, which decides the bound that applies. */
type Hindrance =
  /** Every agent runs, and has run long enough to have heard the others: S2. */
  | 'none'
  /** An agent is dead or frozen, or a host's clock, disk or commands fail: S3. */
  | 'hampered'
  /** A node runs neither its agent nor a keepalived that would run the check, so only power fencing helps. */
  | 'helpless'
const grades: readonly Hindrance[] = ['none', 'hampered', 'helpless']

interface Overlap {
  readonly sinceMs: number
  /** Both agents have had the time to see a lease. */
  readonly armed: boolean
  readonly hindrance: Hindrance
  /** For how long one node had already had the lease while the link between the nodes was cut. */
  readonly foreseenForMs: number
}

/** Faults that do not show in the state of any program, and under which the bound of S2 does not apply. */
const hampering: ReadonlySet<string> = new Set([
  'clock-jump',
  'stop-fails',
  'stop-hangs',
  'disk-slow',
  'disk-full',
  'disk-rollback',
  'jitter',
  'loss',
])

/** How long after the first lease every agent that runs has heard of it. */
const armingMs = 3000

export class SafetyWatch {
  readonly #timing: Timing
  readonly #violations: Violation[] = []
  readonly #nodes = new Map<string, NodeSeen>()
  readonly #ballots = new Map<string, { readonly to: string; readonly epoch: number }>()
  readonly #leases = new Map<number, string>()
  #highestLease = 0
  /** A disk lost what was on it, so epochs continue from what the others know (docs/safety.md). */
  #forgot = false
  #overlap: Overlap | null = null
  #partedSinceMs: number | null = null
  /** When the witness last started, ended or was frozen. */
  #witnessChangedAtMs = -Infinity
  #hamperedUntilMs = 0
  readonly #hamperedBy = new Set<string>()
  #longestOverlapMs = 0
  /** Hosts whose disk may be that of a node that was not armed yet, until the cluster is calm again. */
  readonly #rolledBack = new Set<string>()
  /** When both agents have had the time to see the first lease. Until then no guard need be armed (L6). */
  #armedFromMs: number
  #nowMs = 0

  /** @param beginsArmed false: the cluster begins with nodes that have never seen a settled cluster */
  constructor(timing: Timing, { beginsArmed = true }: { beginsArmed?: boolean } = {}) {
    this.#timing = timing
    this.#armedFromMs = beginsArmed ? -Infinity : Infinity
  }

  get violations(): readonly Violation[] {
    return this.#violations
  }

  get longestOverlapMs(): number {
    return this.#longestOverlapMs
  }

  take({ atMs, fact }: Timed): void {
    this.#nowMs = atMs
    switch (fact.type) {
      case 'vip':
        return this.#takeVip(fact)
      case 'lease':
        return this.#takeLease(fact)
      case 'ballot':
        return this.#takeBallot(fact)
      case 'program':
        return this.#takeProgram(fact)
      case 'fence-proved':
        return this.#takeProof(fact)
      case 'nodes-parted':
        this.#partedSinceMs = fact.on ? atMs : null
        return
      case 'fault':
        return this.#takeFault(fact)
      case 'priority':
      case 'promise':
      case 'released-with-vip':
      case 'fencing':
      case 'ordered':
        return
      case 'calm':
        this.#rolledBack.clear()
        return
      default:
        return assertNever(fact)
    }
  }

  /** Ends the watch: an overlap that still lasts is judged by what was seen of it. */
  end(atMs: number): void {
    this.#nowMs = atMs
    if (this.#overlap !== null) this.#endOverlap(this.#overlap)
  }

  #node(name: string): NodeSeen {
    let node = this.#nodes.get(name)
    if (node === undefined) {
      const ended = { state: 'ended', sinceMs: 0 } as const
      node = { vipHeld: false, lease: null, agent: ended, keepalived: ended }
      this.#nodes.set(name, node)
    }
    return node
  }

  #violate(invariant: string, text: string): void {
    this.#violations.push({ invariant, atMs: this.#nowMs, text })
  }

  #takeVip({ node, held }: Fact & { type: 'vip' }): void {
    this.#node(node).vipHeld = held
    const holders = [...this.#nodes.values()].filter(({ vipHeld }) => vipHeld).length
    if (holders < 2) {
      if (this.#overlap !== null) this.#endOverlap(this.#overlap)
    } else
      this.#overlap ??= {
        sinceMs: this.#nowMs,
        armed: this.#nowMs >= this.#armedFromMs && this.#rolledBack.size === 0,
        hindrance: this.#hindrance(),
        foreseenForMs: this.#foreseenForMs(),
      }
  }

  /**
   * The node without the lease recognises a cut link by what the witness says about the other node, which requires a
   * holder, or by the silence of both, which takes its time.
   */
  #foreseenForMs(): number {
    if (this.#partedSinceMs === null) return 0
    const leasedSinceMs = [...this.#nodes.values()].map(({ lease }) =>
      lease !== null && lease.untilMs > this.#nowMs ? lease.sinceMs : Infinity,
    )
    const recognisableSinceMs = Math.max(
      this.#partedSinceMs,
      this.#witnessChangedAtMs,
      Math.min(...leasedSinceMs),
    )
    return Math.max(0, this.#nowMs - recognisableSinceMs)
  }

  /** What is wrong now; what was repaired only a moment ago still counts. */
  #hindrance(): Hindrance {
    const settledMs = this.#timing.reserveMs + this.#timing.checkMs
    let worst: Hindrance = 'none'
    for (const { vipHeld, agent, keepalived } of this.#nodes.values()) {
      const agentIsWell = agent.state === 'running' && this.#nowMs - agent.sinceMs >= settledMs
      if (vipHeld && agent.state !== 'running' && keepalived.state !== 'running') return 'helpless'
      if (!agentIsWell || keepalived.state === 'frozen') worst = 'hampered'
    }
    return this.#hamperedBy.size > 0 || this.#nowMs < this.#hamperedUntilMs ? 'hampered' : worst
  }

  #noteHindrance(): void {
    if (this.#overlap === null) return
    const now = this.#hindrance()
    if (grades.indexOf(now) > grades.indexOf(this.#overlap.hindrance))
      this.#overlap = { ...this.#overlap, hindrance: now }
  }

  #endOverlap({ sinceMs, armed, hindrance, foreseenForMs }: Overlap): void {
    this.#overlap = null
    const lastedMs = this.#nowMs - sinceMs
    this.#longestOverlapMs = Math.max(this.#longestOverlapMs, lastedMs)
    // Two nodes that meet in an installation are as with keepalived alone (L6).
    if (!armed) return
    const { claimMs, handoverMs, releaseMs, renewMs, checkMs } = this.#timing
    const text = `two nodes had the VIP for ${lastedMs.toFixed(1)} ms`
    // A keepalived that was frozen while it was allowed to be MASTER may promote itself before it reads that it no
    // longer is.
    const strictMostMs = hindrance === 'hampered' ? releaseMs : 0
    if (this.#timing.gate === 'strict' && hindrance !== 'helpless' && lastedMs > strictMostMs)
      return this.#violate(hindrance === 'none' ? 'S2' : 'S3', `${text}, despite gate: strict`)
    switch (hindrance) {
      case 'helpless':
        return
      case 'hampered': {
        // C plus the length of the permit, plus what follows: the check's own question and the ladder.
        const longestPermitMs = Math.max(permitMs(this.#timing), holderPermitMs(this.#timing))
        const mostMs = checkMs + longestPermitMs + checkMs + releaseMs
        if (lastedMs > mostMs + graceMs) this.#violate('S3', `${text}; the bound is ${mostMs} ms`)
        return
      }
      case 'none': {
        if (foreseenForMs >= 4 * renewMs)
          return this.#violate(
            'S2',
            `${text}, although the link between them had been cut ${Math.round(foreseenForMs)} ms earlier`,
          )
        const mostMs = Math.max(claimMs, handoverMs) + releaseMs
        if (lastedMs > mostMs + graceMs) this.#violate('S2', `${text}; the bound is ${mostMs} ms`)
        return
      }
      default:
        return assertNever(hindrance)
    }
  }

  #takeLease({ node, epoch, untilMs }: Fact & { type: 'lease' }): void {
    const atMs = this.#nowMs
    const seen = this.#node(node)
    const wins =
      untilMs > atMs && (seen.lease === null || seen.lease.untilMs <= atMs || seen.lease.epoch !== epoch)
    const sinceMs = wins ? atMs : (seen.lease?.sinceMs ?? atMs)
    seen.lease = untilMs > atMs ? { epoch, untilMs, sinceMs } : null
    if (untilMs <= atMs) return
    this.#armedFromMs = Math.min(this.#armedFromMs, atMs + armingMs)
    for (const [other, { lease }] of this.#nodes)
      if (other !== node && lease !== null && lease.untilMs > atMs)
        this.#violate(
          'S1',
          `${node} has the lease (epoch ${epoch}) while ${other} has it for another ${Math.round(lease.untilMs - atMs)} ms (epoch ${lease.epoch})`,
        )
    if (wins) this.#checkEpochOfLease(node, epoch)
  }

  #checkEpochOfLease(node: string, epoch: number): void {
    const earlier = this.#leases.get(epoch)
    if (earlier !== undefined && earlier !== node)
      this.#violate('S4', `epoch ${epoch} belonged to ${earlier} and now belongs to ${node}`)
    if (earlier === undefined && epoch < this.#highestLease && !this.#forgot)
      this.#violate(
        'S4',
        `${node} has the lease under epoch ${epoch}, although there was a lease under epoch ${this.#highestLease}`,
      )
    this.#leases.set(epoch, node)
    this.#highestLease = Math.max(this.#highestLease, epoch)
  }

  /** A ballot that was lost with its disk may be written again, as the same promise to the same node. */
  #takeBallot({ voter, to, epoch }: Fact & { type: 'ballot' }): void {
    const before = this.#ballots.get(voter)
    this.#ballots.set(voter, { to, epoch })
    if (before === undefined || epoch > before.epoch || (epoch === before.epoch && to === before.to)) return
    this.#violate(
      'S4',
      `${voter} wrote a ballot for ${to} under epoch ${epoch}, after one for ${before.to} under epoch ${before.epoch}`,
    )
  }

  #takeProgram({ host, program, state }: Fact & { type: 'program' }): void {
    if (program === 'witness') {
      this.#witnessChangedAtMs = this.#nowMs
      return
    }
    const node = this.#node(host)
    node[program] = { state, sinceMs: this.#nowMs }
    this.#noteHindrance()
  }

  #takeProof({ node, vipHeld, keepalived }: Fact & { type: 'fence-proved' }): void {
    const isDown = keepalived === 'FAULT' || keepalived === 'STOP' || keepalived === 'absent'
    if (vipHeld || !isDown)
      this.#violate(
        'S5',
        `${node} reported its fence as proved with the VIP ${vipHeld ? 'held' : 'gone'} and keepalived ${keepalived}`,
      )
  }

  #forget(voter: string): void {
    this.#forgot = true
    // A voter may write again what its disk forgot; whether a wrong lease results is judged by the leases.
    this.#ballots.delete(voter)
    const isOnDisk = [...this.#ballots.values()].some(({ epoch }) => epoch >= this.#highestLease)
    if (isOnDisk) return
    // No disk is left that says which epochs there were.
    this.#leases.clear()
    this.#highestLease = 0
  }

  #takeFault({ kind, where, on }: Fact & { type: 'fault' }): void {
    if (kind === 'disk-torn' || kind === 'disk-rollback') this.#forget(where)
    if (on && kind === 'disk-rollback') this.#rolledBack.add(where)
    if (!hampering.has(kind)) return
    const key = `${kind} ${where}`
    if (on) {
      this.#hamperedBy.add(key)
      this.#noteHindrance()
    } else if (this.#hamperedBy.delete(key))
      this.#hamperedUntilMs = this.#nowMs + this.#timing.reserveMs + 5000
  }
}
