/** One run of the simulator: takes a schedule and returns what was seen and which invariants were broken. */
import { ArmingWatch } from '../../invariants/arming.ts'
import { LivenessWatch } from '../../invariants/liveness.ts'
import type { Timed, Violation } from '../../invariants/facts.ts'
import { PromiseWatch } from '../../invariants/promises.ts'
import { SafetyWatch } from '../../invariants/safety.ts'
import { WeightWatch } from '../../invariants/weights.ts'
import { masterDownMs } from '../../../shared/core/timing.ts'
import { Chance } from '../world/chance.ts'
import { Cluster } from './cluster.ts'
import { begin, end, type FaultKind } from '../faults/faults.ts'
import { nodeNames } from '../world/names.ts'
import {
  drawSchedule,
  type Episode,
  type PlannedFault,
  type Schedule,
  type Setup,
} from '../faults/schedule.ts'
import { Timeline } from '../world/timeline.ts'
import { TraceHash } from '../watch/trace-hash.ts'
import { Witnessing, type Listener } from '../watch/witnessing.ts'

export interface RunOutcome {
  readonly seed: number
  readonly violations: readonly Violation[]
  /** Cluster time that the schedule covers, quiet stretches included. */
  readonly calendarMs: number
  /** Cluster time in which every event was run. */
  readonly simulatedMs: number
  readonly events: number
  readonly faults: number
  readonly longestOverlapMs: number
  readonly traceHash: string
}

export interface RunOptions {
  readonly listeners?: readonly Listener[]
  /** Each message goes through JSON and the production parser. */
  readonly onTheWire?: boolean
  /** Ends the run at the first violation. */
  readonly stopAtFirst?: boolean
}

/** After the last fault of an episode every event is run for at least this long, and until the cluster is calm. */
const settleMs = 12_000
/** How long before the next episode a leap ends, so that faults meet every phase of the heartbeats. */
const leadMs = 1500
/** A cluster that never becomes calm is simulated without leaps. */
const coldStartMs = 15_000
/** What hinders an installation is mended later than that. */
const installMs = 25_000

/** @param focus every second fault is of one of these kinds; none: all kinds are equally likely */
export function scheduleOf(seed: number, hours: number, focus: readonly FaultKind[] = []): Schedule {
  return drawSchedule(seed, new Chance(seed), { hours, focus })
}

/** An exception of a production core is a violation as well, named `crash`. */
export function runSchedule(schedule: Schedule, options: RunOptions = {}): RunOutcome {
  const run = new Run(schedule, options)
  run.go()
  return run.outcome()
}

/** The first stack frames say where it happened. */
function crashText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return (error.stack ?? error.message).split('\n').slice(0, 3).join(' ').replace(/\s+/g, ' ')
}

/** The lowest priority that a node may run with: a negative weight counts while its script fails. */
function lowest({ app }: Pick<Setup, 'app'>) {
  return <T extends { readonly priority: number }>(node: T): T => ({
    ...node,
    priority: Math.max(1, node.priority + Math.min(0, app?.weight ?? 0)),
  })
}

class Run {
  readonly #schedule: Schedule
  readonly #timeline = new Timeline()
  readonly #chance: Chance
  readonly #cluster: Cluster
  readonly #witnessing: Witnessing
  readonly #safety: SafetyWatch
  readonly #liveness: LivenessWatch
  readonly #promises: PromiseWatch
  readonly #arming: ArmingWatch
  readonly #weights: WeightWatch
  readonly #hash = new TraceHash()
  readonly #stopAtFirst: boolean
  #leaptMs = 0
  #events = 0
  #faults = 0
  #crash: Violation | null = null
  /** Faults that have begun and not ended. */
  #active = 0
  #lastChangeMs = 0

  constructor(schedule: Schedule, { listeners = [], onTheWire = false, stopAtFirst = true }: RunOptions) {
    this.#schedule = schedule
    this.#stopAtFirst = stopAtFirst
    // A different stream of chance from the one that drew the schedule, so that a shrunk schedule keeps its chance.
    this.#chance = new Chance(schedule.seed ^ 0x5bd1e995)
    const watches: Listener = { fact: (timed) => this.#watch(timed) }
    this.#witnessing = new Witnessing(this.#timeline, {
      listeners: [watches, this.#hash, ...listeners],
      onTheWire,
    })
    this.#cluster = new Cluster(this.#timeline, {
      setup: schedule.setup,
      chance: this.#chance,
      witnessing: this.#witnessing,
    })
    const { timing } = this.#cluster
    this.#safety = new SafetyWatch(timing, { beginsArmed: false })
    this.#promises = new PromiseWatch(timing)
    const { downTimerAdverts, nopreempt, priorities } = schedule.setup
    const vrrp = { advertIntMs: 1000, downTimerAdverts }
    this.#arming = new ArmingWatch(timing, {
      slowestPromotionMs: 2 * masterDownMs({ version: 2, priority: 1, ...vrrp }),
    })
    const nodes = nodeNames.map((name, index) => ({ name, priority: priorities[index] ?? 100 }))
    this.#liveness = new LivenessWatch(timing, { nodes: nodes.map(lowest(schedule.setup)), ...vrrp })
    this.#weights = new WeightWatch(timing, {
      nodes,
      preempts: !nopreempt && timing.gate === 'open',
      ...vrrp,
    })
  }

  go(): void {
    try {
      this.#runWhole()
    } catch (error) {
      this.#crash = { invariant: 'crash', atMs: this.#timeline.nowMs, text: crashText(error) }
    }
  }

  #runWhole(): void {
    this.#runUntil(this.#schedule.setup.install === null ? coldStartMs : installMs)
    for (const episode of this.#schedule.episodes) {
      this.#leapTo(episode.atMs - leadMs)
      if (!this.#runUntil(Math.max(this.#timeline.nowMs, this.#toTimeline(episode.atMs)))) return
      if (!this.#play(episode)) return
    }
    const endMs = this.#schedule.hours * 3_600_000
    this.#leapTo(endMs)
    this.#runUntil(this.#toTimeline(endMs))
  }

  outcome(): RunOutcome {
    return {
      seed: this.#schedule.seed,
      violations: this.#violations(),
      calendarMs: this.#timeline.nowMs + this.#leaptMs,
      simulatedMs: this.#timeline.nowMs,
      events: this.#events,
      faults: this.#faults,
      longestOverlapMs: this.#safety.longestOverlapMs,
      traceHash: this.#hash.text,
    }
  }

  #violations(): readonly Violation[] {
    const crash = this.#crash === null ? [] : [this.#crash]
    return [
      ...crash,
      ...this.#safety.violations,
      ...this.#promises.violations,
      ...this.#arming.violations,
      ...this.#liveness.violations,
      ...this.#weights.violations,
    ]
  }

  /** Asked after each event. */
  get #isBroken(): boolean {
    return (
      this.#safety.violations.length > 0 ||
      this.#promises.violations.length > 0 ||
      this.#arming.violations.length > 0 ||
      this.#liveness.violations.length > 0 ||
      this.#weights.violations.length > 0
    )
  }

  #watch(timed: Timed): void {
    this.#safety.take(timed)
    this.#promises.take(timed)
    this.#arming.take(timed)
    this.#liveness.take(timed)
    this.#weights.take(timed)
  }

  #toTimeline(calendarMs: number): number {
    return calendarMs - this.#leaptMs
  }

  /**
   * Nothing can happen in a quiet stretch that did not happen at its beginning, because decisions do not depend on
   * absolute time.
   */
  #leapTo(calendarMs: number): void {
    const awayMs = this.#toTimeline(calendarMs) - this.#timeline.nowMs
    if (awayMs <= 0 || this.#active > 0 || !this.#cluster.calm) return
    if (this.#timeline.nowMs - this.#lastChangeMs < settleMs) return
    this.#leaptMs += awayMs
  }

  /** @returns false: a violation ends the run. */
  #runUntil(untilMs: number): boolean {
    while (this.#timeline.step(untilMs)) {
      this.#events += 1
      if (this.#stopAtFirst && this.#isBroken) return false
    }
    this.#liveness.pass(this.#timeline.nowMs)
    this.#arming.pass(this.#timeline.nowMs)
    this.#weights.pass(this.#timeline.nowMs)
    return !this.#stopAtFirst || !this.#isBroken
  }

  #play({ faults }: Episode): boolean {
    const startMs = this.#timeline.nowMs
    if (this.#cluster.calm) this.#witnessing.fact({ type: 'calm' })
    const ends = faults.map((fault) => {
      this.#timeline.at(startMs + fault.afterMs, () => this.#begin(fault))
      const endsAtMs = startMs + fault.afterMs + fault.lastsMs
      this.#timeline.at(endsAtMs, () => this.#end(fault))
      return endsAtMs
    })
    const lastEndMs = Math.max(startMs, ...ends)
    if (!this.#runUntil(lastEndMs)) return false
    this.#lastChangeMs = lastEndMs
    return this.#runUntil(lastEndMs + settleMs)
  }

  #begin(fault: PlannedFault): void {
    this.#faults += 1
    this.#active += 1
    this.#witnessing.fact({ type: 'fault', kind: fault.kind, where: fault.where, on: true })
    begin(this.#cluster, fault)
  }

  #end(fault: PlannedFault): void {
    this.#active -= 1
    end(this.#cluster, fault)
    this.#witnessing.fact({ type: 'fault', kind: fault.kind, where: fault.where, on: false })
  }
}
