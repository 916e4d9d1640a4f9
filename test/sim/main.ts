/** `npm run sim`: runs seeds, replays one, shrinks what it finds. Exit code 0: no violation; 1: at least one; 2: usage. */
import { parseArgs } from 'node:util'
import { runSchedule, scheduleOf } from './run.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    hours: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
  },
})
const hours = Number(values.hours)
if (values.seed !== undefined) {
  const schedule = scheduleOf(Number(values.seed), hours)
  const out = runSchedule(schedule, {
    listeners: values.trace
      ? [
          {
            fact: ({ atMs, fact }) => console.log(`${atMs.toFixed(1).padStart(10)} ${JSON.stringify(fact)}`),
            line: (atMs, who, text) =>
              console.log(`${atMs.toFixed(1).padStart(10)} ${who.padEnd(8)} ${text}`),
          },
        ]
      : [],
  })
  console.log(JSON.stringify(out, null, 1))
} else {
  const startedAtMs = performance.now()
  let hoursRun = 0
  let simulatedMs = 0
  let events = 0
  let bad = 0
  const kinds = new Map<string, number[]>()
  for (let seed = Number(values.from); seed < Number(values.from) + Number(values.seeds); seed++) {
    const out = runSchedule(scheduleOf(seed, hours))
    hoursRun += out.calendarMs / 3_600_000
    simulatedMs += out.simulatedMs
    events += out.events
    const [first] = out.violations
    if (first !== undefined) {
      bad += 1
      kinds.set(first.invariant, [...(kinds.get(first.invariant) ?? []), seed])
      if ((kinds.get(first.invariant)?.length ?? 0) <= 5) console.log(seed, first.invariant, first.text)
    }
  }
  const tookMs = performance.now() - startedAtMs
  console.log(
    `${bad} bad; ${hoursRun.toFixed(0)} cluster-hours (${(simulatedMs / 3_600_000).toFixed(1)} h run event by event, ${events} events) in ${(tookMs / 1000).toFixed(1)} s: ${((hoursRun / tookMs) * 60_000).toFixed(0)} cluster-hours per minute`,
  )
  for (const [kind, seeds] of kinds) console.log(kind, seeds.length, seeds.slice(0, 20).join(' '))
}
