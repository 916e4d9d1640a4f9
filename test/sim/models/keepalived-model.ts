/**
 * A model of one keepalived 2.2.7 daemon with one `vrrp_instance` (VRRP version 2, one VIP, a `track_file` of weight 0,
 * and, if they are configured, a `vrrp_script` of weight 0 and one with a weight). It is written after the source of
 * keepalived; test/unit/sim/keepalived-traces.test.ts shows that it is true by replaying traces of the real one.
 *
 * What the daemon does at one wake-up happens here at one time, in the order of the daemon.
 *
 * Left out: priority 255, reload, sync groups, the deaths of single processes of the daemon.
 */
import { assertNever } from '../../../shared/assert-never.ts'
import { type Chance } from '../world/chance.ts'
import { EventLoop } from '../world/event-loop.ts'
import { type CheckConf, type CheckEnd, KeepalivedCheck } from './keepalived-check.ts'
import { type KeepalivedDescriptor, keepalivedLimits } from './keepalived-descriptors.ts'
import {
  type Advert,
  type InstanceConf,
  KeepalivedInstance,
  type KeepalivedLine,
  type KeepalivedState,
} from './keepalived-instance.ts'
import { type Timeline } from '../world/timeline.ts'

export type { Advert, CheckEnd, KeepalivedLine, KeepalivedState }

export interface KeepalivedConf extends InstanceConf {
  /** 1 to 254 */
  readonly priority: number
  readonly advertIntMs: number
  readonly downTimerAdverts: number
  readonly tellsPriority: boolean
  readonly nopreempt: boolean
  readonly initial: 'MASTER' | 'BACKUP'
  /** Decides between nodes of equal priority, as the primary IP does: the higher one wins. */
  readonly address: number
  /** The check script: how often, and its `fall` and `rise`; null: no check configured. */
  readonly check: CheckConf | null
  /** The admin's own script, which has a weight; null: none configured. */
  readonly app: AppConf | null
}

export interface AppConf extends CheckConf {
  /** Positive: it counts while the script succeeds. Negative: it counts while the script fails. Never 0. */
  readonly weight: number
}

export interface KeepalivedOutlets {
  /** Multicast of an advert; priority 0: "I leave". It is sent even if the carrier is lost. */
  advert(advert: Advert): void
  /** The kernel's VIP was added or removed. This happens before the FIFO line, but see `start`. */
  vip(held: boolean): void
  /** Gratuitous ARP, five in a row. */
  garp(): void
  /** keepalived writes a FIFO line, with the priority that it runs with. */
  fifo(line: KeepalivedLine, priority: number): void
  /** It runs with another priority from now on; each start begins with the configured one. */
  priority?(priority: number): void
  /**
   * Runs the check script; `done` is called with its result. A result after the daemon gave up the run does not matter.
   */
  runCheck(done: (end: CheckEnd) => void): void
  /** The same for the admin's script. */
  runApp?(done: (end: CheckEnd) => void): void
  /** The last of its processes is gone, killed or ended by itself. */
  exited?(): void
  /** Reads the track_file now; true: it bars. Called only at start; later changes come by `trackFile`. */
  readTrackFile(): boolean
}

/** How long the daemon takes for what takes time; each is asked again every time. */
export interface KeepalivedTiming {
  /** From `systemctl start` until it has its sockets. */
  startUpMs(): number
  /** From an event until the process has been woken and acts. */
  latencyMs(): number
  /** From the SIGTERM to a check that takes too long until that has died. */
  checkDyingMs(): number
  /** Between the removal of the VIP at SIGTERM and the STOP line: the kernel closes the sockets. */
  closingMs(): number
  /** From the STOP line until the process is gone. */
  leavingMs(): number
}

/** As measured on a machine with two busy cores; the traces check it. */
export function measuredTiming(chance: Chance): KeepalivedTiming {
  return {
    startUpMs: () => (chance.happens(0.1) ? chance.between(60, 120) : chance.between(16, 60)),
    latencyMs: () => (chance.happens(0.15) ? chance.between(0.4, 4) : chance.between(0.05, 0.4)),
    // At once, unless the machine has other programs to run first.
    checkDyingMs: () => (chance.happens(0.1) ? chance.between(1, 8) : chance.between(0.2, 1)),
    closingMs: () => chance.between(3, 25),
    // A second, so that the kernel can say goodbye to the multicast group.
    leavingMs: () => chance.between(1005, 1030),
  }
}

export class KeepalivedModel {
  readonly #timeline: Timeline
  readonly #conf: KeepalivedConf
  readonly #outlets: KeepalivedOutlets
  readonly #timing: KeepalivedTiming
  #daemon: Daemon | null = null
  #carrierIsUp = true
  #starts = 0

  constructor(
    timeline: Timeline,
    chance: Chance,
    conf: KeepalivedConf,
    outlets: KeepalivedOutlets,
    timing: KeepalivedTiming = measuredTiming(chance),
  ) {
    if (!(conf.priority >= 1 && conf.priority <= 254))
      throw new Error(`the model has priorities 1 to 254, not ${conf.priority}`)
    this.#timeline = timeline
    this.#conf = conf
    this.#outlets = outlets
    this.#timing = timing
  }

  /**
   * `systemctl start`, which does nothing if it runs. A VIP that a killed predecessor left in the kernel is removed
   * before anything else, without an advert; if the track_file bars from the start, the FAULT line comes before the
   * removal.
   */
  start(kernelHasVip: boolean): void {
    if (this.#daemon !== null) return
    const daemon: Daemon = new Daemon({
      timeline: this.#timeline,
      timing: this.#timing,
      conf: this.#conf,
      outlets: this.#outlets,
      kernelHasVip,
      carrierIsUp: () => this.#carrierIsUp,
      onExit: () => {
        if (this.#daemon === daemon) this.#daemon = null
        this.#outlets.exited?.()
      },
    })
    this.#daemon = daemon
    this.#starts += 1
  }

  /** How many times it was started, which distinguishes one daemon from the next. */
  get starts(): number {
    return this.#starts
  }

  /**
   * SIGTERM: if it is MASTER it sends its farewell and removes the VIP; the STOP line comes some milliseconds later,
   * and a second later the process is gone. While it still starts, it may end without a line and without doing
   * anything.
   */
  terminate(): void {
    this.#daemon?.terminate()
  }

  /** SIGKILL to all of its processes: nothing is cleaned up. */
  kill(): void {
    this.#daemon?.kill()
  }

  /** SIGSTOP to all of its processes: input waits, timers become overdue. */
  freeze(): void {
    this.#daemon?.freeze()
  }

  /** SIGCONT: each wake-up serves at most two adverts, then the other input, then what is overdue. */
  thaw(): void {
    this.#daemon?.thaw()
  }

  /** inotify: the track_file was written, and now bars or does not. */
  trackFile(barred: boolean): void {
    this.#daemon?.trackFile(barred)
  }

  /** An advert arrived on the wire. */
  receive(advert: Advert): void {
    this.#daemon?.receive(advert)
  }

  /** Somebody else deleted the VIP from the kernel (`ip addr del`). */
  vipDeleted(): void {
    this.#daemon?.vipDeleted()
  }

  /** The interface lost or regained its carrier. */
  carrier(up: boolean): void {
    if (up === this.#carrierIsUp) return
    this.#carrierIsUp = up
    this.#daemon?.carrier(up)
  }

  get process(): 'running' | 'frozen' | 'absent' {
    if (this.#daemon === null) return 'absent'
    return this.#daemon.isFrozen ? 'frozen' : 'running'
  }

  /** INIT if there is no process. With a check configured, it is FAULT until the first result, too. */
  get state(): KeepalivedState {
    return this.#daemon?.state ?? 'INIT'
  }

  /** The priority of its adverts; null if there is no process. */
  get priority(): number | null {
    return this.#daemon?.priority ?? null
  }

  /** Counted since the start of the process; adverts in FAULT do not count. */
  get advertsReceived(): number {
    return this.#daemon?.advertsReceived ?? 0
  }
}

/**
 * The share of the start-up in which SIGTERM ends the daemon without anything done; measured, 2 of 9 between 0 and 20
 * ms.
 */
const loadingShare = 0.7

/** One life of the process. */
class Daemon {
  readonly #loop: EventLoop<KeepalivedDescriptor>
  readonly #instance: KeepalivedInstance
  readonly #conf: KeepalivedConf
  readonly #outlets: KeepalivedOutlets
  readonly #carrierIsUp: () => boolean
  readonly #onExit: () => void
  readonly #timing: KeepalivedTiming
  #kernelHasVip: boolean
  /** `loading`: only the main process exists yet, or the VRRP process does not handle signals yet. */
  #phase: 'loading' | 'opening' | 'serving' | 'ending' = 'loading'
  #isAskedToEnd = false

  constructor(options: {
    timeline: Timeline
    timing: KeepalivedTiming
    conf: KeepalivedConf
    outlets: KeepalivedOutlets
    kernelHasVip: boolean
    carrierIsUp: () => boolean
    onExit: () => void
  }) {
    const { timeline, timing, conf, outlets } = options
    this.#conf = conf
    this.#outlets = outlets
    this.#kernelHasVip = options.kernelHasVip
    this.#carrierIsUp = options.carrierIsUp
    this.#onExit = options.onExit
    this.#timing = timing
    this.#loop = new EventLoop(timeline, keepalivedLimits, () => timing.latencyMs())
    this.#instance = new KeepalivedInstance({
      timeline,
      loop: this.#loop,
      conf,
      outlets: {
        advert: (advert) => outlets.advert(advert),
        garp: () => outlets.garp(),
        fifo: (line, priority) => outlets.fifo(line, priority),
        priority: (priority) => outlets.priority?.(priority),
        addVip: () => this.#setVip(true),
        removeVip: () => this.#setVip(false),
      },
    })
    const startUpMs = timing.startUpMs()
    this.#loop.timer(startUpMs * loadingShare, () => {
      this.#phase = 'opening'
      this.#loop.timer(startUpMs * (1 - loadingShare), () => this.#begin())
    })
  }

  get state(): KeepalivedState {
    return this.#instance.state
  }

  get advertsReceived(): number {
    return this.#instance.advertsReceived
  }

  get priority(): number {
    return this.#instance.priority
  }

  get isFrozen(): boolean {
    return this.#loop.isStopped
  }

  /** The main process passes the signal on, which takes effect in the event loop. */
  terminate(): void {
    if (this.#isAskedToEnd) return
    this.#isAskedToEnd = true
    if (!this.isFrozen) this.#awaitEnd()
  }

  kill(): void {
    this.#loop.end()
    this.#onExit()
  }

  freeze(): void {
    this.#loop.stop()
  }

  /** A stopped main process passes the signal on when it continues; what is overdue comes first. */
  thaw(): void {
    if (!this.isFrozen) return
    this.#loop.resume()
    if (this.#isAskedToEnd) this.#awaitEnd()
  }

  trackFile(barred: boolean): void {
    if (this.#phase !== 'serving') return
    this.#loop.input('files', () => {
      if (barred) this.#instance.raise('track_file')
      else this.#instance.clear('track_file')
    })
  }

  receive(advert: Advert): void {
    if (this.#phase === 'serving') this.#loop.input('adverts', () => this.#instance.hear(advert))
  }

  vipDeleted(): void {
    this.#kernelHasVip = false
    if (this.#phase === 'serving') this.#loop.input('kernel', () => this.#instance.vipDeleted())
  }

  carrier(up: boolean): void {
    if (this.#phase !== 'serving') return
    this.#loop.input('kernel', () => {
      if (up) this.#instance.clear('carrier')
      else this.#instance.raise('carrier')
    })
  }

  /** start_vrrp(), then the first turn of the event loop. */
  #begin(): void {
    this.#phase = 'serving'
    const barred = this.#outlets.readTrackFile()
    this.#instance.readFaults([
      ...(this.#carrierIsUp() ? [] : (['carrier'] as const)),
      ...(barred ? (['track_file'] as const) : []),
    ])
    this.#setVip(false)
    this.#instance.begin({ awaitsCheck: this.#conf.check !== null })
    if (this.#conf.check !== null) this.#startCheck(this.#conf.check)
    if (this.#conf.app !== null) this.#startApp(this.#conf.app)
    if (this.#isAskedToEnd) this.#awaitEnd()
  }

  #awaitEnd(): void {
    switch (this.#phase) {
      case 'loading':
        this.#phase = 'ending'
        this.#loop.close()
        this.#loop.timer(this.#timing.closingMs(), () => this.kill())
        return
      case 'opening': // The signal waits for the event loop.
      case 'ending':
        return
      case 'serving':
        this.#loop.timer(this.#timing.latencyMs(), () => this.#shutDown())
        return
      default:
        return assertNever(this.#phase)
    }
  }

  #startCheck(conf: CheckConf): void {
    new KeepalivedCheck(this.#loop, conf, {
      dyingMs: () => this.#timing.checkDyingMs(),
      run: (done) => this.#outlets.runCheck(done),
      first: (isGood) => this.#instance.firstCheckResult(isGood),
      changed: (isGood) => {
        if (isGood) this.#instance.clear('check')
        else this.#instance.raise('check')
      },
    }).start()
  }

  /** process_script_update_priority(): the first result counts only if it changes the priority that is configured. */
  #startApp(conf: AppConf): void {
    const { weight } = conf
    new KeepalivedCheck(this.#loop, conf, {
      dyingMs: () => this.#timing.checkDyingMs(),
      run: (done) => this.#outlets.runApp?.(done),
      first: (isGood) => {
        if (isGood === weight > 0) this.#instance.weigh(weight)
      },
      changed: (isGood) => this.#instance.weigh(isGood ? Math.abs(weight) : -Math.abs(weight)),
    }).start()
  }

  #shutDown(): void {
    if (this.#phase === 'ending') return
    this.#phase = 'ending'
    this.#loop.close()
    this.#instance.resign()
    this.#loop.timer(this.#timing.closingMs(), () => {
      this.#instance.tellStop()
      this.#loop.timer(this.#timing.leavingMs(), () => this.kill())
    })
  }

  /** Reports only what changes the kernel. */
  #setVip(held: boolean): void {
    if (held === this.#kernelHasVip) return
    this.#kernelHasVip = held
    this.#outlets.vip(held)
  }
}
