/** What setup would change, as `diff -u` shows it: only our lines come and go, the others are the same in both. */
import type { Row } from './marked-lines.ts'

interface DiffLine {
  readonly sign: ' ' | '-' | '+'
  readonly text: string
}

const contextLines = 3

/**
 * @param before and after: the same foreign rows in the same order
 * @returns empty where nothing changes
 */
export function unifiedDiff(name: string, before: readonly Row[], after: readonly Row[]): string {
  const lines = aligned(before, after)
  const changed = lines.flatMap(({ sign }, index) => (sign === ' ' ? [] : [index]))
  if (changed.length === 0) return ''
  return [`--- ${name}\n`, `+++ ${name}\n`, ...hunks(lines, changed)].join('')
}

function aligned(before: readonly Row[], after: readonly Row[]): DiffLine[] {
  const old = segments(before)
  const lines: DiffLine[] = []
  for (const [index, { ours, foreign }] of segments(after).entries()) {
    const were = old[index]?.ours ?? []
    const isSame = were.join('') === ours.join('')
    lines.push(...were.map((text) => ({ sign: isSame ? (' ' as const) : ('-' as const), text })))
    if (!isSame) lines.push(...ours.map((text) => ({ sign: '+' as const, text })))
    if (foreign !== null) lines.push({ sign: ' ', text: foreign })
  }
  return lines
}

/** Each foreign row with our lines before it; at the end what comes after the last one. */
function segments(rows: readonly Row[]): { ours: string[]; foreign: string | null }[] {
  const done: { ours: string[]; foreign: string | null }[] = []
  let ours: string[] = []
  for (const { text, isOurs } of rows) {
    if (isOurs) ours.push(text)
    else {
      done.push({ ours, foreign: text })
      ours = []
    }
  }
  return [...done, { ours, foreign: null }]
}

function hunks(lines: readonly DiffLine[], changed: readonly number[]): string[] {
  const ranges: { from: number; to: number }[] = []
  for (const index of changed) {
    const from = Math.max(0, index - contextLines)
    const to = Math.min(lines.length, index + contextLines + 1)
    const open = ranges.at(-1)
    if (open !== undefined && from <= open.to) open.to = to
    else ranges.push({ from, to })
  }
  return ranges.map(({ from, to }) => hunk(lines, from, to))
}

function hunk(lines: readonly DiffLine[], from: number, to: number): string {
  const range = (sign: '-' | '+') => {
    const count = (part: readonly DiffLine[]) =>
      part.filter((line) => line.sign === ' ' || line.sign === sign).length
    const length = count(lines.slice(from, to))
    // diff(1) names the line before an empty range.
    return `${sign}${count(lines.slice(0, from)) + (length === 0 ? 0 : 1)},${length}`
  }
  const shown = lines
    .slice(from, to)
    .map(({ sign, text }) => sign + (text.endsWith('\n') ? text : `${text}\n\\ No newline at end of file\n`))
  return `@@ ${range('-')} ${range('+')} @@\n${shown.join('')}`
}
