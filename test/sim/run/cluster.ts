/** Two keepalived nodes and a witness, built from one seed. */
import { defaultTiming, strictReserveMs, type Timing } from '../../../shared/core/timing.ts'
import type { Chance } from '../world/chance.ts'
import { Disk } from '../world/disk.ts'
import { Host } from '../world/host.ts'
import { instancesOf, nodeNames, witnessHostName } from '../world/names.ts'
import { Network, type PathCondition } from '../world/network.ts'
import { NodeHost } from '../programs/node-host.ts'
import type { Install, Setup } from '../faults/schedule.ts'
import { Stranger } from '../faults/stranger.ts'
import type { Timeline } from '../world/timeline.ts'
import { WitnessHost } from '../programs/witness-host.ts'
import type { Witnessing } from '../watch/witnessing.ts'

/** What can happen to any of the three hosts. */
export interface Machine {
  readonly host: Host
  readonly disk: Disk
  powerOff(): void
  powerOn(): void
  freeze(): void
  thaw(): void
  jumpClock(aheadMs: number): void
}

const [lb01, lb02] = nodeNames
const check = { intervalMs: 1000, timeoutMs: 2000, fall: 1, rise: 1 }
const advertIntMs = 1000
const agentPort = 9101

export class Cluster {
  readonly network: Network
  readonly timing: Timing
  readonly witness: WitnessHost
  readonly nodes: readonly [NodeHost, NodeHost]
  readonly #timeline: Timeline
  readonly #witnessing: Witnessing
  readonly #chance: Chance
  readonly #strangers = new Map<string, Stranger>()
  #parted = false

  constructor(timeline: Timeline, around: { setup: Setup; chance: Chance; witnessing: Witnessing }) {
    const { setup, chance, witnessing } = around
    this.#timeline = timeline
    this.#chance = chance
    this.#witnessing = witnessing
    const { delegateAfterMs } = setup
    this.timing =
      setup.gate === 'strict'
        ? { ...defaultTiming, gate: 'strict', reserveMs: strictReserveMs, delegateAfterMs }
        : { ...defaultTiming, delegateAfterMs }
    this.network = new Network(timeline, chance.fork())
    const host = (name: string, ratePpm: number): Host =>
      new Host(name, timeline, { ratePpm, uptimeMs: chance.integer(60_000, 10_000_000) })
    const hosts = {
      first: host(lb01, setup.ratesPpm[0]),
      second: host(lb02, setup.ratesPpm[1]),
      third: host(witnessHostName, setup.ratesPpm[2]),
    }
    this.witness = new WitnessHost({
      host: hosts.third,
      disk: new Disk(chance.fork()),
      network: this.network,
      chance: chance.fork(),
      members: nodeNames.map((name) => ({ name, address: name, port: agentPort, leastGeneration: 1 })),
      nodes: [hosts.first, hosts.second],
      timing: this.timing,
      witnessing,
    })
    const node = (own: Host, index: 0 | 1, peer: () => NodeHost): NodeHost =>
      new NodeHost({
        host: own,
        disk: new Disk(chance.fork()),
        network: this.network,
        chance: chance.fork(),
        conf: {
          priority: setup.priorities[index],
          advertIntMs,
          downTimerAdverts: setup.downTimerAdverts,
          tellsPriority: setup.app?.told === true,
          nopreempt: setup.nopreempt,
          initial: 'BACKUP',
          address: index + 1,
          check,
          app: setup.app === null ? null : { ...check, weight: setup.app.weight },
        },
        instances: instancesOf(setup.naming)[index],
        timing: this.timing,
        policy: { mode: 'enforce', fence: setup.fence, alone: 'stop', rejoin: 'auto', hasLastResort: false },
        witness: this.witness,
        witnessing,
        peer,
      })
    const first: NodeHost = node(hosts.first, 0, () => second)
    const second: NodeHost = node(hosts.second, 1, () => first)
    this.nodes = [first, second]
    for (const path of this.allPaths) path.cut = false
    this.#startPrograms(setup)
    if (setup.install !== null) this.#hinder(setup.install)
  }

  /** Every path between two hosts, created when it is first mentioned. */
  get allPaths(): PathCondition[] {
    const names = [...nodeNames, witnessHostName]
    return names.flatMap((from) => names.filter((to) => to !== from).map((to) => this.network.path(from, to)))
  }

  node(name: string): NodeHost {
    const found = this.nodes.find(({ host }) => host.name === name)
    if (found === undefined) throw new Error(`"${name}" is not a node`)
    return found
  }

  machine(name: string): Machine {
    return name === witnessHostName ? this.witness : this.node(name)
  }

  /** From now on somebody else speaks as the node, too. */
  admitStranger(node: string, how: 'clone' | 'replay'): void {
    const stranger = new Stranger({
      as: this.node(node),
      how,
      network: this.network,
      chance: this.#chance.fork(),
      witness: this.witness,
      witnessing: this.#witnessing,
    })
    this.dismissStranger(node, how)
    this.#strangers.set(`${how} ${node}`, stranger)
  }

  dismissStranger(node: string, how: 'clone' | 'replay'): void {
    this.#strangers.get(`${how} ${node}`)?.leave()
    this.#strangers.delete(`${how} ${node}`)
  }

  cut(from: string, to: string, on: boolean): void {
    this.network.path(from, to).cut = on
    const parted = this.network.path(lb01, lb02).cut && this.network.path(lb02, lb01).cut
    if (parted === this.#parted) return
    this.#parted = parted
    this.#witnessing.fact({ type: 'nodes-parted', on: parted })
  }

  /**
   * Whether one node holds, the other stands by and everyone votes, so that nothing is under way that only time would
   * end.
   */
  get calm(): boolean {
    const phases = this.nodes.map(({ agent }) => agent?.guard?.phase.name ?? 'none')
    const holder = this.nodes[phases.indexOf('holding')]
    const standby = this.nodes[phases.indexOf(this.timing.gate === 'strict' ? 'gated' : 'standby')]
    if (holder === undefined || standby === undefined) return false
    const promised = this.witness.daemon?.voter?.pledge
    return (
      holder.keepalived.state === 'MASTER' &&
      standby.keepalived.state === (this.timing.gate === 'strict' ? 'FAULT' : 'BACKUP') &&
      standby.keepalived.process === 'running' &&
      promised?.phase === 'promised' &&
      promised.to === holder.host.name &&
      (standby.agent?.guard?.memory.recentAtMs.length ?? 0) < 6
    )
  }

  /** What hinders the installation is mended in time. */
  #hinder({ closed, closedFromMs, disks, untilMs }: Install): void {
    const close = (on: boolean): void => {
      for (const path of closed) {
        const [from = '', to = ''] = path.split('>')
        this.network.path(from, to).streamsBlocked = on
      }
    }
    for (const { where, condition } of disks) this.machine(where).disk.condition = condition
    this.#timeline.at(closedFromMs, () => close(true))
    this.#timeline.at(untilMs, () => {
      close(false)
      for (const { where } of disks) this.machine(where).disk.condition = 'well'
    })
  }

  #startPrograms({ startsAtMs, install }: Setup): void {
    const [first, second, third] = startsAtMs
    for (const [node, atMs, keepalivedAtMs] of [
      [this.nodes[0], first, install?.keepalivedAtMs[0] ?? first],
      [this.nodes[1], second, install?.keepalivedAtMs[1] ?? second],
    ] as const) {
      this.#timeline.at(atMs, () => node.startAgent())
      this.#timeline.at(keepalivedAtMs, () => node.startKeepalived())
    }
    this.#timeline.at(third, () => this.witness.start())
  }
}
