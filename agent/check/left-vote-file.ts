/**
 * The file that tells the check that this node's vote is delegated to its peer. Without a living agent the check then
 * refuses without asking the witness, because the witness's "yes" assumes that the node has its own vote. It is on
 * disk because it must survive a reboot.
 */
import { closeSync, existsSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** @throws the system's error; nothing is changed then */
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
