/**
 * What the agent must remember across its own restart and a reboot: its promises, what it fenced, and the last plan,
 * so that any two of the witness and the agents can start without the third.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { ballotSchema } from '../../shared/disk/ballot-schema.ts'
import { DurableStore } from '../../shared/disk/durable-store.ts'
import type { FileSystem, Found } from '../../shared/disk/durable-file.ts'
import { MarkFile } from '../../shared/disk/mark-file.ts'
import { epochSchema, maxInstances, nodeName } from '../../shared/protocol/names.ts'
import { type Plan, planSchema } from '../../shared/protocol/plan.ts'
import { type InstanceIdentity, pairInstances } from '../../shared/core/instance-pairing.ts'
import { epochLeapAfterLoss } from '../../shared/core/vote/recovery.ts'
import type { Ballot, Mark, RecoveredBallot } from '../../shared/core/vote/voter.ts'
import { fenceMemorySchema, FenceMemoryFile, stored } from './fence-memory-file.ts'
import { type FenceMemory, type FoundStanding, type KeptBallot, wasArmed } from '../core/guard/guard.ts'
import { RunFolderError } from '../../shared/disk/run-folder.ts'

const stateSchema = z.strictObject({
  bootId: z.string(),
  plan: planSchema.nullable(),
  ballots: z.record(z.string(), ballotSchema),
  memories: z.record(z.string(), fenceMemorySchema),
  /** An earlier file was lost, so an instance without a ballot here may have had one there. */
  lostBefore: z.boolean(),
  /** The votes that peers delegated to this node when they left. */
  kept: z.record(z.string(), z.strictObject({ of: nodeName, epoch: epochSchema })).default({}),
  /**
   * Which instances are armed, where the ballots do not say it. Absent if it says nothing, so that an older agent can
   * read the file.
   */
  armed: z.record(z.string(), z.boolean()).optional(),
  /**
   * What identifies each instance, so that a promise binds when the instance has another name. A file of an earlier
   * version does not have it.
   */
  identities: z
    .record(z.string(), z.strictObject({ virtualRouterId: z.number().int(), vips: z.array(z.string()) }))
    .optional(),
})
type State = z.infer<typeof stateSchema>
type Identities = NonNullable<State['identities']>

const noMemory: FenceMemory = { stopped: false, number: 0, recentAtMs: [] }

export class AgentStore {
  readonly #store: DurableStore<State>
  readonly #marks: MarkFile
  readonly #fences: FenceMemoryFile
  #recoveredMarks: Readonly<Record<string, Mark>> | null
  readonly #rebooted: boolean
  #evidenceUnwritten = false

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
      // Instants of another boot's clock mean nothing. The change reaches the disk with the next write, which comes
      // before they are used.
      store.data.bootId = bootId
      for (const memory of Object.values(store.data.memories)) memory.recentAtMs = []
    }
    const fences = new FenceMemoryFile(at.runDir, bootId)
    // Newer than the disk if an agent was killed before its write ended. It reaches the disk with the next write.
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

  /**
   * keepalived.conf was read. What is kept of an instance follows its identity (shared/core/instance-pairing.ts), so a
   * promise of an instance that was renamed still binds.
   * @returns the names that mean another instance than before, and when it is on disk
   */
  identify(instances: readonly InstanceIdentity[]): { moved: ReadonlySet<string>; written: Promise<void> } {
    const identities: Identities = Object.fromEntries(
      instances.map(({ instance, virtualRouterId, vips }) => [
        instance,
        { virtualRouterId, vips: [...vips] },
      ]),
    )
    const before = this.#store.data.identities ?? {}
    const moves = movesOf(before, instances)
    const moved = new Set([...moves].flat())
    if (moved.size === 0 && JSON.stringify(before) === JSON.stringify(identities))
      return { moved, written: Promise.resolve() }
    // Instances that are gone for now are remembered: they may come back, under another name as well.
    const gone = Object.entries(before).filter(([name]) => !moved.has(name) && !(name in identities))
    this.#forgetMarks(moved)
    const written = this.#store.update((state) => ({
      ...movedState(state, moves),
      identities: { ...Object.fromEntries(gone.slice(-maxInstances)), ...identities },
    }))
    for (const now of moves.keys()) {
      const memory = this.#store.data.memories[now]
      if (memory !== undefined) this.#rememberHere(now, memory)
    }
    return { moved, written }
  }

  /** A mark says until when a promise lasts. Under another name it would end the wrong one. */
  #forgetMarks(names: ReadonlySet<string>): void {
    if (names.size === 0) return
    this.#marks.forget(names)
    if (this.#recoveredMarks === null) return
    this.#recoveredMarks = Object.fromEntries(
      Object.entries(this.#recoveredMarks).filter(([name]) => !names.has(name)),
    )
  }

  memory(instance: string): FenceMemory {
    return this.#store.data.memories[instance] ?? noMemory
  }

  /** A missing state file also counts as lost, because a first start cannot be distinguished from a deleted folder. */
  recovered(instance: string): RecoveredBallot {
    const ballot = this.#store.data.ballots[instance] ?? null
    if (ballot === null && this.#store.data.lostBefore) return { kind: 'lost' }
    return { kind: 'valid', ballot, mark: this.#recoveredMarks?.[instance] ?? null }
  }

  /**
   * Delegated votes: the peer's vote that this node keeps, and whether this node may have delegated its own without
   * knowing.
   */
  standing(instance: string): FoundStanding {
    return {
      kept: this.#store.data.kept[instance] ?? null,
      rebooted: this.#rebooted,
      inDoubt: this.recovered(instance).kind === 'lost',
    }
  }

  /** Whether this node enforces for the instance: it has once seen a settled cluster. */
  armed(instance: string): boolean {
    const { ballots, kept, armed } = this.#store.data
    const isArmed = wasArmed({
      noted: armed?.[instance],
      ballot: ballots[instance] ?? null,
      memory: this.memory(instance),
      kept: kept[instance] ?? null,
      stateTorn: this.found.kind === 'torn',
      marked: this.#recoveredMarks?.[instance] !== undefined,
    })
    // What a lost state file left as evidence is gone at the next start.
    if (isArmed && ballots[instance] === undefined && armed?.[instance] !== true) {
      this.#store.data.armed = { ...armed, [instance]: true }
      this.#evidenceUnwritten = true
    }
    return isArmed
  }

  /** Settles when what `armed` found by evidence is on disk. @throws DurableFileError */
  async noteEvidence(): Promise<void> {
    if (!this.#evidenceUnwritten) return
    await this.tryDisk()
    this.#evidenceUnwritten = false
  }

  /** Writes the file as it is, which shows whether the disk takes it. @throws DurableFileError */
  tryDisk(): Promise<void> {
    return this.#store.update((state) => state)
  }

  /** Settles when it is on disk that this node enforces for the instance. @throws DurableFileError */
  arm(instance: string): Promise<void> {
    return this.#store.update((state) => withArmed(state, instance, true))
  }

  /** Settles when the peer's delegated vote is on disk, or certainly removed from it. @throws DurableFileError */
  keepVote(instance: string, kept: KeptBallot | null): Promise<void> {
    return this.#store.update((state) => {
      const others = Object.fromEntries(Object.entries(state.kept).filter(([name]) => name !== instance))
      return { ...state, kept: kept === null ? others : { ...others, [instance]: kept } }
    })
  }

  /**
   * The operator takes back what this node delegated to its peer, which can no longer consent.
   * @returns the standing ballots, by instance
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
          // Above every epoch that the peer may have used unseen.
          standing === true ? { to, epoch: epoch + epochLeapAfterLoss } : { to, epoch },
        ]),
      ),
    }))
    return stood
  }

  /** Settles when the ballot is on disk. @throws DurableFileError */
  record(instance: string, ballot: Ballot): Promise<void> {
    // A ballot alone would show the next start an armed node, so that it is not armed yet goes to the disk with it.
    const armed = this.armed(instance)
    const written = {
      to: ballot.to,
      epoch: ballot.epoch,
      ...(ballot.standing === true ? { standing: true as const } : {}),
    }
    const before = this.#store.data.ballots[instance]
    const done = this.#store.update((state) =>
      withArmed({ ...state, ballots: { ...state.ballots, [instance]: written } }, instance, armed),
    )
    if (written.standing !== true || before === undefined) return done
    // A later write for another reason must not delegate the vote after all.
    return done.catch((cause: unknown) => {
      const { ballots } = this.#store.data
      if (ballots[instance] === written) this.#store.data.ballots = { ...ballots, [instance]: before }
      throw cause
    })
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
   * When this returns, the next process of this boot would know it. When it settles, it is on disk as well.
   * @throws RunFolderError: the disk alone has it; DurableFileError
   */
  remember(instance: string, memory: FenceMemory): Promise<void> {
    // This comes before the first `await`, because a stop command may follow at once.
    const unkept = this.#rememberHere(instance, memory)
    return this.#store
      .update((state) => ({ ...state, memories: { ...state.memories, [instance]: stored(memory) } }))
      .then(() => {
        if (unkept !== null) throw unkept
      })
  }

  /** A fence continues even if the run folder cannot be written. */
  #rememberHere(instance: string, memory: FenceMemory): RunFolderError | null {
    try {
      this.#fences.set(instance, memory)
      return null
    } catch (cause) {
      if (cause instanceof RunFolderError) return cause
      throw cause
    }
  }

  /** Whether a vote is delegated on disk, by this node or to it by a node that the plan does not have. */
  countsBeyond({ nodes }: Plan): boolean {
    const { ballots, kept } = this.#store.data
    return (
      Object.values(ballots).some(({ standing }) => standing === true) ||
      Object.values(kept).some(({ of }) => !nodes.some(({ name }) => name === of))
    )
  }

  keepPlan(plan: Plan): Promise<void> {
    return this.#store.update((state) => ({ ...state, plan }))
  }
}

/** An armed instance with a ballot needs no entry. */
function withArmed(state: State, instance: string, armed: boolean): State {
  const { armed: before = {}, ...others } = state
  const rest = Object.fromEntries(Object.entries(before).filter(([name]) => name !== instance))
  const next = armed && state.ballots[instance] !== undefined ? rest : { ...rest, [instance]: armed }
  return Object.keys(next).length === 0 ? others : { ...others, armed: next }
}

/** For each instance that has another name now: its name now, and the one before. */
function movesOf(before: Identities, instances: readonly InstanceIdentity[]): ReadonlyMap<string, string> {
  const known = Object.entries(before).map(([instance, identity]) => ({ instance, ...identity }))
  const moves = new Map<string, string>()
  for (const [now, match] of pairInstances(known, instances))
    if (match.kind === 'paired' && match.with !== now) moves.set(now, match.with)
  return moves
}

function movedState(state: State, moves: ReadonlyMap<string, string>): State {
  if (moves.size === 0) return state
  const gone = new Set(moves.values())
  const moved = <T>(entries: Readonly<Record<string, T>>): Record<string, T> => {
    const kept = Object.entries(entries).filter(([name]) => !gone.has(name) && !moves.has(name))
    const carried = [...moves].flatMap(([now, was]) => {
      const entry = entries[was]
      return entry === undefined ? [] : [[now, entry] as const]
    })
    return Object.fromEntries([...kept, ...carried])
  }
  return {
    ...state,
    ballots: moved(state.ballots),
    memories: moved(state.memories),
    kept: moved(state.kept),
    ...(state.armed === undefined ? {} : { armed: moved(state.armed) }),
  }
}
