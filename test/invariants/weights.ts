/**
 * L7 of docs/safety.md, judged from facts (facts.ts) as they come, and from the passing of time: the VIP follows the
 * priorities that keepalived runs with. A holder whose application failed does not keep it while a healthy node is there
 * to which keepalived alone would have moved it.
 */
import { masterDownMs, type Timing } from '../../shared/core/timing.ts'
import type { Fact, ProgramState, Timed, Violation } from './facts.ts'

export interface WeightsSetting {
  /** The priorities of keepalived.conf, with which each keepalived starts. */
  readonly nodes: readonly { readonly name: string; readonly priority: number }[]
  /** A BACKUP of higher priority takes the VIP from a MASTER. With `gate: strict` the product does not let it. */
  readonly preempts: boolean
  readonly advertIntMs: number
  readonly downTimerAdverts: number
}

/** Faults that leave two healthy nodes, of which keepalived itself chooses one. */
const leavesBothNodes: ReadonlySet<string> = new Set(['weight-fails'])
/** What is late on a healthy host, disks and networks included. */
const graceMs = 250

/** The node that keepalived alone would have made MASTER by now. */
interface Call {
  readonly holder: string
  readonly to: string
  readonly sinceMs: number
}

export class WeightWatch {
  readonly #setting: WeightsSetting
  readonly #mostMs: number
  readonly #violations: Violation[] = []
  readonly #held = new Set<string>()
  readonly #priorities: Map<string, number>
  readonly #keepalived = new Map<string, ProgramState>()
  /** Since the cluster was last calm. */
  #faults: string[] = []
  #beganCalm = false
  #call: Call | null = null
  #judged = false
  #nowMs = 0

  constructor(timing: Timing, setting: WeightsSetting) {
    this.#setting = setting
    this.#priorities = new Map(setting.nodes.map(({ name, priority }) => [name, priority]))
    // A BACKUP goes on waiting when it hears a lower priority, and its claim is settled within a handover.
    const { advertIntMs, downTimerAdverts } = setting
    const promotionMs = masterDownMs({ version: 2, priority: 1, advertIntMs, downTimerAdverts })
    this.#mostMs = promotionMs + Math.max(timing.claimMs, timing.handoverMs)
  }

  get violations(): readonly Violation[] {
    return this.#violations
  }

  take({ atMs, fact }: Timed): void {
    this.pass(atMs)
    if (fact.type === 'vip') this.#takeVip(fact)
    else if (fact.type === 'priority') this.#priorities.set(fact.node, fact.priority)
    else if (fact.type === 'program') this.#takeProgram(fact)
    else if (fact.type === 'fault') this.#takeFault(fact)
    else if (fact.type === 'calm') {
      this.#beganCalm = true
      this.#faults = []
    } else return
    this.#noteCall()
  }

  /** As time passes, judges what had to have happened by now. */
  pass(atMs: number): void {
    this.#nowMs = atMs
    const call = this.#call
    if (call === null || this.#judged || atMs <= call.sinceMs + this.#mostMs + graceMs) return
    this.#judged = true
    const { holder, to } = call
    this.#violate(
      'L7',
      `${holder} has kept the VIP for ${Math.round(atMs - call.sinceMs)} ms with priority ${this.#priorityOf(holder)}, ` +
        `although ${to} runs with ${this.#priorityOf(to)} and keepalived alone would have moved it; the bound is ${Math.round(this.#mostMs)} ms`,
    )
  }

  #violate(invariant: string, text: string): void {
    this.#violations.push({ invariant, atMs: this.#nowMs, text })
  }

  #priorityOf(node: string): number {
    return this.#priorities.get(node) ?? 0
  }

  #takeVip({ node, held }: Fact & { type: 'vip' }): void {
    if (held) this.#held.add(node)
    else this.#held.delete(node)
  }

  #takeProgram({ host, program, state }: Fact & { type: 'program' }): void {
    if (program === 'keepalived') this.#keepalived.set(host, state)
  }

  #takeFault({ kind, on }: Fact & { type: 'fault' }): void {
    if (on) this.#faults.push(kind)
  }

  /** While both nodes have the VIP or none has it, the call goes on: somebody tries. */
  #noteCall(): void {
    if (this.#call !== null && this.#calls(this.#call)) return
    this.#call = null
    this.#judged = false
    const [holder] = this.#held
    if (holder === undefined || this.#held.size !== 1) return
    const to = this.#setting.nodes.find(({ name }) => name !== holder)?.name
    if (to === undefined) return
    const call = { holder, to, sinceMs: this.#nowMs }
    if (this.#calls(call)) this.#call = call
  }

  #calls({ holder, to }: Call): boolean {
    const isJudged =
      this.#setting.preempts &&
      this.#beganCalm &&
      this.#faults.length > 0 &&
      this.#faults.every((kind) => leavesBothNodes.has(kind))
    const hasMoved = this.#held.has(to) && !this.#held.has(holder)
    return (
      isJudged &&
      !hasMoved &&
      this.#keepalived.get(to) === 'running' &&
      this.#priorityOf(to) > this.#priorityOf(holder)
    )
  }
}
