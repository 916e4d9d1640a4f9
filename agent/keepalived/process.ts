/**
 * keepalived's processes: the parent, and the child that speaks VRRP. The child is the one that counts, because it
 * holds the VIPs.
 */
import { closeSync, existsSync, openSync, readFileSync, readlinkSync, readSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { messageOf } from '../../shared/error-message.ts'
import type { ProcessState } from '../../shared/protocol/report.ts'

export interface PidFiles {
  readonly pidFile: string
  /**
   * Where the VRRP child's pid may be; the name differs between versions. The first file that names a live keepalived
   * counts.
   */
  readonly vrrpPidFiles: readonly string[]
}

/** keepalived's usual names (2.2: `vrrp.pid`, later: `keepalived_vrrp.pid`), beside the parent's. */
export function usualVrrpPidFiles(pidFile: string): string[] {
  const folder = dirname(pidFile)
  return [join(folder, 'vrrp.pid'), join(folder, 'keepalived_vrrp.pid')]
}

export interface ProcessLook {
  readonly state: ProcessState
  /** Identifies this start of keepalived: pid and start time, because pids are reused. Null when absent. */
  readonly identity: string | null
  readonly parentPid: number | null
  readonly vrrpPid: number | null
  /** Boot clock; when the younger of the two started. Null when absent. */
  readonly startedAtMs: number | null
  /** False: there is no pid file at all, so "absent" may also mean a wrong path. */
  readonly hasPidFile: boolean
}

interface Found {
  readonly pid: number
  readonly frozen: boolean
  readonly startedAtMs: number
}

/** A pid file that is missing means absent: keepalived removes its own at a clean end. */
export function lookAtKeepalived(files: PidFiles): ProcessLook {
  const processes = new KeepalivedProcesses(files)
  try {
    return processes.look()
  } finally {
    processes.close()
  }
}

/**
 * For repeated looks. The processes that were found are kept open, and the pid files are read again only if one of
 * the two has ended. An open `/proc/PID/stat` belongs to the process for which it was opened, even if the pid is
 * reused.
 */
export class KeepalivedProcesses {
  readonly #files: PidFiles
  #parent: WatchedProcess | null = null
  #vrrp: WatchedProcess | null = null

  constructor(files: PidFiles) {
    this.#files = files
  }

  look(): ProcessLook {
    const parent = this.#parent?.look() ?? null
    const vrrp = this.#vrrp?.look() ?? null
    return parent === null || vrrp === null ? this.#search() : this.#lookOf(parent, vrrp)
  }

  close(): void {
    this.#parent?.close()
    this.#vrrp?.close()
    this.#parent = null
    this.#vrrp = null
  }

  /** Searches by the pid files, as if nothing had been found before. */
  #search(): ProcessLook {
    this.close()
    const { pidFile, vrrpPidFiles } = this.#files
    this.#parent = WatchedProcess.open(pidFile)
    for (const path of vrrpPidFiles) this.#vrrp ??= WatchedProcess.open(path)
    return this.#lookOf(this.#parent?.found ?? null, this.#vrrp?.found ?? null)
  }

  #lookOf(parent: Found | null, vrrp: Found | null): ProcessLook {
    return {
      state: vrrp === null ? 'absent' : vrrp.frozen ? 'frozen' : 'running',
      identity: vrrp === null ? null : `${vrrp.pid}@${vrrp.startedAtMs}`,
      parentPid: parent?.pid ?? null,
      vrrpPid: vrrp?.pid ?? null,
      startedAtMs: vrrp === null ? null : Math.max(vrrp.startedAtMs, parent?.startedAtMs ?? 0),
      hasPidFile: vrrp !== null || this.#files.vrrpPidFiles.some((path) => existsSync(path)),
    }
  }
}

/**
 * Sends SIGKILL, to the parent first because it would start a new child.
 * @returns what could not be killed, in words; null: both have been killed or were not there
 */
export function killKeepalived(files: PidFiles): string | null {
  const { parentPid, vrrpPid } = lookAtKeepalived(files)
  const failures = [parentPid, vrrpPid].flatMap((pid) => {
    if (pid === null) return []
    try {
      process.kill(pid, 'SIGKILL')
      return []
    } catch (cause) {
      if (isCode(cause, 'ESRCH')) return []
      return [`SIGKILL to keepalived's process ${pid}: ${messageOf(cause)}`]
    }
  })
  return failures.length === 0 ? null : failures.join('; ')
}

/** /proc counts in USER_HZ, which is 100 on every Linux that runs Node.js. */
const millisecondsPerTick = 10

/** Holds the stat line of a process (proc(5)), which is shorter than this. */
const statText = Buffer.alloc(1024)

class WatchedProcess {
  readonly #pid: number
  readonly #descriptor: number
  /** As it was when it was opened. */
  readonly found: Found

  private constructor(pid: number, descriptor: number, found: Found) {
    this.#pid = pid
    this.#descriptor = descriptor
    this.found = found
  }

  /** The keepalived that the pid file names; null: none that lives. */
  static open(pidFile: string): WatchedProcess | null {
    const pid = Number(readOrNull(pidFile)?.trim())
    if (!Number.isSafeInteger(pid) || pid < 2) return null
    const descriptor = openOrNull(`/proc/${pid}/stat`)
    if (descriptor === null) return null
    const found = readStat(pid, descriptor)
    if (found !== null) return new WatchedProcess(pid, descriptor, found)
    closeSync(descriptor)
    return null
  }

  /** As it is now; null: it is gone. */
  look(): Found | null {
    return readStat(this.#pid, this.#descriptor)
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}

function readStat(pid: number, descriptor: number): Found | null {
  const stat = readOpenOrNull(descriptor)
  if (stat === null) return null
  // proc(5): "pid (comm) state …", start time is field 22. The comm may hold spaces and brackets itself.
  const comm = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 20)
  const state = fields[0] ?? ''
  const startedAtMs = Number(fields[19]) * millisecondsPerTick
  if (state === 'Z' || state === 'X' || state === 'x') return null
  if (!comm.startsWith('keepalived') && !runsKeepalived(pid)) return null
  return { pid, frozen: state === 'T' || state === 't', startedAtMs }
}

/** keepalived's `process_names` renames the process, but not the file it was started from. */
function runsKeepalived(pid: number): boolean {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`)).startsWith('keepalived')
  } catch {
    return false
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

function openOrNull(path: string): number | null {
  try {
    return openSync(path, 'r')
  } catch {
    return null
  }
}

/** Null: ESRCH, the process that it was opened for is gone. */
function readOpenOrNull(descriptor: number): string | null {
  try {
    return statText.toString('latin1', 0, readSync(descriptor, statText, 0, statText.length, 0))
  } catch {
    return null
  }
}

function isCode(cause: unknown, code: string): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === code
}
