/**
 * How long promises last, kept in the host's memory (a file on tmpfs). It survives the process but not a reboot, so
 * that a voter that restarts while it has promised nothing need not make everybody wait.
 *
 * A mark that is older than its promise would let two nodes hold a majority. Therefore, if a mark cannot be written,
 * the file is removed, and if the file cannot be removed, the process ends before the promise leaves.
 */
import { readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { epochSchema } from '../protocol/names.ts'
import type { Mark } from '../core/vote/voter.ts'

const contentSchema = z.strictObject({
  bootId: z.string(),
  marks: z.record(z.string(), z.strictObject({ epoch: epochSchema, untilMs: z.number() })),
})

/** The mark can neither be written nor removed, so no promise may be given. */
export class MarkFileError extends Error {
  readonly code = 'mark-file'
}

export class MarkFile {
  readonly #path: string
  readonly #bootId: string
  #marks: Record<string, Mark> = {}

  constructor(path: string, bootId: string) {
    this.#path = path
    this.#bootId = bootId
  }

  /**
   * The marks of an earlier process of this boot, to be read once at start; null when there are none to trust: no
   * file, another boot, unreadable, or a folder in which later marks could not replace them.
   */
  recover(): Readonly<Record<string, Mark>> | null {
    const found = this.#read()
    if (found === null) return null
    this.#marks = found
    try {
      this.#write()
    } catch {
      this.#marks = {}
      return null
    }
    return { ...found }
  }

  /**
   * Notes a promise before it leaves. Synchronous: a few microseconds on tmpfs.
   * @returns whether the mark is kept; false costs a wait after the next restart, nothing else
   * @throws MarkFileError
   */
  set(instance: string, mark: Mark): boolean {
    this.#marks = { ...this.#marks, [instance]: mark }
    try {
      this.#write()
      return true
    } catch (cause) {
      this.#remove(cause)
      return false
    }
  }

  /**
   * These marks end nothing any more: after a restart everybody waits for the longest promise.
   * @throws MarkFileError
   */
  forget(instances: ReadonlySet<string>): void {
    this.#marks = Object.fromEntries(Object.entries(this.#marks).filter(([name]) => !instances.has(name)))
    try {
      this.#write()
    } catch (cause) {
      this.#remove(cause)
    }
  }

  #read(): Record<string, Mark> | null {
    try {
      const content = contentSchema.parse(JSON.parse(readFileSync(this.#path, 'utf8')))
      return content.bootId === this.#bootId ? content.marks : null
    } catch {
      return null
    }
  }

  #write(): void {
    const temporary = `${this.#path}.new`
    writeFileSync(temporary, JSON.stringify({ bootId: this.#bootId, marks: this.#marks }), { mode: 0o600 })
    renameSync(temporary, this.#path)
  }

  #remove(writeError: unknown): void {
    try {
      unlinkSync(this.#path)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
      throw new MarkFileError(
        `${this.#path}: can neither be written nor removed (${String(writeError)}; ${String(error)}); ` +
          `make its folder writable, on a tmpfs`,
        { cause: writeError },
      )
    }
  }
}
