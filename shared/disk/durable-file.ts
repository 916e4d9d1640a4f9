/**
 * Small files that must survive a crash of process or host at any instant: the witness's ledger, the agent's state.
 *
 * A write replaces the file as a whole (temporary file, fsync, rename, fsync of the folder; see rename(2), fsync(2)),
 * so after a crash either the old or the new content is there. A format name and a checksum prove what is read back.
 * A file that fails this proof is moved aside under another name, never overwritten, and reported as torn, not as
 * missing.
 *
 * What a dead process left may be in the kernel's memory only, so it is made durable before anything depends on it.
 */
import * as nodeFileSystem from 'node:fs/promises'
import { z } from 'zod'
import type { Adapter } from 'lowdb'
import { basename, dirname, join } from 'node:path'
import { createHash } from 'node:crypto'

/** The system calls used; tests put a failing disk in their place. */
export interface FileSystem {
  open(path: string, flags: string, mode?: number): Promise<FileHandle>
  readFile(path: string, encoding: 'utf8'): Promise<string>
  rename(from: string, to: string): Promise<void>
  mkdir(path: string, options: { recursive: true; mode: number }): Promise<string | undefined>
  access(path: string): Promise<void>
  unlink(path: string): Promise<void>
}

export interface FileHandle {
  writeFile(data: string): Promise<void>
  sync(): Promise<void>
  close(): Promise<void>
}

/**
 * The disk refused the write. `errno` is the code of the system (ENOSPC, EIO, EROFS, …). Either the old or the new
 * content is on disk.
 */
export class DurableFileError extends Error {
  readonly code = 'durable-file'
  readonly path: string
  readonly errno: string

  constructor(path: string, cause: unknown) {
    const errno = errnoOf(cause)
    super(`${path}: cannot be written: ${errno}: ${remedyOf(errno)}`, { cause })
    this.path = path
    this.errno = errno
  }
}

export type Found<T> =
  | { readonly kind: 'missing' }
  | { readonly kind: 'valid'; readonly data: T }
  /** Not parsable, with a wrong checksum, or of another format. `keptAs`: its new path; null: still in its place. */
  | { readonly kind: 'torn'; readonly reason: string; readonly keptAs: string | null }

export interface DurableFileOptions<T> {
  readonly path: string
  /** Names the kind of file and the version of its content: `keepalived-witness/ledger/1`. */
  readonly format: string
  readonly schema: z.ZodType<T>
  readonly nowMs: () => number
  readonly fileSystem?: FileSystem
}

/** Errors that a parent folder may give that we did not create: no permission, or another file system. */
const foreign: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EINVAL', 'ENOTSUP', 'EROFS'])

const envelopeSchema = z.object({ format: z.string(), sha256: z.string(), data: z.unknown() })

/** The adapter for lowdb. */
export class DurableFile<T> implements Adapter<T> {
  readonly path: string
  readonly #options: DurableFileOptions<T>
  readonly #fileSystem: FileSystem
  /** A torn file is still in its place. The next write must not overwrite it. */
  #tornInPlace = false
  #wayIsDurable = false
  #lastWriteMs: number | null = null
  #found: Found<T> = { kind: 'missing' }

  constructor(options: DurableFileOptions<T>) {
    this.path = options.path
    this.#options = options
    this.#fileSystem = options.fileSystem ?? nodeFileSystem
  }

  /** The result of the last `read`. */
  get found(): Found<T> {
    return this.#found
  }

  /** How long the last write took until it was durable; null: none yet. */
  get lastWriteMs(): number | null {
    return this.#lastWriteMs
  }

  /** Null for a missing or torn file; `found` tells which. A torn file is moved aside. */
  async read(): Promise<T | null> {
    this.#found = await this.#inspect()
    return this.#found.kind === 'valid' ? this.#found.data : null
  }

  /** @throws DurableFileError */
  async write(data: T): Promise<void> {
    const startedAtMs = this.#options.nowMs()
    try {
      await this.#makeFolder()
      if (this.#tornInPlace) await this.#setAside()
      await this.#replace(seal(this.#options.format, data))
    } catch (cause) {
      throw new DurableFileError(this.path, cause)
    } finally {
      this.#lastWriteMs = this.#options.nowMs() - startedAtMs
    }
  }

  async #inspect(): Promise<Found<T>> {
    let text: string
    try {
      text = await this.#fileSystem.readFile(this.path, 'utf8')
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return { kind: 'missing' }
      return this.#torn(`it cannot be read: ${errnoOf(error)}`)
    }
    const opened = this.#unseal(text)
    if (opened.kind === 'torn') return this.#torn(opened.reason)
    try {
      // Its content was synced before it got this name; the name itself may not be.
      await this.#sync(dirname(this.path))
    } catch (error) {
      return this.#torn(`it cannot be synced to disk: ${errnoOf(error)}`)
    }
    return opened
  }

  async #torn(reason: string): Promise<Found<T>> {
    this.#tornInPlace = true
    try {
      return { kind: 'torn', reason, keptAs: await this.#setAside() }
    } catch {
      return { kind: 'torn', reason, keptAs: null }
    }
  }

  #unseal(text: string): { kind: 'valid'; data: T } | { kind: 'torn'; reason: string } {
    const torn = (reason: string): { kind: 'torn'; reason: string } => ({ kind: 'torn', reason })
    if (text.trim() === '') return torn('it is empty')
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return torn('it is not JSON, so it was cut off or overwritten')
    }
    const envelope = envelopeSchema.safeParse(value)
    if (!envelope.success) return torn('it has no format and checksum, so it was written by something else')
    const { format, sha256, data } = envelope.data
    if (format !== this.#options.format)
      return torn(`its format is "${format.slice(0, 80)}", but "${this.#options.format}" is expected`)
    if (checksum(format, data) !== sha256) return torn('its checksum does not match its content')
    const parsed = this.#options.schema.safeParse(data)
    if (!parsed.success)
      return torn(`its content is not as expected: ${parsed.error.issues[0]?.message ?? 'another shape'}`)
    return { kind: 'valid', data: parsed.data }
  }

  async #replace(content: string): Promise<void> {
    const temporary = join(dirname(this.path), `.${basename(this.path)}.new`)
    try {
      await this.#writeSynced(temporary, content)
    } catch (error) {
      // This frees the block on a full disk. The removed content was never in use.
      await this.#fileSystem.unlink(temporary).catch(() => undefined)
      throw error
    }
    await this.#fileSystem.rename(temporary, this.path)
    await this.#sync(dirname(this.path))
  }

  async #writeSynced(path: string, content: string): Promise<void> {
    const handle = await this.#fileSystem.open(path, 'w', 0o600)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  async #makeFolder(): Promise<void> {
    const made = await this.#fileSystem.mkdir(dirname(this.path), { recursive: true, mode: 0o700 })
    if (made !== undefined || !this.#wayIsDurable) await this.#makeWayDurable()
  }

  /** A folder is durable once its parent folder is synced. An earlier process may have created one and died. */
  async #makeWayDurable(): Promise<void> {
    this.#wayIsDurable = false
    for (let folder = dirname(this.path); folder !== dirname(folder);) {
      folder = dirname(folder)
      try {
        await this.#sync(folder)
      } catch (error) {
        if (!foreign.has(errnoOf(error))) throw error
      }
    }
    this.#wayIsDurable = true
  }

  async #sync(path: string): Promise<void> {
    const handle = await this.#fileSystem.open(path, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  async #setAside(): Promise<string> {
    let keptAs = ''
    for (let number = 1; keptAs === ''; number += 1) {
      const name = `${this.path}.torn-${number}`
      if (!(await this.#exists(name))) keptAs = name
    }
    await this.#fileSystem.rename(this.path, keptAs)
    this.#tornInPlace = false
    await this.#sync(dirname(this.path))
    return keptAs
  }

  async #exists(path: string): Promise<boolean> {
    try {
      await this.#fileSystem.access(path)
      return true
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false
      throw error
    }
  }
}

function seal(format: string, data: unknown): string {
  return `${JSON.stringify({ format, sha256: checksum(format, data), data })}\n`
}

function checksum(format: string, data: unknown): string {
  return createHash('sha256')
    .update(`${format}\n${JSON.stringify(data)}`)
    .digest('hex')
}

function errnoOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return String(error)
}

function remedyOf(errno: string): string {
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'the disk is full; free some space'
    case 'EROFS':
      return 'the file system is read-only; look for disk errors in the kernel log, then mount it writable'
    case 'EIO':
      return 'the disk reports errors; read the kernel log and replace the disk'
    case 'EACCES':
    case 'EPERM':
      return 'this user may not write there; change the owner of the folder'
    default:
      return 'check the disk and the folder'
  }
}
