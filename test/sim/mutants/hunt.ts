/** Hunts planted mistakes: each is built into the simulator, which then runs seed after seed until something breaks. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleWithMutation } from '../../mutants/mutate-source.ts'
import type { FaultKind } from '../faults/faults.ts'
import type { Mutant } from './catalogue.ts'
import { detectionSchema, type Detection } from './detection.ts'

export interface Limits {
  /** Each mutant gets at most the seeds 1 to this. */
  readonly seeds: number
  /** Each mutant gets at most this much time. */
  readonly seconds: number
  /** How many are hunted at the same time. */
  readonly atATime: number
}

export interface Catch {
  readonly mutant: Mutant
  readonly detection: Detection
}

const entry = 'test/sim/mutants/seek.ts'
/** After its own time limit a seeker has this long to finish its last seed. */
const graceSeconds = 60

/**
 * Hunts all mutants and reports each as soon as it is found or given up.
 * @throws MutationError if a mutation no longer matches its file
 */
export async function hunt(
  mutants: readonly Mutant[],
  limits: Limits,
  tell: (caught: Catch) => void,
): Promise<Catch[]> {
  return withFolder(async (folder) => {
    const catches: Catch[] = []
    await inParallel(mutants, limits.atATime, async (mutant) => {
      const outfile = join(folder, `${mutant.name}.mjs`)
      await bundleWithMutation({ entry, mutation: mutant, outfile })
      const { seeds: to, seconds } = limits
      const detection = await seek(outfile, { from: 1, to, seconds, focus: mutant.focus ?? [] })
      const caught = { mutant, detection }
      catches.push(caught)
      tell(caught)
    })
    return catches
  })
}

/** What the intact code did in the runs in which mutants were hunted. */
export interface Acquittal {
  readonly focus: readonly FaultKind[]
  readonly seeds: number
  readonly detection: Detection
}

/** The intact code in the same runs: the seeds 1 to the last that a mutant of the same focus needed. */
export async function acquit(catches: readonly Catch[], atATime: number): Promise<Acquittal[]> {
  const runs = new Map<string, { focus: readonly FaultKind[]; seeds: number }>()
  for (const { mutant, detection } of catches) {
    const { focus = [] } = mutant
    const seeds = detection.broken?.seed ?? detection.seeds
    runs.set(focus.join(), { focus, seeds: Math.max(seeds, runs.get(focus.join())?.seeds ?? 1) })
  }
  return withFolder(async (folder) => {
    const outfile = join(folder, 'intact.mjs')
    await bundleWithMutation({ entry, mutation: null, outfile })
    const acquittals: Acquittal[] = []
    const longestFirst = [...runs.values()].sort((a, b) => b.seeds - a.seeds)
    await inParallel(longestFirst, atATime, async ({ focus, seeds }) => {
      const detection = await seek(outfile, { from: 1, to: seeds, seconds: Infinity, focus })
      acquittals.push({ focus, seeds, detection })
    })
    return acquittals
  })
}

async function seek(
  outfile: string,
  runs: { from: number; to: number; seconds: number; focus: readonly FaultKind[] },
): Promise<Detection> {
  const { from, to, seconds, focus } = runs
  const range = [`--from=${from}`, `--to=${to}`, `--seconds=${seconds}`]
  const args = [outfile, ...range, ...focus.map((kind) => `--focus=${kind}`)]
  const startedAtMs = performance.now()
  const output = await run(args, seconds + graceSeconds)
  // A mutant that hangs within a seed counts as found too, because the intact code comes to an end.
  if (output === 'hangs')
    return {
      broken: { seed: 0, invariant: 'hang', atMs: 0, text: 'a seed did not end' },
      seeds: 0,
      clusterHours: 0,
      tookMs: performance.now() - startedAtMs,
    }
  return detectionSchema.parse(JSON.parse(output))
}

function run(args: readonly string[], limitSeconds: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    let hangs = false
    const timer =
      limitSeconds === Infinity
        ? undefined
        : setTimeout(() => {
            hangs = true
            child.kill('SIGKILL')
          }, limitSeconds * 1000)
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      if (hangs) resolve('hangs')
      else if (code === 0) resolve(output)
      else reject(new Error(`${args.join(' ')} ended with exit code ${code ?? 'none'}`))
    })
  })
}

async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'keepalived-witness-mutants-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function inParallel<T>(
  items: readonly T[],
  atATime: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items]
  const lane = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: atATime }, lane))
}
