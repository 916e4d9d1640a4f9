/**
 * The record of enrolment: nodes, the generations of their certificates, and invites, with the questions and refusals
 * that invites.ts and admission.ts share. Pure; server/registry/registry.ts keeps the record on disk and supplies
 * clocks and secrets.
 *
 * A generation never decreases. A node's entry stays when the node is removed, so that no certificate from before the
 * removal is accepted when the node is enrolled again.
 */
import { maxNodes } from '../../../shared/protocol/names.ts'
import type { Member } from '../../../shared/protocol/plan.ts'

/** How long an invite is valid, on the witness's boot clock. */
export const inviteMs = 15 * 60_000

/** Includes used and ended invites, which are kept so that a refusal can give its reason. */
export const mostInvites = 100

/** Includes removed nodes. */
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
  /** Of the newest certificate that was signed. It may not be in use yet, and may never be. */
  readonly generation: number
  /** Certificates with a lower generation are refused. */
  readonly leastGeneration: number
  /** The admin wants the node to use a certificate with a higher generation than this; null: no such wish. */
  readonly rotateAbove: number | null
  /** Wall clock, for people. */
  readonly enrolledAt: string
  readonly renewedAt: string
  readonly removed: boolean
}

/** Why an invite is no longer valid, unless it expired. */
export const waysToSpend = ['used', 'replaced', 'withdrawn'] as const

export interface InviteRecord {
  /** SHA-256, hex. */
  readonly secretHash: string
  readonly cluster: string
  readonly node: string
  /** The boot of the witness's host that `endsAtMs` counts from. */
  readonly bootId: string
  readonly endsAtMs: number
  /** Null: it is open or has expired. */
  readonly spent: { readonly how: (typeof waysToSpend)[number]; readonly at: string } | null
}

/** Two nodes of one plan of which one was removed, and which may still serve without the witness (former-pairs.ts). */
export interface FormerPair {
  readonly cluster: string
  readonly removed: string
  /** The other node of that plan. It may have been removed since. */
  readonly other: string
}

export interface Enrolment {
  /** The first generation of a node that is not known yet: above any that a lost registry may have issued. */
  readonly firstGeneration: number
  /** When the previous registry was lost; since then, a node with a certificate is accepted as it is. Null: never. */
  readonly lostAt: string | null
  readonly entries: readonly Entry[]
  readonly invites: readonly InviteRecord[]
  /** Absent: none. */
  readonly formerPairs?: readonly FormerPair[] | undefined
}

export const nobodyEnrolled: Enrolment = { firstGeneration: 1, lostAt: null, entries: [], invites: [] }

const minuteMs = 60_000
/** Far below the highest possible generation, whatever the wall clock says. */
const mostFirstGeneration = 900_000_000

/**
 * After a loss, generations start above all that were issued, because minutes since 1970 grow faster than any node
 * renews.
 */
export function firstEnrolment({ kind }: { readonly kind: 'new' | 'valid' | 'lost' }, now: Date): Enrolment {
  if (kind !== 'lost') return nobodyEnrolled
  const minutes = Math.floor(now.getTime() / minuteMs)
  return {
    ...nobodyEnrolled,
    firstGeneration: Math.min(Math.max(minutes, 1), mostFirstGeneration),
    lostAt: now.toISOString(),
  }
}

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
  | 'pair-may-serve'

export type RedeemOutcome =
  | { readonly kind: 'done'; readonly enrolment: Enrolment; readonly generation: number }
  | Refused<RedeemRefusal>

export type Admission = { readonly kind: 'ok' } | Refused<'unknown' | 'removed' | 'superseded'>

export type RenewOutcome =
  | { readonly kind: 'done'; readonly enrolment: Enrolment; readonly generation: number }
  | Refused<'unknown' | 'removed' | 'superseded'>

export type ChangeOutcome =
  { readonly kind: 'done'; readonly enrolment: Enrolment } | Refused<'unknown' | 'removed'>

/** The nodes of the cluster, in the order in which they were first enrolled. */
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
      `this witness has reached its limit of ${mostEntries} nodes (removed nodes count too); use another witness`,
    )
  const others = entries.filter((entry) => entry.cluster === cluster && entry.node !== node && !entry.removed)
  if (others.length < maxNodes) return null
  const names = others.map((entry) => entry.node)
  return refuse(
    'cluster-full',
    `${cluster} already has ${names.join(' and ')}, and a cluster can have at most ${maxNodes} nodes; remove one with "witnessctl remove --cluster ${cluster} --node ${names[0] ?? ''}"`,
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
  return `create an invite with "witnessctl invite --cluster ${cluster} --node ${node}" on the witness host`
}

export function refuse<Reason extends string>(reason: Reason, text: string): Refused<Reason> {
  return { kind: 'refused', reason, text }
}
