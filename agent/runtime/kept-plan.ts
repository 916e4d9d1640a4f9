/** The plan on disk, and what this agent may say of it to the witness, which then lets a new node join. */
import { planMarkOf } from '../../shared/core/plan-mark.ts'
import type { Plan } from '../../shared/protocol/plan.ts'

/** A disk that was full may have room again. */
const keepAgainMs = 2000

export interface PlanStore {
  keepPlan(plan: Plan): Promise<void>
  countsBeyond(plan: Plan): boolean
}

export class KeptPlan {
  readonly #store: PlanStore
  readonly #onError: (cause: unknown) => void
  #plan: Plan | null = null
  #isOnDisk = false
  #again: NodeJS.Timeout | null = null

  /** @param onError the plan could not be written; it is tried again */
  constructor(store: PlanStore, onError: (cause: unknown) => void) {
    this.#store = store
    this.#onError = onError
  }

  /** This plan was found on disk. */
  found(plan: Plan): void {
    this.#plan = plan
    this.#isOnDisk = true
  }

  /** Writes this plan, until it is on disk or another one takes its place. */
  keep(plan: Plan): void {
    this.close()
    this.#plan = plan
    this.#isOnDisk = false
    this.#store.keepPlan(plan).then(
      () => {
        if (this.#plan === plan) this.#isOnDisk = true
      },
      (cause: unknown) => {
        this.#onError(cause)
        if (this.#plan === plan) this.#again = setTimeout(() => this.keep(plan), keepAgainMs)
      },
    )
  }

  /**
   * Who belongs to the plan that is in use and on disk; undefined: that is not sure, or there is a delegated vote, which
   * does not expire and may count under an earlier plan.
   */
  get mark(): string | undefined {
    const plan = this.#plan
    return plan === null || !this.#isOnDisk || this.#store.countsBeyond(plan) ? undefined : planMarkOf(plan)
  }

  close(): void {
    if (this.#again !== null) clearTimeout(this.#again)
    this.#again = null
  }
}
