/** `npm run sim`: runs seeds, replays one, shrinks what it finds. Data on stdout, progress on stderr; see README.md. */
import { Crew } from './run/crew.ts'
import { replay, runScenarios } from './run/replay.ts'
import { parseRequest, UsageError, type Request } from './run/request.ts'
import { ScenarioError } from './run/scenarios.ts'
import { runSeeds } from './run/seed-range.ts'
import { shrinkSeed } from './run/shrink-seed.ts'

function tell(text: string): void {
  process.stderr.write(`${text}\n`)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** @returns whether nothing is broken */
async function carryOut(request: Request): Promise<boolean> {
  const outlets = { tell, print, json: request.json }
  if (request.kind === 'replay') return replay(request, outlets)
  const crew = await Crew.gather(request.jobs)
  try {
    switch (request.kind) {
      case 'seeds':
        return await runSeeds(request.range, { ...outlets, crew, jobs: request.jobs })
      case 'shrink':
        return await shrinkSeed(request, { ...outlets, crew })
      case 'scenarios':
        return await runScenarios(request, { ...outlets, crew })
    }
  } finally {
    await crew.dismiss()
  }
}

/** Modes with options of their own. */
const works: Readonly<Record<string, () => Promise<unknown>>> = {
  '--mutants': () => import('./mutants/main.ts'),
  '--faults': () => import('./faults/fault-page.ts'),
  '--dead-witness': () => import('./faults/dead-witness-page.ts'),
}
const work = works[process.argv[2] ?? '']

try {
  if (work !== undefined) {
    process.argv.splice(2, 1)
    await work()
  } else process.exitCode = (await carryOut(parseRequest(process.argv.slice(2)))) ? 0 : 1
} catch (error) {
  if (error instanceof UsageError) {
    ;(error.exitCode === 0 ? print : tell)(error.message)
    process.exitCode = error.exitCode
  } else if (error instanceof ScenarioError) {
    tell(`error: ${error.message}`)
    process.exitCode = 2
  } else throw error
}
