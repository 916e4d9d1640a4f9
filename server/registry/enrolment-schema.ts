/** The registry's file, parsed at the edge; server/core/enrolment/record.ts has the meanings. */
import { z } from 'zod'
import { agentAddress, clusterName, generationSchema, nodeName } from '../../shared/protocol/names.ts'
import { memberSchema } from '../../shared/protocol/plan.ts'
import {
  type Enrolment,
  type Entry,
  type FormerPair,
  type InviteRecord,
  mostEntries,
  mostInvites,
  waysToSpend,
} from '../core/enrolment/record.ts'
import { mostFormerPairs } from '../core/enrolment/former-pairs.ts'

const wallTime = z.string().max(40)

const entrySchema: z.ZodType<Entry> = z.strictObject({
  cluster: clusterName,
  node: nodeName,
  address: agentAddress,
  port: memberSchema.shape.port,
  generation: generationSchema,
  leastGeneration: generationSchema,
  rotateAbove: generationSchema.nullable(),
  enrolledAt: wallTime,
  renewedAt: wallTime,
  removed: z.boolean(),
})

const inviteSchema: z.ZodType<InviteRecord> = z.strictObject({
  secretHash: z.string().regex(/^[0-9a-f]{64}$/),
  cluster: clusterName,
  node: nodeName,
  bootId: z.string().max(64),
  endsAtMs: z.number(),
  spent: z.strictObject({ how: z.enum(waysToSpend), at: wallTime }).nullable(),
})

const formerPairSchema: z.ZodType<FormerPair> = z.strictObject({
  cluster: clusterName,
  removed: nodeName,
  other: nodeName,
})

export const enrolmentSchema: z.ZodType<Enrolment> = z.strictObject({
  firstGeneration: generationSchema,
  lostAt: wallTime.nullable(),
  entries: z.array(entrySchema).max(mostEntries),
  invites: z.array(inviteSchema).max(mostInvites),
  formerPairs: z.array(formerPairSchema).max(mostFormerPairs).optional(),
})
