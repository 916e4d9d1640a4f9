/**
 * Three booted hosts and a client on a switch: lb01 and lb02 with a keepalived pair that does not use a witness yet.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { addressOf, nodes, type LabNode } from '../lab/address-plan.ts'
import { configBefore } from '../lab/keepalived-config.ts'
import { LabFolder } from '../lab/lab-folder.ts'
import { LabNotes } from '../lab/lab-notes.ts'
import { copyLabPrograms } from '../lab/lab-programs.ts'
import { NamespaceHost } from '../lab/namespace-host.ts'
import { pause, until } from '../lab/pause.ts'
import { Switch } from '../lab/switch.ts'
import { VipObserver } from '../lab/vip-observer.ts'
import { ownersAt } from '../lab/vip-ownership.ts'
import { WebClient } from '../lab/web-client.ts'
import { controlGroupName, favourServices } from './control-group.ts'
import { SystemdHost } from './systemd-host.ts'

export const hostNames = ['witness', ...nodes] as const
export type HostName = (typeof hostNames)[number]

export const keepalivedConfPath = '/etc/keepalived/keepalived.conf'

/** How soon a service that starts is favoured. */
const favourEveryMs = 250

export class HostsLab {
  readonly observer = new VipObserver('eth0')
  readonly client = new WebClient()
  readonly notes = new LabNotes()
  readonly folder = new LabFolder('memory')
  readonly #image: string
  readonly #hosts = new Map<HostName, SystemdHost>()
  readonly #boxes: NamespaceHost[] = []
  #favouring: NodeJS.Timeout | undefined

  private constructor(image: string) {
    this.#image = image
  }

  /** All hosts have booted, lb01 has the VIP, and the client is answered. */
  static async install(image: string): Promise<HostsLab> {
    const lab = new HostsLab(image)
    try {
      await lab.#install()
    } catch (error) {
      lab.folder.keep()
      await lab.remove()
      throw new Error(`${String(error)}; consoles: ${lab.folder.path}`, { cause: error })
    }
    return lab
  }

  async #install(): Promise<void> {
    await copyLabPrograms(this.folder.folder('programs'))
    const wires = await Switch.install(await this.#box('switch'), this.notes)
    const client = await this.#box('client')
    await wires.connect(client, addressOf.client)
    await Promise.all(
      hostNames.map(async (name) => {
        const options = { name, address: addressOf[name], image: this.#image, folder: this.folder, wires }
        this.#hosts.set(name, await SystemdHost.install(options))
      }),
    )
    for (const node of nodes) {
      await this.host(node).writeFile(keepalivedConfPath, configBefore(node))
      await this.observer.watch(node, this.host(node).box)
    }
    this.client.start(client)
    this.#favouring = setInterval(() => this.#favourServices(), favourEveryMs)
    await this.host('lb01').powerOn()
    await this.untilOwner('lb01')
    await Promise.all([this.host('lb02').powerOn(), this.host('witness').powerOn()])
  }

  /** Services start again and again, so this is done again and again. */
  #favourServices(): void {
    for (const name of this.#hosts.keys()) favourServices(controlGroupName(name))
  }

  host(name: HostName): SystemdHost {
    const host = this.#hosts.get(name)
    if (host === undefined) throw new Error(`host ${name} is not installed`)
    return host
  }

  /** Who has the VIP now. */
  owners(): readonly LabNode[] {
    return ownersAt(this.observer.changes(), Date.now())
  }

  /** Waits until the node alone has the VIP and the client is answered by it. */
  async untilOwner(node: LabNode): Promise<void> {
    await until(`${node} alone has the VIP and serves the client`, { withinMs: 30_000, everyMs: 50 }, () => {
      const owners = this.owners()
      const served = this.client.attempts().at(-1)?.answeredBy === node
      return Promise.resolve(owners.length === 1 && owners[0] === node && served ? true : null)
    })
  }

  /**
   * Saves the journals of the hosts that have power into the lab's folder, for whoever has to find out what happened.
   */
  async keepJournals(): Promise<void> {
    for (const [name, host] of this.#hosts) {
      if (!host.hasPower) continue
      const { stdout } = await host.tryRun('journalctl', '--no-pager', '--output=short-precise')
      writeFileSync(join(this.folder.folder(name), 'journal.log'), stdout)
    }
  }

  /** Powers everything off. */
  async remove(): Promise<void> {
    clearInterval(this.#favouring)
    const hosts = [...this.#hosts.values()]
    this.#hosts.clear()
    await Promise.all([...hosts.map((host) => host.remove()), ...this.#boxes.map((box) => box.end())])
    await pause(0)
    this.folder.remove()
  }

  async #box(name: string): Promise<NamespaceHost> {
    const box = await NamespaceHost.boot({ name, labFolder: this.folder.path, productFolder: null })
    this.#boxes.push(box)
    return box
  }
}
