/** Whether the disk is fast enough and has room. Votes are written to it before they are given. */
import { closeSync, fsyncSync, openSync, statfsSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../../shared/error-message.ts'
import type { Timing } from '../../../shared/core/timing.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

const writes = 5
const leastFreeBytes = 50 * 1024 * 1024

/** Writes as the agent does, in its folder, and removes the file again. */
export function checkStorage(
  stateDir: string,
  { claimMs, renewMs }: Pick<Timing, 'claimMs' | 'renewMs'>,
): Finding {
  const path = join(stateDir, `.doctor.${process.pid}`)
  const tookMs: number[] = []
  try {
    const descriptor = openSync(path, 'wx', 0o600)
    try {
      for (let write = 0; write < writes; write++) {
        const startedAtMs = performance.now()
        writeSync(descriptor, 'a ballot is about as long as this line, and is on disk before it counts\n')
        fsyncSync(descriptor)
        tookMs.push(performance.now() - startedAtMs)
      }
    } finally {
      closeSync(descriptor)
      unlinkSync(path)
    }
  } catch (cause) {
    return fail(
      'state-folder',
      `${stateDir} cannot be written (${messageOf(cause)}), so this node cannot vote for a new holder`,
      'free some disk space, or mount it writable; run the doctor as root',
    )
  }
  const worst = Math.round(Math.max(...tookMs))
  if (worst > renewMs)
    return fail(
      'state-folder',
      `a write to ${stateDir} took ${worst} ms (fsync), so takeovers would be refused`,
      'move stateDir to a faster disk, or find what keeps this one busy',
    )
  if (worst > claimMs)
    return warn(
      'state-folder',
      `a write to ${stateDir} took ${worst} ms (fsync), which is longer than claimMs (${claimMs} ms), so a takeover may need two tries`,
      'move stateDir to a faster disk, or find what keeps this one busy',
    )
  const { bavail, bsize } = statfsSync(stateDir)
  if (bavail * bsize < leastFreeBytes)
    return warn(
      'state-folder',
      `${stateDir} has only ${Math.round((bavail * bsize) / 1024 / 1024)} MiB left`,
      'free some disk space, because a node whose disk is full cannot vote for a new holder',
    )
  return ok(
    'state-folder',
    `a write to ${stateDir} takes at most ${worst} ms to reach the disk (${writes} writes)`,
  )
}
