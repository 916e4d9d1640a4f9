/** witness.yaml, and the configuration of a witness that has none. */
import { accessSync, constants, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { loadConfig } from '../shared/host/config-file.ts'
import { logLevels, type LogLevel } from '../shared/host/log.ts'
import { clusterName, witnessPort } from '../shared/protocol/names.ts'
import { timingSchema } from '../shared/protocol/plan.ts'
import {
  assertTiming,
  defaultTiming,
  strictReserveMs,
  TimingError,
  type Timing,
} from '../shared/core/timing.ts'

export interface ClusterConfig {
  readonly timing: Timing
}

export interface WitnessConfig {
  readonly listen: { readonly host: string; readonly port: number }
  /** Ledger and events: survives a reboot. */
  readonly dataDir: string
  /** Marks: on tmpfs, does not survive a reboot. */
  readonly runDir: string
  readonly icmpIntervalMs: number
  readonly logLevel: LogLevel
  /** Clusters whose timing or gate is not the default; which clusters exist is decided by enrolment. */
  readonly clusters: ReadonlyMap<string, ClusterConfig>
}

const defaults = {
  listen: `0.0.0.0:${witnessPort}`,
  dataDir: '/var/lib/keepalived-witness',
  runDir: '/run/keepalived-witnessd',
} as const

const listenSchema = z.string().transform((text, context) => {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:\s[\]]+)):(\d{1,5})$/.exec(text)
  const [, bracketed, plain, digits] = match ?? []
  const port = Number(digits)
  if (match === null || port > 65_535) {
    context.addIssue({
      code: 'custom',
      message: `"${text}" is not address:port; write for example 0.0.0.0:${witnessPort} or "[::]:${witnessPort}"`,
    })
    return z.NEVER
  }
  return { host: bracketed ?? plain ?? '', port }
})

const folder = z.string().regex(/^\//, 'an absolute path is expected')

/** `gate` is an option beside `timing`, because defaults of the timing depend on it. */
const givenTiming = timingSchema.omit({ gate: true }).partial().strict()

const clusterSchema = z
  .strictObject({
    gate: timingSchema.shape.gate,
    timing: givenTiming.prefault({}),
  })
  .transform((cluster, context): ClusterConfig => {
    const timing = mergeTiming(cluster.gate, cluster.timing)
    try {
      assertTiming(timing)
    } catch (error) {
      if (!(error instanceof TimingError)) throw error
      context.addIssue({ code: 'custom', path: ['timing'], message: error.message })
    }
    return { timing }
  })

export const configSchema = z.strictObject({
  listen: listenSchema.prefault(defaults.listen),
  dataDir: folder.default(defaults.dataDir),
  runDir: folder.default(defaults.runDir),
  icmpIntervalMs: z.number().int().min(100).max(60_000).default(1000),
  logLevel: z.enum(logLevels).default('info'),
  clusters: z.record(clusterName, clusterSchema).prefault({}),
})

const fileSchema = configSchema.transform((file): WitnessConfig => ({
  ...file,
  clusters: new Map(Object.entries(file.clusters)),
}))

/**
 * Reads witness.yaml.
 * @throws ConfigError (shared/host/config-file.ts) with all mistakes
 */
export function loadWitnessConfig(path: string): WitnessConfig {
  return loadConfig(path, fileSchema)
}

/**
 * The configuration of a witness that is started without one: it keeps everything in folders that this user can write.
 */
export function embeddedConfig(
  env: Readonly<Record<string, string | undefined>>,
  isUsable: (folder: string) => boolean = makeUsable,
): WitnessConfig {
  const stateHome = env.XDG_STATE_HOME ?? join(env.HOME ?? '/', '.local/state')
  const dataDir = isUsable(defaults.dataDir) ? defaults.dataDir : join(stateHome, 'keepalived-witness')
  const runtime = env.XDG_RUNTIME_DIR ?? dataDir
  const runDir = isUsable(defaults.runDir) ? defaults.runDir : join(runtime, 'keepalived-witness.run')
  return { ...fileSchema.parse({}), dataDir, runDir }
}

/** Whether this user can write there; creates the folder if its parent allows that. */
function makeUsable(path: string): boolean {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    accessSync(path, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}

function mergeTiming(gate: Timing['gate'], given: z.infer<typeof givenTiming>): Timing {
  return {
    gate,
    renewMs: given.renewMs ?? defaultTiming.renewMs,
    leaseMs: given.leaseMs ?? defaultTiming.leaseMs,
    releaseMs: given.releaseMs ?? defaultTiming.releaseMs,
    grainMs: given.grainMs ?? defaultTiming.grainMs,
    checkMs: given.checkMs ?? defaultTiming.checkMs,
    reserveMs: given.reserveMs ?? (gate === 'strict' ? strictReserveMs : defaultTiming.reserveMs),
    claimMs: given.claimMs ?? defaultTiming.claimMs,
    handoverMs: given.handoverMs ?? defaultTiming.handoverMs,
    driftPpm: given.driftPpm ?? defaultTiming.driftPpm,
    delegateAfterMs: given.delegateAfterMs ?? defaultTiming.delegateAfterMs,
  }
}
