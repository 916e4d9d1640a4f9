/** A keepalived node of a simulation: its kernel, its keepalived (a model), its check, its agent (the production guard). */
import type { InstanceIdentity } from '../../../shared/core/instance-pairing.ts'
import type { Report } from '../../../shared/protocol/report.ts'
import type { Timing } from '../../../shared/core/timing.ts'
import type { GuardEffect, GuardPolicy } from '../../../agent/core/guard/guard.ts'
import { leaseInUseUntilMs } from '../../../agent/core/guard/candidate.ts'
import { AgentDaemon, type AgentMemory, type AgentState, firstState } from './agent-daemon.ts'
import type { Chance } from '../world/chance.ts'
import type { Disk, DiskFile } from '../world/disk.ts'
import { FenceAmbush } from '../faults/fence-ambush.ts'
import { type Host, Program } from '../world/host.ts'
import { KeepalivedModel, type KeepalivedConf, type KeepalivedLine } from '../models/keepalived-model.ts'
import { type Network, dropsStreams } from '../world/network.ts'
import { Tape, type Tapes } from '../faults/stranger.ts'
import type { Due } from '../world/timeline.ts'
import type { WitnessHost } from './witness-host.ts'
import type { Witnessing } from '../watch/witnessing.ts'

/** From a write to the track_file until keepalived has read it. */
const inotifyMs = { least: 0.1, most: 1 }
/** keepalived takes a second to end; the operator's command comes after that. */
const leaveAfterMs = 1200
/** The admin's script with a weight. */
const appMs = { least: 3, most: 12 }
const curl = { least: 6, most: 14 }
/** The check gives up asking after this time. */
const askingMs = 600
/** `RestartSec` of the agent's unit. */
const restartMs = 500

export interface NodeSurroundings {
  readonly host: Host
  readonly disk: Disk
  readonly network: Network
  readonly chance: Chance
  readonly conf: KeepalivedConf
  /** Of keepalived.conf; the first one is simulated. */
  readonly instances: readonly InstanceIdentity[]
  readonly timing: Timing
  readonly policy: GuardPolicy
  readonly witness: WitnessHost
  readonly witnessing: Witnessing
  /** The other node, once there is one. */
  readonly peer: () => NodeHost
}

const emptyMemory: AgentMemory = { mark: null, permit: null, bar: false, checkStamped: false, fences: null }

/** How the commands of the fence ladder behave on this node. */
export type CommandCondition = 'well' | 'stop-fails' | 'stop-hangs' | 'nothing-helps'

export class NodeHost {
  readonly around: NodeSurroundings
  readonly keepalived: KeepalivedModel
  commandCondition: CommandCondition = 'well'
  /** What the admin's script with a weight finds, if there is one. */
  appFails = false
  /** Whether the node reaches its gateway, as its agent's gateway ping sees it. */
  gateway: Report['gateway'] = 'reachable'
  readonly state: DiskFile<AgentState>
  /** What its agents sent, to be replayed by a stranger. */
  readonly tapes: Tapes = { witness: new Tape(), peer: new Tape() }
  /** What the check finds on disk: whether this node's vote was left with its peer. */
  voteLeft = false
  /** What the check finds on disk: whether this node is armed. */
  checkArmed = false
  #leaving: Due | null = null
  #vipHeld = false
  #toldVip = false
  /** SIGTERM was sent and the process still exists. */
  #terminating = false
  #startAfterEnd = false
  /** keepalived did not remove its pid files, because it ended without being asked. */
  #pidFileIsLeft = false
  #agent: AgentDaemon | null = null
  #ambush: FenceAmbush | null = null
  /** Where the agent's commands run: they outlive the agent, but not the boot. */
  #commands: Program
  #incarnations = 0
  /** On tmpfs, so it belongs to one boot. */
  #memory: AgentMemory
  #fifo: ((line: KeepalivedLine, priority: number) => void) | null = null
  #toldPriority: number
  #leaseUntilMs = 0
  /** What was last reported of keepalived, so that only changes are reported. */
  #toldKeepalived: 'running' | 'frozen' | 'ended' = 'ended'

  constructor(around: NodeSurroundings) {
    const { host, chance, conf, disk } = around
    this.around = around
    this.state = disk.file<AgentState>(firstState(host.boot))
    this.#memory = emptyMemory
    this.#toldPriority = conf.priority
    this.#commands = new Program(host, chance)
    this.keepalived = new KeepalivedModel(host.timeline, chance.fork(), conf, {
      advert: (advert) => {
        const { network, peer } = around
        if (!host.up) return
        const other = peer()
        network.datagram(host, other.host, 'vrrp', () => other.keepalived.receive(advert))
      },
      vip: (held) => this.setVip(held),
      garp: () => undefined,
      fifo: (line, priority) => this.#fifo?.(line, priority),
      priority: (priority) => this.#tellPriority(priority),
      exited: () => this.#takeKeepalivedsEnd(),
      runCheck: (done) => this.#runCheck(done),
      runApp: (done) => this.#runApp(done),
      readTrackFile: () => this.#memory.bar,
    })
  }

  /** What this node calls the instance that is simulated. */
  get instance(): string {
    return this.around.instances[0]?.instance ?? ''
  }

  get host(): Host {
    return this.around.host
  }

  get agent(): AgentDaemon | null {
    return this.#agent
  }

  get memory(): AgentMemory {
    return this.#memory
  }

  get commands(): Program {
    return this.#commands
  }

  /** A stop is under way. */
  get isEnding(): boolean {
    return this.#terminating
  }

  /** A pid file names a keepalived that is gone. */
  get keepalivedDied(): boolean {
    return this.keepalived.process === 'absent' && this.#pidFileIsLeft
  }

  /** What the kernel has. */
  get vipHeld(): boolean {
    return this.#vipHeld
  }

  setVip(held: boolean): void {
    if (held === this.#vipHeld || (held && !this.host.up)) return
    this.#vipHeld = held
    this.#tellVip()
  }

  #tellVip(): void {
    const held = this.#vipHeld && this.host.runs
    if (held === this.#toldVip) return
    this.#toldVip = held
    this.around.witnessing.fact({ type: 'vip', node: this.host.name, held })
  }

  /** `ip addr del`, under a live keepalived or after a dead one. */
  deleteVip(): void {
    if (!this.#vipHeld) return
    this.setVip(false)
    this.keepalived.vipDeleted()
  }

  setBar(on: boolean): void {
    if (this.#memory.bar === on) return
    this.#memory = { ...this.#memory, bar: on }
    const { chance, host } = this.around
    host.timeline.after(chance.between(inotifyMs.least, inotifyMs.most), () => {
      if (this.#memory.bar === on) this.keepalived.trackFile(on)
    })
  }

  remember(change: Partial<AgentMemory>): void {
    this.#memory = { ...this.#memory, ...change }
  }

  startKeepalived(): void {
    if (!this.host.up) return
    // `systemctl start` waits for a stop that is under way.
    this.#startAfterEnd = this.#terminating
    if (this.#terminating) return
    if (this.keepalived.process === 'absent') this.#tellPriority(this.around.conf.priority)
    this.keepalived.start(this.#vipHeld)
    this.tellKeepalived()
  }

  #tellPriority(priority: number): void {
    if (priority === this.#toldPriority) return
    this.#toldPriority = priority
    this.around.witnessing.fact({ type: 'priority', node: this.host.name, priority })
  }

  tellKeepalived(): void {
    const { process } = this.keepalived
    const state = process === 'absent' ? 'ended' : process
    if (state === this.#toldKeepalived) return
    this.#toldKeepalived = state
    this.around.witnessing.program({ host: this.host.name, program: 'keepalived', state })
  }

  startAgent(): void {
    if (this.#agent !== null || !this.host.up) return
    this.#incarnations += 1
    this.#agent = new AgentDaemon(this, `${this.host.name}-start-${this.#incarnations}`)
    this.#fifo = (line, priority) => this.#agent?.takeLine(line, priority)
    this.around.witnessing.program({ host: this.host.name, program: 'agent', state: 'running' })
  }

  killAgent(): void {
    if (this.#agent === null) return
    this.#agent.end()
    this.#agent = null
    this.#fifo = null
    this.noteLease()
    this.around.witnessing.program({ host: this.host.name, program: 'agent', state: 'ended' })
  }

  /** The agent will be killed in its next fence. */
  layAmbush(): void {
    this.#ambush = new FenceAmbush(this.around.chance.fork())
  }

  endAmbush(): void {
    this.#ambush = null
    this.startAgent()
  }

  /** @returns whether the agent, which is about to carry this out, is dead now */
  killsBefore(effect: GuardEffect): boolean {
    const blow = this.#ambush?.strikes(effect) ?? null
    if (blow === null) return false
    this.#ambush = null
    const { timeline } = this.host
    const { boot } = this.host
    const delayMs = blow.kind === 'now' ? 0 : blow.afterMs
    if (blow.kind === 'now') this.killAgent()
    else timeline.after(delayMs, () => this.killAgent())
    timeline.after(delayMs + restartMs, () => {
      if (this.host.boot === boot) this.startAgent()
    })
    return blow.kind === 'now'
  }

  freezeAgent(): void {
    if (this.#agent === null) return
    this.#agent.program.freeze()
    this.around.witnessing.program({ host: this.host.name, program: 'agent', state: 'frozen' })
  }

  thawAgent(): void {
    if (this.#agent === null) return
    this.around.witnessing.program({ host: this.host.name, program: 'agent', state: 'running' })
    this.#agent.program.thaw()
  }

  freezeKeepalived(): void {
    this.keepalived.freeze()
    this.tellKeepalived()
  }

  thawKeepalived(): void {
    this.keepalived.thaw()
    this.tellKeepalived()
  }

  /** SIGKILL of all its processes; the VIP stays in the kernel. */
  killKeepalived(): void {
    if (this.keepalived.process === 'absent') return
    this.keepalived.kill()
  }

  terminateKeepalived(): void {
    this.#terminating = this.keepalived.process !== 'absent'
    this.keepalived.terminate()
  }

  /**
   * The operator takes the node out of service for long: stops keepalived, then runs `witness-agent leave`, which ends
   * the agent.
   */
  leave(): void {
    this.terminateKeepalived()
    this.#leaving = this.host.timeline.after(leaveAfterMs, () => {
      const agent = this.#agent
      agent?.program.take(() => {
        // A frozen agent may learn of it only when the node is back in service.
        if (this.#leaving === null) return
        agent.leave(() => {
          if (this.#agent === agent && this.#leaving !== null) this.killAgent()
        })
      })
    })
  }

  /**
   * Both start again, as at a boot. An agent that still runs learns from the start of keepalived that the node stays.
   */
  comeBack(): void {
    if (this.#leaving !== null) this.#leaving.cancelled = true
    this.#leaving = null
    this.startKeepalived()
    this.startAgent()
  }

  #takeKeepalivedsEnd(): void {
    this.#pidFileIsLeft = !this.#terminating || this.#vipHeld
    this.#terminating = false
    this.tellKeepalived()
    this.#agent?.takeWriterGone()
    if (this.#startAfterEnd) this.startKeepalived()
  }

  /** Everything on the host dies at once. */
  powerOff(): void {
    this.killAgent()
    if (this.#leaving !== null) this.#leaving.cancelled = true
    this.#leaving = null
    this.#startAfterEnd = false
    this.keepalived.kill()
    this.#pidFileIsLeft = false
    this.#commands.end()
    this.host.powerOff()
    this.setVip(false)
    this.around.disk.losePower()
  }

  /** The host boots: memory is empty, keepalived and agent start as their units say. */
  powerOn(): void {
    // Two faults may have switched it off; the first one to end switches it on.
    if (this.host.up) return
    const { host, chance } = this.around
    host.powerOn()
    this.#memory = emptyMemory
    this.#commands = new Program(host, chance)
    host.timeline.after(chance.between(800, 3000), () => this.startKeepalived())
    host.timeline.after(chance.between(800, 4000), () => this.startAgent())
  }

  /**
   * The whole host stands still while its clock runs on, as in a starved virtual machine; its kernel answers nobody.
   */
  freeze(): void {
    this.host.standStill()
    this.#commands.freeze()
    this.freezeKeepalived()
    this.freezeAgent()
    this.#tellVip()
  }

  thaw(): void {
    this.host.goOn()
    this.#tellVip()
    this.#commands.thaw()
    this.thawKeepalived()
    this.thawAgent()
  }

  get disk(): Disk {
    return this.around.disk
  }

  jumpClock(aheadMs: number): void {
    this.host.jumpClock(aheadMs)
    this.noteLease()
  }

  setGateway(gateway: Report['gateway']): void {
    this.gateway = gateway
    this.#agent?.gatewayChanged()
  }

  /** The lease as the agent reckons it; a dead agent uses none. */
  noteLease(): void {
    const guard = this.#agent?.guard ?? null
    const untilBootMs = guard === null ? -Infinity : leaseInUseUntilMs(guard)
    const { host, witnessing } = this.around
    const untilMs = untilBootMs === -Infinity ? 0 : host.trueMsOf(untilBootMs)
    if (untilMs === this.#leaseUntilMs) return
    this.#leaseUntilMs = untilMs
    witnessing.fact({ type: 'lease', node: host.name, epoch: guard?.candidacy?.epoch ?? 0, untilMs })
  }

  /** What the agent reports about its fence, together with the truth. */
  noteTell(event: string, reason: string): void {
    const { host, witnessing } = this.around
    if (event === 'fencing') witnessing.fact({ type: 'fencing', node: host.name, reason })
    if (event === 'fenced' || event === 'drill-proved')
      witnessing.fact({
        type: 'fence-proved',
        node: host.name,
        vipHeld: this.#vipHeld,
        keepalived: this.keepalived.process === 'absent' ? 'absent' : this.keepalived.state,
      })
  }

  /** What agent/check/witness-check does: the permit file, then the witness. */
  #runCheck(done: (code: number) => void): void {
    const { host } = this.around
    this.#memory = { ...this.#memory, checkStamped: true }
    const { permit } = this.#memory
    if (permit !== null && permit.untilMs > host.nowMs()) return done(permit.word === 'permit' ? 0 : 1)
    if (!this.checkArmed) return done(0)
    this.#askWitness(done)
  }

  #runApp(done: (code: number) => void): void {
    const { host, chance } = this.around
    host.timeline.after(chance.between(appMs.least, appMs.most), () => done(this.appFails ? 1 : 0))
  }

  #askWitness(done: (code: number) => void): void {
    if (this.voteLeft) return done(1)
    const { host, network, chance, witness } = this.around
    const { timeline } = host
    let ended = false
    const end = (code: number): void => {
      if (ended) return
      ended = true
      done(code)
    }
    timeline.after(askingMs, () => end(1))
    const forth = network.path(host.name, witness.host.name)
    const back = network.path(witness.host.name, host.name)
    // A lost frame would cost a second of waiting, which the check does not have.
    const fails = (): boolean =>
      dropsStreams(forth) ||
      dropsStreams(back) ||
      !witness.host.up ||
      network.loses(forth) ||
      network.loses(back)
    if (fails()) return
    timeline.after(chance.between(curl.least, curl.most) + 2 * network.delayMs(forth), () => {
      const { daemon } = witness
      if (fails()) return
      if (daemon === null) return end(1)
      daemon.program.take(() =>
        daemon.check({ node: host.name, instance: this.instance, bootId: host.bootId }, (permitted) => {
          if (fails()) return
          timeline.after(network.delayMs(back), () => end(permitted ? 0 : 1))
        }),
      )
    })
  }
}
