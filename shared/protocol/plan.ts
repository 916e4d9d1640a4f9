/**
 * The plan that the witness sends to its agents (members and timing), and the profile that an agent reads from
 * keepalived.conf for each instance.
 */
import { z } from 'zod'
import {
  agentAddress,
  clusterName,
  generationSchema,
  instanceName,
  maxNodes,
  maxVipsTold,
  nodeName,
} from './names.ts'

const timing = z.object({
  renewMs: z.number().int().min(20).max(60_000),
  leaseMs: z.number().int().min(100).max(600_000),
  releaseMs: z.number().int().min(10).max(60_000),
  grainMs: z.number().int().min(1).max(10_000),
  checkMs: z.number().int().min(1000).max(60_000),
  reserveMs: z.number().int().min(100).max(600_000),
  claimMs: z.number().int().min(5).max(10_000),
  handoverMs: z.number().int().min(5).max(10_000),
  driftPpm: z.number().int().min(0).max(100_000),
  gate: z.enum(['open', 'strict']).default('open'),
  /** A plan from an earlier version does not have it. */
  delegateAfterMs: z.number().int().min(0).max(86_400_000).default(300_000),
})

export const timingSchema = timing

export const memberSchema = z.object({
  name: nodeName,
  /** Where its agent listens for its peer. */
  address: agentAddress,
  port: z.number().int().min(1).max(65_535),
  /**
   * Certificates of this node with a lower generation are not accepted. A plan from an earlier version does not have
   * this field.
   */
  leastGeneration: generationSchema.default(1),
})

export type Member = z.infer<typeof memberSchema>

/** What the witness sends to the agents of a cluster. Each keeps the last plan on disk. */
export const planSchema = z.object({
  cluster: clusterName,
  timing,
  nodes: z.array(memberSchema).max(maxNodes),
})

export type Plan = z.infer<typeof planSchema>

/** The settings of an instance in keepalived.conf. */
export const profileSchema = z.object({
  instance: instanceName,
  virtualRouterId: z.number().int().min(0).max(255),
  interface: z.string().max(32),
  version: z.union([z.literal(2), z.literal(3)]),
  priority: z.number().int().min(1).max(255),
  nopreempt: z.boolean(),
  advertIntMs: z.number().min(10).max(255_000),
  /** How many adverts keepalived misses before it promotes itself; absent: 3. */
  downTimerAdverts: z.number().int().min(1).max(100).optional(),
  /**
   * Something that is tracked has a weight, so keepalived may run with another priority; absent: nothing has. `told`:
   * keepalived writes each change into the FIFO (`vrrp_notify_priority_changes`).
   */
  weights: z.enum(['told', 'untold']).optional(),
  vips: z.array(z.string().max(64)).max(maxVipsTold),
  /** What only the comparison of the two nodes needs; absent: an earlier version, which does not say it. */
  compared: z
    .object({
      /** The state of the file, which nopreempt and the first seconds depend on. */
      state: z.enum(['MASTER', 'BACKUP']),
      auth: z.enum(['none', 'PASS', 'AH']),
      /** Null: multicast. */
      unicast: z
        .object({ source: z.string().max(64).nullable(), peers: z.array(z.string().max(64)).max(16) })
        .nullable(),
    })
    .optional(),
  /** To the peer only: proves which password this node has (agent/voters/auth-proof.ts); absent: there is none. */
  authProof: z.string().length(64).optional(),
  /** To the witness only: the peer has proved another password than this node has; absent: it has not. */
  authDiffers: z.literal(true).optional(),
})

export type Profile = z.infer<typeof profileSchema>
