/**
 * Finds what breaks the walls of rooms.ts. It reads the sources as text, so every form of import counts: `import`,
 * `import type`, `export … from`, `import()` and `require()`.
 */
import { dirname, normalize } from 'node:path'
import ts from 'typescript'
import { type Room, rooms, wings } from './rooms.ts'

/** Path from the root of the repository, to source text. */
export type Sources = ReadonlyMap<string, string>

/** A core file is read from top to bottom in one sitting. */
const longestCoreFile = 300

function isIn(place: string, file: string): boolean {
  return file === place || file.startsWith(`${place}/`)
}

function isAllowed(place: string, file: string): boolean {
  if (!place.endsWith('/*')) return isIn(place, file)
  return dirname(file) === place.slice(0, -2)
}

/** All rooms around a file, the innermost first. */
function roomsAround(file: string): readonly Room[] {
  return rooms.filter(({ at }) => isIn(at, file)).sort((a, b) => b.at.length - a.at.length)
}

export function isCore(file: string): boolean {
  return /^(agent|server|shared)\/core\//.test(file)
}

interface Import {
  readonly from: string
  /** A package, or a path from the root. */
  readonly to: string
  readonly isPackage: boolean
}

function importsOf(file: string, source: string): readonly Import[] {
  return specifiersIn(file, source).map((name) =>
    name.startsWith('.')
      ? { from: file, to: normalize(`${dirname(file)}/${name}`), isPackage: false }
      : { from: file, to: name, isPackage: true },
  )
}

/** By source text: the probes look at the same files forty times. */
const specifiers = new Map<string, readonly string[]>()

/** An `import()` or `require()` whose name is not a plain string cannot be judged, so it counts as a package named `(computed)`. */
function specifiersIn(file: string, source: string): readonly string[] {
  const known = specifiers.get(source)
  if (known !== undefined) return known
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (
      (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
      node.moduleSpecifier !== undefined &&
      ts.isStringLiteral(node.moduleSpecifier)
    )
      found.push(node.moduleSpecifier.text)
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      if (ts.isStringLiteral(node.argument.literal)) found.push(node.argument.literal.text)
    } else if (ts.isExternalModuleReference(node) && ts.isStringLiteral(node.expression))
      found.push(node.expression.text)
    else if (ts.isCallExpression(node) && isDynamic(node)) {
      const [name] = node.arguments
      found.push(name !== undefined && ts.isStringLiteralLike(name) ? name.text : '(computed)')
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true))
  specifiers.set(source, found)
  return found
}

function isDynamic({ expression }: ts.CallExpression): boolean {
  return (
    expression.kind === ts.SyntaxKind.ImportKeyword ||
    (ts.isIdentifier(expression) && expression.text === 'require')
  )
}

function whyNot({ from, to, isPackage }: Import): string | null {
  const [room] = roomsAround(from)
  if (room === undefined) return null
  if (isPackage) {
    return room.packages === undefined || room.packages.includes(to) ? null : `package ${to} in ${room.at}`
  }
  const [theirs, ...around] = roomsAround(to)
  if (theirs === undefined) return 'it leads to no room'
  if (theirs === room) return room.apart === true && from !== to ? `files of ${room.at} stand apart` : null
  if (!room.may.some((place) => isAllowed(place, to))) return `${room.at} may not import it`
  const closed = [theirs, ...around].find(
    ({ at, face }) => face !== undefined && !isIn(at, from) && !face.includes(to),
  )
  return closed === undefined ? null : `it is not the face of ${closed.at}`
}

/** Files that import each other, in a circle: none of them can be read first. */
function circles(imports: readonly Import[]): readonly string[] {
  const next = new Map<string, string[]>()
  for (const { from, to, isPackage } of imports)
    if (!isPackage) next.set(from, [...(next.get(from) ?? []), to])
  const done = new Set<string>()
  const found: string[] = []
  const walk = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file)
    if (at >= 0) found.push(`circle: ${[...path.slice(at), file].join(' -> ')}`)
    if (at >= 0 || done.has(file)) return
    for (const each of next.get(file) ?? []) walk(each, [...path, file])
    done.add(file)
  }
  for (const file of next.keys()) walk(file, [])
  return found
}

/** `fence/fence-plan.ts` would repeat its folder; `guard/guard.ts` is the file that its folder is named for. */
function repeatsItsFolder(file: string): boolean {
  const parts = file.split('/')
  const folder = parts.at(-2) ?? ''
  const name = (parts.at(-1) ?? '').replace(/\.[a-z]+$/, '')
  const stem = folder.replace(/s$/, '')
  return name.split('-').length > 1 && (name.startsWith(`${stem}-`) || name.endsWith(`-${stem}`))
}

/** One line for each break; empty when the house stands. */
export function findBreaks(sources: Sources): readonly string[] {
  const breaks: string[] = []
  const imports: Import[] = []
  for (const [file, source] of sources) {
    if (!wings.some((wing) => isIn(wing, file))) continue
    if (roomsAround(file).length === 0) breaks.push(`${file}: no room of test/house/rooms.ts covers it`)
    if (repeatsItsFolder(file)) breaks.push(`${file}: its name says its folder again`)
    const lines = source.split('\n').length - 1
    if (isCore(file) && lines > longestCoreFile)
      breaks.push(`${file}: ${lines} lines; a core file has at most ${longestCoreFile}`)
    const own = importsOf(file, source)
    imports.push(...own)
    for (const each of own) {
      const why = whyNot(each)
      if (why !== null) breaks.push(`${file} -> ${each.to}: ${why}`)
    }
  }
  return [...breaks, ...circles(imports)]
}

/** Rooms that no file is in. */
export function emptyRooms(sources: Sources): readonly string[] {
  const files = [...sources.keys()]
  return rooms.map(({ at }) => at).filter((at) => !files.some((file) => roomsAround(file)[0]?.at === at))
}
