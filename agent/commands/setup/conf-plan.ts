/**
 * Where the added lines go: into the files, blocks and conditions of the admin's own lines. Every insertion comes
 * before an existing row, so that removing it leaves the file as it was.
 */
import { all, at, last, type ReadStatements, type Statement } from '../../keepalived-conf/statements.ts'
import {
  fifoKeyword,
  missingLines,
  beforeScriptUser,
  type MissingLine,
} from '../../keepalived-conf/missing-lines.ts'
import { weightsOf } from '../../keepalived-conf/weights.ts'
import {
  barLines,
  checkLines,
  fifoLine,
  fifoPath,
  linesByHand,
  priorityChanges,
  scriptSecurity,
  scriptUser,
} from '../../keepalived-conf/product-lines.ts'
import { rowsOf, type Insertion } from './marked-lines.ts'
import { SetupError } from './error.ts'

export interface PlanOptions {
  /** keepalived.conf as it is named; what concerns all instances goes there. */
  readonly path: string
  readonly runDir: string
  /** The witness-check that keepalived shall run. */
  readonly checkProgram: string
  /** Where the agent keeps what the check needs; null: where the check looks by itself. */
  readonly stateDir: string | null
  /** Also add what is only advisable. */
  readonly advised: boolean
  /** Whether this keepalived can tell the agent each change of a priority. */
  readonly tellsPriorities: boolean
}

/** By real path. */
export type Insertions = ReadonlyMap<string, readonly Insertion[]>

const defaultUnit = '    '
/** Statements that make keepalived run a program of the admin's. */
const runners = new Set([
  'notify',
  'notify_master',
  'notify_backup',
  'notify_fault',
  'notify_stop',
  'notify_deleted',
  'notify_master_rx_lower_pri',
  'notify_up',
  'notify_down',
  'quorum_up',
  'quorum_down',
  'misc_path',
  'notify_fifo_script',
  'vrrp_notify_fifo_script',
  'lvs_notify_fifo_script',
  'startup_script',
  'shutdown_script',
  'script',
])
/** Before these keepalived must have read the settings of global_defs: it takes them as it meets a script. */
const dependents = ['vrrp_script', 'vrrp_instance', 'vrrp_sync_group', 'vrrp_track_process', 'virtual_server']

/** A block to which lines can be added, because its braces are written literally in the file. */
interface Site {
  readonly realPath: string
  /** The `@host` that the block's own line begins with, or nothing. */
  readonly condition: string
  readonly indent: string
  /** One more level of indentation. */
  readonly unit: string
  readonly openRow: number
  readonly closeRow: number
  /** Before this place in keepalived's order of reading, a line stands above those that are added to the block. */
  readonly end: number
}

/**
 * @param read without our lines
 * @param bases by real path: the text that `read` was made from
 * @throws SetupError where an instance's block cannot be written into
 */
export function planInsertions(
  read: ReadStatements,
  {
    bases,
    instances,
    options,
  }: { bases: ReadonlyMap<string, string>; instances: Statement[]; options: PlanOptions },
): Insertions {
  return new Planner(read, bases, instances, options).plan()
}

/** Whether keepalived runs programs of the admin, which a change of user or script security would affect. */
export function runsOwnPrograms(statements: readonly Statement[]): boolean {
  return statements.some(({ words, block }) => runners.has(words[0] ?? '') || runsOwnPrograms(block ?? []))
}

export function globalsOf(root: Statement[]): Statement[] {
  return all(root, 'global_defs').flatMap((defs) => defs.block ?? [])
}

/** Whether a program of the admin's gets what keepalived writes about instances. */
export function readsFifo(globals: Statement[], runDir: string): boolean {
  const lines = all(globals, 'vrrp_notify_fifo', 'notify_fifo')
  return (
    lines.some(({ words }) => words[1] !== fifoPath(runDir)) ||
    all(globals, 'vrrp_notify_fifo_script', 'notify_fifo_script').length > 0
  )
}

function hasFifoWithoutUser(globals: Statement[]): boolean {
  return all(globals, 'vrrp_notify_fifo', 'notify_fifo', 'lvs_notify_fifo').some(
    ({ words }) => words[2] === undefined,
  )
}

class Planner {
  readonly #read: ReadStatements
  readonly #bases: ReadonlyMap<string, string>
  readonly #instances: Statement[]
  readonly #options: PlanOptions
  readonly #missing: MissingLine[]
  readonly #globals: Statement[]
  readonly #ownPrograms: boolean
  readonly #rows = new Map<string, string[]>()
  readonly #insertions = new Map<string, Insertion[]>()

  constructor(
    read: ReadStatements,
    bases: ReadonlyMap<string, string>,
    instances: Statement[],
    options: PlanOptions,
  ) {
    this.#read = read
    this.#bases = bases
    this.#instances = instances
    this.#options = options
    this.#missing = missingLines(options.path, { root: read.root, instances, runDir: options.runDir })
    this.#globals = globalsOf(read.root)
    // A FIFO of the admin's takes the user of scripts as it is where it stands, which is above the lines of setup.
    this.#ownPrograms = runsOwnPrograms(read.root) || hasFifoWithoutUser(this.#globals)
  }

  plan(): Insertions {
    this.#planGlobals()
    for (const instance of this.#instances) this.#planInstance(instance)
    return this.#insertions
  }

  #planGlobals(): void {
    const lines = this.#globalLines()
    if (lines.length === 0) return
    const home = this.#homeOfGlobals()
    if (home === null) {
      const realPath = this.#realPath(this.#options.path)
      const block = ['global_defs {', ...lines.map((line) => defaultUnit + line), '}']
      const rows = this.#rowsIn(realPath)
      this.#add(realPath, { row: aboveItsComments(rows, firstEffectiveRow(rows)), indent: '', lines: block })
      return
    }
    const { realPath, closeRow, condition, indent, unit } = home
    this.#add(realPath, {
      row: closeRow,
      indent: indent + unit,
      lines: lines.map((line) => condition + indent + unit + line),
    })
  }

  /** The user comes first: keepalived looks it up when it reads the FIFO. */
  #globalLines(): string[] {
    const has = (keyword: string) => all(this.#globals, keyword).length > 0
    const lines: string[] = []
    if (!this.#ownPrograms && !has('script_user')) lines.push(scriptUser)
    // Without a script_user it would disable the admin's scripts if keepalived's default user does not exist.
    const isUserKnown = has('script_user') && beforeScriptUser(this.#read.root, this.#globals) === null
    const mayGuard = this.#ownPrograms ? this.#options.advised && isUserKnown : true
    if (mayGuard && !has('enable_script_security')) lines.push(scriptSecurity)
    if (this.#missing.some(({ part, kind }) => part === 'fifo' && kind === 'absent'))
      lines.push(this.#fifoLine())
    if (this.#options.tellsPriorities && this.#lacksPriorities()) lines.push(priorityChanges)
    if (this.#options.advised && !this.#refreshesGarp()) lines.push('vrrp_garp_master_refresh 60')
    return lines
  }

  /** If the user of scripts is the admin's choice or keepalived's default, the FIFO line names its own user. */
  #fifoLine(): string {
    const { runDir } = this.#options
    const keyword = fifoKeyword(this.#globals, runDir)
    if (keyword === null) throw new Error('a FIFO line is absent, though both are taken')
    const home = this.#homeOfGlobals()
    const user = all(this.#globals, 'script_user').at(-1)
    const namedAbove = user === undefined || (home !== null && user.order < home.end)
    return fifoLine(keyword, { runDir, namesUser: !this.#scriptsRunAsRoot() || !namedAbove })
  }

  #scriptsRunAsRoot(): boolean {
    const user = all(this.#globals, 'script_user').at(-1)
    if (user === undefined) return !this.#ownPrograms
    // What needs the default user before script_user names it can lose it for all that comes later, too.
    return user.words[1] === 'root' && beforeScriptUser(this.#read.root, this.#globals) === null
  }

  /** A program of the admin's on a FIFO would get words that it may not know, so that is left to the admin. */
  #lacksPriorities(): boolean {
    if (readsFifo(this.#globals, this.#options.runDir)) return false
    if (all(this.#globals, 'vrrp_notify_priority_changes').length > 0) return false
    return this.#instances.some(
      (instance) =>
        weightsOf(this.#read.root, instance) === 'untold' &&
        last(instance.block, 'notify_priority_changes') === undefined,
    )
  }

  #refreshesGarp(): boolean {
    if (all(this.#globals, 'vrrp_garp_master_refresh').length > 0) return true
    return this.#instances.every((instance) => all(instance.block, 'garp_master_refresh').length > 0)
  }

  #homeOfGlobals(): Site | null {
    const first = Math.min(...all(this.#read.root, ...dependents).map(({ order }) => order))
    const blocks = all(this.#read.root, 'global_defs').filter(({ order }) => order < first)
    return blocks.map((block) => this.#site(block)).find((site) => site?.condition === '') ?? null
  }

  #planInstance(instance: Statement): void {
    const name = instance.words[1] ?? ''
    const absent = this.#missing.filter((line) => line.instance === name && line.kind === 'absent')
    const bar = absent.find(({ part }) => part === 'bar')
    const check = absent.find(({ part }) => part === 'check')
    const advised = this.#options.advised && lacksNopreempt(instance) ? ['nopreempt'] : []
    if (bar === undefined && check === undefined && advised.length === 0) return
    const site = this.#site(instance)
    const written = this.#writtenName(instance)
    if (site === null || written === null) throw this.#unreachable(instance)
    this.#define(site, [
      ...(bar?.defined === null ? this.#barLines(instance, written) : []),
      ...(check?.defined === null ? this.#checkLines(instance, written) : []),
    ])
    // The admin's own definition of the file may have another weight.
    const barUse = typeof bar?.defined === 'string' ? `${bar.defined} weight 0` : `bar_${written}`
    const uses = [
      ...(bar === undefined ? [] : [{ keyword: 'track_file', entry: barUse }]),
      ...(check === undefined
        ? []
        : [{ keyword: 'track_script', entry: check.defined ?? `witness_${written}` }]),
    ]
    this.#use(instance, site, { uses, advised })
  }

  #unreachable(instance: Statement): SetupError {
    return new SetupError(
      `${at(instance)}: vrrp_instance ${instance.words[1] ?? ''}: setup cannot add lines to it, because its first line or its closing "}" comes from a definition or shares its line with something else. Put "vrrp_instance NAME {" and the "}" on lines of their own and run setup again, or add these lines by hand; nothing was changed:\n${this.#byHand(instance)}`,
    )
  }

  #byHand(instance: Statement): string {
    const isFifoAbsent = this.#missing.some(({ part, kind }) => part === 'fifo' && kind === 'absent')
    const fifo = isFifoAbsent ? fifoKeyword(this.#globals, this.#options.runDir) : null
    return linesByHand([instance.words[1] ?? ''], { ...this.#options, fifo })
  }

  #barLines(instance: Statement, written: string): string[] {
    this.#assertFree(instance, ['vrrp_track_file', 'track_file'], 'bar_')
    return barLines(written, { runDir: this.#options.runDir, unit: '>' })
  }

  #checkLines(instance: Statement, written: string): string[] {
    this.#assertFree(instance, ['vrrp_script'], 'witness_')
    const { checkProgram, stateDir } = this.#options
    for (const path of [checkProgram, stateDir]) assertPlain(path)
    return checkLines(written, { checkProgram, stateDir, namesUser: !this.#scriptsRunAsRoot(), unit: '>' })
  }

  #assertFree(instance: Statement, keywords: string[], prefix: string): void {
    const name = prefix + (instance.words[1] ?? '')
    const taken = all(this.#read.root, ...keywords).find(({ words }) => words[1] === name)
    if (taken === undefined) return
    throw new SetupError(
      `${at(taken)}: setup uses the name ${name} for its own lines for ${instance.words[1] ?? ''}, but this is something else; rename or remove it`,
    )
  }

  /** keepalived looks names up as it reads, so definitions stand before the instance. */
  #define(site: Site, lines: readonly string[]): void {
    if (lines.length === 0) return
    const { realPath, condition, indent, unit, openRow } = site
    this.#add(realPath, {
      row: aboveItsComments(this.#rowsIn(realPath), openRow),
      indent,
      lines: lines.map((line) => condition + indent + line.replace(/^>/, unit)),
    })
  }

  #use(
    instance: Statement,
    site: Site,
    { uses, advised }: { uses: { keyword: string; entry: string }[]; advised: string[] },
  ): void {
    const { realPath, condition, indent, unit, closeRow } = site
    const own = [...advised]
    for (const { keyword, entry } of uses) {
      const block = this.#extendable(instance, keyword)
      if (block === null) own.push(`${keyword} {`, unit + entry, '}')
      else {
        const inner = block.indent + block.unit
        const line = (block.condition === '' ? condition : block.condition) + inner + entry
        this.#add(block.realPath, { row: block.closeRow, indent: inner, lines: [line] })
      }
    }
    if (own.length === 0) return
    const inner = indent + unit
    this.#add(realPath, { row: closeRow, indent: inner, lines: own.map((line) => condition + inner + line) })
  }

  #extendable(instance: Statement, keyword: string): Site | null {
    return (
      all(instance.block, keyword)
        .map((block) => this.#site(block))
        .find((site) => site !== null) ?? null
    )
  }

  #add(realPath: string, insertion: Insertion): void {
    const there = this.#insertions.get(realPath) ?? []
    // A file that is included twice, with different values of its variables, needs the lines only once.
    const isThere = there.some(
      ({ row, lines }) => row === insertion.row && lines.join('\n') === insertion.lines.join('\n'),
    )
    if (!isThere) this.#insertions.set(realPath, [...there, insertion])
  }

  #site(statement: Statement): Site | null {
    const { opened, closed } = statement
    if (opened === null || closed === null || !statement.startsRow || !closed.startsRow) return null
    if (closed.file !== statement.file) return null
    const realPath = this.#realPath(statement.file)
    const rows = this.#rowsIn(realPath)
    const openRow = statement.line - 1
    const closeRow = closed.line - 1
    const [, indent, condition = ''] =
      new RegExp(`^([ \\t]*)(@\\S*[ \\t]+)?${statement.words[0] ?? ''}(?=[ \\t\\r\\n{]|$)`).exec(
        rows[openRow] ?? '',
      ) ?? []
    if (indent === undefined || !/^[ \t]*(@\S*[ \t]+)?\}/.test(rows[closeRow] ?? '')) return null
    return {
      realPath,
      condition,
      indent,
      unit: unitOf(rows.slice(openRow + 1, closeRow), indent),
      openRow,
      closeRow,
      end: lastOrder(statement) + 1,
    }
  }

  /**
   * The instance's name as it is written in the file. Variables stay variables, because the file may be included
   * twice.
   */
  #writtenName(instance: Statement): string | null {
    const row = this.#rowsIn(this.#realPath(instance.file))[instance.line - 1] ?? ''
    const [, quoted, plain] =
      /vrrp_instance[ \t]+(?:"([^"]*)"|((?:\$\{[^}]*\}|[^\s"{])+))[ \t]*(?:\{.*|[#!].*)?\r?\n?$/.exec(row) ??
      []
    const name = quoted ?? plain
    return name?.replace(/\$([A-Za-z_]\w*)$/, '${$1}') ?? null
  }

  #realPath(file: string): string {
    const found = this.#read.files.find((each) => each.file === file)
    if (found === undefined) throw new Error(`${file} was not read`)
    return found.realPath
  }

  #rowsIn(realPath: string): string[] {
    const rows = this.#rows.get(realPath) ?? rowsOf(this.#bases.get(realPath) ?? '')
    this.#rows.set(realPath, rows)
    return rows
  }
}

/** keepalived ignores nopreempt with "state MASTER" and priority 255. */
export function lacksNopreempt(instance: Statement): boolean {
  if (all(instance.block, 'nopreempt', 'preempt').length > 0) return false
  if (all(instance.block, 'state').some(({ words }) => words[1] === 'MASTER')) return false
  return last(instance.block, 'priority')?.words[1] !== '255'
}

function lastOrder({ order, block }: Statement): number {
  return Math.max(order, ...(block ?? []).map(lastOrder))
}

/** keepalived splits a script's line at blanks. A check with half a path would refuse for ever, which means FAULT. */
function assertPlain(path: string | null): void {
  if (path === null || /^[^\s"'\\#!{}$]+$/.test(path)) return
  throw new SetupError(
    `"${path}" cannot be used in the line with which keepalived runs the check, so nothing was changed. Choose a path without blanks, quotes and any of \\ # ! { } $ (stateDir in agent.yaml, or --check-program)`,
  )
}

function firstEffectiveRow(rows: readonly string[]): number {
  const row = rows.findIndex((text) => !/^[ \t]*([#!].*)?\r?\n?$/.test(text))
  if (row < 0) throw new Error('a file without a line has no instance')
  return row
}

/** The comment directly above belongs to the block, except where it is the head of the file. */
function aboveItsComments(rows: readonly string[], row: number): number {
  let above = row
  while (above > 0 && /^[ \t]*[#!]/.test(rows[above - 1] ?? '')) above--
  return above === 0 ? row : above
}

/** One level of indentation as the block's first row has it. */
function unitOf(inner: readonly string[], indent: string): string {
  for (const row of inner) {
    const own = /^([ \t]*)[^\s@]/.exec(row)?.[1]
    if (own?.startsWith(indent) === true && own.length > indent.length) return own.slice(indent.length)
  }
  return indent.includes('\t') ? '\t' : defaultUnit
}
