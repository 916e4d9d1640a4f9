/**
 * A simulated disk: each file is written as a whole, which takes time, and a crash may leave the old or the new
 * content.
 */
import type { Chance } from './chance.ts'
import type { Program } from './host.ts'

export type DiskCondition =
  /** Writes take milliseconds. */
  | 'well'
  /** Writes take up to more than a second. */
  | 'slow'
  /** Writes fail. */
  | 'full'

export class DiskFullError extends Error {
  readonly code = 'ENOSPC'
}

const wellMs = { least: 0.4, most: 4 }
const slowMs = { least: 30, most: 1500 }
/** The rename comes after this share of a write's time; the rest is the fsync of the folder. */
const renameShare = 0.8
/** How many older contents are kept for a snapshot to return to. */
const contentsKept = 4

export class Disk {
  condition: DiskCondition = 'well'
  readonly #chance: Chance
  readonly #files: DiskFile<unknown>[] = []

  constructor(chance: Chance) {
    this.#chance = chance
  }

  file<T>(first: T): DiskFile<T> {
    const file = new DiskFile<T>(first, this)
    this.#files.push(file)
    return file
  }

  /** The host lost power: a write that was under way has reached the disk, or has not, or has torn the file. */
  losePower(): void {
    for (const file of this.#files) file.losePower(this.#chance)
  }

  /** The whole disk goes back to a snapshot. */
  rollBack(): void {
    for (const file of this.#files) file.rollBack()
  }

  /** Nothing on it can be read any more. */
  tear(): void {
    for (const file of this.#files) file.tear()
  }

  writeMs(): number {
    const { least, most } = this.condition === 'slow' ? slowMs : wellMs
    return this.#chance.between(least, most)
  }
}

export type Content<T> = { readonly kind: 'whole'; readonly value: T } | { readonly kind: 'torn' }

export class DiskFile<T> {
  readonly #disk: Disk
  #content: Content<T>
  #older: T[] = []
  #underWay: { readonly value: T; renamed: boolean } | null = null

  constructor(first: T, disk: Disk) {
    this.#content = { kind: 'whole', value: first }
    this.#disk = disk
  }

  get content(): Content<T> {
    return this.#content
  }

  /**
   * Writes durably; `done` is called in the program that wrote, unless it ended before. If the program is killed before
   * the rename, nothing of the write remains.
   */
  write(program: Program, value: T, done: (error: Error | null) => void): void {
    const { timeline } = program.host
    const { boot } = program.host
    if (this.#disk.condition === 'full') {
      timeline.after(1, () => program.take(() => done(new DiskFullError('no space left on device'))))
      return
    }
    const underWay = { value, renamed: false }
    this.#underWay = underWay
    const tookMs = this.#disk.writeMs()
    // When the host lost power, the write ended with it, one way or the other.
    const isOver = (): boolean => !program.host.up || program.host.boot !== boot
    timeline.after(tookMs * renameShare, () => {
      if (isOver()) return
      if (program.state !== 'ended') underWay.renamed = true
      else if (this.#underWay === underWay) this.#underWay = null
    })
    timeline.after(tookMs, () => {
      if (isOver() || !underWay.renamed) return
      // A write that was under way when the next process started reached the disk then, and not later.
      if (program.state === 'ended' && this.#underWay !== underWay) return
      this.#set(value)
      program.take(() => done(null))
    })
  }

  losePower(chance: Chance): void {
    if (this.#underWay === null) return
    const fate = chance.fraction()
    if (fate < 0.45) this.#set(this.#underWay.value)
    else if (fate > 0.9) this.#content = { kind: 'torn' }
    this.#underWay = null
  }

  rollBack(): void {
    const oldest = this.#older[0]
    if (oldest === undefined) return
    this.#content = { kind: 'whole', value: oldest }
    this.#older = []
  }

  /** A process starts: nothing that the previous one wrote reaches the disk after this. */
  settle(): void {
    if (this.#underWay?.renamed === true) this.#set(this.#underWay.value)
    this.#underWay = null
  }

  tear(): void {
    this.#content = { kind: 'torn' }
    this.#underWay = null
  }

  /** A process that found the file torn has put it aside and starts a new one. */
  beginAnew(value: T): void {
    this.#content = { kind: 'whole', value }
  }

  #set(value: T): void {
    if (this.#content.kind === 'whole')
      this.#older = [...this.#older, this.#content.value].slice(-contentsKept)
    this.#content = { kind: 'whole', value }
    this.#underWay = null
  }
}

/** The writes of one program to one file, as in shared/disk/durable-store.ts: one after the other, each with the newest. */
export class WriteQueue<T> {
  readonly #file: DiskFile<T>
  readonly #program: Program
  #isWriting = false
  #waiting: { readonly value: T; readonly done: (error: Error | null) => void }[] = []

  constructor(file: DiskFile<T>, program: Program) {
    this.#file = file
    this.#program = program
  }

  write(value: T, done: (error: Error | null) => void): void {
    this.#waiting.push({ value, done })
    this.#next()
  }

  #next(): void {
    const batch = this.#waiting
    const newest = batch.at(-1)
    if (this.#isWriting || newest === undefined) return
    this.#isWriting = true
    this.#waiting = []
    this.#file.write(this.#program, newest.value, (error) => {
      this.#isWriting = false
      for (const { done } of batch) done(error)
      this.#next()
    })
  }
}
