/** Reports one voter's promises as facts when they are given, renewed and given back; for the invariants only. */
import { assertNever } from '../../../shared/assert-never.ts'
import type { Ballot, Mark, Pledge } from '../../../shared/core/vote/voter.ts'
import type { Host } from '../world/host.ts'
import type { Witnessing } from './witnessing.ts'

/** Whether the effect ends the promise that was given before. */
export function isRelease(effect: { readonly type: string; readonly mark?: Mark }): boolean {
  return effect.type === 'mark' && effect.mark?.untilMs === 0
}

interface Promised {
  readonly to: string
  readonly epoch: number
  /** Infinity: the voter's node left its vote there. */
  readonly untilMs: number
  readonly standing?: true
}

/** What a pledge promises now; null: nothing, or nothing new. */
function promiseOf(pledge: Pledge): Promised | null {
  switch (pledge.phase) {
    case 'promised':
      return pledge
    case 'standing':
      return { to: pledge.to, epoch: pledge.epoch, untilMs: Infinity, standing: true }
    case 'recording':
      return pledge.renewed ?? null
    case 'free':
    case 'waiting':
      return null
    default:
      return assertNever(pledge)
  }
}

export class PromiseTeller {
  readonly #voter: Host
  readonly #witnessing: Witnessing
  readonly #onDisk: () => Ballot | null
  #told: Promised | null = null

  /** @param onDisk the ballot that the voter's disk has now */
  constructor(voter: Host, witnessing: Witnessing, onDisk: () => Ballot | null) {
    this.#voter = voter
    this.#witnessing = witnessing
    this.#onDisk = onDisk
  }

  /**
   * Must be called after each event of the voter.
   * @param released whether the voter wrote a mark that ends its promise, so that it was given back, and perhaps given
   * again in the same moment
   */
  look(pledge: Pledge | undefined, released: boolean): void {
    if (released) this.#giveBack()
    const promise = pledge === undefined ? null : promiseOf(pledge)
    if (promise === null) return
    const told = this.#told
    this.#told = promise
    const { to, epoch, untilMs } = promise
    if (told?.to !== to || told.epoch !== epoch || told.untilMs !== untilMs)
      this.#tell(promise, Number.isFinite(untilMs) ? this.#voter.trueMsOf(untilMs) : Infinity)
  }

  #giveBack(): void {
    const told = this.#told
    this.#told = null
    const { nowMs } = this.#voter.timeline
    // A promise that expired is not reported, because everybody knew when it would. What is on the disk now does not
    // matter, because the next ballot may be there already.
    if (told !== null && this.#voter.trueMsOf(told.untilMs) > nowMs) this.#fact(told, nowMs, true)
  }

  /** A check got a yes, whatever that yes is based on. */
  answered(pledge: Pledge | undefined): void {
    if (pledge?.phase === 'recording') this.#tell(pledge.ballot, this.#voter.timeline.nowMs)
  }

  #tell({ to, epoch, standing }: Ballot, untilMs: number): void {
    const written = this.#onDisk()
    // A voter that lost its disk has learnt from the holder that it left its vote there.
    const recalled = standing === true && written === null
    // A standing vote on the disk binds no less than the promise that is renewed until the voter knows of it.
    const isThere = written?.standing === standing || written?.standing === true
    const onDisk = written?.to === to && written.epoch === epoch && isThere
    this.#fact({ to, epoch }, untilMs, onDisk || recalled)
  }

  #fact({ to, epoch }: Ballot, untilMs: number, onDisk: boolean): void {
    this.#witnessing.fact({ type: 'promise', voter: this.#voter.name, to, epoch, untilMs, onDisk })
  }
}
