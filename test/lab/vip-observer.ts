/**
 * Watches a node's addresses through the kernel's own announcements (`ip -ts monitor address`). All hosts of a lab
 * share the machine's clock, so times of different hosts can be compared.
 */
import { createInterface } from 'node:readline'
import { vip, type LabNode } from './address-plan.ts'
import { type NamespaceHost, promptly } from './namespace-host.ts'
import { type OwnershipChange } from './vip-ownership.ts'

const change = new RegExp(
  String.raw`^\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})\] (Deleted )?\d+: (\S+) +inet ${vip.replaceAll('.', String.raw`\.`)}/`,
)

/**
 * One line of the monitor; null: not about the VIP, which is an address on a device. Times are those at which the monitor
 * read the kernel's event.
 */
export function parseMonitorLine(line: string, wantedDevice: string): { atMs: number; has: boolean } | null {
  const found = change.exec(line)
  if (found === null) return null
  const [, second = '', microseconds = '', deleted, device] = found
  if (device !== wantedDevice) return null
  return { atMs: Date.parse(`${second}Z`) + Number(microseconds) / 1000, has: deleted === undefined }
}

export class VipObserver {
  readonly #changes: OwnershipChange[] = []
  readonly #device: string

  /** @param device where keepalived puts the VIP */
  constructor(device: string) {
    this.#device = device
  }

  /** Watches from now until the host ends. Returns when the watch is in place. */
  async watch(node: LabNode, host: NamespaceHost): Promise<void> {
    // It stamps an event when it reads it, so it must not wait for a processor on a busy machine, and that takes a session
    // of its own.
    const monitor = host.stream('setsid', '--wait', 'sh', '-c', `${promptly}; exec ip -ts monitor address`)
    if (monitor.stdout === null) throw new Error('the monitor has no output')
    const lines = createInterface(monitor.stdout)
    let sawProbe: () => void = () => undefined
    const inPlace = new Promise<void>((resolve) => (sawProbe = resolve))
    lines.on('line', (line) => {
      if (line.includes(probe)) sawProbe()
      const seen = parseMonitorLine(line, this.#device)
      if (seen !== null) this.#changes.push({ node, ...seen })
    })
    // The monitor does not report when it is ready, so an address on the loopback is added and deleted until it is
    // seen.
    const knocking = setInterval(() => void knock(host), 50)
    await inPlace
    clearInterval(knocking)
  }

  /** The host lost its power, so whatever it owned ends here. */
  powerLost(node: LabNode, atMs: number): void {
    this.#changes.push({ node, has: false, atMs })
  }

  changes(): readonly OwnershipChange[] {
    return [...this.#changes].sort((one, other) => one.atMs - other.atMs)
  }
}

const probe = '127.0.0.99/32'

async function knock(host: NamespaceHost): Promise<void> {
  await host.tryRun('sh', '-c', `ip address add ${probe} dev lo; ip address del ${probe} dev lo`)
}
