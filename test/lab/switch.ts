/** The switch: a bridge in a namespace of its own, one port per host, and the faults that happen in the wires. */
import { gatewayAddress, nodes } from './address-plan.ts'
import { command } from './command.ts'
import { type LabNotes } from './lab-notes.ts'
import { type NamespaceHost } from './namespace-host.ts'

/** The switch's port for the eth1 of a node. */
export function secondPortOf(hostName: string): string {
  return `${hostName}-2nd`
}

export class Switch {
  readonly #host: NamespaceHost
  readonly #notes: LabNotes
  /** The faults that separate the nodes from each other. */
  readonly #partings = new Set<string>()

  private constructor(host: NamespaceHost, notes: LabNotes) {
    this.#host = host
    this.#notes = notes
  }

  /** The switch is its network's gateway, too: it answers pings at `gatewayAddress`. */
  static async install(host: NamespaceHost, notes: LabNotes): Promise<Switch> {
    await host.shell(
      `ip link add br0 type bridge stp_state 0 mcast_snooping 0 forward_delay 0
       ip address add ${gatewayAddress}/24 dev br0
       ip link set br0 up`,
    )
    return new Switch(host, notes)
  }

  /** A cable from a port named after the host to the host's eth0. */
  async connect(host: NamespaceHost, address: string): Promise<void> {
    await this.#plug(host, { port: host.name, device: 'eth0' })
    this.#join(`port ${host.name}`)
    await host.shell(`ip address add ${address}/24 dev eth0\nip link set eth0 up`)
  }

  /** A second cable, to the host's eth1, which has no address of its own. */
  async connectSecond(host: NamespaceHost): Promise<void> {
    await this.#plug(host, { port: secondPortOf(host.name), device: 'eth1' })
    await host.shell('ip link set eth1 up')
  }

  async #plug(host: NamespaceHost, { port, device }: { port: string; device: string }): Promise<void> {
    await this.#host.shell(
      `ip link del ${port} 2>/dev/null || true
       ip link add ${port} type veth peer name cable-${port}
       ip link set ${port} master br0 up`,
    )
    // Only a process outside both hosts sees them both, so the far end of the cable is moved by process id.
    await command('nsenter', [
      ...['-t', String(this.#host.initPid), '--net', '--'],
      ...['ip', 'link', 'set', `cable-${port}`, 'netns', String(host.initPid)],
    ])
    await host.shell(`ip link set cable-${port} name ${device}`)
  }

  /** The host loses its carrier at this port, or gets it back. */
  async setPort(hostName: string, state: 'up' | 'down'): Promise<void> {
    if (state === 'up') this.#join(`port ${hostName}`)
    // The port of a host that has just died may have gone with it.
    const orGone = state === 'down' ? ` || ! ip link show ${hostName} >/dev/null 2>&1` : ''
    await this.#host.shell(`ip link set ${hostName} ${state}${orGone}`)
    if (state === 'down') this.#part(`port ${hostName}`, hostName)
  }

  /** Every frame from and to the host is dropped; its carrier stays. */
  async isolate(hostName: string): Promise<void> {
    await this.#rules(`isolate_${hostName}`, [`iifname "${hostName}" drop`, `oifname "${hostName}" drop`])
    this.#part(`isolation of ${hostName}`, hostName)
  }

  async endIsolation(hostName: string): Promise<void> {
    this.#join(`isolation of ${hostName}`)
    await this.#mend(`isolate_${hostName}`)
  }

  /** Every frame between the two is dropped; both reach all others. */
  async cut(one: string, other: string): Promise<void> {
    await this.#rules('cut', [
      `iifname "${one}" oifname "${other}" drop`,
      `iifname "${other}" oifname "${one}" drop`,
    ])
    this.#part('cut', one, other)
  }

  async endCut(): Promise<void> {
    this.#join('cut')
    await this.#mend('cut')
  }

  /**
   * Loses this share of the frames, decided once for each frame, whatever its path. VRRP adverts are lost evenly,
   * because three lost adverts in a row make keepalived promote itself by its own rule, which would happen by chance in
   * one run of 130.
   */
  async loseFrames(percent: number): Promise<void> {
    const evenly = Math.round(100 / percent)
    await this.#rules('loss', [
      `ip protocol 112 numgen inc mod ${evenly} 0 drop`,
      `ip protocol != 112 numgen random mod 100 < ${percent} drop`,
    ])
  }

  async endLoss(): Promise<void> {
    await this.#mend('loss')
  }

  /** The host no longer reaches the gateway; it reaches all others. */
  async blockGateway(hostName: string): Promise<void> {
    await this.#rules('gateway', [`iifname "${hostName}" drop`], 'input')
  }

  async endGatewayBlock(): Promise<void> {
    await this.#mend('gateway')
  }

  /** Noted once it is done; isolating a host parts the nodes if it is one of them. */
  #part(cause: string, ...between: readonly string[]): void {
    if (!between.every((host) => nodes.some((node) => node === host))) return
    this.#partings.add(cause)
    if (this.#partings.size === 1) this.#notes.note({ type: 'nodes-parted', on: true })
  }

  #join(cause: string): void {
    if (this.#partings.delete(cause) && this.#partings.size === 0)
      this.#notes.note({ type: 'nodes-parted', on: false })
  }

  async #rules(name: string, rules: readonly string[], hook: 'forward' | 'input' = 'forward'): Promise<void> {
    await this.#host.nft(
      `table bridge ${name} {
         chain ${hook} {
           type filter hook ${hook} priority 0
           ${rules.join('\n')}
         }
       }\n`,
    )
  }

  async #mend(name: string): Promise<void> {
    await this.#host.nft(`delete table bridge ${name}\n`)
  }
}
