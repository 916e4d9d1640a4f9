/**
 * The fence ladder: which rung is tried, until when, and what counts as proof. The whole ladder down to SIGKILL fits
 * in releaseMs, because that is all the time a holder leaves itself (docs/safety.md, "The fence ladder"). Pure.
 */
import type { KeepalivedState, ProcessState, VipState } from '../../../shared/protocol/report.ts'
import { assertNever } from '../../../shared/assert-never.ts'

/** In order: the track_file, the stop command, SIGKILL and `ip addr del`, the operator's last resort. */
export type Rung = 'bar' | 'stop' | 'kill' | 'last-resort'

export interface Ladder {
  readonly startedAtMs: number
  readonly rung: Rung
  /** When the next rung follows if this one has not taken effect. */
  readonly deadlineMs: number
  /** When the proof came; null: not yet. What keepalived does later does not undo it. */
  readonly provedAtMs: number | null
  /** The rung that was in use when the proof came. */
  readonly provedBy: Rung | null
  /** Every rung was tried and the VIP is still there; the ladder goes on trying. */
  readonly failed: boolean
}

export interface LadderPolicy {
  /** `stop`: keepalived is stopped even if the bar was enough. */
  readonly fence: 'stop' | 'fault'
  readonly hasLastResort: boolean
  /** D: the budget for everything down to SIGKILL. */
  readonly releaseMs: number
}

/** How long a stop command may take once the VIP is gone: `systemctl stop` waits for the process, about a second. */
const stopPatienceMs = 5000
/** How often SIGKILL and `ip addr del` are repeated if they did not help. */
const retryMs = 1000

/** `unknown`: keepalived is not in sight, and nothing proves that it does not run. */
export type ProcessSight = ProcessState | 'unknown'

export interface Scene {
  readonly keepalived: KeepalivedState
  readonly process: ProcessSight
  readonly vips: VipState
}

/** The proof of a fence: no VIP in the kernel, and keepalived in FAULT or gone. */
export function isProof(scene: Scene): boolean {
  return (
    scene.vips === 'gone' &&
    (scene.process === 'absent' || scene.keepalived === 'FAULT' || scene.keepalived === 'STOP')
  )
}

export function startLadder(first: 'bar' | 'kill', atMs: number, policy: LadderPolicy): Ladder {
  return {
    startedAtMs: atMs,
    rung: first,
    deadlineMs: atMs + rungBudgetMs(first, policy),
    provedAtMs: null,
    provedBy: null,
    failed: false,
  }
}

function rungBudgetMs(rung: Rung, policy: LadderPolicy): number {
  switch (rung) {
    case 'bar':
      return policy.releaseMs / 4
    case 'stop':
      return policy.releaseMs / 2
    case 'kill':
      // SIGKILL is out by then, within releaseMs; this is for several runs of `ip` and the proof.
      return policy.releaseMs
    case 'last-resort':
      return retryMs
    default:
      return assertNever(rung)
  }
}

export type LadderStep =
  | { readonly type: 'wait'; readonly ladder: Ladder }
  /** The proof came just now. The ladder may continue, to stop keepalived. */
  | { readonly type: 'proved'; readonly ladder: Ladder }
  | { readonly type: 'climb'; readonly ladder: Ladder; readonly to: Exclude<Rung, 'bar'> }
  | { readonly type: 'failed'; readonly ladder: Ladder }
  | { readonly type: 'done'; readonly ladder: Ladder }

/**
 * What to do next. Call again after each step but `wait` and `done`.
 * @param commandFailed the current rung's command has just ended with an error
 */
export function climb(
  ladder: Ladder,
  scene: Scene,
  at: { atMs: number; policy: LadderPolicy; commandFailed: boolean },
): LadderStep {
  const { atMs, policy, commandFailed } = at
  if (ladder.provedAtMs === null && isProof(scene))
    return { type: 'proved', ladder: { ...ladder, provedAtMs: atMs, provedBy: ladder.rung, failed: false } }

  const go = (to: Exclude<Rung, 'bar'>, budgetMs = rungBudgetMs(to, policy)): LadderStep => ({
    type: 'climb',
    to,
    ladder: { ...ladder, rung: to, deadlineMs: atMs + budgetMs },
  })
  const proved = ladder.provedAtMs !== null
  const late = atMs >= ladder.deadlineMs || commandFailed

  switch (ladder.rung) {
    case 'bar':
      if (proved) return policy.fence === 'stop' ? go('stop', stopPatienceMs) : { type: 'done', ladder }
      return late ? go('stop') : { type: 'wait', ladder }

    case 'stop':
      if (proved && scene.process === 'absent') return { type: 'done', ladder }
      if (!late) return { type: 'wait', ladder }
      // The VIP is gone and the command is still waiting for the process to end, so it gets the longer patience.
      if (proved && !commandFailed && atMs < ladder.startedAtMs + stopPatienceMs)
        return { type: 'wait', ladder: { ...ladder, deadlineMs: ladder.startedAtMs + stopPatienceMs } }
      return go('kill')

    case 'kill':
    case 'last-resort':
      if (proved && scene.process === 'absent') return { type: 'done', ladder }
      if (!late) return { type: 'wait', ladder }
      if (ladder.rung === 'kill' && policy.hasLastResort && !ladder.failed) return go('last-resort')
      if (!ladder.failed && !proved) return { type: 'failed', ladder: { ...ladder, failed: true } }
      // There is no other rung. A command that fails at once would fail as fast again, so it is repeated at its pace.
      return atMs >= ladder.deadlineMs ? go('kill', retryMs) : { type: 'wait', ladder }

    default:
      return assertNever(ladder.rung)
  }
}
