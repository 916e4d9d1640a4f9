/**
 * The run folder (tmpfs), which holds what keepalived and the check read. It outlives the agent on purpose, so it is
 * created by tmpfiles.d and never as the RuntimeDirectory of the agent's unit, with which keepalived's inotify watch
 * would disappear.
 */
import { renameSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

export class RunFolderError extends Error {
  readonly code = 'run-folder'
}

/** @throws RunFolderError saying what to do. */
export function assertRunFolder(runDir: string): void {
  let isFolder: boolean
  try {
    isFolder = statSync(runDir).isDirectory()
  } catch (cause) {
    throw new RunFolderError(missing(runDir), { cause })
  }
  if (!isFolder) throw new RunFolderError(`runDir ${runDir} is not a folder; set another path in agent.yaml`)
}

/**
 * Replaces a file as a whole, so that a reader sees either the old text or the new one.
 * @throws RunFolderError
 */
export function replaceFile(path: string, text: string): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}`)
  try {
    writeFileSync(temporary, text, { mode: 0o644 })
    renameSync(temporary, path)
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : 'failed'
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    throw new RunFolderError(isMissing ? missing(dirname(path)) : `cannot write ${path}: ${detail}`, {
      cause,
    })
  }
}

function missing(runDir: string): string {
  return (
    `runDir ${runDir} is missing; create it before keepalived starts ` +
    `("systemd-tmpfiles --create", or "mkdir -m 0755 ${runDir}" on a tmpfs), then restart keepalived and the agent`
  )
}
