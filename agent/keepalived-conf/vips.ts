/**
 * The VIPs of a vrrp_instance as keepalived takes them: which lines count, with which prefix, on which device. It
 * follows alloc_ipaddress() and vrrp_complete_instance() of keepalived.
 */
import { isIP } from 'node:net'
import { bareAddress, maxDeviceName, type Vip, type VipDevice } from '../keepalived/vip.ts'
import type { Place } from './lines.ts'
import { all, knownWord, last, type Statement } from './statements.ts'

export interface InstanceVips {
  /** As keepalived's own dump writes them: `10.0.0.100/24`, `10.0.0.101`. */
  readonly written: string[]
  readonly vips: readonly Vip[]
  readonly isIpv6: boolean
  /** Where keepalived learns the family, in its order of reading; null: from no line of VIPs. */
  readonly familyFrom: number | null
}

export type Warn = (place: Place, what: string) => void

interface Entry {
  readonly address: string
  readonly written: string
  readonly family: 4 | 6
  readonly device: string | null
  readonly label: string | null
  readonly usesVmac: boolean
}

/** What decides about the devices of an instance's VIPs. */
interface Devices {
  readonly interface: string | null
  readonly virtualRouterId: number
  readonly family: 4 | 6
  /** The instance has a virtual MAC, and perhaps a name for its device. */
  readonly vmac: { readonly names: readonly string[] } | null
  readonly vmacForOthers: boolean
  readonly prefixes: readonly string[]
}

/** Words after the address that take a value. Of these keepalived leaves out the whole line where the value is missing. */
const withValue = ['dev', 'scope', 'broadcast', 'brd', 'label', 'peer', 'preferred_lft']

export function vipsOfInstance(
  instance: Statement,
  of: { readonly root: Statement[]; readonly interface: string; readonly virtualRouterId: number },
  warn: Warn,
): InstanceVips {
  const found: Entry[] = []
  const native = last(instance.block, 'native_ipv6')
  let family = native === undefined ? null : (6 as 4 | 6)
  let familyFrom = native?.order ?? null
  for (const block of all(instance.block, 'virtual_ipaddress', 'virtual_ipaddress_excluded'))
    for (const line of block.block ?? []) {
      const entry = entryOf(line, warn)
      if (entry === null) continue
      if (block.words[0] === 'virtual_ipaddress') {
        family ??= entry.family
        familyFrom ??= line.order
        if (entry.family !== family) {
          warn(line, `${entry.written} is not IPv${family} like the first VIP; keepalived ignores it`)
          continue
        }
      }
      found.push(entry)
    }
  family ??= isIP(last(instance.block, 'unicast_src_ip', 'mcast_src_ip')?.words[1] ?? '') === 6 ? 6 : 4
  const devices = devicesOf(instance, { ...of, family })
  const vips = found.flatMap((entry) => {
    const on = deviceOf(entry, devices)
    if (on !== null) return [{ entry, vip: { address: entry.address, on, label: entry.label } }]
    warn(instance, `${entry.written} has no device, because there is no interface; keepalived leaves it out`)
    return []
  })
  if (vips.length === 0)
    warn(instance, 'there is no virtual_ipaddress; without one nothing can show which node is MASTER')
  return {
    written: [...new Set(vips.map(({ entry }) => entry.written))],
    vips: vips.map(({ vip }) => vip),
    isIpv6: family === 6,
    familyFrom,
  }
}

function devicesOf(
  instance: Statement,
  of: {
    readonly root: Statement[]
    readonly interface: string
    readonly virtualRouterId: number
    readonly family: 4 | 6
  },
): Devices {
  const globals = all(of.root, 'global_defs').flatMap((defs) => defs.block ?? [])
  const prefixes = all(globals, 'vmac_prefix', 'vmac_addr_prefix').map((line) => line.words[1] ?? '')
  const vmac = all(instance.block, 'use_vmac')
  return {
    interface: of.interface === '' ? null : of.interface,
    virtualRouterId: of.virtualRouterId,
    family: of.family,
    vmac:
      vmac.length === 0
        ? null
        : { names: vmac.flatMap(({ words }) => words.slice(1, 3).filter((word) => !word.includes(':'))) },
    vmacForOthers: last(instance.block, 'use_vmac_addr') !== undefined,
    prefixes: prefixes.length === 0 ? ['vrrp'] : [...prefixes, 'vrrp'],
  }
}

function deviceOf(entry: Entry, devices: Devices): VipDevice | null {
  const made = (names: readonly string[]): VipDevice => ({
    kind: 'made',
    virtualRouterId: devices.virtualRouterId,
    names,
    prefixes: devices.prefixes,
  })
  const isOfInstance = entry.device === null || entry.device === devices.interface
  if (isOfInstance && devices.vmac !== null && entry.family === devices.family && devices.interface !== null)
    return made(devices.vmac.names)
  const device = entry.device ?? devices.interface
  if (device === null) return null
  const hasOwnVmac =
    entry.usesVmac || (devices.vmacForOthers && (!isOfInstance || entry.family !== devices.family))
  return hasOwnVmac ? made([]) : { kind: 'named', device }
}

/** Null where keepalived takes no address from the line. */
function entryOf(line: Statement, warn: Warn): Entry | null {
  const first = knownWord(line, 0) ?? ''
  const [written, prefix] = splitOnce(first)
  const family = first.includes(':') ? 6 : 4
  if (written.includes('%') || isIP(written) !== family) {
    warn(line, `"${first.slice(0, 60)}" is not an IP address; keepalived ignores it`)
    return null
  }
  const options = optionsOf(line, family)
  if ('fault' in options) {
    warn(line, `keepalived ignores ${first.slice(0, 60)}, because ${options.fault}`)
    return null
  }
  const longest = family === 6 ? 128 : 32
  const { length, isMended } = prefixOf(prefix, longest)
  const address = bareAddress(written)
  const inUse = options.hasPeer ? longest : length
  if (isMended)
    warn(
      line,
      `"${first.slice(0, 60)}" has no valid prefix length; keepalived uses /${inUse}, so write ${address}/${inUse}`,
    )
  return {
    address,
    written: inUse === longest ? address : `${address}/${inUse}`,
    family,
    device: options.device,
    label: options.label,
    usesVmac: options.usesVmac,
  }
}

function splitOnce(text: string): [string, string | null] {
  const at = text.indexOf('/')
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)]
}

/**
 * read_unsigned() of keepalived: what begins with a number in range counts as that number (`24,` is 24, nothing is 0),
 * and everything else as the whole address (`255.255.255.0` is 32).
 */
function prefixOf(text: string | null, longest: number): { length: number; isMended: boolean } {
  if (text === null) return { length: longest, isMended: false }
  const [, sign, digits] = /^\s*([+-]?)(\d*)/.exec(text) ?? []
  // As an unsigned number a negative one is beyond every limit.
  const length = sign === '-' && Number(digits) > 0 ? Infinity : Number(digits)
  const isValid = length <= longest
  return { length: isValid ? length : longest, isMended: !/^\d+$/.test(text) || !isValid }
}

type Options =
  | {
      readonly device: string | null
      readonly label: string | null
      readonly usesVmac: boolean
      readonly hasPeer: boolean
    }
  | { readonly fault: string }

function optionsOf(line: Statement, family: 4 | 6): Options {
  let device: string | null = null
  let label: string | null = null
  let usesVmac = false
  let hasPeer = false
  for (let index = 1; index < line.words.length; index++) {
    const word = line.words[index] ?? ''
    if (word === 'use_vmac') usesVmac = true
    if (!withValue.includes(word)) continue
    const value = knownWord(line, ++index)
    if (value === undefined) return { fault: `"${word}" has no value` }
    if (word === 'dev') {
      if (device !== null) return { fault: 'it has two devices' }
      device = value
    } else if (word === 'label') {
      if (value.length > maxDeviceName)
        return { fault: `its label is longer than ${maxDeviceName} characters` }
      if (family === 4) label = value
    } else if (word === 'brd' || word === 'broadcast') {
      if (family === 6) return { fault: 'an IPv6 address has no broadcast address' }
      if (value !== '-' && value !== '+' && isIP(value) !== 4)
        return { fault: `"${value.slice(0, 60)}" is not a broadcast address` }
    } else if (word === 'peer' && isIP(value) === family) hasPeer = true
  }
  return { device, label, usesVmac, hasPeer }
}
