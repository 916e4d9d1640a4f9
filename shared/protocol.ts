/**
 * What agents, witness and check say to each other. Parsed here at the edge, trusted inside.
 * docs/ARCHITECTURE.md ("One heartbeat") draws who sends what when.
 */
import { z } from 'zod'

export const protocolVersion = 1
/** The largest message either side accepts, in bytes. */
export const maxMessageBytes = 64 * 1024
/** The most nodes of one cluster: a pair; more is later work. */
export const maxNodes = 2
/** The most vrrp_instances of one cluster. */
export const maxInstances = 32

/** The most certificates of one node. */
export const mostGenerations = 1_000_000_000

/** The witness as a voter; no node may have this name. */
export const witness = 'witness'

/** Names are keys of objects, on disk and in memory: one that every object has already would be found where it is not. */
function isNoPropertyOfAll(text: string): boolean {
  return !(text in Object.prototype)
}
const propertyOfAll = 'a word with a meaning of its own in JavaScript: choose another name'

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, 'letters, digits, "_", "." and "-" only, at most 63')
  .refine(isNoPropertyOfAll, propertyOfAll)
export const clusterName = name
export const nodeName = name.refine((text) => text !== witness, `"${witness}" is the witness's own name`)
/** As in keepalived.conf; it also names files under the run folder. */
export const instanceName = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,62}$/, 'letters, digits and "_.:@-" only, at most 63')
  .refine(isNoPropertyOfAll, propertyOfAll)

export type NodeName = string
/** A node's name, or `witness`. */
export type VoterName = string
/** Number of an ownership: grows at each change of holder, never goes back. */
export type Epoch = number

const epoch = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
export const epochSchema = epoch
const bootIdLength = '8 to 64 characters are expected'
export const bootId = z.string().min(8, bootIdLength).max(64, bootIdLength)
const durationMs = z.number().min(0).max(1e12)
const text = z.string().max(500)

/** keepalived's own words; UNKNOWN until the first evidence. */
export const keepalivedStates = ['UNKNOWN', 'INIT', 'BACKUP', 'MASTER', 'FAULT', 'STOP'] as const
export type KeepalivedState = (typeof keepalivedStates)[number]
/** keepalived's processes: `frozen` is stopped by SIGSTOP or a debugger, `absent` is not there. */
export const processStates = ['running', 'frozen', 'absent'] as const
export type ProcessState = (typeof processStates)[number]
/** Whether the kernel has any VIP of the instance. */
export type VipState = 'held' | 'gone'

const timing = z.strictObject({
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
})
export const timingSchema = timing

/** How often a node was given a certificate: part of its identity. */
export const generationSchema = z.number().int().min(1).max(mostGenerations)

/** Whether it stands for a host in a URL, which is what the peer makes of it. */
function isHost(text: string): boolean {
  const host = text.includes(':') ? `[${text}]` : text
  return /^[\w.:-]+$/.test(text) && URL.canParse(`https://${host}:7401`)
}

/**
 * Where a node's agent is reached. One node says it, and it goes to the witness's disk and into its peer's plan: what is no
 * address must not get that far.
 */
export const agentAddress = z
  .string()
  .max(253)
  .refine(isHost, 'an IP address (without a zone) or a host name is expected, and no port')

export const memberSchema = z.strictObject({
  name: nodeName,
  /** Where its agent listens for its peer. */
  address: agentAddress,
  port: z.number().int().min(1).max(65_535),
  /** Certificates of this node with a lower generation are worth nothing. A plan of an earlier version has none. */
  leastGeneration: generationSchema.default(1),
})
export type Member = z.infer<typeof memberSchema>

/** What the witness hands to the agents of a cluster; each keeps the last copy on disk. */
export const planSchema = z.strictObject({
  cluster: clusterName,
  timing,
  nodes: z.array(memberSchema).max(maxNodes),
})
export type Plan = z.infer<typeof planSchema>

/** What keepalived.conf says of an instance. */
export const profileSchema = z.strictObject({
  instance: instanceName,
  virtualRouterId: z.number().int().min(0).max(255),
  interface: z.string().max(32),
  version: z.union([z.literal(2), z.literal(3)]),
  priority: z.number().int().min(1).max(255),
  nopreempt: z.boolean(),
  advertIntMs: z.number().min(10).max(255_000),
  vips: z.array(z.string().max(64)).max(64),
})
export type Profile = z.infer<typeof profileSchema>

/** First message of a connection, and again when keepalived.conf changed. */
const helloSchema = z.strictObject({
  type: z.literal('hello'),
  protocol: z.literal(protocolVersion),
  cluster: clusterName,
  node: nodeName,
  /** Which start of the agent, under a name that only this voter knows it by. */
  incarnation: z.string().min(8).max(64),
  bootId,
  software: text,
  /** Where the peer reaches this agent's listener. */
  listener: z.strictObject({
    address: agentAddress.nullable(),
    port: z.number().int().min(1).max(65_535),
  }),
  mode: z.enum(['enforce', 'observe']),
  profiles: z.array(profileSchema).max(maxInstances),
})
export type Hello = z.infer<typeof helloSchema>

const fenceReport = z.strictObject({
  number: z.number().int().min(1),
  reason: text,
  result: z.enum(['running', 'proved', 'failed']),
  rung: z.enum(['bar', 'stop', 'kill', 'last-resort']),
  tookMs: durationMs,
})
/** `proved` only with the VIP absent from the kernel and keepalived in FAULT or gone. */
export type FenceReport = z.infer<typeof fenceReport>

/** The phases of a node's guard (agent/guard.ts), as the operator sees them. */
export const guardPhases = [
  'standby',
  'probation',
  'barred',
  'gated',
  'applying',
  'entitled',
  'claiming',
  'holding',
  'unprotected',
  'overruled',
  'fencing',
  'fenced',
  'rejoining',
  'drilling',
] as const
export type GuardPhase = (typeof guardPhases)[number]

const leftVote = z.discriminatedUnion('kind', [
  /** The node goes, and its vote stands with that node from now on. */
  z.strictObject({ kind: z.literal('leaving'), to: nodeName, epoch }),
  /** The node is back, and votes again when that node hands the vote back. */
  z.strictObject({ kind: z.literal('returning'), to: nodeName, epoch }),
  /** Its state file is lost: only the peer knows. */
  z.strictObject({ kind: z.literal('unknown') }),
])
export type LeftVote = z.infer<typeof leftVote>

const report = z.strictObject({
  instance: instanceName,
  phase: z.enum(guardPhases),
  /** Why the node is in this phase, in plain words. */
  why: text,
  keepalived: z.enum(keepalivedStates),
  process: z.enum(processStates),
  vips: z.enum(['held', 'gone']),
  priority: z.number().int().min(0).max(255),
  nopreempt: z.boolean(),
  /** Asks for this voter's vote, under this epoch. */
  ask: z.strictObject({ epoch }).nullable(),
  /** The node gives back any vote it has: no VIP in the kernel, keepalived not MASTER, both verified. */
  release: z.boolean(),
  /** The highest epoch that this node knows of. */
  epoch,
  /** The highest epoch that the witness granted to this node, as far as it remembers: shows a rolled-back ledger. */
  witnessEpoch: epoch,
  /** Milliseconds since this node heard its peer's agent; null: never. */
  peerSilentMs: durationMs.nullable(),
  /** Milliseconds since keepalived ran the check; null: never. */
  checkSilentMs: durationMs.nullable(),
  gateway: z.enum(['reachable', 'unreachable', 'unknown']),
  fence: fenceReport.nullable(),
  warnings: z.array(text).max(8),
  /** This node's vote is not its own to give; absent: it is. */
  left: leftVote.optional(),
  /** Under which epoch this node keeps the vote that its peer left here; absent: it surely keeps none. */
  keepsVote: epoch.optional(),
})
export type Report = z.infer<typeof report>

/** The heartbeat: every renewMs and at every change, to every voter. */
export const beatSchema = z.strictObject({
  type: z.literal('beat'),
  /** Grows by at least one with each beat of an incarnation. */
  seq: z.number().int().min(1),
  /** `atMs` of the last answer that came on this connection: proves that the beat is newer than that answer. */
  echoMs: z.number().nullable(),
  /** T_h of this node: a voter refuses when its own promise would not outlive it. */
  leaseMs: z.number().int().min(1),
  reports: z.array(report).max(maxInstances),
})
export type Beat = z.infer<typeof beatSchema>

/** Something an operator should read at the witness: a decision of the agent, with its reason. */
const tellSchema = z.strictObject({
  type: z.literal('tell'),
  instance: instanceName.nullable(),
  event: z.string().max(64),
  level: z.enum(['info', 'warning', 'critical']),
  text,
})
export type Tell = z.infer<typeof tellSchema>

/** Whose fence is drilled: `standby`: the whole ladder, keepalived comes back; `holder`: the VIP moves to the other node. */
export const drillRoles = ['standby', 'holder'] as const
export type DrillRole = (typeof drillRoles)[number]

const drilledSchema = z.strictObject({
  type: z.literal('drilled'),
  instance: instanceName,
  role: z.enum(drillRoles),
  /** `passed` only where each rung was proved and keepalived came back; `refused`: nothing was done. */
  result: z.enum(['passed', 'failed', 'refused']),
  /** In their order, those that were tried. */
  rungs: z
    .array(
      z.strictObject({
        rung: z.enum(['bar', 'stop', 'kill', 'last-resort']),
        proved: z.boolean(),
        /** From the rung's beginning until its proof, or until it was given up. */
        tookMs: durationMs,
      }),
    )
    .max(4),
  /** From the last proof until keepalived took part again; null: it did not, or nothing was done. */
  backMs: durationMs.nullable(),
  /** What came of it, in plain words. */
  text,
})
/** How a drill ended: said to the witness, which keeps it. */
export type Drilled = z.infer<typeof drilledSchema>

const fromAgentSchema = z.discriminatedUnion('type', [helloSchema, beatSchema, tellSchema, drilledSchema])
export type FromAgent = z.infer<typeof fromAgentSchema>

/** Why a voter does not give its vote. */
export const refusalReasons = [
  'promised', // to a live holder
  'recording', // a promise to the other is on its way to the disk
  'waiting', // the voter restarted or lost its ledger: what it promised before may still be in use
  'stale-epoch', // ask again with a higher epoch
  'lease-too-long', // the candidate's leaseMs is longer than this voter's promises
  'ledger', // the promise cannot be written
  'conflict', // two live nodes with this name
  'yielding', // the voter is MASTER itself, gives way now, and votes once its VIP is gone
  'outranked', // another candidate of the same moment is preferred
] as const
export type RefusalReason = (typeof refusalReasons)[number]

const verdict = z.strictObject({
  instance: instanceName,
  vote: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('none') }),
    z.strictObject({ kind: z.literal('granted'), epoch }),
    z.strictObject({ kind: z.literal('pending'), epoch }),
    z.strictObject({ kind: z.literal('refused'), reason: z.enum(refusalReasons), text }),
  ]),
  /** To whom this voter's vote is promised now. */
  holder: nodeName.nullable(),
  /** Milliseconds since the holder's last renewal here. */
  renewedAgoMs: durationMs.nullable(),
  /** The highest epoch that this voter knows of. */
  epoch,
  /** Hands back the vote that was left here under that epoch: this voter's node counts on it no more. */
  returnsVote: epoch.optional(),
  /** The vote that was left here under that epoch is on this voter's disk, and counts. */
  countsVote: epoch.optional(),
})
export type Verdict = z.infer<typeof verdict>
export type Vote = Verdict['vote']

const welcomeSchema = z.strictObject({
  type: z.literal('welcome'),
  protocol: z.literal(protocolVersion),
  voter: name,
  /** From the witness only. */
  plan: planSchema.nullable(),
})
export type Welcome = z.infer<typeof welcomeSchema>

const answerSchema = z.strictObject({
  type: z.literal('answer'),
  /** Of the beat that is answered. A pending vote is answered a second time when it is decided. */
  seq: z.number().int().min(1),
  /** The voter's clock, to be echoed. */
  atMs: z.number(),
  verdicts: z.array(verdict).max(maxInstances),
})
export type Answer = z.infer<typeof answerSchema>

/**
 * `fence`: another node has the lease. `announce`: send gratuitous ARP. `yield`: the holder, whose way out is lost, lets
 * go for a node that has one. `drill`: a standby proves its fence and comes back. `drill-holder`: the holder proves its
 * own by letting go for the other node.
 */
export const orderedActions = ['fence', 'announce', 'yield', 'drill', 'drill-holder'] as const
export type OrderedAction = (typeof orderedActions)[number]

/** The witness tells a node what to do now; it obeys only where it has no lease of its own that says otherwise. */
const orderSchema = z.strictObject({
  type: z.literal('order'),
  instance: instanceName,
  what: z.enum(orderedActions),
  epoch,
  reason: text,
})
export type Order = z.infer<typeof orderSchema>

const planMessageSchema = z.strictObject({ type: z.literal('plan'), plan: planSchema })

/**
 * From the witness only: this node shall make a new key and have it signed, when it finds the time. The certificate that
 * it has stays good until the next one is in use.
 */
const renewSchema = z.strictObject({ type: z.literal('renew') })

/**
 * Another start of this node's agent has taken the place of the one that said hello: nothing counts that this one says. An
 * agent that lives says hello again as a new start; what was said long ago cannot.
 */
const supersededSchema = z.strictObject({ type: z.literal('superseded') })
export type Superseded = z.infer<typeof supersededSchema>

const fromVoterSchema = z.discriminatedUnion('type', [
  welcomeSchema,
  answerSchema,
  orderSchema,
  planMessageSchema,
  renewSchema,
  supersededSchema,
])
export type FromVoter = z.infer<typeof fromVoterSchema>

/** A message that is not of the protocol; the connection that brought it is closed. */
export class ProtocolError extends Error {
  readonly code = 'protocol'
}

const longestComplaint = 200

function parse<T>(schema: z.ZodType<T>, data: string): T {
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch (cause) {
    throw new ProtocolError('not JSON', { cause })
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const text = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}`
  // It may repeat a key that a stranger chose, and goes to the log.
  throw new ProtocolError(text.slice(0, longestComplaint))
}

/** @throws ProtocolError */
export function parseFromAgent(data: string): FromAgent {
  return parse(fromAgentSchema, data)
}

/** @throws ProtocolError */
export function parseFromVoter(data: string): FromVoter {
  return parse(fromVoterSchema, data)
}
