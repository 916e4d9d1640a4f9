/**
 * The permit file, which the check reads each second while the agent is alive. It expires at a deadline on the boot
 * clock, so that a dead or frozen agent permits nothing for long. Format: docs/reference/flows.md ("The check").
 */
import { join } from 'node:path'
import { replaceFile } from '../../shared/disk/run-folder.ts'

export interface Permit {
  readonly word: 'permit' | 'bar'
  /** Boot clock. */
  readonly untilMs: number
  readonly why: string
}

/**
 * One line: `permit <bootId> <untilMs> <reason…>`. The boot id keeps a file of another boot from permitting anything.
 * @throws RunFolderError
 */
export function writePermit(at: { runDir: string; instance: string; bootId: string }, permit: Permit): void {
  const why = permit.why.replaceAll(/\s+/g, ' ').trim()
  const untilMs = Math.floor(permit.untilMs)
  replaceFile(permitPath(at.runDir, at.instance), `${permit.word} ${at.bootId} ${untilMs} ${why}\n`)
}

export function permitPath(runDir: string, instance: string): string {
  return join(runDir, `${instance}.permit`)
}
