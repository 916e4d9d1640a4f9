/** All clusters of this witness, which are those with at least one enrolled node. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../../shared/host/log.ts'
import { MarkFile } from '../../shared/disk/mark-file.ts'
import type { Member } from '../../shared/protocol/plan.ts'
import { defaultTiming } from '../../shared/core/timing.ts'
import { createArbiter, type Occurrence } from '../core/arbiter/arbiter.ts'
import { ClusterRuntime, type Outbound, type RuntimeOptions } from './runtime.ts'
import type { WitnessConfig } from '../config.ts'
import { DrillRecords } from '../records/drills.ts'
import { EventLog } from '../records/event-log.ts'
import { Ledger } from '../records/ledger.ts'
import { PacedMoves } from './paced-moves.ts'

/** What enrolment knows about clusters and nodes (server/registry/registry.ts). */
export interface Enrolled {
  readonly clusters: readonly string[]
  members(cluster: string): readonly Member[]
  /** A node's agent has reported where its peer reaches it from now on. */
  move(cluster: string, to: { readonly node: string; readonly address: string; readonly port: number }): void
  /** Nobody serves any more with a node that the plan of these members does not have. */
  planSettled(cluster: string, settled: { readonly node: string; readonly members: readonly string[] }): void
}

export interface ClustersOptions {
  readonly config: WitnessConfig
  readonly enrolled: Enrolled
  readonly bootId: string
  readonly outbound: Outbound
  readonly log: Log
  readonly nowMs: () => number
  readonly monotonicMs: () => number
  /** The wall clock, for people. */
  readonly now: () => Date
  readonly onTurn?: RuntimeOptions['onTurn']
}

/** A shorter pause cannot be distinguished from a busy moment. */
const shortestPauseMs = 600

export class Clusters {
  readonly #options: ClustersOptions
  readonly #open = new Map<string, Promise<ClusterRuntime>>()
  readonly #ready = new Map<string, ClusterRuntime>()
  readonly #moves = new Set<PacedMoves>()
  #started = false
  #ended = false

  constructor(options: ClustersOptions) {
    this.#options = options
    makeRunFolder(options)
  }

  /** Opens every cluster that has a node, because checks may ask before any agent has said hello. */
  async start(): Promise<void> {
    await Promise.all(this.#options.enrolled.clusters.map((name) => this.#openOnce(name)))
    this.#started = true
  }

  /** Whether the ledger of every cluster that was known at start is loaded. */
  get ready(): boolean {
    return this.#started
  }

  /** Clusters with at least one node; one whose last node was removed is left out of health checks. */
  get all(): readonly ClusterRuntime[] {
    return [...this.#ready.values()]
      .filter(({ members }) => members.length > 0)
      .sort((a, b) => (a.cluster < b.cluster ? -1 : 1))
  }

  /** Whether a node of any cluster has this address. */
  knowsAddress(address: string): boolean {
    return this.all.some(({ members }) => members.some((member) => member.address === address))
  }

  /**
   * Keeps an event of a cluster that need not be open yet. A cluster without nodes has no events, so its event is only
   * logged.
   */
  async tell(name: string, occurrence: Occurrence): Promise<void> {
    const runtime = this.get(name) ?? (await this.join(name))
    if (runtime !== null) {
      runtime.tell(occurrence)
      return
    }
    const { event, text, evidence } = occurrence
    this.#options.log.info(event, text, { cluster: name, evidence })
  }

  get(name: string): ClusterRuntime | null {
    return this.#ready.get(name) ?? null
  }

  /** The cluster that an agent names; null if no node of it is enrolled. */
  async join(name: string): Promise<ClusterRuntime | null> {
    if (this.#ended || !this.#options.enrolled.clusters.includes(name)) return null
    return this.#openOnce(name)
  }

  /** Enrolment changed who belongs to the cluster. */
  async membersChanged(name: string): Promise<void> {
    if (this.#ended) return
    const known = this.#open.has(name)
    const runtime = await this.#openOnce(name)
    if (known) runtime.handle({ type: 'members', members: this.#options.enrolled.members(name) })
  }

  async close(): Promise<void> {
    this.#ended = true
    for (const moves of this.#moves) moves.close()
    const opened = await Promise.all(this.#open.values())
    await Promise.all(opened.map((runtime) => runtime.close()))
  }

  #openOnce(name: string): Promise<ClusterRuntime> {
    let opening = this.#open.get(name)
    if (opening === undefined) {
      opening = this.#openCluster(name)
      this.#open.set(name, opening)
    }
    return opening
  }

  async #openCluster(cluster: string): Promise<ClusterRuntime> {
    const { config, enrolled, bootId, outbound, log, nowMs, monotonicMs, now } = this.#options
    const { dataDir, runDir } = config
    const timing = config.clusters.get(cluster)?.timing ?? defaultTiming
    const events = new EventLog({
      dataDir,
      cluster,
      now,
      onError: (error) =>
        log.error(
          'events-not-kept',
          `the events of ${cluster} cannot be written; check the free space in ${dataDir}`,
          {
            cluster,
            error: String(error),
          },
        ),
    })
    const ledger = await Ledger.open({ dataDir, cluster, seenBefore: events.seenBefore, nowMs })
    const marks = new MarkFile(join(runDir, `witness-${cluster}.marks`), bootId)
    const moves = new PacedMoves((to) => enrolled.move(cluster, to))
    this.#moves.add(moves)
    const runtime = new ClusterRuntime({
      cluster,
      arbiter: createArbiter({
        cluster,
        timing,
        members: enrolled.members(cluster),
        recovered: ledger.recovered(marks.recover()),
        atMs: nowMs(),
      }),
      longestPauseMs: Math.max(2 * timing.renewMs, shortestPauseMs),
      ledger,
      marks,
      events,
      drills: await DrillRecords.open({ dataDir, cluster, nowMs, now }),
      outbound,
      onMoved: (to) => moves.take(to),
      onPlanSettled: (settled) => enrolled.planSettled(cluster, settled),
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
        text: `The witness has not seen cluster ${cluster} before and starts a new ledger for it.`,
        evidence: {},
        decision: null,
      })
    case 'valid':
      return runtime.tell({
        ...base,
        event: 'witness-started',
        level: 'info',
        text: `The witness started and found the ledger of ${cluster} intact.`,
        evidence: {},
        decision: null,
      })
    case 'lost':
      return runtime.tell({
        ...base,
        event: 'ledger-lost',
        level: 'critical',
        text: `The ledger of ${cluster} is lost: ${state.reason}.${state.keptAs === null ? '' : ` The damaged file is kept as ${state.keptAs}.`} Check the disk.`,
        evidence: { reason: state.reason, keptAs: state.keptAs },
        decision: 'Nobody gets the vote until every promise that may still be in use has expired.',
      })
  }
}

/**
 * Writes a new ledger, so that from now on a missing one is noticed. A full disk must not keep the witness from
 * starting.
 */
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

/** Marks only shorten restarts: without their folder, everybody waits after each restart. */
function makeRunFolder({ config, log }: ClustersOptions): void {
  try {
    mkdirSync(config.runDir, { recursive: true, mode: 0o755 })
  } catch (error) {
    log.warn(
      'run-folder-missing',
      `${config.runDir} cannot be created, so after a restart of the witness everybody waits until the longest promise has expired`,
      {
        error: String(error),
      },
    )
  }
}
