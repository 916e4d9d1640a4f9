/**
 * Who is enrolled, and who may still be: the record of nodes, the generations of their certificates, and invites. State
 * in, state out; server/registry.ts keeps it on disk and brings clocks and secrets.
 *
 * A generation never goes back: a node's entry stays when the node is removed, and no certificate from before its removal
 * is good again when it is enrolled anew.
 */
import { z } from 'zod'
import {
  agentAddress,
  generationSchema,
  maxNodes,
  memberSchema,
  clusterName,
  nodeName,
  type Member,
} from '../shared/protocol.ts'
import type { NodeIdentity } from '../shared/identity.ts'

/** How long an invite is good, on the witness's boot clock. */
export const inviteMs = 15 * 60_000
/** Used and ended ones among them, so that the reason can be told. */
export const mostInvites = 100
/** Removed ones among them. */
export const mostEntries = 4096

const wallTime = z.string().max(40)

const entrySchema = z.strictObject({
  cluster: clusterName,
  node: nodeName,
  /** Where the peer's agent reaches this node's. */
  address: agentAddress,
  port: memberSchema.shape.port,
  /** Of the newest certificate that was signed; it may not be in use yet, or never come to be. */
  generation: generationSchema,
  /** Certificates with a lower one are refused. */
  leastGeneration: generationSchema,
  /** The admin wants a certificate above this one in use; null: no wish. */
  rotateAbove: generationSchema.nullable(),
  /** Wall clock, for people. */
  enrolledAt: wallTime,
  renewedAt: wallTime,
  removed: z.boolean(),
})
export type Entry = z.infer<typeof entrySchema>

const inviteSchema = z.strictObject({
  /** SHA-256, hex. */
  secretHash: z.string().regex(/^[0-9a-f]{64}$/),
  cluster: clusterName,
  node: nodeName,
  /** The boot of the witness's host that `endsAtMs` counts from. */
  bootId: z.string().max(64),
  endsAtMs: z.number(),
  /** Why it is good no more; null: open, or ended by time. */
  spent: z.strictObject({ how: z.enum(['used', 'replaced', 'withdrawn']), at: wallTime }).nullable(),
})
export type InviteRecord = z.infer<typeof inviteSchema>

export const enrolmentSchema = z.strictObject({
  /** Of a node that is not known yet: above any that a lost registry may have given away. */
  firstGeneration: generationSchema,
  /** The registry before this one was lost at this time: nodes that bring a certificate are taken as they are. */
  lostAt: wallTime.nullable(),
  entries: z.array(entrySchema).max(mostEntries),
  invites: z.array(inviteSchema).max(mostInvites),
})
export type Enrolment = z.infer<typeof enrolmentSchema>

export const nobodyEnrolled: Enrolment = { firstGeneration: 1, lostAt: null, entries: [], invites: [] }

/** Both clocks of one moment. */
export interface Moment {
  readonly bootId: string
  /** Boot clock. */
  readonly atMs: number
  /** Wall clock, ISO 8601. */
  readonly at: string
}
export interface NodeKey {
  readonly cluster: string
  readonly node: string
}

export type Refused<Reason extends string> = {
  readonly kind: 'refused'
  readonly reason: Reason
  /** For the one who asked: what is wrong, and what to do. */
  readonly text: string
}
export type InviteOutcome =
  { readonly kind: 'done'; readonly enrolment: Enrolment } | Refused<'cluster-full' | 'too-many'>
export type RedeemRefusal =
  | 'unknown'
  | 'used'
  | 'late'
  | 'other-boot'
  | 'replaced'
  | 'withdrawn'
  | 'other-node'
  | 'cluster-full'
  | 'too-many'
export type RedeemOutcome =
  | { readonly kind: 'done'; readonly enrolment: Enrolment; readonly generation: number }
  | Refused<RedeemRefusal>
export type Admission = { readonly kind: 'ok' } | Refused<'unknown' | 'removed' | 'superseded'>
export type RenewOutcome =
  | { readonly kind: 'done'; readonly enrolment: Enrolment; readonly generation: number }
  | Refused<'unknown' | 'removed' | 'superseded'>
export type ChangeOutcome =
  { readonly kind: 'done'; readonly enrolment: Enrolment } | Refused<'unknown' | 'removed'>

/** An earlier invite for the same node ends: one line is good at a time. */
export function invite(
  enrolment: Enrolment,
  { secretHash, cluster, node, moment }: NodeKey & { secretHash: string; moment: Moment },
): InviteOutcome {
  const refusal = whyNoRoom(enrolment, { cluster, node })
  if (refusal !== null) return refusal
  const others = endInvites(enrolment.invites, { cluster, node }, { how: 'replaced', at: moment.at })
  const kept = forgetOldest(others, moment)
  if (kept.length >= mostInvites)
    return refuse('too-many', `${mostInvites} invites are open: wait until some have ended`)
  const added: InviteRecord = {
    secretHash,
    cluster,
    node,
    bootId: moment.bootId,
    endsAtMs: moment.atMs + inviteMs,
    spent: null,
  }
  return { kind: 'done', enrolment: { ...enrolment, invites: [...kept, added] } }
}

/** @param options.invite the one that has the secret that was brought; null: none has */
export function redeem(
  enrolment: Enrolment,
  options: NodeKey & {
    invite: InviteRecord | null
    moment: Moment
    address: string
    port: number
  },
): RedeemOutcome {
  const { invite, moment, cluster, node, address, port } = options
  const refusal = whyNotRedeemed(enrolment, options)
  if (refusal !== null) return refusal
  const known = entryOf(enrolment, { cluster, node })
  const generation = nextGeneration(enrolment, known)
  const entry: Entry = {
    cluster,
    node,
    address,
    port,
    generation,
    // What a node had before its removal stays worthless. One that is enrolled again while it runs goes on until then.
    leastGeneration: known === null || known.removed ? generation : known.leastGeneration,
    rotateAbove: null,
    enrolledAt: moment.at,
    renewedAt: moment.at,
    removed: false,
  }
  const invites = enrolment.invites.map((one) =>
    one === invite ? { ...one, spent: { how: 'used' as const, at: moment.at } } : one,
  )
  return { kind: 'done', generation, enrolment: { ...withEntry(enrolment, entry), invites } }
}

/** As `redeem` will answer, for a look before anything costly is done. */
export function whyNotRedeemed(
  enrolment: Enrolment,
  { invite, moment, cluster, node }: NodeKey & { invite: InviteRecord | null; moment: Moment },
): Refused<RedeemRefusal> | null {
  if (invite === null)
    return refuse('unknown', `this witness knows no such invite: ${makeAnother({ cluster, node })}`)
  if (invite.cluster !== cluster || invite.node !== node)
    return refuse(
      'other-node',
      `this invite is for ${invite.cluster}/${invite.node}, and not for ${cluster}/${node}: ${makeAnother({ cluster, node })}`,
    )
  if (invite.spent !== null) return refuseSpent(invite.spent, { cluster, node })
  if (invite.bootId !== moment.bootId)
    return refuse(
      'other-boot',
      `the witness's host was started anew since this invite was made, which ends all invites: ${makeAnother({ cluster, node })}`,
    )
  if (moment.atMs >= invite.endsAtMs)
    return refuse(
      'late',
      `this invite ended ${Math.max(1, Math.round((moment.atMs - invite.endsAtMs) / 60_000))} min ago (it is good for ${inviteMs / 60_000} min): ${makeAnother({ cluster, node })}`,
    )
  return whyNoRoom(enrolment, { cluster, node })
}

/** Whether a certificate of this authority is good now. */
export function admit(enrolment: Enrolment, identity: NodeIdentity): Admission {
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
  { identity, address, port, at }: { identity: NodeIdentity; address: string; port: number; at: string },
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
export function isAheadOf(enrolment: Enrolment, identity: NodeIdentity): boolean {
  const entry = entryOf(enrolment, identity)
  return entry !== null && identity.generation > entry.generation
}

/** The next certificate of a node that asks with a good one. */
export function renew(
  enrolment: Enrolment,
  { identity, at }: { identity: NodeIdentity; at: string },
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

/** In the order in which they were enrolled first. */
export function membersOf(enrolment: Enrolment, cluster: string): readonly Member[] {
  return enrolment.entries
    .filter((entry) => entry.cluster === cluster && !entry.removed)
    .map(({ node, address, port, leastGeneration }) => ({ name: node, address, port, leastGeneration }))
}

export function entryOf(enrolment: Enrolment, { cluster, node }: NodeKey): Entry | null {
  return enrolment.entries.find((entry) => entry.cluster === cluster && entry.node === node) ?? null
}

/** A registry that was lost knows nobody, and must not stop those who have done nothing wrong: while there is room. */
function mayAdopt(enrolment: Enrolment, { cluster, node }: NodeKey): boolean {
  return enrolment.lostAt !== null && whyNoRoom(enrolment, { cluster, node }) === null
}

function nextGeneration({ firstGeneration }: Enrolment, known: Entry | null): number {
  return Math.max(firstGeneration, known === null ? 1 : known.generation + 1)
}

function whyNoRoom(
  { entries }: Enrolment,
  { cluster, node }: NodeKey,
): Refused<'cluster-full' | 'too-many'> | null {
  const isKnown = entries.some((entry) => entry.cluster === cluster && entry.node === node)
  if (!isKnown && entries.length >= mostEntries)
    return refuse(
      'too-many',
      `this witness has had ${mostEntries} nodes, removed ones included: use another witness`,
    )
  const others = entries.filter((entry) => entry.cluster === cluster && entry.node !== node && !entry.removed)
  if (others.length < maxNodes) return null
  const names = others.map((entry) => entry.node)
  return refuse(
    'cluster-full',
    `${cluster} has ${names.join(' and ')} already, and a cluster has ${maxNodes} nodes at most: remove one with "witnessctl remove --cluster ${cluster} --node ${names[0] ?? ''}"`,
  )
}

function withEntry(enrolment: Enrolment, entry: Entry): Enrolment {
  const { cluster, node } = entry
  const isKnown = entryOf(enrolment, { cluster, node }) !== null
  const entries = isKnown
    ? enrolment.entries.map((one) => (one.cluster === cluster && one.node === node ? entry : one))
    : [...enrolment.entries, entry]
  return { ...enrolment, entries }
}

function endInvites(
  invites: readonly InviteRecord[],
  { cluster, node }: NodeKey,
  spent: NonNullable<InviteRecord['spent']>,
): InviteRecord[] {
  return invites.map((one) =>
    one.cluster === cluster && one.node === node && one.spent === null ? { ...one, spent } : one,
  )
}

/** Makes room for one more; what is open stays. */
function forgetOldest(invites: readonly InviteRecord[], moment: Moment): InviteRecord[] {
  let surplus = invites.length - (mostInvites - 1)
  return invites.filter((one) => {
    const isOpen = one.spent === null && one.bootId === moment.bootId && moment.atMs < one.endsAtMs
    if (isOpen || surplus <= 0) return true
    surplus -= 1
    return false
  })
}

function refuseSpent({ how, at }: NonNullable<InviteRecord['spent']>, key: NodeKey): Refused<RedeemRefusal> {
  switch (how) {
    case 'used':
      return refuse(
        'used',
        `this invite was used already, at ${at}. If that was not you, somebody else has the line: run "witnessctl remove --cluster ${key.cluster} --node ${key.node}" at once. Otherwise: ${makeAnother(key)}`,
      )
    case 'replaced':
      return refuse('replaced', `a newer invite was made for this node at ${at}: use that line`)
    case 'withdrawn':
      return refuse(
        'withdrawn',
        `this node was removed at ${at}, which ended its invite: ${makeAnother(key)}`,
      )
  }
}

function refuseUnknown({ cluster, node }: NodeKey): Refused<'unknown'> {
  return refuse(
    'unknown',
    `${cluster}/${node} was never enrolled here: "witnessctl nodes" lists those that were`,
  )
}

function makeAnother({ cluster, node }: NodeKey): string {
  return `make an invite with "witnessctl invite --cluster ${cluster} --node ${node}" at the witness`
}

function refuse<Reason extends string>(reason: Reason, text: string): Refused<Reason> {
  return { kind: 'refused', reason, text }
}
