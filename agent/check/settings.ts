/**
 * What the check needs to ask the witness by itself. The agent writes it, so that an admin configures everything in
 * one place. The certificate and the key that curl shows the witness are the agent's own
 * (shared/identity/credentials.ts).
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { placeFileInBackground } from '../../shared/disk/placed-file.ts'

export interface CheckSettings {
  readonly witness: string
  readonly cluster: string
  readonly node: string
  readonly mode: 'enforce' | 'observe'
  readonly alone: 'stop' | 'keep'
  readonly runDir: string
  /** The instances for which this node enforces. Where the agent is dead the check refuses nothing else. */
  readonly armed: readonly string[]
}

/**
 * Writes `check.conf` in the state folder, durably: after a crash of the host the check may run without an agent.
 * Settles when it is on disk.
 */
export async function writeCheckSettings(stateDir: string, settings: CheckSettings): Promise<void> {
  mkdirSync(stateDir, { recursive: true, mode: 0o755 })
  const lines = [
    `WITNESS=${settings.witness}`,
    `CLUSTER=${settings.cluster}`,
    `NODE=${settings.node}`,
    `MODE=${settings.mode}`,
    `ALONE=${settings.alone}`,
    `RUN_DIR=${settings.runDir}`,
    `ARMED=${settings.armed.join(' ')}`,
  ]
  await placeFileInBackground(join(stateDir, 'check.conf'), `${lines.join('\n')}\n`, 0o644)
}
