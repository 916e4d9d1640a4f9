/**
 * keepalived.conf as it is, as it is without the lines of setup, and as it would be with them. Nothing is written
 * here.
 */
import { readStatements, type ReadStatements, type Statement } from '../../keepalived-conf/statements.ts'
import {
  fifoKeyword,
  fifoReaders,
  missingLines,
  type MissingLine,
} from '../../keepalived-conf/missing-lines.ts'
import {
  KeepalivedConfError,
  readKeepalivedLines,
  type Drafts,
  type Include,
} from '../../keepalived-conf/lines.ts'
import { profilesOf, uniqueInstances } from '../../keepalived-conf/profiles.ts'
import { fifoPath, linesByHand } from '../../keepalived-conf/product-lines.ts'
import type { Profile } from '../../../shared/protocol/plan.ts'
import { globalsOf, planInsertions, type PlanOptions } from './conf-plan.ts'
import { insert, separate, type Row, type Separated } from './marked-lines.ts'
import { readBytes } from './replace-file.ts'
import { SetupError } from './error.ts'

export interface DraftOptions extends PlanOptions {
  /** What `@host` lines are compared with. */
  readonly configId: string
}

/** A file that would change. Texts and rows have one character for each byte. */
export interface Change {
  /** As keepalived names it. */
  readonly file: string
  readonly realPath: string
  readonly before: readonly Row[]
  readonly after: readonly Row[]
  readonly from: string
  readonly to: string
}

export interface Draft {
  readonly changes: readonly Change[]
  readonly mainRealPath: string
  readonly includes: readonly Include[]
  /** Where the added lines have been changed since. */
  readonly edited: readonly string[]
}

export interface ApplyDraft extends Draft {
  readonly root: Statement[]
  readonly instances: Statement[]
  readonly profiles: readonly Profile[]
  /** The missing lines that the draft does not add. */
  readonly missing: readonly MissingLine[]
  readonly parserWarnings: readonly string[]
}

/** For the messages of a setup that cannot add its lines. */
interface ByHand {
  readonly path: string
  /** All of them. */
  readonly lines: string
}

interface Sources {
  readonly read: ReadStatements
  readonly separated: ReadonlyMap<string, Separated>
  readonly bases: ReadonlyMap<string, string>
}

/** @throws KeepalivedConfError, SetupError */
export function draftUndo({ path, configId }: { path: string; configId: string }): Draft {
  const sources = readSources(path, configId)
  const asBases = [...sources.separated].map(([realPath, { rows }]) => {
    return [realPath, rows.filter(({ isOurs }) => !isOurs)] as const
  })
  return draftOf(sources, new Map(asBases))
}

/** @throws KeepalivedConfError, SetupError */
export function draftApply(options: DraftOptions): ApplyDraft {
  const { path, configId, runDir } = options
  const sources = readSources(path, configId)
  const baseDrafts = decoded(sources.bases)
  const base = readStatements(path, configId, baseDrafts)
  const [misplaced] = base.misplacedBraces
  if (misplaced !== undefined)
    throw new SetupError(
      `${misplaced}. Setup does not write into a file whose blocks end elsewhere than they seem to, so nothing was changed. Correct it, check it with "keepalived -t", and run setup again`,
    )
  const readers = fifoReaders(globalsOf(sources.read.root), fifoPath(runDir))
  if (readers.length > 0)
    throw new SetupError(
      `${readers.join('\n')}. Nothing was changed; run setup again when the file is corrected`,
    )
  const leftOut: string[] = []
  const baseInstances = uniqueInstances(base.root, leftOut)
  if (baseInstances.length === 0) throw nothingToProtect(path, leftOut)
  const insertions = planInsertions(base, { bases: sources.bases, instances: baseInstances, options })
  const after = new Map(
    [...sources.bases].map(([realPath, text]) => [realPath, insert(text, insertions.get(realPath) ?? [])]),
  )
  const drafts = decoded(new Map([...after].map(([realPath, rows]) => [realPath, textOf(rows)])))
  const byHand = {
    path,
    lines: linesByHand(
      baseInstances.map(({ words }) => words[1] ?? ''),
      { ...options, fifo: fifoKeyword(globalsOf(base.root), runDir) },
    ),
  }
  const candidate = readCandidate(byHand, configId, drafts)
  const root = relocated(candidate, sources, after)
  const parserWarnings = [...sources.read.warnings]
  const instances = uniqueInstances(root, parserWarnings)
  const missing = missingLines(path, { root, instances, runDir })
  assertSound({ byHand, configId, baseDrafts, drafts, after, missing })
  return {
    ...draftOf(sources, after),
    root,
    instances,
    profiles: profilesOf(root, instances, parserWarnings),
    missing,
    parserWarnings,
  }
}

/** @param leftOut why each vrrp_instance that is there is left out */
function nothingToProtect(path: string, leftOut: readonly string[]): SetupError {
  return new SetupError(
    leftOut.length === 0
      ? `${path}: it has no vrrp_instance, so there is no VIP to protect`
      : `${path}: no vrrp_instance can be protected, so nothing was changed:\n${leftOut.map((line) => `  ${line}`).join('\n')}`,
  )
}

function readSources(path: string, configId: string): Sources {
  const read = readStatements(path, configId)
  const separated = new Map(
    read.files.map(({ file, realPath }) => [realPath, separate(file, readBytes(realPath))]),
  )
  const bases = new Map([...separated].map(([realPath, { base }]) => [realPath, base]))
  return { read, separated, bases }
}

function draftOf({ read, separated }: Sources, after: ReadonlyMap<string, readonly Row[]>): Draft {
  const changes = [...separated].map(([realPath, { rows: before }]): Change => {
    const rows = after.get(realPath) ?? before
    const file = read.files.find((each) => each.realPath === realPath)?.file ?? realPath
    return { file, realPath, before, after: rows, from: textOf(before), to: textOf(rows) }
  })
  return {
    changes: changes.filter(({ from, to }) => from !== to),
    mainRealPath: read.files[0]?.realPath ?? '',
    includes: read.includes,
    edited: [...separated.values()].flatMap(({ edited }) => edited),
  }
}

/** Mistakes of the candidate are in lines that the admin does not have, so they are reported without their places. */
function readCandidate(byHand: ByHand, configId: string, drafts: Drafts): ReadStatements {
  try {
    return readStatements(byHand.path, configId, drafts)
  } catch (cause) {
    if (cause instanceof KeepalivedConfError) throw readDifferently(byHand, cause)
    throw cause
  }
}

function readDifferently({ path, lines }: ByHand, cause?: Error): SetupError {
  return new SetupError(
    `${path}: with the lines added, keepalived would read some of your lines differently, so nothing was changed. Add these lines by hand:\n${lines}`,
    { cause },
  )
}

/** The statements with the line numbers of the files as they are now, which is where the admin looks. */
function relocated(
  { root, files }: ReadStatements,
  { separated }: Sources,
  after: ReadonlyMap<string, readonly Row[]>,
): Statement[] {
  const realPaths = new Map(files.map(({ file, realPath }) => [file, realPath]))
  const lines = new Map(
    [...after].map(([realPath, rows]) => [realPath, currentLines(rows, separated.get(realPath)?.rows ?? [])]),
  )
  const moved = (statement: Statement): Statement => ({
    ...statement,
    line: lines.get(realPaths.get(statement.file) ?? '')?.[statement.line - 1] ?? statement.line,
    block: statement.block?.map(moved) ?? null,
  })
  return root.map(moved)
}

/**
 * For each row of the candidate its line number in the current file; for an added row, that of the admin's row after
 * it.
 */
function currentLines(candidate: readonly Row[], current: readonly Row[]): number[] {
  const foreign = current.flatMap(({ isOurs }, row) => (isOurs ? [] : [row + 1]))
  let passed = 0
  return candidate.map(({ isOurs }) => foreign[isOurs ? passed : passed++] ?? current.length)
}

function textOf(rows: readonly Row[]): string {
  return rows.map(({ text }) => text).join('')
}

function decoded(texts: ReadonlyMap<string, string>): Drafts {
  return new Map(
    [...texts].map(([realPath, text]) => [realPath, Buffer.from(text, 'latin1').toString('utf8')]),
  )
}

/**
 * Definitions, conditions and includes can give a line an unforeseen meaning. The result is therefore checked before
 * it is shown: every line of the admin's must be read as before, and the missing lines must be there.
 */
function assertSound(outcome: {
  byHand: ByHand
  configId: string
  baseDrafts: Drafts
  drafts: Drafts
  after: ReadonlyMap<string, readonly Row[]>
  missing: readonly MissingLine[]
}): void {
  const { byHand, configId, baseDrafts, drafts, after, missing } = outcome
  const { path } = byHand
  const before = readKeepalivedLines(path, configId, baseDrafts).lines.map(({ text }) => text)
  const read = readKeepalivedLines(path, configId, drafts)
  const realPaths = new Map(read.files.map(({ file, realPath }) => [file, realPath]))
  const foreign = read.lines.filter(
    ({ file, line }) => after.get(realPaths.get(file) ?? '')?.[line - 1]?.isOurs !== true,
  )
  if (foreign.map(({ text }) => text).join('\n') !== before.join('\n')) throw readDifferently(byHand)
  const absent = missing.find(({ kind }) => kind === 'absent')
  if (absent !== undefined)
    throw new SetupError(
      `${absent.text}. Setup cannot add it here, so nothing was changed. Add these lines by hand, as far as they are not there:\n${byHand.lines}`,
    )
}
