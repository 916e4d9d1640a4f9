/** What the simulator measured, as a section of docs/FAULTS.md between two marks, or on the screen. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { formattedPage } from '../../formatted-page.ts'

const page = join(import.meta.dirname, '../../../docs/FAULTS.md')

export interface FiguresSection {
  /** The option of `npm run sim`. */
  readonly option: string
  /** The name of its marks in the page: `<!-- NAME -->` and `<!-- end of NAME -->`. */
  readonly mark: string
  readonly runs: number
  /** Of what there are so many runs: `row`. */
  readonly each: string
}

/** The options of the command line. A wrong one ends the program with 2. */
export function readFiguresOptions(runsUsually: number): { readonly runs: number; readonly write: boolean } {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: String(runsUsually) },
      write: { type: 'boolean', default: false },
    },
  })
  const runs = Number(values.runs)
  if (Number.isInteger(runs) && runs >= 1) return { runs, write: values.write }
  console.error(`--runs is "${values.runs}": a whole number from 1 on is expected`)
  process.exit(2)
}

/** @param violations told on stderr, and by exit code 1 */
export async function publishFigures(
  { option, mark, runs, each }: FiguresSection,
  { tables, violations, write }: { tables: string; violations: readonly string[]; write: boolean },
): Promise<void> {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  const today = new Date().toISOString().slice(0, 10)
  const command = `npm run sim -- ${option} --runs ${runs} --write`
  const section = `Measured on ${today}, commit ${commit}: \`${command}\`, ${runs} runs a ${each}.\n\n${tables}`
  if (write) await putBetween(`<!-- ${mark} -->`, `<!-- end of ${mark} -->`, section)
  else console.log(section)
  for (const violation of violations) console.error(violation)
  process.exitCode = violations.length === 0 ? 0 : 1
}

async function putBetween(begin: string, end: string, section: string): Promise<void> {
  const [before, rest] = readFileSync(page, 'utf8').split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`${page} has no "${begin}" … "${end}"`)
  writeFileSync(page, await formattedPage(page, `${before}${begin}\n\n${section}\n\n${end}${after}`))
}
