/**
 * keepalived's processes: the parent, and the child that speaks VRRP. The child decides, since it holds the VIPs.
 */
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { ProcessState } from '../shared/protocol.ts'

export interface PidFiles {
  readonly pidFile: string
  /** Where the VRRP child's pid may be; the first that names a live keepalived counts. Its name differs between versions. */
  readonly vrrpPidFiles: readonly string[]
}

/** keepalived's usual names (2.2: `vrrp.pid`, later: `keepalived_vrrp.pid`), beside the parent's. */
export function usualVrrpPidFiles(pidFile: string): string[] {
  const folder = dirname(pidFile)
  return [join(folder, 'vrrp.pid'), join(folder, 'keepalived_vrrp.pid')]
}

export interface ProcessLook {
  readonly state: ProcessState
  /** Which start of keepalived this is: pid and start time, since pids are used again. Null when absent. */
  readonly identity: string | null
  readonly parentPid: number | null
  readonly vrrpPid: number | null
  /** Boot clock; when the younger of the two started. Null when absent. */
  readonly startedAtMs: number | null
  /** False: there is no pid file at all, so that "absent" may also mean a wrong path. */
  readonly hasPidFile: boolean
}

interface Found {
  readonly pid: number
  readonly frozen: boolean
  readonly startedAtMs: number
}

/** A pid file that is missing means absent: keepalived removes its own at a clean end. */
export function lookAtKeepalived({ pidFile, vrrpPidFiles }: PidFiles): ProcessLook {
  const parent = find(pidFile)
  const vrrp = vrrpPidFiles.map(find).find((found) => found !== null) ?? null
  return {
    state: vrrp === null ? 'absent' : vrrp.frozen ? 'frozen' : 'running',
    identity: vrrp === null ? null : `${vrrp.pid}@${vrrp.startedAtMs}`,
    parentPid: parent?.pid ?? null,
    vrrpPid: vrrp?.pid ?? null,
    startedAtMs: vrrp === null ? null : Math.max(vrrp.startedAtMs, parent?.startedAtMs ?? 0),
    hasPidFile: vrrp !== null || vrrpPidFiles.some((path) => existsSync(path)),
  }
}

/**
 * SIGKILL, the parent first: it would start a new child.
 * @returns what could not be killed, in words; null: both are gone or were not there.
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
      return [`SIGKILL to keepalived's process ${pid}: ${cause instanceof Error ? cause.message : 'failed'}`]
    }
  })
  return failures.length === 0 ? null : failures.join('; ')
}

/** /proc counts in USER_HZ, which is 100 on every Linux that runs Node.js. */
const millisecondsPerTick = 10

function find(pidFile: string): Found | null {
  const pid = Number(readOrNull(pidFile)?.trim())
  if (!Number.isSafeInteger(pid) || pid < 2) return null
  const stat = readOrNull(`/proc/${pid}/stat`)
  if (stat === null) return null
  // proc(5): "pid (comm) state …", start time is field 22. The comm may hold spaces and brackets itself.
  const comm = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
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

function isCode(cause: unknown, code: string): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === code
}
