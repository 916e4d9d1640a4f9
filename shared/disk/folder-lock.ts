/**
 * Allows one process per state folder, because two voters on one ledger would give one vote twice. The lock lasts as
 * long as the process, even if it ends by SIGKILL, so nobody has to clean up.
 *
 * Node.js has no flock(2). Each process creates an empty file in the folder whose name identifies it: pid, start time
 * of that pid, boot. It then looks for the files of others, and gives up if the process of one is alive. Because
 * every process writes before it looks, at least one of two that start at the same moment sees the other. Both may
 * give up, but never do both continue. The file of a dead process is removed by its name, which no later process can
 * have, so a fresh lock is never removed in place of a stale one.
 *
 * It sees processes of this host and of this pid namespace only.
 */
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Another process uses the folder, or the folder cannot be locked. The message says which, and what to do. */
export class FolderLockError extends Error {
  readonly code = 'folder-lock'
}

export interface FolderLock {
  /** The path of the lock; null: the disk is full, so this process only looked for others. */
  readonly path: string | null
  /** For an orderly end. A process that just ends leaves a lock that no longer counts. */
  release(): void
}

interface Owner {
  readonly pid: number
  /** Clock ticks since boot (proc(5), field 22 of `/proc/PID/stat`). */
  readonly startedTicks: string
  readonly bootId: string
}

/**
 * Locks a folder for this process; creates it if it is missing.
 * @param folder.program the program that uses the folder, for the error
 * @param folder.option the option that names another folder, for the error
 * @throws FolderLockError
 */
export function lockFolder(folder: {
  readonly path: string
  readonly program: string
  readonly option: string
  readonly bootId: string
  /** Creates the empty file, which must not exist yet; for tests. */
  readonly create?: (file: string) => void
}): FolderLock {
  const { path, program, option, bootId, create = createEmpty } = folder
  const startedTicks = ownStart()
  const own = join(path, fileName({ pid: process.pid, startedTicks, bootId }))
  makeFolder(path)
  const made = makeLock(path, () => create(own))
  for (const { owner, file } of locksIn(path)) {
    if (file === own) continue
    if (isAlive(owner, bootId)) {
      if (made) remove(own)
      throw new FolderLockError(
        `${path}: another ${program} is using this folder (pid ${owner.pid}), and two of them would give one vote twice; ` +
          `stop that one, or give this one a folder of its own with ${option}`,
      )
    }
    remove(file)
  }
  return { path: made ? own : null, release: () => (made ? remove(own) : undefined) }
}

/** The pid of the process that uses the folder now, without locking it; null: none, or the folder cannot be read. */
export function lockOwner(path: string, bootId: string): number | null {
  try {
    return locksIn(path).find(({ owner }) => isAlive(owner, bootId))?.owner.pid ?? null
  } catch {
    return null
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 })
  } catch (cause) {
    throw unusable(path, cause)
  }
}

/** @returns false if the disk is full, which must not keep a healthy host from starting */
function makeLock(folder: string, create: () => void): boolean {
  try {
    create()
    return true
  } catch (cause) {
    switch (cause instanceof Error && 'code' in cause ? cause.code : null) {
      case 'ENOSPC':
      case 'EDQUOT':
        return false
      case 'EEXIST':
        throw new FolderLockError(
          `${folder}: this process (pid ${process.pid}) is already using this folder`,
          {
            cause,
          },
        )
      default:
        throw unusable(folder, cause)
    }
  }
}

function unusable(folder: string, cause: unknown): FolderLockError {
  return new FolderLockError(
    `${folder}: cannot be locked (${String(cause)}); make it a folder that this user may read and write`,
    { cause },
  )
}

function createEmpty(file: string): void {
  closeSync(openSync(file, 'wx', 0o600))
}

function locksIn(folder: string): { readonly owner: Owner; readonly file: string }[] {
  return namesIn(folder).flatMap((name) => {
    const [, pid, startedTicks, bootId] = /^lock\.(\d+)\.(\d+)\.([^.]+)$/.exec(name) ?? []
    if (pid === undefined || startedTicks === undefined || bootId === undefined) return []
    return [{ owner: { pid: Number(pid), startedTicks, bootId }, file: join(folder, name) }]
  })
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch (cause) {
    throw unusable(folder, cause)
  }
}

function fileName({ pid, startedTicks, bootId }: Owner): string {
  return `lock.${pid}.${startedTicks}.${bootId}`
}

/** Pids are reused, also across boots, so a pid identifies one process only together with its start time and boot. */
function isAlive(owner: Owner, bootId: string): boolean {
  return owner.bootId === bootId && startOf(owner.pid) === owner.startedTicks
}

/** @throws FolderLockError if /proc is missing or belongs to another pid namespace, and so shows the wrong processes */
function ownStart(): string {
  const startedTicks = shownPid() === String(process.pid) ? startOf(process.pid) : null
  if (startedTicks !== null) return startedTicks
  throw new FolderLockError(
    `/proc does not show this process (pid ${process.pid}); mount the /proc of its own pid namespace`,
  )
}

function shownPid(): string | null {
  try {
    return readlinkSync('/proc/self')
  } catch {
    return null
  }
}

/** When the process started; null: it does not exist, or is a zombie. */
function startOf(pid: number): string | null {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return null
  }
  // "pid (comm) state …": the comm may hold spaces and brackets itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state] = fields
  return state === 'Z' || state === 'X' || state === 'x' ? null : (fields[19] ?? null)
}

function remove(file: string): void {
  try {
    unlinkSync(file)
  } catch {
    // Another process has removed it, or it stays and does not count.
  }
}
