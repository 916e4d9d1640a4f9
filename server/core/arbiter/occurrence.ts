/**
 * What the arbiter tells operators. It is part of the arbiter's face: the event log, and later alerts, read
 * it.
 */
import type { NodeName } from '../../../shared/protocol/names.ts'

/** What operators read: kept by the shell, bounded, across restarts. */
export interface Occurrence {
  readonly event: string
  readonly level: 'info' | 'warning' | 'critical'
  readonly instance: string | null
  readonly node: NodeName | null
  /** One sentence in plain words. */
  readonly text: string
  /** The facts it rests on. */
  readonly evidence: Readonly<Record<string, unknown>>
  /** What was decided on it; null: nothing. */
  readonly decision: string | null
}
