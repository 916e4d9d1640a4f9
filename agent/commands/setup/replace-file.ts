/** Replaces files of the admin as a whole, with their owner and mode, and keeps a backup under another name. */
import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { wouldInclude } from '../../keepalived-conf/include-glob.ts'
import type { Include } from '../../keepalived-conf/lines.ts'
import { SetupError } from './error.ts'

/** One character for each byte. */
export function readBytes(realPath: string): string {
  return readFileSync(realPath, 'latin1')
}

/**
 * At every instant the file is the old or the new one, even after a crash.
 * @throws SetupError if it is no longer `from`
 */
export function replaceText(realPath: string, { from, to }: { from: string; to: string }): void {
  if (readBytes(realPath) !== from)
    throw new SetupError(
      `${realPath}: the file changed while setup was running, so setup did not replace it. Run setup again`,
    )
  const temporary = hiddenBeside(realPath, 'keepalived-witness-new')
  rmSync(temporary, { force: true })
  try {
    writeLike(realPath, temporary, to)
    renameSync(temporary, realPath)
  } catch (cause) {
    rmSync(temporary, { force: true })
    throw cause
  }
  syncFolder(dirname(realPath))
}

/**
 * Copies the file to its folder, under a name that keepalived does not include.
 * @returns the path of the copy
 */
export function backUp(
  realPath: string,
  { at, includes }: { at: Date; includes: readonly Include[] },
): string {
  const path = backupPath(realPath, { at, includes })
  writeLike(realPath, path, readBytes(realPath))
  syncFolder(dirname(path))
  return path
}

const backupSuffix = 'before-witness'

/** Whether the file's name is that of a copy made by `backUp` of the other. */
export function isBackupOf(name: string, realPath: string): boolean {
  const plain = name.replace(/^\./, '')
  return plain.startsWith(`${basename(realPath).replace(/^\./, '')}.`) && plain.endsWith(`.${backupSuffix}`)
}

function backupPath(realPath: string, { at, includes }: { at: Date; includes: readonly Include[] }): string {
  const stamp = at.toISOString().replace(/[-:]|\.\d+/g, '')
  for (let count = 1; ; count++) {
    const suffix = `${stamp}${count === 1 ? '' : `-${count}`}.${backupSuffix}`
    const names = [join(dirname(realPath), `${basename(realPath)}.${suffix}`), hiddenBeside(realPath, suffix)]
    const path = names.find((candidate) => !isIncluded(candidate, includes))
    if (path === undefined) break
    if (!existsSync(path)) return path
  }
  throw new SetupError(
    `${realPath}: no backup can be saved beside it, because an include takes every file there into keepalived's configuration; narrow the include to *.conf`,
  )
}

/** A pattern like `conf.d/*` does not match names that begin with a dot. */
export function hiddenBeside(path: string, suffix: string): string {
  return join(dirname(path), `.${basename(path).replace(/^\./, '')}.${suffix}`)
}

export function isIncluded(path: string, includes: readonly Include[]): boolean {
  return includes.some(({ folder, pattern }) => wouldInclude(folder, pattern, path))
}

/** A new file with the owner and the mode of another. Until it has them, nobody else may read it. */
function writeLike(model: string, path: string, text: string): void {
  const { uid, gid, mode } = statSync(model)
  const descriptor = openSync(path, 'wx', 0o600)
  try {
    writeFileSync(descriptor, text, 'latin1')
    fchownSync(descriptor, uid, gid)
    fchmodSync(descriptor, mode & 0o7777)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
