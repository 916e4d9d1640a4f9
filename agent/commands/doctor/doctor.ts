/** All checks of the doctor, in the order in which one would repair things. It changes nothing. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { ConfigError, loadConfig } from '../../../shared/host/config-file.ts'
import { type Plan, planSchema } from '../../../shared/protocol/plan.ts'
import { defaultTiming } from '../../../shared/core/timing.ts'
import { findAnnounceCommand } from '../../fence/announcer.ts'
import { agentConfigSchema, usualCheckProgram, type AgentConfig } from '../../config.ts'
import { defaultConfigId, readStatements } from '../../keepalived-conf/statements.ts'
import { checkProgramIn } from '../../keepalived-conf/missing-lines.ts'
import { KeepalivedConfError } from '../../keepalived-conf/lines.ts'
import { readProcessKeywords } from '../../keepalived-conf/process-keywords.ts'
import { type KeepalivedPlaces, keepalivedPlaces } from '../../keepalived/places.ts'
import { readingOf, runningOptions } from '../../keepalived/running-options.ts'
import { lookAtKeepalived } from '../../keepalived/process.ts'
import { checkTime } from './check-time.ts'
import { checkArming } from './arming-check.ts'
import { checkBootClock, checkClockSource, type Clocks } from './clock-check.ts'
import { checkDaemon, checkRights, checkUnit, statusOf } from './daemon-check.ts'
import { checkAnnouncement, checkFenceCommands } from './fence-check.ts'
import { fail, type Finding, ok } from './finding.ts'
import { checkIdentity } from './identity-check.ts'
import {
  checkBar,
  checkConfiguration,
  checkDump,
  checkFifo,
  checkLoaded,
  checkPermits,
  checkProcess,
  checkProcessTable,
  checkStamps,
  checkStaticVips,
} from './keepalived-check.ts'
import { checkPeer, checkWitness } from './reach-check.ts'
import { checkStorage } from './storage-check.ts'
import { checkCurl, checkSelinux } from './surroundings-check.ts'

export interface DoctorSurroundings extends Clocks {
  readonly bootId: string
  /** The wall clock: for hints only. */
  readonly wallMs: () => number
}

/** @param configPath agent.yaml */
export async function examine(configPath: string, around: DoctorSurroundings): Promise<readonly Finding[]> {
  let config: AgentConfig
  let contradictions: readonly string[]
  try {
    ;({ config, contradictions } = withRunningOptions(loadConfig(configPath, agentConfigSchema)))
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause
    return cause.lines.map((line) =>
      fail('agent.yaml', line, '"witness-agent join" writes it; agent.yaml(5) lists its keys'),
    )
  }
  const mode = config.mode === 'observe' ? ' (observe mode: nothing is fenced)' : ''
  const { stateDir, cluster, node, runDir } = config
  const { bootId } = around
  const plan = keptPlan(stateDir)
  const identity = checkIdentity({ stateDir, cluster, node })
  const daemon = checkDaemon({ stateDir, bootId })
  return [
    ok('agent.yaml', `${configPath}: node ${node} of ${cluster}${mode}`),
    ...contradictions.map((text) =>
      fail('options', text, 'correct agent.yaml or the options of keepalived, then restart the agent'),
    ),
    identity.finding,
    daemon.finding,
    await checkUnit(),
    checkRights(statusOf(daemon.pid ?? 'self') ?? '', daemon.pid === null ? 'this user' : 'the agent'),
    ...(identity.credentials === null
      ? []
      : [
          ...(await checkWitness({
            witness: config.witness,
            cluster,
            node,
            credentials: identity.credentials,
            nowMs: around.wallMs(),
          })),
          await checkPeer({
            peer: plan?.nodes.find(({ name }) => name !== node) ?? null,
            cluster,
            credentials: identity.credentials,
          }),
        ]),
    await checkBootClock(around),
    checkClockSource(),
    checkStorage(stateDir, plan?.timing ?? defaultTiming),
    ...(await examineKeepalived(config, plan, around)),
    await checkCurl(),
    ...(await checkFence(config)),
    await checkSelinux(scriptIn(config.keepalived) ?? usualCheckProgram),
    ...checkArming({ stateDir, instances: instancesOf(config) }),
    ...checkPermits({ runDir, instances: instancesOf(config), bootId, bootMs: around.bootMs() }),
  ]
}

async function examineKeepalived(
  config: AgentConfig,
  plan: Plan | null,
  around: DoctorSurroundings,
): Promise<readonly Finding[]> {
  const { runDir } = config
  const { config: path } = config.keepalived
  const look = lookAt(config)
  const pids = [look.parentPid, look.vrrpPid].filter((pid) => pid !== null)
  const { findings, profiles, vips } = checkConfiguration({
    path,
    runDir,
    configId: config.keepalived.configId,
  })
  const script = scriptIn(config.keepalived) ?? (existsSync(usualCheckProgram) ? usualCheckProgram : null)
  const uses = [
    checkFifo(join(runDir, 'notify.fifo'), pids),
    checkBar(runDir, pids),
    ...(await checkStamps({
      runDir,
      instances: profiles.map(({ instance }) => instance),
      checkMs: (plan?.timing ?? defaultTiming).checkMs,
      pauseMs: around.pauseMs,
    })),
  ]
  return [
    checkProcess(look),
    ...checkProcessTable(),
    ...findings,
    ...checkStaticVips([...vips.values()].flat(), config.keepalived),
    checkLoaded({
      path,
      startedAtMs: look.startedAtMs,
      isInUse: uses.every(({ verdict }) => verdict === 'ok'),
      bootMs: around.bootMs(),
      nowMs: around.wallMs(),
    }),
    ...uses,
    checkDump(config.keepalived.dumpFile, look.parentPid),
    script === null
      ? fail(
          'check-time',
          `the check is neither in ${path} nor at ${usualCheckProgram}`,
          'install the package, then run "witness-agent setup --apply"',
        )
      : await checkTime({ script, bootId: around.bootId, bootMs: around.bootMs() }),
  ]
}

async function checkFence(config: AgentConfig): Promise<readonly Finding[]> {
  const { profiles } = checkConfiguration({
    path: config.keepalived.config,
    runDir: config.runDir,
    configId: config.keepalived.configId,
  })
  return [
    ...(await checkFenceCommands(config.keepalived, lookAt(config).parentPid)),
    ...checkAnnouncement(profiles, await findAnnounceCommand()),
  ]
}

function instancesOf(config: AgentConfig): string[] {
  const { profiles } = checkConfiguration({
    path: config.keepalived.config,
    runDir: config.runDir,
    configId: config.keepalived.configId,
  })
  return profiles.map(({ instance }) => instance)
}

/** As the agent reads: where agent.yaml says nothing, the command line of keepalived counts. */
function withRunningOptions(config: AgentConfig): {
  readonly config: AgentConfig
  readonly contradictions: readonly string[]
} {
  const { reading, contradictions } = readingOf(config.keepalived, runningOptions(placesOf(config)))
  return { config: { ...config, keepalived: { ...config.keepalived, ...reading } }, contradictions }
}

/** As the agent looks: by what every user may read. */
function lookAt(config: AgentConfig): ReturnType<typeof lookAtKeepalived> {
  return lookAtKeepalived(placesOf(config))
}

function placesOf({ keepalived }: AgentConfig): KeepalivedPlaces {
  return keepalivedPlaces(keepalived, readProcessKeywords(keepalived.config, keepalived.configId))
}

/**
 * The check as keepalived itself reads it, never from a comment, because the doctor runs it as root. Null: there is
 * none.
 */
function scriptIn({ config: path, configId }: AgentConfig['keepalived']): string | null {
  try {
    return checkProgramIn(readStatements(path, configId ?? defaultConfigId()).root)
  } catch (cause) {
    if (cause instanceof KeepalivedConfError) return null
    throw cause
  }
}

const stateSchema = z.object({ data: z.object({ plan: planSchema.nullable() }) })

/** Reads the file only; the agent's own way of reading would move a torn file aside. */
function keptPlan(stateDir: string): Plan | null {
  try {
    const parsed = stateSchema.safeParse(JSON.parse(readFileSync(join(stateDir, 'state.json'), 'utf8')))
    return parsed.success ? parsed.data.data.plan : null
  } catch {
    return null
  }
}
