/** Runs schedules in parallel, with one worker thread per core, each with the simulator bundled into one text. */
import { build } from 'esbuild'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { RunOutcome } from './run.ts'
import type { Schedule } from '../faults/schedule.ts'
import type { Task } from './worker.ts'

interface Job {
  readonly task: Task
  readonly resolve: (outcome: RunOutcome) => void
  readonly reject: (error: Error) => void
}

/**
 * Nearly everything that a run allocates is garbage at once, so a large nursery saves the collector from copying it.
 */
const nurseryMb = 96

export class Crew {
  readonly #idle: Worker[]
  readonly #workers: readonly Worker[]
  readonly #waiting: Job[] = []
  readonly #running = new Map<Worker, Job>()
  #over = false

  private constructor(workers: readonly Worker[]) {
    this.#workers = workers
    this.#idle = [...workers]
    for (const worker of workers) {
      worker.on('message', (outcome: RunOutcome) => this.#take(worker, outcome))
      worker.on('error', (error) => this.#lose(worker, error))
      worker.on('exit', () => this.#lose(worker, new Error('a worker of the simulator ended')))
    }
  }

  /** @param jobs how many work in parallel */
  static async gather(jobs: number): Promise<Crew> {
    const program = await bundle()
    const workers = Array.from(
      { length: jobs },
      () =>
        new Worker(program, {
          eval: true,
          // Not the options of this process, because the bundle needs no loader.
          execArgv: [],
          resourceLimits: { maxYoungGenerationSizeMb: nurseryMb },
        }),
    )
    return new Crew(workers)
  }

  /** Waits for a worker that is free. The outcome does not depend on which worker it is. */
  run(schedule: Schedule, { onTheWire = false }: { onTheWire?: boolean } = {}): Promise<RunOutcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task: { schedule, onTheWire }, resolve, reject })
      this.#handOut()
    })
  }

  async dismiss(): Promise<void> {
    this.#over = true
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #handOut(): void {
    while (this.#idle.length > 0) {
      const job = this.#waiting.shift()
      if (job === undefined) return
      const worker = this.#idle.pop()
      if (worker === undefined) return
      this.#running.set(worker, job)
      worker.postMessage(job.task)
    }
  }

  #take(worker: Worker, outcome: RunOutcome): void {
    const job = this.#running.get(worker)
    this.#running.delete(worker)
    this.#idle.push(worker)
    this.#handOut()
    job?.resolve(outcome)
  }

  /**
   * A run never ends its worker, because an exception of a core is an outcome. So this is a mistake in the simulator.
   */
  #lose(worker: Worker, error: unknown): void {
    if (this.#over) return
    const cause = error instanceof Error ? error : new Error(String(error))
    this.#running.get(worker)?.reject(cause)
    this.#running.delete(worker)
    for (const { reject } of this.#waiting.splice(0)) reject(cause)
  }
}

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'worker.ts')],
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node20.19',
    format: 'cjs',
    logLevel: 'warning',
  })
  const [file] = outputFiles
  if (file === undefined) throw new Error('esbuild produced no output for worker.ts')
  return file.text
}
