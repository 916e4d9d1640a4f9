/** The command line of the simulator. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { availableParallelism } from 'node:os'

export interface SeedRange {
  readonly from: number
  /** How many seeds; null: until the time is up. */
  readonly seeds: number | null
  /** When to stop; null: after the last seed. */
  readonly minutes: number | null
  /** Cluster-hours that each seed makes. */
  readonly hours: number
  /** Whether the last seed has to be reached; if so, it is a failure when the time is up before. */
  readonly whole: boolean
}

export type Request = { readonly jobs: number; readonly json: boolean } & (
  | { readonly kind: 'seeds'; readonly range: SeedRange }
  | { readonly kind: 'replay'; readonly seed: number; readonly hours: number; readonly trace: boolean }
  | {
      readonly kind: 'shrink'
      readonly seed: number
      readonly hours: number
      /** The name of the scenario that is kept; null: it is only printed. */
      readonly keep: string | null
      readonly story: string | null
    }
  /** `name` null: all of them. */
  | { readonly kind: 'scenarios'; readonly name: string | null; readonly trace: boolean }
)
export type RequestKind = Request['kind']

/** The command line is wrong or asks for help (`exitCode` 2 or 0). The message has not been printed yet. */
export class UsageError extends Error {
  readonly exitCode: 0 | 2

  constructor(message: string, exitCode: 0 | 2) {
    super(message)
    this.exitCode = exitCode
  }
}

/** The same seeds each time, so that what fails in CI fails at home; the nightly run uses fresh ones. */
export const ciRange: SeedRange = { from: 1, seeds: 6_000, minutes: 30, hours: 1, whole: true }

const defaultSeeds = 100

interface Given {
  readonly seeds?: number
  readonly from?: number
  readonly minutes?: number
  readonly hours?: number
  readonly jobs?: number
  readonly seed?: number
  readonly trace?: boolean
  readonly shrink?: boolean
  readonly keep?: string
  readonly story?: string
  readonly scenario?: string
  readonly scenarios?: boolean
  readonly ci?: boolean
  readonly json?: boolean
}
type Name = keyof Given

/** Which options each option may be combined with, apart from `--jobs` and `--json`. */
const companions: Readonly<Record<Name, readonly Name[]>> = {
  seed: ['hours', 'trace', 'shrink', 'keep', 'story'],
  scenario: ['trace'],
  scenarios: [],
  ci: [],
  seeds: ['from', 'minutes', 'hours'],
  from: ['seeds', 'minutes', 'hours'],
  minutes: ['seeds', 'from', 'hours'],
  hours: ['seed', 'seeds', 'from', 'minutes', 'trace', 'shrink', 'keep', 'story'],
  trace: ['seed', 'scenario', 'hours'],
  shrink: ['seed', 'hours', 'keep', 'story'],
  keep: ['seed', 'hours', 'shrink', 'story'],
  story: ['seed', 'hours', 'shrink', 'keep'],
  jobs: [],
  json: [],
}
const always: ReadonlySet<string> = new Set<Name>(['jobs', 'json'])
/** Options that mean nothing without one of these. */
const needed: Readonly<Partial<Record<Name, readonly [Name, ...Name[]]>>> = {
  trace: ['seed', 'scenario'],
  shrink: ['seed'],
  keep: ['shrink'],
  story: ['keep'],
}

/** @throws UsageError */
export function parseRequest(args: readonly string[]): Request {
  const written: string[] = []
  const program = commandLine().configureOutput({
    writeOut: (text) => written.push(text),
    writeErr: (text) => written.push(text),
  })
  try {
    program.parse(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    throw new UsageError(written.join('').trimEnd(), error.exitCode === 0 ? 0 : 2)
  }
  const given: Given = program.opts()
  const wrong = findConflict(given)
  if (wrong !== null) throw new UsageError(`error: ${wrong}`, 2)
  return { ...requestOf(given), jobs: given.jobs ?? availableParallelism(), json: given.json ?? false }
}

type Asked = Request extends infer R ? (R extends Request ? Omit<R, 'jobs' | 'json'> : never) : never

function requestOf(given: Given): Asked {
  const { seed, hours = 1, trace = false } = given
  if (given.ci === true) return { kind: 'seeds', range: ciRange }
  if (given.scenarios === true || given.scenario !== undefined)
    return { kind: 'scenarios', name: given.scenario ?? null, trace }
  if (seed !== undefined && given.shrink === true)
    return { kind: 'shrink', seed, hours, keep: given.keep ?? null, story: given.story ?? null }
  if (seed !== undefined) return { kind: 'replay', seed, hours, trace }
  const minutes = given.minutes ?? null
  const seeds = given.seeds ?? (minutes === null ? defaultSeeds : null)
  return { kind: 'seeds', range: { from: given.from ?? 1, seeds, minutes, hours, whole: false } }
}

function findConflict(given: Given): string | null {
  const names = (Object.keys(given) as Name[]).filter((name) => !always.has(name))
  for (const name of names) {
    const missing = needed[name]
    if (missing !== undefined && !missing.some((other) => names.includes(other)))
      return `--${name} needs ${missing.map((other) => `--${other}`).join(' or ')}`
    const stranger = names.find((other) => other !== name && !companions[name].includes(other))
    if (stranger !== undefined) return `--${name} cannot be combined with --${stranger}`
  }
  return null
}

function commandLine(): Command {
  return new Command('sim')
    .description(
      'The production cores against a model of keepalived, a network, disks, clocks and faults. One seed makes one run.',
    )
    .addOption(
      new Option(
        '--seeds <n>',
        `how many seeds (default ${defaultSeeds}; with --minutes: no limit)`,
      ).argParser(wholeNumber(1)),
    )
    .addOption(new Option('--from <n>', 'the first seed (default 1)').argParser(wholeNumber(0)))
    .addOption(new Option('--minutes <n>', 'stop when the time is up').argParser(aboveZero))
    .addOption(new Option('--hours <n>', 'cluster-hours of each seed (default 1)').argParser(aboveZero))
    .addOption(new Option('--jobs <n>', 'runs in parallel (default: one per core)').argParser(wholeNumber(1)))
    .addOption(new Option('--seed <n>', 'run this seed alone').argParser(wholeNumber(0)))
    .option('--trace', 'print everything that happens in the run')
    .option('--shrink', 'look for the smallest schedule that breaks the same invariant as the seed')
    .addOption(new Option('--keep <name>', 'keep the shrunk schedule as a scenario').argParser(scenarioName))
    .option('--story <text>', 'what happens in the kept scenario, in one line')
    .addOption(new Option('--scenario <name>', 'run a kept scenario').argParser(scenarioName))
    .option('--scenarios', 'run every kept scenario')
    .option(
      '--ci',
      `seeds ${ciRange.from} to ${ciRange.seeds ?? 0}, one hour each, within ${ciRange.minutes ?? 0} minutes`,
    )
    .option('--json', 'machine-readable on stdout')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      '\n--mutants [--only NAME] and --faults [--runs N] [--write] are modes of their own and must be the first option.\n\nExit code: 0 nothing broken, 1 an invariant is broken, or --ci was too slow, 2 wrong usage.',
    )
    .exitOverride()
}

function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < least)
      throw new InvalidArgumentError(`A whole number from ${least} on is expected.`)
    return value
  }
}

function aboveZero(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0)
    throw new InvalidArgumentError('A number above 0 is expected.')
  return value
}

function scenarioName(text: string): string {
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(text))
    throw new InvalidArgumentError('Lower-case words joined by "-" are expected.')
  return text
}
