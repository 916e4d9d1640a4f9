/** Summarises many runs of a scenario: median, least, most. */
import { type LabNode } from './address-plan.ts'
import { type Arbiter } from './arbiter.ts'
import { type MeasuredRun, type PhaseFigures } from './measured-run.ts'

export interface Figure {
  readonly median: number
  readonly min: number
  readonly max: number
}

const measures = [
  'overlapMs',
  'outageMs',
  'longestDarkMs',
  'darkMs',
  'wrongAnswers',
  'answers',
  'holderChanges',
] as const
export type Measure = (typeof measures)[number]

export const measureTitles: Readonly<Record<Measure, string>> = {
  overlapMs: 'overlap, ms',
  outageMs: 'outage, ms',
  longestDarkMs: 'client dark, longest, ms',
  darkMs: 'client dark, in all, ms',
  wrongAnswers: 'answers from the wrong node',
  answers: 'answers',
  holderChanges: 'holder changes',
}

export type PhaseSummary = Readonly<Record<Measure, Figure>> & {
  /** Who had the VIP at the end of the phase, and in how many runs. */
  readonly winners: Readonly<Record<string, number>>
}

export interface ScenarioFigures {
  readonly scenario: string
  readonly arbiter: Arbiter
  readonly runs: number
  readonly fault: PhaseSummary
  readonly healed: PhaseSummary
  readonly whole: PhaseSummary
}

export function figureOf(values: readonly number[]): Figure {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = sorted.length >> 1
  const at = (index: number): number => sorted[index] ?? Number.NaN
  const median = sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2
  return { median: grain(median), min: grain(at(0)), max: grain(at(sorted.length - 1)) }
}

/** A tenth of a millisecond is as precise as the figures are. */
function grain(value: number): number {
  return Math.round(value * 10) / 10
}

export function scenarioFigures(runs: readonly MeasuredRun[]): ScenarioFigures {
  const first = runs[0]
  if (first === undefined) throw new Error('no runs to summarise')
  return {
    scenario: first.scenario,
    arbiter: first.arbiter,
    runs: runs.length,
    fault: summary(runs.map(({ fault }) => fault)),
    healed: summary(runs.map(({ healed }) => healed)),
    whole: summary(runs.map(({ whole }) => whole)),
  }
}

function summary(phases: readonly PhaseFigures[]): PhaseSummary {
  const figure = (measure: Measure): Figure => figureOf(phases.map((phase) => phase[measure]))
  const winners: Record<string, number> = {}
  for (const phase of phases) {
    const winner = ownersText(phase.ownersAtEnd)
    winners[winner] = (winners[winner] ?? 0) + 1
  }
  return {
    overlapMs: figure('overlapMs'),
    outageMs: figure('outageMs'),
    longestDarkMs: figure('longestDarkMs'),
    darkMs: figure('darkMs'),
    wrongAnswers: figure('wrongAnswers'),
    answers: figure('answers'),
    holderChanges: figure('holderChanges'),
    winners,
  }
}

export function ownersText(owners: readonly LabNode[]): string {
  return owners.length === 0 ? 'nobody' : owners.join(' and ')
}

export function figureText({ median, min, max }: Figure): string {
  return min === max ? String(median) : `${median} [${min}–${max}]`
}

/** The summary as a table for people. */
export function figuresTable(figures: ScenarioFigures): string {
  const rows = measures.map((measure) => [
    measureTitles[measure],
    figureText(figures.fault[measure]),
    figureText(figures.healed[measure]),
  ])
  const winners = (phase: PhaseSummary): string =>
    Object.entries(phase.winners)
      .map(([winner, count]) => (count === figures.runs ? winner : `${winner} ×${count}`))
      .join(', ')
  rows.push(['has the VIP at the end', winners(figures.fault), winners(figures.healed)])
  const title = `${figures.scenario} (arbiter ${figures.arbiter}, ${figures.runs} ${figures.runs === 1 ? 'run' : 'runs'})`
  const table = [[title, 'during the fault', 'after the heal'], ...rows]
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
