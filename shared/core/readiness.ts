/** Could this node take the VIP at once? One rule for the witness and for the other node's agent. */
import type { Report } from '../protocol/report.ts'

export function isReadyToTake({ phase, keepalived, process, left }: Report): boolean {
  // One whose vote was left here has none of its own to win by.
  if (process !== 'running' || left !== undefined) return false
  if (phase === 'gated') return true
  return keepalived === 'BACKUP' && (phase === 'standby' || phase === 'probation')
}
