/**
 * The events of one cluster, for people: JSON lines on disk, bounded, the newest in memory for the API. Nothing is
 * decided on them, so they are not synced; what a crash tears is skipped when they are read again.
 */
import { readFileSync } from 'node:fs'
import { appendFile, mkdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Occurrence } from '../core/arbiter/occurrence.ts'
import { type EventView, eventSchema } from '../../shared/protocol/view.ts'

/** At least this many stay, at most twice as many. */
export const keptEvents = 1000

export class EventLog {
  /** Whether there were events on disk: this witness has known the cluster before. */
  readonly seenBefore: boolean
  readonly #cluster: string
  readonly #path: string
  readonly #now: () => Date
  readonly #onError: (error: unknown) => void
  #events: EventView[]
  #linesInFile: number
  #lastId: number
  /** Lines on their way to the disk. */
  #waiting: string[] = []
  #writing: Promise<void> | null = null

  /**
   * Reads what is there.
   * @param options.now the wall clock, for people
   * @param options.onError is told when events cannot be written; they stay in memory
   */
  constructor(options: {
    dataDir: string
    cluster: string
    now: () => Date
    onError: (error: unknown) => void
  }) {
    this.#cluster = options.cluster
    this.#path = eventPath(options.dataDir, options.cluster)
    this.#now = options.now
    this.#onError = options.onError
    const older = readEvents(olderPath(this.#path))
    const newer = readEvents(this.#path)
    this.seenBefore = older !== null || newer !== null
    this.#events = [...(older?.events ?? []), ...(newer?.events ?? [])]
    this.#linesInFile = newer?.events.length ?? 0
    this.#lastId = this.#events.reduce((highest, event) => Math.max(highest, event.id), 0)
    // The next event must not continue a line that a crash has cut off.
    if (newer?.cutOff === true) this.#waiting.push('')
  }

  append(occurrence: Occurrence): EventView {
    this.#lastId += 1
    const event: EventView = {
      id: this.#lastId,
      at: this.#now().toISOString(),
      cluster: this.#cluster,
      ...occurrence,
    }
    this.#events.push(event)
    if (this.#events.length > 2 * keptEvents) this.#events = this.#events.slice(-keptEvents)
    this.#waiting.push(JSON.stringify(event))
    this.#writing ??= this.#writeAll()
    return event
  }

  /**
   * @param range.after only events with a higher id, the oldest first of these kept when there are more than `limit`
   * @returns in the order in which they happened; without `after` the newest
   */
  list(range: { limit: number; after: number | null }): readonly EventView[] {
    const { limit, after } = range
    if (after === null) return this.#events.slice(-limit)
    return this.#events.filter((event) => event.id > after).slice(0, limit)
  }

  /** Settles when all events so far are handed to the disk, or could not be. */
  async flush(): Promise<void> {
    while (this.#writing !== null) await this.#writing
  }

  async #writeAll(): Promise<void> {
    try {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 })
      while (this.#waiting.length > 0) {
        const lines = this.#waiting.splice(0, keptEvents)
        if (this.#linesInFile >= keptEvents) {
          await rename(this.#path, olderPath(this.#path))
          this.#linesInFile = 0
        }
        await appendFile(this.#path, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 })
        this.#linesInFile += lines.length
      }
    } catch (error) {
      // A part of a line may be there: the next one begins afresh.
      this.#waiting = ['']
      this.#onError(error)
    } finally {
      this.#writing = null
    }
  }
}

export function eventPath(dataDir: string, cluster: string): string {
  return join(dataDir, 'events', `${cluster}.jsonl`)
}

function olderPath(path: string): string {
  return `${path}.1`
}

function readEvents(path: string): { events: EventView[]; cutOff: boolean } | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return null
  }
  const events = text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [eventSchema.parse(JSON.parse(line))]
    } catch {
      return []
    }
  })
  return { events, cutOff: text !== '' && !text.endsWith('\n') }
}
