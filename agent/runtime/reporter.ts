/**
 * What the agent reports to its operator: a line in its log, an event at the witness, and how drills ended. While the
 * witness is not connected, the last reports are kept for it.
 */
import type { Log } from '../../shared/host/log.ts'
import type { Drilled } from '../../shared/protocol/report.ts'
import type { Tell } from '../../shared/protocol/messages.ts'
import type { TellLevel } from '../core/guard/guard.ts'

export interface ReportedEvent {
  readonly instance: string | null
  readonly event: string
  readonly level: TellLevel
  readonly text: string
}

/** Few enough to be sent at once without reaching the rate limit of a connection. */
const keptAtMost = 100
const longestText = 500
/** A problem that continues is reported again this often. */
const problemAgainMs = 600_000

export class Reporter {
  readonly #log: Log
  readonly #send: (message: Tell | Drilled) => boolean
  readonly #nowMs: () => number
  #kept: (Tell | Drilled)[] = []
  readonly #problems = new Map<string, number>()
  /** Faults that last, by their stable names. */
  readonly #lasting = new Map<string, string>()

  /** @param send false: not connected. */
  constructor(log: Log, send: (message: Tell | Drilled) => boolean, nowMs: () => number) {
    this.#log = log
    this.#send = send
    this.#nowMs = nowMs
  }

  tell({ instance, event, level, text }: ReportedEvent): void {
    const facts = instance === null ? {} : { instance }
    if (level === 'critical') this.#log.error(event, text, facts)
    else if (level === 'warning') this.#log.warn(event, text, facts)
    else this.#log.info(event, text, facts)
    this.#keep({ type: 'tell', instance, event, level, text: text.slice(0, longestText) })
  }

  drilled(drilled: Drilled): void {
    const { instance, result, text } = drilled
    if (result === 'failed') this.#log.warn('drill-failed', text, { instance })
    else this.#log.info(`drill-${result}`, text, { instance })
    this.#keep(drilled)
  }

  #keep(message: Tell | Drilled): void {
    this.#kept = [...this.#kept, message].slice(-keptAtMost)
    this.flush()
  }

  /** Reports a fault of the installation, at most once in `problemAgainMs`; `what` is its stable name. */
  problem(what: string, text: string): void {
    const reportedAtMs = this.#problems.get(what)
    if (reportedAtMs !== undefined && this.#nowMs() - reportedAtMs < problemAgainMs) return
    this.#problems.set(what, this.#nowMs())
    this.tell({ instance: null, event: what, level: 'warning', text })
  }

  /** What is wrong now, for `status` and `doctor`. */
  get lasting(): readonly string[] {
    return [...this.#lasting.values()]
  }

  /** A fault that lasts until this is called again with null; reported like a problem. */
  lastingProblem(what: string, text: string | null): void {
    if (text === null) return void this.#lasting.delete(what)
    this.#lasting.set(what, text)
    this.problem(what, text)
  }

  /** The witness is connected and gets what was kept for it. */
  flush(): void {
    for (let next = this.#kept[0]; next !== undefined; next = this.#kept[0]) {
      if (!this.#send(next)) return
      this.#kept.shift()
    }
  }
}
