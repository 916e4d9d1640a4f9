/** The invariants of DESIGN.md section 9 over the facts of one run. */
import type { Timing } from '../../shared/timing.ts'
import type { Timed, Violation } from '../invariants/facts.ts'
import { LivenessWatch } from '../invariants/liveness.ts'
import { SafetyWatch } from '../invariants/safety.ts'
import { nodes } from './address-plan.ts'
import { advertIntervalMs, priorities } from './keepalived-config.ts'

/** @param facts in time order, until `endMs`, when nobody looked any more */
export function violationsOf(
  facts: readonly Timed[],
  { timing, endMs }: { timing: Timing; endMs: number },
): readonly Violation[] {
  const safety = new SafetyWatch(timing)
  const liveness = new LivenessWatch(timing, {
    nodes: nodes.map((name) => ({ name, priority: priorities[name] })),
    advertIntMs: advertIntervalMs,
  })
  for (const timed of facts) {
    safety.take(timed)
    liveness.take(timed)
  }
  safety.end(endMs)
  liveness.pass(endMs)
  return [...safety.violations, ...liveness.violations]
}
