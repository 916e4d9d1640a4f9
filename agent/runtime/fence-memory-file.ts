/**
 * What this node did to its keepalived, kept in memory of the host (a file on tmpfs) beside the disk: it survives the
 * process at any instant and not the boot.
 *
 * A fence does not wait for a disk, so the disk alone would leave milliseconds in which an agent that is killed has
 * stopped keepalived and its successor takes that for the admin's stop. This file is written synchronously, tens of
 * microseconds, before the stop command is run. The disk is for what outlasts the boot: `rejoin: manual`, the number of
 * the fence, and a run folder that could not be written.
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
  /** There only while a drill runs, so that an older agent can read what this one leaves. */
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
   * What earlier processes of this boot left, newer than anything on disk; to be read once at start. Nothing where there
   * is no file, one of another boot, or one that cannot be read.
   */
  recover(): Readonly<Record<string, StoredFenceMemory>> {
    try {
      const content = contentSchema.parse(JSON.parse(readFileSync(this.#path, 'utf8')))
      if (content.bootId === this.#bootId) this.#memories = content.memories
    } catch {
      // The disk says the rest.
    }
    return { ...this.#memories }
  }

  /**
   * Synchronous. Where it cannot be written no older word is left in its place.
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
      // Neither written nor removed: the operator is told of the write.
    }
  }
}

export function stored({ recentAtMs, ...memory }: FenceMemory): StoredFenceMemory {
  return { ...memory, recentAtMs: [...recentAtMs] }
}
