/**
 * A drill: the fence is carried out on purpose, each rung is proved and timed, and keepalived comes back at once. A
 * standby goes through the ladder up to the stop command. A holder releases the VIP for the other node, which is a
 * planned switchover with proof. Pure.
 *
 * A drill does not count for the hold-down, and `rejoin: manual` does not apply to it, because keepalived is not at
 * fault. It never goes as far as SIGKILL, which is not needed once the stop command is proved to work.
 */
import { type Turn, set } from '../turn.ts'
import { type Ladder, type Rung, climb } from '../fence-ladder.ts'
import { drillPolicy, startPatienceMs } from '../fence-policy.ts'
import { setBar, writePermit } from '../permit.ts'
import { type Guard, holdsVip } from '../state.ts'
import { fenceOrphan, returnToFenced, startFence, toClaimant, toStandby } from '../transitions.ts'
import type { Drilling } from '../phase.ts'
import { isOrphaned, peerName } from '../own-lease.ts'
import { endDrill, forgetDrill, noteRung } from '../drill-notes.ts'
import { peerHolds, peerSilent } from '../hearing.ts'
import { barCause } from '../bar-evidence.ts'
import type { GuardEvent } from '../event.ts'

/** The stop command is killed after this long (agent/fence/rungs.ts). */
const stopTimeoutMs = 10_000

/** How long the process of keepalived may take to end; it usually takes about a second. */
const stopPatienceMs = 5000

export function stepDrilling(turn: Turn, phase: Drilling): void {
  const { guard } = turn
  // keepalived became MASTER in spite of the drill, so it has to win the votes like any other MASTER.
  if (isOrphaned(guard)) {
    endDrill(turn, { failure: 'keepalived died and left the VIP', backMs: null })
    return fenceOrphan(turn)
  }
  if (holdsVip(guard)) {
    endDrill(turn, { failure: 'keepalived became MASTER during the drill', backMs: null })
    // The stop command is running. What it stops is started again as after any fence.
    if (phase.stop !== 'not tried' && phase.returning === null)
      return startFence(turn, { reason: 'keepalived became MASTER during a drill', first: 'bar' })
    if (phase.stop !== 'running') forgetDrill(turn)
    setBar(turn, false)
    return toClaimant(turn)
  }
  return phase.returning === null
    ? stepProving(turn, phase)
    : stepReturning(turn, { ...phase, returning: phase.returning })
}

function stepProving(turn: Turn, phase: Drilling): void {
  const { guard, atMs, commandFailed } = turn
  turn.commandFailed = false
  const next = climb(phase.ladder, guard.seen, { atMs, policy: drillPolicy(guard), commandFailed })
  switch (next.type) {
    case 'wait':
      return set(turn, { phase: { ...phase, ladder: next.ladder } })
    case 'proved': {
      const proving = { ...phase, ladder: next.ladder }
      // The stop command is done only when the process is gone too, which `done` reports.
      if (next.ladder.rung === 'bar') noteRung(turn, proving, { rung: 'bar', proved: true })
      return stepProving(turn, proving)
    }
    case 'climb':
      return climbTo(turn, phase, { ladder: next.ladder, to: next.to })
    case 'done':
    case 'failed':
      if (next.ladder.rung === 'stop') noteRung(turn, phase, { rung: 'stop', proved: true })
      return comeBack(turn, { ...phase, ladder: next.ladder })
  }
}

function climbTo(
  turn: Turn,
  phase: Drilling,
  { ladder, to }: { ladder: Ladder; to: Exclude<Rung, 'bar'> },
): void {
  const { guard, atMs } = turn
  const { rung } = phase.ladder
  const climbed = rung === 'stop' || phase.ladder.provedAtMs === null
  if (climbed) noteRung(turn, phase, { rung, proved: false })
  const failure = climbed ? (phase.failure ?? whyFailed(guard, rung)) : phase.failure
  if (to !== 'stop' || guard.policy.fence === 'fault') return comeBack(turn, { ...phase, failure })
  // The stop command takes keepalived away for seconds, so it runs only while the peer certainly holds the lease.
  if (peerSilent(guard, atMs) || !peerHolds(guard, atMs))
    return comeBack(turn, {
      ...phase,
      failure: `${peerName(guard)} fell silent or released the VIP during the drill, so the stop command was not tried`,
    })
  const stopping = { ...ladder, deadlineMs: atMs + stopPatienceMs }
  set(turn, { phase: { ...phase, ladder: stopping, failure, rungSinceMs: atMs, stop: 'running' } })
  turn.effects.push({ type: 'fence', rung: 'stop' })
}

function whyFailed({ seen, timing }: Guard, rung: Rung): string {
  return rung === 'bar'
    ? `the bar did not put keepalived into FAULT within ${timing.releaseMs} ms (it is ${seen.keepalived}); check that the running configuration has the track_file`
    : `the stop command did not stop keepalived (process ${seen.process})`
}

/** Lifts the bar and writes the permit before keepalived starts, because keepalived runs the check at once. */
function comeBack(turn: Turn, phase: Drilling): void {
  const { guard, atMs } = turn
  const patienceMs = phase.stop === 'running' ? startPatienceMs + stopTimeoutMs : startPatienceMs
  set(turn, {
    phase: { ...phase, returning: { sinceMs: atMs, deadlineMs: atMs + patienceMs, start: 'not tried' } },
  })
  // As a standby the node may be barred at once for another cause. In that case the bar is not lifted in between.
  if (guard.timing.gate === 'open' && barCause(guard, atMs) === null) setBar(turn, false)
  writePermit(turn)
  startWhereStopped(turn)
}

/**
 * Starts keepalived once the stop command has ended, never while it runs. It does so even if keepalived is still
 * there, because a stop command that was given up may still take effect later (systemd continues a stop whose
 * systemctl was killed).
 */
function startWhereStopped(turn: Turn): void {
  const { phase } = turn.guard
  if (phase.name !== 'drilling' || phase.returning?.start !== 'not tried' || phase.stop !== 'ended') return
  set(turn, { phase: { ...phase, returning: { ...phase.returning, start: 'running' } } })
  turn.effects.push({ type: 'start-keepalived' })
}

function stepReturning(
  turn: Turn,
  phase: Drilling & { returning: NonNullable<Drilling['returning']> },
): void {
  const { guard, atMs } = turn
  const { sinceMs, deadlineMs, start } = phase.returning
  const commandsEnded = phase.stop === 'not tried' || start === 'ended'
  const runs = commandsEnded && guard.seen.process === 'running'
  const takesPart =
    guard.seen.keepalived === 'BACKUP' || (guard.barOn === true && guard.seen.keepalived === 'FAULT')
  if (runs && takesPart) {
    endDrill(turn, { failure: phase.failure, backMs: Math.round(atMs - sinceMs) })
    forgetDrill(turn)
    return toStandby(turn)
  }
  if (atMs < deadlineMs) return
  failToReturn(
    turn,
    `keepalived did not take part in VRRP again within ${Math.round(atMs - sinceMs)} ms (it is ${guard.seen.keepalived}, process ${guard.seen.process})`,
  )
}

/** From here on the agent tries again as after any fence. */
function failToReturn(turn: Turn, problem: string): void {
  endDrill(turn, { failure: problem, backMs: null })
  returnToFenced(turn, `${problem}, after a drill`)
}

/** This agent did not run for a while, so its measurements are worthless and it is not certain who holds the lease. */
export function interruptDrill(turn: Turn, why: string): void {
  const { phase } = turn.guard
  if (phase.name !== 'drilling' || phase.returning !== null) return
  comeBack(turn, { ...phase, failure: phase.failure ?? why })
}

export function bookDrillCommandEnded(
  turn: Turn,
  event: GuardEvent & { type: 'rung-ended' | 'start-ended' },
): void {
  const { phase } = turn.guard
  if (phase.name !== 'drilling') return
  if (event.type === 'start-ended') return bookStartEnded(turn, phase, event.error)
  const failure =
    event.error === null
      ? phase.failure
      : (phase.failure ?? `fence step "${event.rung}" failed: ${event.error}`)
  turn.commandFailed = event.error !== null && event.rung === phase.ladder.rung
  set(turn, { phase: { ...phase, failure, stop: event.rung === 'stop' ? 'ended' : phase.stop } })
  startWhereStopped(turn)
}

function bookStartEnded(turn: Turn, phase: Drilling, error: string | null): void {
  if (phase.returning === null) return
  if (error !== null) return failToReturn(turn, `keepalived could not be started: ${error}`)
  set(turn, { phase: { ...phase, returning: { ...phase.returning, start: 'ended' } } })
}

/** A holder's drill ends when its keepalived takes part in VRRP again, however the fence went. */
export function concludeHolderDrill(turn: Turn): void {
  const { guard, atMs } = turn
  const { drill, phase, seen } = guard
  if (drill?.role !== 'holder' || drill.provedAtMs === null) return
  if (phase.name === 'fencing' || phase.name === 'fenced' || phase.name === 'rejoining') {
    if (atMs - drill.provedAtMs >= startPatienceMs)
      endDrill(turn, { failure: 'keepalived did not take part in VRRP again', backMs: null })
    return
  }
  const takesPart = seen.keepalived === 'BACKUP' || holdsVip(guard) || guard.barOn === true
  if (seen.process !== 'running' || !takesPart) {
    if (atMs - drill.provedAtMs >= startPatienceMs)
      endDrill(turn, { failure: 'keepalived did not take part in VRRP again', backMs: null })
    return
  }
  const failed = drill.rungs.find(({ proved }) => !proved)
  endDrill(turn, {
    failure: failed === undefined ? null : `fence step "${failed.rung}" did not take effect in time`,
    backMs: Math.round(atMs - drill.provedAtMs),
  })
}
