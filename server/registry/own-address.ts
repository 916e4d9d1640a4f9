/**
 * Where nodes reach this witness, as far as it can tell by itself. The admin can put another address into the invite.
 */
import { networkInterfaces } from 'node:os'

/** @returns HOST:PORT; null: it listens on loopback only, or has no address */
export function addressForNodes(
  { host, port }: { readonly host: string; readonly port: number },
  interfaces: typeof networkInterfaces = networkInterfaces,
): string | null {
  const address = isWildcard(host) ? firstAddress(interfaces()) : host
  if (address === null || isLoopback(address)) return null
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

function isLoopback(host: string): boolean {
  return host === '::1' || host === 'localhost' || host.startsWith('127.')
}

/** IPv4 first. Link-local addresses need a zone, which is different on each host. */
function firstAddress(interfaces: ReturnType<typeof networkInterfaces>): string | null {
  const candidates = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !address.toLowerCase().startsWith('fe80:'))
  const chosen = candidates.find(({ family }) => family === 'IPv4') ?? candidates[0]
  return chosen?.address ?? null
}
