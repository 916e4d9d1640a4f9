/** What the simulator prints about its runs. */
import type { Violation } from '../../invariants/facts.ts'
import type { RunOutcome } from '../run/run.ts'
import type { Totals } from './tally.ts'

export interface Outlets {
  /** Progress and messages. */
  readonly tell: (text: string) => void
  /** Data. */
  readonly print: (text: string) => void
  readonly json: boolean
}

export interface Effort {
  readonly wallMs: number
  /** CPU time of this process, all its threads. */
  readonly cpuMs: number
  readonly jobs: number
}

const minuteMs = 60_000

export function replayCommand({ seed, hours }: { seed: number; hours: number }): string {
  return `npm run sim -- --seed ${seed}${hours === 1 ? '' : ` --hours ${hours}`} --trace`
}

export function violationText({ invariant, atMs, text }: Violation): string {
  return `${invariant} broken at ${(atMs / 1000).toFixed(1)} s: ${text}`
}

/** A violation with the command that replays it. */
export function brokenRunText(outcome: RunOutcome, command: string): string {
  return [`seed ${outcome.seed}`, ...outcome.violations.map(violationText), command].join('\n  ')
}

/**
 * Cluster-hours per minute, once of wall-clock time and core, once of CPU time, which is the same on a busy machine.
 */
export function pace({ clusterHours }: Totals, effort: Effort): { perCore: number; perCpu: number } {
  return {
    perCore: (clusterHours / effort.wallMs / effort.jobs) * minuteMs,
    perCpu: (clusterHours / effort.cpuMs) * minuteMs,
  }
}

export function summaryText(totals: Totals, effort: Effort): string {
  const { perCore, perCpu } = pace(totals, effort)
  const { runs, broken, clusterHours, hoursRun, faults, events, longestOverlapMs } = totals
  return [
    `${broken} of ${runs} runs broke an invariant`,
    `${clusterHours.toFixed(clusterHours < 10 ? 2 : 0)} cluster-hours, ${hoursRun.toFixed(hoursRun < 10 ? 2 : 1)} of them run event by event (quiet stretches are skipped)`,
    `${faults} faults, ${events} events; longest overlap ${longestOverlapMs.toFixed(0)} ms`,
    `${(effort.wallMs / 1000).toFixed(1)} s with ${effort.jobs} jobs: ${perCore.toFixed(0)} cluster-hours per minute and core (${perCpu.toFixed(0)} per minute of CPU time)`,
  ].join('\n')
}
