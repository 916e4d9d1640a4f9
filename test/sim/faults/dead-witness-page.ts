/**
 * `npm run sim -- --dead-witness [--runs N] [--write]`: what each single fault costs while the witness is dead or
 * restarts, as the two tables of docs/FAULTS.md. Exit code 0: nothing is broken; 1: an invariant is; 2: usage.
 */
import { deadWitnessTable, measureDeadWitness, silences } from './dead-witness-figures.ts'
import { publishFigures, readFiguresOptions } from './figures-page.ts'

const titles = [
  'The witness is dead for a day, then one more fault comes and lasts 30 s:',
  'The witness restarts and is away for a minute; half a minute into that, one more fault comes and lasts 60 s:',
] as const

const { runs, write } = readFiguresOptions(20)
const measured = silences.map((columns) => ({ columns, figures: measureDeadWitness(columns, runs) }))
const tables = measured.map(
  ({ columns, figures }, at) => `${titles[at] ?? ''}\n\n${deadWitnessTable(columns, figures)}`,
)
const violations = measured.flatMap(({ figures }) =>
  figures.flatMap(({ says, violations }) =>
    violations.map(({ invariant, text }) => `"${says}" breaks ${invariant}: ${text}`),
  ),
)
await publishFigures(
  { option: '--dead-witness', mark: 'dead witness', runs, each: 'cell' },
  { tables: tables.join('\n\n'), violations, write },
)
