/**
 * Who is enrolled, and who may still be: the record of nodes, the generations of their certificates, and invites. State
 * in, state out; server/registry/registry.ts keeps it on disk and brings clocks and secrets.
 *
 * A generation never goes back: a node's entry stays when the node is removed, and no certificate from before its removal
 * is good again when it is enrolled anew.
 */
import { maxNodes } from '../../../shared/protocol/names.ts'
import type { Member } from '../../../shared/protocol/plan.ts'

/** How long an invite is good, on the witness's boot clock. */
export const inviteMs = 15 * 60_000

/** Used and ended ones among them, so that the reason can be told. */
export const mostInvites = 100

/** Removed ones among them. */
export const mostEntries = 4096

export interface NodeKey {
  readonly cluster: string
  readonly node: string
}

/** What a node's certificate says of it. */
export interface NodeGeneration extends NodeKey {
  readonly generation: number
}

export interface Entry {
  readonly cluster: string
  readonly node: string
  /** Where the peer's agent reaches this node's. */
  readonly address: string
  readonly port: number
  /** Of the newest certificate that was signed; it may not be in use yet, or never come to be. */
  readonly generation: number
  /** Certificates with a lower one are refused. */
  readonly leastGeneration: number
  /** The admin wants a certificate above this one in use; null: no wish. */
  readonly rotateAbove: number | null
  /** Wall clock, for people. */
  readonly enrolledAt: string
  readonly renewedAt: string
  readonly removed: boolean
}

/** Why an invite is no longer good, unless it expired. */
export const waysToSpend = ['used', 'replaced', 'withdrawn'] as const

export interface InviteRecord {
  /** SHA-256, hex. */
  readonly secretHash: string
  readonly cluster: string
  readonly node: string
  /** The boot of the witness's host that `endsAtMs` counts from. */
  readonly bootId: string
  readonly endsAtMs: number
  /** Null: open, or expired. */
  readonly spent: { readonly how: (typeof waysToSpend)[number]; readonly at: string } | null
}

export interface Enrolment {
  /** Of a node that is not known yet: above any that a lost registry may have given away. */
  readonly firstGeneration: number
  /** The registry before this one was lost at this time: nodes that bring a certificate are taken as they are. */
  readonly lostAt: string | null
  readonly entries: readonly Entry[]
  readonly invites: readonly InviteRecord[]
}

export const nobodyEnrolled: Enrolment = { firstGeneration: 1, lostAt: null, entries: [], invites: [] }

/** Both clocks of one moment. */
export interface Moment {
  readonly bootId: string
  /** Boot clock. */
  readonly atMs: number
  /** Wall clock, ISO 8601. */
  readonly at: string
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

/** In the order in which they were enrolled first. */
export function membersOf(enrolment: Enrolment, cluster: string): readonly Member[] {
  return enrolment.entries
    .filter((entry) => entry.cluster === cluster && !entry.removed)
    .map(({ node, address, port, leastGeneration }) => ({ name: node, address, port, leastGeneration }))
}

export function entryOf(enrolment: Enrolment, { cluster, node }: NodeKey): Entry | null {
  return enrolment.entries.find((entry) => entry.cluster === cluster && entry.node === node) ?? null
}

export function nextGeneration({ firstGeneration }: Enrolment, known: Entry | null): number {
  return Math.max(firstGeneration, known === null ? 1 : known.generation + 1)
}

export function whyNoRoom(
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

export function withEntry(enrolment: Enrolment, entry: Entry): Enrolment {
  const { cluster, node } = entry
  const isKnown = entryOf(enrolment, { cluster, node }) !== null
  const entries = isKnown
    ? enrolment.entries.map((one) => (one.cluster === cluster && one.node === node ? entry : one))
    : [...enrolment.entries, entry]
  return { ...enrolment, entries }
}

export function makeAnother({ cluster, node }: NodeKey): string {
  return `make an invite with "witnessctl invite --cluster ${cluster} --node ${node}" at the witness`
}

export function refuse<Reason extends string>(reason: Reason, text: string): Refused<Reason> {
  return { kind: 'refused', reason, text }
}
