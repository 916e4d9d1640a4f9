/**
 * Which certificates are accepted, and what changes that: a node uses or renews its certificate, is removed, gets a new
 * key, or moves.
 */
import {
  type Admission,
  type ChangeOutcome,
  type Enrolment,
  type Entry,
  type NodeGeneration,
  type NodeKey,
  type Refused,
  type RenewOutcome,
  entryOf,
  makeAnother,
  nextGeneration,
  refuse,
  whyNoRoom,
  withEntry,
} from './record.ts'
import { declareOff, withFormerPairs } from './former-pairs.ts'
import { endInvites } from './invites.ts'

/** Whether a certificate of this authority is accepted now. */
export function admit(enrolment: Enrolment, identity: NodeGeneration): Admission {
  const entry = entryOf(enrolment, identity)
  const name = `${identity.cluster}/${identity.node}`
  if (entry === null) {
    if (mayAdopt(enrolment, identity)) return { kind: 'ok' }
    return refuse('unknown', `${name} is not enrolled at this witness; ${makeAnother(identity)}`)
  }
  if (entry.removed) return refuse('removed', `${name} was removed; ${makeAnother(identity)}`)
  if (identity.generation < entry.leastGeneration)
    return refuse(
      'superseded',
      `this certificate of ${name} (generation ${identity.generation}) is no longer valid because generation ${entry.leastGeneration} has replaced it; if this host should have the newer one but does not, ${makeAnother(identity)}`,
    )
  return { kind: 'ok' }
}

/**
 * Records that a valid certificate is in use, which ends those before it. A certificate that the registry does not know
 * was signed before the registry was lost or restored from an older copy; it counts from now on.
 * @returns the same state if nothing changes
 */
export function use(
  enrolment: Enrolment,
  { identity, address, port, at }: { identity: NodeGeneration; address: string; port: number; at: string },
): Enrolment {
  if (admit(enrolment, identity).kind !== 'ok') return enrolment
  const { cluster, node, generation } = identity
  const entry = entryOf(enrolment, identity)
  if (entry === null)
    return withEntry(enrolment, {
      cluster,
      node,
      address,
      port,
      generation,
      leastGeneration: generation,
      rotateAbove: null,
      enrolledAt: at,
      renewedAt: at,
      removed: false,
    })
  const rotated = entry.rotateAbove !== null && generation > entry.rotateAbove
  if (generation === entry.leastGeneration && !rotated) return enrolment
  return withEntry(enrolment, {
    ...entry,
    generation: Math.max(entry.generation, generation),
    leastGeneration: generation,
    rotateAbove: rotated ? null : entry.rotateAbove,
  })
}

/** Whether this certificate shows that the registry was restored from an older copy. */
export function isAheadOf(enrolment: Enrolment, identity: NodeGeneration): boolean {
  const entry = entryOf(enrolment, identity)
  return entry !== null && identity.generation > entry.generation
}

/** The generation of the next certificate, for a node that asks with a valid one. */
export function renew(
  enrolment: Enrolment,
  { identity, at }: { identity: NodeGeneration; at: string },
): RenewOutcome {
  const admission = admit(enrolment, identity)
  if (admission.kind === 'refused') return admission
  const entry = entryOf(enrolment, identity)
  if (entry === null)
    return refuse('unknown', `${identity.cluster}/${identity.node} must connect before it can renew`)
  const generation = nextGeneration(enrolment, {
    ...entry,
    generation: Math.max(entry.generation, identity.generation),
  })
  return {
    kind: 'done',
    generation,
    enrolment: withEntry(enrolment, { ...entry, generation, renewedAt: at }),
  }
}

/**
 * Removes a node, which also ends its open invites.
 * @param isOff hosts of the cluster that are off, by the operator's word
 */
export function remove(
  before: Enrolment,
  { cluster, node, isOff = [], at }: NodeKey & { isOff?: readonly string[]; at: string },
): ChangeOutcome {
  const enrolment = declareOff(withFormerPairs(before, { cluster, node }), { cluster, nodes: isOff })
  const entry = entryOf(enrolment, { cluster, node })
  if (entry === null) return refuseUnknown({ cluster, node })
  const invites = endInvites(enrolment.invites, { cluster, node }, { how: 'withdrawn', at })
  const removed: Entry = { ...entry, removed: true, rotateAbove: null }
  return { kind: 'done', enrolment: { ...withEntry(enrolment, removed), invites } }
}

/** Records that the admin wants a new key. The wish is fulfilled when the node uses a certificate for one. */
export function rotate(enrolment: Enrolment, { cluster, node }: NodeKey): ChangeOutcome {
  const entry = entryOf(enrolment, { cluster, node })
  if (entry === null) return refuseUnknown({ cluster, node })
  if (entry.removed)
    return refuse('removed', `${cluster}/${node} was removed; ${makeAnother({ cluster, node })}`)
  return { kind: 'done', enrolment: withEntry(enrolment, { ...entry, rotateAbove: entry.generation }) }
}

/** Records where the node's peer reaches it from now on. */
export function move(
  enrolment: Enrolment,
  { address, port, ...key }: NodeKey & { address: string; port: number },
): Enrolment {
  const entry = entryOf(enrolment, key)
  if (entry === null || (entry.address === address && entry.port === port)) return enrolment
  return withEntry(enrolment, { ...entry, address, port })
}

/**
 * A registry that was lost knows no node, but must not stop healthy ones. It accepts a node while its cluster has room.
 */
function mayAdopt(enrolment: Enrolment, { cluster, node }: NodeKey): boolean {
  return enrolment.lostAt !== null && whyNoRoom(enrolment, { cluster, node }) === null
}

function refuseUnknown({ cluster, node }: NodeKey): Refused<'unknown'> {
  return refuse(
    'unknown',
    `${cluster}/${node} was never enrolled here; "witnessctl nodes" lists the nodes that were`,
  )
}
