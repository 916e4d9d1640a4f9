/** `npm run lab -- trace`: records real keepalived for the simulator's model of it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { traceText } from '../sim/models/keepalived-trace.ts'
import { recordTrace, type TraceScenario } from './keepalived-trace.ts'
import { sweepAbandonedFolders } from './lab-folder.ts'
import { Pool } from './pool.ts'
import { assertPrerequisites } from './prerequisites.ts'
import { traceScenarios } from './trace-scenarios.ts'

export class UnknownTraceError extends Error {
  readonly code = 'unknown-trace'
}

export interface TraceArguments {
  readonly all: boolean
  readonly write?: string
  readonly jobs: number
}

/** @throws UnknownTraceError */
export function traceScenario(name: string): TraceScenario {
  const scenario = traceScenarios.find((each) => each.name === name)
  if (scenario === undefined)
    throw new UnknownTraceError(
      `there is no trace "${name}"; the traces are: ${traceScenarios.map((each) => each.name).join(', ')}`,
    )
  return scenario
}

export async function recordTraces(names: readonly string[], options: TraceArguments): Promise<void> {
  const chosen = options.all ? traceScenarios : names.map(traceScenario)
  if (chosen.length === 0) {
    for (const { name, says } of traceScenarios) process.stdout.write(`${name.padEnd(26)} ${says}\n`)
    return
  }
  assertPrerequisites()
  sweepAbandonedFolders()
  const pool = new Pool(options.jobs)
  await Promise.all(chosen.map((scenario) => pool.run(() => record(scenario, options.write))))
}

async function record(scenario: TraceScenario, folder: string | undefined): Promise<void> {
  const text = traceText(await recordTrace(scenario))
  if (folder === undefined) process.stdout.write(text)
  else writeFileSync(join(folder, `${scenario.name}.json`), text)
  process.stderr.write(`${scenario.name}: recorded\n`)
}
