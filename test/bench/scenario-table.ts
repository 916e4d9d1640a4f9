/** Every scenario of the lab, with the witness and, if that makes sense, with keepalived alone. */
import { type Arbiter } from '../lab/arbiter.ts'
import { figureText, type PhaseSummary, type ScenarioFigures } from '../lab/figures.ts'
import { type Pool } from '../lab/pool.ts'
import { judgeTiming, runScenarioOften, type ScenarioResult } from '../lab/runner.ts'
import { type Scenario } from '../lab/scenario.ts'
import { scenarios } from '../lab/scenarios/index.ts'
import { type Section } from './markdown.ts'

/** A scenario with one arbiter: what was measured, or why it was not. */
export type Outcome =
  | { readonly kind: 'measured'; readonly result: ScenarioResult }
  | { readonly kind: 'failed'; readonly scenario: string; readonly arbiter: Arbiter; readonly reason: string }

/** @param told called when a scenario is done, so that its figures are not lost if a later one hangs. */
export async function measureScenarios(options: {
  scenarios: readonly Scenario[]
  product: string
  runs: number
  pool: Pool
  tell: (text: string) => void
  told: (outcomes: readonly Outcome[]) => void
}): Promise<readonly Outcome[]> {
  const all = options.scenarios.map(async (scenario) => {
    const outcomes = await compare(scenario, options)
    options.told(outcomes)
    return outcomes
  })
  return (await Promise.all(all)).flat()
}

async function compare(
  scenario: Scenario,
  options: { product: string; runs: number; pool: Pool; tell: (text: string) => void },
): Promise<readonly Outcome[]> {
  const arbiters: readonly Arbiter[] = scenario.comparable ? ['none', 'witness'] : ['witness']
  const outcomes = await Promise.all(
    arbiters.map(async (arbiter): Promise<Outcome> => {
      try {
        const result = await runScenarioOften(scenario, arbiter, { ...options, pace: 'full' })
        return { kind: 'measured', result }
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        return { kind: 'failed', scenario: scenario.name, arbiter, reason }
      }
    }),
  )
  const alone = outcomes.flatMap((outcome) =>
    outcome.kind === 'measured' && outcome.result.figures.arbiter === 'none' ? [outcome.result.figures] : [],
  )
  return outcomes.map((outcome) =>
    outcome.kind === 'measured'
      ? { ...outcome, result: judgeTiming(scenario, outcome.result, alone[0] ?? null) }
      : outcome,
  )
}

export function brokenMusts(outcomes: readonly Outcome[]): readonly string[] {
  return outcomes.flatMap((outcome) => {
    if (outcome.kind === 'failed')
      return [`${outcome.scenario} (${arbiterText(outcome.arbiter)}): not measured: ${outcome.reason}`]
    const { figures, broken } = outcome.result
    return broken.map(
      ({ must, seen, run }) =>
        `${figures.scenario} (${arbiterText(figures.arbiter)}${run === null ? '' : `, run ${run}`}): ${must}: ${seen}`,
    )
  })
}

/**
 * @param stamp goes into each row and says when and of what it was measured, because rows of earlier runs stay in the
 * document.
 */
export function scenariosSection(
  outcomes: readonly Outcome[],
  { setting, stamp }: { setting: string; stamp: string },
): Section {
  const order = scenarios.map(({ name }) => name)
  return {
    id: 'scenarios',
    title: 'Scenarios of the lab',
    how:
      'Real keepalived on hosts made of namespaces; all figures in ms. Overlap: two nodes had the VIP. Outage: none had it. ' +
      'Dark: the client’s longest stretch without an answer (it asks every 20 ms). Each during the fault | after the heal. ' +
      'Wrong: answers from the other node while two had the VIP. Overlap and outage come from `ip -ts monitor address`.',
    setting,
    table: {
      head: [
        ...[
          'scenario',
          'arbiter',
          'runs',
          'overlap, fault',
          'overlap, heal',
          'outage, fault',
          'outage, heal',
        ],
        ...[
          'dark, fault',
          'dark, heal',
          'wrong',
          'holder changes',
          'has the VIP at the end',
          'musts',
          'measured',
        ],
      ],
      rows: outcomes.map((outcome) =>
        outcome.kind === 'measured'
          ? [...rowOf(outcome.result.figures, outcome.result.broken.length), stamp]
          : [
              outcome.scenario,
              arbiterText(outcome.arbiter),
              '0',
              ...Array<string>(9).fill(''),
              'not measured',
              stamp,
            ],
      ),
    },
    notes: brokenMusts(outcomes).map((broken) => `BROKEN: ${broken}`),
    keyCells: 2,
    rank: ([scenario = '', arbiter = '']) =>
      2 * order.indexOf(scenario) + (arbiter === arbiterText('none') ? 0 : 1),
  }
}

function rowOf(figures: ScenarioFigures, broken: number): string[] {
  const { scenario, arbiter, runs, fault, healed, whole } = figures
  const both = (measure: 'overlapMs' | 'outageMs' | 'longestDarkMs'): string[] => [
    figureText(fault[measure]),
    figureText(healed[measure]),
  ]
  return [
    scenario,
    arbiterText(arbiter),
    String(runs),
    ...both('overlapMs'),
    ...both('outageMs'),
    ...both('longestDarkMs'),
    figureText(whole.wrongAnswers),
    figureText(whole.holderChanges),
    winnersText(healed, runs),
    arbiter === 'none' ? 'not judged' : broken === 0 ? 'held' : `${broken} BROKEN`,
  ]
}

function winnersText({ winners }: PhaseSummary, runs: number): string {
  return Object.entries(winners)
    .map(([winner, count]) => (count === runs ? winner : `${winner} ×${count}`))
    .join(', ')
}

function arbiterText(arbiter: Arbiter): string {
  return arbiter === 'none' ? 'keepalived alone' : 'witness'
}
