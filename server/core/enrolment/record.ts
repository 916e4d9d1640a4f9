/**
 * The record of enrolment: nodes, the generations of their certificates, and invites, with the questions and refusals
 * that invites.ts and admission.ts share. Pure; server/registry/registry.ts keeps the record on disk and supplies
 * clocks and secrets.
 *
 * A generation never decreases. A node's entry stays when the node is removed, so that no certificate from before the
 * removal is accepted when the node is enrolled again.
 */
import { z } from 'zod'
import {
  agentAddress,
  clusterName,
  generationSchema,
  maxNodes,
  nodeName,
} from '../../../shared/protocol/names.ts'
import { type Member, memberSchema } from '../../../shared/protocol/plan.ts'

/** How long an invite is valid, on the witness's boot clock. */
export const inviteMs = 15 * 60_000

/** Includes used and ended invites, which are kept so that a refusal can give its reason. */
export const mostInvites = 100

/** Includes removed nodes. */
export const mostEntries = 4096

const wallTime = z.string().max(40)

const entrySchema = z.strictObject({
  cluster: clusterName,
  node: nodeName,
  /** Where the peer's agent reaches this node's. */
  address: agentAddress,
  port: memberSchema.shape.port,
  /** Of the newest certificate that was signed. It may not be in use yet, and may never be. */
  generation: generationSchema,
  /** Certificates with a lower generation are refused. */
  leastGeneration: generationSchema,
  /** The admin wants the node to use a certificate with a higher generation than this; null: no such wish. */
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
  /** Why it is no longer valid; null: it is open or has expired. */
  spent: z.strictObject({ how: z.enum(['used', 'replaced', 'withdrawn']), at: wallTime }).nullable(),
})

export type InviteRecord = z.infer<typeof inviteSchema>

export const enrolmentSchema = z.strictObject({
  /** The first generation of a node that is not known yet: above any that a lost registry may have issued. */
  firstGeneration: generationSchema,
  /** When the previous registry was lost; since then, a node with a certificate is accepted as it is. Null: never. */
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
