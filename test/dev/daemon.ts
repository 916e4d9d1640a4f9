/** One program of the pair as a process of its own, which can be killed and started again. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findProgram } from '../find-program.ts'
import { happeningOf, type Happening } from './happening.ts'

export interface DaemonOptions {
  readonly name: string
  /** The program and its arguments, from the root of the repository. */
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** The event in its log that says that it is up. */
  readonly upEvent: string
  readonly on: (happening: Happening) => void
  /** It has ended, and nobody here asked for it. */
  readonly onCrash: () => void
}

type State = 'never started' | 'running' | 'stopping' | 'stopped' | 'killed' | 'crashed'

const root = join(import.meta.dirname, '../..')
/** Should this program be killed, the kernel kills what it started, too. */
const setpriv = findProgram('setpriv')

/** In whatever way this program ends, they end with it. */
const running = new Set<Daemon>()
process.on('exit', () => {
  for (const daemon of running) daemon.killNow()
})

export class Daemon {
  readonly #options: DaemonOptions
  #child: ChildProcess | null = null
  #state: State = 'never started'

  constructor(options: DaemonOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.name
  }

  get state(): State {
    return this.#state
  }

  /** Settles when it is up. @throws where it ends before that; its own words have been shown then */
  async start(): Promise<void> {
    if (this.#state === 'stopping' || this.#state === 'killed') await this.#gone()
    if (this.#child !== null) return
    const { name, command, env } = this.#options
    const bound = setpriv === null ? [] : [setpriv, '--pdeathsig', 'KILL']
    const [program = '', ...args] = [...bound, process.execPath, '--import', 'tsx', ...command]
    // A process group of its own, so that the programs that it runs end with it, and ctrl-C reaches this program alone.
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    this.#child = child
    this.#state = 'running'
    running.add(this)
    child.once('close', (code, signal) => this.#ended(signal ?? `exit code ${code ?? 'unknown'}`))
    await new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr])
        createInterface({ input: stream }).on('line', (line) => {
          const happening = happeningOf(name, line, Date.now())
          this.#options.on(happening)
          if (happening.event === this.#options.upEvent) resolve()
        })
      child.once('error', reject)
      child.once('close', () => reject(new Error(`${name} ended before it was up`)))
    })
  }

  /** SIGTERM; settles when it is gone. */
  async stop(): Promise<void> {
    if (this.#child === null) return
    this.#state = 'stopping'
    this.#child.kill('SIGTERM')
    await this.#gone()
  }

  /** SIGKILL for it and all that it runs; settles when it is gone. */
  async kill(): Promise<void> {
    this.killNow()
    await this.#gone()
  }

  killNow(): void {
    if (this.#child?.pid === undefined) return
    this.#state = 'killed'
    try {
      process.kill(-this.#child.pid, 'SIGKILL')
    } catch {
      // It has ended in this moment.
    }
  }

  async #gone(): Promise<void> {
    if (this.#child !== null) await once(this.#child, 'close')
  }

  #ended(how: string): void {
    this.#child = null
    running.delete(this)
    const { name, on, onCrash } = this.#options
    const event = { atMs: Date.now(), from: name, event: 'ended' }
    if (this.#state === 'killed') return on({ ...event, level: 'warn', text: 'killed' })
    if (this.#state === 'stopping') {
      this.#state = 'stopped'
      return on({ ...event, level: 'info', text: 'stopped' })
    }
    this.#state = 'crashed'
    on({ ...event, level: 'error', text: `ended by itself (${how})` })
    onCrash()
  }
}
