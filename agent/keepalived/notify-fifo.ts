/**
 * Reads keepalived's `vrrp_notify_fifo`: one line for each transition, about a millisecond after it.
 *
 * It is opened read-only, so that the death of the last writer is noticed (a crash writes no line). keepalived opens
 * its end O_RDWR|O_NONBLOCK, so a missing reader never blocks it; docs/reference/flows.md ("Observing keepalived").
 */
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs'
import { Socket } from 'node:net'
import { runCommand } from '../../shared/host/command.ts'
import type { KeepalivedState } from '../../shared/protocol/report.ts'

export type FifoEvent =
  | {
      readonly type: 'state'
      readonly instance: string
      readonly state: KeepalivedState
      /** The priority that keepalived runs with, weights included; null: the line has none. */
      readonly priority: number | null
    }
  /** The priority changed and the state did not (`vrrp_notify_priority_changes`, keepalived 2.0.16). */
  | { readonly type: 'priority'; readonly instance: string; readonly priority: number }
  /** keepalived, MASTER, received an advert of a lower-priority MASTER. */
  | { readonly type: 'rival'; readonly instance: string }
  /** Every process that had the FIFO open for writing is gone. */
  | { readonly type: 'writer-gone' }

export class NotifyFifoError extends Error {
  readonly code = 'notify-fifo'
}

const states: ReadonlyMap<string, KeepalivedState> = new Map([
  ['MASTER', 'MASTER'],
  ['BACKUP', 'BACKUP'],
  ['FAULT', 'FAULT'],
  ['STOP', 'STOP'],
  // The instance was removed from keepalived.conf. Its VIPs are removed as at a stop.
  ['DELETED', 'STOP'],
])

/** BACKUP_PRIORITY is written in every state but MASTER, also in FAULT, so neither word tells the state. */
const priorityWords: ReadonlySet<string> = new Set(['MASTER_PRIORITY', 'BACKUP_PRIORITY'])

/** @returns the event, 'other' for a line of no interest here, or null for one that is not keepalived's. */
export function parseFifoLine(line: string): FifoEvent | 'other' | null {
  const match = /^(INSTANCE|GROUP|VS|RS) "([^"]*)" (\S+)(?: (\S+))?/.exec(line)
  if (match === null) return null
  const [, kind, instance = '', word = '', fourth] = match
  if (kind !== 'INSTANCE') return 'other'
  if (word === 'MASTER_RX_LOWER_PRI') return { type: 'rival', instance }
  const priority = priorityOf(fourth)
  if (priorityWords.has(word)) return priority === null ? null : { type: 'priority', instance, priority }
  const state = states.get(word)
  return state === undefined ? null : { type: 'state', instance, state, priority }
}

function priorityOf(word: string | undefined): number | null {
  const priority = word !== undefined && /^\d{1,3}$/.test(word) ? Number(word) : 0
  return priority >= 1 && priority <= 255 ? priority : null
}

/** No line of keepalived's is longer. */
const maxLineLength = 1024

export class NotifyFifo {
  /** The number of lines that were not understood, from another program or a newer keepalived. */
  unknownLines = 0
  readonly #path: string
  readonly #onEvent: (event: FifoEvent) => void
  readonly #onProblem: (text: string) => void
  #open: { socket: Socket; inode: bigint } | null = null
  #closed = false
  #making = false

  private constructor(
    path: string,
    on: { event: (event: FifoEvent) => void; problem: (text: string) => void },
  ) {
    this.#path = path
    this.#onEvent = on.event
    this.#onProblem = on.problem
  }

  /**
   * Creates the FIFO if it is missing, and listens.
   * @throws NotifyFifoError
   */
  static async open(
    path: string,
    on: { event: (event: FifoEvent) => void; problem: (text: string) => void },
  ): Promise<NotifyFifo> {
    const fifo = new NotifyFifo(path, on)
    if (statSync(path, { throwIfNoEntry: false }) === undefined) await makeFifo(path)
    fifo.#reopen()
    return fifo
  }

  /** The periodic look: was the FIFO unlinked or replaced? keepalived unlinks one that it made itself. */
  look(): void {
    if (this.#closed) return
    const stat = statSync(this.#path, { bigint: true, throwIfNoEntry: false })
    if (stat?.ino !== this.#open?.inode) this.#follow()
  }

  close(): void {
    this.#closed = true
    this.#open?.socket.destroy()
    this.#open = null
  }

  /** Opens what is at the path now; creates the FIFO if nothing is there. */
  #follow(): void {
    if (this.#closed || this.#making) return
    const problem = (cause: unknown): void =>
      this.#onProblem(cause instanceof Error ? cause.message : `${this.#path} cannot be opened`)
    if (statSync(this.#path, { throwIfNoEntry: false }) !== undefined) {
      try {
        this.#reopen()
      } catch (cause) {
        problem(cause)
      }
      return
    }
    this.#making = true
    makeFifo(this.#path)
      .then(() => {
        if (!this.#closed) this.#reopen()
      })
      .catch(problem)
      .finally(() => (this.#making = false))
  }

  /** The new descriptor is opened before the old one is closed, because no line is lost while there is a reader. */
  #reopen(): void {
    const old = this.#open
    const descriptor = openFifo(this.#path)
    const inode = fstatSync(descriptor, { bigint: true }).ino
    const socket = new Socket({ fd: descriptor, readable: true, writable: false })
    this.#open = { socket, inode }
    this.#listen(socket)
    old?.socket.destroy()
  }

  #listen(socket: Socket): void {
    let rest = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: Buffer | string) => {
      const lines = (rest + chunk.toString()).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > maxLineLength) {
        rest = ''
        this.unknownLines += 1
      }
      for (const line of lines) this.#take(line)
    })
    socket.on('error', (cause) => {
      this.#onProblem(`${this.#path}: ${cause.message}`)
    })
    socket.on('end', () => {
      if (this.#open?.socket !== socket) return
      this.#follow()
      this.#onEvent({ type: 'writer-gone' })
    })
  }

  #take(line: string): void {
    if (line === '') return
    const event = parseFifoLine(line)
    if (event === null) this.unknownLines += 1
    else if (event !== 'other') this.#onEvent(event)
  }
}

function openFifo(path: string): number {
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    throw new NotifyFifoError(
      `cannot open the FIFO ${path}: ${cause instanceof Error ? cause.message : 'failed'}`,
      { cause },
    )
  }
  if (fstatSync(descriptor).isFIFO()) return descriptor
  closeSync(descriptor)
  throw new NotifyFifoError(`${path} is not a FIFO; remove it, then restart keepalived and the agent`)
}

async function makeFifo(path: string): Promise<void> {
  const { error } = await runCommand(['mkfifo', '--mode=0600', path], { timeoutMs: 2000 })
  // keepalived may have made it in the meantime.
  if (error !== null && statSync(path, { throwIfNoEntry: false }) === undefined)
    throw new NotifyFifoError(
      `cannot create the FIFO ${path}: ${error}. Its folder must exist before keepalived starts (tmpfiles.d)`,
    )
}
