/**
 * `npm test` runs everything that matters once; `npm run test:nightly` (`--nightly`) runs what takes hours, and writes its
 * results into docs/nightly.md. `--only a,b` runs some parts (`--list` names them), after their preparation.
 *
 * Every part runs, also after a failure of another. The last line is `N passed, N failed, N skipped`, counted by mocha
 * itself; a part that breaks, hangs or finds no test counts as one failure.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeNightlyRow } from './nightly-page.ts'
import { interruptParts, runPart, type Outcome } from './part-run.ts'
import { everydayParts, isPreparation, nightlyParts, type Part } from './parts.ts'

const usage = 'usage: npm test -- [--nightly] [--only PART,PART,…] [--list]'

function fail(problem: string): never {
  console.error(`${problem}\n${usage}`)
  process.exit(2)
}

function readOptions(): { nightly: boolean; only: readonly string[] | null; list: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        nightly: { type: 'boolean', default: false },
        only: { type: 'string' },
        list: { type: 'boolean', default: false },
      },
    })
    return { ...values, only: values.only?.split(',') ?? null }
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error))
  }
}

const { nightly, only, list } = readOptions()
const folder = mkdtempSync(join(tmpdir(), 'keepalived-witness-test-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const state: { interruptedBy: NodeJS.Signals | null } = { interruptedBy: null }
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    state.interruptedBy = signal
    interruptParts()
  })
}

function wasInterrupted(): boolean {
  return state.interruptedBy !== null
}

const { preparation, timely, patient } = nightly
  ? { preparation: [], timely: [[nightlyParts(folder)]], patient: [] }
  : everydayParts(folder)
const choices = [...timely.flat(2), ...patient].filter((part) => !isPreparation(part)).map(({ name }) => name)
if (list) {
  console.log(choices.join('\n'))
  process.exit(0)
}
const unknown = only?.find((name) => !choices.includes(name))
if (unknown !== undefined) fail(`--only: there is no part "${unknown}"; there are ${choices.join(', ')}`)

const total = { passed: 0, failed: 0, skipped: 0 }
const beganAtMs = performance.now()

async function take(part: Part, { counts, ...rest }: Outcome): Promise<void> {
  total.passed += counts.passed
  total.failed += counts.failed
  total.skipped += counts.skipped
  if (nightly && !isPreparation(part) && !wasInterrupted()) await writeNightlyRow(part, { counts, ...rest })
}

/** One part after the other, for as long as nobody interrupts. */
async function runInOrder(parts: readonly Part[], output: { readonly atOnce: boolean }): Promise<void> {
  for (const part of parts) {
    if (wasInterrupted()) return
    if (only !== null && !isPreparation(part) && !only.includes(part.name)) continue
    await take(part, await runPart(part, output))
  }
}

await runInOrder(preparation, { atOnce: true })
const patience = runInOrder(patient, { atOnce: false })
for (const stage of timely)
  await Promise.all(stage.map((parts, row) => runInOrder(parts, { atOnce: row === 0 })))
await patience
if (wasInterrupted()) {
  console.error(`\nended by ${String(state.interruptedBy)}; what did not run counts as one failure`)
  total.failed += 1
}
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0
console.log(`\nall of it took ${((performance.now() - beganAtMs) / 60_000).toFixed(1)} minutes`)
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
