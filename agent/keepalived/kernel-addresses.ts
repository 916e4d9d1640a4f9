/**
 * Which VIPs the kernel has. This is the truth about a node, because a killed keepalived leaves its VIP behind.
 *
 * There are two ways to look. `os.networkInterfaces()` takes 0.03 ms but leaves out every interface without carrier,
 * so it can only show "held". `ip -j addr` takes 2 ms and sees everything, so only it proves "gone".
 */
import { networkInterfaces } from 'node:os'
import { z } from 'zod'
import { runCommand } from '../../shared/host/command.ts'
import { bareAddress, deviceOfVip, type Vip } from './vip.ts'

export interface KernelAddress {
  /** At a glance an IPv4 address with a label has the label here. */
  readonly device: string
  readonly address: string
  readonly prefixLength: number
  /** The other end of a point-to-point address (`peer`). Null: it has none, or a glance does not show it. */
  readonly peer: string | null
}

const proofTimeoutMs = 1000

const addressList = z.array(
  z.object({
    ifname: z.string().optional(),
    addr_info: z
      .array(
        z.object({
          local: z.string().optional(),
          address: z.string().optional(),
          prefixlen: z.number().optional(),
        }),
      )
      .optional(),
  }),
)

/** The addresses that a glance shows; good for "held", never for "gone". */
export function glanceAtAddresses(): KernelAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([device, addresses]) =>
    (addresses ?? []).map(({ address, cidr }) => ({
      device,
      address: bareAddress(address),
      prefixLength: Number(cidr?.split('/')[1] ?? 32),
      peer: null,
    })),
  )
}

/** Every address of this network namespace, or why the kernel could not be asked, in which case nothing is proved. */
export async function listAddresses(): Promise<{ addresses: KernelAddress[] } | { error: string }> {
  const { error, stdout } = await runCommand(['ip', '-j', 'addr'], { timeoutMs: proofTimeoutMs })
  if (error !== null) return { error }
  try {
    return { addresses: parseAddresses(stdout) }
  } catch {
    return { error: 'the output of "ip -j addr" is not the expected JSON; iproute2 4.18 or newer is needed' }
  }
}

/** @throws when it is not what `ip -j addr` prints. */
export function parseAddresses(json: string): KernelAddress[] {
  // An interface that vanishes while ip reads it leaves an empty object in the list.
  return addressList.parse(JSON.parse(json)).flatMap(({ ifname, addr_info }) =>
    (addr_info ?? []).flatMap(({ local, address, prefixlen }) =>
      ifname === undefined || local === undefined
        ? []
        : [
            {
              device: ifname,
              address: bareAddress(local),
              prefixLength: prefixlen ?? 32,
              peer: address === undefined ? null : bareAddress(address),
            },
          ],
    ),
  )
}

/** The addresses among these that are VIPs, with the devices that they are on. */
export function held(addresses: readonly KernelAddress[], vips: readonly Vip[]): KernelAddress[] {
  const index = byAddress(vips)
  return addresses.flatMap((at) => {
    const device = (index.get(at.address) ?? [])
      .map((vip) => deviceOfVip(vip, at))
      .find((found) => found !== null)
    return device === undefined ? [] : [{ ...at, device }]
  })
}

/** Whether any of these addresses is a VIP. */
export function holdsAny(addresses: readonly KernelAddress[], vips: readonly Vip[]): boolean {
  const index = byAddress(addresses)
  return vips.some((vip) => (index.get(vip.address) ?? []).some((at) => deviceOfVip(vip, at) !== null))
}

interface Addressed {
  readonly address: string
}

/**
 * A host may have hundreds of VIPs in dozens of instances, each of which is looked at several times a second. To compare
 * each address with each VIP would keep the decisions waiting for tens of milliseconds.
 */
const indexes = new WeakMap<readonly Addressed[], ReadonlyMap<string, readonly Addressed[]>>()

function byAddress<Entry extends Addressed>(
  entries: readonly Entry[],
): ReadonlyMap<string, readonly Entry[]> {
  const known = indexes.get(entries)
  // What is stored under a list was made of its entries.
  if (known !== undefined) return known as ReadonlyMap<string, readonly Entry[]>
  const index = new Map<string, Entry[]>()
  for (const entry of entries) {
    const same = index.get(entry.address)
    if (same === undefined) index.set(entry.address, [entry])
    else same.push(entry)
  }
  indexes.set(entries, index)
  return index
}
