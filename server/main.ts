/** witnessd: reads the command line and the configuration, hands the clocks to the witness, and ends it on a signal. */
import { accessSync, constants, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { bootClockMs, bootId } from '../shared/host/boot-clock.ts'
import { keepCompiledCode } from '../shared/host/compiled-code.ts'
import { ConfigError } from '../shared/host/config-file.ts'
import type { Credentials } from '../shared/identity/credentials.ts'
import { messageOf } from '../shared/error-message.ts'
import { FolderLockError, lockFolder } from '../shared/disk/folder-lock.ts'
import { echo } from '../shared/host/icmp.ts'
import { createLog, type Log } from '../shared/host/log.ts'
import { serviceManager } from '../shared/host/service-manager.ts'
import { Authority, AuthorityError, authorityKeyFileIn } from './registry/authority.ts'
import { embeddedConfig, loadWitnessConfig, type WitnessConfig } from './config.ts'
import { exitCodes, parseOptions } from './options.ts'
import { ownCredentials } from './registry/own-credentials.ts'
import { Registry, registryPathIn } from './registry/registry.ts'
import { startWitness, type Witness } from './witness.ts'

/** Events that are not on disk by then are lost; nothing else has to wait. */
const longestStopMs = 800

async function main(): Promise<void> {
  const version = process.env.KEEPALIVED_WITNESS_VERSION ?? 'from source'
  const options = parseOptions(process.argv.slice(2), `${version} (Node.js ${process.versions.node})`)
  if (options.kind === 'end') process.exit(options.code)

  let config: WitnessConfig
  try {
    config = options.config === null ? embeddedConfig(process.env) : loadWitnessConfig(options.config)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    endWith(exitCodes.usage, error.message)
  }
  const log = createLog('witnessd', config.logLevel)
  endOnFault(log)
  prepareDataFolder(config.dataDir)
  lockDataFolder(config.dataDir)
  refuseUnreadable(config.dataDir)
  const { authority, credentials } = await openAuthority(config, log)
  const registry = await Registry.open({
    folder: authorityFolderIn(config.dataDir),
    authorityWasThere: authority.wasThere,
    onError: (error) => log.error('registry-not-kept', error.message),
    bootId: bootId(),
    nowMs: bootClockMs,
    now: () => new Date(),
  })
  const service = serviceManager({
    env: process.env,
    pid: process.pid,
    onProblem: (text) => log.warn('service-manager', text),
  })
  tellLostRegistry(registry, log)

  let witness: Witness
  try {
    witness = await startWitness({
      config,
      authority,
      credentials,
      registry,
      version,
      bootId: bootId(),
      log,
      nowMs: bootClockMs,
      monotonicMs: () => performance.now(),
      now: () => new Date(),
      echo,
      service,
    })
  } catch (error) {
    endWith(exitCodes.unavailable, listenFailure(config, error))
  }
  const { address, port } = witness.address
  log.info('listening', `witness ${version} listens on ${address} port ${port}`, {
    address,
    port,
    config: options.config,
    dataDir: config.dataDir,
    clusters: [...config.clusters.keys()],
    authority: authority.fingerprint,
  })
  service.ready(`listens on ${address} port ${port}`)
  endOnSignal(witness, log)
}

function prepareDataFolder(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    endWith(
      exitCodes.unavailable,
      `${dataDir}: witnessd must keep its ledger in this folder but cannot write there (${String(error)}). Make the folder writable for this user, or set dataDir to another one`,
    )
  }
}

/** Held until this process ends. */
function lockDataFolder(dataDir: string): void {
  try {
    lockFolder({ path: dataDir, program: 'witnessd', option: 'dataDir', bootId: bootId() })
  } catch (error) {
    if (!(error instanceof FolderLockError)) throw error
    endWith(exitCodes.unavailable, error.message)
  }
}

/**
 * Files that root restored and that this user cannot read are not lost. Going on without them would accept removed
 * nodes again.
 */
function refuseUnreadable(dataDir: string): void {
  const folder = authorityFolderIn(dataDir)
  for (const path of [authorityKeyFileIn(folder), registryPathIn(folder)]) {
    try {
      accessSync(path, constants.R_OK)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EACCES')) continue
      endWith(
        exitCodes.unavailable,
        `${path}: witnessd is not permitted to read this file (EACCES). Run "chown --reference=${dataDir} ${folder} ${path}" and "chmod u=rw,go= ${path}"`,
      )
    }
  }
}

function authorityFolderIn(dataDir: string): string {
  return join(dataDir, 'authority')
}

async function openAuthority(
  { dataDir }: WitnessConfig,
  log: Log,
): Promise<{ authority: Authority; credentials: Credentials }> {
  try {
    const authority = await Authority.open(authorityFolderIn(dataDir))
    if (!authority.wasThere)
      log.info('authority-made', 'this witness has created the certificate authority for its nodes', {
        fingerprint: authority.fingerprint,
      })
    await ownCredentials(join(dataDir, 'admin'), { kind: 'admin', name: 'local' }, authority)
    const credentials = await ownCredentials(join(dataDir, 'witness'), { kind: 'witness' }, authority)
    return { authority, credentials }
  } catch (error) {
    if (error instanceof AuthorityError) endWith(exitCodes.usage, error.message)
    endWith(
      exitCodes.unavailable,
      `${dataDir}: witnessd must keep its keys in this folder but cannot write there (${messageOf(error)})`,
    )
  }
}

function tellLostRegistry({ state }: Registry, log: Log): void {
  if (state.kind !== 'lost') return
  const kept = state.keptAs === null ? '' : ` The damaged file is kept as ${state.keptAs}.`
  log.error(
    'registry-lost',
    `the record of enrolments is lost: ${state.reason}.${kept} Every node with a certificate of this witness is accepted while its cluster has room, even if it was removed before. Look at "witnessctl nodes", and remove such nodes again`,
  )
}

function listenFailure({ listen }: WitnessConfig, error: unknown): string {
  const at = `${listen.host} port ${listen.port}`
  const code = error instanceof Error && 'code' in error ? error.code : null
  switch (code) {
    case 'EADDRINUSE':
      return `${at}: another program already listens there. Stop it, or set listen to another address`
    case 'EADDRNOTAVAIL':
      return `${at}: no interface of this host has that address. Correct the listen option`
    case 'EACCES':
      return `${at}: this user is not permitted to listen there. Set listen to a port above 1023`
    default:
      return `${at}: the witness cannot start: ${String(error)}`
  }
}

/** A program in a state that nobody foresaw must not decide who holds a virtual IP. */
function endOnFault(log: Log): void {
  const end = (error: unknown): never => {
    log.fatal('fault', `internal fault, so the witness exits: ${String(error)}`, {
      stack: error instanceof Error ? error.stack : undefined,
    })
    process.exit(exitCodes.fault)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}

function endOnSignal(witness: Witness, log: Log): void {
  let ending = false
  const end = (signal: NodeJS.Signals): void => {
    if (ending) process.exit(exitCodes.ok)
    ending = true
    log.info('ending', `received ${signal}; the witness is shutting down`, { signal })
    const finish = (): never => {
      log.flush()
      process.exit(exitCodes.ok)
    }
    setTimeout(finish, longestStopMs).unref()
    void witness.stop().then(() => setTimeout(finish, 50))
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
}

function endWith(code: number, message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(code)
}

keepCompiledCode()
void main()
