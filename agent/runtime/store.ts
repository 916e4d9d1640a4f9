/**
 * What the agent must remember over its own restart and the host's: its promises, what it fenced, and the last plan,
 * so that any two of witness and agents can start without the third.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { ballotSchema } from '../../shared/disk/ballot-schema.ts'
import { DurableStore } from '../../shared/disk/durable-store.ts'
import type { FileSystem, Found } from '../../shared/disk/durable-file.ts'
import { MarkFile } from '../../shared/disk/mark-file.ts'
import { epochSchema, nodeName } from '../../shared/protocol/names.ts'
import { type Plan, planSchema } from '../../shared/protocol/plan.ts'
import { epochGapAfterLoss } from '../../shared/core/vote/recovery.ts'
import type { Ballot, Mark, RecoveredBallot } from '../../shared/core/vote/voter.ts'
import { fenceMemorySchema, FenceMemoryFile, stored } from './fence-memory-file.ts'
import type { FenceMemory, FoundStanding, KeptBallot } from '../core/guard/guard.ts'
import { RunFolderError } from '../../shared/disk/run-folder.ts'

const stateSchema = z.strictObject({
  bootId: z.string(),
  plan: planSchema.nullable(),
  ballots: z.record(z.string(), ballotSchema),
  memories: z.record(z.string(), fenceMemorySchema),
  /** An earlier file was lost: an instance without a ballot here may have had one there. */
  lostBefore: z.boolean(),
  /** The votes that peers left with this node when they went. */
  kept: z.record(z.string(), z.strictObject({ of: nodeName, epoch: epochSchema })).default({}),
})
type State = z.infer<typeof stateSchema>

const noMemory: FenceMemory = { stopped: false, number: 0, recentAtMs: [] }

export class AgentStore {
  readonly #store: DurableStore<State>
  readonly #marks: MarkFile
  readonly #fences: FenceMemoryFile
  readonly #recoveredMarks: Readonly<Record<string, Mark>> | null
  readonly #rebooted: boolean

  private constructor(
    store: DurableStore<State>,
    { marks, fences }: { readonly marks: MarkFile; readonly fences: FenceMemoryFile },
    rebooted: boolean,
  ) {
    this.#store = store
    this.#rebooted = rebooted
    this.#marks = marks
    this.#fences = fences
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
      { bootId, plan: null, ballots: {}, memories: {}, lostBefore: true, kept: {} },
    )
    const rebooted = store.data.bootId !== bootId
    if (rebooted) {
      // Instants of another boot's clock mean nothing. It is on disk with the next write, which comes before they count.
      store.data.bootId = bootId
      for (const memory of Object.values(store.data.memories)) memory.recentAtMs = []
    }
    const fences = new FenceMemoryFile(at.runDir, bootId)
    // Newer than the disk where an agent was killed before its write ended; on disk with the next one.
    Object.assign(store.data.memories, fences.recover())
    return new AgentStore(
      store,
      { marks: new MarkFile(join(at.runDir, 'agent.marks'), bootId), fences },
      rebooted,
    )
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

  /** Votes that were left: that of the peer here, and whether one of this node may be out unknown to it. */
  standing(instance: string): FoundStanding {
    return {
      kept: this.#store.data.kept[instance] ?? null,
      rebooted: this.#rebooted,
      inDoubt: this.recovered(instance).kind === 'lost',
    }
  }

  /** Settles when the vote that the peer left here is on disk, or surely off it. @throws DurableFileError */
  keepVote(instance: string, kept: KeptBallot | null): Promise<void> {
    return this.#store.update((state) => {
      const others = Object.fromEntries(Object.entries(state.kept).filter(([name]) => name !== instance))
      return { ...state, kept: kept === null ? others : { ...others, [instance]: kept } }
    })
  }

  /**
   * The operator takes back what this node left with its peer, whose word can no longer be had.
   * @returns the ballots that stood, by instance
   * @throws DurableFileError
   */
  async takeVotesBack(): Promise<Readonly<Record<string, Ballot>>> {
    const stood = Object.fromEntries(
      Object.entries(this.#store.data.ballots).filter(([, { standing }]) => standing === true),
    )
    await this.#store.update((state) => ({
      ...state,
      ballots: Object.fromEntries(
        Object.entries(state.ballots).map(([name, { to, epoch, standing }]) => [
          name,
          // Above every epoch that the peer went through unseen.
          standing === true ? { to, epoch: epoch + epochGapAfterLoss } : { to, epoch },
        ]),
      ),
    }))
    return stood
  }

  /** Settles when the ballot is on disk. @throws DurableFileError */
  record(instance: string, ballot: Ballot): Promise<void> {
    return this.#store.update((state) => ({
      ...state,
      ballots: {
        ...state.ballots,
        [instance]: {
          to: ballot.to,
          epoch: ballot.epoch,
          ...(ballot.standing === true ? { standing: true as const } : {}),
        },
      },
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

  /**
   * When this returns, a successor of this process would know; when it settles, it is on disk as well.
   * @throws RunFolderError: the disk alone has it; DurableFileError
   */
  remember(instance: string, memory: FenceMemory): Promise<void> {
    // Before the first wait: a stop command may follow at once.
    const unkept = this.#rememberHere(instance, memory)
    return this.#store
      .update((state) => ({ ...state, memories: { ...state.memories, [instance]: stored(memory) } }))
      .then(() => {
        if (unkept !== null) throw unkept
      })
  }

  /** A fence goes on where the run folder cannot be written. */
  #rememberHere(instance: string, memory: FenceMemory): RunFolderError | null {
    try {
      this.#fences.set(instance, memory)
      return null
    } catch (cause) {
      if (cause instanceof RunFolderError) return cause
      throw cause
    }
  }

  keepPlan(plan: Plan): Promise<void> {
    return this.#store.update((state) => ({ ...state, plan }))
  }
}
