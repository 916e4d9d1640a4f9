/**
 * What each single fault costs while the witness is dead: with the vote of the standby delegated to the holder, and
 * without. docs/FAULTS.md has the tables (dead-witness-page.ts).
 */
import type { Timed, Violation } from '../../invariants/facts.ts'
import { statisticsOf } from '../../bench/statistics.ts'
import { runSchedule } from '../run/run.ts'
import type { Listener } from '../watch/witnessing.ts'
import { nodeNames, witnessHostName } from '../world/names.ts'
import type { FaultKind } from './faults.ts'
import type { PlannedFault, Schedule } from './schedule.ts'

const [holder, standby] = nodeNames

interface SecondFault {
  readonly says: string
  readonly kind: FaultKind
  readonly where: string
  /** Begins together with the silence of the witness; absent: when it has long been silent. */
  readonly fromTheBeginning?: true
}

const secondFaults: readonly SecondFault[] = [
  { says: 'the host of the standby dies', kind: 'crash-host', where: standby },
  { says: 'the link between the nodes is cut', kind: 'cut-link', where: `${holder}>${standby}` },
  { says: 'the network of the standby is lost', kind: 'isolate', where: standby },
  { says: 'the agent of the standby dies', kind: 'kill-agent', where: standby },
  { says: 'keepalived is stopped on the standby', kind: 'stop-keepalived', where: standby },
  {
    says: 'the disk of the standby was full all the time',
    kind: 'disk-full',
    where: standby,
    fromTheBeginning: true,
  },
  {
    says: 'the disk of the standby was slow all the time',
    kind: 'disk-slow',
    where: standby,
    fromTheBeginning: true,
  },
  {
    says: 'the disk of the holder was full all the time',
    kind: 'disk-full',
    where: holder,
    fromTheBeginning: true,
  },
  { says: 'VRRP is blocked', kind: 'vrrp-block', where: 'everywhere' },
  { says: 'keepalived is stopped on the holder', kind: 'stop-keepalived', where: holder },
  { says: 'keepalived is killed on the holder', kind: 'kill-keepalived', where: holder },
  { says: 'keepalived is frozen on the holder', kind: 'freeze-keepalived', where: holder },
  { says: 'the agent of the holder dies', kind: 'kill-agent', where: holder },
  { says: 'the host of the holder dies', kind: 'crash-host', where: holder },
]

const beginsAtMs = 20_000
const faultMs = 30_000
/** The episode is looked at for so long after the last fault. */
const afterMs = 15_000

/** A way in which the witness is silent. */
export interface Silence {
  readonly name: 'dead' | 'dead, back soon' | 'restarts'
  /** What the table says above the column. */
  readonly says: string
  readonly delegateAfterMs: number
  /** From its death until the second fault. */
  readonly beforeMs: number
  /** From the second fault until it is back. */
  readonly backAfterMs: number
}

/** Decisions do not depend on absolute time: after a day the pair is as it is after these seconds. */
const scaledMs = 5000
const longMs = 15_000
const neverBackMs = faultMs + afterMs
const restartMs = 60_000

export const silences: readonly (readonly Silence[])[] = [
  [
    {
      name: 'dead',
      says: 'without delegation',
      delegateAfterMs: 0,
      beforeMs: longMs,
      backAfterMs: neverBackMs,
    },
    {
      name: 'dead',
      says: 'with delegation',
      delegateAfterMs: scaledMs,
      beforeMs: longMs,
      backAfterMs: neverBackMs,
    },
    {
      name: 'dead, back soon',
      says: 'without; the witness is back 10 s after the fault',
      delegateAfterMs: 0,
      beforeMs: longMs,
      backAfterMs: 10_000,
    },
    {
      name: 'dead, back soon',
      says: 'with; the witness is back 10 s after the fault',
      delegateAfterMs: scaledMs,
      beforeMs: longMs,
      backAfterMs: 10_000,
    },
  ],
  [
    {
      name: 'restarts',
      says: 'without delegation',
      delegateAfterMs: 0,
      beforeMs: restartMs / 2,
      backAfterMs: restartMs / 2,
    },
    {
      name: 'restarts',
      says: 'after 300 s (the default)',
      delegateAfterMs: 300_000,
      beforeMs: restartMs / 2,
      backAfterMs: restartMs / 2,
    },
    {
      name: 'restarts',
      says: 'after 10 s (too soon)',
      delegateAfterMs: 10_000,
      beforeMs: restartMs / 2,
      backAfterMs: restartMs / 2,
    },
  ],
]

/** In these runs the fault outlasts the restart of the witness by as much again. */
const faultBesideRestartMs = restartMs

function scheduleOf(seed: number, second: SecondFault, silence: Silence): Schedule {
  const { beforeMs, backAfterMs, delegateAfterMs, name } = silence
  const lastsMs = name === 'restarts' ? faultBesideRestartMs : faultMs
  const { kind, where, fromTheBeginning } = second
  const fault: PlannedFault =
    fromTheBeginning === true
      ? { kind, where, afterMs: 0, lastsMs: beforeMs + lastsMs }
      : { kind, where, afterMs: beforeMs, lastsMs }
  return {
    seed,
    hours: (beginsAtMs + beforeMs + lastsMs + 60_000) / 3_600_000,
    setup: {
      priorities: [150, 100],
      nopreempt: true,
      fence: 'stop',
      gate: 'open',
      naming: 'same',
      ratesPpm: [0, 0, 0],
      startsAtMs: [0, 0, 0],
      install: null,
      delegateAfterMs,
      app: null,
      downTimerAdverts: 3,
    },
    episodes: [
      {
        // In a different phase of heartbeats and adverts in each run.
        atMs: beginsAtMs + ((seed * 137) % 1000),
        faults: [
          { kind: 'kill-witness', where: witnessHostName, afterMs: 0, lastsMs: beforeMs + backAfterMs },
          fault,
        ],
      },
    ],
  }
}

/** How long no kernel has the VIP in all, from the death of the witness on. */
class DarkWatch implements Listener {
  readonly #held = new Set<string>()
  #begun = false
  #darkSinceMs: number | null = null
  #darkMs = 0

  darkMs(endMs: number): number {
    return this.#darkMs + (this.#darkSinceMs === null ? 0 : endMs - this.#darkSinceMs)
  }

  fact({ atMs, fact }: Timed): void {
    if (fact.type === 'fault') this.#begun = true
    if (fact.type !== 'vip') return
    if (fact.held) this.#held.add(fact.node)
    else this.#held.delete(fact.node)
    if (this.#held.size > 0 && this.#darkSinceMs !== null) {
      this.#darkMs += atMs - this.#darkSinceMs
      this.#darkSinceMs = null
    } else if (this.#held.size === 0 && this.#begun) this.#darkSinceMs ??= atMs
  }
}

export interface DeadWitnessFigures {
  readonly says: string
  /** For each silence: how long nobody had the VIP, for each run. */
  readonly darkMs: readonly (readonly number[])[]
  readonly violations: readonly Violation[]
}

export function measureDeadWitness(columns: readonly Silence[], runs: number): DeadWitnessFigures[] {
  return secondFaults.map((second) => {
    const violations: Violation[] = []
    const darkMs = columns.map((silence) =>
      Array.from({ length: runs }, (_, index) => {
        const watch = new DarkWatch()
        const outcome = runSchedule(scheduleOf(index + 1, second, silence), { listeners: [watch] })
        violations.push(...outcome.violations)
        return watch.darkMs(outcome.simulatedMs)
      }),
    )
    return { says: second.says, darkMs, violations }
  })
}

export function deadWitnessTable(
  columns: readonly Silence[],
  figures: readonly DeadWitnessFigures[],
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const head = ['what happens then', ...columns.map(({ says }) => says)]
  const rows = figures.map(({ says, darkMs }) => line([says, ...darkMs.map(secondsOf)]))
  return [line(head), line(head.map(() => '---')), ...rows].join('\n')
}

function secondsOf(valuesMs: readonly number[]): string {
  const { median, min, max } = statisticsOf(valuesMs)
  if (max === 0) return '0'
  const seconds = (ms: number): string => (ms / 1000).toFixed(1)
  return `${seconds(median)} s [${seconds(min)}–${seconds(max)}]`
}
