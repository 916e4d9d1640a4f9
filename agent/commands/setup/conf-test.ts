/**
 * Runs `keepalived -t` on a configuration that is not in place yet. Its files are bind-mounted over the real ones in
 * a separate mount namespace, so that includes, `$_PWD` and symbolic links work as they will later, and nothing is
 * left behind, whatever happens. keepalived is neither started nor reloaded.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand, type CommandResult } from '../../../shared/host/command.ts'
import type { Include } from '../../keepalived-conf/lines.ts'
import { hiddenBeside, isIncluded } from './replace-file.ts'
import { SetupError } from './error.ts'

export interface KeepalivedProgram {
  readonly program: string
  /** keepalived.conf as keepalived is given it. */
  readonly path: string
  /** keepalived's `-i`; null: its own default. */
  readonly configId: string | null
}

export interface Candidate {
  /** By real path, one character for each byte. */
  readonly texts: ReadonlyMap<string, string>
  readonly mainRealPath: string
  readonly includes: readonly Include[]
}

/**
 * What keepalived reports about any script without enable_script_security, including the check. setup leaves that
 * choice to an admin who has scripts, and reports it.
 */
const expected = [
  /^SECURITY VIOLATION - scripts are being executed but script_security not enabled/,
  /^WARNING - default user 'keepalived_script' for script execution does not exist/,
]
const testTimeoutMs = 60_000
const mounted = 'mounted'
/**
 * When keepalived 2.2.7 checks a script of another user than root, it looks for its parent process. With `-t` it has
 * none, so it sends itself a SIGTERM, and would end without a message (check_script_secure() in lib/notify.c).
 */
const run = `trap "" TERM; exec "$@"`
/** Pairs of new and old file up to a `--`, then the command. */
const mountAndRun = `trap "" TERM; while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit; shift 2; done; shift; echo ${mounted}; exec "$@"`

/**
 * @returns what keepalived finds wrong with the candidate that it does not find wrong with what is in place; empty:
 * nothing
 * @throws SetupError where it cannot be asked
 */
export async function newComplaints(keepalived: KeepalivedProgram, candidate: Candidate): Promise<string[]> {
  const asked = await runCommand([keepalived.program, '--version'], { timeoutMs: testTimeoutMs })
  if (asked.error?.endsWith(': no such program') === true) throw new KeepalivedMissing(keepalived.program)
  const before = await complaints(argvOf(keepalived, keepalived.path))
  const after = await candidateComplaints(keepalived, candidate)
  for (const known of before) {
    const index = after.indexOf(known)
    if (index >= 0) after.splice(index, 1)
  }
  return after
}

/** Whether setup goes on in spite of this complaint, and tells of it. */
export function isExpected(complaint: string): boolean {
  return expected.some((pattern) => pattern.test(complaint))
}

/** Whether keepalived is this version or a later one. True if it cannot be asked: then setup only shows what it would add. */
export async function isAtLeast(program: string, version: string): Promise<boolean> {
  const { stdout, stderr } = await runCommand([program, '--version'], { timeoutMs: testTimeoutMs })
  const [, found] = /^Keepalived v(\d+(?:\.\d+)+)/m.exec(`${stdout}\n${stderr}`) ?? []
  if (found === undefined) return true
  const [own = [], least = []] = [found, version].map((text) => text.split('.').map(Number))
  const differs = least.findIndex((number, index) => (own[index] ?? 0) !== number)
  return differs < 0 || (own[differs] ?? 0) > (least[differs] ?? 0)
}

function argvOf({ program, configId }: KeepalivedProgram, path: string): string[] {
  return [program, '-t', '-f', path, ...(configId === null ? [] : ['-i', configId])]
}

async function candidateComplaints(keepalived: KeepalivedProgram, candidate: Candidate): Promise<string[]> {
  const overlaid = await testOverlaid(keepalived, candidate)
  if (!('impossible' in overlaid)) return overlaid
  const beside = await testBeside(keepalived, candidate)
  if (beside !== null) return beside
  throw new SetupError(
    `The new configuration cannot be tested before it is in place, so nothing was changed. It has several files, and this host does not allow them to be mounted over the real ones (${overlaid.impossible}). Run setup as root outside of a confined container, or make the changes of the diff above by hand`,
  )
}

/** Exported for its test. */
export async function testOverlaid(
  keepalived: KeepalivedProgram,
  { texts }: Candidate,
): Promise<string[] | { impossible: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'keepalived-witness-setup-'))
  try {
    const pairs = [...texts].flatMap(([realPath, text], index) => {
      const file = join(folder, String(index))
      writeFileSync(file, text, { encoding: 'latin1', mode: 0o600 })
      return [file, realPath]
    })
    const command = ['sh', '-c', mountAndRun, 'sh', ...pairs, '--', ...argvOf(keepalived, keepalived.path)]
    const result = await runCommand(['unshare', '--mount', '--propagation', 'private', ...command], {
      timeoutMs: testTimeoutMs,
    })
    if (!result.stdout.includes(mounted)) return { impossible: result.error ?? 'unshare' }
    return found(result)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/**
 * For hosts that do not allow mounts: tests the main file under another name in its folder. Null if more than that
 * file changes, or keepalived would include it. Exported for its test.
 */
export async function testBeside(
  keepalived: KeepalivedProgram,
  { texts, mainRealPath, includes }: Candidate,
): Promise<string[] | null> {
  const text = texts.get(mainRealPath)
  const path = hiddenBeside(keepalived.path, 'keepalived-witness-test')
  if (text === undefined || texts.size !== 1 || isIncluded(path, includes)) return null
  rmSync(path, { force: true })
  try {
    writeFileSync(path, text, { encoding: 'latin1', mode: 0o600, flag: 'wx' })
    return await complaints(argvOf(keepalived, path))
  } finally {
    rmSync(path, { force: true })
  }
}

async function complaints(argv: string[]): Promise<string[]> {
  return found(await runCommand(['sh', '-c', run, 'sh', ...argv], { timeoutMs: testTimeoutMs }))
}

function found({ error, stderr }: CommandResult): string[] {
  if (error === null) return []
  const lines = stderr.split('\n').flatMap((line) => (line.trim() === '' ? [] : [withoutPlace(line.trim())]))
  return lines.length === 0 ? [error] : lines
}

/** Added lines change the line numbers below them. */
function withoutPlace(line: string): string {
  return line.replace(/^\(([^)]*: )?Line \d+\) /, '')
}

/** keepalived is not installed. */
export class KeepalivedMissing extends SetupError {
  constructor(program: string) {
    super(
      `${program}: there is no such program, so the new configuration cannot be tested, and nothing was changed. Install keepalived, or name its program in agent.yaml (keepalived.program)`,
    )
  }
}
