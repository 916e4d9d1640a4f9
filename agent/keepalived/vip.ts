/**
 * A VIP is an address on a device. The same address on another device (on `lo` of an LVS real server, `fe80::1` of
 * another VLAN) is not the VIP: it is never counted as held, and never removed.
 */
import { isIP, SocketAddress } from 'node:net'

export interface Vip {
  /** Without its prefix, in the kernel's spelling. */
  readonly address: string
  readonly on: VipDevice
  /** An IPv4 label; a glance at the kernel shows it in the place of the device. */
  readonly label: string | null
}

/** Where keepalived puts a VIP. */
export type VipDevice =
  | { readonly kind: 'named'; readonly device: string }
  /** keepalived makes the device (use_vmac), and only its dump has the name. These are the names that it takes. */
  | {
      readonly kind: 'made'
      readonly virtualRouterId: number
      /** Names that the configuration proposes. */
      readonly names: readonly string[]
      /** What other names begin with, before a number and the VRID: `vrrp.51`, `vrrp6.51`. */
      readonly prefixes: readonly string[]
    }

/** IFNAMSIZ without its terminating NUL. */
export const maxDeviceName = 15

/** The address of a VIP as keepalived.conf, the dump or the kernel write it, in one spelling: `10.0.0.1/24 dev eth0` is `10.0.0.1`. */
export function bareAddress(vip: string): string {
  const written = vip.trim().split(/[\s/%]/, 1)[0] ?? ''
  if (isIP(written) !== 6) return written
  return new SocketAddress({ address: written, family: 'ipv6' }).address
}

/** A VIP as keepalived's dump writes it: `10.0.0.100/24 dev vrrp.51@eth0 scope global label eth0:1 set`. */
export function vipOfDump(written: string): Vip | null {
  const address = bareAddress(written)
  const device = / dev ([^\s@]+)/.exec(written)?.[1]
  if (isIP(address) === 0 || device === undefined) return null
  return { address, on: { kind: 'named', device }, label: / label (\S+)/.exec(written)?.[1] ?? null }
}

/**
 * Every VIP that keepalived may have put up: those of its last dump, and those of the file, because a reload may have
 * come since the dump. The dump has the device that the file leaves open.
 */
export function vipsToWatch(dumped: readonly Vip[], configured: readonly Vip[]): readonly Vip[] {
  const known = new Set(dumped.map(({ address }) => address))
  const others = configured.filter(({ on, address }) => on.kind === 'named' || !known.has(address))
  return [...dumped, ...others]
}

/**
 * @param at an address of the kernel; of a labelled address a glance has the label in the place of the device
 * @returns the device that the VIP is on, or null where the address is not this VIP
 */
export function deviceOfVip(
  vip: Vip,
  at: { readonly address: string; readonly device: string },
): string | null {
  if (vip.address !== at.address) return null
  const device = at.device.split(':', 1)[0] ?? ''
  if (isOn(vip.on, device)) return device
  return vip.on.kind === 'named' && at.device === vip.label ? vip.on.device : null
}

function isOn(on: VipDevice, device: string): boolean {
  switch (on.kind) {
    case 'named':
      return on.device === device
    case 'made':
      return on.names.includes(device) || isMadeName(on, device)
  }
}

/** create_vmac_name() of keepalived: prefix, a number where the name was taken, and the VRID; cut to fit a name. */
function isMadeName(
  { virtualRouterId, prefixes }: Extract<VipDevice, { kind: 'made' }>,
  device: string,
): boolean {
  const tail = `.${virtualRouterId}`
  if (!device.endsWith(tail)) return false
  const head = device.slice(0, -tail.length)
  return prefixes.some((prefix) => {
    if (head.startsWith(prefix) && /^\d*$/.test(head.slice(prefix.length))) return true
    return device.length === maxDeviceName && prefix.startsWith(head.replace(/\d+$/, ''))
  })
}
