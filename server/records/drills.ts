/**
 * The last drill of each node that passed, for people: who was drilled when, by which rung, in which time. Nothing is
 * decided on it: a file that is lost or torn only forgets, and a drill that cannot be written down has passed all the same.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { DurableStore } from '../../shared/disk/durable-store.ts'
import type { FileSystem } from '../../shared/disk/durable-file.ts'
import { drillRoles } from '../../shared/protocol/report.ts'
import { type NodeName, instanceName, nodeName } from '../../shared/protocol/names.ts'
import type { DrillEnd } from '../core/arbiter/arbiter.ts'
import type { DrillView } from '../../shared/protocol/view.ts'

const recordSchema = z.strictObject({
  /** RFC 3339, the witness's wall clock. */
  at: z.string(),
  instances: z.array(
    z.strictObject({
      instance: instanceName,
      role: z.enum(drillRoles),
      rungs: z.array(
        z.strictObject({
          rung: z.enum(['bar', 'stop', 'kill', 'last-resort']),
          proved: z.boolean(),
          tookMs: z.number(),
        }),
      ),
      backMs: z.number().nullable(),
    }),
  ),
})
const contentSchema = z.strictObject({ nodes: z.record(nodeName, recordSchema) })
type Content = z.infer<typeof contentSchema>

export class DrillRecords {
  readonly #store: DurableStore<Content>
  readonly #now: () => Date

  private constructor(store: DurableStore<Content>, now: () => Date) {
    this.#store = store
    this.#now = now
  }

  /** @param options.now the wall clock, for people */
  static async open(options: {
    dataDir: string
    cluster: string
    nowMs: () => number
    now: () => Date
    fileSystem?: FileSystem
  }): Promise<DrillRecords> {
    const { dataDir, cluster, nowMs, now, fileSystem } = options
    const store = await DurableStore.open<Content>(
      {
        path: drillPath(dataDir, cluster),
        format: 'keepalived-witness/drills/1',
        schema: contentSchema,
        nowMs,
        ...(fileSystem === undefined ? {} : { fileSystem }),
      },
      { nodes: {} },
    )
    return new DrillRecords(store, now)
  }

  /** Null: none that passed is known. */
  last(node: NodeName): DrillView | null {
    return this.#store.data.nodes[node] ?? null
  }

  /** Settles when it is on disk. @throws DurableFileError */
  keep(node: NodeName, ends: readonly DrillEnd[]): Promise<void> {
    const instances = ends.map(({ instance, role, rungs, backMs }) => ({ instance, role, rungs, backMs }))
    const record = { at: this.#now().toISOString(), instances }
    return this.#store.update((data) => ({ nodes: { ...data.nodes, [node]: record } }))
  }
}

export function drillPath(dataDir: string, cluster: string): string {
  return join(dataDir, 'drills', `${cluster}.json`)
}
