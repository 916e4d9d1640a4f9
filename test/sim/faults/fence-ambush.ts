/**
 * SIGKILL to an agent that is about to stop keepalived: between any two steps of that turn, or while the stop that it
 * ordered continues without it. The service manager starts the next agent soon after.
 */
import type { GuardEffect } from '../../../agent/core/guard/guard.ts'
import type { Chance } from '../world/chance.ts'

type Moment =
  /** Nothing is remembered yet. */
  | { readonly before: 'memory' }
  /** The stop is remembered, but the stop command does not run yet. */
  | { readonly before: 'stop' }
  /** The stop command has been running for this long. */
  | { readonly afterMs: number }

/** `now`: the agent dies before it carries out this effect. */
export type Blow = { readonly kind: 'now' } | { readonly kind: 'later'; readonly afterMs: number }

/** keepalived needs about one second to end. */
const stopMs = 1500

export class FenceAmbush {
  readonly #moment: Moment

  constructor(chance: Chance) {
    this.#moment = chance.pick<() => Moment>([
      () => ({ before: 'memory' }),
      () => ({ before: 'stop' }),
      () => ({ afterMs: chance.between(0, 5) }),
      () => ({ afterMs: chance.between(0, stopMs) }),
    ])()
  }

  /** The agent is about to carry this out. */
  strikes(effect: GuardEffect): Blow | null {
    const moment = this.#moment
    if (effect.type === 'fence' && effect.rung === 'stop')
      return 'afterMs' in moment ? { kind: 'later', afterMs: moment.afterMs } : { kind: 'now' }
    const remembers =
      (effect.type === 'remember' || effect.type === 'remember-first') && effect.memory.stopped
    return remembers && 'before' in moment && moment.before === 'memory' ? { kind: 'now' } : null
  }
}
