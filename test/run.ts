/**
 * `npm test`: what the tests need, then build, check, unit tests, the proofs (simulator, walk, table of decisions, planted
 * mistakes), lab tests, booted hosts, and twenty thousand simulated hours. It ends with one line,
 * `N passed, N failed, N skipped`, counted by mocha itself; a part that breaks, hangs or finds no test counts as one
 * failure. Every part runs, also after a failure of another.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { Counts } from './counts-reporter.ts'
import { inCI } from './skip-aloud.ts'

const root = join(import.meta.dirname, '..')
const minuteMs = 60_000
/** Between the signal to a part that hangs and its end by force: the lab removes its namespaces in this time. */
const graceMs = 30_000

interface Part {
  readonly name: string
  readonly command: readonly [string, ...string[]]
  readonly limitMs: number
  /** Where mocha writes its counts; null: the part is no mocha run. */
  readonly countsFile: string | null
}

const countsSchema: z.ZodType<Counts> = z.object({
  passed: z.number(),
  failed: z.number(),
  skipped: z.number(),
  complete: z.boolean(),
})

function mocha(
  name: string,
  { files, folder, limitMs }: { files: readonly string[]; folder: string; limitMs: number },
): Part {
  const countsFile = join(folder, `${name}.json`)
  const program = join(root, 'node_modules/mocha/bin/mocha.js')
  const reporter = ['--reporter', './test/counts-reporter.ts', '--reporter-option', `counts=${countsFile}`]
  // In whatever way a test is skipped.
  const strict = inCI ? ['--forbid-pending'] : []
  return { name, command: [process.execPath, program, ...strict, ...reporter, ...files], limitMs, countsFile }
}

const state: { running: ChildProcess | null; interruptedBy: NodeJS.Signals | null } = {
  running: null,
  interruptedBy: null,
}

/** Each part is a process group of its own, so that whatever it started ends with it. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // The group has ended already.
  }
}

/** Null where the part went well, otherwise what went wrong. */
async function run(part: Part): Promise<string | null> {
  const [program, ...args] = part.command
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], detached: true })
  state.running = child
  const watch = { hung: false }
  const timers = [
    setTimeout(() => {
      watch.hung = true
      signalGroup(child, 'SIGINT')
    }, part.limitMs),
    setTimeout(() => signalGroup(child, 'SIGKILL'), part.limitMs + graceMs),
  ]
  const outcome = await new Promise<string | null>((resolve) => {
    child.once('error', (error) => resolve(`cannot be started: ${error.message}`))
    child.once('exit', (code, signal) => {
      if (signal !== null) resolve(`ended by ${signal}`)
      else resolve(code === 0 ? null : `exit code ${code ?? 'unknown'}`)
    })
  })
  for (const timer of timers) clearTimeout(timer)
  signalGroup(child, 'SIGKILL')
  state.running = null
  return watch.hung ? `not done after ${part.limitMs / minuteMs} minutes` : outcome
}

function readCounts(file: string): Counts | null {
  try {
    return countsSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return null
  }
}

/** What a part adds to the last line; a failure that no test stands for counts as one. */
function countsOf(part: Part, problem: string | null): Counts {
  const counted = part.countsFile === null ? null : readCounts(part.countsFile)
  const counts = counted ?? { passed: 0, failed: 0, skipped: 0, complete: part.countsFile === null }
  const found = counts.passed + counts.failed + counts.skipped
  const foundNone = part.countsFile !== null && found === 0
  const why = foundNone ? `no test ran (${problem ?? 'no test found'})` : problem
  if (why === null && counts.complete) return counts
  console.error(`\n${part.name}: ${why ?? 'ended before its last test'}`)
  return counts.failed > 0 && counts.complete ? counts : { ...counts, failed: counts.failed + 1 }
}

function wasInterrupted(): boolean {
  return state.interruptedBy !== null
}

const folder = mkdtempSync(join(tmpdir(), 'keepalived-witness-test-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    state.interruptedBy = signal
    const part = state.running
    if (part === null) return
    signalGroup(part, 'SIGINT')
    setTimeout(() => signalGroup(part, 'SIGKILL'), graceMs).unref()
  })
}

const parts: Part[] = [
  ...['lab', 'unit', 'package', 'hosts'].map((purpose): Part => ({
    name: `packages for ${purpose}`,
    command: ['deploy/debian-packages', '--for', purpose],
    limitMs: 15 * minuteMs,
    countsFile: null,
  })),
  { name: 'build', command: ['npm', 'run', '--silent', 'build'], limitMs: 5 * minuteMs, countsFile: null },
  { name: 'check', command: ['npm', 'run', '--silent', 'check'], limitMs: 10 * minuteMs, countsFile: null },
  mocha('unit', { files: ['test/unit/**/*.test.ts'], folder, limitMs: 15 * minuteMs }),
  mocha('proof', {
    files: ['golden', 'mutants', 'sim', 'walk'].map((room) => `test/${room}/**/*.test.ts`),
    folder,
    limitMs: 15 * minuteMs,
  }),
  mocha('lab', { files: ['test/lab/**/*.test.ts'], folder, limitMs: 90 * minuteMs }),
  mocha('hosts', { files: ['test/hosts/**/*.test.ts'], folder, limitMs: 20 * minuteMs }),
  {
    name: 'simulation',
    command: ['npm', 'run', '--silent', 'sim', '--', '--ci'],
    limitMs: 15 * minuteMs,
    countsFile: null,
  },
]
const total = { passed: 0, failed: 0, skipped: 0 }
for (const part of parts) {
  if (wasInterrupted()) break
  console.log(`\n== ${part.name}`)
  const beganAtMs = performance.now()
  const counts = countsOf(part, await run(part))
  console.log(`${part.name}: took ${((performance.now() - beganAtMs) / 1000).toFixed(0)} s`)
  total.passed += counts.passed
  total.failed += counts.failed
  total.skipped += counts.skipped
}
if (wasInterrupted()) {
  console.error(`\nended by ${String(state.interruptedBy)}; what did not run counts as one failure`)
  total.failed += 1
}
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
