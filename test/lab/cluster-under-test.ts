/** A whole lab: lb01, lb02, witness and client on a switch, with keepalived and (or without) the product on them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProgramName, ProgramState } from '../invariants/facts.ts'
import { defaultTiming, strictReserveMs, type Timing } from '../../shared/core/timing.ts'
import { type Arbiter } from './arbiter.ts'
import { addressOf, cluster, hosts, nodes, pagePort, type LabHost, type LabNode } from './address-plan.ts'
import { type ClusterSetup } from './cluster-setup.ts'
import { agentConfig, stateFolderOf, witnessConfig } from './daemon-config.ts'
import { enrolHosts } from './enrolled-hosts.ts'
import { checkPath, keepalivedConfig, type PairConf, runFolder } from './keepalived-config.ts'
import {
  reloadKeepalived,
  signalKeepalived,
  startKeepalived,
  stopKeepalived,
  writeKeepalivedScripts,
} from './keepalived-service.ts'
import { type LabFolder } from './lab-folder.ts'
import { LabNotes } from './lab-notes.ts'
import { copyLabPrograms } from './lab-programs.ts'
import { labMount, NamespaceHost, productMount } from './namespace-host.ts'
import { pause, until } from './pause.ts'
import { Switch } from './switch.ts'
import { VipObserver } from './vip-observer.ts'
import { WebClient } from './web-client.ts'
import { clusterView, isHealthy } from './witness-api.ts'

type LabSignal = 'KILL' | 'TERM' | 'STOP' | 'CONT'
const stateAfter: Readonly<Record<LabSignal, ProgramState>> = {
  KILL: 'ended',
  TERM: 'ended',
  STOP: 'frozen',
  CONT: 'running',
}

const witnessDaemon = {
  name: 'witnessd',
  log: `${labMount}/witness/witnessd.log`,
  command: [process.execPath, `${productMount}/witnessd.cjs`, '--config', `${labMount}/witness/witness.yaml`],
} as const

/** The default of systemd's RestartSec. */
const restartDelayMs = 100

export class ClusterUnderTest {
  readonly setup: ClusterSetup
  readonly observer: VipObserver
  readonly client = new WebClient()
  readonly notes = new LabNotes()
  readonly #folder: LabFolder
  readonly #hosts = new Map<LabHost, NamespaceHost>()
  #switchHost: NamespaceHost | null = null
  #wires: Switch | null = null

  private constructor(setup: ClusterSetup, folder: LabFolder) {
    this.setup = setup
    this.observer = new VipObserver(setup.vipDevice)
    this.#folder = folder
  }

  /** Hosts, network, page and client; neither keepalived nor the product runs yet. */
  static async install(setup: ClusterSetup, folder: LabFolder): Promise<ClusterUnderTest> {
    const cluster = new ClusterUnderTest(setup, folder)
    try {
      await cluster.#install()
    } catch (error) {
      await cluster.remove()
      throw error
    }
    return cluster
  }

  async #install(): Promise<void> {
    await this.#writeFiles()
    await copyLabPrograms(this.#folder.folder('programs'))
    this.#switchHost = await this.#boot('switch')
    this.#wires = await Switch.install(this.#switchHost, this.notes)
    for (const name of hosts) await this.bootHost(name)
    this.client.start(this.host('client'))
  }

  /** The wires, for faults in them. */
  get wires(): Switch {
    if (this.#wires === null) throw new Error('the lab is not installed')
    return this.#wires
  }

  /** The timing that witness.yaml asks for. */
  get timing(): Timing {
    const { gate, delegateAfterMs } = this.setup
    const timing = { ...defaultTiming, delegateAfterMs }
    return gate === 'strict' ? { ...timing, gate, reserveMs: strictReserveMs } : timing
  }

  /** Where the logs of a run are, on the real machine. */
  get folderPath(): string {
    return this.#folder.path
  }

  host(name: LabHost): NamespaceHost {
    const host = this.#hosts.get(name)
    if (host === undefined) throw new Error(`host ${name} has no power`)
    return host
  }

  /** @throws Error if a host ended that nobody killed, because then the lab is broken, not the product. */
  assertAlive(): void {
    for (const host of this.#hosts.values())
      if (!host.isAlive) throw new Error(`host ${host.name} ended although nobody killed it`)
  }

  hasPower(name: LabHost): boolean {
    return this.#hosts.has(name)
  }

  /** Powers a host on and connects it; its disk is as it was, its /run and /tmp are empty. */
  async bootHost(name: LabHost): Promise<void> {
    const host = await this.#boot(name)
    this.#hosts.set(name, host)
    await this.wires.connect(host, addressOf[name])
    const node = nodes.find((each) => each === name)
    if (node === undefined) return
    if (this.setup.ports === 'two') await this.wires.connectSecond(host)
    await host.shell(`mkdir -p ${runFolder}\n${this.setup.atBoot}`)
    if (this.#hasWitness) await host.shell(`install -D -m 755 ${productMount}/witness-check ${checkPath}`)
    await this.observer.watch(node, host)
    await host.daemon({
      name: 'web-page',
      log: `${labMount}/${node}/web-page.log`,
      command: [process.execPath, `${labMount}/programs/web-page.cjs`, node, String(pagePort)],
    })
  }

  /** Everything on the host dies, and its port goes down, at the same moment. */
  async killHost(name: LabHost): Promise<void> {
    const host = this.host(name)
    const node = nodes.find((each) => each === name)
    for (const program of node === undefined ? (['witness'] as const) : (['agent', 'keepalived'] as const))
      this.#noteProgram(name, program, 'ended')
    const cut = this.wires.setPort(name, 'down')
    host.kill()
    if (node !== undefined) this.observer.powerLost(node, Date.now())
    this.#hosts.delete(name)
    await Promise.all([cut, host.end()])
  }

  async startWitness(): Promise<void> {
    if (!this.#hasWitness) return
    await this.host('witness').daemon(witnessDaemon, this.setup.processors)
    this.#noteProgram('witness', 'witness', 'running')
  }

  /** SIGKILL, and systemd starts it again after its delay. */
  async restartWitness(): Promise<void> {
    this.#noteProgram('witness', 'witness', 'ended')
    await this.host('witness').restart(witnessDaemon, { afterMs: restartDelayMs })
    await pause(restartDelayMs)
    this.#noteProgram('witness', 'witness', 'running')
  }

  /** Its own log shows that it runs, because a start may take long on a busy machine. */
  async startAgent(node: LabNode): Promise<void> {
    if (!this.#hasWitness) return
    const daemon = {
      name: 'witness-agent',
      log: `${labMount}/${node}/witness-agent.log`,
      command: [
        process.execPath,
        ...(this.setup.agentDisk === 'slow' ? ['--require', `${labMount}/programs/slow-disk.cjs`] : []),
        `${productMount}/witness-agent.cjs`,
        ...['--config', `${labMount}/${node}/agent.yaml`],
      ],
    }
    await this.host(node).daemon(daemon, this.setup.processors)
  }

  /** Agent first, as the units order it. */
  async startNode(node: LabNode): Promise<void> {
    await this.startAgent(node)
    await this.startKeepalived(node)
  }

  /** The admin's `witness-agent leave` and its stop of the agent, which is systemd's elsewhere. */
  async leave(node: LabNode): Promise<void> {
    await this.stopKeepalived(node)
    await this.host(node).run(
      process.execPath,
      `${productMount}/witness-agent.cjs`,
      ...['--config', `${labMount}/${node}/agent.yaml`, 'leave', '--no-stop'],
    )
    await this.signalAgent(node, 'TERM')
  }

  async signalAgent(node: LabNode, signal: LabSignal): Promise<void> {
    await this.#around(node, 'agent', signal, () => this.host(node).signal('witness-agent', signal))
  }

  /** The admin's `systemctl start keepalived`. */
  async startKeepalived(node: LabNode): Promise<void> {
    await startKeepalived(this.host(node))
    this.#noteProgram(node, 'keepalived', 'running')
  }

  /** The admin's `systemctl stop keepalived`. */
  async stopKeepalived(node: LabNode): Promise<void> {
    this.#noteProgram(node, 'keepalived', 'ended')
    await stopKeepalived(this.host(node))
  }

  /** A signal to all of keepalived's processes at once. */
  async signalKeepalived(node: LabNode, signal: Exclude<LabSignal, 'TERM'>): Promise<void> {
    await this.#around(node, 'keepalived', signal, () => signalKeepalived(this.host(node), signal))
  }

  async killWitness(): Promise<void> {
    this.#noteProgram('witness', 'witness', 'ended')
    await this.host('witness').signal('witnessd', 'KILL')
  }

  /** Starts witness and agents in the usual order, so that they know each other before keepalived starts. */
  async startProduct(): Promise<void> {
    if (!this.#hasWitness) return
    await this.startWitness()
    await until('the witness answers /healthz', { withinMs: 20_000, everyMs: 50 }, async () =>
      (await isHealthy(this.host('witness'))) ? true : null,
    )
    await Promise.all(nodes.map((node) => this.startAgent(node)))
    await until('both agents are connected to the witness', { withinMs: 20_000, everyMs: 100 }, async () =>
      (await this.#connectedAgents()) === nodes.length ? true : null,
    )
  }

  /** Powers every host off and removes the lab's folder, unless it is to be kept. */
  async remove(): Promise<void> {
    const all = [...this.#hosts.values(), ...(this.#switchHost === null ? [] : [this.#switchHost])]
    this.#hosts.clear()
    await Promise.all(all.map((host) => host.end()))
    await pause(0)
    this.#folder.remove()
  }

  /** Notes an act that hampers the product before it happens, and one that frees it after it has happened. */
  async #around(
    node: LabNode,
    program: ProgramName,
    signal: LabSignal,
    send: () => Promise<void>,
  ): Promise<void> {
    const state = stateAfter[signal]
    if (state !== 'running') this.#noteProgram(node, program, state)
    await send()
    if (state === 'running') this.#noteProgram(node, program, state)
  }

  #noteProgram(host: LabHost, program: ProgramName, state: ProgramState): void {
    this.notes.note({ type: 'program', host, program, state })
  }

  async #connectedAgents(): Promise<number> {
    const view = await clusterView(this.host('witness'))
    return view?.nodes.filter(({ connected }) => connected).length ?? 0
  }

  get #hasWitness(): boolean {
    return this.setup.arbiter === 'witness'
  }

  async #boot(name: string): Promise<NamespaceHost> {
    return NamespaceHost.boot({
      name,
      labFolder: this.#folder.path,
      productFolder: this.setup.product,
    })
  }

  /**
   * Writes the product's lines into keepalived.conf where the node began without them, and reloads keepalived, as
   * `witness-agent setup --apply` and the admin's reload do.
   */
  async addProductLines(node: LabNode): Promise<void> {
    this.#writeKeepalivedConf(node, this.setup.arbiter)
    await reloadKeepalived(this.host(node))
  }

  /** The admin edits keepalived.conf. What keepalived runs stays as it was until a reload. */
  editKeepalivedConf(node: LabNode, pair: PairConf): void {
    this.#writeKeepalivedConf(node, this.setup.arbiter, pair)
  }

  /** The admin's `systemctl reload keepalived`. */
  async reloadKeepalived(node: LabNode): Promise<void> {
    await reloadKeepalived(this.host(node))
  }

  #writeKeepalivedConf(node: LabNode, arbiter: Arbiter, pair = this.setup.pair): void {
    const { tracked } = this.setup
    writeFileSync(
      join(this.#folder.path, node, 'keepalived.conf'),
      keepalivedConfig({ node, arbiter, pair, tracked, stateFolder: stateFolderOf(node) }),
    )
  }

  async #writeFiles(): Promise<void> {
    const { arbiter, pair, productLines, pidFiles, stopCommand, processors, gateway, guests } = this.setup
    const file = (name: string): string => join(this.#folder.path, name)
    this.#folder.folder('witness', 'data')
    writeFileSync(file('witness/witness.yaml'), witnessConfig(this.timing))
    for (const node of nodes) {
      const configId = pair.configIds?.[node] ?? null
      this.#folder.folder(node, 'state')
      writeKeepalivedScripts({
        folder: file(node),
        hostFolder: `${labMount}/${node}`,
        stopCommand,
        pidFiles,
        configId,
        processors,
      })
      writeFileSync(file(`${node}/agent.yaml`), agentConfig(node, { gateway, configId }))
      this.#writeKeepalivedConf(node, productLines === 'from the start' ? arbiter : 'none')
    }
    await enrolHosts(file('witness/data'), [
      ...nodes.map((node) => ({ cluster, node, address: addressOf[node], stateDir: file(`${node}/state`) })),
      ...guests.map((guest) => ({ ...guest, stateDir: file(`guests/${guest.node}`) })),
    ])
  }
}
