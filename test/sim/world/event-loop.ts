/**
 * The single thread of a daemon, which waits for its descriptors and its timers as lib/scheduler.c of keepalived 2.2.7
 * does. Each wake-up serves every descriptor that has input, in the order in which the input arrived, and then the
 * timers that are due. While it is stopped (SIGSTOP), input piles up and timers become overdue; input is lost only when
 * its buffer is full.
 */
import { type Due, type Timeline } from './timeline.ts'

export interface LoopTimer {
  readonly atMs: number
  cancelled: boolean
}

interface Timer extends LoopTimer {
  readonly run: () => void
  /** Of the timers that are due at one wake-up, the lower rank runs first. */
  readonly rank: number
}

type NewTimer = Omit<Timer, 'atMs' | 'cancelled'> & { readonly delayMs: number }

/** thread_timerfd_handler() moves them into its queue in this order. */
const ranks = { read: 0, timer: 1, child: 2 } as const

export interface DescriptorLimits {
  /** How many pieces are read at one wake-up. */
  readonly readAtOnce: number
  /** How many pieces fit into the buffer; what comes after that is lost. */
  readonly capacity: number
}

export class EventLoop<Descriptor extends string> {
  readonly #timeline: Timeline
  /** The time in ms from an event until the thread runs; drawn again for each wake-up. */
  readonly #latency: () => number
  readonly #limits: Readonly<Record<Descriptor, DescriptorLimits>>
  /** In the order in which the descriptors became readable. */
  readonly #inputs = new Map<Descriptor, (() => void)[]>()
  #timers: Timer[] = []
  #wake: { readonly due: Due; readonly forMs: number } | null = null
  #phase: 'running' | 'stopped' | 'over' = 'running'

  constructor(
    timeline: Timeline,
    limits: Readonly<Record<Descriptor, DescriptorLimits>>,
    latency: () => number,
  ) {
    this.#timeline = timeline
    this.#limits = limits
    this.#latency = latency
  }

  get isStopped(): boolean {
    return this.#phase === 'stopped'
  }

  /** Something to read has arrived; `handle` runs when the thread reads it. */
  input(descriptor: Descriptor, handle: () => void): void {
    if (this.#phase === 'over') return
    const waiting = this.#inputs.get(descriptor) ?? []
    if (waiting.length >= this.#limits[descriptor].capacity) return
    waiting.push(handle)
    this.#inputs.set(descriptor, waiting)
    this.#planWake()
  }

  timer(delayMs: number, run: () => void): LoopTimer {
    return this.#addTimer({ delayMs, run, rank: ranks.timer })
  }

  /** The deadline of a child process. */
  childDeadline(delayMs: number, run: () => void): LoopTimer {
    return this.#addTimer({ delayMs, run, rank: ranks.child })
  }

  /**
   * The deadline of a descriptor. Input that is there when the loop looks is read first and may put the deadline off.
   */
  readDeadline(delayMs: number, run: () => void): LoopTimer {
    return this.#addTimer({ delayMs, run, rank: ranks.read })
  }

  /** SIGSTOP. */
  stop(): void {
    if (this.#phase !== 'running') return
    this.#phase = 'stopped'
    this.#forgetWake()
  }

  /** SIGCONT: serves the input that waits, then the timers that are overdue. */
  resume(): void {
    if (this.#phase !== 'stopped') return
    this.#phase = 'running'
    this.#planWake()
  }

  /** Closes every descriptor and drops every timer; timers may still be added. */
  close(): void {
    this.#inputs.clear()
    this.#timers = []
  }

  /** The process is gone. */
  end(): void {
    this.close()
    this.#phase = 'over'
    this.#forgetWake()
  }

  #addTimer({ delayMs, run, rank }: NewTimer): LoopTimer {
    const timer = { run, rank, atMs: this.#timeline.nowMs + delayMs, cancelled: false }
    if (this.#phase !== 'over') {
      this.#timers.push(timer)
      this.#planWake()
    }
    return timer
  }

  #planWake(): void {
    if (this.#phase !== 'running') return
    const forMs = this.#nextMs()
    if (forMs === null || (this.#wake !== null && this.#wake.forMs <= forMs)) return
    this.#forgetWake()
    this.#wake = { due: this.#timeline.at(forMs + this.#latency(), () => this.#serve()), forMs }
  }

  #forgetWake(): void {
    if (this.#wake !== null) this.#wake.due.cancelled = true
    this.#wake = null
  }

  #nextMs(): number | null {
    const nowMs = this.#timeline.nowMs
    if (this.#inputs.size > 0) return nowMs
    this.#timers = this.#timers.filter(({ cancelled }) => !cancelled)
    if (this.#timers.length === 0) return null
    let earliestMs = Infinity
    for (const { atMs } of this.#timers) earliestMs = Math.min(earliestMs, atMs)
    return Math.max(nowMs, earliestMs)
  }

  #serve(): void {
    this.#wake = null
    const nowMs = this.#timeline.nowMs
    for (const descriptor of [...this.#inputs.keys()]) this.#read(descriptor)
    const due = this.#timers
      .filter(({ atMs }) => atMs <= nowMs)
      .sort((one, other) => one.rank - other.rank || one.atMs - other.atMs)
    for (const timer of due) {
      if (timer.cancelled || !this.#timers.includes(timer)) continue
      timer.cancelled = true
      timer.run()
    }
    this.#planWake()
  }

  #read(descriptor: Descriptor): void {
    const waiting = this.#inputs.get(descriptor)
    if (waiting === undefined) return
    this.#inputs.delete(descriptor)
    const rest = waiting.splice(this.#limits[descriptor].readAtOnce)
    if (rest.length > 0) this.#inputs.set(descriptor, rest)
    for (const handle of waiting) handle()
  }
}
