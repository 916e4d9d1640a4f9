/**
 * What this node did to its keepalived, kept in the host's memory (a file on tmpfs) in addition to the disk. It
 * survives the process at any instant, but not a reboot.
 *
 * A fence does not wait for the disk. With the disk alone there would be some milliseconds in which an agent could be
 * killed after it stopped keepalived, and its successor would take that for the admin's stop. This file is written
 * synchronously, in tens of microseconds, before the stop command runs. The disk is for what must survive a reboot
 * (`rejoin: manual`, the number of the fence), and for a run folder that cannot be written.
 */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { FenceMemory } from '../core/guard/guard.ts'
import { replaceFile } from '../../shared/disk/run-folder.ts'

export const fenceMemorySchema = z.strictObject({
  stopped: z.boolean(),
  number: z.number().int().min(0),
  recentAtMs: z.array(z.number()).max(1000),
  /** Present only while a drill runs, so that an older agent can read the file of this one. */
  drilling: z.literal(true).optional(),
})
export type StoredFenceMemory = z.infer<typeof fenceMemorySchema>

const contentSchema = z.strictObject({
  bootId: z.string(),
  memories: z.record(z.string(), fenceMemorySchema),
})

export class FenceMemoryFile {
  readonly #path: string
  readonly #bootId: string
  #memories: Record<string, StoredFenceMemory> = {}

  constructor(runDir: string, bootId: string) {
    this.#path = join(runDir, 'agent.fences')
    this.#bootId = bootId
  }

  /**
   * What earlier processes of this boot left, newer than anything on disk; to be read once at the start. Empty if
   * there is no file, one of another boot, or one that cannot be read.
   */
  recover(): Readonly<Record<string, StoredFenceMemory>> {
    try {
      const content = contentSchema.parse(JSON.parse(readFileSync(this.#path, 'utf8')))
      if (content.bootId === this.#bootId) this.#memories = content.memories
    } catch {
      // Then only the disk counts.
    }
    return { ...this.#memories }
  }

  /**
   * Synchronous. If it cannot be written, no older content is left in its place.
   * @throws RunFolderError
   */
  set(instance: string, memory: FenceMemory): void {
    this.#memories = { ...this.#memories, [instance]: stored(memory) }
    try {
      replaceFile(this.#path, JSON.stringify({ bootId: this.#bootId, memories: this.#memories }))
    } catch (cause) {
      this.#remove()
      throw cause
    }
  }

  #remove(): void {
    try {
      rmSync(this.#path, { force: true })
    } catch {
      // It can neither be written nor removed; the write error is reported to the operator.
    }
  }
}

export function stored({ recentAtMs, ...memory }: FenceMemory): StoredFenceMemory {
  return { ...memory, recentAtMs: [...recentAtMs] }
}
