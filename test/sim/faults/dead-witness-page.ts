/**
 * `npm run sim -- --dead-witness [--runs N] [--write]`: what each single fault costs while the witness is dead or
 * restarts, as the two tables of docs/FAULTS.md. Exit code 0: nothing is broken; 1: an invariant is; 2: usage.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { formattedPage } from '../../formatted-page.ts'
import { deadWitnessTable, measureDeadWitness, silences } from './dead-witness-figures.ts'

const page = join(import.meta.dirname, '../../../docs/FAULTS.md')
const begin = '<!-- dead witness -->'
const end = '<!-- end of dead witness -->'
const titles = [
  'The witness is dead for a day, then one more fault comes and lasts 30 s:',
  'The witness restarts and is away for a minute; half a minute into that, one more fault comes and lasts 60 s:',
] as const

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '20' }, write: { type: 'boolean', default: false } },
})
const runs = Number(values.runs)
if (!Number.isInteger(runs) || runs < 1) {
  console.error(`--runs is "${values.runs}": a whole number from 1 on is expected`)
  process.exit(2)
}

const measured = silences.map((columns) => ({ columns, figures: measureDeadWitness(columns, runs) }))
const tables = measured.map(
  ({ columns, figures }, at) => `${titles[at] ?? ''}\n\n${deadWitnessTable(columns, figures)}`,
)
const violations = measured.flatMap(({ figures }) =>
  figures.flatMap(({ says, violations }) =>
    violations.map(({ invariant, text }) => `"${says}" breaks ${invariant}: ${text}`),
  ),
)
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
const today = new Date().toISOString().slice(0, 10)
const section = `Measured on ${today}, commit ${commit}: \`npm run sim -- --dead-witness --runs ${runs} --write\`, ${runs} runs a cell.\n\n${tables.join('\n\n')}`
if (values.write) {
  const text = readFileSync(page, 'utf8')
  const [before, rest] = text.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`${page} has no "${begin}" … "${end}"`)
  writeFileSync(page, await formattedPage(page, `${before}${begin}\n\n${section}\n\n${end}${after}`))
} else console.log(section)
for (const violation of violations) console.error(violation)
process.exitCode = violations.length === 0 ? 0 : 1
