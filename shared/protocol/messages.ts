/**
 * The messages between agents and witness, and between the two agents. They are parsed here at the edge and trusted
 * inside. docs/reference/messages.md lists every field; docs/architecture.md ("One heartbeat") shows who sends what
 * when.
 *
 * A field that a reader does not know is dropped, because a newer sender may have one more. A field that it knows is
 * checked as ever. So every field that is added must mean nothing to those who drop it (decision 71).
 */
import { z } from 'zod'
import {
  agentAddress,
  bootId,
  clusterName,
  durationMs,
  epoch,
  instanceName,
  maxInstances,
  name,
  nodeName,
  protocolVersion,
  text,
} from './names.ts'
import { planSchema, profileSchema } from './plan.ts'
import { drilledSchema, report } from './report.ts'

/** The first message of a connection, sent again when keepalived.conf has changed. */
const helloSchema = z.object({
  type: z.literal('hello'),
  protocol: z.literal(protocolVersion),
  cluster: clusterName,
  node: nodeName,
  /** Names this instance of the agent (one start of it); each voter gets a different name. */
  incarnation: z.string().min(8).max(64),
  bootId,
  software: text,
  /** Where the peer reaches this agent's listener. */
  listener: z.object({
    address: agentAddress.nullable(),
    port: z.number().int().min(1).max(65_535),
  }),
  mode: z.enum(['enforce', 'observe']),
  profiles: z.array(profileSchema).max(maxInstances),
  /** The gateway of agent.yaml; null: none is set; absent: an earlier version, which does not say it. */
  gateway: z.string().max(253).nullable().optional(),
})

export type Hello = z.infer<typeof helloSchema>

/** The heartbeat, sent to every voter every renewMs and at every change. */
export const beatSchema = z.object({
  type: z.literal('beat'),
  /** Grows by at least one with each beat of an incarnation. */
  seq: z.number().int().min(1),
  /** `atMs` of the last answer that came on this connection: proves that the beat is newer than that answer. */
  echoMs: z.number().nullable(),
  /** T_h of this node: a voter refuses when its own promise would not outlive it. */
  leaseMs: z.number().int().min(1),
  /**
   * To the witness: who belongs to the plan that this agent has on disk (`planMarkOf`); absent: it has none yet, a
   * delegated vote may count under an earlier plan, or an earlier version.
   */
  planKept: z.string().max(200).optional(),
  reports: z.array(report).max(maxInstances),
})

export type Beat = z.infer<typeof beatSchema>

/** An event for the operator, kept by the witness: a decision of the agent with its reason. */
const tellSchema = z.object({
  type: z.literal('tell'),
  instance: instanceName.nullable(),
  event: z.string().max(64),
  level: z.enum(['info', 'warning', 'critical']),
  text,
})

export type Tell = z.infer<typeof tellSchema>

export const fromAgentSchema = z.discriminatedUnion('type', [
  helloSchema,
  beatSchema,
  tellSchema,
  drilledSchema,
])

export type FromAgent = z.infer<typeof fromAgentSchema>

/** Why a voter refuses its vote. */
export const refusalReasons = [
  'promised', // the vote is promised to a live holder
  'recording', // a promise to another node is being written to disk
  'waiting', // the voter restarted or lost its ledger, so an earlier promise may still be in use
  'stale-epoch', // ask again with a higher epoch
  'lease-too-long', // the candidate's leaseMs is longer than this voter's promises
  'ledger', // the promise cannot be written
  'conflict', // two live nodes with this name
  'yielding', // the voter is MASTER itself, is giving way now, and will vote once its VIP is gone
  'outranked', // another candidate asked at the same moment and is preferred
] as const

export type RefusalReason = (typeof refusalReasons)[number]

export const replySchema = z.object({
  instance: instanceName,
  vote: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('none') }),
    z.object({ kind: z.literal('granted'), epoch }),
    z.object({ kind: z.literal('pending'), epoch }),
    z.object({ kind: z.literal('refused'), reason: z.enum(refusalReasons), text }),
  ]),
  /** The node to which this voter's vote is promised now. */
  holder: nodeName.nullable(),
  /** Milliseconds since the holder's last renewal here. */
  renewedAgoMs: durationMs.nullable(),
  /** The highest epoch that this voter knows of. */
  epoch,
  /**
   * The voter's disk did not take its last ballot. It renews what it has given, and gives no new vote. Absent: its disk
   * is well, as far as it knows.
   */
  writesFail: z.literal(true).optional(),
  /** Returns the vote that was delegated under that epoch; this voter's node no longer counts it. */
  returnsVote: epoch.optional(),
  /** The vote that was delegated under that epoch is on this voter's disk and counts. */
  countsVote: epoch.optional(),
  /** From the witness only: it cannot tell which instance of the other node this is; absent: it can. */
  unmatched: z.literal(true).optional(),
})

export type VoterReply = z.infer<typeof replySchema>

export type Vote = VoterReply['vote']

const welcomeSchema = z.object({
  type: z.literal('welcome'),
  protocol: z.literal(protocolVersion),
  voter: name,
  /** From the witness only. */
  plan: planSchema.nullable(),
})

export type Welcome = z.infer<typeof welcomeSchema>

const answerSchema = z.object({
  type: z.literal('answer'),
  /** The `seq` of the beat that is answered. A pending vote is answered a second time when it is decided. */
  seq: z.number().int().min(1),
  /** The voter's clock, to be echoed. */
  atMs: z.number(),
  verdicts: z.array(replySchema).max(maxInstances),
})

export type Answer = z.infer<typeof answerSchema>

/**
 * `fence`: another node has the lease. `announce`: send gratuitous ARP. `yield`: the holder has lost its gateway and
 * releases the VIP for a node that reaches its own. `drill`: a standby proves its fence and comes back.
 * `drill-holder`: the holder proves its fence by releasing the VIP for the other node.
 */
export const orderedActions = ['fence', 'announce', 'yield', 'drill', 'drill-holder'] as const

export type OrderedAction = (typeof orderedActions)[number]

/** The witness orders a node to do something now. The node obeys only if its own lease does not forbid it. */
const orderSchema = z.object({
  type: z.literal('order'),
  instance: instanceName,
  what: z.enum(orderedActions),
  epoch,
  reason: text,
})

export type Order = z.infer<typeof orderSchema>

const planMessageSchema = z.object({ type: z.literal('plan'), plan: planSchema })

/**
 * From the witness only: the node is to make a new key and have it signed. Its current certificate stays valid until
 * the new one is in use.
 */
const renewSchema = z.object({ type: z.literal('renew') })

/**
 * Another instance of this node's agent has superseded the one that sent this hello, so its messages no longer count.
 * A living agent sends a hello again as a new instance; a replay cannot.
 */
const supersededSchema = z.object({ type: z.literal('superseded') })

export type Superseded = z.infer<typeof supersededSchema>

export const fromVoterSchema = z.discriminatedUnion('type', [
  welcomeSchema,
  answerSchema,
  orderSchema,
  planMessageSchema,
  renewSchema,
  supersededSchema,
])

export type FromVoter = z.infer<typeof fromVoterSchema>

/** A message that does not follow the protocol. The connection that brought it is closed. */
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
  // The text may repeat a key that a stranger chose, and it goes to the log.
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
