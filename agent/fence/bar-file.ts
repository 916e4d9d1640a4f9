/**
 * The bar: the value of a keepalived `track_file` with weight 0. Anything but zero puts the instance into FAULT
 * within milliseconds; a missing or empty file counts as zero.
 *
 * Synchronous and on tmpfs, because this is the first rung of the fence: nothing may come between decision and write.
 */
import { join } from 'node:path'
import { replaceFile } from '../../shared/disk/run-folder.ts'

/** @throws RunFolderError */
export function writeBar(runDir: string, instance: string, on: boolean): void {
  // keepalived watches the folder with inotify: a rename into place is seen like a write, and never half written.
  replaceFile(barPath(runDir, instance), on ? '1\n' : '0\n')
}

export function barPath(runDir: string, instance: string): string {
  return join(runDir, `${instance}.bar`)
}
