/**
 * `npm run sim -- --faults [--runs N] [--write]`: what each fault alone costs, as the table of docs/FAULTS.md. Exit code
 * 0: nothing is broken; 1: an invariant is; 2: usage.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { formattedPage } from '../../formatted-page.ts'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { figuresTable, measureAll } from './fault-figures.ts'

const page = join(import.meta.dirname, '../../../docs/FAULTS.md')
const begin = '<!-- figures -->'
const end = '<!-- end of figures -->'

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '40' }, write: { type: 'boolean', default: false } },
})
const runs = Number(values.runs)
if (!Number.isInteger(runs) || runs < 1) {
  console.error(`--runs is "${values.runs}": a whole number from 1 on is expected`)
  process.exit(2)
}

const figures = measureAll(runs)
const violations = figures.flatMap(({ kind, where, violations }) =>
  violations.map(({ invariant, text }) => `${kind} (${where}) breaks ${invariant}: ${text}`),
)
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
const today = new Date().toISOString().slice(0, 10)
const section = `Measured on ${today}, commit ${commit}: \`npm run sim -- --faults --runs ${runs} --write\`, ${runs} runs a row.\n\n${figuresTable(figures)}`
if (values.write) {
  const text = readFileSync(page, 'utf8')
  const [before, rest] = text.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`${page} has no "${begin}" … "${end}"`)
  writeFileSync(page, await formattedPage(page, `${before}${begin}\n\n${section}\n\n${end}${after}`))
} else console.log(section)
for (const violation of violations) console.error(violation)
process.exitCode = violations.length === 0 ? 0 : 1
