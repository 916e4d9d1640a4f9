/** Hands what happens in a simulation to everything that judges, hashes or prints it. */
import type { Occurrence } from '../../../server/core/arbiter/arbiter.ts'
import {
  type FromAgent,
  type FromVoter,
  parseFromAgent,
  parseFromVoter,
} from '../../../shared/protocol/messages.ts'
import type { Fact, ProgramName, ProgramState, Timed } from '../../invariants/facts.ts'
import type { Timeline } from '../world/timeline.ts'

export interface Listener {
  fact(timed: Timed): void
  /** A line for people: a message of an agent or an event of the witness. */
  line?(atMs: number, who: string, text: string): void
}

export class Witnessing {
  readonly #timeline: Timeline
  readonly #listeners: readonly Listener[]
  /** Messages go through the production parser, as on the wire. */
  readonly #onTheWire: boolean

  constructor(timeline: Timeline, options: { listeners: readonly Listener[]; onTheWire: boolean }) {
    this.#timeline = timeline
    this.#listeners = options.listeners
    this.#onTheWire = options.onTheWire
  }

  fact(fact: Fact): void {
    const timed = { atMs: this.#timeline.nowMs, fact }
    for (const listener of this.#listeners) listener.fact(timed)
  }

  program(at: { host: string; program: ProgramName; state: ProgramState }): void {
    this.fact({ type: 'program', ...at })
  }

  told(who: string, event: string, text: string): void {
    for (const listener of this.#listeners) listener.line?.(this.#timeline.nowMs, who, `${event}: ${text}`)
  }

  occurred(occurrence: Occurrence): void {
    this.told('witness', occurrence.event, occurrence.text)
  }

  fromAgent(data: object): FromAgent {
    return this.#onTheWire ? parseFromAgent(JSON.stringify(data)) : (data as FromAgent)
  }

  fromVoter(data: object): FromVoter {
    return this.#onTheWire ? parseFromVoter(JSON.stringify(data)) : (data as FromVoter)
  }
}
