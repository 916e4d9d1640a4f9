/**
 * What the agent tells its operator: a line in the log here, and an event at the witness. While the witness is not
 * connected the last ones are kept for it.
 */
import type { Log } from '../shared/log.ts'
import type { Tell } from '../shared/protocol.ts'
import type { TellLevel } from './guard.ts'

export interface Told {
  readonly instance: string | null
  readonly event: string
  readonly level: TellLevel
  readonly text: string
}

/** Few enough to be sent at once without reaching the transport's rate limit. */
const keptAtMost = 100
const longestText = 500
/** A problem that goes on is told again this often. */
const problemAgainMs = 600_000

export class TellLine {
  readonly #log: Log
  readonly #send: (tell: Tell) => boolean
  readonly #nowMs: () => number
  #kept: Tell[] = []
  readonly #problems = new Map<string, number>()

  /** @param send false: not connected. */
  constructor(log: Log, send: (tell: Tell) => boolean, nowMs: () => number) {
    this.#log = log
    this.#send = send
    this.#nowMs = nowMs
  }

  tell({ instance, event, level, text }: Told): void {
    const facts = instance === null ? {} : { instance }
    if (level === 'critical') this.#log.error(event, text, facts)
    else if (level === 'warning') this.#log.warn(event, text, facts)
    else this.#log.info(event, text, facts)
    this.#kept = [
      ...this.#kept,
      { type: 'tell' as const, instance, event, level, text: text.slice(0, longestText) },
    ].slice(-keptAtMost)
    this.flush()
  }

  /** A fault of the installation, told once in a while: `what` is its stable name. */
  problem(what: string, text: string): void {
    const toldAtMs = this.#problems.get(what)
    if (toldAtMs !== undefined && this.#nowMs() - toldAtMs < problemAgainMs) return
    this.#problems.set(what, this.#nowMs())
    this.tell({ instance: null, event: what, level: 'warning', text })
  }

  /** The witness is connected: it gets what was kept. */
  flush(): void {
    for (let next = this.#kept[0]; next !== undefined; next = this.#kept[0]) {
      if (!this.#send(next)) return
      this.#kept.shift()
    }
  }
}
