/** Keeps docs/nightly.md: for each part of the nightly run its newest result, so that parts may run on different nights. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { formattedPage } from './formatted-page.ts'
import type { Outcome } from './part-run.ts'
import type { Part } from './parts.ts'

const root = join(import.meta.dirname, '..')
const page = join(root, 'docs/nightly.md')
const begin = '<!-- results -->'
const end = '<!-- end of results -->'
const head = ['| part | when | commit | took | result |', '| --- | --- | --- | --- | --- |']

export interface NightlyRow {
  readonly part: string
  /** Date, commit and cores. */
  readonly when: string
  readonly commit: string
  readonly took: string
  readonly result: string
}

function rendered({ part, when, commit, took, result }: NightlyRow): string {
  return `| ${[part, when, commit, took, result.replaceAll('|', '\\|')].join(' | ')} |`
}

/**
 * The page with this row in place of the part's older one; a part that had none comes last.
 * @throws Error if the page has no table of results
 */
export function withRow(text: string, row: NightlyRow): string {
  const [before, rest] = text.split(begin)
  const [table, after] = rest?.split(end) ?? []
  if (before === undefined || table === undefined || after === undefined)
    throw new Error(`docs/nightly.md has no table between ${begin} and ${end}: put both lines back`)
  const [, , ...rows] = table.split('\n').filter((line) => line.startsWith('|'))
  const isParts = (line: string): boolean => line.split('|')[1]?.trim() === row.part
  const kept = rows.some(isParts)
    ? rows.map((line) => (isParts(line) ? rendered(row) : line))
    : [...rows, rendered(row)]
  return `${before}${begin}\n\n${[...head, ...kept].join('\n')}\n\n${end}${after}`
}

export async function writeNightlyRow(
  { name, countsFile }: Part,
  { counts, tookMs, lastLine }: Outcome,
): Promise<void> {
  const { passed, failed, skipped } = counts
  const counted = countsFile === null ? '' : `${passed} passed, ${failed} failed, ${skipped} skipped`
  const verdict = failed > 0 ? `**failed**: ${counted || lastLine}` : counted || lastLine
  const row = {
    part: name,
    when: `${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} cores`,
    commit: execFileSync('git', ['describe', '--always', '--dirty'], { cwd: root, encoding: 'utf8' }).trim(),
    took: `${(tookMs / 60_000).toFixed(1)} min`,
    result: verdict,
  }
  writeFileSync(page, await formattedPage(page, withRow(readFileSync(page, 'utf8'), row)))
}
