/** Which certificate is good: a node is admitted with its generation, renewed, removed, rotated or moved. */
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
import { endInvites } from './invites.ts'

/** Whether a certificate of this authority is good now. */
export function admit(enrolment: Enrolment, identity: NodeGeneration): Admission {
  const entry = entryOf(enrolment, identity)
  const name = `${identity.cluster}/${identity.node}`
  if (entry === null) {
    if (mayAdopt(enrolment, identity)) return { kind: 'ok' }
    return refuse('unknown', `${name} is not enrolled at this witness: ${makeAnother(identity)}`)
  }
  if (entry.removed) return refuse('removed', `${name} was removed: ${makeAnother(identity)}`)
  if (identity.generation < entry.leastGeneration)
    return refuse(
      'superseded',
      `this certificate of ${name} (generation ${identity.generation}) is no longer good: generation ${entry.leastGeneration} took its place; if this host should have that one and has not: ${makeAnother(identity)}`,
    )
  return { kind: 'ok' }
}

/**
 * A certificate that is good is in use: what was before it is worth nothing from now on. One that the registry has never
 * signed comes from before the registry was lost, or put back to an older state; it counts from now on.
 * @returns the same state where nothing changes
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

/** Whether this certificate shows that the registry was put back to an older state. */
export function isAheadOf(enrolment: Enrolment, identity: NodeGeneration): boolean {
  const entry = entryOf(enrolment, identity)
  return entry !== null && identity.generation > entry.generation
}

/** The next certificate of a node that asks with a good one. */
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

/** Its open invites end, too. */
export function remove(enrolment: Enrolment, { cluster, node, at }: NodeKey & { at: string }): ChangeOutcome {
  const entry = entryOf(enrolment, { cluster, node })
  if (entry === null) return refuseUnknown({ cluster, node })
  const invites = endInvites(enrolment.invites, { cluster, node }, { how: 'withdrawn', at })
  const removed: Entry = { ...entry, removed: true, rotateAbove: null }
  return { kind: 'done', enrolment: { ...withEntry(enrolment, removed), invites } }
}

/** Wishes for a new key: it comes when the node has made one and uses it. */
export function rotate(enrolment: Enrolment, { cluster, node }: NodeKey): ChangeOutcome {
  const entry = entryOf(enrolment, { cluster, node })
  if (entry === null) return refuseUnknown({ cluster, node })
  if (entry.removed)
    return refuse('removed', `${cluster}/${node} was removed: ${makeAnother({ cluster, node })}`)
  return { kind: 'done', enrolment: withEntry(enrolment, { ...entry, rotateAbove: entry.generation }) }
}

/** A node says where its peer reaches it from now on. */
export function move(
  enrolment: Enrolment,
  { address, port, ...key }: NodeKey & { address: string; port: number },
): Enrolment {
  const entry = entryOf(enrolment, key)
  if (entry === null || (entry.address === address && entry.port === port)) return enrolment
  return withEntry(enrolment, { ...entry, address, port })
}

/** A registry that was lost knows nobody, and must not stop those who have done nothing wrong: while there is room. */
function mayAdopt(enrolment: Enrolment, { cluster, node }: NodeKey): boolean {
  return enrolment.lostAt !== null && whyNoRoom(enrolment, { cluster, node }) === null
}

function refuseUnknown({ cluster, node }: NodeKey): Refused<'unknown'> {
  return refuse(
    'unknown',
    `${cluster}/${node} was never enrolled here: "witnessctl nodes" lists those that were`,
  )
}
