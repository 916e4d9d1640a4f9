/** What is going on with an instance, in the form in which events and status report it. */
import type { Situation } from '../../../shared/protocol/view.ts'
import type { NodeName } from '../../../shared/protocol/names.ts'

export interface Judgement {
  readonly situation: Situation
  readonly level: 'info' | 'warning' | 'critical'
  /** The node that the situation is about; null: the instance as a whole. */
  readonly subject: NodeName | null
  readonly text: string
  readonly evidence: Readonly<Record<string, unknown>>
  readonly decision: string | null
}
