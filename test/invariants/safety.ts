/**
 * S1 to S5 of DESIGN.md section 9, judged from facts (facts.ts) as they come. S6 is about bytes of strangers, which have no
 * place among facts: the protocol's and the transport's own tests stand for it.
 */
import { assertNever } from '../../shared/assert-never.ts'
import { holderPermitMs, permitMs, type Timing } from '../../shared/timing.ts'
import type { Fact, ProgramState, Timed, Violation } from './facts.ts'

/** What one clock cannot tell: reading grain of the hosts' clocks, and how late programs run on a host that is well. */
const graceMs = 25
/** A ballot waits this long for its disk at most (DESIGN.md, claims); a slow disk is a fault of its own. */
interface NodeSeen {
  vipHeld: boolean
  lease: { readonly epoch: number; readonly untilMs: number } | null
  agent: { readonly state: ProgramState; readonly sinceMs: number }
  keepalived: { readonly state: ProgramState; readonly sinceMs: number }
}

interface Overlap {
  readonly sinceMs: number
  /** Whether something was the matter with a program on a node, so that S3 is the bound. */
  readonly hampered: boolean
  readonly partedForMs: number
}

/** Faults under which S2's bound does not hold, with what holds instead in docs/FAULTS.md. */
const hampering: ReadonlySet<string> = new Set([
  'kill-agent',
  'freeze-agent',
  'freeze-keepalived',
  'kill-keepalived',
  'crash-host',
  'freeze-host',
  'clock-jump',
  'stop-fails',
  'stop-hangs',
  'disk-slow',
  'disk-full',
  'disk-rollback',
  'jitter',
  'loss',
])

export class SafetyWatch {
  readonly #timing: Timing
  readonly #violations: Violation[] = []
  readonly #nodes = new Map<string, NodeSeen>()
  readonly #ballots = new Map<string, number>()
  readonly #leases = new Map<number, string>()
  #highestLease = 0
  #overlap: Overlap | null = null
  #partedSinceMs: number | null = null
  #hamperedUntilMs = 0
  readonly #hamperedBy = new Set<string>()
  #longestOverlapMs = 0
  #nowMs = 0

  constructor(timing: Timing) {
    this.#timing = timing
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
      case 'fencing':
      case 'ordered':
        return
      default:
        return assertNever(fact)
    }
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
    const holders = [...this.#nodes].filter(([, { vipHeld }]) => vipHeld).map(([name]) => name)
    if (holders.length > 1) {
      this.#overlap ??= {
        sinceMs: this.#nowMs,
        hampered: this.#isHampered(),
        partedForMs: this.#partedSinceMs === null ? 0 : this.#nowMs - this.#partedSinceMs,
      }
    } else if (this.#overlap !== null) this.#endOverlap(this.#overlap)
  }

  #isHampered(): boolean {
    return this.#hamperedBy.size > 0 || this.#nowMs < this.#hamperedUntilMs
  }

  #endOverlap({ sinceMs, hampered, partedForMs }: Overlap): void {
    this.#overlap = null
    const lastedMs = this.#nowMs - sinceMs
    this.#longestOverlapMs = Math.max(this.#longestOverlapMs, lastedMs)
    const { claimMs, handoverMs, releaseMs, renewMs, checkMs } = this.#timing
    const text = `two nodes had the VIP for ${lastedMs.toFixed(1)} ms`
    if (hampered || this.#isHampered()) {
      // C plus the permit's length, and what is left of the way: the check's own question, the ladder.
      const mostMs = checkMs + Math.max(permitMs(this.#timing), holderPermitMs(this.#timing)) + checkMs + releaseMs
      if (lastedMs > mostMs + graceMs) this.#violate('S3', `${text}; ${mostMs} ms is the bound`)
      return
    }
    if (partedForMs >= 4 * renewMs)
      return this.#violate('S2', `${text}, though their link was cut ${Math.round(partedForMs)} ms before`)
    const mostMs = Math.max(claimMs, handoverMs) + releaseMs
    if (lastedMs > mostMs + graceMs) this.#violate('S2', `${text}; ${mostMs} ms is the bound`)
  }

  #takeLease({ node, epoch, untilMs }: Fact & { type: 'lease' }): void {
    const atMs = this.#nowMs
    const seen = this.#node(node)
    const wins = untilMs > atMs && (seen.lease === null || seen.lease.untilMs <= atMs || seen.lease.epoch !== epoch)
    seen.lease = untilMs > atMs ? { epoch, untilMs } : null
    if (untilMs <= atMs) return
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
      this.#violate('S4', `epoch ${epoch} was ${earlier}'s and is now ${node}'s`)
    if (earlier === undefined && epoch < this.#highestLease)
      this.#violate('S4', `${node} has the lease under epoch ${epoch}, after epoch ${this.#highestLease}`)
    this.#leases.set(epoch, node)
    this.#highestLease = Math.max(this.#highestLease, epoch)
  }

  #takeBallot({ voter, to, epoch }: Fact & { type: 'ballot' }): void {
    const before = this.#ballots.get(voter) ?? 0
    if (epoch <= before)
      this.#violate('S4', `${voter} wrote a ballot for ${to} under epoch ${epoch}, after one of epoch ${before}`)
    this.#ballots.set(voter, Math.max(before, epoch))
  }

  #takeProgram({ host, program, state }: Fact & { type: 'program' }): void {
    if (program === 'witness') return
    const node = this.#node(host)
    node[program] = { state, sinceMs: this.#nowMs }
    if (program === 'agent' && state !== 'running') node.lease = state === 'ended' ? null : node.lease
  }

  #takeProof({ node, vipHeld, keepalived }: Fact & { type: 'fence-proved' }): void {
    const isDown = keepalived === 'FAULT' || keepalived === 'STOP' || keepalived === 'absent'
    if (vipHeld || !isDown)
      this.#violate('S5', `${node} proved its fence with the VIP ${vipHeld ? 'held' : 'gone'} and keepalived ${keepalived}`)
  }

  #takeFault({ kind, where, on }: Fact & { type: 'fault' }): void {
    if (!hampering.has(kind)) return
    const key = `${kind} ${where}`
    if (on) this.#hamperedBy.add(key)
    else if (this.#hamperedBy.delete(key)) this.#hamperedUntilMs = this.#nowMs + this.#timing.reserveMs + 5000
  }
}
