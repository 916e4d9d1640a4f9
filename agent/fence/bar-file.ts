/**
 * The bar: the value of a keepalived `track_file` with weight 0. Anything but zero puts the instance into FAULT
 * within milliseconds; a missing or empty file counts as zero.
 *
 * Synchronous and on tmpfs, because this is the first rung of the fence: nothing may come between decision and write.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFile } from '../../shared/disk/run-folder.ts'

/** @throws RunFolderError */
export function writeBar(runDir: string, instance: string, on: boolean): void {
  // keepalived watches the folder with inotify: a rename into place is seen like a write, and never half written.
  replaceFile(barPath(runDir, instance), on ? '1\n' : '0\n')
}

/** The bar files of an agent, and which of them are on. */
export class BarFiles {
  readonly #runDir: string
  readonly #on = new Set<string>()

  constructor(runDir: string) {
    this.#runDir = runDir
  }

  /** @throws RunFolderError */
  write(instance: string, on: boolean): void {
    if (on) this.#on.add(instance)
    else this.#on.delete(instance)
    writeBar(this.#runDir, instance, on)
  }

  /**
   * Writes each bar again that is on and that somebody has removed or changed since: a person, or keepalived itself at
   * its start (`init_file 0 overwrite`). One that is off stays as it is, because it keeps nobody from the VIP.
   * @returns the instances of those
   * @throws RunFolderError
   */
  mend(): readonly string[] {
    const changed = [...this.#on].filter((instance) => textOf(barPath(this.#runDir, instance)) !== '1\n')
    for (const instance of changed) writeBar(this.#runDir, instance, true)
    return changed
  }
}

/** Null: it is not there. */
function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

export function barPath(runDir: string, instance: string): string {
  return join(runDir, `${instance}.bar`)
}
