/** `npm run bench`: what the product costs and how fast it is, measured. Tables on stdout, messages on stderr. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { formattedPage } from '../formatted-page.ts'
import { availableParallelism } from 'node:os'
import { sweepAbandonedFolders } from '../lab/lab-folder.ts'
import { buildProduct } from '../lab/lab-programs.ts'
import { Pool } from '../lab/pool.ts'
import { assertPrerequisites } from '../lab/prerequisites.ts'
import { type ScenarioResult } from '../lab/runner.ts'
import { type Scenario } from '../lab/scenario.ts'
import { scenariosNamed } from '../lab/scenarios/index.ts'
import { withQuietPair } from './bench-lab.ts'
import { checkSection, measureCheck } from './check-cost.ts'
import { fenceSection, measureFence } from './fence-path.ts'
import { fleetSection, measureFleet } from './fleet.ts'
import { idleSection, measureIdle } from './idle-cost.ts'
import { documentText, type Section, sectionIds, sectionText } from './markdown.ts'
import { measurePrograms, programsSection } from './program-starts.ts'
import { brokenMusts, measureScenarios, type Outcome, scenariosSection } from './scenario-table.ts'
import { readSetting, settingText } from './setting.ts'

/** The sizes of a fleet that are measured. */
const fleets: readonly number[] = [100, 400]
const parts = ['idle', 'check', 'fence', 'programs', 'fleet'] as const
type Part = (typeof parts)[number]

interface Options {
  readonly runs: number
  readonly checkRuns: number
  readonly idleSeconds: number
  readonly jobs: number
  readonly pairs: readonly number[]
  readonly only?: readonly Part[]
  readonly scenarios?: true | readonly string[]
  readonly json: boolean
  readonly write?: string
}

function tell(text: string): void {
  process.stderr.write(`${text}\n`)
}

function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!Number.isInteger(value) || value < least)
      throw new InvalidArgumentError(`a whole number from ${least} on is expected`)
    return value
  }
}

async function bench(options: Options): Promise<void> {
  const scenarios = options.scenarios === undefined ? [] : chosenScenarios(options.scenarios)
  // The scenarios take hours, so if only they are requested, only they are measured.
  const wanted = new Set<Part>(options.only ?? (options.scenarios === undefined ? parts : []))
  assertPrerequisites()
  sweepAbandonedFolders()
  const setting = await readSetting()
  const from = settingText(setting, ['npm run bench --', ...process.argv.slice(2)].join(' '))
  const stamp = `${setting.at.slice(0, 10)}, ${setting.product}`
  const product = await buildProduct()
  const measured: Record<string, unknown> = { setting }
  const sections: Section[] = []
  const add = (section: Section, figures: unknown): void => {
    measured[section.id] = figures
    sections.push(section)
    write(options, [section])
    if (!options.json) process.stdout.write(`${sectionText(section)}\n\n`)
  }

  if (wanted.has('idle') || wanted.has('check') || wanted.has('programs'))
    await withQuietPair(product, async (cluster) => {
      if (wanted.has('idle')) {
        tell(`idle: watching for ${options.idleSeconds} s`)
        const idle = await measureIdle(cluster, options.idleSeconds)
        add(idleSection(idle, from), idle)
      }
      if (wanted.has('check')) {
        tell(`check: ${options.checkRuns} runs`)
        const check = await measureCheck(cluster, { product, runs: options.checkRuns })
        add(checkSection(check, from), check)
      }
      if (wanted.has('programs')) {
        tell('programs: starting each several times')
        const programs = await measurePrograms(cluster, product)
        add(programsSection(programs, from), programs)
      }
    })
  const pool = new Pool(options.jobs)
  const { runs } = options
  if (wanted.has('fence')) {
    const fence = await measureFence({ product, runs, pool, tell })
    add(fenceSection(fence, from), fence)
  }
  if (wanted.has('fleet')) {
    const fleet = []
    for (const pairs of options.pairs) fleet.push(await measureFleet({ pairs, product, tell }))
    add(fleetSection(fleet, from), fleet)
  }
  if (scenarios.length > 0) {
    const told = (outcomes: readonly Outcome[]): void =>
      write(options, [scenariosSection(outcomes, { setting: from, stamp })])
    const outcomes = await measureScenarios({ scenarios, product, runs, pool, tell, told })
    add(scenariosSection(outcomes, { setting: from, stamp }), outcomes.map(publicOutcome))
    const broken = brokenMusts(outcomes)
    for (const line of broken) tell(`BROKEN: ${line}`)
    if (broken.length > 0) process.exitCode = 1
  }
  const { write: page } = options
  if (page !== undefined) writeFileSync(page, await formattedPage(page, readFileSync(page, 'utf8')))
  if (options.json) process.stdout.write(`${JSON.stringify(measured, null, 2)}\n`)
}

function chosenScenarios(names: true | readonly string[]): readonly Scenario[] {
  try {
    return scenariosNamed(names === true ? ['all'] : names)
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
}

/** Writes each part as soon as it is measured, because a later one may fail. */
function write({ write: path }: Options, sections: readonly Section[]): void {
  if (path === undefined) return
  const existing = existsSync(path) ? readFileSync(path, 'utf8') : null
  writeFileSync(`${path}.new`, documentText(existing, sections))
  renameSync(`${path}.new`, path)
}

function publicOutcome(outcome: Outcome): unknown {
  return outcome.kind === 'measured' ? publicResult(outcome.result) : outcome
}

function publicResult({ figures, broken, notJudged, runs }: ScenarioResult): unknown {
  const perRun = runs.map(({ fault, healed, whole }) => ({ fault, healed, whole }))
  return { ...figures, broken, notJudged, perRun }
}

// Exit handlers of the lab power every host off and remove the folders.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)
  process.on(signal, () => process.exit(code))

const program = new Command('bench')
  .description(
    'Measures what the product costs and how fast it is, in the lab. Needs root and a quiet machine.',
  )
  .addOption(new Option('--only <part...>', `measure only these parts: ${parts.join(', ')}`).choices(parts))
  .option('--scenarios [name...]', 'run the scenarios of the lab (all, or these) instead of the parts')
  .addOption(new Option('--runs <n>', 'runs of each lab scenario').argParser(wholeNumber(1)).default(5))
  .addOption(new Option('--check-runs <n>', 'runs of the check').argParser(wholeNumber(1)).default(500))
  .addOption(
    new Option('--idle-seconds <n>', 'how long to watch the idle pair')
      .argParser(wholeNumber(30))
      .default(60),
  )
  .addOption(
    new Option('--jobs <n>', 'labs in parallel')
      .argParser(wholeNumber(1))
      .default(Math.max(1, availableParallelism() - 1)),
  )
  .addOption(
    new Option('--pairs <n...>', 'how many pairs the fleet has')
      .argParser((text: string, before: readonly number[] | undefined) => [
        ...(before === fleets ? [] : (before ?? [])),
        wholeNumber(1)(text),
      ])
      .default(fleets),
  )
  .option('--json', 'machine-readable on stdout', false)
  .option(
    '--write <file>',
    `put the tables into this document (docs/BENCH.md); its sections (${sectionIds.join(', ')}) and rows that are not measured now are kept`,
  )
  .addHelpText(
    'after',
    '\nExit code: 0 measured, 1 a must of a scenario is broken or the lab failed, 2 wrong usage.',
  )
  .exitOverride()

try {
  program.parse()
  await bench(program.opts<Options>())
} catch (error) {
  if (error instanceof InvalidArgumentError) tell(`error: ${error.message}`)
  if (error instanceof Error && 'exitCode' in error) process.exit(error.exitCode === 0 ? 0 : 2)
  tell(error instanceof Error ? error.message : String(error))
  process.exit(1)
}
