/** Runs seed after seed on all cores until the range is done or the time is up. */
import type { Crew } from './crew.ts'
import type { SeedRange } from './request.ts'
import { scheduleOf } from './run.ts'
import {
  brokenRunText,
  pace,
  replayCommand,
  summaryText,
  type Effort,
  type Outlets,
} from '../watch/summary.ts'
import { Tally } from '../watch/tally.ts'

/** The part of a crew that is needed here. */
export type Runner = Pick<Crew, 'run'>

const minuteMs = 60_000
const progressEveryMs = 10_000

/** @returns whether nothing is broken, and a range that had to be complete is complete */
export async function runSeeds(
  range: SeedRange,
  { crew, jobs, tell, print, json }: Outlets & { crew: Runner; jobs: number },
): Promise<boolean> {
  const startedAtMs = performance.now()
  const cpu = process.cpuUsage()
  const effort = (): Effort => {
    const { user, system } = process.cpuUsage(cpu)
    return { wallMs: performance.now() - startedAtMs, cpuMs: (user + system) / 1000, jobs }
  }
  const broken: unknown[] = []
  const tally = new Tally(range.from, (outcome) => {
    const [first] = outcome.violations
    if (first === undefined) return
    const { seed, violations } = outcome
    const command = replayCommand({ seed, hours: range.hours })
    broken.push({ seed, violations, command })
    if (!json) print(brokenRunText(outcome, command))
  })
  const progress = setInterval(() => {
    const { runs, broken: bad, clusterHours } = tally.totals
    const rate = pace(tally.totals, effort()).perCore.toFixed(0)
    tell(
      `${runs} seeds, ${clusterHours.toFixed(0)} cluster-hours, ${bad} broken; ${rate} per minute and core`,
    )
  }, progressEveryMs)
  const deadlineMs = range.minutes === null ? Infinity : startedAtMs + range.minutes * minuteMs
  try {
    await runUntil({ range, crew, jobs, tally, deadlineMs })
  } finally {
    clearInterval(progress)
  }
  const { totals, hash } = tally
  const complete = totals.runs === range.seeds
  const spent = effort()
  if (json) {
    const { wallMs, cpuMs } = spent
    const figures = { ...totals, wallMs, cpuMs, jobs, ...pace(totals, spent) }
    print(JSON.stringify({ range, complete, hash: complete ? hash : null, ...figures, violations: broken }))
  } else {
    if (range.seeds !== null) print(`seeds ${range.from} to ${range.from + range.seeds - 1}`)
    print(summaryText(totals, spent))
    if (complete) print(`hash ${hash}`)
  }
  const cutShort = range.whole && !complete
  if (cutShort) tell(`only ${totals.runs} of ${range.seeds ?? 0} seeds within ${range.minutes ?? 0} minutes`)
  return totals.broken === 0 && !cutShort
}

/** Seeds are begun in order and each that was begun is finished, so that no seed is missing below the last. */
async function runUntil({
  range,
  crew,
  jobs,
  tally,
  deadlineMs,
}: {
  range: SeedRange
  crew: Runner
  jobs: number
  tally: Tally
  deadlineMs: number
}): Promise<void> {
  const end = range.seeds === null ? Infinity : range.from + range.seeds
  let next = range.from
  const pull = async (): Promise<void> => {
    while (next < end && performance.now() < deadlineMs) {
      const seed = next
      next += 1
      tally.take(seed, await crew.run(scheduleOf(seed, range.hours)))
    }
  }
  await Promise.all(Array.from({ length: jobs }, pull))
}
