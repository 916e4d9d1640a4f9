/**
 * What keepalived and the kernel show, as one observation per instance, reported when it changes.
 *
 * The sources, in order of trust: the kernel's address list and process table; the lines of the FIFO; a dump if the
 * FIFO is silent. "Held" may come from a glance, because it makes the guard act at once; "gone" is always proved.
 */
import type { KeepalivedState, VipState } from '../../shared/protocol/report.ts'
import type { ProcessSight } from '../core/guard/guard.ts'
import { assertNever } from '../../shared/assert-never.ts'
import { holdsAny, type KernelAddress } from './kernel-addresses.ts'
import type { InstanceSnapshot } from './dump.ts'
import { describeUnknown, type ProcessLook, unseen } from './process.ts'
import type { FifoEvent } from './notify-fifo.ts'
import { vipsToWatch, type Vip } from './vip.ts'

export interface Observation {
  readonly keepalived: KeepalivedState
  readonly process: ProcessSight
  /** Only when absent: keepalived ended, and may have left its VIPs behind. */
  readonly died: boolean
  readonly vips: VipState
  /** keepalived wrote a state to the FIFO since it started, and still has the FIFO open. */
  readonly tells: boolean
}

/** The world as the observer sees it; tests hand in their own. */
export interface ObserverSources {
  readonly lookAtProcess: () => ProcessLook
  readonly glance: () => KernelAddress[]
  readonly list: () => Promise<{ addresses: KernelAddress[] } | { error: string }>
  readonly dump: (parentPid: number) => Promise<InstanceSnapshot[] | null>
  readonly nowMs: () => number
  /** Resolves after about this long; for the second look at a process that is about to end. */
  readonly pauseMs: (durationMs: number) => Promise<void>
}

export interface ObserverEvents {
  readonly observed: (instance: string, observation: Observation) => void
  readonly rival: (instance: string) => void
  /** keepalived answered with a dump. */
  readonly dumped: (snapshots: readonly InstanceSnapshot[]) => void
  /** keepalived was asked so many times in a row for a dump, and none came. */
  readonly undumped: (asked: { readonly times: number; readonly parentPid: number }) => void
  /** keepalived says that it removed the VIP; the proof by the kernel's addresses follows. */
  readonly lettingGo: (instance: string) => void
  /** The priority that keepalived runs the instance with, weights included; null: not known. */
  readonly priority: (instance: string, priority: number | null) => void
  /** Something an operator must see to; `what` is stable, for telling it once. */
  readonly problem: (what: string, text: string) => void
}

interface Watched {
  /** Of keepalived.conf. */
  configured: readonly Vip[]
  /** Of keepalived's last dump; empty before it. */
  dumped: readonly Vip[]
  /** All that may be on this node, and count. */
  vips: readonly Vip[]
  /** The last state that keepalived reported. */
  state: KeepalivedState
  /** The priority that keepalived reported last; null: none since it started. */
  priority: number | null
  /** Null until the first proof. */
  vipState: VipState | null
  told: Observation | null
  /** Grows with each new fact. A proof or dump that began before it is out of date. */
  news: number
  /** In how many looks in a row state and VIPs have contradicted each other. */
  oddLooks: number
}

/** keepalived installs its signal handlers while it starts, and an unhandled real-time signal would end it. */
const dumpableAfterMs = 1500
/** State and VIPs differ for a moment at each transition; after this many looks keepalived is asked. */
const oddLooksBeforeDump = 3
/** A dump costs a line in keepalived's log. As long as it does not help, it is repeated less and less often. */
const oddLooksAtMost = 256
/** After a dump that did not come, the next one is asked for after this time, then after twice as long, and so on. */
const dumpAgainFirstMs = 2000
const dumpAgainMostMs = 256_000
/** A keepalived that has just been started is not found at once. */
const unknownToldAfterMs = 3000

export class KeepalivedObserver {
  readonly #sources: ObserverSources
  readonly #on: ObserverEvents
  readonly #watched = new Map<string, Watched>()
  #process: ProcessLook = { ...unseen, state: 'unknown' }
  /** Since when keepalived cannot be found; null: it was found, or is proved to be gone. */
  #unknownSinceMs: number | null = null
  /** What was read of a keepalived that is not in sight: it wrote a line, or it also ended since. */
  #unseenWriter: 'none' | 'lives' | 'died' = 'none'
  /** keepalived has written a state since it started, and has not closed the FIFO since. */
  #tells = false
  /** Since the last dump; the priority that keepalived wrote before may be out of date. */
  #reloaded = false
  #started = false
  #dumpDue = true
  #dumping = false
  /** Dumps in a row that did not come, and when the next one is due because of that. */
  #inVain = { times: 0, againAtMs: Infinity }
  /** Instances that wait for a proof, and whether it is reported even without a change. */
  #unproved = new Map<string, { force: boolean }>()
  #isProving = false
  #proving: Promise<void> = Promise.resolve()

  constructor(sources: ObserverSources, on: ObserverEvents) {
    this.#sources = sources
    this.#on = on
  }

  /** Which instances there are, with their VIPs; again after keepalived.conf changed. A snapshot follows. */
  watch(instances: ReadonlyMap<string, readonly Vip[]>): void {
    for (const name of this.#watched.keys()) if (!instances.has(name)) this.#watched.delete(name)
    for (const [name, configured] of instances) {
      const known = this.#watched.get(name)
      if (known === undefined)
        this.#watched.set(name, {
          configured,
          dumped: [],
          vips: configured,
          state: 'UNKNOWN',
          priority: null,
          vipState: null,
          told: null,
          news: 0,
          oddLooks: 0,
        })
      else noteVips(known, { configured })
    }
    this.#dumpDue = true
    this.look()
    for (const name of this.#watched.keys()) this.#prove(name)
  }

  /** Asks keepalived for its configuration and states again, at the next look. */
  askAgain(): void {
    this.#dumpDue = true
  }

  /** Every VIP that keepalived may have put up on this node for the instance. */
  vipsOf(instance: string): readonly Vip[] {
    return this.#watched.get(instance)?.vips ?? []
  }

  /** Handles an event from the FIFO. A MASTER line is passed on before this returns. */
  take(event: FifoEvent): void {
    switch (event.type) {
      case 'state':
        this.#takeState(event)
        return
      case 'priority': {
        const watched = this.#watched.get(event.instance)
        if (watched !== undefined) this.#notePriority(event.instance, watched, event.priority)
        return
      }
      case 'rival':
        if (this.#watched.has(event.instance)) this.#on.rival(event.instance)
        return
      case 'writer-gone':
        if (this.#unseenWriter === 'lives') this.#unseenWriter = 'died'
        void this.#takeWriterGone()
        return
      default:
        assertNever(event)
    }
  }

  /** The periodic look: cheap, and spawns a proof only where something changed. */
  look(): void {
    if (this.#sources.nowMs() >= this.#inVain.againAtMs) this.#dumpDue = true
    this.#lookAround(this.#noteProcess())
    this.#tellUnknown()
  }

  /** The look in between, at the process table only. If something has changed or contradicts, a whole look follows. */
  glimpse(): void {
    const changed = this.#noteProcess()
    const isOdd = [...this.#watched.values()].some(({ oddLooks }) => oddLooks > 0)
    if (changed || isOdd || this.#dumpDue) this.#lookAround(changed)
  }

  #lookAround(changed: boolean): void {
    const glance = this.#sources.glance()
    for (const [name, watched] of this.#watched) {
      const seen = holdsAny(glance, watched.vips)
      if (seen && watched.vipState === 'gone') {
        watched.news += 1
        watched.vipState = 'held'
        this.#tell(name, watched, false)
      }
      if (changed || (!seen && watched.vipState === 'held')) this.#prove(name)
      this.#lookForContradiction(watched)
    }
    if (this.#dumpDue) void this.#takeDump()
  }

  /** Looks at the kernel's whole address list and the process table, and reports the result, changed or not. */
  async observe(instance: string): Promise<void> {
    this.#prove(instance, { force: true })
    await this.#proving
  }

  /** How many adverts the instance received since keepalived started; null: keepalived cannot say. */
  async adverts(instance: string): Promise<number | null> {
    const parentPid = this.#dumpablePid()
    if (parentPid === null) return null
    const snapshots = await this.#sources.dump(parentPid)
    return snapshots?.find((snapshot) => snapshot.instance === instance)?.advertsReceived ?? null
  }

  #takeState({ instance, state, priority }: FifoEvent & { type: 'state' }): void {
    if (this.#sources.lookAtProcess().state === 'absent') this.#unseenWriter = 'lives'
    const watched = this.#watched.get(instance)
    if (watched === undefined) {
      this.#on.problem(
        'unknown-instance',
        `keepalived reports vrrp_instance "${instance}", which the agent does not protect: either keepalived.config in agent.yaml names another file than the one that keepalived reads, or the instance is left out with a warning, which "witness-agent doctor" shows`,
      )
      return
    }
    this.#noteProcess()
    this.#tells = this.#process.state !== 'absent'
    if (watched.state === 'MASTER' && state !== 'MASTER') this.#on.lettingGo(instance)
    watched.state = state
    watched.news += 1
    // Before the state, because a claim depends on it.
    if (priority !== null) this.#notePriority(instance, watched, priority)
    if (state === 'MASTER') {
      // keepalived writes the line after it added the VIPs.
      watched.vipState = watched.vips.length > 0 ? 'held' : 'gone'
      this.#tell(instance, watched, false)
      if (!holdsAny(this.#sources.glance(), watched.vips)) this.#prove(instance)
    } else this.#prove(instance)
  }

  /** The process table may lag some milliseconds behind the closed FIFO. */
  async #takeWriterGone(): Promise<void> {
    for (const durationMs of [0, 5, 20, 50]) {
      await this.#sources.pauseMs(durationMs)
      this.#noteProcess()
      for (const name of this.#watched.keys()) this.#prove(name)
      await this.#proving
      if (this.#process.state === 'absent') return
    }
    // It lives on, and has closed the FIFO. A reload closes and opens it, and a MASTER then writes no line, whatever has
    // changed.
    this.#tells = false
    this.#reloaded = true
    this.#dumpDue = true
    for (const name of this.#watched.keys()) this.#prove(name)
  }

  /** @returns whether something about the process changed. */
  #noteProcess(): boolean {
    const before = this.#process
    const now = this.#withWriter(this.#sources.lookAtProcess())
    this.#process = now
    this.#unknownSinceMs = now.state === 'unknown' ? (this.#unknownSinceMs ?? this.#sources.nowMs()) : null
    const restarted = now.identity !== null && now.identity !== before.identity
    if (restarted || now.state === 'absent') this.#tells = false
    if (restarted) {
      this.#dumpDue = true
      if (this.#started) for (const [name, watched] of this.#watched) this.#beginAnew(name, watched)
    }
    this.#started = true
    return restarted || now.state !== before.state
  }

  /** A writer of the FIFO is alive, even if no process is in sight. */
  #withWriter(look: ProcessLook): ProcessLook {
    if (look.identity !== null) this.#unseenWriter = 'none'
    if (look.state !== 'absent') return look
    switch (this.#unseenWriter) {
      case 'none':
        return look
      case 'died':
        return { ...look, died: true }
      case 'lives':
        return {
          ...look,
          state: 'unknown',
          died: false,
          why: 'it writes to the FIFO, but its process is not visible',
        }
      default:
        return assertNever(this.#unseenWriter)
    }
  }

  /** At a clean end the process may be gone some milliseconds before its last line was read. */
  #tellUnknown(): void {
    if (this.#unknownSinceMs === null || this.#sources.nowMs() < this.#unknownSinceMs + unknownToldAfterMs)
      return
    this.#on.problem('keepalived-not-found', describeUnknown(this.#process))
  }

  /** keepalived was restarted, so what the old one reported no longer counts. */
  #beginAnew(instance: string, watched: Watched): void {
    watched.state = 'INIT'
    watched.news += 1
    this.#notePriority(instance, watched, null)
  }

  #notePriority(instance: string, watched: Watched, priority: number | null): void {
    if (priority === watched.priority) return
    watched.priority = priority
    this.#on.priority(instance, priority)
  }

  #prove(instance: string, { force = false } = {}): void {
    const waiting = this.#unproved.get(instance)
    this.#unproved.set(instance, { force: force || waiting?.force === true })
    if (!this.#isProving) this.#proving = this.#runProofs()
  }

  async #runProofs(): Promise<void> {
    this.#isProving = true
    try {
      while (this.#unproved.size > 0) await this.#runProof()
    } finally {
      this.#isProving = false
    }
  }

  /** One `ip addr` run serves every instance waiting for proof; requests that arrive meanwhile get the next run. */
  async #runProof(): Promise<void> {
    const batch = [...this.#unproved].map(([name, { force }]) => ({
      name,
      force,
      news: this.#watched.get(name)?.news,
    }))
    this.#unproved = new Map()
    const listed = await this.#sources.list()
    this.#noteProcess()
    if ('error' in listed)
      this.#on.problem(
        'address-list',
        `the kernel's address list cannot be read, so nothing can be proved: ${listed.error}`,
      )
    for (const { name, force, news } of batch) {
      const watched = this.#watched.get(name)
      if (watched === undefined) continue
      if (watched.news !== news) this.#unproved.set(name, { force })
      else {
        if ('addresses' in listed)
          watched.vipState = holdsAny(listed.addresses, watched.vips) ? 'held' : 'gone'
        // Without a list the last state stays, and an unknown state counts as held, because "gone" is never guessed.
        else watched.vipState ??= 'held'
        this.#tell(name, watched, force)
      }
    }
  }

  #tell(instance: string, watched: Watched, force: boolean): void {
    if (watched.vipState === null) return
    // Whoever asks anew may not have heard it.
    if (force) this.#on.priority(instance, watched.priority)
    const process = this.#process.state
    const observation: Observation = {
      keepalived: process === 'absent' ? 'STOP' : watched.state,
      process,
      died: process === 'absent' && this.#process.died,
      vips: watched.vipState,
      tells: this.#tells,
    }
    if (!force && watched.told !== null && isSame(watched.told, observation)) return
    watched.told = observation
    this.#on.observed(instance, observation)
  }

  /**
   * A reload of a MASTER writes no line (keepalived issue #2359). It shows as VIPs and state that contradict each
   * other.
   */
  #lookForContradiction(watched: Watched): void {
    const isOdd =
      this.#process.state === 'running' &&
      watched.vips.length > 0 &&
      (watched.vipState === 'held') !== (watched.state === 'MASTER')
    watched.oddLooks = isOdd ? watched.oddLooks + 1 : 0
    if (isDumpLook(watched.oddLooks)) this.#dumpDue = true
  }

  async #takeDump(): Promise<void> {
    const parentPid = this.#dumpablePid()
    if (this.#dumping || parentPid === null) return
    this.#dumping = true
    this.#dumpDue = false
    const reloaded = this.#reloaded
    this.#reloaded = false
    const newsBefore = new Map([...this.#watched].map(([name, { news }]) => [name, news]))
    const priorityBefore = new Map([...this.#watched].map(([name, { priority }]) => [name, priority]))
    const snapshots = await this.#sources.dump(parentPid).finally(() => (this.#dumping = false))
    this.#noteDump(snapshots, parentPid)
    for (const [name, watched] of this.#watched) {
      if (watched.news !== newsBefore.get(name)) continue
      const snapshot = snapshots?.find(({ instance }) => instance === name)
      const isUnheard =
        reloaded && snapshot?.settings == null && watched.priority === priorityBefore.get(name)
      if (isUnheard) this.#notePriority(name, watched, null)
      if (snapshot?.settings != null) {
        noteVips(watched, { dumped: snapshot.settings.vips })
        // A line that came meanwhile may be newer than the dump.
        if (watched.priority === priorityBefore.get(name))
          this.#notePriority(name, watched, snapshot.settings.effectivePriority)
      }
      const told = snapshot?.state ?? null
      if (told !== null) watched.state = told
      // keepalived did not report a state. If it runs and the kernel has the VIP, it is MASTER.
      else if (watched.state === 'UNKNOWN' && watched.vipState === 'held') watched.state = 'MASTER'
      this.#prove(name)
    }
  }

  #noteDump(snapshots: readonly InstanceSnapshot[] | null, parentPid: number): void {
    if (snapshots !== null) {
      this.#inVain = { times: 0, againAtMs: Infinity }
      return this.#on.dumped(snapshots)
    }
    const times = this.#inVain.times + 1
    const pauseMs = Math.min(dumpAgainFirstMs * 2 ** (times - 1), dumpAgainMostMs)
    this.#inVain = { times, againAtMs: this.#sources.nowMs() + pauseMs }
    this.#on.undumped({ times, parentPid })
  }

  /**
   * Null while keepalived must not be asked, because it is not running, not ready for the signal, or frozen (signals
   * would accumulate).
   */
  #dumpablePid(): number | null {
    const { state, parentPid, startedAtMs } = this.#process
    if (state !== 'running' || parentPid === null || startedAtMs === null) return null
    return this.#sources.nowMs() - startedAtMs < dumpableAfterMs ? null : parentPid
  }
}

function noteVips(watched: Watched, news: Partial<Pick<Watched, 'configured' | 'dumped'>>): void {
  Object.assign(watched, news)
  watched.vips = vipsToWatch(watched.dumped, watched.configured)
}

/** At the third odd look, then at 6, 12, 24 …, and at last each 256. */
function isDumpLook(oddLooks: number): boolean {
  if (oddLooks >= oddLooksAtMost) return oddLooks % oddLooksAtMost === 0
  const times = oddLooks / oddLooksBeforeDump
  return Number.isInteger(Math.log2(times))
}

function isSame(one: Observation, other: Observation): boolean {
  return (
    one.keepalived === other.keepalived &&
    one.process === other.process &&
    one.died === other.died &&
    one.vips === other.vips &&
    one.tells === other.tells
  )
}
