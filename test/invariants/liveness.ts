/** L1 to L5 of docs/safety.md, judged from facts (facts.ts) as they come, and from the passing of time. */
import { masterDownMs, silenceMs, slowestTakeoverMs, type Timing } from '../../shared/core/timing.ts'
import type { Fact, Timed, Violation } from './facts.ts'

export interface LivenessSetting {
  /** With the lowest priority that each may run with. */
  readonly nodes: readonly { readonly name: string; readonly priority: number }[]
  /** Of VRRP; absent: 2. */
  readonly version?: 2 | 3
  readonly advertIntMs: number
  readonly downTimerAdverts?: number
  /** What L1 allows beyond its bound because programs of the host run late; the default is for a healthy host. */
  readonly graceMs?: number
}

/** Faults that may cost no outage when they happen alone. */
const costsNothing: ReadonlySet<string> = new Set([
  'vrrp-block',
  'vrrp-block-one-way',
  'kill-witness',
  'freeze-witness',
  'loss',
  'jitter',
  'duplicates',
  'disk-slow',
  'disk-full',
  'kill-agent',
  'kill-agent-in-fence',
  'freeze-agent',
  'clone',
  'replay',
  'stop-fails',
  'stop-hangs',
  'drill',
  // With preemption the VIP moves, and the other node takes it before this one gives it up.
  'weight-fails',
])
/** Faults for which alone nobody may be fenced. */
const disturbances: ReadonlySet<string> = new Set([
  'loss',
  'jitter',
  'duplicates',
  'kill-witness',
  'freeze-witness',
  'drill',
  // A renewal needs no disk.
  'disk-slow',
  'disk-full',
])
/** Likewise, but the VIP shall move, and a takeover needs votes, and the news that the old holder gives way. */
const callsForMove = 'weight-fails'
const withholdsVotes: ReadonlySet<string> = new Set([
  'loss',

  'kill-witness',
  'freeze-witness',
  'disk-slow',
  'disk-full',
])

const wellGraceMs = 250
/** With `gate: strict`: from the end of the old promise until the new lease, one failed application included. */
const applicationMs = 1700

/**
 * After these faults a host comes back without knowing what it had promised, so it first waits until its promises have
 * ended.
 */
const forgetting: ReadonlySet<string> = new Set(['disk-torn', 'disk-rollback'])

/**
 * If only these faults stopped keepalived, the product itself starts it again: a drill, even if its agent dies half
 * way.
 */
const bringsBack: ReadonlySet<string> = new Set([
  'drill',
  'drill-holder',
  'kill-agent',
  'kill-agent-in-fence',
])
/** After these faults an admin may want keepalived to stay stopped. */
const adminsStops: ReadonlySet<string> = new Set(['stop-keepalived', 'leave'])
/** A hold-down doubles with each fence in the last hour, and with each start that failed. */
const holdDownFirstMs = 5000
const holdDownMostMs = 300_000
const hourMs = 3_600_000

/** Under these faults a heartbeat may arrive long after it was sent. */
const holdsNewsBack: ReadonlySet<string> = new Set([
  'cut-link',
  'cut-one-way',
  'isolate',
  'isolate-one-way',
  'unplug',
  'loss',
])

interface Episode {
  readonly faults: string[]
  active: number
  /** When its last fault ended. */
  healedAtMs: number | null
  changes: number
  fences: number
  /** Nodes that fenced themselves, which may be held down for longer. */
  readonly fenced: Set<string>
  judgedL3: boolean
  /** The cluster was calm when the episode began; only then is the cost of a single fault judged. */
  readonly beganCalm: boolean
}

export class LivenessWatch {
  readonly #timing: Timing
  readonly #violations: Violation[] = []
  readonly #held = new Set<string>()
  /** Nodes whose keepalived does not run. */
  readonly #stopped = new Set<string>()
  readonly #fencedAtMs = new Map<string, readonly number[]>()
  /** Of this episode. */
  readonly #missed = new Set<string>()
  readonly #letGoAtMs = new Map<string, number>()
  readonly #slowestTakeoverMs: number
  readonly #graceMs: number
  /** A keepalived that waits for fewer adverts tries the sooner again. */
  readonly #haste: number
  #episode: Episode = newEpisode(false)
  #holder: string | null = null
  #darkSinceMs: number | null = null
  #wasLit = false
  #calm = false
  #nowMs = 0

  constructor(timing: Timing, setting: LivenessSetting) {
    this.#timing = timing
    const { version = 2, advertIntMs, downTimerAdverts, nodes, graceMs = wellGraceMs } = setting
    this.#graceMs = graceMs
    this.#haste = Math.max(1, 3 / (downTimerAdverts ?? 3))
    const each = nodes.map(({ priority }) => ({ version, priority, advertIntMs, downTimerAdverts }) as const)
    this.#slowestTakeoverMs =
      timing.gate === 'strict'
        ? timing.reserveMs + applicationMs + Math.max(...each.map(masterDownMs))
        : Math.max(...each.map((vrrp) => slowestTakeoverMs(vrrp, timing)))
  }

  get violations(): readonly Violation[] {
    return this.#violations
  }

  take({ atMs, fact }: Timed): void {
    this.pass(atMs)
    if (fact.type === 'vip') this.#takeVip(fact)
    else if (fact.type === 'lease') this.#takeLease(fact)
    else if (fact.type === 'fault') this.#takeFault(fact)
    else if (fact.type === 'fencing') this.#takeFencing(fact)
    else if (fact.type === 'ordered') this.#takeOrder(fact)
    else if (fact.type === 'program') this.#takeProgram(fact)
    else if (fact.type === 'calm') this.#calm = true
  }

  /** As time passes, judges what had to have happened by now. */
  pass(atMs: number): void {
    this.#nowMs = atMs
    const { healedAtMs, judgedL3, faults } = this.#episode
    const { reserveMs } = this.#timing
    const forgetMs = faults.some((fault) => forgetting.has(fault.split(' ')[0] ?? '')) ? reserveMs : 0
    const settledMs = reserveMs + this.#slowestTakeoverMs + 1000 + forgetMs
    if (healedAtMs !== null && this.#stopped.size > 0) this.#judgeRejoins(healedAtMs, settledMs)
    if (healedAtMs === null || judgedL3 || atMs < healedAtMs + settledMs) return
    this.#episode.judgedL3 = true
    this.#judgeReturns(settledMs)
    if (this.#held.size !== 1)
      this.#violate(
        'L3',
        `${settledMs.toFixed(0)} ms after the last fault (${this.#episode.faults.join(', ')}) ${this.#held.size} nodes have the VIP`,
      )
  }

  /** L2: a node that was stopped on purpose and for a moment can take the VIP again. */
  #judgeReturns(settledMs: number): void {
    const { faults, beganCalm, fenced } = this.#episode
    if (!beganCalm || !faults.every((fault) => bringsBack.has(fault.split(' ')[0] ?? ''))) return
    for (const node of this.#stopped)
      if (!fenced.has(node))
        this.#violate(
          'L2',
          `keepalived on ${node} is still stopped ${settledMs.toFixed(0)} ms after ${faults.join(', ')}`,
        )
  }

  /** L3: a node that was fenced takes part again after its hold-down, whatever happened to the agent that fenced it. */
  #judgeRejoins(healedAtMs: number, settledMs: number): void {
    const { faults, fenced } = this.#episode
    for (const node of this.#stopped) {
      if (!fenced.has(node) || this.#missed.has(node)) continue
      if (faults.some((fault) => fault.endsWith(` ${node}`) && adminsStops.has(fault.split(' ')[0] ?? '')))
        continue
      const fences = this.#fencedAtMs.get(node) ?? []
      const holdMs = Math.min(holdDownFirstMs * 2 ** fences.length, holdDownMostMs)
      const sinceMs = Math.max(healedAtMs, ...fences)
      if (this.#nowMs < sinceMs + settledMs + holdMs) continue
      this.#missed.add(node)
      this.#violate(
        'L3',
        `keepalived on ${node} is still stopped ${Math.round(this.#nowMs - sinceMs)} ms after ${faults.join(', ')} and its last fence`,
      )
    }
  }

  #violate(invariant: string, text: string): void {
    this.#violations.push({ invariant, atMs: this.#nowMs, text })
  }

  #takeVip({ node, held }: Fact & { type: 'vip' }): void {
    if (held) this.#held.add(node)
    else {
      this.#held.delete(node)
      this.#letGoAtMs.set(node, this.#nowMs)
    }
    if (this.#held.size === 0) this.#darkSinceMs = this.#nowMs
    else if (this.#darkSinceMs !== null) this.#endOutage(this.#darkSinceMs)
  }

  #takeLease({ node, untilMs }: Fact & { type: 'lease' }): void {
    if (untilMs <= this.#nowMs || node === this.#holder) return
    if (this.#holder !== null) this.#countChange()
    this.#holder = node
  }

  #countChange(): void {
    const { faults, beganCalm } = this.#episode
    this.#episode.changes += 1
    const { changes } = this.#episode
    // One when a fault begins, and one when it ends.
    const mostChanges = 2 * faults.length
    if (beganCalm && changes > mostChanges)
      this.#violate('L4', `${changes} changes of holder for ${faults.length} faults (${faults.join(', ')})`)
  }

  #endOutage(sinceMs: number): void {
    this.#darkSinceMs = null
    if (!this.#wasLit) {
      this.#wasLit = true
      return
    }
    const { faults, beganCalm } = this.#episode
    const [only] = faults
    if (!beganCalm || faults.length !== 1 || only === undefined) return
    const lastedMs = this.#nowMs - sinceMs
    const kind = only.split(' ')[0] ?? ''
    const takeoverMs = forgetting.has(kind)
      ? this.#slowestTakeoverMs + this.#timing.reserveMs
      : this.#slowestTakeoverMs
    const mostMs = costsNothing.has(kind) ? 0 : takeoverMs
    if (lastedMs > mostMs + this.#graceMs)
      this.#violate(
        'L1',
        `nobody had the VIP for ${Math.round(lastedMs)} ms under ${only} alone; the bound is ${Math.round(mostMs)} ms`,
      )
  }

  #takeFault({ kind, where, on }: Fact & { type: 'fault' }): void {
    if (on) {
      if (this.#episode.active === 0) {
        this.#episode = newEpisode(this.#calm)
        this.#missed.clear()
        this.#calm = false
      }
      this.#episode.faults.push(`${kind} ${where}`)
      this.#episode.active += 1
      this.#episode.healedAtMs = null
    } else {
      this.#episode.active -= 1
      if (this.#episode.active === 0) this.#episode.healedAtMs = this.#nowMs
    }
  }

  /** A host that boots has healed when its daemons run. */
  #takeProgram({ host, program, state }: Fact & { type: 'program' }): void {
    if (program === 'keepalived') {
      if (state === 'ended') this.#stopped.add(host)
      else this.#stopped.delete(host)
    }
    if (program !== 'keepalived' && state === 'running' && this.#episode.healedAtMs !== null)
      this.#episode.healedAtMs = this.#nowMs
  }

  #takeFencing({ node, reason }: Fact & { type: 'fencing' }): void {
    const { faults, beganCalm } = this.#episode
    this.#episode.fences += 1
    this.#episode.fenced.add(node)
    const recent = (this.#fencedAtMs.get(node) ?? []).filter((atMs) => this.#nowMs - atMs < hourMs)
    this.#fencedAtMs.set(node, [...recent, this.#nowMs])
    if (!beganCalm) return
    const kinds = faults.map((fault) => fault.split(' ')[0] ?? '')
    const moves = kinds.includes(callsForMove)
    const isDisturbance = (kind: string): boolean =>
      kind === callsForMove || (disturbances.has(kind) && !(moves && withholdsVotes.has(kind)))
    if (kinds.every(isDisturbance))
      this.#violate('L5', `${node} was stopped under ${faults.join(', ')}: ${reason}`)
    // The beginning and the end of each fault may cost one fence each; more is a loop.
    // As long as a disk is slow or full, both nodes may try in vain.
    const triesInVain = faults.some((fault) => fault.startsWith('disk-')) ? 2 : 0
    const mostFences = Math.ceil(this.#haste * (2 * faults.length + 1 + triesInVain))
    if (this.#episode.fences > mostFences)
      this.#violate('L4', `${this.#episode.fences} fences for ${faults.length} faults (${faults.join(', ')})`)
  }

  /**
   * What the witness knows is as old as a heartbeat, so a node that released the VIP within that time can take it again
   * at once. What a repaired path delivers late is older, up to the time after which a silent voter is given up. Such
   * an order does no harm, because a node that has won the lease in the meantime does not obey it.
   */
  #takeOrder({ node }: Fact & { type: 'ordered' }): void {
    if (!this.#held.has(node)) return
    const heldBack = this.#episode.faults.some((fault) => holdsNewsBack.has(fault.split(' ')[0] ?? ''))
    const freshMs = this.#nowMs - (heldBack ? silenceMs(this.#timing) : this.#timing.renewMs)
    const others = [...this.#letGoAtMs].filter(([other, atMs]) => other !== node && atMs >= freshMs)
    if (this.#held.size === 1 && others.length === 0)
      this.#violate('L2', `${node} was ordered to stop while no other node had the VIP`)
  }
}

function newEpisode(beganCalm: boolean): Episode {
  return {
    beganCalm,
    faults: [],
    active: 0,
    healedAtMs: null,
    changes: 0,
    fences: 0,
    fenced: new Set(),
    judgedL3: false,
  }
}
