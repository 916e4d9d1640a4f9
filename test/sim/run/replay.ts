/** Runs one schedule again in this process, with a trace if one is wanted; and runs the kept scenarios. */
import type { Crew } from './crew.ts'
import { runSchedule, scheduleOf, type RunOutcome } from './run.ts'
import { readScenario, scenarioNames, type Scenario } from './scenarios.ts'
import type { Install, Schedule } from '../faults/schedule.ts'
import { brokenRunText, violationText, type Outlets } from '../watch/summary.ts'
import type { Listener } from '../watch/witnessing.ts'

/** @returns whether nothing is broken */
export function replay(
  { seed, hours, trace }: { seed: number; hours: number; trace: boolean },
  outlets: Outlets,
): boolean {
  return replaySchedule(scheduleOf(seed, hours), trace, outlets)
}

/** With `--json` the trace has one object per line as well. */
function replaySchedule(schedule: Schedule, trace: boolean, { print, json }: Outlets): boolean {
  if (!json) for (const line of scheduleLines(schedule)) print(line)
  const outcome = runSchedule(schedule, { listeners: trace ? [traceTo(print, json)] : [] })
  const { violations, calendarMs, simulatedMs, events, longestOverlapMs, traceHash } = outcome
  if (json) print(JSON.stringify(outcome))
  else {
    for (const violation of violations) print(violationText(violation))
    if (violations.length === 0) print('no invariant is broken')
    print(
      `${(calendarMs / 1000).toFixed(0)} s of the calendar, ${(simulatedMs / 1000).toFixed(0)} s run event by event, ${events} events; longest overlap ${longestOverlapMs.toFixed(0)} ms; hash ${traceHash}`,
    )
  }
  return violations.length === 0
}

function describeInstall({ closed, closedFromMs, disks, untilMs }: Install): string {
  const what = [
    ...closed.map((path) => `TCP closed ${path} from ${closedFromMs} ms on`),
    ...disks.map(({ where, condition }) => `disk ${condition} ${where}`),
  ]
  return what.length === 0 ? 'nothing' : `${what.join(', ')} until ${untilMs} ms`
}

export function scheduleLines({ seed, hours, setup, episodes }: Schedule): readonly string[] {
  const { priorities, nopreempt, fence, ratesPpm, startsAtMs, install } = setup
  return [
    `seed ${seed}, ${hours} h; priorities ${priorities.join(' and ')}${nopreempt ? ', nopreempt' : ''}, fence ${fence}; clocks ${ratesPpm.join(', ')} ppm; starts ${startsAtMs.join(', ')} ms`,
    ...(install === null
      ? []
      : [`  an installation beside keepalived; hindered by ${describeInstall(install)}`]),
    ...episodes.map(
      ({ atMs, faults }) =>
        `  ${(atMs / 1000).toFixed(1)} s: ${faults
          .map(
            ({ kind, where, afterMs, lastsMs }) => `${kind} ${where} after ${afterMs} ms for ${lastsMs} ms`,
          )
          .join('; ')}`,
    ),
  ]
}

function traceTo(print: (text: string) => void, json: boolean): Listener {
  if (json)
    return {
      fact: ({ atMs, fact }) => print(JSON.stringify({ atMs, ...fact })),
      line: (atMs, who, text) => print(JSON.stringify({ atMs, who, text })),
    }
  const stamp = (atMs: number): string => atMs.toFixed(1).padStart(10)
  return {
    fact: ({ atMs, fact }) => {
      const { type, ...rest } = fact
      const parts = Object.entries(rest).map(([name, value]) => `${name}=${String(value)}`)
      print(`${stamp(atMs)} ${type.padEnd(12)} ${parts.join(' ')}`)
    },
    line: (atMs, who, text) => print(`${stamp(atMs)} ${who.padEnd(12)} ${text}`),
  }
}

/** The chance of a kept schedule changes with the code, so it is run with its own seed and with the seeds 1 to this. */
export const otherSeeds = 24

/** The schedule with each seed with which it is run, its own first. */
export function variantsOf({ schedule }: Scenario): readonly Schedule[] {
  const others = Array.from({ length: otherSeeds }, (_, index) => index + 1)
  const seeds = new Set([schedule.seed, ...others])
  return [...seeds].map((seed) => ({ ...schedule, seed }))
}

/** @returns whether nothing is broken */
export async function runScenarios(
  { name, trace }: { name: string | null; trace: boolean },
  outlets: Outlets & { crew: Crew },
): Promise<boolean> {
  if (name !== null && trace) return replaySchedule(readScenario(name).schedule, true, outlets)
  const names = name === null ? scenarioNames() : [name]
  const results = await Promise.all(names.map((each) => runScenario(each, outlets)))
  return results.every((isWell) => isWell)
}

async function runScenario(name: string, { crew, print, json }: Outlets & { crew: Crew }): Promise<boolean> {
  const scenario = readScenario(name)
  const outcomes = await Promise.all(variantsOf(scenario).map((variant) => crew.run(variant)))
  const broken = outcomes.filter(({ violations }) => violations.length > 0)
  if (json) print(JSON.stringify({ name, story: scenario.story, runs: outcomes.length, broken }))
  else print(scenarioText(name, scenario, { runs: outcomes.length, broken }))
  return broken.length === 0
}

function scenarioText(
  name: string,
  { story, schedule }: Scenario,
  { runs, broken }: { runs: number; broken: readonly RunOutcome[] },
): string {
  const verdict = broken.length === 0 ? 'holds' : `BROKEN in ${broken.length} of ${runs} seeds`
  const [first] = broken
  const command =
    first?.seed === schedule.seed
      ? `npm run sim -- --scenario ${name} --trace`
      : `put this seed into its file, then: npm run sim -- --scenario ${name} --trace`
  const found = first === undefined ? '' : `\n  ${brokenRunText(first, command)}`
  return `${name}: ${verdict}\n  ${story}${found}`
}
