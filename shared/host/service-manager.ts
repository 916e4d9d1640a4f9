/**
 * Reports to systemd (sd_notify(3), Type=notify) that this program is ready, and that it still decides. Node.js
 * cannot send to a Unix datagram socket, so systemd-notify(1) is run, which takes about 3 ms every few seconds. If no
 * service manager listens, nothing is run.
 */
import { execFile } from 'node:child_process'

/** One turn of a decision loop has ended. */
export interface LoopTurn {
  readonly atMs: number
  /** How far apart the turns of this loop are at most. */
  readonly everyMs: number
  /** Whether the other loops of this program turn too. Called only when the watchdog is due. */
  readonly othersTurn?: () => boolean
}

export interface ServiceManager {
  /** The start is over. @param status a sentence for `systemctl status` */
  ready(status: string): void
  /**
   * Feeds the watchdog if that is due. Called at the end of a decision and nowhere else, so that a program that no
   * longer decides is killed and restarted, whatever else in it still runs.
   */
  turned(turn: LoopTurn): void
}

export interface ServiceManagerOptions {
  /**
   * The socket, the time and the process of the watchdog are removed from it, so that programs run from here do not
   * get them.
   */
  readonly env: Record<string, string | undefined>
  readonly pid: number
  /** systemd could not be notified; called once. */
  readonly onProblem: (text: string) => void
  readonly program?: string
}

/** Three chances before the watchdog expires. */
const feedsPerPatience = 3
/** A loop may miss this many turns without being considered dead. */
const patienceInTurns = 4
/** systemd-notify waits until its message is read. If systemd hangs, its processes must not accumulate here. */
const notifyTimeoutMs = 5000

export function serviceManager(options: ServiceManagerOptions): ServiceManager {
  const { env, pid } = options
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: patienceUs, WATCHDOG_PID: watched } = env
  // keepalived also reports to NOTIFY_SOCKET if it has one. Started by the agent, it would pose as this service.
  delete env.NOTIFY_SOCKET
  delete env.WATCHDOG_USEC
  delete env.WATCHDOG_PID
  if (socket === undefined || socket === '') return { ready: () => undefined, turned: () => undefined }
  const isWatched = watched === undefined || watched === String(pid)
  const patienceMs = isWatched ? Number(patienceUs ?? 0) / 1000 : 0
  return new Systemd(socket, patienceMs > 0 ? patienceMs : null, options)
}

class Systemd implements ServiceManager {
  readonly #socket: string
  readonly #options: ServiceManagerOptions
  /** Null: no watchdog. */
  #patienceMs: number | null
  #fedAtMs = -Infinity
  #failed = false

  constructor(socket: string, patienceMs: number | null, options: ServiceManagerOptions) {
    this.#socket = socket
    this.#patienceMs = patienceMs
    this.#options = options
  }

  ready(status: string): void {
    this.#notify(['READY=1', `STATUS=${status.replace(/\s+/g, ' ')}`])
  }

  turned({ atMs, everyMs, othersTurn }: LoopTurn): void {
    if (this.#patienceMs === null) return
    if (patienceInTurns * everyMs > this.#patienceMs) {
      this.#patienceMs = patienceInTurns * everyMs
      this.#notify([`WATCHDOG_USEC=${this.#patienceMs * 1000}`])
    }
    if (atMs - this.#fedAtMs < this.#patienceMs / feedsPerPatience) return
    if (othersTurn?.() === false) return
    this.#fedAtMs = atMs
    this.#notify(['WATCHDOG=1'])
  }

  #notify(words: readonly string[]): void {
    const { env, program = 'systemd-notify', onProblem } = this.#options
    const child = execFile(
      program,
      words,
      { env: { ...env, NOTIFY_SOCKET: this.#socket }, timeout: notifyTimeoutMs, killSignal: 'SIGKILL' },
      (cause) => {
        if (cause === null || this.#failed) return
        this.#failed = true
        onProblem(
          `this program cannot report to systemd that it is alive (${cause.message.trim()}), so systemd will restart it each ` +
            `WatchdogSec; make sure that ${program} works, or set WatchdogSec=0 and Type=exec in a drop-in of the unit`,
        )
      },
    )
    child.unref()
  }
}
