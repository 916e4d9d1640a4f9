/** Tells of one voter's promises as they are given, renewed and given back; for invariants only. */
import type { Ballot, Mark, Pledge } from '../../shared/vote.ts'
import type { Host } from './host.ts'
import type { Witnessing } from './witnessing.ts'

/** Whether the effect ends the promise that was given before. */
export function isRelease(effect: { readonly type: string; readonly mark?: Mark }): boolean {
  return effect.type === 'mark' && effect.mark?.untilMs === 0
}

type Promised = Pledge & { phase: 'promised' }

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
   * After each event of the voter.
   * @param released whether it wrote a mark that ends its promise: given back, and maybe given anew in the same moment
   */
  look(pledge: Pledge | undefined, released: boolean): void {
    if (released) this.#giveBack()
    if (pledge?.phase !== 'promised') return
    const told = this.#told
    this.#told = pledge
    const { to, epoch, untilMs } = pledge
    if (told?.to !== to || told.epoch !== epoch || told.untilMs !== untilMs)
      this.#tell({ to, epoch }, this.#voter.trueMsOf(untilMs))
  }

  #giveBack(): void {
    const told = this.#told
    this.#told = null
    const { nowMs } = this.#voter.timeline
    // One that ran out is nothing to tell: everybody knew when it would.
    // What the disk says by now does not matter: a next ballot may be on it already.
    if (told !== null && this.#voter.trueMsOf(told.untilMs) > nowMs) this.#fact(told, nowMs, true)
  }

  /** A check got its yes: whatever stands behind it. */
  answered(pledge: Pledge | undefined): void {
    if (pledge?.phase === 'recording') this.#tell(pledge.ballot, this.#voter.timeline.nowMs)
  }

  #tell({ to, epoch }: Ballot, untilMs: number): void {
    const written = this.#onDisk()
    this.#fact({ to, epoch }, untilMs, written?.to === to && written.epoch === epoch)
  }

  #fact({ to, epoch }: Ballot, untilMs: number, onDisk: boolean): void {
    this.#witnessing.fact({ type: 'promise', voter: this.#voter.name, to, epoch, untilMs, onDisk })
  }
}
