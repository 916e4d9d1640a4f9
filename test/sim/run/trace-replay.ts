/** Does to the model of keepalived what was done to the real one in a trace. */
import { assertNever } from '../../../shared/assert-never.ts'
import { Chance } from '../world/chance.ts'
import { type Advert, type CheckEnd, KeepalivedModel, measuredTiming } from '../models/keepalived-model.ts'
import {
  type KeepalivedTrace,
  type TraceInput,
  type TraceNode,
  traceNodes,
  type TraceSight,
} from '../models/keepalived-trace.ts'
import { Timeline } from '../world/timeline.ts'

export interface Sight {
  readonly atMs: number
  readonly node: TraceNode
  readonly sight: TraceSight
}

const addressOf: Readonly<Record<TraceNode, number>> = { lb01: 11, lb02: 12 }
/** On the wire between two hosts of the lab. */
const wireMs = 0.05
/** The lab's check script, a shell. */
const checkRunMs = 5
const endWatchMs = 5

/** The two models hear each other, as the two real ones did. */
export function replay(trace: KeepalivedTrace, options: { seed: number }): Sight[] {
  return new Replay(trace, options).run()
}

class Replay {
  readonly #timeline = new Timeline()
  readonly #trace: KeepalivedTrace
  readonly #hosts: Readonly<Record<TraceNode, ReplayHost>>
  readonly #seen: Sight[] = []

  constructor(trace: KeepalivedTrace, options: { seed: number }) {
    this.#trace = trace
    const chance = new Chance(options.seed)
    const host = (node: TraceNode): ReplayHost =>
      new ReplayHost({
        timeline: this.#timeline,
        chance: chance.fork(),
        trace,
        node,
        see: (sight) => this.#seen.push({ atMs: this.#timeline.nowMs, node, sight }),
        send: (advert) => this.#send(node, advert),
      })
    this.#hosts = { lb01: host('lb01'), lb02: host('lb02') }
  }

  run(): Sight[] {
    for (const [atMs, node, input] of this.#trace.inputs)
      this.#timeline.at(atMs, () => this.#hosts[node].apply(input))
    while (this.#timeline.step(this.#trace.durationMs));
    return this.#seen
  }

  #send(from: TraceNode, advert: Advert): void {
    this.#timeline.after(wireMs, () => this.#hosts[peerOf(from)].hear(advert))
  }
}

function peerOf(node: TraceNode): TraceNode {
  return traceNodes[0] === node ? traceNodes[1] : traceNodes[0]
}

class ReplayHost {
  readonly #timeline: Timeline
  readonly #model: KeepalivedModel
  readonly #see: (sight: TraceSight) => void
  #kernelHasVip = false
  #isDeaf = false
  #isBarred = false
  #carrierIsUp = true
  #checkEnd: CheckEnd | null = 0
  #appEnd: CheckEnd = 0

  constructor(options: {
    timeline: Timeline
    chance: Chance
    trace: KeepalivedTrace
    node: TraceNode
    see: (sight: TraceSight) => void
    send: (advert: Advert) => void
  }) {
    const { timeline, chance, trace, node, see, send } = options
    this.#timeline = timeline
    this.#see = see
    const startUps = measuredStartUps(trace, node)
    const conf = trace.nodes[node]
    this.#model = new KeepalivedModel(
      timeline,
      chance,
      {
        ...conf,
        app: conf.app ?? null,
        downTimerAdverts: conf.downTimerAdverts ?? 3,
        tellsPriority: true,
        address: addressOf[node],
      },
      {
        advert: (advert) => {
          if (!this.#carrierIsUp) return
          see(`advert ${advert.priority}`)
          send(advert)
        },
        vip: (held) => {
          this.#kernelHasVip = held
          see(held ? 'vip added' : 'vip removed')
        },
        garp: () => {
          if (this.#carrierIsUp) see('garp')
        },
        fifo: (line) => see(`fifo ${line}`),
        runCheck: (done) => this.#runCheck(done),
        runApp: (done) => this.#runApp(done),
        readTrackFile: () => this.#isBarred,
      },
      { ...measuredTiming(chance), startUpMs: () => startUps.shift() ?? 30 },
    )
  }

  hear(advert: Advert): void {
    if (this.#carrierIsUp && !this.#isDeaf) this.#model.receive(advert)
  }

  apply(input: TraceInput): void {
    switch (input) {
      case 'start':
        return this.#model.start(this.#kernelHasVip)
      case 'terminate':
        this.#model.terminate()
        return this.#watchEnd()
      case 'kill':
        return this.#model.kill()
      case 'power-off':
        this.#kernelHasVip = false
        return this.#model.kill()
      case 'freeze':
        return this.#model.freeze()
      case 'thaw':
        return this.#model.thaw()
      case 'bar':
      case 'unbar':
        this.#isBarred = input === 'bar'
        return this.#model.trackFile(this.#isBarred)
      case 'check-succeeds':
        this.#checkEnd = 0
        return
      case 'check-fails':
        this.#checkEnd = 1
        return
      case 'check-hangs':
        this.#checkEnd = null
        return
      case 'app-succeeds':
      case 'app-fails':
        this.#appEnd = input === 'app-succeeds' ? 0 : 1
        return
      case 'carrier-down':
      case 'carrier-up':
        this.#carrierIsUp = input === 'carrier-up'
        return this.#model.carrier(this.#carrierIsUp)
      case 'delete-vip':
        this.#kernelHasVip = false
        this.#see('vip removed')
        return this.#model.vipDeleted()
      case 'deafen':
      case 'undeafen':
        this.#isDeaf = input === 'deafen'
        return
      default:
        return assertNever(input)
    }
  }

  #runCheck(done: (end: CheckEnd) => void): void {
    const end = this.#checkEnd
    if (end !== null) this.#timeline.after(checkRunMs, () => done(end))
  }

  #runApp(done: (end: CheckEnd) => void): void {
    const end = this.#appEnd
    this.#timeline.after(checkRunMs, () => done(end))
  }

  #watchEnd(): void {
    if (this.#model.process === 'absent') this.#see('gone')
    else this.#timeline.after(endWatchMs, () => this.#watchEnd())
  }
}

/**
 * How long each start of the real keepalived took, judged by its first FIFO line, which comes with the first result if
 * there is a check. The replay uses these times instead of chance.
 */
export function measuredStartUps(trace: KeepalivedTrace, node: TraceNode): number[] {
  const checkMs = trace.nodes[node].check === null ? 0 : checkRunMs
  return trace.inputs
    .filter(([, at, input]) => at === node && input === 'start')
    .flatMap(([startedAtMs]) => {
      const first = trace.seen.find(
        ([atMs, at, sight]) => at === node && atMs > startedAtMs && sight.startsWith('fifo'),
      )
      return first === undefined ? [] : [first[0] - startedAtMs - checkMs]
    })
}
