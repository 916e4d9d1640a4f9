/** All clusters of this witness: opened from the configuration at start, or admitted at their agents' first hello. */
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../shared/log.ts'
import { MarkFile } from '../shared/mark-file.ts'
import { clusterName, maxNodes, type Member } from '../shared/protocol.ts'
import { defaultTiming } from '../shared/timing.ts'
import { createArbiter } from './arbiter.ts'
import { ClusterRuntime, type Outbound, type RuntimeOptions } from './cluster-runtime.ts'
import type { ClusterConfig, WitnessConfig } from './config.ts'
import { EventLog } from './event-log.ts'
import { Ledger } from './ledger.ts'

export interface ClustersOptions {
  readonly config: WitnessConfig
  readonly bootId: string
  readonly outbound: Outbound
  readonly log: Log
  readonly nowMs: () => number
  readonly monotonicMs: () => number
  /** The wall clock, for people. */
  readonly now: () => Date
  readonly onTurn?: RuntimeOptions['onTurn']
}

/** More would be a mistake in an agent's configuration, or an attack by somebody with the token. */
const mostAdmitted = 1000
/** A shorter pause cannot be told from a busy moment. */
const shortestPauseMs = 600

export class Clusters {
  readonly #options: ClustersOptions
  readonly #open = new Map<string, Promise<ClusterRuntime>>()
  readonly #ready = new Map<string, ClusterRuntime>()
  #started = false
  #ended = false

  constructor(options: ClustersOptions) {
    this.#options = options
    makeRunFolder(options)
  }

  /** Opens every cluster of the configuration, and those that were admitted before. */
  async start(): Promise<void> {
    const { clusters, admit, dataDir } = this.#options.config
    await Promise.all([...clusters].map(([name, config]) => this.#openOnce(name, config)))
    // Checks may ask before any agent has said hello.
    const admitted = admit ? clustersOnDisk(dataDir) : []
    await Promise.all(admitted.map((name) => this.join(name)))
    this.#started = true
  }

  /** Whether the ledger of every cluster that was known at start is loaded. */
  get ready(): boolean {
    return this.#started
  }

  get all(): readonly ClusterRuntime[] {
    return [...this.#ready.values()].sort((a, b) => (a.cluster < b.cluster ? -1 : 1))
  }

  get(name: string): ClusterRuntime | null {
    return this.#ready.get(name) ?? null
  }

  /** The cluster that an agent names; null where it is unknown and may not join. */
  async join(name: string): Promise<ClusterRuntime | null> {
    if (this.#ended) return null
    const { config } = this.#options
    const known = config.clusters.get(name)
    if (known !== undefined) return this.#openOnce(name, known)
    if (!config.admit) return null
    if (!this.#open.has(name) && this.#open.size >= mostAdmitted) return null
    return this.#openOnce(name, { timing: defaultTiming, members: [] })
  }

  async close(): Promise<void> {
    this.#ended = true
    const opened = await Promise.all(this.#open.values())
    await Promise.all(opened.map((runtime) => runtime.close()))
  }

  #openOnce(name: string, config: ClusterConfig): Promise<ClusterRuntime> {
    let opening = this.#open.get(name)
    if (opening === undefined) {
      opening = this.#openCluster(name, config)
      this.#open.set(name, opening)
    }
    return opening
  }

  async #openCluster(
    cluster: string,
    { timing, members: configured }: ClusterConfig,
  ): Promise<ClusterRuntime> {
    const { config, bootId, outbound, log, nowMs, monotonicMs, now } = this.#options
    const { dataDir, runDir, admit } = config
    const events = new EventLog({
      dataDir,
      cluster,
      now,
      onError: (error) =>
        log.error('events-not-kept', `events of ${cluster} cannot be written: make room in ${dataDir}`, {
          cluster,
          error: String(error),
        }),
    })
    const ledger = await Ledger.open({ dataDir, cluster, seenBefore: events.seenBefore, nowMs })
    const marks = new MarkFile(join(runDir, `witness-${cluster}.marks`), bootId)
    const members = membersOf({ configured, admitted: ledger.members, admit })
    const runtime = new ClusterRuntime({
      cluster,
      arbiter: createArbiter({
        cluster,
        timing,
        members,
        admit,
        recovered: ledger.recovered(marks.recover()),
        atMs: nowMs(),
      }),
      members,
      longestPauseMs: Math.max(2 * timing.renewMs, shortestPauseMs),
      ledger,
      marks,
      events,
      outbound,
      log,
      nowMs,
      monotonicMs,
      ...(this.#options.onTurn === undefined ? {} : { onTurn: this.#options.onTurn }),
    })
    tellLedger(runtime, ledger)
    await establishLedger(ledger, { cluster, log })
    this.#ready.set(cluster, runtime)
    return runtime
  }
}

function clustersOnDisk(dataDir: string): readonly string[] {
  const names = ['ledger', 'events'].flatMap((folder) => {
    try {
      return readdirSync(join(dataDir, folder)).map((file) => /^(.+)\.jsonl?$/.exec(file)?.[1] ?? '')
    } catch {
      // A new data folder.
      return []
    }
  })
  return [...new Set(names)].filter((name) => clusterName.safeParse(name).success)
}

/** What the configuration says comes first; an admitted node keeps its place where there is one. */
function membersOf({
  configured,
  admitted,
  admit,
}: {
  configured: readonly Member[]
  admitted: readonly Member[]
  admit: boolean
}): readonly Member[] {
  if (!admit) return configured
  const names = new Set(configured.map(({ name }) => name))
  return [...configured, ...admitted.filter(({ name }) => !names.has(name))].slice(0, maxNodes)
}

function tellLedger(runtime: ClusterRuntime, ledger: Ledger): void {
  const base = { instance: null, node: null }
  const { cluster } = runtime
  const { state } = ledger
  switch (state.kind) {
    case 'new':
      return runtime.tell({
        ...base,
        event: 'cluster-new',
        level: 'info',
        text: `The witness meets ${cluster} for the first time; its ledger begins.`,
        evidence: {},
        decision: null,
      })
    case 'valid':
      return runtime.tell({
        ...base,
        event: 'witness-started',
        level: 'info',
        text: `The witness started and found the ledger of ${cluster} in order.`,
        evidence: {},
        decision: null,
      })
    case 'lost':
      return runtime.tell({
        ...base,
        event: 'ledger-lost',
        level: 'critical',
        text: `The ledger of ${cluster} is lost: ${state.reason}.${state.keptAs === null ? '' : ` It is kept as ${state.keptAs}.`} Look at the disk.`,
        evidence: { reason: state.reason, keptAs: state.keptAs },
        decision: 'Nobody gets the vote until every promise that may be in use has ended.',
      })
  }
}

/** From now on a missing ledger is noticed. Without it a full disk must not keep the witness from starting. */
async function establishLedger(
  ledger: Ledger,
  { cluster, log }: { cluster: string; log: Log },
): Promise<void> {
  if (ledger.state.kind === 'valid') return
  try {
    await ledger.establish()
  } catch (error) {
    log.error('ledger-not-written', String(error), { cluster })
  }
}

/** Marks are a comfort: where their folder cannot be made, restarts cost a wait. */
function makeRunFolder({ config, log }: ClustersOptions): void {
  try {
    mkdirSync(config.runDir, { recursive: true, mode: 0o755 })
  } catch (error) {
    log.warn(
      'run-folder-missing',
      `${config.runDir} cannot be made: after a restart everybody waits for the longest promise`,
      {
        error: String(error),
      },
    )
  }
}
