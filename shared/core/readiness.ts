/** Whether a node could take the VIP at once: one rule for the witness and for the other node's agent. Pure. */
import type { Report } from '../protocol/report.ts'

export function isReadyToTake({ phase, keepalived, process, left }: Report): boolean {
  // A node that has delegated its vote has no vote of its own to win with.
  if (process !== 'running' || left !== undefined) return false
  if (phase === 'gated') return true
  return keepalived === 'BACKUP' && (phase === 'standby' || phase === 'probation')
}
