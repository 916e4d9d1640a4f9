/**
 * What the witness must never forget about one cluster: for each instance, to whom its vote last went and under which
 * epoch. There is one durable file for each cluster.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { ballotSchema } from '../../shared/disk/ballot-schema.ts'
import { DurableStore } from '../../shared/disk/durable-store.ts'
import type { FileSystem } from '../../shared/disk/durable-file.ts'
import { clusterName, instanceName, nodeName } from '../../shared/protocol/names.ts'
import type { Ballot, Mark, RecoveredBallot } from '../../shared/core/vote/voter.ts'
import type { KnownInstances, RecoveredLedger } from '../core/arbiter/arbiter.ts'

const saidIdentity = z.strictObject({
  instance: instanceName,
  virtualRouterId: z.number().int(),
  vips: z.array(z.string()),
  present: z.boolean(),
})

const contentSchema = z.strictObject({
  cluster: clusterName,
  ballots: z.record(instanceName, ballotSchema),
  /** An earlier ledger of this cluster was lost, so an instance without a ballot here may have had one there. */
  lostBefore: z.boolean(),
  /**
   * What each node calls each instance, and what identifies it there. A ledger of an earlier version does not have it.
   */
  known: z.record(instanceName, z.record(nodeName, saidIdentity)).optional(),
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
   * @param options.seenBefore whether this witness has seen the cluster before; if so, a missing ledger is a lost one
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
    const schema = contentSchema.refine(
      (content) => content.cluster === cluster,
      'it belongs to another cluster',
    )
    const store = await DurableStore.open<Content>(
      {
        path,
        format: 'keepalived-witness/ledger/1',
        schema,
        nowMs,
        ...(fileSystem === undefined ? {} : { fileSystem }),
      },
      { cluster, ballots: {}, lostBefore: false },
    )
    const state = stateOf(store.found, path, seenBefore)
    if (state.kind === 'lost') store.data.lostBefore = true
    return new Ledger(store, state)
  }

  /** How long the last write took until it was durable; null: none yet. */
  get lastWriteMs(): number | null {
    return this.#store.lastWriteMs
  }

  /**
   * What the arbiter starts from. A mark without a ballot is handed on too, because it shows that the ledger was rolled
   * back.
   */
  recovered(marks: Readonly<Record<string, Mark>> | null): RecoveredLedger {
    const { ballots, lostBefore, known } = this.#store.data
    const instances = new Set([...Object.keys(ballots), ...Object.keys(marks ?? {})])
    const found = [...instances].map((instance): [string, RecoveredBallot] => {
      const ballot = ballots[instance] ?? null
      if (ballot === null && lostBefore) return [instance, { kind: 'lost' }]
      return [instance, { kind: 'valid', ballot, mark: marks?.[instance] ?? null }]
    })
    return {
      ballots: new Map(found),
      others: lostBefore ? 'lost' : 'new',
      ...(known === undefined
        ? {}
        : {
            known: new Map(Object.entries(known).map(([key, said]) => [key, new Map(Object.entries(said))])),
          }),
    }
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

  /**
   * Settles when it is on disk what the nodes call their instances. A ballot that is recorded later never reaches the
   * disk before it.
   * @throws DurableFileError
   */
  note(known: KnownInstances): Promise<void> {
    const said: NonNullable<Content['known']> = {}
    for (const [key, byNode] of known)
      said[key] = Object.fromEntries(
        [...byNode].map(([node, each]) => [node, { ...each, vips: [...each.vips] }]),
      )
    return this.#store.update((data) => ({ ...data, known: said }))
  }

  /**
   * Writes the ledger as it is, so that a missing one is noticed from then on.
   * @throws DurableFileError
   */
  establish(): Promise<void> {
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
        reason: `${path} is missing, although this witness has seen the cluster before`,
        keptAs: null,
      }
  }
}
