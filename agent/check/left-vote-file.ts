/**
 * The file that tells the check that this node's vote is delegated to its peer. Without a living agent the check then
 * refuses without asking the witness, because the witness's "yes" assumes that the node has its own vote. It is on
 * disk because it must survive a reboot.
 */
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Settles when the disk has it. A slow disk must not keep the agent from its heartbeats.
 * @throws the system's error
 */
export async function writeLeftVote(stateDir: string, instance: string, on: boolean): Promise<void> {
  const path = leftVotePath(stateDir, instance)
  if (!on) return rm(path, { force: true })
  for (const synced of [path, stateDir]) {
    const file = await open(synced, synced === path ? 'w' : 'r', 0o644)
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  }
}

export function leftVotePath(stateDir: string, instance: string): string {
  return join(stateDir, `${instance}.left`)
}
