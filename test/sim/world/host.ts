/** A simulated host: a boot clock of its own, power, and programs that run, stand still or die with it. */
import type { Chance } from './chance.ts'
import type { Due, Timeline } from './timeline.ts'

/** `/proc/uptime` has two decimals. */
const clockGrainMs = 10

export class Host {
  readonly name: string
  readonly timeline: Timeline
  /** The rate of its clock relative to true time. */
  readonly rate: number
  #up = true
  #standsStill = false
  /** By how much the boot clock ran ahead of the monotonic clock on this boot. */
  #jumpedMs = 0
  /** Which boot this is; what is in memory belongs to one boot. */
  #boot = 1
  #origin: { readonly trueMs: number; readonly bootMs: number }

  constructor(name: string, timeline: Timeline, clock: { ratePpm: number; uptimeMs: number }) {
    this.name = name
    this.timeline = timeline
    this.rate = 1 + clock.ratePpm / 1e6
    this.#origin = { trueMs: timeline.nowMs, bootMs: clock.uptimeMs }
  }

  get up(): boolean {
    return this.#up
  }

  /** Whether its kernel runs. A machine that stands still answers nothing, although its clock goes on. */
  get runs(): boolean {
    return this.#up && !this.#standsStill
  }

  get boot(): number {
    return this.#boot
  }

  get bootId(): string {
    return `${this.name}-boot-${this.#boot}`
  }

  /** The boot clock, suspend included, as a program reads it. */
  nowMs(): number {
    return Math.floor(this.#exactMs() / clockGrainMs) * clockGrainMs
  }

  get jumpedMs(): number {
    return this.#jumpedMs
  }

  /** The true time at which the boot clock shows `bootMs`. */
  trueMsOf(bootMs: number): number {
    return this.#origin.trueMs + (bootMs - this.#origin.bootMs) / this.rate
  }

  /** The boot clock jumps ahead, as after a migration. */
  jumpClock(aheadMs: number): void {
    this.#jumpedMs += aheadMs
    this.#origin = { trueMs: this.timeline.nowMs, bootMs: this.#exactMs() + aheadMs }
  }

  powerOff(): void {
    this.#up = false
    this.#standsStill = false
  }

  standStill(): void {
    this.#standsStill = true
  }

  goOn(): void {
    this.#standsStill = false
  }

  powerOn(): void {
    this.#up = true
    this.#boot += 1
    this.#jumpedMs = 0
    this.#origin = { trueMs: this.timeline.nowMs, bootMs: 0 }
  }

  #exactMs(): number {
    return this.#origin.bootMs + (this.timeline.nowMs - this.#origin.trueMs) * this.rate
  }
}

/** How late a program runs after it was woken, on a host that is not starved. */
const wakeLatencyMs = { least: 0.05, most: 1.2 }

/** A program on a host. While it is frozen, everything that arrives for it waits. */
export class Program {
  readonly host: Host
  readonly #chance: Chance
  #state: 'running' | 'frozen' | 'ended' = 'running'
  #waiting: (() => void)[] = []

  constructor(host: Host, chance: Chance) {
    this.host = host
    this.#chance = chance
  }

  get state(): 'running' | 'frozen' | 'ended' {
    return this.#state
  }

  /** Something arrives for the program; an ended program takes nothing any more. */
  take(run: () => void): void {
    if (this.#state === 'running') run()
    else if (this.#state === 'frozen') this.#waiting.push(run)
  }

  /** A timer of the program, which is late as every timer is. */
  after(delayMs: number, run: () => void): Due {
    const latenessMs = this.#chance.between(wakeLatencyMs.least, wakeLatencyMs.most)
    return this.host.timeline.after(delayMs / this.host.rate + latenessMs, () => this.take(run))
  }

  freeze(): void {
    if (this.#state === 'running') this.#state = 'frozen'
  }

  thaw(): void {
    if (this.#state !== 'frozen') return
    this.#state = 'running'
    const waiting = this.#waiting
    this.#waiting = []
    for (const run of waiting) this.take(run)
  }

  end(): void {
    this.#state = 'ended'
    this.#waiting = []
  }
}
