/**
 * Whether both nodes have the same VRRP password. It has eight characters at most, so whoever has any digest of it can
 * try them all: a digest is sent to nobody but the peer, over the connection on which both have shown their
 * certificates. The peer's keepalived.conf should have the very same password. The witness learns only the outcome.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'

/** @param incarnation of the hello that carries it, so that two starts of an agent cannot be compared */
export function authProof(password: string, incarnation: string): string {
  return createHmac('sha256', Buffer.from(password, 'latin1')).update(incarnation).digest('hex')
}

export function provesSame(proof: string, password: string, incarnation: string): boolean {
  const own = Buffer.from(authProof(password, incarnation), 'hex')
  const other = Buffer.from(proof, 'hex')
  return other.length === own.length && timingSafeEqual(own, other)
}
