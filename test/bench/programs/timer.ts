/**
 * Times programs from inside a lab host; a small separate process, because starting a program takes longer the bigger
 * the process is that starts it. One argument, JSON: { runs, programs: [{ name, argv, until }] }. Programs take turns.
 * `until` null: the time until it ends, else until its stdout has this text; then it is ended. Result on stdout, JSON:
 * { name: { ms: [...], codes: [...], said: last stdout } }.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

interface Program {
  readonly name: string
  readonly argv: readonly string[]
  readonly until: string | null
}

interface Timed {
  readonly ms: number[]
  readonly codes: (number | null)[]
  said: string
}

const { runs, programs } = JSON.parse(process.argv[2] ?? '{}') as { runs: number; programs: Program[] }
const results: Record<string, Timed> = {}
for (let run = 0; run < runs; run += 1)
  for (const program of programs) {
    const result = (results[program.name] ??= { ms: [], codes: [], said: '' })
    if (program.until === null) untilEnd(program, result)
    else await untilText(program, program.until, result)
  }
process.stdout.write(JSON.stringify(results))

function untilEnd({ argv: [file = '', ...args] }: Program, result: Timed): void {
  const beganAtMs = performance.now()
  const { status, stdout } = spawnSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  result.ms.push(performance.now() - beganAtMs)
  result.codes.push(status)
  result.said = stdout
}

async function untilText(
  { argv: [file = '', ...args] }: Program,
  wanted: string,
  result: Timed,
): Promise<void> {
  const beganAtMs = performance.now()
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.setEncoding('utf8')
  for await (const text of child.stdout as AsyncIterable<string>) {
    said += text
    if (said.includes(wanted)) break
  }
  if (!said.includes(wanted)) throw new Error(`${file} never printed ${wanted}: ${said}`)
  result.ms.push(performance.now() - beganAtMs)
  if (child.exitCode === null) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  result.codes.push(child.exitCode)
  result.said = said
}
