/**
 * L6 of docs/safety.md, judged from facts (facts.ts) as they come: a node that has never seen a settled cluster is not
 * fenced and does not lose its VIP through the product, and no node is fenced where it alone is left.
 */
import type { Timing } from '../../shared/core/timing.ts'
import { silenceMs } from '../../shared/core/timing.ts'
import type { Fact, ProgramName, ProgramState, Timed, Violation } from './facts.ts'

/** After these faults a node that has the VIP and reaches the witness is the right one to keep it. */
const leavesOneNode: ReadonlySet<string> = new Set([
  'crash-host',
  'freeze-agent',
  'kill-agent',
  'kill-keepalived',
  'stop-keepalived',
])
/** How long after another fault its effects may still be under way. */
const aftermathMs = 5000
/** A daemon that was just started needs this long until it is connected to the others. */
const settledMs = 3000

interface NodeSeen {
  vipHeld: boolean
  vipLostAtMs: number
  leaseUntilMs: number
  agent: { readonly state: ProgramState; readonly sinceMs: number }
  keepalived: { readonly state: ProgramState; readonly sinceMs: number }
  /** Its agent ran at some time while a node had the lease. */
  mayBeArmed: boolean
}

export class ArmingWatch {
  readonly #timing: Timing
  readonly #violations: Violation[] = []
  readonly #nodes = new Map<string, NodeSeen>()
  #witness: { readonly state: ProgramState; readonly sinceMs: number } = { state: 'ended', sinceMs: 0 }
  #faultsBegan = false
  readonly #otherFaults = new Set<string>()
  #otherFaultsUntilMs = -Infinity
  /** A node left its vote with the other one, and perhaps does not have it back. */
  #voteLeft = false
  /** Since when nobody has had the VIP; null: somebody has it. */
  #darkSinceMs: number | null = 0
  #leased = false
  #judgedDark = false
  readonly #slowestPromotionMs: number
  #nowMs = 0

  /** @param setting.slowestPromotionMs how long a keepalived that nobody hinders may take until it is MASTER */
  constructor(timing: Timing, setting: { readonly slowestPromotionMs: number }) {
    this.#timing = timing
    this.#slowestPromotionMs = setting.slowestPromotionMs
  }

  get violations(): readonly Violation[] {
    return this.#violations
  }

  take({ atMs, fact }: Timed): void {
    this.pass(atMs)
    if (fact.type === 'vip') this.#takeVip(fact)
    else if (fact.type === 'lease') this.#takeLease(fact)
    else if (fact.type === 'program') this.#takeProgram(fact)
    else if (fact.type === 'fencing') this.#takeFencing(fact)
    else if (fact.type === 'fault') this.#takeFault(fact)
    else if (fact.type === 'calm') this.#takeCalm()
  }

  /** As time passes: before the first lease nobody keeps a keepalived that runs from becoming MASTER. */
  pass(atMs: number): void {
    this.#nowMs = atMs
    if (this.#leased || this.#faultsBegan || this.#judgedDark || this.#darkSinceMs === null) return
    const runsSinceMs = Math.min(
      ...[...this.#nodes.values()].map(({ keepalived: { state, sinceMs } }) =>
        state === 'running' ? sinceMs : Infinity,
      ),
    )
    if (atMs < Math.max(this.#darkSinceMs, runsSinceMs) + this.#slowestPromotionMs) return
    this.#judgedDark = true
    this.#violate(
      `no node has become MASTER within ${Math.round(this.#slowestPromotionMs)} ms before the cluster was armed`,
    )
  }

  #violate(text: string): void {
    this.#violations.push({ invariant: 'L6', atMs: this.#nowMs, text })
  }

  #node(name: string): NodeSeen {
    let node = this.#nodes.get(name)
    if (node === undefined) {
      const ended = { state: 'ended', sinceMs: -Infinity } as const
      node = {
        vipHeld: false,
        vipLostAtMs: -Infinity,
        leaseUntilMs: -Infinity,
        agent: ended,
        keepalived: ended,
        mayBeArmed: false,
      }
      this.#nodes.set(name, node)
    }
    return node
  }

  #othersOf(name: string): NodeSeen[] {
    return [...this.#nodes].filter(([other]) => other !== name).map(([, node]) => node)
  }

  /** Another node has the VIP or the lease, or had it so lately that this node may not know better. */
  #hasRival(name: string): boolean {
    const freshMs = this.#nowMs - silenceMs(this.#timing)
    return this.#othersOf(name).some(
      ({ vipHeld, vipLostAtMs, leaseUntilMs }) =>
        vipHeld || vipLostAtMs >= freshMs || leaseUntilMs >= freshMs,
    )
  }

  #takeCalm(): void {
    this.#voteLeft = false
  }

  #takeVip({ node: name, held }: Fact & { type: 'vip' }): void {
    const node = this.#node(name)
    node.vipHeld = held
    const isDark = [...this.#nodes.values()].every(({ vipHeld }) => !vipHeld)
    this.#darkSinceMs = isDark ? (this.#darkSinceMs ?? this.#nowMs) : null
    if (held) return
    const isPlain = !this.#faultsBegan && node.keepalived.state === 'running'
    if (isPlain && !node.mayBeArmed && !this.#hasRival(name))
      this.#violate(`${name} lost the VIP before it was armed, and no other node had it`)
    node.vipLostAtMs = this.#nowMs
  }

  #takeLease({ node: name, untilMs }: Fact & { type: 'lease' }): void {
    this.#node(name).leaseUntilMs = Math.max(untilMs, Math.min(this.#node(name).leaseUntilMs, this.#nowMs))
    if (untilMs <= this.#nowMs) return
    this.#leased = true
    for (const node of this.#nodes.values()) if (node.agent.state === 'running') node.mayBeArmed = true
  }

  #takeProgram({ host, program, state }: Fact & { type: 'program' }): void {
    const seen = { state, sinceMs: this.#nowMs }
    if (program === 'witness') this.#witness = seen
    else this.#takeNodesProgram(host, program, seen)
  }

  #takeNodesProgram(
    host: string,
    program: Exclude<ProgramName, 'witness'>,
    seen: { readonly state: ProgramState; readonly sinceMs: number },
  ): void {
    const node = this.#node(host)
    node[program] = seen
    const isLeased = [...this.#nodes.values()].some(({ leaseUntilMs }) => leaseUntilMs > this.#nowMs)
    if (program === 'agent' && seen.state === 'running' && isLeased) node.mayBeArmed = true
  }

  #takeFencing({ node: name, reason }: Fact & { type: 'fencing' }): void {
    const node = this.#node(name)
    if (!node.mayBeArmed && !this.#hasRival(name))
      this.#violate(
        `${name} was fenced before it was armed, and no other node had the VIP or the lease: ${reason}`,
      )
    else if (node.vipHeld && this.#isAlone(name))
      this.#violate(`${name} was fenced although it is the only node left and reaches the witness: ${reason}`)
  }

  /** The other node is gone for so long that no vote can be its own, and the witness could vote. */
  #isAlone(name: string): boolean {
    const { reserveMs } = this.#timing
    const goneSinceMs = this.#nowMs - reserveMs - settledMs
    const isCalm = !this.#voteLeft && this.#otherFaults.size === 0 && this.#nowMs >= this.#otherFaultsUntilMs
    const witnessIsWell = this.#witness.state === 'running' && this.#witness.sinceMs <= goneSinceMs
    const isGone = ({ state, sinceMs }: NodeSeen['agent']): boolean =>
      state === 'ended' && sinceMs <= goneSinceMs
    const others = this.#othersOf(name)
    const othersAreGone =
      others.length > 0 && others.every(({ agent, keepalived }) => isGone(agent) && isGone(keepalived))
    return isCalm && witnessIsWell && othersAreGone && this.#node(name).keepalived.state === 'running'
  }

  #takeFault({ kind, where, on }: Fact & { type: 'fault' }): void {
    this.#faultsBegan = true
    if (kind === 'leave') this.#voteLeft = true
    if (leavesOneNode.has(kind) && where !== 'witness') return
    if (on) this.#otherFaults.add(`${kind} ${where}`)
    else {
      this.#otherFaults.delete(`${kind} ${where}`)
      this.#otherFaultsUntilMs = this.#nowMs + this.#timing.reserveMs + aftermathMs
    }
  }
}
