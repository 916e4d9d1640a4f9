/** Runs parts of a test run, each as a process group of its own, so that whatever it started ends with it. */
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

const running = new Set<ChildProcess>()

/** Ends what runs now: it may clean up, and is ended by force if it takes too long. */
export function interruptParts(): void {
  for (const part of running) {
    signalGroup(part, 'SIGINT')
    setTimeout(() => signalGroup(part, 'SIGKILL'), graceMs).unref()
  }
}

/** @param output.atOnce false: what it prints comes in one piece at its end, because another part runs beside it */
export async function runPart(part: Part, output: { readonly atOnce: boolean }): Promise<Outcome> {
  const beganAtMs = performance.now()
  const heading = `\n== ${part.name}\n`
  if (output.atOnce) process.stdout.write(heading)
  const { problem, lastLine, kept } = await runToItsEnd(part, output)
  if (!output.atOnce) process.stdout.write(heading + kept)
  const tookMs = performance.now() - beganAtMs
  const counts = countsOf(part, problem)
  console.log(`${part.name}: took ${(tookMs / 1000).toFixed(0)} s`)
  return { counts, tookMs, lastLine }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // The group has ended already.
  }
}

/** `problem` is null if the part went well; `kept` is what it printed, if that did not go out at once. */
async function runToItsEnd(
  part: Part,
  { atOnce }: { readonly atOnce: boolean },
): Promise<{ problem: string | null; lastLine: string; kept: string }> {
  const [program, ...args] = part.command
  const colour = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}
  const child = spawn(program, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', atOnce ? 'inherit' : 'pipe'],
    detached: true,
    env: { ...process.env, ...colour, ...part.env },
  })
  running.add(child)
  let lastLine = ''
  let kept = ''
  const print = (text: string): void => {
    if (atOnce) process.stdout.write(text)
    else kept += text
  }
  child.stderr?.setEncoding('utf8').on('data', print)
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    print(text)
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
  running.delete(child)
  const problem = watch.hung ? `not done after ${part.limitMs / 60_000} minutes` : ended
  return { problem, lastLine: lastLine.trim(), kept }
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
