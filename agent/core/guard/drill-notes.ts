/** The record of a drill: the time of each rung, how the drill ended, and the report to the witness. */
import { type Turn, set, tell } from './turn.ts'
import type { Drilling } from './phase.ts'
import type { Ladder, Rung } from './fence-ladder.ts'
import type { Drill, Guard } from './state.ts'
import type { Drilled } from '../../../shared/protocol/report.ts'

/** A rung of a standby's drill ended. */
export function noteRung(
  turn: Turn,
  phase: Drilling,
  { rung, proved }: { rung: Rung; proved: boolean },
): void {
  const { guard, atMs } = turn
  const { drill, seen } = guard
  if (drill === null) return
  const tookMs = Math.round(atMs - phase.rungSinceMs)
  set(turn, {
    drill: {
      ...drill,
      rungs: [...drill.rungs, { rung, proved, tookMs }],
      provedAtMs: proved ? atMs : drill.provedAtMs,
    },
  })
  if (proved)
    tell(
      turn,
      'drill-proved',
      'info',
      `Drill: fence step "${rung}" was proved after ${tookMs} ms: the kernel does not have the VIP, and keepalived is ${seen.process === 'absent' ? 'gone' : seen.keepalived}.`,
    )
}

/** A rung of a real fence ended. If that fence is a holder's drill, the rung goes into the report of the drill. */
export function noteFenceInDrill(turn: Turn, { ladder, proved }: { ladder: Ladder; proved: boolean }): void {
  const { guard, atMs } = turn
  const { drill } = guard
  if (drill?.role !== 'holder') return
  const tookMs = Math.round(atMs - ladder.startedAtMs)
  set(turn, {
    drill: {
      ...drill,
      rungs: [...drill.rungs, { rung: ladder.rung, proved, tookMs }].slice(-4),
      provedAtMs: proved ? atMs : drill.provedAtMs,
    },
  })
}

/** The drill is over: it passed if `failure` is null. `backMs`: from the last proof until keepalived was back. */
export function endDrill(turn: Turn, how: { failure: string | null; backMs: number | null }): void {
  const { drill } = turn.guard
  if (drill === null) return
  const { role, rungs } = drill
  const { failure, backMs } = how
  set(turn, { drill: null })
  pushDrilled(turn, {
    role,
    rungs: [...rungs],
    backMs,
    ...(failure === null
      ? { result: 'passed', text: describe(drill, turn.guard, backMs) }
      : { result: 'failed', text: failure.slice(0, 500) }),
  })
}

function describe({ rungs }: Drill, { timing }: Guard, backMs: number | null): string {
  const proofs = rungs.map(({ rung, tookMs }) => `"${rung}" proved after ${tookMs} ms`)
  const slow = rungs.some(({ rung, tookMs }) => rung === 'bar' && tookMs > timing.releaseMs / 4)
  const note = slow
    ? ` (slow: a real fence runs the stop command after ${timing.releaseMs / 4} ms; check whether this host is busy)`
    : ''
  return `${proofs.join(', ')}; keepalived took part in VRRP again after ${backMs ?? 0} ms${note}`
}

/** Reports to the witness how a drill ended, or that it was refused. */
export function pushDrilled(turn: Turn, outcome: Omit<Drilled, 'type' | 'instance'>): void {
  turn.effects.push({
    type: 'drilled',
    drilled: { type: 'drilled', instance: turn.guard.profile.instance, ...outcome },
  })
}

/** Removes from the memory that a drill was running and that keepalived must be started again. */
export function forgetDrill(turn: Turn): void {
  const { number, recentAtMs } = turn.guard.memory
  set(turn, { memory: { stopped: false, number, recentAtMs } })
  turn.effects.push({ type: 'remember', memory: turn.guard.memory })
}
