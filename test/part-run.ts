/** Runs one part of a test run as a process group of its own, so that whatever it started ends with it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Counts } from './counts-reporter.ts'
import type { Part } from './parts.ts'

const root = join(import.meta.dirname, '..')
/** Between the signal to a part that hangs and its end by force: the lab removes its namespaces in this time. */
const graceMs = 30_000

export interface Outcome {
  readonly counts: Counts
  readonly tookMs: number
  /** Its last line: what it says of itself. */
  readonly lastLine: string
}

const countsSchema: z.ZodType<Counts> = z.object({
  passed: z.number(),
  failed: z.number(),
  skipped: z.number(),
  complete: z.boolean(),
})

let running: ChildProcess | null = null

/** Ends the part that runs now: it may clean up, and is ended by force if it takes too long. */
export function interruptPart(): void {
  const part = running
  if (part === null) return
  signalGroup(part, 'SIGINT')
  setTimeout(() => signalGroup(part, 'SIGKILL'), graceMs).unref()
}

export async function runPart(part: Part): Promise<Outcome> {
  const beganAtMs = performance.now()
  const { problem, lastLine } = await runToItsEnd(part)
  return { counts: countsOf(part, problem), tookMs: performance.now() - beganAtMs, lastLine }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // The group has ended already.
  }
}

/** `problem` is null if the part went well. */
async function runToItsEnd(part: Part): Promise<{ problem: string | null; lastLine: string }> {
  const [program, ...args] = part.command
  const colour = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}
  const child = spawn(program, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
    env: { ...process.env, ...colour, ...part.env },
  })
  running = child
  let lastLine = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    process.stdout.write(text)
    lastLine = text.split('\n').findLast((line) => line.trim() !== '') ?? lastLine
  })
  const watch = { hung: false }
  const timers = [
    setTimeout(() => {
      watch.hung = true
      signalGroup(child, 'SIGINT')
    }, part.limitMs),
    setTimeout(() => signalGroup(child, 'SIGKILL'), part.limitMs + graceMs),
  ]
  const ended = await new Promise<string | null>((resolve) => {
    child.once('error', (error) => resolve(`cannot be started: ${error.message}`))
    child.once('exit', (code, signal) => {
      if (signal !== null) resolve(`ended by ${signal}`)
      else resolve(code === 0 ? null : `exit code ${code ?? 'unknown'}`)
    })
  })
  for (const timer of timers) clearTimeout(timer)
  signalGroup(child, 'SIGKILL')
  running = null
  const problem = watch.hung ? `not done after ${part.limitMs / 60_000} minutes` : ended
  return { problem, lastLine: lastLine.trim() }
}

function readCounts(file: string): Counts | null {
  try {
    return countsSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return null
  }
}

/** What a part adds to the last line of the run; a failure that no test stands for counts as one. */
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
