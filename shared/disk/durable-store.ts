import { Low } from 'lowdb'
import { DurableFile, type DurableFileOptions, type Found } from './durable-file.ts'

/**
 * A durable value in memory and on disk. Changes that come during a write share the next one, so that a burst costs
 * two writes instead of one per change.
 */
export class DurableStore<T> {
  readonly found: Found<T>
  readonly #low: Low<T>
  readonly #file: DurableFile<T>
  #running: Promise<void> | null = null
  #next: Promise<void> | null = null

  private constructor(low: Low<T>, file: DurableFile<T>) {
    this.#low = low
    this.#file = file
    this.found = file.found
  }

  /** Reads the file, or starts from `initial` if there is none that can be trusted; `found` tells which. */
  static async open<T>(options: DurableFileOptions<T>, initial: T): Promise<DurableStore<T>> {
    const file = new DurableFile(options)
    const low = new Low(file, initial)
    await low.read()
    return new DurableStore(low, file)
  }

  /** The value in memory. Until the last `update` has settled, the disk may have an older one. */
  get data(): T {
    return this.#low.data
  }

  /** How long the last write took until it was durable; null: none yet. */
  get lastWriteMs(): number | null {
    return this.#file.lastWriteMs
  }

  /**
   * Changes the value; settles when the change is durable.
   * After a failure the change stays in memory, and goes to the disk with the next update that succeeds.
   * @throws DurableFileError
   */
  update(change: (data: T) => T): Promise<void> {
    this.#low.data = change(this.#low.data)
    if (this.#next !== null) return this.#next
    if (this.#running === null) return this.#start()
    this.#next = this.#running.then(
      () => this.#start(),
      () => this.#start(),
    )
    return this.#next
  }

  #start(): Promise<void> {
    this.#next = null
    const running = this.#low.write().finally(() => {
      if (this.#running === running) this.#running = null
    })
    this.#running = running
    return running
  }
}
