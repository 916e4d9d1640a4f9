/**
 * keepalived's processes: the parent, and the child that speaks VRRP. The child is the one that counts, because it
 * holds the VIPs. A process that is not found is not a process that is gone: "absent" is always proved.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { assertNever } from '../../shared/assert-never.ts'
import { messageOf } from '../../shared/error-message.ts'
import type { ProcessSight } from '../core/guard/guard.ts'
import type { KeepalivedPlaces } from './places.ts'
import {
  elsewhereText,
  hasVrrpSocket,
  isInThisNetwork,
  isKeepalived,
  isLive,
  parseStatLine,
  searchKeepalived,
  type StatLine,
} from './process-table.ts'

export interface ProcessLook {
  readonly state: ProcessSight
  /** Identifies this start of keepalived: pid and start time, because pids are reused. Null when not seen. */
  readonly identity: string | null
  readonly parentPid: number | null
  readonly vrrpPid: number | null
  /** Boot clock; when the younger of the two started. Null when not seen. */
  readonly startedAtMs: number | null
  /**
   * Only when absent: it ended. It was seen alive, or its pid file names a process that is gone, so it may have left
   * its VIPs behind.
   */
  readonly died: boolean
  /** Only when unknown: why it cannot be found, in words. */
  readonly why: string | null
  /** Only when unknown: it runs, or ran last, in another network namespace, and its VIPs are there. */
  readonly elsewhere: boolean
}

/** Nothing was seen of keepalived. */
export const unseen = {
  identity: null,
  parentPid: null,
  vrrpPid: null,
  startedAtMs: null,
  died: false,
  why: null,
  elsewhere: false,
} as const

/** For the operator, with what to do. */
export function describeUnknown({ why, elsewhere }: ProcessLook): string {
  if (elsewhere)
    return `keepalived cannot be protected: ${why ?? ''}. The addresses that this agent sees are not those of keepalived, so they prove nothing, and SIGKILL and "ip addr del" would not reach its VIPs. ${elsewhereAdvice}`
  return `keepalived's process cannot be found (${why ?? 'no look at the process table yet'}). This agent removes no VIP because of that, but it cannot kill keepalived either if a fence needs it. Write the pid file of keepalived's VRRP process (its option -r, vrrp.pid) as keepalived.vrrpPidFile, and that of its parent (-p) as keepalived.pidFile, into agent.yaml`
}

export const elsewhereAdvice =
  'Run both in one network namespace: start keepalived without -s and net_namespace, or run "systemctl edit witness-agent" and write NetworkNamespacePath=/run/netns/NAME under [Service]'

/** One look without any earlier one. */
export function lookAtKeepalived(places: KeepalivedPlaces, proc?: string): ProcessLook {
  const processes = new KeepalivedProcesses(() => places, proc)
  try {
    return processes.look()
  } finally {
    processes.close()
  }
}

/** The search through the process table is not for each look, because it takes milliseconds. */
const searchEveryMs = 1000

/**
 * For repeated looks. The processes that were found are kept open, and are looked for again only if one of the two has
 * ended. An open `/proc/PID/stat` belongs to the process for which it was opened, even if the pid is reused.
 */
export class KeepalivedProcesses {
  readonly #places: () => KeepalivedPlaces
  readonly #proc: string
  readonly #nowMs: () => number
  #parent: WatchedProcess | null = null
  #vrrp: WatchedProcess | null = null
  /** When the VRRP child that was seen last had started; null: none was seen yet. */
  #seenStartedAtMs: number | null = null
  /** Where it was seen last, if that was in another network namespace: its end there proves nothing about its VIPs. */
  #elsewhere: string | null = null
  #searchAgainAtMs = -Infinity
  #unsearched: ProcessLook = { ...unseen, state: 'absent' }

  constructor(places: () => KeepalivedPlaces, proc = '/proc', nowMs = () => performance.now()) {
    this.#places = places
    this.#proc = proc
    this.#nowMs = nowMs
  }

  look(): ProcessLook {
    const parent = this.#parent?.look() ?? null
    const vrrp = this.#vrrp?.look() ?? null
    return parent === null || vrrp === null ? this.#find() : this.#sight(parent, vrrp)
  }

  close(): void {
    this.#parent?.close()
    this.#vrrp?.close()
    this.#parent = null
    this.#vrrp = null
  }

  /** Looks for it as if nothing had been found before: by the pid files, then in the process table. */
  #find(): ProcessLook {
    if (this.#vrrp !== null) this.#searchAgainAtMs = -Infinity
    this.close()
    const { pidFile, vrrpPidFiles, names } = this.#places()
    const open = (paths: readonly string[]): Opened => openFirst(this.#proc, paths, names)
    const parent = open([pidFile])
    const vrrp = open(vrrpPidFiles)
    this.#parent = parent.process
    this.#vrrp = vrrp.process
    if (this.#vrrp !== null) return this.#sight(this.#parent?.found ?? null, this.#vrrp.found)
    if (vrrp.elsewhere !== null) return this.#away(vrrp.elsewhere)
    return this.#search(this.#seenStartedAtMs !== null || vrrp.namesGone)
  }

  #sight(parent: Found | null, vrrp: Found): ProcessLook {
    this.#elsewhere = null
    this.#seenStartedAtMs = vrrp.startedAtMs
    return {
      ...unseen,
      state: vrrp.frozen ? 'frozen' : 'running',
      identity: `${vrrp.pid}@${vrrp.startedAtMs}`,
      parentPid: parent?.pid ?? null,
      vrrpPid: vrrp.pid,
      startedAtMs: Math.max(vrrp.startedAtMs, parent?.startedAtMs ?? 0),
    }
  }

  /**
   * No pid file names a live keepalived.
   * @param died one was there, and is gone
   */
  #search(died: boolean): ProcessLook {
    const { names, searchFor } = this.#places()
    const absent = (): ProcessLook =>
      this.#elsewhere === null
        ? { ...unseen, ...this.#parentOnly(), state: 'absent', died }
        : this.#away(`${this.#elsewhere}, or was until it ended`)
    if (searchFor === null) return absent()
    // Nobody speaks VRRP here, and the process that did is gone: there is no need to search.
    const isQuiet = hasVrrpSocket(this.#proc) === false
    if (this.#seenStartedAtMs !== null && isQuiet) return absent()
    if (this.#nowMs() < this.#searchAgainAtMs) return { ...this.#unsearched, ...this.#parentOnly() }
    this.#searchAgainAtMs = this.#nowMs() + searchEveryMs
    const result = searchKeepalived({
      names,
      config: searchFor,
      // Another keepalived that ran beside the one that is gone is not its successor.
      notBeforeMs: this.#seenStartedAtMs,
      proc: this.#proc,
    })
    const lookOf = (): ProcessLook => {
      switch (result.kind) {
        case 'found':
          return this.#take(result, names)
        case 'none':
          return isQuiet
            ? absent()
            : this.#unknown('VRRP is spoken on this host, but no process of keepalived is visible')
        case 'others':
          // The other one may be what agent.yaml means, unless there was one that agent.yaml names.
          return died ? absent() : this.#unknown(result.why)
        case 'elsewhere':
          // The one that was here is gone. This is another one.
          return this.#seenStartedAtMs === null ? this.#away(result.why) : absent()
        case 'unclear':
          return this.#unknown(result.why)
        default:
          return assertNever(result)
      }
    }
    this.#unsearched = lookOf()
    return this.#unsearched
  }

  #take(
    { parentPid, vrrpPid }: { readonly parentPid: number; readonly vrrpPid: number },
    names: KeepalivedPlaces['names'],
  ): ProcessLook {
    this.close()
    this.#parent = WatchedProcess.open(this.#proc, parentPid, names)
    this.#vrrp = WatchedProcess.open(this.#proc, vrrpPid, names)
    // It ended between the two looks. The next search tells what is so.
    if (this.#vrrp === null) return this.#unknown('keepalived ended while it was looked for')
    return this.#sight(this.#parent?.found ?? null, this.#vrrp.found)
  }

  #away(why: string): ProcessLook {
    this.#elsewhere ??= why
    return { ...this.#unknown(why), elsewhere: true }
  }

  #unknown(why: string): ProcessLook {
    return { ...unseen, ...this.#parentOnly(), state: 'unknown', why }
  }

  /** The parent is alive without its VRRP child, which it is about to start again. */
  #parentOnly(): Pick<ProcessLook, 'parentPid'> {
    return { parentPid: this.#parent?.look()?.pid ?? null }
  }
}

/**
 * Sends SIGKILL, to the parent first because it would start a new child. It looks right before it kills.
 * @returns what could not be killed, in words; null: both have been killed or were not there
 */
export function killKeepalived(places: KeepalivedPlaces): string | null {
  const { state, parentPid, vrrpPid, why } = lookAtKeepalived(places)
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
  if (state === 'unknown')
    failures.push(`keepalived's process cannot be found, so it was not killed: ${why ?? ''}`)
  return failures.length === 0 ? null : failures.join('; ')
}

interface Found {
  readonly pid: number
  readonly frozen: boolean
  readonly startedAtMs: number
}

interface Opened {
  readonly process: WatchedProcess | null
  /** There is a pid file, and the process that it names is gone. */
  readonly namesGone: boolean
  /** In words: a pid file names a keepalived that this agent cannot watch. */
  readonly elsewhere: string | null
}

function openFirst(proc: string, paths: readonly string[], names: KeepalivedPlaces['names']): Opened {
  let namesGone = false
  for (const path of paths) {
    const pid = Number(readOrNull(path)?.trim())
    if (!Number.isSafeInteger(pid) || pid < 2) continue
    const process = WatchedProcess.open(proc, pid, names)
    if (process === null) {
      namesGone = true
      continue
    }
    if (isInThisNetwork(proc, pid)) return { process, namesGone, elsewhere: null }
    process.close()
    const elsewhere = elsewhereText(`process ${pid}, which ${path} names,`)
    return { process: null, namesGone, elsewhere }
  }
  return { process: null, namesGone, elsewhere: null }
}

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

  /** Null: it does not live, or is another program. */
  static open(proc: string, pid: number, names: KeepalivedPlaces['names']): WatchedProcess | null {
    const descriptor = openOrNull(`${proc}/${pid}/stat`)
    if (descriptor === null) return null
    const line = readOpenStat(descriptor)
    if (line !== null && isKeepalived(proc, pid, line.comm, names))
      return new WatchedProcess(pid, descriptor, foundOf(pid, line))
    closeSync(descriptor)
    return null
  }

  /** As it is now, under whatever name; null: it is gone. */
  look(): Found | null {
    const line = readOpenStat(this.#descriptor)
    return line === null ? null : foundOf(this.#pid, line)
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}

function foundOf(pid: number, { state, startedAtMs }: StatLine): Found {
  return { pid, frozen: state === 'T' || state === 't', startedAtMs }
}

/** Null: the process that it was opened for is gone. */
function readOpenStat(descriptor: number): StatLine | null {
  const text = readOpenOrNull(descriptor)
  const line = text === null ? null : parseStatLine(text)
  return line !== null && isLive(line) ? line : null
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
