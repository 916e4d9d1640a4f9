/**
 * What systemd is told (sd_notify(3), Type=notify): that this program is ready, and that it still decides. Node.js cannot
 * send to a datagram socket of the file system, so systemd-notify(1) is run: about 3 ms, each few seconds. Where no
 * service manager listens nothing is run and nothing costs.
 */
import { execFile } from 'node:child_process'

/** One turn of a decision loop has ended. */
export interface LoopTurn {
  readonly atMs: number
  /** How far apart the turns of this loop are at most. */
  readonly everyMs: number
  /** Looked at only where the watchdog is due: whether the other loops of this program turn, too. */
  readonly othersTurn?: () => boolean
}

export interface ServiceManager {
  /** The start is over. @param status a sentence for `systemctl status` */
  ready(status: string): void
  /**
   * Feeds the watchdog, where that is due. Called at the end of a decision and nowhere else: a program that no longer
   * decides is then killed and started anew, whatever else in it still runs.
   */
  turned(turn: LoopTurn): void
}

export interface ServiceManagerOptions {
  /** The socket, the watchdog's time and its process are taken out of it: they are not for the programs run from here. */
  readonly env: Record<string, string | undefined>
  readonly pid: number
  /** Nothing could be told; said once. */
  readonly onProblem: (text: string) => void
  readonly program?: string
}

/** Three chances before systemd loses patience. */
const feedsPerPatience = 3
/** A loop whose turns are this far apart may miss some and not be taken for dead. */
const patienceInTurns = 4
/** systemd-notify waits until its message was read; a systemd that hangs must not gather processes here. */
const notifyTimeoutMs = 5000

export function serviceManager(options: ServiceManagerOptions): ServiceManager {
  const { env, pid } = options
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: patienceUs, WATCHDOG_PID: watched } = env
  // keepalived too speaks to NOTIFY_SOCKET where it has one: started by the agent it would call itself this service.
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
