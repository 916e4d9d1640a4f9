/**
 * witness-agent: the daemon on each keepalived node. Only this file reads the clocks; everything else gets them as
 * parameters.
 */
import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { Command, CommanderError } from 'commander'
import { bootClockMs, bootId } from '../shared/host/boot-clock.ts'
import { keepCompiledCode } from '../shared/host/compiled-code.ts'
import { ConfigError, loadConfig } from '../shared/host/config-file.ts'
import { DurableFileError } from '../shared/disk/durable-file.ts'
import { FolderLockError, lockFolder } from '../shared/disk/folder-lock.ts'
import { echo } from '../shared/host/icmp.ts'
import { createLog } from '../shared/host/log.ts'
import { CredentialsError } from '../shared/identity/credentials.ts'
import { serviceManager } from '../shared/host/service-manager.ts'
import { Agent } from './agent.ts'
import { readNodeCredentials } from './voters/node-credentials.ts'
import { agentConfigSchema, usualAgentYaml, type AgentConfig } from './config.ts'
import { KeepalivedConfError } from './keepalived-conf/profiles.ts'
import { NotifyFifoError } from './keepalived/notify-fifo.ts'
import { PeerListenerError } from './voters/peer-listener.ts'
import { RunFolderError } from '../shared/disk/run-folder.ts'

/** Something that the admin can correct; the message says what. */
const exitConfiguration = 2
/** A fault of this program (sysexits(3): EX_SOFTWARE). */
const exitFault = 70

const version = process.env.KEEPALIVED_WITNESS_VERSION ?? 'development'

async function run(config: AgentConfig): Promise<void> {
  const log = createLog('witness-agent', config.logLevel)
  const end = (cause: unknown): void => {
    log.fatal('fault', cause instanceof Error ? (cause.stack ?? cause.message) : String(cause))
    process.exit(exitFault)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)

  const service = serviceManager({
    env: process.env,
    pid: process.pid,
    onProblem: (text) => log.warn('service-manager', text),
  })
  lockFolder({ path: config.stateDir, program: 'witness-agent', option: 'stateDir', bootId: bootId() })
  const agent = await Agent.start(config, {
    log,
    credentials: readNodeCredentials(config),
    newIncarnation: () => randomUUID(),
    bootId: bootId(),
    software: `witness-agent ${version}`,
    nowMs: bootClockMs,
    monotonicMs: () => performance.now(),
    jitter: () => Math.random(),
    echo,
    service,
  })
  service.ready(`${config.node} of ${config.cluster}, ${config.mode}`)

  // This delegates no vote to the peer, because a reboot or an upgrade is not a leave; `witness-agent leave` is.
  const stop = (signal: string): void => {
    agent.close()
    log.info('end', `the agent ends because of ${signal}; bar and permit stay as they are`)
    log.flush()
    process.exit(0)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('SIGHUP', () => agent.reread())
}

function isForAdmin(cause: unknown): cause is Error {
  return [
    ConfigError,
    CredentialsError,
    FolderLockError,
    RunFolderError,
    KeepalivedConfError,
    NotifyFifoError,
    PeerListenerError,
    DurableFileError,
  ].some((kind) => cause instanceof kind)
}

/** Each is loaded only when it is used, so the daemon starts without them. */
const subcommands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  doctor: async () => (await import('./commands/doctor/main.ts')).addDoctorCommand,
  join: async () => (await import('./commands/join/join.ts')).addJoinCommand,
  leave: async () => (await import('./commands/leave/leave.ts')).addLeaveCommand,
  setup: async () => (await import('./commands/setup/setup.ts')).addSetupCommand,
  'take-vote-back': async () => (await import('./commands/leave/take-vote-back.ts')).addTakeVoteBackCommand,
}

async function addSubcommands(): Promise<void> {
  const words = process.argv.slice(2)
  const isHelpWanted = words.some((word) => ['-h', '--help', 'help'].includes(word))
  for (const [name, load] of Object.entries(subcommands))
    if (isHelpWanted || words.includes(name)) (await load())(program)
}

keepCompiledCode()
const program = new Command('witness-agent')
  .description('Makes sure that keepalived on this node never keeps a VIP without a lease.')
  .version(`${version} (Node.js ${process.versions.node})`)
  .exitOverride()
  .allowExcessArguments()
  .option('--config <file>', 'configuration of the agent', usualAgentYaml)
  .action(async ({ config }: { config: string }, { args: [word] }: Command) => {
    if (word !== undefined)
      program.error(`error: unknown command '${word}'; "witness-agent --help" lists the commands`)
    await run(loadConfig(config, agentConfigSchema))
  })

async function main(): Promise<void> {
  await addSubcommands()
  await program.parseAsync()
}

main().catch((cause: unknown) => {
  if (cause instanceof CommanderError) process.exit(cause.exitCode === 0 ? 0 : exitConfiguration)
  if (isForAdmin(cause)) {
    process.stderr.write(`${cause.message}\n`)
    process.exit(exitConfiguration)
  }
  process.stderr.write(`${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}\n`)
  process.exit(exitFault)
})
