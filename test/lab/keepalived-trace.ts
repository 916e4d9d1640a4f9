/**
 * Records what two real keepalived do, without any arbiter, when something is done to them. Inputs reach them in the
 * shortest way from this process (signals by process id, files through /proc), so that the recorded times are accurate.
 */
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type KeepalivedTrace,
  type TraceConf,
  type TraceInput,
  type TraceNode,
  traceNodes,
  type TraceSight,
} from '../sim/models/keepalived-trace.ts'
import { addressOf, vip } from './address-plan.ts'
import { tryCommand } from './command.ts'
import { runFolder } from './keepalived-config.ts'
import { writeKeepalivedScripts, startKeepalived } from './keepalived-service.ts'
import { LabFolder } from './lab-folder.ts'
import { LabNotes } from './lab-notes.ts'
import { labMount, NamespaceHost } from './namespace-host.ts'
import { admitVrrpAt, dropVrrpAt } from './packet-filter.ts'
import { pause, until } from './pause.ts'
import { Switch } from './switch.ts'
import {
  appWord,
  checkWord,
  traceBar,
  traceCheckPath,
  traceCheckScript,
  traceConfig,
  traceFifo,
} from './trace-config.ts'
import { type StampedSight, watchFifo, watchKernel, watchWire } from './trace-watchers.ts'

export interface TraceScenario {
  readonly name: string
  readonly says: string
  readonly nodes: Readonly<Record<TraceNode, TraceConf>>
  readonly play: (run: TraceRun) => Promise<void>
}

/** The machine's clock, ms with decimals. */
function nowMs(): number {
  return performance.timeOrigin + performance.now()
}

export async function recordTrace(scenario: TraceScenario): Promise<KeepalivedTrace> {
  const folder = new LabFolder('memory')
  const run = new TraceRun(scenario, folder)
  try {
    await run.install()
    await scenario.play(run)
    return await run.trace()
  } finally {
    await run.remove()
    folder.remove()
  }
}

/** "2.2.7" */
export async function keepalivedVersion(): Promise<string> {
  const { stdout, stderr } = await tryCommand('keepalived', ['--version'])
  const version = /Keepalived v(\d+\.\d+\.\d+)/.exec(stdout + stderr)?.[1]
  if (version === undefined) throw new Error('keepalived --version shows no version')
  return version
}

export class TraceRun {
  readonly #scenario: TraceScenario
  readonly #folder: LabFolder
  readonly #hosts = new Map<TraceNode, NamespaceHost>()
  readonly #sights: StampedSight[] = []
  readonly #inputs: { readonly atMs: number; readonly node: TraceNode; readonly input: TraceInput }[] = []
  #switchHost: NamespaceHost | null = null
  #wires: Switch | null = null
  #beganAtMs = 0

  constructor(scenario: TraceScenario, folder: LabFolder) {
    this.#scenario = scenario
    this.#folder = folder
  }

  async install(): Promise<void> {
    this.#switchHost = await this.#boot('switch')
    this.#wires = await Switch.install(this.#switchHost, new LabNotes())
    const nodeOfMac = new Map<string, TraceNode>()
    for (const node of traceNodes) nodeOfMac.set(await this.#installHost(node, this.#wires), node)
    await watchWire(this.#switchHost, { nodeOfMac, tell: this.#tell })
    this.#beganAtMs = nowMs()
  }

  async remove(): Promise<void> {
    const all = [...this.#hosts.values(), ...(this.#switchHost === null ? [] : [this.#switchHost])]
    await Promise.all(all.map((host) => host.end()))
  }

  /** `systemctl start`; the recorded time is that of the program's start, as its log shows it. */
  async start(...nodes: TraceNode[]): Promise<void> {
    await Promise.all(
      nodes.map(async (node) => {
        this.#did(node, 'start')
        await startKeepalived(this.#host(node))
      }),
    )
  }

  /** SIGTERM to the main process. */
  terminate(node: TraceNode): void {
    const [main] = this.#processes(node)
    if (main === undefined) throw new Error(`no keepalived on ${node}`)
    this.#did(node, 'terminate')
    process.kill(main, 'SIGTERM')
    void this.#watchEnd(node)
  }

  kill(node: TraceNode): void {
    this.#signalAll(node, 'kill', 'SIGKILL')
  }

  freeze(node: TraceNode): void {
    this.#signalAll(node, 'freeze', 'SIGSTOP')
  }

  thaw(node: TraceNode): void {
    this.#signalAll(node, 'thaw', 'SIGCONT')
  }

  async powerOff(node: TraceNode): Promise<void> {
    const host = this.#host(node)
    this.#did(node, 'power-off')
    host.kill()
    await host.end()
  }

  /**
   * Before keepalived starts, this decides how it finds the file; the input then counts from the beginning of the
   * trace.
   */
  bar(node: TraceNode): void {
    this.#did(node, 'bar')
    writeFileSync(this.#inside(node, traceBar), '1\n')
  }

  unbar(node: TraceNode): void {
    this.#did(node, 'unbar')
    writeFileSync(this.#inside(node, traceBar), '0\n')
  }

  check(node: TraceNode, does: 'check-succeeds' | 'check-fails' | 'check-hangs'): void {
    this.#did(node, does)
    const words = { 'check-succeeds': '0', 'check-fails': '1', 'check-hangs': 'hang' }
    writeFileSync(this.#inside(node, checkWord), `${words[does]}\n`)
  }

  /** The admin's own script, which has a weight. */
  app(node: TraceNode, does: 'app-succeeds' | 'app-fails'): void {
    this.#did(node, does)
    writeFileSync(this.#inside(node, appWord), does === 'app-succeeds' ? '0\n' : '1\n')
  }

  /** The input is recorded when the host's kernel reports it. */
  async carrier(node: TraceNode, to: 'up' | 'down'): Promise<void> {
    await this.#wires?.setPort(node, to)
    await pause(50)
  }

  async deleteVip(node: TraceNode): Promise<void> {
    const seenBefore = this.#sights.length
    await this.#host(node).run('ip', 'address', 'del', `${vip}/24`, 'dev', 'eth0')
    const deleted = await until(
      'the kernel reports the deletion',
      { withinMs: 2000, everyMs: 10 },
      async () =>
        Promise.resolve(
          this.#sights.slice(seenBefore).find((each) => each.node === node && each.sight === 'vip removed') ??
            null,
        ),
    )
    this.#inputs.push({ atMs: deleted.atMs, node, input: 'delete-vip' })
  }

  async deafen(node: TraceNode): Promise<void> {
    await dropVrrpAt(this.#host(node))
    this.#did(node, 'deafen')
  }

  async undeafen(node: TraceNode): Promise<void> {
    await admitVrrpAt(this.#host(node))
    this.#did(node, 'undeafen')
  }

  async wait(durationMs: number): Promise<void> {
    await pause(durationMs)
  }

  /** Waits until the node's next FIFO line with this word. */
  async line(node: TraceNode, word: 'MASTER' | 'BACKUP' | 'FAULT'): Promise<void> {
    await this.#next(node, `fifo ${word}`)
  }

  /**
   * Waits until this long after the node's next advert, so that the input is far from the following advert, with which
   * its order would be chance.
   */
  async afterAdvert(node: TraceNode, delayMs: number): Promise<void> {
    const advert = await this.#next(node, null)
    await pause(Math.max(0, advert.atMs + delayMs - nowMs()))
  }

  async trace(): Promise<KeepalivedTrace> {
    await pause(100) // What the watchers have read is on its way.
    const { name, says, nodes } = this.#scenario
    const since = (atMs: number): number => Math.round((atMs - this.#beganAtMs) * 1000) / 1000
    return {
      name,
      says,
      keepalived: await keepalivedVersion(),
      recorded: new Date().toISOString().slice(0, 10),
      command: `npm run lab -- trace ${name} --write test/sim/traces`,
      nodes,
      durationMs: since(nowMs()),
      inputs: sorted(this.#inputs).map(({ atMs, node, input }) => [since(atMs), node, input]),
      seen: sorted(this.#sights).map(({ atMs, node, sight }) => [since(atMs), node, sight]),
    }
  }

  readonly #tell = (sight: StampedSight): void => {
    this.#sights.push(sight)
  }

  #did(node: TraceNode, input: TraceInput): void {
    this.#inputs.push({ atMs: nowMs(), node, input })
  }

  /** The node's next sight of this kind; null: its next advert. */
  async #next(node: TraceNode, sight: TraceSight | null): Promise<StampedSight> {
    const seenBefore = this.#sights.length
    const isIt = (each: StampedSight): boolean =>
      each.node === node && (sight === null ? each.sight.startsWith('advert') : each.sight === sight)
    return until(`${node}: ${sight ?? 'an advert'}`, { withinMs: 15_000, everyMs: 5 }, async () =>
      Promise.resolve(this.#sights.slice(seenBefore).find(isIt) ?? null),
    )
  }

  #signalAll(node: TraceNode, input: TraceInput, signal: NodeJS.Signals): void {
    const processes = this.#processes(node)
    if (processes.length === 0) throw new Error(`no keepalived on ${node}`)
    this.#did(node, input)
    // The VRRP process comes first, because the main one would start another, or end this one.
    for (const pid of processes.reverse()) process.kill(pid, signal)
  }

  async #watchEnd(node: TraceNode): Promise<void> {
    while (this.#processes(node).length > 0) await pause(10)
    this.#tell({ atMs: nowMs(), node, sight: 'gone' })
  }

  /** keepalived's processes on the node, the main one first. */
  #processes(node: TraceNode): number[] {
    const namespace = namespaceOf(this.#host(node).initPid)
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => isKeepalived(pid) && namespaceOf(pid) === namespace)
      .sort((one, other) => one - other)
  }

  #host(node: TraceNode): NamespaceHost {
    const host = this.#hosts.get(node)
    if (host === undefined) throw new Error(`${node} has no power`)
    return host
  }

  #inside(node: TraceNode, path: string): string {
    return `/proc/${this.#host(node).initPid}/root${path}`
  }

  async #boot(name: string): Promise<NamespaceHost> {
    return NamespaceHost.boot({ name, labFolder: this.#folder.path, productFolder: null })
  }

  /** Returns the MAC address of its interface. */
  async #installHost(node: TraceNode, wires: Switch): Promise<string> {
    const host = await this.#boot(node)
    this.#hosts.set(node, host)
    await wires.connect(host, addressOf[node])
    const folder = this.#folder.folder(node)
    writeKeepalivedScripts({
      folder,
      hostFolder: `${labMount}/${node}`,
      stopCommand: 'works',
      pidFiles: 'usual',
      configId: null,
      processors: 'common',
    })
    writeFileSync(join(folder, 'keepalived.conf'), traceConfig(this.#scenario.nodes[node]))
    mkdirSync(this.#inside(node, runFolder), { recursive: true })
    mkdirSync(this.#inside(node, '/run/libexec'), { recursive: true })
    writeFileSync(this.#inside(node, traceCheckPath), traceCheckScript, { mode: 0o755 })
    writeFileSync(this.#inside(node, checkWord), '0\n')
    writeFileSync(this.#inside(node, appWord), '0\n')
    writeFileSync(this.#inside(node, traceBar), '0\n')
    await host.run('mkfifo', traceFifo)
    await watchFifo(host, { node, path: traceFifo, tell: this.#tell })
    await watchKernel(host, {
      node,
      tell: this.#tell,
      onCarrier: (atMs, up) => this.#onCarrier(node, { atMs, up }),
    })
    const mac = /link\/ether (\S+)/.exec(await host.run('ip', 'link', 'show', 'eth0'))?.[1]
    if (mac === undefined) throw new Error(`${node} has no MAC address`)
    return mac
  }

  /** The kernel reports one change several times. */
  #onCarrier(node: TraceNode, { atMs, up }: { atMs: number; up: boolean }): void {
    const last = this.#inputs.findLast((each) => each.node === node && each.input.startsWith('carrier'))
    const input = up ? 'carrier-up' : 'carrier-down'
    if ((last?.input ?? 'carrier-up') !== input) this.#inputs.push({ atMs, node, input })
  }
}

function isKeepalived(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('keepalived')
  } catch {
    return false // It ended while this looked.
  }
}

function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`)
  } catch {
    return ''
  }
}

function sorted<T extends { readonly atMs: number }>(events: readonly T[]): T[] {
  return [...events].sort((one, other) => one.atMs - other.atMs)
}
