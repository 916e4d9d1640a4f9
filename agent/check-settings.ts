/**
 * What the check needs to ask the witness by itself, written by the agent so that an admin configures one thing once.
 * The certificate and the key that curl shows the witness are the agent's own (shared/credentials.ts).
 */
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface CheckSettings {
  readonly witness: string
  readonly cluster: string
  readonly node: string
  readonly mode: 'enforce' | 'observe'
  readonly alone: 'stop' | 'keep'
  readonly runDir: string
}

/** Writes `check.conf` in the state folder. */
export function writeCheckSettings(stateDir: string, settings: CheckSettings): void {
  mkdirSync(stateDir, { recursive: true, mode: 0o755 })
  const lines = [
    `WITNESS=${settings.witness}`,
    `CLUSTER=${settings.cluster}`,
    `NODE=${settings.node}`,
    `MODE=${settings.mode}`,
    `ALONE=${settings.alone}`,
    `RUN_DIR=${settings.runDir}`,
  ]
  place(join(stateDir, 'check.conf'), `${lines.join('\n')}\n`, 0o644)
}

function place(path: string, text: string, mode: number): void {
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, text, { mode })
  // The umask may have taken bits away, and a leftover of an earlier crash keeps its own mode.
  chmodSync(temporary, mode)
  renameSync(temporary, path)
}
