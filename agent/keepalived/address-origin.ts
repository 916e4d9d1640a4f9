/**
 * Where an address of this host is configured besides keepalived.conf: in the files of the usual network tools, or by
 * DHCP, as the kernel marks it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { z } from 'zod'
import { runCommand } from '../../shared/host/command.ts'
import type { VipOrigin } from '../core/guard/guard.ts'
import { bareAddress, deviceOfVip, type Vip } from './vip.ts'

/** Folders or files of the network tools, and which names in a folder they read. */
const networkFiles: readonly { readonly path: string; readonly names: RegExp | null }[] = [
  { path: '/etc/netplan', names: /\.yaml$/ },
  { path: '/run/netplan', names: /\.yaml$/ },
  { path: '/etc/network/interfaces', names: null },
  { path: '/etc/network/interfaces.d', names: /./ },
  { path: '/etc/sysconfig/network-scripts', names: /^ifcfg-/ },
  { path: '/etc/sysconfig/network', names: /^ifcfg-/ },
  { path: '/etc/NetworkManager/system-connections', names: /./ },
  { path: '/run/NetworkManager/system-connections', names: /./ },
  { path: '/etc/systemd/network', names: /\.(network|netdev)$/ },
  { path: '/run/systemd/network', names: /\.(network|netdev)$/ },
  { path: '/etc/dhcpcd.conf', names: null },
]

const listTimeoutMs = 1000

export interface StaticPlace {
  readonly address: string
  /** The file, with its line. */
  readonly place: string
}

const addressList = z.array(
  z.object({
    ifname: z.string().optional(),
    addr_info: z
      .array(
        z.object({
          local: z.string().optional(),
          prefixlen: z.number().optional(),
          dynamic: z.boolean().optional(),
        }),
      )
      .optional(),
  }),
)

/** The files and lines in which one of these VIPs is a static address. Files that cannot be read are passed over. */
export function staticPlaces(vips: readonly Vip[], root = '/'): readonly StaticPlace[] {
  const wanted = new Set(vips.map(({ address }) => address))
  return networkFiles
    .flatMap(({ path, names }) => filesAt(join(root, path), names))
    .flatMap((file) => placesIn(file, wanted))
}

/**
 * For a VIP that keepalived did not put up.
 * @param known places that are known already
 */
export async function findOrigin(vips: readonly Vip[], known: readonly StaticPlace[]): Promise<VipOrigin> {
  const { error, stdout } = await runCommand(['ip', '-j', 'addr'], { timeoutMs: listTimeoutMs })
  const there = error === null ? addressesThere(stdout, vips) : []
  const places = [...known, ...staticPlaces(vips)].map(({ place }) => place)
  return {
    addresses: there.map(({ text }) => text),
    places: there.some(({ isLeased }) => isLeased)
      ? ['DHCP (the kernel marks it as leased)', ...places]
      : places,
  }
}

/** @param json what `ip -j addr` prints */
export function addressesThere(
  json: string,
  vips: readonly Vip[],
): readonly { readonly text: string; readonly isLeased: boolean }[] {
  const parsed = addressList.safeParse(jsonOrNull(json))
  return (parsed.data ?? []).flatMap(({ ifname, addr_info }) =>
    (addr_info ?? []).flatMap(({ local, prefixlen, dynamic }) => {
      if (ifname === undefined || local === undefined) return []
      const at = { address: bareAddress(local), device: ifname }
      if (!vips.some((vip) => deviceOfVip(vip, at) !== null)) return []
      return [{ text: `${at.address}/${prefixlen ?? 32} on ${ifname}`, isLeased: dynamic === true }]
    }),
  )
}

function placesIn(file: string, wanted: ReadonlySet<string>): readonly StaticPlace[] {
  const lines = textOrEmpty(file).split('\n')
  return lines.flatMap((line, index) =>
    addressesIn(line)
      .filter((address) => wanted.has(address))
      .map((address) => ({ address, place: `${file}:${index + 1}` })),
  )
}

/** Without comments, of whatever format: an address is a word between blanks, quotes, signs and its prefix. */
function addressesIn(line: string): readonly string[] {
  const text = line.replace(/(^|\s)[#;].*$/, '')
  return text
    .split(/[\s"'=,;[\]/]+/)
    .filter((word) => isIP(word) !== 0)
    .map(bareAddress)
}

function filesAt(path: string, names: RegExp | null): readonly string[] {
  if (names === null) return [path]
  try {
    return readdirSync(path)
      .filter((name) => names.test(name))
      .sort()
      .map((name) => join(path, name))
  } catch {
    return []
  }
}

function textOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
