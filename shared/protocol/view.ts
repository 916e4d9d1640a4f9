/**
 * What the witness's API answers, for `witnessctl`, `witness-agent doctor` and other programs. One schema says both what
 * the witness builds and what a reader accepts; readers ignore fields that they do not know.
 */
import { z } from 'zod'
import { drillRoles, guardPhases, keepalivedStates, processStates } from './report.ts'

export const situations = [
  'normal',
  'no-master',
  'dual-master',
  'agent-down',
  'host-down',
  'contested',
  'id-conflict',
  'starting',
] as const
export type Situation = (typeof situations)[number]

const rung = z.enum(['bar', 'stop', 'kill', 'last-resort'])
const rungs = z.array(z.object({ rung, proved: z.boolean(), tookMs: z.number() }).readonly()).readonly()

const nodeInstanceSchema = z
  .object({
    instance: z.string(),
    /** What this node calls it; absent: the same. */
    localName: z.string().optional(),
    keepalived: z.enum(keepalivedStates),
    process: z.enum(processStates),
    vips: z.enum(['held', 'gone']),
    phase: z.enum(guardPhases),
    /** Why the node is in its phase, in plain words, from its agent. */
    why: z.string(),
    allowed: z.enum([
      'holds the lease',
      'may become MASTER',
      'unprotected',
      'barred',
      'fenced',
      'in a drill',
      'unknown',
    ]),
    /** The one that keepalived runs with, weights included. */
    priority: z.number(),
    /** The one in keepalived.conf; absent: the same. */
    configuredPriority: z.number().optional(),
    /** keepalived may run with another one than `priority`, because it has weights and does not tell; absent: no. */
    priorityMayDiffer: z.literal(true).optional(),
    epoch: z.number(),
    checkSilentMs: z.number().nullable(),
    peerSilentMs: z.number().nullable(),
    fence: z
      .object({
        number: z.number(),
        reason: z.string(),
        result: z.enum(['running', 'proved', 'failed']),
        rung,
        tookMs: z.number(),
      })
      .readonly()
      .nullable(),
  })
  .readonly()
export type NodeInstanceView = z.infer<typeof nodeInstanceSchema>

const drillStep = { instance: z.string(), role: z.enum(drillRoles) }
const drillEnd = { ...drillStep, rungs, backMs: z.number().nullable() }

const drillSchema = z
  .object({
    /** RFC 3339, the witness's wall clock. */
    at: z.string(),
    instances: z.array(z.object(drillEnd).readonly()).readonly(),
  })
  .readonly()
/** The last drill of a node that passed. */
export type DrillView = z.infer<typeof drillSchema>

const nodeSchema = z
  .object({
    node: z.string(),
    address: z.string(),
    connected: z.boolean(),
    mode: z.enum(['enforce', 'observe']).nullable(),
    software: z.string().nullable(),
    /** Milliseconds since its last heartbeat; null: none since the witness started. */
    heartbeatAgeMs: z.number().nullable(),
    icmp: z.object({ roundTripMs: z.number().nullable(), lossPercent: z.number().nullable() }).readonly(),
    instances: z.array(nodeInstanceSchema).readonly(),
    warnings: z.array(z.string()).readonly(),
    /** Null: none is known. */
    lastDrill: drillSchema.nullable(),
  })
  .readonly()
export type NodeView = z.infer<typeof nodeSchema>

const instanceSchema = z
  .object({
    instance: z.string(),
    /** What each node calls it; absent: all the same. */
    names: z.record(z.string(), z.string()).readonly().optional(),
    vips: z.array(z.string()).readonly(),
    situation: z.enum(situations),
    /** One sentence that an operator understands. */
    text: z.string(),
    holder: z.string().nullable(),
    epoch: z.number(),
    /** How long the witness keeps its vote for the holder. */
    promiseLeftMs: z.number().nullable(),
  })
  .readonly()
export type InstanceView = z.infer<typeof instanceSchema>

/** What the admins of the nodes call it. */
export function labelOf({ instance, names }: Pick<InstanceView, 'instance' | 'names'>): string {
  if (names === undefined) return instance
  return Object.entries(names)
    .map(([node, name]) => `${name} on ${node}`)
    .join(' and ')
}

export const pairFindingCodes = [
  'pair.ambiguous',
  'pair.vrid',
  'pair.vips',
  'pair.version',
  'pair.advert-int',
  'pair.auth',
  'pair.unicast',
  'pair.preempts',
  'pair.state',
  'pair.same-priority',
  'pair.only-one',
  'pair.gateway',
  'pair.mode',
  'pair.software',
] as const

const pairFindingSchema = z
  .object({
    code: z.enum(pairFindingCodes),
    /** `info`: it may be meant so, and it is told once. */
    level: z.enum(['info', 'warning', 'critical']),
    /** Null: it is about the agents. */
    instance: z.string().nullable(),
    /** What differs, with node, instance and both values. */
    text: z.string(),
    remedy: z.string(),
  })
  .readonly()
/** A difference between the configurations of the two nodes. */
export type PairFinding = z.infer<typeof pairFindingSchema>

export const clusterSchema = z
  .object({
    cluster: z.string(),
    verdict: z.object({ level: z.enum(['ok', 'warning', 'critical']), text: z.string() }).readonly(),
    instances: z.array(instanceSchema).readonly(),
    nodes: z.array(nodeSchema).readonly(),
    /** Where the configurations of the two nodes differ; absent: the witness does not compare them yet. */
    pair: z.array(pairFindingSchema).readonly().optional(),
    /** What is wrong with the witness itself; absent: a witness of an earlier version, which does not say it. */
    witnessWarnings: z.array(z.string()).readonly().optional(),
    /** Messages that changed nothing, by reason. */
    refusedMessages: z.record(z.string(), z.number()).readonly(),
  })
  .readonly()
export type ClusterView = z.infer<typeof clusterSchema>

export const eventSchema = z
  .object({
    id: z.number().int().min(1),
    /** RFC 3339, the witness's wall clock. For people; no decision depends on it. */
    at: z.string(),
    cluster: z.string(),
    event: z.string(),
    level: z.enum(['info', 'warning', 'critical']),
    instance: z.string().nullable(),
    node: z.string().nullable(),
    text: z.string(),
    evidence: z.record(z.string(), z.unknown()).readonly(),
    decision: z.string().nullable(),
  })
  .readonly()
/** A kept event, as `/api/v1/clusters/:cluster/events` lists it. */
export type EventView = z.infer<typeof eventSchema>

export const eventsSchema = z.object({ events: z.array(eventSchema) })

/** A drill has begun. */
export const drillBegunSchema = z.object({
  node: z.string(),
  steps: z.array(z.object(drillStep)),
  /** The newest event before it. */
  afterEvent: z.number(),
})
export type DrillBegun = z.infer<typeof drillBegunSchema>

/** What an event of a drill's end has as evidence. */
export const drillEndsSchema = z.object({
  ends: z.array(z.object({ ...drillEnd, takenBy: z.string().nullable(), takeoverMs: z.number().nullable() })),
})

export const clusterListSchema = z.object({
  version: z.string(),
  clusters: z.array(z.object({ cluster: z.string() })),
  refused: z.record(z.string(), z.number()),
})

export const inviteSchema = z.object({
  line: z.string(),
  cluster: z.string(),
  node: z.string(),
  address: z.string(),
  goodForMs: z.number(),
})
export type InviteView = z.infer<typeof inviteSchema>

export const nodeListSchema = z.object({
  nodes: z.array(
    z.object({
      cluster: z.string(),
      node: z.string(),
      address: z.string(),
      port: z.number(),
      generation: z.number(),
      leastGeneration: z.number(),
      rotateAbove: z.number().nullable(),
      enrolledAt: z.string(),
      renewedAt: z.string(),
      removed: z.boolean(),
      connected: z.boolean(),
      /** A node that was removed may still serve the VIP with these, because they do not know it yet. */
      mayServeWith: z.array(z.string()).default([]),
    }),
  ),
  invites: z.array(z.object({ cluster: z.string(), node: z.string(), endsInMs: z.number() })),
  lostAt: z.string().nullable(),
})
export type NodeListView = z.infer<typeof nodeListSchema>
