/**
 * `npm run sim -- --mutants`: hunts every planted mistake. Exit code 0: each is found and the intact code breaks nothing in
 * the same seeds; 1: otherwise; 2: usage.
 */
import { parseArgs } from 'node:util'
import { catalogue } from './catalogue.ts'
import { acquit, hunt, type Catch } from './hunt.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    seeds: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '120' },
    parallel: { type: 'string', default: '2' },
  },
})
const { only } = values
const wanted = only === undefined ? catalogue : catalogue.filter(({ name }) => only.includes(name))
if (wanted.length < (only?.length ?? 1)) {
  const known = catalogue.map(({ name }) => name).join(', ')
  console.error(`--only: there is no such mutant; the mutants are ${known}`)
  process.exit(2)
}

const columns = [34, 9, 6, 13, 8] as const
function row(cells: readonly [string, string, string, string, string], rest: string): string {
  const [name, ...others] = cells.map((cell, index) =>
    index < 2 ? cell.padEnd(columns[index] ?? 0) : cell.padStart(columns[index] ?? 0),
  )
  return `${[name, ...others].join(' ')}  ${rest}`
}

function tell({ mutant, detection }: Catch): void {
  const { broken, seeds, clusterHours, tookMs } = detection
  const cost = [clusterHours.toFixed(0), (tookMs / 1000).toFixed(1)] as const
  if (broken === null) console.log(row([mutant.name, 'NOT FOUND', '', ...cost], `in ${seeds} seeds`))
  else
    console.log(row([mutant.name, broken.invariant, String(broken.seed), ...cost], broken.text.slice(0, 140)))
}

const startedAtMs = performance.now()
const atATime = Number(values.parallel)
console.log(row(['mutant', 'found by', 'seed', 'cluster-hours', 'seconds'], 'what it saw'))
const limits = { seeds: Number(values.seeds), seconds: Number(values.seconds), atATime }
const catches = await hunt(wanted, limits, tell)
const missed = catches.filter(({ detection }) => detection.broken === null)
const acquittals = await acquit(catches, atATime)
for (const { detection, focus } of acquittals)
  if (detection.broken !== null)
    console.log(
      `the intact code breaks ${detection.broken.invariant} in seed ${detection.broken.seed} (focus: ${focus.join(', ') || 'none'}): ${detection.broken.text}`,
    )
const isIntact = acquittals.every(({ detection }) => detection.broken === null)
const hours = acquittals.reduce((sum, { detection }) => sum + detection.clusterHours, 0)
if (isIntact)
  console.log(`the intact code breaks nothing in the same runs (${hours.toFixed(0)} cluster-hours)`)
const minutes = (performance.now() - startedAtMs) / 60_000
console.log(`${catches.length - missed.length} of ${catches.length} found in ${minutes.toFixed(1)} minutes`)
process.exitCode = missed.length === 0 && isIntact ? 0 : 1
