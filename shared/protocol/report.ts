/** What an agent reports about one instance with each heartbeat. */
import { z } from 'zod'
import { durationMs, epoch, instanceName, nodeName, text } from './names.ts'

/** keepalived's own words; UNKNOWN until the first evidence. */
export const keepalivedStates = ['UNKNOWN', 'INIT', 'BACKUP', 'MASTER', 'FAULT', 'STOP'] as const

export type KeepalivedState = (typeof keepalivedStates)[number]

/** keepalived's processes. `frozen`: stopped by SIGSTOP or a debugger. `absent`: not running. */
export const processStates = ['running', 'frozen', 'absent'] as const

export type ProcessState = (typeof processStates)[number]

/** Whether the kernel has any VIP of the instance. */
export type VipState = 'held' | 'gone'

const fenceReport = z.object({
  number: z.number().int().min(1),
  reason: text,
  result: z.enum(['running', 'proved', 'failed']),
  rung: z.enum(['bar', 'stop', 'kill', 'last-resort']),
  tookMs: durationMs,
})

/** `proved` only with the VIP absent from the kernel and keepalived in FAULT or gone. */
export type FenceReport = z.infer<typeof fenceReport>

/** The phases of a node's guard (agent/core/guard/guard.ts), as the operator sees them. */
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
  /**
   * Its vote is delegated to that node. `because`: the witness is silent; absent: the node is leaving, as its operator
   * wants.
   */
  z.object({
    kind: z.literal('leaving'),
    to: nodeName,
    epoch,
    because: z.literal('witness-silent').optional(),
  }),
  /** The node is back, and votes again when that node returns the vote. */
  z.object({ kind: z.literal('returning'), to: nodeName, epoch }),
  /** Its state file is lost, so only the peer knows. */
  z.object({ kind: z.literal('unknown') }),
])

export type LeftVote = z.infer<typeof leftVote>

export const report = z.object({
  instance: instanceName,
  phase: z.enum(guardPhases),
  /** Why the node is in this phase, in plain words. */
  why: text,
  keepalived: z.enum(keepalivedStates),
  process: z.enum(processStates),
  vips: z.enum(['held', 'gone']),
  /**
   * keepalived is not MASTER, and did not put up the VIP that the kernel has: it came back after a fence; absent:
   * nothing of that.
   */
  foreignVip: z.literal(true).optional(),
  /** keepalived says that it removed the VIP; whether the kernel agrees is not known yet; absent: nothing of that. */
  lettingGo: z.literal(true).optional(),
  /** The one that keepalived runs with, weights included. */
  priority: z.number().int().min(0).max(255),
  /** The one in keepalived.conf; absent: the same. */
  configuredPriority: z.number().int().min(1).max(255).optional(),
  /**
   * keepalived may run with another priority than `priority`, because it has weights and does not tell of changes;
   * absent: it does not.
   */
  priorityMayDiffer: z.literal(true).optional(),
  nopreempt: z.boolean(),
  /** Asks for this voter's vote, under this epoch. */
  ask: z.object({ epoch }).nullable(),
  /** The node gives back any vote it has: no VIP in the kernel, keepalived not MASTER, both verified. */
  release: z.boolean(),
  /** The highest epoch that this node knows of. */
  epoch,
  /**
   * The highest epoch that the witness granted to this node, as far as the node remembers. It reveals a rolled-back
   * ledger.
   */
  witnessEpoch: epoch,
  /** Milliseconds since this node heard its peer's agent; null: never. */
  peerSilentMs: durationMs.nullable(),
  /** Milliseconds since keepalived ran the check; null: never. */
  checkSilentMs: durationMs.nullable(),
  gateway: z.enum(['reachable', 'unreachable', 'unknown']),
  fence: fenceReport.nullable(),
  warnings: z.array(text).max(8),
  /** This node has delegated its vote; absent: it has its own vote. */
  left: leftVote.optional(),
  /** Under which epoch this node keeps the vote that its peer delegated to it; absent: it certainly keeps none. */
  keepsVote: epoch.optional(),
  /**
   * For how long this node has not heard the witness, or has listened for it in vain; absent: it hears the witness, or
   * it delegates no vote and wants none because of that.
   */
  witnessSilentMs: durationMs.optional(),
})

export type Report = z.infer<typeof report>

/**
 * Whose fence is drilled. `standby`: the ladder up to the stop command, and keepalived comes back. `holder`: the VIP
 * moves to the other node.
 */
export const drillRoles = ['standby', 'holder'] as const

export type DrillRole = (typeof drillRoles)[number]

export const drilledSchema = z.object({
  type: z.literal('drilled'),
  instance: instanceName,
  role: z.enum(drillRoles),
  /** `passed` only if each rung was proved and keepalived came back; `refused`: nothing was done. */
  result: z.enum(['passed', 'failed', 'refused']),
  /** Those that were tried, in order. */
  rungs: z
    .array(
      z.object({
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

/** How a drill ended. Reported to the witness, which keeps it. */
export type Drilled = z.infer<typeof drilledSchema>
