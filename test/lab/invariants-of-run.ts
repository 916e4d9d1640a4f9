/** The invariants of docs/safety.md over the facts of one run. */
import type { Timing } from '../../shared/core/timing.ts'
import type { Timed, Violation } from '../invariants/facts.ts'
import { LivenessWatch } from '../invariants/liveness.ts'
import { SafetyWatch } from '../invariants/safety.ts'
import { nodes } from './address-plan.ts'
import { advertIntervalMs, priorities } from './keepalived-config.ts'

/**
 * On a busy machine a handover may go wrong and cost a fence and the other node's skew time. That is the bench's to
 * judge, as every bound on time.
 */
const busyGraceMs = 1000

/**
 * @param facts in time order, until `endMs`, when nobody looked any more
 * @param options.busy the machine is shared with other tests: programs run late
 */
export function violationsOf(
  facts: readonly Timed[],
  { timing, endMs, busy }: { timing: Timing; endMs: number; busy: boolean },
): readonly Violation[] {
  const safety = new SafetyWatch(timing)
  const liveness = new LivenessWatch(timing, {
    nodes: nodes.map((name) => ({ name, priority: priorities[name] })),
    advertIntMs: advertIntervalMs,
    ...(busy ? { graceMs: busyGraceMs } : {}),
  })
  for (const timed of facts) {
    safety.take(timed)
    liveness.take(timed)
  }
  safety.end(endMs)
  liveness.pass(endMs)
  return [...safety.violations, ...liveness.violations]
}
