/** The one folder a lab has on the real machine: configurations, "disks" of its hosts, logs. Gone when the lab ends. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const folderPrefix = 'keepalived-witness-lab-'
const alive = new Set<LabFolder>()

export class LabFolder {
  readonly path: string
  #kept = false

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), `${folderPrefix}${process.pid}-`))
    alive.add(this)
  }

  /** A folder in it, made when it is not there. */
  folder(...names: string[]): string {
    const path = join(this.path, ...names)
    mkdirSync(path, { recursive: true, mode: 0o755 })
    return path
  }

  /** Leaves the folder for a human to read. */
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
  for (const name of readdirSync(tmpdir())) {
    const owner = new RegExp(`^${folderPrefix}(\\d+)-`).exec(name)?.[1]
    if (owner !== undefined && !isRunning(Number(owner)))
      rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
