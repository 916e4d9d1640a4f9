/**
 * Replaces a small file as a whole, for readers outside of this program: temporary file, fsync, rename, fsync of the
 * folder (rename(2), fsync(2)). After a crash either the old or the new content is there, never a part.
 */
import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Durable when it returns.
 * @throws the system's error; the previous content is then still there
 */
export function placeFile(path: string, text: string, mode: number): void {
  const temporary = `${path}.${process.pid}`
  try {
    writeSynced(temporary, text, mode)
    renameSync(temporary, path)
  } catch (error) {
    // This frees the block on a full disk, and half a private key must not be left behind.
    rmSync(temporary, { force: true })
    throw error
  }
  syncFolder(dirname(path))
}

/**
 * As `placeFile`, for a program that must go on deciding while the disk is slow. Two at a time for one path would use
 * one temporary file, so the caller waits for the first.
 * @throws the system's error; the previous content is then still there
 */
export async function placeFileInBackground(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${process.pid}`
  try {
    const file = await open(temporary, 'w', mode)
    try {
      await file.chmod(mode)
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function writeSynced(path: string, text: string, mode: number): void {
  const descriptor = openSync(path, 'w', mode)
  try {
    // The umask may have taken bits away, and a leftover of an earlier crash keeps its own mode.
    fchmodSync(descriptor, mode)
    writeFileSync(descriptor, text)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function syncFolder(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
