/**
 * The disk did not take a ballot. As long as that is so, this node says in each answer that it can give no new vote, and
 * tries the disk now and then, so that nobody has to become MASTER to find out. Pure.
 */
import type { GuardEvent } from '../event.ts'
import { type Turn, set, tell } from '../turn.ts'

/** Soon enough for a service that waits for it, and rare enough for a disk that is in trouble. */
const tryAgainMs = 2000

/** Runs before each heartbeat. */
export function tryDisk(turn: Turn): void {
  const { guard, atMs } = turn
  if (!guard.ballotFails || atMs < guard.diskTriedAtMs + tryAgainMs) return
  // Until it has ended, there is no other try.
  set(turn, { diskTriedAtMs: Infinity })
  turn.effects.push({ type: 'try-disk' })
}

export function bookDiskTried(turn: Turn, { error }: GuardEvent & { type: 'disk-tried' }): void {
  set(turn, { diskTriedAtMs: turn.atMs })
  if (error === null) noteDiskWorks(turn)
}

/** Something has reached the disk. */
export function noteDiskWorks(turn: Turn): void {
  if (!turn.guard.ballotFails) return
  set(turn, { ballotFails: false })
  tell(
    turn,
    'promise-writable',
    'info',
    'The disk of this node can be written again, so this node votes again.',
  )
  // Others wait for this vote.
  turn.effects.push({ type: 'beat' })
}
