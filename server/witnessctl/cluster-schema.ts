/** What the witness answers, parsed as anything that comes over a network (server/core/status/cluster-view.ts has the meanings). */
import { z } from 'zod'
import { drillRoles, guardPhases, keepalivedStates, processStates } from '../../shared/protocol/report.ts'
import { situations } from '../core/status/cluster-view.ts'
import type { ClusterView, EventView } from '../../shared/protocol/view.ts'

const level = z.enum(['info', 'warning', 'critical'])

const nodeInstance = z.object({
  instance: z.string(),
  keepalived: z.enum(keepalivedStates),
  process: z.enum(processStates),
  vips: z.enum(['held', 'gone']),
  phase: z.enum(guardPhases),
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
  priority: z.number(),
  epoch: z.number(),
  checkSilentMs: z.number().nullable(),
  peerSilentMs: z.number().nullable(),
  fence: z
    .object({
      number: z.number(),
      reason: z.string(),
      result: z.enum(['running', 'proved', 'failed']),
      rung: z.enum(['bar', 'stop', 'kill', 'last-resort']),
      tookMs: z.number(),
    })
    .nullable(),
})

const rungs = z.array(
  z.object({
    rung: z.enum(['bar', 'stop', 'kill', 'last-resort']),
    proved: z.boolean(),
    tookMs: z.number(),
  }),
)
const drill = z.object({
  at: z.string(),
  instances: z.array(
    z.object({
      instance: z.string(),
      role: z.enum(drillRoles),
      rungs,
      backMs: z.number().nullable(),
    }),
  ),
})

export const clusterSchema: z.ZodType<ClusterView> = z.object({
  cluster: z.string(),
  verdict: z.object({ level: z.enum(['ok', 'warning', 'critical']), text: z.string() }),
  instances: z.array(
    z.object({
      instance: z.string(),
      vips: z.array(z.string()),
      situation: z.enum(situations),
      text: z.string(),
      holder: z.string().nullable(),
      epoch: z.number(),
      promiseLeftMs: z.number().nullable(),
    }),
  ),
  nodes: z.array(
    z.object({
      node: z.string(),
      address: z.string(),
      connected: z.boolean(),
      mode: z.enum(['enforce', 'observe']).nullable(),
      software: z.string().nullable(),
      heartbeatAgeMs: z.number().nullable(),
      icmp: z.object({ roundTripMs: z.number().nullable(), lossPercent: z.number().nullable() }),
      instances: z.array(nodeInstance),
      warnings: z.array(z.string()),
      lastDrill: drill.nullable(),
    }),
  ),
  refusedMessages: z.record(z.string(), z.number()),
})

const eventSchema: z.ZodType<EventView> = z.object({
  id: z.number(),
  at: z.string(),
  cluster: z.string(),
  event: z.string(),
  level,
  instance: z.string().nullable(),
  node: z.string().nullable(),
  text: z.string(),
  evidence: z.record(z.string(), z.unknown()),
  decision: z.string().nullable(),
})

export const eventsSchema = z.object({ events: z.array(eventSchema) })
/** A drill has begun. */
export const drillBegunSchema = z.object({
  node: z.string(),
  steps: z.array(z.object({ instance: z.string(), role: z.enum(drillRoles) })),
  /** The newest event before it. */
  afterEvent: z.number(),
})
export type DrillBegun = z.infer<typeof drillBegunSchema>

/** What an event of a drill's end has as evidence. */
export const drillEndsSchema = z.object({
  ends: z.array(
    z.object({
      instance: z.string(),
      role: z.enum(drillRoles),
      rungs,
      backMs: z.number().nullable(),
      takenBy: z.string().nullable(),
      takeoverMs: z.number().nullable(),
    }),
  ),
})

export const clusterListSchema = z.object({
  version: z.string(),
  clusters: z.array(z.object({ cluster: z.string() })),
  refused: z.record(z.string(), z.number()),
})
