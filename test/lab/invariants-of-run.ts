/** The invariants of docs/safety.md, applied to the facts of one run. */
import { masterDownMs, type Timing } from '../../shared/core/timing.ts'
import { ArmingWatch } from '../invariants/arming.ts'
import type { Timed, Violation } from '../invariants/facts.ts'
import { LivenessWatch } from '../invariants/liveness.ts'
import { SafetyWatch } from '../invariants/safety.ts'
import { nodes } from './address-plan.ts'
import { type PairConf } from './keepalived-config.ts'

/**
 * On a busy machine a handover may go wrong and cost a fence and the other node's skew time. The bench judges that, as
 * it does every bound on time.
 */
const busyGraceMs = 1000

/** Before the first lease nobody is in the way of a keepalived; its first promotion may be lost to a start of the other. */
const promotionsUntilServed = 2

/** What the lab knows of the pair that matters here. */
type Judgeable = Pick<PairConf, 'priorities' | 'pace'>

/**
 * @param facts in time order, until `endMs`, when the observation ended
 * @param options.pair what keepalived is configured with
 * @param options.busy the machine is shared with other tests, so programs run late
 */
export function violationsOf(
  facts: readonly Timed[],
  { timing, pair, endMs, busy }: { timing: Timing; pair: Judgeable; endMs: number; busy: boolean },
): readonly Violation[] {
  const { priorities, pace } = pair
  const safety = new SafetyWatch(timing)
  const liveness = new LivenessWatch(timing, {
    nodes: nodes.map((name) => ({ name, priority: priorities[name] })),
    ...pace,
    ...(busy ? { graceMs: busyGraceMs } : {}),
  })
  const arming = new ArmingWatch(timing, {
    slowestPromotionMs: promotionsUntilServed * masterDownMs({ ...pace, priority: 1 }) + busyGraceMs,
  })
  for (const timed of facts) {
    safety.take(timed)
    liveness.take(timed)
    arming.take(timed)
  }
  safety.end(endMs)
  liveness.pass(endMs)
  arming.pass(endMs)
  return [...safety.violations, ...liveness.violations, ...arming.violations]
}
