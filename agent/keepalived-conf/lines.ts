/**
 * The lines of keepalived.conf as keepalived itself comes to see them: without comments, with `include`d files in
 * place, `$NAME=…` definitions applied and `@host` conditions decided, every brace on a line of its own.
 * It follows read_line() of keepalived's lib/parser.c, so that the agent and keepalived read the same configuration.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { includeGlob, isPattern } from './include-glob.ts'

/** Where a line stands, for errors and warnings. */
export interface Place {
  readonly file: string
  readonly line: number
}

export interface Line extends Place {
  readonly text: string
  /** Nothing of its row comes before it: what is put on a row above stands directly before this line. */
  readonly startsRow: boolean
}

/** A file as it was read: `file` is the name that led to it, `realPath` what symbolic links stand for. */
export interface ReadFile {
  readonly file: string
  readonly realPath: string
}

/** An `include`: which names keepalived would take for part of its configuration. */
export interface Include {
  readonly folder: string
  readonly pattern: string
}

/** A keepalived.conf that cannot be read with certainty. The message has place, what is wrong and what to do. */
export class KeepalivedConfError extends Error {
  readonly code = 'keepalived-conf'

  constructor(
    readonly place: { file: string; line: number | null },
    what: string,
    options?: ErrorOptions,
  ) {
    super(`${place.file}${place.line === null ? '' : `:${place.line}`}: ${what}`, options)
  }
}

/** Stands where a value is that only the running keepalived knows (`$_RANDOM`, `$_ENV`, `$_INSTANCE`). */
export const unknowable = '\u0000unknowable'

/** What separates words for keepalived: isspace() in the C locale. JavaScript's own `\s` and trim() take more. */
export const blank = ' \\t\\v\\f\\r'
const outerBlanks = new RegExp(`^[${blank}]+|[${blank}]+$`, 'g')
const includeLine = new RegExp(`^include[rmwba]?[${blank}]+(.*)$`, 's')
const looksBlank = new RegExp(`[^\\S\\n${blank}]`)

const maxFileBytes = 4 * 1024 * 1024
const maxIncludeDepth = 32
/** keepalived's own MAXBUF. Of a longer line 2.2.7 reads the rest as another line; nobody means that. */
const maxLineLength = 1023
const maxSubstitutions = 200
const maxLines = 200_000
const knownOnlyToKeepalived = ['_RANDOM', '_ENV', '_INSTANCE']

interface OpenFile {
  readonly file: string
  readonly realPath: string
  readonly rows: string[]
  next: number
  /** Further matches of the same include, read after this file. */
  readonly siblings: string[]
}

interface Definition {
  /** More than one: the first replaces the use, the others follow as lines. */
  lines: string[]
  multiline: boolean
}

export interface ReadLines {
  readonly lines: Line[]
  readonly warnings: string[]
  readonly files: ReadFile[]
  readonly includes: Include[]
}

/** By real path: contents that count instead of those on disk. */
export type Drafts = ReadonlyMap<string, string>

/**
 * @param configId what `@host` lines are compared with: keepalived's `-i`, by default the host's short name
 * @throws KeepalivedConfError
 */
export function readKeepalivedLines(
  path: string,
  configId: string,
  drafts: Drafts = new Map<string, string>(),
): ReadLines {
  return new LineReader(configId, drafts).read(path)
}

class LineReader {
  readonly #configId: string
  readonly #drafts: Drafts
  readonly #lines: Line[] = []
  readonly #warnings: string[] = []
  readonly #seen: ReadFile[] = []
  readonly #includes: Include[] = []
  readonly #files: OpenFile[] = []
  readonly #definitions = new Map<string, Definition>()
  /** Lines of a definition that still have to be read, the next one last. */
  readonly #pending: string[] = []
  #rest: string | null = null
  #defining: Definition | null = null
  #place: Place = { file: '', line: 0 }
  #startsRow = false
  #read = 0
  #substitutions = 0

  constructor(configId: string, drafts: Drafts) {
    this.#configId = configId
    this.#drafts = drafts
  }

  read(path: string): ReadLines {
    this.#place = { file: path, line: 1 }
    this.#files.push(this.#open(path, [], null))
    for (let text = this.#nextText(); text !== null; text = this.#nextText()) {
      if (++this.#read > maxLines) {
        this.#refuse('the configuration is too long; look for definitions that use themselves')
      }
      const effective = this.#takeDefinitionLine(text) ? null : this.#effective(text)
      if (effective === null || effective === '') continue
      const pattern = includeLine.exec(effective)?.[1]
      if (pattern === undefined) this.#emit(effective)
      else this.#include(pattern)
    }
    return { lines: this.#lines, warnings: this.#warnings, files: this.#seen, includes: this.#includes }
  }

  #refuse(what: string): never {
    throw new KeepalivedConfError(this.#place, what)
  }

  #warn(what: string): void {
    this.#warnings.push(`${this.#place.file}:${this.#place.line}: ${what}`)
  }

  #nextText(): string | null {
    this.#startsRow = false
    if (this.#rest !== null) {
      const rest = this.#rest
      this.#rest = null
      return rest
    }
    return this.#pending.pop() ?? this.#nextRow()
  }

  #nextRow(): string | null {
    for (let top = this.#files.at(-1); top !== undefined; top = this.#files.at(-1)) {
      const row = top.rows[top.next]
      if (row === undefined) {
        this.#closeFile(top)
        continue
      }
      top.next++
      this.#place = { file: top.file, line: top.next }
      if (row === '') this.#endDefinition()
      if (row.includes('\0')) this.#warn('keepalived ignores this line, because it contains a NUL byte')
      else if (row.length > maxLineLength)
        this.#warn(
          `this line is too long for keepalived and is ignored; keep it under ${maxLineLength} bytes`,
        )
      else {
        const text = this.#withoutComment(row)
        this.#startsRow = true
        this.#warnOfFalseBlank(text)
        if (text !== '') return text
      }
    }
    return null
  }

  /** A byte order mark, a blank that was copied from a page or typed by a Chinese keyboard. */
  #warnOfFalseBlank(text: string): void {
    const code = looksBlank.exec(text)?.[0].codePointAt(0)
    if (code === undefined) return
    const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
    this.#warn(
      `keepalived takes ${name} for a part of the word, not for a blank; delete it or replace it with a plain blank`,
    )
  }

  #closeFile(file: OpenFile): void {
    this.#files.pop()
    const next = file.siblings[0]
    if (next !== undefined) this.#files.push(this.#open(next, file.siblings.slice(1), this.#place))
  }

  #open(file: string, siblings: string[], includedAt: Place | null): OpenFile {
    const place = includedAt ?? { file, line: null }
    const prefix = includedAt === null ? '' : `included file ${file}: `
    let realPath: string
    let content: string
    try {
      realPath = realpathSync(file)
      const stat = statSync(realPath)
      if (!stat.isFile()) throw new KeepalivedConfError(place, `${prefix}not a regular file`)
      if (stat.size > maxFileBytes) {
        throw new KeepalivedConfError(
          place,
          `${prefix}larger than ${maxFileBytes} bytes; check that it is a configuration file`,
        )
      }
      content = this.#drafts.get(realPath) ?? readFileSync(realPath, 'utf8')
    } catch (cause) {
      if (cause instanceof KeepalivedConfError) throw cause
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new KeepalivedConfError(
        place,
        `${prefix}cannot be read (${why}); check the path and its permissions`,
        {
          cause,
        },
      )
    }
    if (this.#files.some((open) => open.realPath === realPath)) {
      this.#refuse(`include loop: ${file} includes itself; remove one of the includes`)
    }
    if (this.#files.length >= maxIncludeDepth) {
      this.#refuse(`includes are nested more than ${maxIncludeDepth} deep; flatten them`)
    }
    this.#seen.push({ file, realPath })
    const rows = content.split('\n').map((row) => row.replace(/\r+$/, ''))
    return { file, realPath, rows, next: 0, siblings }
  }

  #include(pattern: string): void {
    const folder = dirname(this.#files.at(-1)?.file ?? this.#place.file)
    this.#includes.push({ folder, pattern })
    const files = includeGlob(folder, pattern).filter((file) => this.#isReadable(file))
    const first = files[0]
    if (first !== undefined) this.#files.push(this.#open(first, files.slice(1), this.#place))
    else if (!isPattern(pattern)) this.#warn(`include ${pattern}: no such file`)
  }

  /** keepalived passes over directories and executable files. */
  #isReadable(file: string): boolean {
    const stat = statSync(file, { throwIfNoEntry: false })
    if (stat?.isFile() === true && (stat.mode & 0o111) === 0) return true
    this.#warn(`include: keepalived skips ${file}, because it is not a regular file or is executable`)
    return false
  }

  #withoutComment(row: string): string {
    let text = ''
    let quoted = false
    let continued = false
    const start = row.replace(/^[ \t]+/, '')
    for (let i = 0; i < start.length; i++) {
      const char = start.charAt(i)
      const next = start[i + 1]
      if (char === '\\') {
        if (next === undefined) {
          continued = true
          break
        }
        text += !quoted && (next === '#' || next === '!') ? next : char + next
        i++
        continue
      }
      if (char === '"') quoted = !quoted
      if (!quoted && (char === '#' || char === '!')) break
      text += char
    }
    if (quoted) this.#warn('a quote is not closed on this line')
    return text.replace(/[ \t]+$/, '') + (continued ? '\\' : '')
  }

  /** A line of a definition that goes on over several lines. */
  #takeDefinitionLine(text: string): boolean {
    if (this.#defining === null) return false
    const continues = text.endsWith('\\')
    const value = continues ? text.slice(0, -1).replace(/[ \t]+$/, '') : text
    if (value !== '') this.#defining.lines.push(value)
    if (!continues) this.#endDefinition()
    return true
  }

  #endDefinition(): void {
    if (this.#defining === null) return
    if (this.#defining.lines.length === 0) this.#defining.multiline = false
    this.#defining = null
  }

  /** The line after its condition and its definitions; null where nothing of it is left. */
  #effective(text: string): string | null {
    let line = text
    for (let round = 0; round < maxSubstitutions; round++) {
      if (line.startsWith('@')) {
        const rest = this.#conditional(line)
        if (rest === null) return null
        line = rest
      }
      if (this.#define(line)) return null
      if (/^~(SEQ|LST)/.test(line)) {
        this.#refuse(
          'the agent does not understand ~SEQ and ~LST; write out the repeated lines (or include a generated file)',
        )
      }
      const replaced = line.startsWith('~') ? null : this.#substitute(line)
      if (replaced === null) return line
      line = this.#withoutComment(replaced)
    }
    return this.#refuse('a definition uses itself; write out its value')
  }

  #conditional(line: string): string | null {
    const [, negated, id, rest] = /^@(\^?)([^ \t]*)[ \t]+(.*)$/s.exec(line) ?? []
    if (rest === undefined) return null
    return (id === this.#configId) !== (negated === '^') ? rest : null
  }

  #define(line: string): boolean {
    const [, name, value] = /^\$([A-Za-z_][A-Za-z0-9_]*)=[ \t]*(.*)$/s.exec(line) ?? []
    if (name === undefined || value === undefined) return false
    const multiline = value.endsWith('\\')
    const first = multiline ? value.slice(0, -1).replace(/[ \t]+$/, '') : value
    const definition = { lines: multiline && first === '' ? [] : [first], multiline }
    this.#definitions.set(name, definition)
    if (multiline) this.#defining = definition
    return true
  }

  /** Null where the line uses no definition. */
  #substitute(line: string): string | null {
    let text = line
    let changed = false
    let count = 0
    let at = text.indexOf('$')
    while (at >= 0) {
      const use = this.#useAt(text, at)
      if (use === null) {
        at = text.indexOf('$', at + 1)
        continue
      }
      if (++count > maxSubstitutions || ++this.#substitutions > maxLines) {
        this.#refuse('a definition uses itself; write out its value')
      }
      const [first = '', ...more] = use.lines
      this.#queue(more)
      text = text.slice(0, at) + first + text.slice(at + use.length)
      if (text.length > maxLineLength)
        this.#refuse('the line is too long for keepalived after its definitions are applied')
      changed = true
      if (/^[ \t]*~/.test(first)) break
      at = text.indexOf('$', at)
    }
    return changed ? text : null
  }

  #queue(lines: string[]): void {
    if (this.#pending.length + lines.length > maxLines)
      this.#refuse('a definition uses itself; write out its value')
    for (const line of lines.reverse()) this.#pending.push(line)
  }

  #useAt(text: string, at: number): { lines: string[]; length: number } | null {
    const rest = text.slice(at + 1)
    const braced = /^\{([A-Za-z_][A-Za-z0-9_]*)((?:[ \t]+[A-Za-z0-9_]+)*)\}/.exec(rest)
    const match = braced ?? /^([A-Za-z_][A-Za-z0-9_]*)(?=[ \t,)]|$)/.exec(rest)
    const name = match?.[1]
    if (match === null || name === undefined) return null
    const length = match[0].length + 1
    const definition = this.#definitions.get(name)
    if (definition !== undefined) {
      if (definition.multiline && at + length !== text.length) return null
      return { lines: definition.lines, length }
    }
    const standard = this.#standard(name)
    if (standard !== null) return { lines: [standard], length }
    if (braced !== null) this.#warn(`\${${name}} is not defined; keepalived leaves it as it is`)
    return null
  }

  #standard(name: string): string | null {
    if (name === '_PWD') return dirname(this.#place.file)
    if (name === '_HASH') return '#'
    if (name === '_BANG') return '!'
    return knownOnlyToKeepalived.includes(name) ? `${unknowable}(${name})` : null
  }

  /** Cuts the line at its first brace outside of double quotes; what follows is read as the next line. */
  #emit(line: string): void {
    const at = braceAt(line)
    const cut = at === 0 ? 1 : (at ?? line.length)
    const rest = trimmed(line.slice(cut))
    if (rest !== '') this.#rest = rest
    const text = trimmed(line.slice(0, cut))
    if (text !== '') this.#lines.push({ ...this.#place, text, startsRow: this.#startsRow })
  }
}

function trimmed(text: string): string {
  return text.replace(outerBlanks, '')
}

function braceAt(line: string): number | null {
  let quoted = false
  for (let i = 0; i < line.length; i++) {
    const char = line[i]
    if (char === '"') quoted = !quoted
    else if (!quoted && (char === '{' || char === '}')) return i
  }
  return null
}
