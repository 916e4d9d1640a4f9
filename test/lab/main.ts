/** `npm run lab`: real keepalived, real faults, real numbers. Results on stdout, messages on stderr. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { availableParallelism } from 'node:os'
import { type Arbiter, arbiters } from './arbiter.ts'
import { type ClusterUnderTest } from './cluster-under-test.ts'
import { adminFolder } from './daemon-config.ts'
import { figuresTable } from './figures.ts'
import { sweepAbandonedFolders } from './lab-folder.ts'
import { buildProduct } from './lab-programs.ts'
import { productMount } from './namespace-host.ts'
import { Pool } from './pool.ts'
import { assertPrerequisites } from './prerequisites.ts'
import { judgeTiming, type RunnerOptions, runScenarioOften, type ScenarioResult } from './runner.ts'
import { scenarios, scenariosNamed, UnknownScenarioError } from './scenarios/index.ts'
import { type Scenario } from './scenario.ts'
import { recordTraces, UnknownTraceError } from './trace-command.ts'

interface RunArguments {
  readonly runs: number
  readonly jobs: number
  readonly arbiter: Arbiter | 'both'
  readonly quick: boolean
  readonly json: boolean
  readonly keep: boolean
}

function tell(text: string): void {
  process.stderr.write(`${text}\n`)
}

function positive(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('a whole number above 0 is expected')
  return value
}

function list(): void {
  const width = Math.max(...scenarios.map(({ name }) => name.length))
  for (const { name, fault } of scenarios) process.stdout.write(`${name.padEnd(width)}  ${fault}\n`)
}

async function run(names: readonly string[], options: RunArguments): Promise<void> {
  const chosen = scenariosNamed(names)
  assertPrerequisites()
  sweepAbandonedFolders()
  const product = options.arbiter === 'none' ? null : await buildProduct()
  const pool = new Pool(options.keep ? 1 : options.jobs)
  const outcomes = await Promise.allSettled(
    chosen.map((scenario) => compare(scenario, { ...options, product, pool })),
  )
  const results = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []))
  if (options.json) process.stdout.write(`${JSON.stringify(results.map(publicResult), null, 2)}\n`)
  const failures = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
  )
  for (const failure of failures) tell(failure instanceof Error ? failure.message : String(failure))
  process.exitCode = failures.length > 0 || results.some(({ broken }) => broken.length > 0) ? 1 : 0
}

async function compare(
  scenario: Scenario,
  options: RunArguments & Pick<RunnerOptions, 'product' | 'pool'>,
): Promise<readonly ScenarioResult[]> {
  const runner = {
    pool: options.pool,
    product: options.product,
    pace: options.quick ? 'quick' : 'full',
    runs: options.runs,
    tell,
    ...(options.keep ? { linger: untilInterrupted } : {}),
  } as const
  const wanted: readonly Arbiter[] = options.arbiter === 'both' ? ['none', 'witness'] : [options.arbiter]
  const arbitersHere = wanted.filter((arbiter) => arbiter === 'witness' || scenario.comparable)
  if (arbitersHere.length === 0)
    tell(`${scenario.name}: is skipped, because it means nothing without the product`)
  const measured = await Promise.all(
    arbitersHere.map((arbiter) => runScenarioOften(scenario, arbiter, runner)),
  )
  const alone = measured.find(({ figures }) => figures.arbiter === 'none')?.figures ?? null
  const judged = measured.map((result) => judgeTiming(scenario, result, alone))
  if (!options.json) for (const result of judged) process.stdout.write(`${resultText(result)}\n\n`)
  return judged
}

function resultText(result: ScenarioResult): string {
  const broken = result.broken.map(
    ({ must, seen, run: number, logs }) =>
      `  BROKEN: ${must}: ${seen}${number === null ? '' : ` (run ${number}${logs === null ? '' : `, logs in ${logs}`})`}`,
  )
  const notJudged = result.notJudged.map((must) => `  not judged (needs --arbiter both): ${must}`)
  return [figuresTable(result.figures), ...broken, ...notJudged].join('\n')
}

function publicResult({ figures, runs, broken, notJudged }: ScenarioResult): unknown {
  return {
    ...figures,
    broken,
    notJudged,
    perRun: runs.map(({ fault, healed, whole, violations, facts, siege }) => ({
      fault,
      healed,
      whole,
      violations,
      facts,
      siege,
    })),
  }
}

async function untilInterrupted(cluster: ClusterUnderTest): Promise<void> {
  tell(`The lab stays up until Ctrl-C; its files are in ${cluster.folderPath}. To look inside a host:`)
  for (const name of ['lb01', 'lb02', 'witness', 'client'] as const)
    if (cluster.hasPower(name)) tell(`  nsenter -t ${cluster.host(name).initPid} -a    # ${name}`)
  if (cluster.setup.arbiter === 'witness') {
    const control = `node ${productMount}/witnessctl.cjs --identity ${adminFolder}`
    tell(`To ask the witness: nsenter -t ${cluster.host('witness').initPid} -a ${control} status`)
  }
  await new Promise(() => setInterval(() => undefined, 60_000))
}

// Exit handlers power every host off and remove the folders.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)
  process.on(signal, () => process.exit(code))

const program = new Command('lab')
  .description(
    'A keepalived pair, a witness and a client in network namespaces, and the faults that break such pairs.',
  )
  .exitOverride()
program.command('list').description('the scenarios and their faults').action(list)
program
  .command('run')
  .description('run scenarios; a family name means all its variants, "all" means everything')
  .argument('<scenario...>')
  .addOption(new Option('--runs <n>', 'runs of each scenario').argParser(positive).default(1))
  .addOption(
    new Option('--arbiter <who>', 'who resolves split brain')
      .choices([...arbiters, 'both'])
      .default('witness'),
  )
  .addOption(
    new Option('--jobs <n>', 'labs in parallel; for exact times use few')
      .argParser(positive)
      .default(Math.max(1, availableParallelism() - 1)),
  )
  .option(
    '--quick',
    'end each run as soon as everything is settled; shows who won, but not how long clients are unanswered',
    false,
  )
  .option('--json', 'machine-readable results on stdout', false)
  .option('--keep', 'leave the lab up after the run, to look inside, until Ctrl-C', false)
  .addHelpText(
    'after',
    '\nExit code: 0 everything held, 1 a must or an invariant is broken or the lab failed, 2 wrong usage.',
  )
  .action(run)
program
  .command('trace')
  .description(
    "record what keepalived alone does, for the simulator's model of it; without names: list the traces",
  )
  .argument('[name...]')
  .option('--all', 'every trace', false)
  .option('--write <folder>', 'write each trace to NAME.json in this folder; otherwise to stdout')
  .addOption(
    new Option('--jobs <n>', 'traces in parallel; a busy machine makes their times inexact')
      .argParser(positive)
      .default(availableParallelism()),
  )
  .action(recordTraces)

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = exitCodeOf(error)
  if (!(error instanceof CommanderError)) tell(error instanceof Error ? error.message : String(error))
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  return error instanceof UnknownScenarioError || error instanceof UnknownTraceError ? 2 : 1
}
