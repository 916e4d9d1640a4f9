/** Where nodes reach this witness, as far as it can know. */
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os'

const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::', ''])

/**
 * HOST:PORT for an invite; null where only the admin can know. On a host with several addresses it is a guess: the first of an
 * interface that is not loopback, IPv4 before IPv6.
 */
export function ownAddress(
  { host, port }: { host: string; port: number },
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces(),
): string | null {
  const address = wildcards.has(host) ? firstAddress(interfaces, host === '0.0.0.0') : host
  if (address === null) return null
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

function firstAddress(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>, onlyIpv4: boolean): string | null {
  const outside = Object.values(interfaces).flatMap((addresses) =>
    (addresses ?? []).filter(({ internal, address }) => !internal && !/^fe80:/i.test(address)),
  )
  const ipv4 = outside.find(({ family }) => family === 'IPv4')
  const ipv6 = onlyIpv4 ? undefined : outside.find(({ family }) => family === 'IPv6')
  return ipv4?.address ?? ipv6?.address ?? null
}
