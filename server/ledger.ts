/**
 * What the witness must never forget of one cluster: to whom its vote went last, per instance, under which epoch; and
 * the nodes that it admitted. One durable file for each cluster.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { DurableStore, type FileSystem } from '../shared/durable-file.ts'
import { clusterName, instanceName, nodeName, type Member } from '../shared/protocol.ts'
import type { Ballot, Mark, RecoveredBallot } from '../shared/vote.ts'

const memberSchema = z.strictObject({
  name: nodeName,
  address: z.string().min(1),
  port: z.number().int().min(1).max(65_535),
})
const contentSchema = z.strictObject({
  cluster: clusterName,
  ballots: z.record(
    instanceName,
    z.strictObject({ to: nodeName, epoch: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER) }),
  ),
  members: z.array(memberSchema).max(2),
})
type Content = z.infer<typeof contentSchema>

export type LedgerState =
  /** The cluster was never seen here. */
  | { readonly kind: 'new' }
  | { readonly kind: 'valid' }
  /** Not to be trusted; `reason` is for the operator. */
  | { readonly kind: 'lost'; readonly reason: string; readonly keptAs: string | null }

export class Ledger {
  readonly state: LedgerState
  readonly #store: DurableStore<Content>

  private constructor(store: DurableStore<Content>, state: LedgerState) {
    this.#store = store
    this.state = state
  }

  /**
   * @param options.seenBefore whether this witness has known the cluster: then a missing ledger is a lost one
   */
  static async open(options: {
    dataDir: string
    cluster: string
    seenBefore: boolean
    nowMs: () => number
    fileSystem?: FileSystem
  }): Promise<Ledger> {
    const { dataDir, cluster, seenBefore, nowMs, fileSystem } = options
    const path = ledgerPath(dataDir, cluster)
    const schema = contentSchema.refine((content) => content.cluster === cluster, 'of another cluster')
    const store = await DurableStore.open<Content>(
      {
        path,
        format: 'keepalived-witness/ledger/1',
        schema,
        nowMs,
        ...(fileSystem === undefined ? {} : { fileSystem }),
      },
      { cluster, ballots: {}, members: [] },
    )
    return new Ledger(store, stateOf(store.found, path, seenBefore))
  }

  get members(): readonly Member[] {
    return this.#store.data.members
  }

  /** How long the last write took until it was durable; null: none yet. */
  get lastWriteMs(): number | null {
    return this.#store.lastWriteMs
  }

  /** What the arbiter starts from. */
  recovered(marks: Readonly<Record<string, Mark>> | null): ReadonlyMap<string, RecoveredBallot> | 'lost' {
    if (this.state.kind === 'lost') return 'lost'
    return new Map(
      Object.entries(this.#store.data.ballots).map(([instance, ballot]) => [
        instance,
        { kind: 'valid', ballot, mark: marks?.[instance] ?? null },
      ]),
    )
  }

  /**
   * Settles when the ballot is on disk.
   * @throws DurableFileError
   */
  record(instance: string, ballot: Ballot): Promise<void> {
    return this.#store.update((data) => ({
      ...data,
      ballots: { ...data.ballots, [instance]: { to: ballot.to, epoch: ballot.epoch } },
    }))
  }

  /** @throws DurableFileError */
  remember(members: readonly Member[]): Promise<void> {
    return this.#store.update((data) => ({ ...data, members: members.map((member) => ({ ...member })) }))
  }

  /**
   * Writes the ledger as it is: from then on a missing one is noticed.
   * @throws DurableFileError
   */
  found(): Promise<void> {
    return this.#store.update((data) => data)
  }
}

export function ledgerPath(dataDir: string, cluster: string): string {
  return join(dataDir, 'ledger', `${cluster}.json`)
}

function stateOf(found: DurableStore<Content>['found'], path: string, seenBefore: boolean): LedgerState {
  switch (found.kind) {
    case 'valid':
      return { kind: 'valid' }
    case 'torn':
      return { kind: 'lost', reason: `${path} cannot be trusted: ${found.reason}`, keptAs: found.keptAs }
    case 'missing':
      if (!seenBefore) return { kind: 'new' }
      return {
        kind: 'lost',
        reason: `${path} is missing, though this witness has known the cluster before`,
        keptAs: null,
      }
  }
}
