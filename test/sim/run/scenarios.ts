/** Kept scenarios: schedules that once broke an invariant, shrunk, each in a file of `scenarios/`. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { z } from 'zod'
import { scheduleSchema } from '../faults/schedule.ts'

const scenarioSchema = z.strictObject({
  /** What happens, in a line. */
  story: z.string().min(1),
  /** What it once broke; `text` is the violation as it was reported then. */
  broke: z.strictObject({ invariant: z.string(), text: z.string() }),
  schedule: scheduleSchema,
})
export type Scenario = z.infer<typeof scenarioSchema>

export class ScenarioError extends Error {}

const folder = join(import.meta.dirname, '../scenarios')

function pathOf(name: string): string {
  return join(folder, `${name}.json`)
}

/** In the order of the alphabet. */
export function scenarioNames(): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => basename(file, '.json'))
    .sort()
}

/** @throws ScenarioError if there is none of this name, or its file is not valid */
export function readScenario(name: string): Scenario {
  const path = pathOf(name)
  if (!existsSync(path))
    throw new ScenarioError(
      `there is no scenario "${name}"; the kept scenarios are: ${scenarioNames().join(', ') || 'none'}`,
    )
  try {
    return scenarioSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    throw new ScenarioError(`${path} is not a valid scenario: ${String(error)}`, { cause: error })
  }
}

/**
 * @returns the file
 * @throws ScenarioError if the name is taken
 */
export async function keepScenario(name: string, scenario: Scenario): Promise<string> {
  const path = pathOf(name)
  if (existsSync(path)) throw new ScenarioError(`${path} exists already; give another name to --keep`)
  const text = JSON.stringify(scenarioSchema.parse(scenario))
  writeFileSync(path, await format(text, { ...(await resolveConfig(path)), parser: 'json' }))
  return path
}
