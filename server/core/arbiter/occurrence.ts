/** What the arbiter reports to operators. It is part of the arbiter's interface, because the event log reads it. */
import type { NodeName } from '../../../shared/protocol/names.ts'

/** An event for operators. The shell keeps a bounded number of them across restarts. */
export interface Occurrence {
  readonly event: string
  readonly level: 'info' | 'warning' | 'critical'
  readonly instance: string | null
  readonly node: NodeName | null
  /** One sentence in plain words. */
  readonly text: string
  /** The facts it rests on. */
  readonly evidence: Readonly<Record<string, unknown>>
  /** What was decided because of it; null: nothing. */
  readonly decision: string | null
}
