/**
 * `npm run sim -- --faults [--runs N] [--write]`: what each fault alone costs, as the table of docs/FAULTS.md. Exit code
 * 0: nothing is broken; 1: an invariant is; 2: usage.
 */
import { figuresTable, measureAll } from './fault-figures.ts'
import { publishFigures, readFiguresOptions } from './figures-page.ts'

const { runs, write } = readFiguresOptions(40)
const figures = measureAll(runs)
const violations = figures.flatMap(({ kind, where, violations }) =>
  violations.map(({ invariant, text }) => `${kind} (${where}) breaks ${invariant}: ${text}`),
)
await publishFigures(
  { option: '--faults', mark: 'figures', runs, each: 'row' },
  { tables: figuresTable(figures), violations, write },
)
