/**
 * Tells the check that this node's vote was left with its peer: without a living agent it then refuses, and does not ask
 * the witness, whose "yes" supposes that the node's own vote is its own. On disk, since it must outlive the boot.
 */
import { closeSync, existsSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** @throws what the file system says; nothing is changed then */
export function writeLeftVote(stateDir: string, instance: string, on: boolean): void {
  const path = leftVotePath(stateDir, instance)
  if (existsSync(path) === on) return
  if (!on) {
    rmSync(path)
    return
  }
  for (const synced of [path, stateDir]) {
    const file = openSync(synced, synced === path ? 'w' : 'r', 0o644)
    try {
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  }
}

export function leftVotePath(stateDir: string, instance: string): string {
  return join(stateDir, `${instance}.left`)
}
