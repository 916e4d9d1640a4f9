/**
 * The file names that an `include` of keepalived.conf stands for: glob(7) with csh braces, sorted, as keepalived
 * asks of glob(3) (`GLOB_MARK | GLOB_BRACE`). `fs.globSync` of Node.js follows other rules.
 */
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** More alternatives than this in one pattern are a mistake; the rest is left out. */
const maxAlternatives = 256
const special = /[*?[\\{]/

/** Whether the pattern names more than one file, that is: whether no match is no mistake. */
export function isPattern(pattern: string): boolean {
  return special.test(pattern)
}

/**
 * Paths of what exists and matches, relative patterns against `folder`; directories included.
 * A folder that cannot be read matches nothing.
 */
export function includeGlob(folder: string, pattern: string): string[] {
  return [...new Set(pathsOf(folder, pattern).flatMap(({ from, parts }) => descend(from, parts)))]
}

/** Whether the pattern would stand for a file of that path; it need not be there, but its folder must. */
export function wouldInclude(folder: string, pattern: string, path: string): boolean {
  const home = realPathOrNull(dirname(path))
  return pathsOf(folder, pattern).some(({ from, parts }) => {
    const name = parts.at(-1)
    const folders = parts.length > 1 ? descend(from, parts.slice(0, -1)) : [from]
    if (name === undefined || !isMatch(basename(path), name)) return false
    return home !== null && folders.some((candidate) => realPathOrNull(candidate) === home)
  })
}

function pathsOf(folder: string, pattern: string): { from: string; parts: string[] }[] {
  return braces(pattern).map((alternative) => ({
    from: alternative.startsWith('/') ? '/' : folder,
    parts: alternative.split('/').filter((part) => part !== ''),
  }))
}

function realPathOrNull(path: string): string | null {
  try {
    return realpathSync(path)
  } catch {
    return null
  }
}

function braces(pattern: string): string[] {
  const done: string[] = []
  const open = [pattern]
  while (open.length > 0 && done.length + open.length <= maxAlternatives) {
    const next = open.shift() ?? ''
    const parts = outermostBraces(next)
    if (parts === null) done.push(next)
    else open.unshift(...parts.choices.map((choice) => parts.before + choice + parts.after))
  }
  return done
}

function outermostBraces(text: string): { before: string; choices: string[]; after: string } | null {
  let depth = 0
  let start = -1
  let choiceStart = -1
  const choices: string[] = []
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (char === '\\') i++
    else if (char === '{') {
      if (depth++ === 0) {
        start = i
        choiceStart = i + 1
      }
    } else if (char === ',' && depth === 1) {
      choices.push(text.slice(choiceStart, i))
      choiceStart = i + 1
    } else if (char === '}' && depth > 0 && --depth === 0) {
      choices.push(text.slice(choiceStart, i))
      return { before: text.slice(0, start), choices, after: text.slice(i + 1) }
    }
  }
  return null
}

function descend(folder: string, parts: string[]): string[] {
  let paths = [folder]
  for (const part of parts) {
    paths = special.test(part)
      ? paths.flatMap((path) => entries(path, part).map((name) => join(path, name)))
      : paths.map((path) => join(path, part)).filter((path) => existsSync(path))
  }
  return parts.length === 0 ? [] : paths
}

function entries(folder: string, pattern: string): string[] {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return []
  }
  return names.filter((name) => isMatch(name, pattern)).sort()
}

/** A name that begins with a dot is matched by a pattern only that begins so, too. */
function isMatch(name: string, pattern: string): boolean {
  if (!special.test(pattern)) return name === pattern
  return (pattern.startsWith('.') || !name.startsWith('.')) && matches(name, pattern)
}

/** Linear in name times pattern: only the last `*` is ever tried again. */
function matches(name: string, pattern: string): boolean {
  let at = 0
  let p = 0
  let retryAt = -1
  let retryP = -1
  while (at < name.length) {
    const step = p < pattern.length ? one(name.charAt(at), pattern, p) : null
    if (pattern[p] === '*') {
      retryP = ++p
      retryAt = at
    } else if (step !== null) {
      p = step
      at++
    } else if (retryP >= 0) {
      p = retryP
      at = ++retryAt
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

/** Where the pattern goes on after it took one character, or null. */
function one(char: string, pattern: string, p: number): number | null {
  const want = pattern.charAt(p)
  if (want === '?') return p + 1
  if (want === '\\' && p + 1 < pattern.length) return pattern[p + 1] === char ? p + 2 : null
  const end = want === '[' ? pattern.indexOf(']', p + (/^\[[!^]/.test(pattern.slice(p, p + 2)) ? 3 : 2)) : -1
  if (end < 0) return want === char ? p + 1 : null
  return inSet(char, pattern.slice(p + 1, end)) ? end + 1 : null
}

function inSet(char: string, set: string): boolean {
  const negated = /^[!^]/.test(set)
  const members = negated ? set.slice(1) : set
  let found = false
  for (let i = 0; i < members.length; i++) {
    const from = members.charAt(i)
    const isRange = members[i + 1] === '-' && i + 2 < members.length
    const to = isRange ? members.charAt(i + 2) : from
    if (char >= from && char <= to) found = true
    if (isRange) i += 2
  }
  return found !== negated
}
