/** Runs seeds one after the other until the first violation; bundled once for each planted mistake, run by hunt.ts. */
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { faultKinds } from '../faults/faults.ts'
import { runSchedule, scheduleOf } from '../run/run.ts'
import type { Detection } from './detection.ts'

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: '1' },
    to: { type: 'string', default: '1' },
    seconds: { type: 'string', default: 'Infinity' },
    focus: { type: 'string', multiple: true, default: [] },
  },
})
const from = Number(values.from)
const to = Number(values.to)
const focus = z.array(z.enum(faultKinds)).parse(values.focus)
const startedAtMs = performance.now()
const endsAtMs = startedAtMs + Number(values.seconds) * 1000

/** What a seed shows; a program that throws counts as found too. */
function look(seed: number): { broken: Detection['broken']; calendarMs: number } {
  try {
    const { violations, calendarMs } = runSchedule(scheduleOf(seed, 1, focus))
    const [first] = violations
    return { broken: first === undefined ? null : { seed, ...first }, calendarMs }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    return { broken: { seed, invariant: 'crash', atMs: 0, text }, calendarMs: 0 }
  }
}

let broken: Detection['broken'] = null
let calendarMs = 0
let seed = from
for (; seed <= to && broken === null && performance.now() < endsAtMs; seed++) {
  const seen = look(seed)
  broken = seen.broken
  calendarMs += seen.calendarMs
}
const detection: Detection = {
  broken,
  seeds: seed - from,
  clusterHours: calendarMs / 3_600_000,
  tookMs: performance.now() - startedAtMs,
}
console.log(JSON.stringify(detection))
