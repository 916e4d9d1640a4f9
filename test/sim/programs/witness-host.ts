/**
 * The third host of a simulation: the production arbiter, with its ledger on a simulated disk and its marks in memory.
 */
import { assertNever } from '../../../shared/assert-never.ts'
import type { FromAgent } from '../../../shared/protocol/messages.ts'
import type { Member } from '../../../shared/protocol/plan.ts'
import type { Timing } from '../../../shared/core/timing.ts'
import type { Ballot, Mark, RecoveredBallot, Voter } from '../../../shared/core/vote/voter.ts'
import {
  arbitrate,
  createArbiter,
  nextDeadlineMs,
  type Arbiter,
  type ArbiterEffect,
  type ArbiterEvent,
  type KnownInstances,
} from '../../../server/core/arbiter/arbiter.ts'
import type { Chance } from '../world/chance.ts'
import { type Disk, type DiskFile, WriteQueue } from '../world/disk.ts'
import { type Host, Program } from '../world/host.ts'
import type { Network, StreamEnd } from '../world/network.ts'
import { cluster } from '../world/names.ts'
import { isRelease, PromiseTeller } from '../watch/promise-teller.ts'
import type { Due } from '../world/timeline.ts'
import type { Witnessing } from '../watch/witnessing.ts'

type Timeless<E> = E extends ArbiterEvent ? Omit<E, 'atMs'> : never
type Happening = Timeless<ArbiterEvent>

/** As server/witness.ts has them. */
const echoIntervalMs = 2000
const echoTimeoutMs = 1000
const checkTimeoutMs = 600
/** From the start of the process until it listens. */
const startMs = { least: 120, most: 400 }

interface Ledger {
  readonly ballot: Ballot | null
  /** Under which key the ballot is; null: there is none yet. */
  readonly key: string | null
  readonly known: KnownInstances
  readonly lostBefore: boolean
}

const emptyLedger: Ledger = { ballot: null, key: null, known: new Map(), lostBefore: false }

export interface WitnessSurroundings {
  readonly host: Host
  readonly disk: Disk
  readonly network: Network
  readonly chance: Chance
  readonly members: readonly Member[]
  readonly nodes: readonly Host[]
  readonly timing: Timing
  readonly witnessing: Witnessing
}

export class WitnessHost {
  readonly #around: WitnessSurroundings
  readonly #ledger: DiskFile<Ledger>
  /** On tmpfs, so it belongs to one boot. */
  #mark: { readonly boot: number; readonly mark: Mark } | null = null
  #daemon: WitnessDaemon | null = null

  constructor(around: WitnessSurroundings) {
    this.#around = around
    this.#ledger = around.disk.file<Ledger>(emptyLedger)
  }

  get host(): Host {
    return this.#around.host
  }

  /** Null while it does not run, or does not listen yet. */
  get daemon(): WitnessDaemon | null {
    return this.#daemon?.listening === true ? this.#daemon : null
  }

  start(): void {
    if (this.#daemon !== null || !this.host.up) return
    const daemon = new WitnessDaemon(this.#around, this.#ledger, {
      recover: () => this.#recover(),
      setMark: (mark) => (this.#mark = { boot: this.host.boot, mark }),
    })
    this.#daemon = daemon
    this.#around.witnessing.program({ host: this.host.name, program: 'witness', state: 'running' })
  }

  kill(): void {
    if (this.#daemon === null) return
    this.#daemon.end()
    this.#daemon = null
    this.#around.witnessing.program({ host: this.host.name, program: 'witness', state: 'ended' })
  }

  freeze(): void {
    this.host.standStill()
    this.freezeDaemon()
  }

  thaw(): void {
    this.host.goOn()
    this.thawDaemon()
  }

  freezeDaemon(): void {
    if (this.#daemon === null) return
    this.#daemon.program.freeze()
    this.#around.witnessing.program({ host: this.host.name, program: 'witness', state: 'frozen' })
  }

  thawDaemon(): void {
    if (this.#daemon === null) return
    this.#around.witnessing.program({ host: this.host.name, program: 'witness', state: 'running' })
    this.#daemon.program.thaw()
  }

  get disk(): Disk {
    return this.#around.disk
  }

  powerOff(): void {
    this.kill()
    this.host.powerOff()
    this.disk.losePower()
  }

  powerOn(): void {
    // Two faults may have switched it off; the first one to end switches it on.
    if (this.host.up) return
    const { chance } = this.#around
    this.host.powerOn()
    this.host.timeline.after(chance.between(800, 4000), () => this.start())
  }

  jumpClock(aheadMs: number): void {
    this.host.jumpClock(aheadMs)
  }

  #recover(): RecoveredBallot {
    this.#ledger.settle()
    const { content } = this.#ledger
    if (content.kind === 'torn') {
      this.#ledger.beginAnew({ ...emptyLedger, lostBefore: true })
      return { kind: 'lost' }
    }
    const { ballot, lostBefore } = content.value
    if (ballot === null && lostBefore) return { kind: 'lost' }
    const mark = this.#mark?.boot === this.host.boot ? this.#mark.mark : null
    return { kind: 'valid', ballot, mark }
  }
}

interface OpenCheck {
  readonly reply: (permit: boolean) => void
  readonly timeout: Due
}

export class WitnessDaemon {
  readonly program: Program
  readonly #around: WitnessSurroundings
  readonly #ledger: DiskFile<Ledger>
  readonly #writes: WriteQueue<Ledger>
  /** What the disk shall have when all writes are done. */
  #newest = emptyLedger
  readonly #setMark: (mark: Mark) => void
  readonly #promises: PromiseTeller
  #arbiter: Arbiter | null = null
  #lastRanAtMs = 0
  #jumpedMs = 0
  #queue: ArbiterEvent[] = []
  #running = false
  #deadline: { readonly due: Due; readonly atMs: number } | null = null
  readonly #connections = new Map<number, StreamEnd>()
  readonly #checks = new Map<number, OpenCheck>()
  #lastCheck = 0
  #lastDrill = 0

  constructor(
    around: WitnessSurroundings,
    ledger: DiskFile<Ledger>,
    memory: { recover: () => RecoveredBallot; setMark: (mark: Mark) => void },
  ) {
    const { host, chance } = around
    this.#around = around
    this.#ledger = ledger
    this.#setMark = memory.setMark
    this.#promises = new PromiseTeller(host, around.witnessing, () =>
      ledger.content.kind === 'whole' ? ledger.content.value.ballot : null,
    )
    this.program = new Program(host, chance)
    this.#writes = new WriteQueue(ledger, this.program)
    this.program.after(chance.between(startMs.least, startMs.most), () => this.#open(memory.recover()))
  }

  get listening(): boolean {
    return this.#arbiter !== null && this.program.state !== 'ended'
  }

  /** What the daemon believes; for invariants and traces only. */
  get arbiter(): Arbiter | null {
    return this.#arbiter
  }

  /** The vote for the instance that is simulated. */
  get voter(): Voter | undefined {
    return [...(this.#arbiter?.instances.values() ?? [])][0]?.voter
  }

  get #onDisk(): Ledger {
    const { content } = this.#ledger
    return content.kind === 'whole' ? content.value : { ...emptyLedger, lostBefore: true }
  }

  end(): void {
    this.program.end()
    for (const stream of this.#connections.values()) stream.abandon()
    this.#connections.clear()
  }

  accept(stream: StreamEnd): void {
    const connection = stream.id
    this.#connections.set(connection, stream)
    stream.listen({
      message: (data) => this.#take(connection, this.#around.witnessing.fromAgent(data)),
      closed: () => {
        this.#connections.delete(connection)
        this.#handle({ type: 'closed', connection })
      },
    })
  }

  /** A check's question arrived. */
  check(
    { node, instance, bootId }: { node: string; instance: string; bootId: string },
    reply: (permit: boolean) => void,
  ): void {
    const check = ++this.#lastCheck
    const timeout = this.program.after(checkTimeoutMs, () => this.#answerCheck(check, false))
    this.#checks.set(check, { reply, timeout })
    this.#handle({ type: 'check', check, node, instance, bootId })
  }

  /** An admin asks. */
  drill(asked: { node: string; includingHolder: boolean }): void {
    this.program.take(() => this.#handle({ type: 'drill', request: ++this.#lastDrill, ...asked }))
  }

  #open(found: RecoveredBallot): void {
    const { host, members, timing } = this.#around
    const atMs = host.nowMs()
    this.#newest = this.#onDisk
    const { key, known } = this.#newest
    this.#arbiter = createArbiter({
      cluster,
      timing,
      members,
      recovered: {
        ballots:
          found.kind === 'valid' && found.ballot !== null && key !== null
            ? new Map([[key, found]])
            : new Map(),
        others: found.kind === 'lost' ? 'lost' : 'new',
        known,
      },
      atMs,
    })
    this.#lastRanAtMs = atMs
    this.#jumpedMs = host.jumpedMs
    this.#arm()
    this.#ping()
  }

  #take(connection: number, message: FromAgent): void {
    switch (message.type) {
      case 'hello':
        return this.#handle({ type: 'hello', connection, hello: message, remoteAddress: message.node })
      case 'beat':
        return this.#handle({ type: 'beat', connection, beat: message })
      case 'tell':
        return this.#handle({ type: 'tell', connection, tell: message })
      case 'drilled':
        return this.#handle({ type: 'drilled', connection, drilled: message })
      default:
        return assertNever(message)
    }
  }

  #handle(happening: Happening): void {
    const atMs = this.#noteRun()
    this.#queue.push({ atMs, ...happening })
    this.#drain()
  }

  #noteRun(): number {
    const atMs = this.#around.host.nowMs()
    const gapMs = atMs - this.#lastRanAtMs
    const jumpedMs = this.#around.host.jumpedMs - this.#jumpedMs
    this.#lastRanAtMs = atMs
    this.#jumpedMs = this.#around.host.jumpedMs
    if (gapMs > Math.max(2 * this.#around.timing.renewMs, 600) || jumpedMs > 0)
      this.#queue.push({ type: 'resumed', atMs, gapMs, jumpedMs })
    return atMs
  }

  #drain(): void {
    if (this.#running || this.#arbiter === null) return
    this.#running = true
    for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
      const turned = arbitrate(this.#arbiter, event)
      this.#arbiter = turned.arbiter
      const { pledge } = this.voter ?? {}
      this.#promises.look(pledge, turned.effects.some(isRelease))
      for (const effect of turned.effects) this.#carryOut(effect)
    }
    this.#running = false
    this.#arm()
  }

  #carryOut(effect: ArbiterEffect): void {
    const { witnessing, host } = this.#around
    switch (effect.type) {
      case 'send':
        this.#noteOrder(effect)
        return this.#connections.get(effect.connection)?.send(effect.message)
      case 'close': {
        const stream = this.#connections.get(effect.connection)
        this.#connections.delete(effect.connection)
        stream?.close()
        this.#queue.push({ type: 'closed', connection: effect.connection, atMs: host.nowMs() })
        return
      }
      case 'record': {
        const { instance, ballot } = effect
        // In production the names are also written by themselves when they change; here the ballots take them along.
        const known = this.#arbiter?.known ?? new Map()
        this.#newest = { ...this.#newest, ballot, key: instance, known }
        return this.#writes.write(this.#newest, (error) => {
          if (error !== null)
            return this.#handle({ type: 'record-failed', instance, ballot, error: error.message })
          witnessing.fact({ type: 'ballot', voter: host.name, ...ballot })
          this.#handle({ type: 'recorded', instance, ballot })
        })
      }
      case 'try-ledger':
        return this.#writes.write(this.#newest, (error) =>
          this.#handle({ type: 'ledger-tried', error: error?.message ?? null }),
        )
      case 'mark':
        return this.#setMark(effect.mark)
      case 'answer-check':
        if (effect.permit) this.#promises.answered(this.voter?.pledge)
        return this.#answerCheck(effect.check, effect.permit)
      case 'answer-drill':
        return witnessing.told(
          host.name,
          'drill',
          effect.answer.kind === 'refused' ? effect.answer.text : 'begun',
        )
      case 'keep-drill':
        return
      case 'occurred':
        return witnessing.occurred(effect.occurrence)
      case 'moved':
        return
      default:
        return assertNever(effect)
    }
  }

  #noteOrder({ connection, message }: ArbiterEffect & { type: 'send' }): void {
    if (message.type !== 'order' || message.what !== 'fence') return
    const stream = this.#connections.get(connection)
    if (stream !== undefined)
      this.#around.witnessing.fact({ type: 'ordered', node: stream.peer.program.host.name })
  }

  #answerCheck(check: number, permit: boolean): void {
    const open = this.#checks.get(check)
    if (open === undefined) return
    this.#checks.delete(check)
    open.timeout.cancelled = true
    open.reply(permit)
  }

  #arm(): void {
    if (this.#arbiter === null) return
    const atMs = nextDeadlineMs(this.#arbiter)
    if (this.#deadline?.atMs === atMs) return
    if (this.#deadline !== null) this.#deadline.due.cancelled = true
    const due = this.program.after(Math.max(5, atMs - this.#around.host.nowMs()), () => {
      this.#deadline = null
      this.#handle({ type: 'tick' })
    })
    this.#deadline = { due, atMs }
  }

  /** Pings each node, which its kernel answers, whatever its programs do. */
  #ping(): void {
    const { network, host, nodes } = this.#around
    for (const node of nodes) {
      let answered = false
      const sentAtMs = host.timeline.nowMs
      network.datagram(host, node, 'plain', () =>
        network.datagram(node, host, 'plain', () =>
          this.program.take(() => {
            if (answered) return
            answered = true
            const roundTripMs = host.timeline.nowMs - sentAtMs
            this.#handle({ type: 'echo', node: node.name, roundTripMs })
          }),
        ),
      )
      this.program.after(echoTimeoutMs, () => {
        if (!answered) this.#handle({ type: 'echo', node: node.name, roundTripMs: null })
        answered = true
      })
    }
    this.program.after(echoIntervalMs, () => this.#ping())
  }
}
