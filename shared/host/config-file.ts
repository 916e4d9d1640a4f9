/**
 * YAML configuration files: read once at the start, checked strictly, and every mistake reported with its place and
 * its remedy.
 */
import { readFileSync } from 'node:fs'
import {
  type Alias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
  visit,
} from 'yaml'
import { z } from 'zod'

/** The message has one line for each mistake: `file:line:column: option: what is wrong; what to do`. */
export class ConfigError extends Error {
  readonly code = 'config'
  readonly lines: readonly string[]

  constructor(lines: readonly string[], options?: ErrorOptions) {
    super(lines.join('\n'), options)
    this.lines = lines
  }
}

type Path = readonly PropertyKey[]

/**
 * Reads and checks a configuration. An empty file is an empty map.
 * @param path as the user gave it; the errors repeat it
 * @throws ConfigError with all mistakes
 */
export function loadConfig<T>(path: string, schema: z.ZodType<T>): T {
  return parseConfig({ path, text: readConfig(path), schema })
}

/** As `loadConfig`, for a text that has already been read. */
export function parseConfig<T>({
  path,
  text,
  schema,
}: {
  path: string
  text: string
  schema: z.ZodType<T>
}): T {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false, logLevel: 'error' })
  const place = (offset: number): string => {
    const { line, col } = lineCounter.linePos(offset)
    return `${path}:${line}:${col}`
  }
  if (document.errors.length > 0)
    throw new ConfigError(
      document.errors.map((error) => `${place(error.pos[0])}: not YAML: ${lowerFirst(error.message)}`),
    )
  const unresolved = unresolvedAliases(document)
  if (unresolved.length > 0)
    throw new ConfigError(
      unresolved.map(
        ({ source, range }) =>
          `${place(range?.[0] ?? 0)}: not YAML: "*${source}" repeats what "&${source}" marks, and nothing above is marked so; write out the value, or quote it if the asterisk belongs to it`,
      ),
    )
  const value: unknown = document.contents === null ? {} : toPlain(document, path)
  const result = schema.safeParse(value ?? {}, { reportInput: true })
  if (result.success) return result.data
  const lines = result.error.issues
    .flatMap((issue) => describe(issue, schema))
    .map(({ path: at, key, text }) => {
      const option = [...at, ...(key === null ? [] : [key])].map(String).join('.')
      return { offset: offsetOf(document, at, key), text: option === '' ? text : `${option}: ${text}` }
    })
  lines.sort((a, b) => a.offset - b.offset)
  throw new ConfigError(lines.map((line) => `${place(line.offset)}: ${line.text}`))
}

/** The aliases that name nothing. Neither a value nor a text can be made of a document with one. */
export function unresolvedAliases(document: Document): readonly Alias[] {
  const found: Alias[] = []
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document) === undefined) found.push(alias)
    },
  })
  return found
}

function readConfig(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : null
    switch (code) {
      case 'ENOENT':
        throw new ConfigError(
          [
            `${path}: there is no such file; create it (docs/operating/options.md lists the options), or name another one with --config`,
          ],
          { cause },
        )
      case 'EACCES':
        throw new ConfigError(
          [`${path}: this user may not read it; change its owner or mode, or run this as root`],
          {
            cause,
          },
        )
      case 'EISDIR':
        throw new ConfigError([`${path}: this is a folder; name the file in it with --config`], { cause })
      default:
        throw new ConfigError([`${path}: cannot be read: ${String(cause)}`], { cause })
    }
  }
}

function toPlain(document: Document, path: string): unknown {
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (cause) {
    throw new ConfigError([`${path}: not YAML: ${String(cause)}`], { cause })
  }
  if (isPartOfItself(value))
    throw new ConfigError([
      `${path}: not YAML: an alias is used inside the value that it names; write out the value`,
    ])
  return value
}

function isPartOfItself(value: unknown, around: readonly unknown[] = []): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (around.includes(value)) return true
  return Object.values(value).some((inner) => isPartOfItself(inner, [...around, value]))
}

/** `key` names an option of the map at `path` that should not be there. */
interface Mistake {
  readonly path: Path
  readonly key: string | null
  readonly text: string
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodType): Mistake[] {
  const at = (text: string): Mistake[] => [{ path: issue.path, key: null, text }]
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = optionsAt(schema, issue.path)
      return issue.keys.map((key) => ({ path: issue.path, key, text: unknownOption(key, known) }))
    }
    case 'invalid_type':
      if (issue.input === null)
        return at(`empty, but ${article(issue.expected)} is expected; fill it in, or remove it`)
      return at(
        issue.input === undefined
          ? `missing, but ${article(issue.expected)} is expected; add it`
          : `${show(issue.input)} is not ${article(issue.expected)}`,
      )
    case 'invalid_value':
      return at(`${show(issue.input)} is not one of ${issue.values.map((one) => String(one)).join(', ')}`)
    case 'invalid_key':
      return [
        {
          path: issue.path.slice(0, -1),
          key: String(issue.path.at(-1)),
          text: `this name is not valid here: ${issue.issues.map((inner) => inner.message).join('; ')}`,
        },
      ]
    case 'too_small':
      return at(
        `${show(issue.input)} is too small; it must ${bound(issue.origin, 'at least', issue.minimum)}`,
      )
    case 'too_big':
      return at(`${show(issue.input)} is too big; it must ${bound(issue.origin, 'at most', issue.maximum)}`)
    case 'custom':
      return at(issue.message)
    case 'invalid_format':
      return at(`${show(issue.input)}: ${issue.message}`)
    case 'invalid_union':
    case 'invalid_element':
    case 'not_multiple_of':
      return at(`${show(issue.input)}: ${lowerFirst(issue.message)}`)
    default:
      return at(lowerFirst(JSON.stringify(issue)))
  }
}

function bound(origin: string, words: string, limit: number | bigint): string {
  switch (origin) {
    case 'string':
      return `have ${words} ${limit} characters`
    case 'array':
    case 'map':
    case 'object':
      return `have ${words} ${limit} entries`
    default:
      return `be ${words} ${limit}`
  }
}

function unknownOption(key: string, known: readonly string[]): string {
  const near = known
    .map((name) => ({ name, distance: editDistance(key.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0]
  if (near !== undefined && near.distance <= Math.max(1, Math.floor(near.name.length / 3)))
    return `unknown option; did you mean ${near.name}?`
  return `unknown option; ${known.length === 0 ? 'remove it' : `known here: ${known.join(', ')}`}`
}

/** The options that the schema knows in the map at `path`. */
function optionsAt(schema: z.core.$ZodType, path: Path): string[] {
  const here = unwrap(schema)
  const [first, ...rest] = path
  if (first === undefined) return here instanceof z.ZodObject ? Object.keys(here.shape) : []
  if (here instanceof z.ZodObject) {
    const inner: unknown = here.shape[String(first)]
    return inner instanceof z.core.$ZodType ? optionsAt(inner, rest) : []
  }
  if (here instanceof z.ZodRecord) return optionsAt(here.valueType, rest)
  if (here instanceof z.ZodArray) return optionsAt(here.element, rest)
  return []
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  )
    return unwrap(schema.unwrap())
  if (schema instanceof z.ZodPipe) return unwrap(schema.in)
  return schema
}

/** Where the value at `path` starts, or the named key in it. If it is missing, where its parent starts. */
function offsetOf(document: Document, path: Path, key: string | null): number {
  const steps = key === null ? path : [...path, key]
  let node: unknown = document.contents
  let offset = startOf(node)
  for (const [index, step] of steps.entries()) {
    const keyWanted = index === steps.length - 1 && key !== null
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step))
      if (!isPair(pair)) return offset
      if (keyWanted) return startOf(pair.key)
      // A key is the best place to point at as long as its value may be missing.
      offset = startOf(pair.value) === 0 ? startOf(pair.key) : startOf(pair.value)
      node = pair.value
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step]
      if (node === undefined) return offset
      offset = startOf(node)
    } else return offset
  }
  return offset
}

function startOf(node: unknown): number {
  return isNode(node) ? ((node satisfies Node).range?.[0] ?? 0) : 0
}

function article(expected: string): string {
  switch (expected) {
    case 'object':
    case 'record':
      return 'a map of options'
    case 'array':
      return 'a list'
    case 'int':
      return 'a whole number'
    case 'boolean':
      return 'true or false'
    case 'string':
      return 'a text'
    default:
      return `a ${expected}`
  }
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

/** Levenshtein's distance. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let i = 0; i < one.length; i += 1) {
    const next = [i + 1]
    for (let j = 0; j < other.length; j += 1)
      next.push(
        Math.min((row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1, (row[j] ?? 0) + (one[i] === other[j] ? 0 : 1)),
      )
    row = next
  }
  return row.at(-1) ?? 0
}
