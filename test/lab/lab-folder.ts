/**
 * The one folder a lab has on the real machine: configurations, "disks" of its hosts, logs. It is removed when the lab
 * ends.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folderPrefix = 'keepalived-witness-lab-'
const alive = new Set<LabFolder>()

/**
 * `disk` is for measurements, because a vote waits for the disk. `memory` is for tests, so that the disk of a busy
 * machine, which many labs share, does not decide who wins.
 */
export type LabMedium = 'disk' | 'memory'
const memoryFolder = '/dev/shm'

function placeOf(medium: LabMedium): string {
  return medium === 'memory' && isFolder(memoryFolder) ? memoryFolder : tmpdir()
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

export class LabFolder {
  readonly path: string
  #kept = false

  constructor(medium: LabMedium) {
    this.path = mkdtempSync(join(placeOf(medium), `${folderPrefix}${process.pid}-`))
    alive.add(this)
  }

  /** A folder in it, created if it does not exist. */
  folder(...names: string[]): string {
    const path = join(this.path, ...names)
    mkdirSync(path, { recursive: true, mode: 0o755 })
    return path
  }

  /** Leaves the folder for people to read. */
  keep(): void {
    this.#kept = true
  }

  remove(): void {
    alive.delete(this)
    if (!this.#kept) rmSync(this.path, { recursive: true, force: true, maxRetries: 3 })
  }
}

process.on('exit', () => {
  for (const folder of alive) folder.remove()
})

/** Removes what runners that were killed without warning left behind (their namespaces end by themselves). */
export function sweepAbandonedFolders(): void {
  for (const path of labFolders()) {
    const owner = new RegExp(`/${folderPrefix}(\\d+)-`).exec(path)?.[1]
    if (owner !== undefined && !isRunning(Number(owner))) rmSync(path, { recursive: true, force: true })
  }
}

/** The folders of every lab on this machine. */
export function labFolders(): string[] {
  const places = new Set([placeOf('disk'), placeOf('memory')])
  return [...places].flatMap((place) =>
    readdirSync(place)
      .filter((name) => name.startsWith(folderPrefix))
      .map((name) => join(place, name)),
  )
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
