import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** @returns where a program that may be run is, in the PATH or where root's programs are; null: nowhere */
export function findProgram(name: string): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.map((folder) => join(folder, name)).find(mayRun) ?? null
}

function mayRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
