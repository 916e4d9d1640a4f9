/** `--shrink`: the smallest schedule that breaks what a seed breaks. */
import type { Crew } from './crew.ts'
import { scheduleLines } from './replay.ts'
import { scheduleOf } from './run.ts'
import { keepScenario, type Scenario } from './scenarios.ts'
import { shrink } from './shrink.ts'
import type { Outlets } from '../watch/summary.ts'

const triesPerCandidate = 16

/** @returns false if the seed breaks something, which is what this is meant for */
export async function shrinkSeed(
  { seed, hours, keep, story }: { seed: number; hours: number; keep: string | null; story: string | null },
  { crew, tell, print, json }: Outlets & { crew: Crew },
): Promise<boolean> {
  const whole = scheduleOf(seed, hours)
  const [found] = (await crew.run(whole)).violations
  if (found === undefined) {
    tell(`seed ${seed} breaks nothing, so there is nothing to shrink`)
    return true
  }
  const { schedule, share } = await shrink(whole, {
    breaks: async (candidate) => {
      const [first] = (await crew.run(candidate)).violations
      return first?.invariant === found.invariant
    },
    tries: triesPerCandidate,
    tell: ({ episodes }, { broken, tried }) =>
      tell(
        `${episodes.length} episodes, ${episodes.flatMap(({ faults }) => faults).length} faults; breaks in ${broken} of ${tried} seeds`,
      ),
  })
  const [violation = found] = (await crew.run(schedule)).violations
  const { invariant, text } = violation
  const scenario: Scenario = { story: story ?? text, broke: { invariant, text }, schedule }
  if (json) print(JSON.stringify({ ...scenario, share }))
  else {
    print(`${invariant}: ${text}`)
    for (const line of scheduleLines(schedule)) print(line)
    print(`breaks in ${share.broken} of ${share.tried} seeds`)
  }
  if (keep !== null) tell(`kept in ${await keepScenario(keep, scenario)}`)
  return false
}
