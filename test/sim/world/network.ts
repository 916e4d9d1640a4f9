/**
 * A simulated switch. Between each two hosts there is one path per direction, which delays or loses frames or is cut.
 * Datagrams arrive once, late, twice or never; streams (TCP) arrive complete and in order, or stall while their path is
 * cut.
 */
import type { Chance } from './chance.ts'
import type { Host, Program } from './host.ts'
import type { Timeline } from './timeline.ts'

export interface PathCondition {
  cut: boolean
  /** A packet filter drops streams (TCP) and lets everything else pass. */
  streamsBlocked: boolean
  /** Protocol 112 is dropped. */
  vrrpBlocked: boolean
  /** The share of frames that is lost. */
  loss: number
  /** The shortest and the longest time that a frame takes. */
  delayMs: { least: number; most: number }
  /** The share of datagrams that arrive twice. */
  duplicates: number
}

export function dropsStreams({ cut, streamsBlocked }: PathCondition): boolean {
  return cut || streamsBlocked
}

export const calmDelayMs = { least: 0.08, most: 0.6 }

export class Network {
  readonly timeline: Timeline
  readonly #chance: Chance
  readonly #paths = new Map<string, PathCondition>()
  #streams = 0

  constructor(timeline: Timeline, chance: Chance) {
    this.timeline = timeline
    this.#chance = chance
  }

  path(from: string, to: string): PathCondition {
    const key = `${from}>${to}`
    let path = this.#paths.get(key)
    if (path === undefined) {
      path = {
        cut: false,
        streamsBlocked: false,
        vrrpBlocked: false,
        loss: 0,
        delayMs: calmDelayMs,
        duplicates: 0,
      }
      this.#paths.set(key, path)
    }
    return path
  }

  get paths(): Iterable<PathCondition> {
    return this.#paths.values()
  }

  nextStreamId(): number {
    this.#streams += 1
    return this.#streams
  }

  delayMs(path: PathCondition): number {
    return this.#chance.between(path.delayMs.least, path.delayMs.most)
  }

  loses(path: PathCondition): boolean {
    return path.loss > 0 && this.#chance.happens(path.loss)
  }

  /** A datagram: `arrive` runs at the other host, late, twice or never. */
  datagram(from: Host, to: Host, kind: 'vrrp' | 'plain', arrive: () => void): void {
    const path = this.path(from.name, to.name)
    const copies = path.duplicates > 0 && this.#chance.happens(path.duplicates) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      // VRRP has loss faults of its own, because three lost adverts in a row cause a promotion and are not a mere
      // disturbance.
      if (path.cut || (kind === 'vrrp' ? path.vrrpBlocked : this.loses(path))) return
      this.timeline.after(this.delayMs(path), () => {
        if (to.runs) arrive()
      })
    }
  }
}

/** When the kernel retransmits the first frame of a stream, and later ones, if they get no answer. */
const synRetryMs = 1000
const firstRetransmitMs = 200
const longestRetransmitMs = 1600
/** How many messages may be on the way without an acknowledgement (the first congestion window). */
const unacknowledgedAtMost = 10

export interface StreamEvents {
  message(data: object): void
  /** Once; never after `close()` here. */
  closed(reason: string): void
}

/** One side of a stream, as its program sees it. */
export class StreamEnd {
  readonly id: number
  readonly program: Program
  peer!: StreamEnd
  readonly #network: Network
  /** The paths to the other side and back, looked up once. */
  #forth: PathCondition | null = null
  #back: PathCondition | null = null
  #events: StreamEvents | null = null
  #state: 'open' | 'closing' | 'closed' = 'open'
  readonly #queue: (object | 'end')[] = []
  /** The first message in the queue was lost, or found its path cut. */
  #waiting = false
  /** When the newest message on its way arrives; nothing overtakes it. */
  #arrivesAtMs = 0
  #retransmitMs = firstRetransmitMs
  #unacknowledged = 0

  constructor(network: Network, id: number, program: Program) {
    this.#network = network
    this.id = id
    this.program = program
  }

  /** Whether this side's program still uses it. */
  get open(): boolean {
    return this.#state === 'open'
  }

  listen(events: StreamEvents): void {
    this.#events = events
  }

  send(data: object): void {
    if (this.#state !== 'open') return
    this.#queue.push(data)
    this.#pump()
  }

  /** The other side learns of it when the path allows. */
  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#queue.push('end')
    this.#pump()
  }

  /**
   * Gives the stream up with a reset. What waits to be sent is dropped and does not arrive when the path is repaired.
   */
  abort(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#queue.length = 0
    this.peer.#reset()
  }

  /** The program died, so its kernel closes its streams; if the host has lost power, nobody is told. */
  abandon(): void {
    if (this.#state === 'closed') return
    if (this.program.host.up) this.close()
    this.#state = 'closed'
  }

  /** Sends what waits. If the path fails, the first message holds up the rest until it is retransmitted. */
  #pump(): void {
    while (!this.#waiting && this.#queue.length > 0 && this.program.host.up) this.#sendFirst()
  }

  #sendFirst(): void {
    const network = this.#network
    const from = this.program.host
    const to = this.peer.program.host
    this.#forth ??= network.path(from.name, to.name)
    this.#back ??= network.path(to.name, from.name)
    const path = this.#forth
    const back = this.#back
    const stuck =
      dropsStreams(path) || !to.runs || (dropsStreams(back) && this.#unacknowledged >= unacknowledgedAtMost)
    if (stuck || network.loses(path)) {
      this.#waiting = true
      network.timeline.after(this.#retransmitMs, () => {
        this.#waiting = false
        this.#pump()
      })
      this.#retransmitMs = Math.min(longestRetransmitMs, this.#retransmitMs * 2)
      return
    }
    this.#retransmitMs = firstRetransmitMs
    this.#unacknowledged = dropsStreams(back) ? this.#unacknowledged + 1 : 0
    const data = this.#queue.shift()
    if (data === undefined) return
    this.#arrivesAtMs = Math.max(this.#arrivesAtMs, network.timeline.nowMs + network.delayMs(path))
    network.timeline.at(this.#arrivesAtMs, () => this.peer.#arrive(data))
  }

  #arrive(data: object | 'end'): void {
    if (!this.program.host.runs) return
    // The program at this end is gone (restart or reboot), so the kernel answers with a reset.
    if (this.program.state === 'ended') return this.peer.#reset()
    this.program.take(() => {
      if (this.#state !== 'open') return
      if (data !== 'end') return this.#events?.message(data)
      this.#state = 'closed'
      this.#events?.closed('closed by the other side')
    })
  }

  #reset(): void {
    const from = this.peer.program.host
    const path = this.#network.path(from.name, this.program.host.name)
    if (dropsStreams(path)) return
    this.#network.timeline.after(this.#network.delayMs(path), () =>
      this.program.take(() => {
        if (this.#state !== 'open') return
        this.#state = 'closed'
        this.#events?.closed('reset')
      }),
    )
  }
}

export interface Dialling {
  readonly from: Program
  readonly to: Host
  /** The program that accepts there now; null: the port is closed. */
  readonly acceptor: () => { readonly program: Program; accept(stream: StreamEnd): void } | null
  readonly timeoutMs: number
  opened(stream: StreamEnd): void
  failed(reason: string): void
}

/** One attempt to open a stream. It ends in `opened` or `failed`, or in neither if it is given up by `abort`. */
export function dial(network: Network, dialling: Dialling): { abort(): void } {
  const { from, to, acceptor, timeoutMs } = dialling
  const { timeline } = network
  const forth = network.path(from.host.name, to.name)
  const back = network.path(to.name, from.host.name)
  let decided = false
  const timeout = from.after(timeoutMs, () => {
    if (decided) return
    decided = true
    dialling.failed('no answer')
  })
  const decide = (run: () => void): void => {
    if (decided) return
    decided = true
    timeout.cancelled = true
    run()
  }
  const knock = (): void => {
    if (decided) return
    if (!from.host.up) return
    if (
      dropsStreams(forth) ||
      dropsStreams(back) ||
      !to.runs ||
      network.loses(forth) ||
      network.loses(back)
    ) {
      timeline.after(synRetryMs, knock)
      return
    }
    // SYN, its answer, then the upgrade request; the program takes part only from then on.
    timeline.after(network.delayMs(forth) + network.delayMs(back) + network.delayMs(forth), () => {
      const there = acceptor()
      if (there === null) {
        timeline.after(network.delayMs(back), () => from.take(() => decide(() => dialling.failed('refused'))))
        return
      }
      there.program.take(() => {
        if (dropsStreams(forth) || dropsStreams(back)) return
        const [mine, theirs] = streamBetween(network, from, there.program)
        there.accept(theirs)
        timeline.after(network.delayMs(back), () =>
          from.take(() => {
            if (decided) mine.close()
            else decide(() => dialling.opened(mine))
          }),
        )
      })
    })
  }
  knock()
  return { abort: () => decide(() => undefined) }
}

function streamBetween(network: Network, dialler: Program, acceptor: Program): [StreamEnd, StreamEnd] {
  const mine = new StreamEnd(network, network.nextStreamId(), dialler)
  const theirs = new StreamEnd(network, network.nextStreamId(), acceptor)
  mine.peer = theirs
  theirs.peer = mine
  return [mine, theirs]
}
