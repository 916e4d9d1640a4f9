/**
 * How long a node was without an answer after the lab had killed the witness. The lab restarts it at once, but on a busy
 * machine its process may take longer to be back than a lease lasts, and then the run shows another fault than it is about.
 */
import { fenceAtMs, type Timing } from '../../shared/core/timing.ts'
import { type LabNode } from './address-plan.ts'
import { type MeasuredRun } from './measured-run.ts'
import { type RunRecord } from './run-facts.ts'
import { type Must } from './scenario.ts'

/**
 * From SIGKILL to the first answer that the node got, the longest of the run; 0: the lab did not kill it; Infinity: it
 * never answered this node again.
 */
export function witnessAwayMs({ notes, agents }: Pick<RunRecord, 'notes' | 'agents'>, node: LabNode): number {
  const answered = agents[node]
    .filter(({ event, text }) => event === 'voter-up' && text.startsWith('witness ('))
    .map(({ atMs }) => atMs)
  const killed = notes.filter(
    ({ fact }) => fact.type === 'program' && fact.program === 'witness' && fact.state === 'ended',
  )
  const away = killed.map(({ atMs }) => (answered.find((instantMs) => instantMs >= atMs) ?? Infinity) - atMs)
  return Math.max(0, ...away)
}

/** A holder that lost the witness just before it renewed needs the answer within this time, or it fences itself (E2). */
export function leaseSurvivesMs(timing: Timing): number {
  return fenceAtMs(timing.leaseMs, timing) - timing.renewMs
}

/** A premise: the witness was back before a lease of this node could end. */
export function witnessBackWithin(boundMs: number, node: LabNode): Must {
  return {
    says: `the witness answers ${node} at most ${boundMs} ms after it was killed`,
    broken: (run: MeasuredRun) => {
      const awayMs = run.witnessAwayMs[node]
      if (awayMs <= boundMs) return null
      return awayMs === Infinity ? 'it never answered again' : `it answered after ${awayMs} ms`
    },
  }
}
