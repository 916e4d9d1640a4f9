/**
 * A `vrrp_script` of keepalived 2.2.7: when it runs, when a run is given up, and what its results amount
 * to.
 */
import { type EventLoop, type LoopTimer } from '../world/event-loop.ts'
import { type KeepalivedDescriptor } from './keepalived-descriptors.ts'

export interface CheckConf {
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly fall: number
  readonly rise: number
}

/** How a run ended: its exit code, or by a signal. */
export type CheckEnd = number | 'killed'

export interface CheckOutlets {
  /** The time in ms from SIGTERM until a run has died of it; drawn again for each run. */
  dyingMs(): number
  run(done: (end: CheckEnd) => void): void
  /** The very first result, which ends the instance's initial wait. */
  first(isGood: boolean): void
  /** Later: `fall` failures in a row, or `rise` successes. */
  changed(isGood: boolean): void
}

/**
 * keepalived reads its clock again after it has forked. In every trace, if the timeout of one run ends together with
 * the interval, the next run starts first.
 */
const forkMs = 1

interface Run {
  watched: boolean
  timeout: LoopTimer | null
}

export class KeepalivedCheck {
  readonly #loop: EventLoop<KeepalivedDescriptor>
  readonly #conf: CheckConf
  readonly #outlets: CheckOutlets
  /** `vscript->result`: below `rise` it is bad; the top is rise + fall - 1. */
  #result: number
  #hasEnded = false
  /** `vscript->state`: there is one for all runs, even if a run begins before the previous one has ended. */
  #isIdle = true

  constructor(loop: EventLoop<KeepalivedDescriptor>, conf: CheckConf, outlets: CheckOutlets) {
    this.#loop = loop
    this.#conf = conf
    this.#outlets = outlets
    this.#result = conf.rise - 1 // One success is enough at start.
  }

  /** Runs it now, and then at every interval, also while the last run has not ended. */
  start(): void {
    this.#loop.timer(this.#conf.intervalMs, () => this.start())
    const run: Run = { watched: true, timeout: null }
    this.#isIdle = false
    run.timeout = this.#loop.childDeadline(this.#conf.timeoutMs + forkMs, () => this.#giveUp(run))
    this.#outlets.run((end) => this.#loop.input('signals', () => this.#ended(run, end === 0)))
  }

  /** SIGTERM to the run's process group, which ends it. */
  #giveUp(run: Run): void {
    // If another run has ended in the meantime, keepalived takes this one for ended too, and forgets it.
    if (this.#isIdle) run.watched = false
    else this.#loop.timer(this.#outlets.dyingMs(), () => this.#ended(run, false))
  }

  #ended(run: Run, isGood: boolean): void {
    if (!run.watched) return
    run.watched = false
    if (run.timeout !== null) run.timeout.cancelled = true
    if (isGood) this.#count()
    else this.#countFailure()
    this.#isIdle = true
    this.#hasEnded = true
  }

  #count(): void {
    const { rise, fall } = this.#conf
    if (this.#result < rise - 1) {
      this.#result += 1
      return
    }
    const wasBad = this.#result < rise
    this.#result = rise + fall - 1
    if (wasBad) this.#tell(true)
  }

  #countFailure(): void {
    const { rise } = this.#conf
    if (this.#result > rise) {
      this.#result -= 1
      return
    }
    const wasGood = this.#result === rise
    this.#result = 0
    if (wasGood || !this.#hasEnded) this.#tell(false)
  }

  #tell(isGood: boolean): void {
    if (this.#hasEnded) this.#outlets.changed(isGood)
    else this.#outlets.first(isGood)
  }
}
