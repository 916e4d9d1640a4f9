/** What `npm test` and `npm run test:nightly` run, in their order. */
import { join } from 'node:path'
import { inCI } from './skip-aloud.ts'

const root = join(import.meta.dirname, '..')
const minuteMs = 60_000

export interface Part {
  readonly name: string
  readonly command: readonly [string, ...string[]]
  /** A part that is not done by then hangs. */
  readonly limitMs: number
  /** Where mocha writes its counts; null: the part is no mocha run. */
  readonly countsFile: string | null
  readonly env?: Readonly<Record<string, string>>
}

interface Suites {
  readonly files: readonly string[]
  /** Where the counts go. */
  readonly folder: string
  readonly limitMs: number
  readonly env?: Readonly<Record<string, string>>
  readonly options?: readonly string[]
}

/** Files of suites side by side, on both cores; the labs have a width of their own. */
const parallel = ['--parallel', '--jobs', '2']

function mocha(name: string, { files, folder, limitMs, env = {}, options = [] }: Suites): Part {
  const countsFile = join(folder, `${name}.json`)
  const program = join(root, 'node_modules/mocha/bin/mocha.js')
  const reporter = ['--reporter', './test/counts-reporter.ts', '--reporter-option', `counts=${countsFile}`]
  // In whatever way a test is skipped.
  const strict = inCI ? ['--forbid-pending'] : []
  const command = [process.execPath, program, ...strict, ...reporter, ...options, ...files] as const
  return { name, command, limitMs, countsFile, env }
}

function npmRun(name: string, args: readonly string[], limitMs: number): Part {
  return { name, command: ['npm', 'run', '--silent', ...args], limitMs, countsFile: null }
}

function preparation(): readonly Part[] {
  const purposes = ['lab', 'unit', 'package', 'hosts'] as const
  return [
    ...purposes.map((purpose): Part => ({
      name: `packages for ${purpose}`,
      command: ['deploy/debian-packages', '--for', purpose],
      limitMs: 15 * minuteMs,
      countsFile: null,
    })),
    npmRun('build', ['build'], 5 * minuteMs),
  ]
}

function suites(
  folder: string,
  { effort, patience }: { readonly effort: string; readonly patience: number },
): readonly Part[] {
  const env = { TEST_EFFORT: effort }
  return [
    mocha('unit', {
      files: ['test/unit/**/*.test.ts'],
      folder,
      env,
      limitMs: patience * 10 * minuteMs,
      options: parallel,
    }),
    mocha('programs', {
      files: ['test/programs/**/*.test.ts'],
      folder,
      env,
      limitMs: patience * 10 * minuteMs,
      options: parallel,
    }),
    mocha('proof', {
      files: ['golden', 'mutants', 'sim', 'walk'].map((room) => `test/${room}/**/*.test.ts`),
      folder,
      limitMs: 15 * minuteMs,
    }),
    mocha('lab', { files: ['test/lab/**/*.test.ts'], folder, limitMs: patience * 30 * minuteMs }),
    mocha('hosts', { files: ['test/hosts/**/*.test.ts'], folder, limitMs: 20 * minuteMs }),
  ]
}

/**
 * Everything that matters, once; the parts of a group run side by side. Hosts mostly wait, for boots and for timers, so
 * the simulation gets what they leave of the processors, and nothing else: nobody waits for it.
 */
export function everydayParts(folder: string): readonly (readonly Part[])[] {
  const parts = [
    ...preparation(),
    npmRun('check', ['check'], 10 * minuteMs),
    ...suites(folder, { effort: '3', patience: 1 }),
  ]
  const simulation: Part = {
    name: 'simulation',
    command: ['nice', '-n', '19', 'npm', 'run', '--silent', 'sim', '--', '--ci'],
    limitMs: 15 * minuteMs,
    countsFile: null,
  }
  return parts.map((part) => (part.name === 'hosts' ? [part, simulation] : [part]))
}

/** What takes hours: longer, deeper, or again and again. */
export function nightlyParts(folder: string): readonly Part[] {
  const [unit, programs] = suites(folder, { effort: '30', patience: 6 })
  if (unit === undefined || programs === undefined) throw new Error('the unit suites are gone')
  return [
    ...preparation(),
    unit,
    programs,
    npmRun('simulation', ['sim', '--', '--seeds', '20000'], 60 * minuteMs),
    { name: 'fresh-seeds', command: ['test/sim/nightly', '60'], limitMs: 90 * minuteMs, countsFile: null },
    npmRun('planted-mistakes', ['sim', '--', '--mutants'], 120 * minuteMs),
    npmRun('mutation', ['mutation'], 120 * minuteMs),
    npmRun('walk', ['walk', '--', '--faults', '2', '--depth', '11', '--minutes', '30'], 60 * minuteMs),
    mocha('sieges', {
      files: ['test/lab/hostile-network.test.ts'],
      folder,
      limitMs: 90 * minuteMs,
      env: { SIEGE_ROUNDS: '3' },
    }),
    npmRun('lab-runs', ['lab', '--', 'run', 'all', '--arbiter', 'both', '--runs', '3'], 240 * minuteMs),
  ]
}
