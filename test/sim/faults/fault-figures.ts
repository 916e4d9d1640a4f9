/** What each fault alone costs, in the simulator: many runs of one fault on a calm cluster, as a table for docs/FAULTS.md. */
import { statisticsOf } from '../../bench/statistics.ts'
import type { Timed, Violation } from '../../invariants/facts.ts'
import { faultBook } from './fault-book.ts'
import { faultKinds, placesOf, type FaultKind } from './faults.ts'
import { nodeNames } from '../world/names.ts'
import { runSchedule } from '../run/run.ts'
import type { Schedule } from './schedule.ts'
import type { Listener } from '../watch/witnessing.ts'

/** What one run showed after the fault began. */
interface Cost {
  readonly overlapMs: number
  readonly longestOutageMs: number
  readonly changes: number
  readonly fences: number
}

export interface FaultFigures {
  readonly kind: FaultKind
  readonly where: string
  readonly runs: number
  readonly overlapMs: readonly number[]
  readonly outageMs: readonly number[]
  readonly mostChanges: number
  readonly mostFences: number
  readonly violations: readonly Violation[]
}

const beginsAtMs = 20_000
const lastsMs = 8000
/** Long enough for the cluster to recover. */
const hours = 50_000 / 3_600_000
const [first] = nodeNames

/** lb01 has the higher priority and starts first: it is the holder. */
function scheduleOf(seed: number, kind: FaultKind, where: string): Schedule {
  return {
    seed,
    hours,
    setup: {
      priorities: [150, 100],
      // A weight moves the VIP only where keepalived preempts.
      nopreempt: kind !== 'weight-fails',
      fence: 'stop',
      gate: 'open',
      naming: 'same',
      ratesPpm: [0, 0, 0],
      startsAtMs: [0, 0, 0],
      install: null,
      delegateAfterMs: 300_000,
      app: kind === 'weight-fails' ? { weight: -60, told: true } : null,
      downTimerAdverts: 3,
    },
    // The fault begins in a different phase of heartbeats and adverts in each run.
    episodes: [{ atMs: beginsAtMs + ((seed * 137) % 1000), faults: [{ kind, where, afterMs: 0, lastsMs }] }],
  }
}

class CostWatch implements Listener {
  readonly #held = new Set<string>()
  #begun = false
  #overlapSinceMs: number | null = null
  #darkSinceMs: number | null = null
  #holder: string | null = null
  #overlapMs = 0
  #longestOutageMs = 0
  #changes = 0
  #fences = 0

  get cost(): Cost {
    return {
      overlapMs: this.#overlapMs,
      longestOutageMs: this.#longestOutageMs,
      changes: this.#changes,
      fences: this.#fences,
    }
  }

  fact({ atMs, fact }: Timed): void {
    if (fact.type === 'fault') this.#begun = true
    if (fact.type === 'fencing' && this.#begun) this.#fences += 1
    if (fact.type === 'lease' && fact.untilMs > atMs && fact.node !== this.#holder) {
      if (this.#begun) this.#changes += 1
      this.#holder = fact.node
    }
    if (fact.type !== 'vip') return
    if (fact.held) this.#held.add(fact.node)
    else this.#held.delete(fact.node)
    if (this.#overlapSinceMs !== null && this.#held.size < 2) {
      this.#overlapMs += atMs - this.#overlapSinceMs
      this.#overlapSinceMs = null
    } else if (this.#held.size === 2) this.#overlapSinceMs = atMs
    if (this.#darkSinceMs !== null && this.#held.size > 0) {
      this.#longestOutageMs = Math.max(this.#longestOutageMs, atMs - this.#darkSinceMs)
      this.#darkSinceMs = null
    } else if (this.#held.size === 0 && this.#begun) this.#darkSinceMs = atMs
  }
}

export function measureFault(kind: FaultKind, where: string, runs: number): FaultFigures {
  const costs: Cost[] = []
  const violations: Violation[] = []
  for (let seed = 1; seed <= runs; seed++) {
    const watch = new CostWatch()
    const outcome = runSchedule(scheduleOf(seed, kind, where), { listeners: [watch] })
    costs.push(watch.cost)
    violations.push(...outcome.violations)
  }
  return {
    kind,
    where,
    runs,
    overlapMs: costs.map(({ overlapMs }) => overlapMs),
    outageMs: costs.map(({ longestOutageMs }) => longestOutageMs),
    mostChanges: Math.max(...costs.map(({ changes }) => changes)),
    mostFences: Math.max(...costs.map(({ fences }) => fences)),
    violations,
  }
}

/** Every fault at every place. */
export function measureAll(runs: number): FaultFigures[] {
  return faultKinds.flatMap((kind) => placesOf(kind).map((where) => measureFault(kind, where, runs)))
}

/** `lb01` is the holder in these runs. */
function placeText(where: string): string {
  return where
    .split('>')
    .map((host) => (host === first ? 'holder' : nodeNames.some((name) => name === host) ? 'standby' : host))
    .join(' → ')
}

export function figuresTable(figures: readonly FaultFigures[]): string {
  const rows = figures.map(({ kind, where, overlapMs, outageMs, mostChanges, mostFences }) => {
    const { happens, expected, lab } = faultBook[kind]
    return [
      `**${kind}**: ${happens}`,
      placeText(where),
      expected,
      rangeOf(overlapMs, 1),
      rangeOf(outageMs, 0),
      `${mostChanges} / ${mostFences}`,
      lab.length === 0 ? 'simulator' : `simulator; lab: ${lab.map((name) => `\`${name}\``).join(', ')}`,
    ]
  })
  const head = [
    'fault',
    'where',
    'expected',
    'overlap ms',
    'longest outage ms',
    'changes / fences at most',
    'tested in',
  ]
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function rangeOf(values: readonly number[], digits: number): string {
  const { median, min, max } = statisticsOf(values)
  if (max === 0) return '0'
  return `${median.toFixed(digits)} [${min.toFixed(digits)}–${max.toFixed(digits)}]`
}
