/**
 * What the agent must remember over its own restart and the host's: its promises, what it fenced, and the last plan,
 * so that any two of witness and agents can start without the third.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { ballotSchema } from '../shared/ballot.ts'
import { DurableStore, type FileSystem, type Found } from '../shared/durable-file.ts'
import { MarkFile } from '../shared/mark-file.ts'
import { planSchema, type Plan } from '../shared/protocol.ts'
import type { Ballot, Mark, RecoveredBallot } from '../shared/vote.ts'
import type { FenceMemory } from './guard.ts'

const memorySchema = z.strictObject({
  stopped: z.boolean(),
  number: z.number().int().min(0),
  recentAtMs: z.array(z.number()).max(1000),
  /** There only while a drill runs, so that an older agent can read what this one leaves. */
  drilling: z.literal(true).optional(),
})
const stateSchema = z.strictObject({
  bootId: z.string(),
  plan: planSchema.nullable(),
  ballots: z.record(z.string(), ballotSchema),
  memories: z.record(z.string(), memorySchema),
  /** An earlier file was lost: an instance without a ballot here may have had one there. */
  lostBefore: z.boolean(),
})
type State = z.infer<typeof stateSchema>

const noMemory: FenceMemory = { stopped: false, number: 0, recentAtMs: [] }

export class AgentStore {
  readonly #store: DurableStore<State>
  readonly #marks: MarkFile
  readonly #recoveredMarks: Readonly<Record<string, Mark>> | null

  private constructor(store: DurableStore<State>, marks: MarkFile) {
    this.#store = store
    this.#marks = marks
    this.#recoveredMarks = marks.recover()
  }

  static async open(at: {
    readonly stateDir: string
    readonly runDir: string
    readonly bootId: string
    readonly nowMs: () => number
    readonly fileSystem?: FileSystem
  }): Promise<AgentStore> {
    const { bootId, nowMs, fileSystem } = at
    const store = await DurableStore.open<State>(
      {
        path: join(at.stateDir, 'state.json'),
        format: 'keepalived-witness/agent/1',
        schema: stateSchema,
        nowMs,
        ...(fileSystem === undefined ? {} : { fileSystem }),
      },
      { bootId, plan: null, ballots: {}, memories: {}, lostBefore: true },
    )
    if (store.data.bootId !== bootId) {
      // Instants of another boot's clock mean nothing. It is on disk with the next write, which comes before they count.
      store.data.bootId = bootId
      for (const memory of Object.values(store.data.memories)) memory.recentAtMs = []
    }
    return new AgentStore(store, new MarkFile(join(at.runDir, 'agent.marks'), bootId))
  }

  /** How the state file was found, for the log. */
  get found(): Found<unknown> {
    return this.#store.found
  }

  get plan(): Plan | null {
    return this.#store.data.plan
  }

  memory(instance: string): FenceMemory {
    return this.#store.data.memories[instance] ?? noMemory
  }

  /** A state file that is missing counts as lost, too: nobody can tell a first start from a deleted folder. */
  recovered(instance: string): RecoveredBallot {
    const ballot = this.#store.data.ballots[instance] ?? null
    if (ballot === null && this.#store.data.lostBefore) return { kind: 'lost' }
    return { kind: 'valid', ballot, mark: this.#recoveredMarks?.[instance] ?? null }
  }

  /** Settles when the ballot is on disk. @throws DurableFileError */
  record(instance: string, ballot: Ballot): Promise<void> {
    return this.#store.update((state) => ({
      ...state,
      ballots: { ...state.ballots, [instance]: { to: ballot.to, epoch: ballot.epoch } },
    }))
  }

  /**
   * Synchronous, before the promise leaves.
   * @returns whether the mark is kept; false costs a wait after the next restart, nothing else
   * @throws MarkFileError: no promise may be given
   */
  mark(instance: string, mark: Mark): boolean {
    return this.#marks.set(instance, mark)
  }

  remember(instance: string, { recentAtMs, ...memory }: FenceMemory): Promise<void> {
    return this.#store.update((state) => ({
      ...state,
      memories: { ...state.memories, [instance]: { ...memory, recentAtMs: [...recentAtMs] } },
    }))
  }

  keepPlan(plan: Plan): Promise<void> {
    return this.#store.update((state) => ({ ...state, plan }))
  }
}
