/** What an agent sees of its keepalived, and when, as in agent/keepalived/observer.ts: "gone" is always proved. */
import type { KeepalivedState, ProcessState, VipState } from '../../../shared/protocol/report.ts'
import type { Program } from '../world/host.ts'
import type { KeepalivedLine } from '../models/keepalived-model.ts'
import type { NodeHost } from './node-host.ts'

export interface Observation {
  readonly keepalived: KeepalivedState
  readonly process: ProcessState
  readonly died: boolean
  readonly vips: VipState
  readonly tells: boolean
}

export interface ObserverEvents {
  observed(observation: Observation): void
  rival(): void
  lettingGo(): void
  /** The priority that keepalived runs with; null: not known. */
  priority(priority: number | null): void
}

/** `ip -j addr`. */
const proofMs = { least: 1.2, most: 4 }
const dumpMs = { least: 4, most: 40 }
const dumpableAfterMs = 1500
const oddLooksBeforeDump = 3
const looksAfterDeathMs = [5, 25, 75] as const

export class SimulatedObserver {
  readonly #node: NodeHost
  readonly #program: Program
  readonly #on: ObserverEvents
  #process: ProcessState = 'absent'
  /** Which start of keepalived was seen last. */
  #identity = 0
  #processSinceMs = 0
  #state: KeepalivedState = 'UNKNOWN'
  #priority: number | null = null
  #vips: VipState | null = null
  /** keepalived has written a state since it started. */
  #tells = false
  #told: Observation | null = null
  #news = 0
  #oddLooks = 0
  #dumpDue = true
  #dumping = false
  #proving: 'no' | 'yes' | 'again' = 'no'
  #force = false
  #begun = false

  constructor(node: NodeHost, program: Program, on: ObserverEvents) {
    this.#node = node
    this.#program = program
    this.#on = on
  }

  begin(): void {
    this.#noteProcess()
    this.#begun = true
    this.#prove(true)
  }

  /** Looks and reports, changed or not. */
  observe(): void {
    this.#prove(true)
  }

  takeLine(line: KeepalivedLine, priority: number): void {
    if (line === 'MASTER_RX_LOWER_PRI') return this.#on.rival()
    if (line === 'MASTER_PRIORITY' || line === 'BACKUP_PRIORITY') return this.#notePriority(priority)
    this.#noteProcess()
    if (this.#state === 'MASTER' && line !== 'MASTER') this.#on.lettingGo()
    this.#state = line
    this.#tells = this.#process !== 'absent'
    this.#news += 1
    this.#notePriority(priority)
    if (line !== 'MASTER') return this.#prove(false)
    this.#vips = 'held'
    this.#tell(false)
    if (!this.#node.vipHeld) this.#prove(false)
  }

  takeWriterGone(): void {
    this.#noteProcess()
    this.#prove(false)
    for (const delayMs of looksAfterDeathMs)
      this.#program.after(delayMs, () => {
        this.#noteProcess()
        this.#prove(false)
      })
  }

  look(atAddresses: boolean): void {
    if (!this.#begun) return
    const changed = this.#noteProcess()
    if (!atAddresses && !changed && this.#oddLooks === 0 && !this.#dumpDue) return
    const seen = this.#node.vipHeld
    if (seen && this.#vips === 'gone') {
      this.#news += 1
      this.#vips = 'held'
      this.#tell(false)
    }
    if (changed || (!seen && this.#vips === 'held')) this.#prove(false)
    this.#lookForContradiction()
    if (this.#dumpDue) this.#dump()
  }

  #noteProcess(): boolean {
    const { process, starts } = this.#node.keepalived
    const restarted = process !== 'absent' && starts !== this.#identity
    const changed = restarted || process !== this.#process
    if (restarted || process === 'absent') this.#tells = false
    if (restarted) {
      this.#dumpDue = true
      this.#identity = starts
      this.#processSinceMs = this.#program.host.timeline.nowMs
      if (this.#begun) {
        this.#state = 'INIT'
        this.#news += 1
        this.#notePriority(null)
      }
    }
    this.#process = process
    return changed
  }

  #notePriority(priority: number | null): void {
    if (priority === this.#priority) return
    this.#priority = priority
    this.#on.priority(priority)
  }

  #prove(force: boolean): void {
    this.#force ||= force
    if (this.#proving !== 'no') {
      this.#proving = 'again'
      return
    }
    this.#proving = 'yes'
    const news = this.#news
    const forced = this.#force
    this.#force = false
    const { least, most } = proofMs
    // The kernel's list shows some moment between the question and the answer.
    const listed = { vips: 'held' as VipState }
    this.#node.host.timeline.after(least / 2, () => (listed.vips = this.#node.vipHeld ? 'held' : 'gone'))
    this.#program.after(this.#node.around.chance.between(least, most), () => {
      const again = this.#proving === 'again' || news !== this.#news
      this.#proving = 'no'
      this.#noteProcess()
      if (news === this.#news) {
        this.#vips = listed.vips
        this.#tell(forced)
      } else this.#force ||= forced
      if (again) this.#prove(false)
    })
  }

  #tell(force: boolean): void {
    if (this.#vips === null) return
    if (force) this.#on.priority(this.#priority)
    const observation: Observation = {
      keepalived: this.#process === 'absent' ? 'STOP' : this.#state,
      process: this.#process,
      died: this.#node.keepalivedDied,
      vips: this.#vips,
      tells: this.#tells,
    }
    if (!force && this.#told !== null && isSame(this.#told, observation)) return
    this.#told = observation
    this.#on.observed(observation)
  }

  #lookForContradiction(): void {
    const isOdd = this.#process === 'running' && (this.#vips === 'held') !== (this.#state === 'MASTER')
    this.#oddLooks = isOdd ? this.#oddLooks + 1 : 0
    if (this.#oddLooks > 0 && this.#oddLooks % oddLooksBeforeDump === 0) this.#dumpDue = true
  }

  #dump(): void {
    const ageMs = this.#program.host.timeline.nowMs - this.#processSinceMs
    if (this.#dumping || this.#process !== 'running' || ageMs < dumpableAfterMs) return
    this.#dumping = true
    this.#dumpDue = false
    const news = this.#news
    const priorityBefore = this.#priority
    this.#program.after(this.#node.around.chance.between(dumpMs.least, dumpMs.most), () => {
      this.#dumping = false
      if (news !== this.#news) return
      const { process, state, priority } = this.#node.keepalived
      // A line that came meanwhile may be newer than the dump.
      if (priority !== null && this.#priority === priorityBefore) this.#notePriority(priority)
      if (process === 'running') this.#state = state
      this.#prove(false)
    })
  }
}

function isSame(one: Observation, other: Observation): boolean {
  return (
    one.keepalived === other.keepalived &&
    one.process === other.process &&
    one.vips === other.vips &&
    one.tells === other.tells
  )
}
