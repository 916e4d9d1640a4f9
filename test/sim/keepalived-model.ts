/**
 * A model of one keepalived 2.2.7 daemon with one `vrrp_instance` (VRRP version 2, defaults, one VIP, a `track_file`
 * of weight 0, and a `vrrp_script` of weight 0 where one is configured). Written after its source; that it is true is
 * shown by test/unit/sim/keepalived-model.test.ts, which replays traces of the real one.
 *
 * What the daemon does at one wake-up happens here at one instant, in the daemon's order.
 *
 * Left out: priority 255, reload, sync groups, weights, the deaths of single processes of the daemon.
 */
import { type Chance } from './chance.ts'
import { EventLoop } from './event-loop.ts'
import { type CheckConf, type CheckEnd, KeepalivedCheck } from './keepalived-check.ts'
import { type KeepalivedDescriptor, keepalivedLimits } from './keepalived-descriptors.ts'
import {
  type Advert,
  type InstanceConf,
  KeepalivedInstance,
  type KeepalivedLine,
  type KeepalivedState,
} from './keepalived-instance.ts'
import { type Timeline } from './timeline.ts'

export type { Advert, CheckEnd, KeepalivedLine, KeepalivedState }

export interface KeepalivedConf extends InstanceConf {
  /** 1 to 254 */
  readonly priority: number
  readonly advertIntMs: number
  readonly nopreempt: boolean
  readonly initial: 'MASTER' | 'BACKUP'
  /** Orders the nodes where priorities are equal, as the primary IP does: the higher one wins. */
  readonly address: number
  /** The check script: how often, and its `fall` and `rise`; null: no check configured. */
  readonly check: CheckConf | null
}

export interface KeepalivedOutlets {
  /** Multicast of an advert; priority 0: "I leave". It goes out also where the carrier is lost. */
  advert(advert: Advert): void
  /** The kernel's VIP was added or removed. This happens before the FIFO line, but see `start`. */
  vip(held: boolean): void
  /** Gratuitous ARP, five in a row. */
  garp(): void
  /** keepalived writes a FIFO line. */
  fifo(line: KeepalivedLine): void
  /** Runs the check script; `done` is called with its end. What it says after the daemon gave it up does not matter. */
  runCheck(done: (end: CheckEnd) => void): void
  /** The last of its processes is gone, killed or by its own end. */
  exited?(): void
  /** Reads the track_file now: true where it bars. Only at start; later changes come by `trackFile`. */
  readTrackFile(): boolean
}

/** From the start of the program until it has its sockets; measured, see the traces. */
const startUpMs = { from: 20, to: 60 }
/** From an event until the process has been woken and acts; measured, see the traces. */
const latencyMs = { from: 0.1, to: 0.6 }
/** vrrp_terminate_phase1() leaves the kernel a second to say goodbye to the multicast group. */
const shutDownMs = 1000

export class KeepalivedModel {
  readonly #timeline: Timeline
  readonly #chance: Chance
  readonly #conf: KeepalivedConf
  readonly #outlets: KeepalivedOutlets
  #daemon: Daemon | null = null
  #carrierIsUp = true
  #starts = 0

  constructor(timeline: Timeline, chance: Chance, conf: KeepalivedConf, outlets: KeepalivedOutlets) {
    if (!(conf.priority >= 1 && conf.priority <= 254))
      throw new Error(`the model has priorities 1 to 254, not ${conf.priority}`)
    this.#timeline = timeline
    this.#chance = chance
    this.#conf = conf
    this.#outlets = outlets
  }

  /**
   * `systemctl start`: nothing where it runs. A VIP that a killed predecessor left in the kernel is removed before
   * anything else, with no advert; where the track_file bars from the start, the FAULT line comes before the removal.
   */
  start(kernelHasVip: boolean): void {
    if (this.#daemon !== null) return
    const daemon: Daemon = new Daemon({
      timeline: this.#timeline,
      chance: this.#chance,
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

  /** How many times it was started: tells one daemon from the next. */
  get starts(): number {
    return this.#starts
  }

  /** SIGTERM: farewell and removal of the VIP where it is MASTER, the STOP line, and a second later it is gone. */
  terminate(): void {
    this.#daemon?.terminate()
  }

  /** SIGKILL to all of its processes: nothing is cleaned up. */
  kill(): void {
    this.#daemon?.kill()
  }

  /** SIGSTOP to all of its processes: what comes in waits, timers become overdue. */
  freeze(): void {
    this.#daemon?.freeze()
  }

  /** SIGCONT: at each wake-up two adverts at most, then what else came in, then what is overdue. */
  thaw(): void {
    this.#daemon?.thaw()
  }

  /** inotify: the track_file was written, and bars or not. */
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

  /** INIT where there is no process. With a check configured, FAULT also until its first result. */
  get state(): KeepalivedState {
    return this.#daemon?.state ?? 'INIT'
  }

  /** Since the start of the process; in FAULT adverts do not count. */
  get advertsReceived(): number {
    return this.#daemon?.advertsReceived ?? 0
  }
}

/** One life of the process. */
class Daemon {
  readonly #loop: EventLoop<KeepalivedDescriptor>
  readonly #instance: KeepalivedInstance
  readonly #conf: KeepalivedConf
  readonly #outlets: KeepalivedOutlets
  readonly #carrierIsUp: () => boolean
  readonly #onExit: () => void
  #kernelHasVip: boolean
  #phase: 'starting' | 'serving' | 'ending' = 'starting'
  #asked: 'nothing' | 'terminate' = 'nothing'

  constructor(options: {
    timeline: Timeline
    chance: Chance
    conf: KeepalivedConf
    outlets: KeepalivedOutlets
    kernelHasVip: boolean
    carrierIsUp: () => boolean
    onExit: () => void
  }) {
    const { timeline, chance, conf, outlets } = options
    this.#conf = conf
    this.#outlets = outlets
    this.#kernelHasVip = options.kernelHasVip
    this.#carrierIsUp = options.carrierIsUp
    this.#onExit = options.onExit
    this.#loop = new EventLoop(timeline, keepalivedLimits, () => chance.between(latencyMs.from, latencyMs.to))
    this.#instance = new KeepalivedInstance({
      timeline,
      loop: this.#loop,
      conf,
      outlets: {
        advert: (advert) => outlets.advert(advert),
        garp: () => outlets.garp(),
        fifo: (line) => outlets.fifo(line),
        addVip: () => this.#setVip(true),
        removeVip: () => this.#setVip(false),
      },
    })
    this.#loop.timer(chance.between(startUpMs.from, startUpMs.to), () => this.#begin())
  }

  get state(): KeepalivedState {
    return this.#instance.state
  }

  get advertsReceived(): number {
    return this.#instance.advertsReceived
  }

  get isFrozen(): boolean {
    return this.#loop.isStopped
  }

  /** A signal before the sockets are there waits for the event loop. */
  terminate(): void {
    if (this.#asked === 'terminate') return
    this.#asked = 'terminate'
    if (this.#phase === 'serving') this.#loop.input('signals', () => this.#shutDown())
  }

  kill(): void {
    this.#loop.end()
    this.#onExit()
  }

  freeze(): void {
    this.#loop.stop()
  }

  thaw(): void {
    this.#loop.resume()
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
    if (this.#asked === 'terminate') this.#loop.input('signals', () => this.#shutDown())
  }

  #startCheck(conf: CheckConf): void {
    new KeepalivedCheck(this.#loop, conf, {
      run: (done) => this.#outlets.runCheck(done),
      first: (isGood) => this.#instance.firstCheckResult(isGood),
      changed: (isGood) => {
        if (isGood) this.#instance.clear('check')
        else this.#instance.raise('check')
      },
    }).start()
  }

  #shutDown(): void {
    this.#phase = 'ending'
    this.#instance.shutDown()
    this.#loop.close()
    this.#loop.timer(shutDownMs, () => this.kill())
  }

  /** Tells only what changes the kernel. */
  #setVip(held: boolean): void {
    if (held === this.#kernelHasVip) return
    this.#kernelHasVip = held
    this.#outlets.vip(held)
  }
}
