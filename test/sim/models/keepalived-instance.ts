/**
 * One `vrrp_instance` of keepalived 2.2.7, VRRP version 2 with its defaults: its states, and how each event changes
 * them. It follows vrrp.c, vrrp_scheduler.c and vrrp_track.c; the names in C are given where the correspondence is not
 * obvious.
 */
import { type Timeline } from '../world/timeline.ts'
import { type EventLoop, type LoopTimer } from '../world/event-loop.ts'
import { type KeepalivedDescriptor } from './keepalived-descriptors.ts'

export interface Advert {
  readonly priority: number
  readonly address: number
}

export type KeepalivedState = 'INIT' | 'BACKUP' | 'MASTER' | 'FAULT' | 'STOP'
/** The third word of a FIFO line; the fourth is the priority. */
export type KeepalivedLine =
  'MASTER' | 'BACKUP' | 'FAULT' | 'STOP' | 'MASTER_RX_LOWER_PRI' | 'MASTER_PRIORITY' | 'BACKUP_PRIORITY'
/**
 * Why an instance is in FAULT. Each reason is there once or not at all, and all must be gone (`num_script_if_fault`).
 */
export type Fault = 'track_file' | 'check' | 'carrier'

export interface InstanceConf {
  /** The one that is configured; weights come on top of it. */
  readonly priority: number
  readonly advertIntMs: number
  readonly downTimerAdverts: number
  /** `vrrp_notify_priority_changes` */
  readonly tellsPriority: boolean
  readonly nopreempt: boolean
  readonly initial: 'MASTER' | 'BACKUP'
  readonly address: number
}

export interface InstanceOutlets {
  advert(advert: Advert): void
  addVip(): void
  removeVip(): void
  garp(): void
  fifo(line: KeepalivedLine, priority: number): void
  /** The priority of its adverts is another one from now on. */
  priority(priority: number): void
}

/** vrrp_garp_master_delay, and the same after an advert of lower priority. */
const garpDelayMs = 5000

export class KeepalivedInstance {
  readonly #timeline: Timeline
  readonly #loop: EventLoop<KeepalivedDescriptor>
  readonly #conf: InstanceConf
  readonly #outlets: InstanceOutlets
  readonly #nopreempt: boolean
  readonly #faults = new Set<Fault>()
  #state: KeepalivedState = 'INIT'
  #awaitsCheck = false
  /** `total_priority`: weights included, which may be beyond what an advert can say. */
  #total: number
  /** `effective_priority` */
  #priority: number
  /** `vipset`: keepalived believes that it has the VIP. */
  #vipSet = false
  /** `ms_down_timer`: how long a BACKUP waits from the last advert. */
  #masterDownMs: number
  /** `sands`: when a MASTER sends its next advert, or when a BACKUP stops waiting for one. */
  #deadline: LoopTimer | null = null
  #advertsReceived = 0

  constructor(options: {
    timeline: Timeline
    loop: EventLoop<KeepalivedDescriptor>
    conf: InstanceConf
    outlets: InstanceOutlets
  }) {
    this.#timeline = options.timeline
    this.#loop = options.loop
    this.#conf = options.conf
    this.#outlets = options.outlets
    this.#total = options.conf.priority
    this.#priority = options.conf.priority
    // "nopreempt will not work with initial state MASTER - clearing"; `state` has no other effect below priority 255.
    this.#nopreempt = options.conf.nopreempt && options.conf.initial === 'BACKUP'
    this.#masterDownMs = this.#wholeMasterDownMs
  }

  get state(): KeepalivedState {
    return this.#state
  }

  get advertsReceived(): number {
    return this.#advertsReceived
  }

  /** The priority of its adverts. */
  get priority(): number {
    return this.#priority
  }

  /**
   * vrrp_set_effective_priority(): what a tracker adds or takes away. A MASTER says the new priority in its next regular
   * advert; a BACKUP waits for longer or shorter at once.
   */
  weigh(change: number): void {
    this.#total += change
    const priority = Math.min(254, Math.max(1, this.#total))
    if (priority === this.#priority) return
    const waitedForMs = this.#masterDownMs
    this.#priority = priority
    this.#masterDownMs = this.#wholeMasterDownMs
    this.#outlets.priority(priority)
    if (this.#state === 'BACKUP') this.#delayDeadline(this.#masterDownMs - waitedForMs)
    if (this.#conf.tellsPriority) this.#tell(this.#state === 'MASTER' ? 'MASTER_PRIORITY' : 'BACKUP_PRIORITY')
  }

  /**
   * vrrp_complete_init(): a fault that exists already makes it FAULT, and it writes that line before it has touched the
   * kernel.
   */
  readFaults(faults: readonly Fault[]): void {
    for (const fault of faults) this.#faults.add(fault)
    if (faults.length > 0) this.#enter('FAULT')
  }

  /**
   * vrrp_init_state(): the event loop begins. With a check it is in FAULT until the first result, without a FIFO line.
   */
  begin(options: { awaitsCheck: boolean }): void {
    this.#awaitsCheck = options.awaitsCheck
    if (this.#faults.size > 0) return
    if (options.awaitsCheck) this.#state = 'FAULT'
    else this.#enter('BACKUP')
  }

  /** down_instance() */
  raise(fault: Fault): void {
    if (this.#faults.has(fault)) return
    this.#faults.add(fault)
    if (this.#faults.size > 1) return
    if (this.#state === 'MASTER') this.#leaveMaster({ to: 'FAULT', farewells: 2 })
    else this.#enter('FAULT')
  }

  /** try_up_instance() */
  clear(fault: Fault): void {
    if (!this.#faults.delete(fault)) return
    if (this.#faults.size === 0 && !this.#awaitsCheck) this.#enter('BACKUP')
  }

  firstCheckResult(isGood: boolean): void {
    this.#awaitsCheck = false
    if (!isGood) this.raise('check')
    else if (this.#faults.size === 0) this.#enter('BACKUP')
  }

  /** vrrp_dispatcher_read() */
  hear(advert: Advert): void {
    if (this.#state === 'MASTER') this.#hearAsMaster(advert)
    else if (this.#state === 'BACKUP') this.#hearAsBackup(advert)
    else return
    this.#advertsReceived += 1
    // This holds for a MASTER too: an advert that it answers puts off its next regular one.
    this.#restartDeadline()
  }

  /** Somebody else deleted the VIP: set_vrrp_backup(). It takes the VIP back soon, after its skew time. */
  vipDeleted(): void {
    if (this.#state !== 'MASTER') return
    this.#leaveMaster({ to: 'BACKUP', farewells: 1 })
    this.#masterDownMs = this.#skewMs
    this.#restartDeadline()
  }

  /** vrrp_terminate_phase1(): the VIP is removed first; the STOP line waits until the sockets are closed. */
  resign(): void {
    if (this.#state === 'MASTER') {
      this.#farewell()
      this.#dropVip()
    }
    this.#state = 'STOP'
    this.#restartDeadline()
  }

  tellStop(): void {
    this.#tell('STOP')
  }

  #tell(line: KeepalivedLine): void {
    this.#outlets.fifo(line, this.#priority)
  }

  get #skewMs(): number {
    return ((256 - this.#priority) * 1000) / 256
  }

  get #wholeMasterDownMs(): number {
    return this.#conf.downTimerAdverts * this.#conf.advertIntMs + this.#skewMs
  }

  #hearAsBackup(advert: Advert): void {
    if (advert.priority === 0) this.#masterDownMs = this.#skewMs
    else if (this.#nopreempt || advert.priority >= this.#priority)
      this.#masterDownMs = this.#wholeMasterDownMs
    else this.#masterDownMs = this.#patienceLeftMs()
  }

  #patienceLeftMs(): number {
    return this.#deadline === null ? 0 : Math.max(0, this.#deadline.atMs - this.#timeline.nowMs)
  }

  #hearAsMaster(advert: Advert): void {
    if (advert.priority === 0) {
      this.#advertise()
      return
    }
    const precedence = advert.priority - this.#priority || advert.address - this.#conf.address
    if (precedence > 0) this.#leaveMaster({ to: 'BACKUP', farewells: 0 })
    else if (precedence < 0) this.#answerLower()
  }

  /** "forcing new election" */
  #answerLower(): void {
    this.#advertise()
    this.#sendGarp()
    this.#loop.timer(garpDelayMs, () => this.#sendGarp())
    this.#tell('MASTER_RX_LOWER_PRI')
  }

  /** vrrp_state_leave_master(); a MASTER that goes to FAULT sends its farewell twice. */
  #leaveMaster(options: { to: 'BACKUP' | 'FAULT'; farewells: 0 | 1 | 2 }): void {
    for (let sent = 0; sent < options.farewells; sent++) this.#farewell()
    this.#dropVip()
    this.#enter(options.to)
  }

  /** To BACKUP or FAULT, with a whole master-down time ahead. */
  #enter(state: 'BACKUP' | 'FAULT'): void {
    this.#state = state
    this.#tell(state)
    this.#masterDownMs = this.#wholeMasterDownMs
    this.#restartDeadline()
  }

  #restartDeadline(): void {
    if (this.#deadline !== null) this.#deadline.cancelled = true
    this.#deadline = null
    if (this.#state === 'MASTER') this.#awaitDeadline(this.#conf.advertIntMs)
    else if (this.#state === 'BACKUP') this.#awaitDeadline(this.#masterDownMs)
  }

  /** Only a BACKUP that the new priority finds waiting. */
  #delayDeadline(byMs: number): void {
    if (this.#deadline === null) return
    this.#deadline.cancelled = true
    this.#awaitDeadline(Math.max(0, this.#deadline.atMs + byMs - this.#timeline.nowMs))
  }

  #awaitDeadline(delayMs: number): void {
    this.#deadline = this.#loop.readDeadline(delayMs, () => this.#onDeadline())
  }

  /** vrrp_dispatcher_read_timeout() */
  #onDeadline(): void {
    this.#state = 'MASTER'
    this.#advertise()
    if (!this.#vipSet) this.#becomeMaster()
    this.#restartDeadline()
  }

  /** vrrp_state_become_master(): the first advert has been sent already. */
  #becomeMaster(): void {
    this.#vipSet = true
    this.#outlets.addVip()
    this.#sendGarp()
    this.#tell('MASTER')
    this.#loop.timer(garpDelayMs, () => this.#sendGarp())
  }

  #dropVip(): void {
    this.#vipSet = false
    this.#outlets.removeVip()
  }

  #advertise(): void {
    this.#outlets.advert({ priority: this.#priority, address: this.#conf.address })
  }

  #farewell(): void {
    this.#outlets.advert({ priority: 0, address: this.#conf.address })
  }

  #sendGarp(): void {
    if (this.#vipSet) this.#outlets.garp()
  }
}
