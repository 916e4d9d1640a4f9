/** What `npm test` and `npm run test:nightly` run, in their order. */
import { join } from 'node:path'
import { inCI } from './skip-aloud.ts'

const root = join(import.meta.dirname, '..')
/**
 * The Node.js that the package carries. What decides is proved on it: these are the programs that ship, and it takes half
 * the time that Node.js 20 takes. Everything else runs on the Node.js of this machine.
 */
const shippedNode = join(root, `deploy/runtime/node_modules/node-linux-${process.arch}/bin/node`)
const minuteMs = 60_000
/** A patient part waits for the timely ones; only one that hangs is not done by then. */
const patientLimitMs = 40 * minuteMs

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
  readonly node?: string
}

/** Two files of suites at a time. */
const parallel = ['--parallel', '--jobs', '2']
const scenarioSuite = 'test/lab/lab.test.ts'
const siegeSuite = 'test/lab/hostile-network.test.ts'
/** They measure how late others are, so they run by themselves. */
const lateness = [siegeSuite, 'test/lab/keepalived-trace.test.ts']

/**
 * For what computes, beside what is about time: it gets only what everybody else leaves of the processors, and gives it
 * back at once. Where the kernel shares the processors between sessions (autogroup), SCHED_IDLE counts only within a
 * session, so the session of the part is set, too.
 */
const patiently = [
  'sh',
  '-c',
  '{ echo 19 >/proc/self/autogroup; } 2>/dev/null; exec chrt --idle 0 "$@"',
  'patiently',
] as const

function mocha(
  name: string,
  { files, folder, limitMs, env = {}, options = [], node = process.execPath }: Suites,
): Part {
  const countsFile = join(folder, `${name}.json`)
  const program = join(root, 'node_modules/mocha/bin/mocha.js')
  const reporter = ['--reporter', './test/counts-reporter.ts', '--reporter-option', `counts=${countsFile}`]
  // In whatever way a test is skipped.
  const strict = inCI ? ['--forbid-pending'] : []
  const command = [node, program, ...strict, ...reporter, ...options, ...files] as const
  return { name, command, limitMs, countsFile, env }
}

function npmRun(name: string, args: readonly string[], limitMs: number): Part {
  return { name, command: ['npm', 'run', '--silent', ...args], limitMs, countsFile: null }
}

function simulation(args: readonly string[], limitMs: number): Part {
  const command = [shippedNode, '--import', 'tsx', 'test/sim/main.ts', ...args] as const
  return { name: 'simulation', command, limitMs, countsFile: null }
}

/** What is not installed or built would fail, so it is no choice. */
export function isPreparation({ name }: Part): boolean {
  return ['runtime', 'build'].includes(name) || name.startsWith('packages for ')
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
    npmRun('runtime', ['runtime'], 10 * minuteMs),
    npmRun('build', ['build'], 5 * minuteMs),
  ]
}

function suites(
  folder: string,
  { effort, patience }: { readonly effort: string; readonly patience: number },
): Readonly<Record<'unit' | 'programs' | 'proof' | 'lab' | 'labOthers' | 'siege' | 'hosts', Part>> {
  const env = { TEST_EFFORT: effort }
  return {
    unit: mocha('unit', {
      files: ['test/unit/**/*.test.ts'],
      folder,
      env,
      limitMs: patience * 10 * minuteMs,
      options: parallel,
    }),
    programs: mocha('programs', {
      files: ['test/programs/**/*.test.ts'],
      folder,
      env,
      limitMs: patience * 10 * minuteMs,
      options: parallel,
    }),
    proof: mocha('proof', {
      files: ['golden', 'mutants', 'sim', 'walk'].map((room) => `test/${room}/**/*.test.ts`),
      folder,
      node: shippedNode,
      limitMs: patientLimitMs,
      options: parallel,
    }),
    lab: mocha('lab', { files: [scenarioSuite], folder, limitMs: 30 * minuteMs }),
    labOthers: mocha('lab-others', {
      files: ['test/lab/**/*.test.ts'],
      folder,
      limitMs: 20 * minuteMs,
      options: [scenarioSuite, ...lateness].flatMap((suite) => ['--ignore', suite]),
    }),
    siege: mocha('siege', { files: lateness, folder, limitMs: 20 * minuteMs }),
    hosts: mocha('hosts', { files: ['test/hosts/**/*.test.ts'], folder, limitMs: 20 * minuteMs }),
  }
}

export interface EverydayParts {
  /** One after the other, before everything else. */
  readonly preparation: readonly Part[]
  /**
   * About time: programs, boots and timers that others wait for. Stages, one after the other; in a stage rows of parts side
   * by side.
   */
  readonly timely: readonly (readonly (readonly Part[])[])[]
  /** They compute, and need no more than time. One after the other, beside the timely ones. */
  readonly patient: readonly Part[]
}

/** Everything that matters, once. */
export function everydayParts(folder: string): EverydayParts {
  const { unit, programs, proof, lab, labOthers, siege, hosts } = suites(folder, { effort: '1', patience: 1 })
  return {
    preparation: preparation(),
    // Booted hosts mostly wait, and so do the other suites of the lab.
    timely: [[[unit, programs], [hosts]], [[lab], [labOthers]], [[siege]]],
    patient: [npmRun('check', ['check'], patientLimitMs), proof, simulation(['--ci'], patientLimitMs)].map(
      (part) => ({ ...part, command: [...patiently, ...part.command] }),
    ),
  }
}

/** What takes hours: longer, deeper, or again and again. */
export function nightlyParts(folder: string): readonly Part[] {
  const { unit, programs } = suites(folder, { effort: '30', patience: 6 })
  return [
    ...preparation(),
    unit,
    programs,
    simulation(['--seeds', '20000'], 60 * minuteMs),
    { name: 'fresh-seeds', command: ['test/sim/nightly', '60'], limitMs: 90 * minuteMs, countsFile: null },
    npmRun('planted-mistakes', ['sim', '--', '--mutants'], 120 * minuteMs),
    npmRun('mutation', ['mutation'], 120 * minuteMs),
    npmRun('walk', ['walk', '--', '--faults', '2', '--depth', '11', '--minutes', '30'], 60 * minuteMs),
    mocha('sieges', {
      files: [siegeSuite],
      folder,
      limitMs: 90 * minuteMs,
      env: { SIEGE_ROUNDS: '3' },
    }),
    npmRun('lab-runs', ['lab', '--', 'run', 'all', '--arbiter', 'both', '--runs', '3'], 240 * minuteMs),
  ]
}
