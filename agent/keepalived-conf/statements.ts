/**
 * keepalived.conf as statements: a line of words with the block it opens, if any, in keepalived's order of reading.
 */
import { hostname } from 'node:os'
import { type BlockKind, rootBlocks } from './blocks.ts'
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
  /** Where keepalived ignores a brace or misses one, so that a block ends elsewhere than it seems to; also in `warnings`. */
  readonly misplacedBraces: readonly string[]
}

const skipped: BlockKind = { kind: 'skipped' }

/** keepalived's `-i` where none is given: the host's name up to its first dot. */
export function defaultConfigId(): string {
  return hostname().replace(/\..*$/s, '')
}

/**
 * @param drafts by real path: contents that count instead of those on disk
 * @throws KeepalivedConfError where a file cannot be read or the braces do not match
 */
export function readStatements(path: string, configId: string, drafts?: Drafts): ReadStatements {
  const { lines, warnings, ...read } = readKeepalivedLines(path, configId, drafts)
  const blocks = new BlockReader().read(lines)
  return {
    root: blocks.root,
    warnings: [...warnings, ...blocks.warnings],
    misplacedBraces: blocks.warnings,
    ...read,
  }
}

export function at(place: Place): string {
  return `${place.file}:${place.line}`
}

const words = new RegExp(`"([^"]*)"|([^${blank}"]+)`, 'g')

/** As alloc_strvec() of keepalived: a quoted string is one word, and an unclosed quote ends the line. */
function wordsOf(text: string): string[] {
  return Array.from(text.matchAll(words), (match) => match[1] ?? match[2] ?? '')
}

/** Where the reader is: outside of all blocks, or inside of the block of `owner`. */
interface Level {
  readonly owner: Statement | null
  readonly kind: BlockKind
  readonly statements: Statement[]
}

/**
 * The statements as keepalived's own reader arranges them. Where it ignores a brace, the statements are where it puts
 * them, and a warning says so.
 */
class BlockReader {
  readonly #root: Level = { owner: null, kind: { kind: 'keywords', blocks: rootBlocks }, statements: [] }
  readonly #levels: Level[] = [this.#root]
  readonly #instances = new Set<string>()
  readonly #warnings: string[] = []
  /** The block that the last statement announced, and that has not begun. */
  #announced: Level | null = null
  /** How many "{" were ignored whose "}" has not come. */
  #ignored = 0
  /** How deep the reader is in a block that is passed over. */
  #skippedDepth = 0

  read(lines: readonly Line[]): { readonly root: Statement[]; readonly warnings: readonly string[] } {
    for (const [order, line] of lines.entries()) {
      if (line.text === '{') this.#open(line)
      else if (line.text === '}') this.#close(line)
      else this.#take(line, order)
    }
    const unclosed = this.#level.owner
    if (unclosed === null) return { root: this.#root.statements, warnings: this.#warnings }
    throw new KeepalivedConfError(
      unclosed,
      `the block "${textOf(unclosed)}" is not closed; add the missing "}"`,
    )
  }

  get #level(): Level {
    return this.#levels.at(-1) ?? this.#root
  }

  #warn(place: Place, what: string): void {
    this.#warnings.push(`${at(place)}: ${what}`)
  }

  #take(line: Line, order: number): void {
    this.#beginWithoutBrace()
    const words = wordsOf(line.text)
    if (words.length === 0 || this.#level.kind.kind === 'skipped') return
    const statement: Statement = { ...line, words, order, block: null, opened: null, closed: null }
    this.#level.statements.push(statement)
    const { kind } = this.#level
    const block = kind.kind === 'keywords' ? kind.blocks.get(words[0] ?? '') : undefined
    if (block === undefined) return
    this.#announced = { owner: statement, kind: this.#isTaken(statement) ? block : skipped, statements: [] }
  }

  /** keepalived passes over an instance without a name, and over the second one of a name. */
  #isTaken({ words }: Statement): boolean {
    const [keyword, name = ''] = words
    if (keyword !== 'vrrp_instance') return true
    const isTaken = words.length === 2 && !this.#instances.has(name)
    this.#instances.add(name)
    return isTaken
  }

  #open(line: Line): void {
    const announced = this.#announced
    if (announced !== null) {
      this.#begin(announced)
      if (announced.owner !== null) announced.owner.opened = line
    } else if (this.#level.kind.kind === 'skipped') this.#skippedDepth += 1
    else this.#ignore(line)
  }

  #begin(level: Level): void {
    this.#announced = null
    if (level.owner !== null) level.owner.block = level.statements
    this.#levels.push(level)
  }

  /** A block whose "{" is missing begins all the same, except one that is passed over. */
  #beginWithoutBrace(): void {
    const announced = this.#announced
    if (announced === null) return
    this.#announced = null
    if (announced.kind.kind === 'skipped') return
    if (announced.owner !== null) this.#warn(announced.owner, `the "{" of this block is missing; add it`)
    this.#begin(announced)
  }

  #ignore(line: Line): void {
    this.#ignored += 1
    const { owner, statements } = this.#level
    const before = statements.at(-1)
    const keyword = before === undefined ? 'this' : `"${before.words[0]?.slice(0, 80) ?? ''}"`
    this.#warn(
      before ?? line,
      owner === null
        ? `keepalived knows no block ${keyword} here and reads its lines as if they stood outside of it; correct the keyword or remove the block`
        : `keepalived knows no block ${keyword} here and ignores its "{", so its "}" ends "${textOf(owner)}" and the rest of that block is lost; correct the keyword or remove the block`,
    )
  }

  #close(line: Line): void {
    this.#beginWithoutBrace()
    if (this.#skippedDepth > 0) {
      this.#skippedDepth -= 1
      return
    }
    const { owner } = this.#level
    if (owner !== null) {
      owner.closed = line
      this.#levels.pop()
    } else if (this.#ignored > 0) this.#ignored -= 1
    else this.#warn(line, 'keepalived ignores this "}", because no block is open; remove it')
  }
}

function textOf(statement: Statement): string {
  return statement.words.join(' ').slice(0, 80)
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
