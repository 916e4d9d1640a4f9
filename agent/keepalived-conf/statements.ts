/**
 * keepalived.conf as statements: a line of words with the block it opens, if any, in keepalived's order of reading.
 */
import { hostname } from 'node:os'
import {
  blank,
  KeepalivedConfError,
  readKeepalivedLines,
  unknowable,
  type Drafts,
  type Line,
  type Place,
  type ReadLines,
} from './lines.ts'

export interface Statement extends Line {
  readonly words: string[]
  /** Which one it is in keepalived's order of reading: a name must be defined before it is used. */
  readonly order: number
  block: Statement[] | null
  /** The lines of its braces. */
  opened: Line | null
  closed: Line | null
}

export interface ReadStatements extends Omit<ReadLines, 'lines'> {
  readonly root: Statement[]
}

const maxDepth = 32

/** keepalived's `-i` where none is given: the host's name up to its first dot. */
export function defaultConfigId(): string {
  return hostname().replace(/\..*$/s, '')
}

/**
 * @param drafts by real path: contents that count instead of those on disk
 * @throws KeepalivedConfError where a file cannot be read or the braces do not match
 */
export function readStatements(path: string, configId: string, drafts?: Drafts): ReadStatements {
  const { lines, ...read } = readKeepalivedLines(path, configId, drafts)
  return { root: block(lines), ...read }
}

export function at(place: Place): string {
  return `${place.file}:${place.line}`
}

const words = new RegExp(`"([^"]*)"|([^${blank}"]+)`, 'g')

/** As alloc_strvec() of keepalived: a quoted string is one word, and an unclosed quote ends the line. */
function wordsOf(text: string): string[] {
  return Array.from(text.matchAll(words), (match) => match[1] ?? match[2] ?? '')
}

function block(lines: readonly Line[]): Statement[] {
  const root: Statement[] = []
  const open: Statement[] = []
  let statements = root
  for (const [order, each] of lines.entries()) {
    const { text, file, line } = each
    if (text === '{') {
      const owner = statements.at(-1)
      if (owner?.block !== null)
        throw new KeepalivedConfError({ file, line }, 'a "{" does not belong to any keyword; remove it')
      if (open.length >= maxDepth)
        throw new KeepalivedConfError(
          { file, line },
          'the blocks are nested too deeply; look for a missing "}"',
        )
      owner.block = statements = []
      owner.opened = each
      open.push(owner)
    } else if (text === '}') {
      const owner = open.pop()
      if (owner === undefined)
        throw new KeepalivedConfError(
          { file, line },
          'a "}" has no matching "{"; remove it, or look for a surplus "}" above',
        )
      owner.closed = each
      statements = open.at(-1)?.block ?? root
    } else {
      const words = wordsOf(text)
      if (words.length > 0)
        statements.push({ ...each, words, order, block: null, opened: null, closed: null })
    }
  }
  const unclosed = open.at(-1)
  if (unclosed === undefined) return root
  throw new KeepalivedConfError(
    unclosed,
    `the block "${unclosed.words.join(' ').slice(0, 80)}" is not closed; add the missing "}"`,
  )
}

/** A word of a statement, where it is known without asking keepalived. */
export function knownWord(statement: Statement, index: number): string | undefined {
  const word = statement.words[index]
  const name = word === undefined ? undefined : word.split(`${unknowable}(`)[1]?.split(')')[0]
  if (name === undefined) return word
  throw new KeepalivedConfError(
    statement,
    `${statement.words[0] ?? ''} takes its value from $${name}, which only the running keepalived knows; write out the value`,
  )
}

export function all(statements: Statement[] | null, ...keywords: string[]): Statement[] {
  return (statements ?? []).filter((statement) => keywords.includes(statement.words[0] ?? ''))
}

/** keepalived lets a later line replace an earlier one. */
export function last(statements: Statement[] | null, ...keywords: string[]): Statement | undefined {
  return all(statements, ...keywords).at(-1)
}
