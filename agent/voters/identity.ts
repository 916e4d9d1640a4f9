/** Whether the other end of a connection is the intended voter: null if it is, otherwise why not. */
import { describeIdentity, type Identity } from '../../shared/identity/identity.ts'
import type { NodeName } from '../../shared/protocol/names.ts'

/** The peer as the plan names it, and the lowest generation of its certificate that is still accepted. */
export interface Peer {
  readonly name: NodeName
  readonly leastGeneration: number
}

export function refusalOfWitness(identity: Identity | null): string | null {
  return identity?.kind === 'witness'
    ? null
    : `this is ${nameOf(identity)}, not the witness; check the address`
}

/**
 * Accepts only the peer: not the witness, an admin or another node, and not a certificate of the peer from before a
 * rotation.
 */
export function refusalOfPeer(
  { cluster, peer }: { readonly cluster: string; readonly peer: Peer },
  identity: Identity | null,
): string | null {
  if (identity?.kind !== 'node' || identity.cluster !== cluster || identity.node !== peer.name)
    return `this is ${nameOf(identity)}, not the peer ${cluster}/${peer.name}`
  if (identity.generation >= peer.leastGeneration) return null
  return `the certificate of ${cluster}/${peer.name} was replaced or revoked (generation ${identity.generation}, at least ${peer.leastGeneration} is needed); enrol that node again`
}

function nameOf(identity: Identity | null): string {
  return identity === null ? 'an unknown party' : describeIdentity(identity)
}
