/** Runs scenarios many times and reports what held. */
import { type Arbiter } from './arbiter.ts'
import { type ClusterUnderTest } from './cluster-under-test.ts'
import { scenarioFigures, type ScenarioFigures } from './figures.ts'
import { LabFolder } from './lab-folder.ts'
import { type MeasuredRun } from './measured-run.ts'
import { type Pool } from './pool.ts'
import { type Pace, runScenario } from './scenario-run.ts'
import { type Must, type Scenario } from './scenario.ts'
import { longestStallMs, watchStalls } from './stalls.ts'

/** A must that did not hold. */
export interface Broken {
  readonly must: string
  readonly seen: string
  /** Which run, counted from one; null: a bound over all runs. */
  readonly run: number | null
  /** Where the logs of that run are kept. */
  readonly logs: string | null
}

export interface ScenarioResult {
  readonly figures: ScenarioFigures
  readonly runs: readonly MeasuredRun[]
  readonly broken: readonly Broken[]
  /** Bounds that need the figures of keepalived alone, which were not measured. */
  readonly notJudged: readonly string[]
}

export interface RunnerOptions {
  readonly pace: Pace
  /** The built programs; not needed with `arbiter: none`. */
  readonly product: string | null
  readonly pool: Pool
  /** Runs per scenario. */
  readonly runs: number
  readonly tell: (text: string) => void
  readonly linger?: (cluster: ClusterUnderTest) => Promise<void>
}

export interface Judged {
  readonly run: MeasuredRun
  readonly broken: readonly Broken[]
  /** The longest time for which the machine made a program wait that must be in time (stalls.ts). */
  readonly stalledMs: number
}

type OneRun = Pick<RunnerOptions, 'pace' | 'product' | 'linger'> & { arbiter: Arbiter; number: number }

/**
 * One run with its own lab, repeated if it says nothing about the musts. The musts apply to runs with the witness;
 * keepalived alone is measured but not judged.
 * @throws Error if the lab itself fails.
 */
export async function runOnce(
  scenario: Scenario,
  options: OneRun & { tell: (text: string) => void },
): Promise<Judged> {
  return untilPremisesHold(scenario, options.tell, () => runInLab(scenario, options))
}

/** A busy machine may spoil a run; one that spoils all of them is no place to judge. */
export const attemptsAtMost = 3

/**
 * Longer stalls spoil a run in which something broke: musts allow two owners for 250 ms, and a permit, a lease and the
 * adverts of keepalived have a second or two. A run in which everything held anyway is as good as any.
 */
export const longestHarmlessStallMs = 200

/**
 * Repeats a run whose premises do not hold, or in which something broke while the machine stood still. If the last run is
 * like that, too, that counts as broken, whatever its musts say.
 */
export async function untilPremisesHold(
  { name, premises = [] }: Pick<Scenario, 'name' | 'premises'>,
  tell: (text: string) => void,
  attempt: () => Promise<Judged>,
): Promise<Judged> {
  for (let number = 1; ; number += 1) {
    const judged = await attempt()
    const missing =
      judged.run.arbiter === 'none' ? [] : [...brokenOf(premises, judged.run), ...stalls(judged)]
    if (missing.length === 0) return judged
    const told = missing.map(({ must, seen }) => `${must}: ${seen}`).join('; ')
    tell(`${name}: attempt ${number} of ${attemptsAtMost} says nothing about the musts (${told})`)
    if (number < attemptsAtMost) continue
    const spoilt = missing.map((each) => ({
      must: `one of ${attemptsAtMost} attempts is as the scenario says (${each.must})`,
      seen: each.seen,
      run: judged.broken[0]?.run ?? null,
      logs: judged.broken[0]?.logs ?? null,
    }))
    return { ...judged, broken: [...spoilt, ...judged.broken] }
  }
}

/** There is no time in them, so no stall excuses them. */
const timeless = /^invariant S[1456]$/

/** What broke goes with it, because it is told only here if the next run is well. */
function stalls({ broken, stalledMs }: Judged): readonly Pick<Broken, 'must' | 'seen'>[] {
  if (broken.length === 0 || stalledMs <= longestHarmlessStallMs) return []
  if (broken.some(({ must }) => timeless.test(must))) return []
  const consequences = broken.map(({ must, seen, logs }) => `${must}: ${seen} (logs in ${logs ?? '-'})`)
  return [
    {
      must: `the machine keeps nobody waiting for more than ${longestHarmlessStallMs} ms`,
      seen: `it did so for ${stalledMs} ms, and this broke: ${consequences.join('; ')}`,
    },
  ]
}

async function runInLab(scenario: Scenario, options: OneRun): Promise<Judged> {
  const folder = new LabFolder(options.pace === 'quick' ? 'memory' : 'disk')
  const { arbiter, pace, product, linger, number } = options
  const seenStalls = watchStalls()
  const run = await runScenario({
    scenario,
    arbiter,
    pace,
    product,
    folder,
    number,
    ...(linger === undefined ? {} : { linger }),
    settle: (measured) => {
      if (brokenIn(measured, scenario).length > 0) folder.keep()
    },
  })
  const broken = brokenIn(run, scenario).map((each) => ({ ...each, run: number, logs: folder.path }))
  const { fault, healed } = run.spans
  return { run, broken, stalledMs: longestStallMs(seenStalls, { fromMs: fault.fromMs, toMs: healed.toMs }) }
}

/** What the run broke of its scenario's musts, and of what must hold in every run. */
function brokenIn(run: MeasuredRun, { musts }: Scenario): readonly Pick<Broken, 'must' | 'seen'>[] {
  if (run.arbiter === 'none') return []
  const violated = run.violations.map(({ invariant, atMs, text }) => {
    const seconds = (atMs - run.spans.fault.fromMs) / 1000
    return { must: `invariant ${invariant}`, seen: `${text} (${seconds.toFixed(3)} s after the fault began)` }
  })
  const found = run.complaints.map((seen) => ({ must: 'what the scenario looks at in the end', seen }))
  return [...brokenOf(musts, run), ...found, ...violated]
}

function brokenOf(musts: readonly Must[], run: MeasuredRun): readonly Pick<Broken, 'must' | 'seen'>[] {
  return musts.flatMap((must) => {
    const seen = must.broken(run)
    return seen === null ? [] : [{ must: must.says, seen }]
  })
}

/**
 * All runs of a scenario, through the pool. A run that fails is reported beside those that were measured.
 * @throws Error if not a single run could be measured.
 */
export async function runScenarioOften(
  scenario: Scenario,
  arbiter: Arbiter,
  options: RunnerOptions,
): Promise<ScenarioResult> {
  const { pool, pace, product, tell, linger } = options
  const outcomes = await Promise.allSettled(
    Array.from({ length: options.runs }, (_, index) =>
      pool.run(async () => {
        const number = index + 1
        const result = await runOnce(scenario, {
          arbiter,
          pace,
          product,
          number,
          tell,
          ...(linger === undefined ? {} : { linger }),
        })
        tell(`${scenario.name} (arbiter ${arbiter}): run ${number} of ${options.runs} done`)
        return result
      }),
    ),
  )
  const judged = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const failed = outcomes.flatMap((outcome, index) =>
    outcome.status === 'rejected' ? [{ error: asError(outcome.reason), number: index + 1 }] : [],
  )
  if (judged.length === 0 && failed[0] !== undefined) throw failed[0].error
  const runs = judged.map(({ run }) => run)
  return {
    figures: scenarioFigures(runs),
    runs,
    broken: [
      ...judged.flatMap(({ broken }) => broken),
      ...failed.map(({ error, number }) => ({
        must: 'the run can be measured',
        seen: error.message,
        run: number,
        logs: null,
      })),
    ],
    notJudged: [],
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

/** Adds the bounds on time, which are judged over all runs. */
export function judgeTiming(
  scenario: Scenario,
  result: ScenarioResult,
  alone: ScenarioFigures | null,
): ScenarioResult {
  if (result.figures.arbiter === 'none') return result
  const notJudged = scenario.benchMusts.filter(({ needsAlone }) => needsAlone && alone === null)
  const broken = scenario.benchMusts
    .filter((must) => !notJudged.includes(must))
    .flatMap((must) => {
      const seen = must.broken(result.figures, alone)
      return seen === null ? [] : [{ must: must.says, seen, run: null, logs: null }]
    })
  return { ...result, broken: [...result.broken, ...broken], notJudged: notJudged.map(({ says }) => says) }
}
