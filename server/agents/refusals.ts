/** Counts what was refused before it reached a cluster, and logs it without letting a stranger fill the log. */
import type { Log } from '../../shared/host/log.ts'

export type RefusalKind =
  | 'unauthenticated'
  | 'too-many-connections'
  | 'too-many-requests'
  | 'too-many-messages'
  | 'too-many-hellos'
  | 'too-many-tells'
  | 'unknown-path'
  | 'malformed-upgrade'
  | 'handshake-failed'
  | 'impersonation'
  | 'forbidden'
  | 'unknown-invite'
  | 'malformed'
  | 'no-hello'
  | 'unknown-cluster'

/** At most one line of each kind is logged within this time. */
const quietMs = 10_000

export class Refusals {
  readonly #log: Log
  readonly #nowMs: () => number
  readonly #counts = new Map<RefusalKind, number>()
  readonly #toldAtMs = new Map<RefusalKind, number>()

  constructor(log: Log, nowMs: () => number) {
    this.#log = log
    this.#nowMs = nowMs
  }

  count(kind: RefusalKind, text: string, facts: Readonly<Record<string, unknown>> = {}): void {
    const count = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, count)
    const atMs = this.#nowMs()
    const toldAtMs = this.#toldAtMs.get(kind)
    if (toldAtMs !== undefined && atMs - toldAtMs < quietMs) return
    this.#toldAtMs.set(kind, atMs)
    this.#log.warn('refused', text, { kind, count, ...facts })
  }

  /** How many of each kind were refused since the witness started. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts)
  }
}
