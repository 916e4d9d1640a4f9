/** What can be going on with an instance, and what is said of it. */
import type { NodeName } from '../shared/protocol.ts'

export const situations = [
  'normal',
  'no-master',
  'dual-master',
  'agent-down',
  'host-down',
  'contested',
  'id-conflict',
  'starting',
] as const
export type Situation = (typeof situations)[number]

export interface Judgement {
  readonly situation: Situation
  readonly level: 'info' | 'warning' | 'critical'
  /** The node that the situation is about; null: the instance as a whole. */
  readonly subject: NodeName | null
  readonly text: string
  readonly evidence: Readonly<Record<string, unknown>>
  readonly decision: string | null
}
