/**
 * Pings the nodes, spread over the interval. That distinguishes a dead agent from a dead host, which matters when an
 * agent is silent. A node whose agent is heard is pinged less often, because each ping costs a process (about 4 ms of
 * CPU). For the same reason there is a limit for all nodes together, which is low while a fleet comes back after a start:
 * then every node is silent, and the handshakes need the processor.
 */
import type { Echo } from '../../shared/host/icmp.ts'
import type { Log } from '../../shared/host/log.ts'
import type { Member } from '../../shared/protocol/plan.ts'

/** What the pinger needs of a cluster. */
export interface Pinged {
  readonly cluster: string
  readonly members: readonly Member[]
  /** Whether the node's agent is heard. */
  hears(node: string): boolean
  handle(event: { readonly type: 'echo'; readonly node: string; readonly roundTripMs: number | null }): void
}

/** A node whose agent is heard is pinged in one of so many rounds. */
const calmRounds = 30
/** All nodes together, in one round. */
const mostPerRound = 20
/** Until every agent is heard, or this time has passed since the start. */
const settlingMs = 15_000
const mostPerRoundWhileSettling = 4

export class Pinger {
  readonly #clusters: () => readonly Pinged[]
  readonly #echo: (address: string) => Promise<Echo>
  readonly #intervalMs: number
  readonly #log: Log
  readonly #onRound: () => void
  /** Why a node cannot be pinged, as last logged. */
  readonly #told = new Map<string, string>()
  #timers = new Set<NodeJS.Timeout>()
  #rounds: NodeJS.Timeout | undefined
  #round = 0
  /** In which round a node was last pinged. */
  #pingedIn = new Map<string, number>()
  #settled = false

  constructor(options: {
    clusters: () => readonly Pinged[]
    echo: (address: string) => Promise<Echo>
    intervalMs: number
    log: Log
    onRound?: () => void
  }) {
    this.#clusters = options.clusters
    this.#echo = options.echo
    this.#intervalMs = options.intervalMs
    this.#log = options.log
    this.#onRound = options.onRound ?? (() => undefined)
  }

  start(): void {
    this.#rounds = setInterval(() => this.#startRound(), this.#intervalMs)
    this.#startRound()
  }

  stop(): void {
    clearInterval(this.#rounds)
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  /** Each round reads the members again, because nodes join and move. */
  #startRound(): void {
    const round = this.#round
    this.#round += 1
    const targets = this.#targetsOf(round)
    for (const [index, { cluster, member }] of targets.entries()) {
      const timer = setTimeout(
        () => {
          this.#timers.delete(timer)
          void this.#pingOne(cluster, member)
        },
        (index * this.#intervalMs) / targets.length,
      )
      this.#timers.add(timer)
    }
    this.#onRound()
  }

  /** The silent ones first, and of each kind those that have waited longest. */
  #targetsOf(round: number): readonly { readonly cluster: Pinged; readonly member: Member }[] {
    const nodes = this.#clusters().flatMap((cluster) =>
      cluster.members.map((member) => {
        const key = `${cluster.cluster}/${member.name}`
        return {
          ...{ cluster, member, key, heard: cluster.hears(member.name) },
          pingedIn: this.#pingedIn.get(key) ?? -calmRounds,
        }
      }),
    )
    this.#settled ||= nodes.every(({ heard }) => heard) || round * this.#intervalMs >= settlingMs
    const targets = nodes
      .filter(({ heard, pingedIn }) => !heard || round - pingedIn >= calmRounds)
      .sort((one, other) => Number(one.heard) - Number(other.heard) || one.pingedIn - other.pingedIn)
      .slice(0, this.#settled ? mostPerRound : mostPerRoundWhileSettling)
    for (const target of targets) target.pingedIn = round
    this.#pingedIn = new Map(nodes.map(({ key, pingedIn }) => [key, pingedIn]))
    return targets
  }

  async #pingOne(cluster: Pinged, { name, address }: Member): Promise<void> {
    const result = await this.#echo(address)
    const key = `${cluster.cluster}/${name}`
    switch (result.kind) {
      case 'answered':
        this.#told.delete(key)
        {
          cluster.handle({ type: 'echo', node: name, roundTripMs: result.roundTripMs })
          return
        }
      // What was logged is not forgotten here: the ping of a host that is gone still runs in every other round, and
      // makes the next one impossible.
      case 'silent': {
        cluster.handle({ type: 'echo', node: name, roundTripMs: null })
        return
      }
      case 'impossible':
        // No echo left this host, so the node must not be called silent.
        if (this.#told.get(key) === result.why) return
        this.#told.set(key, result.why)
        {
          this.#log.warn('icmp-impossible', `${key} (${address}) cannot be pinged: ${result.why}`, {
            cluster: cluster.cluster,
            node: name,
          })
          return
        }
    }
  }
}
