/**
 * A drill: the fence walked through on purpose, each rung proved and timed, and the way back at once. On a standby the
 * whole ladder is walked; a holder lets go for the other node, which is a planned switchover with proof. Pure.
 *
 * It counts for no hold-down and follows no `rejoin: manual`: keepalived is not at fault. It never goes as far as SIGKILL:
 * that would prove nothing that a stop command which works does not make needless.
 */
import { type DrillRole, type Drilled, type Order, type Report } from '../shared/protocol.ts'
import { leftWith } from '../shared/vote.ts'
import { barCause, peerHolds, peerSilent } from './bar-evidence.ts'
import { climb, type Ladder, type LadderPolicy, type Rung, startLadder } from './fence-ladder.ts'
import {
  drillPatience,
  fenceOrphan,
  startFence,
  startPatienceMs,
  toFencedAfterDrill,
} from './guard-fencing.ts'
import { type Drill, type Guard, type GuardEvent, holdsVip, type Phase } from './guard-state.ts'
import { isOrphaned, peerName, set, setBar, tell, toStandby, type Turn, writePermit } from './guard-turn.ts'

type Drilling = Phase & { name: 'drilling' }

/** The stop command is killed after so long (fence-rungs.ts). */
const stopTimeoutMs = 10_000
/** How long keepalived may take to end: its process, about a second. */
const stopPatienceMs = 5000

/** What reaches the guard as `order: drill` or `order: drill-holder`. */
export function bookDrillOrder(turn: Turn, order: Order, role: DrillRole): void {
  const refusal = role === 'standby' ? refusalOfStandby(turn, order) : refusalOfHolder(turn, order)
  if (refusal !== null)
    return pushDrilled(turn, { role, result: 'refused', rungs: [], backMs: null, text: refusal })
  const waits = role === 'standby' && turn.guard.policy.fence === 'stop'
  set(turn, { drill: { role, rungs: [], provedAtMs: null, waiting: waits ? order : null } })
  if (waits) return rememberDrill(turn)
  if (role === 'standby') return beginOnStandby(turn, order)
  startFence(turn, { reason: `a drill: ${order.reason}`, first: 'bar', only: 'bar' })
}

/** Why nothing is done: the guard looks for itself, because an order may be late. */
function refusalOfStandby({ guard, atMs }: Turn, order: Order): string | null {
  const { phase, seen, policy, peerReport } = guard
  const peer = peerName(guard)
  if (policy.mode === 'observe') return 'observe mode: nothing is fenced here, so there is nothing to drill'
  if (guard.drill !== null) return 'a drill is under way here already'
  if (phase.name !== 'standby' && phase.name !== 'probation' && phase.name !== 'gated')
    return `this node is not standing by: ${phase.name}`
  if (seen.vips === 'held' || seen.process !== 'running')
    return `keepalived here is ${seen.keepalived}, its process ${seen.process}, the VIP ${seen.vips}`
  if (phase.name !== 'gated' && seen.keepalived !== 'BACKUP')
    return `keepalived here is ${seen.keepalived}, not BACKUP`
  // What an earlier fence owes must not be forgotten with the drill.
  if (guard.memory.stopped && guard.memory.drilling !== true)
    return 'the start of keepalived after an earlier fence has not succeeded yet'
  if (leftWith(guard.voter) !== null)
    return `this node left its vote with ${peer} and does not have it back yet`
  if (peerSilent(guard, atMs)) return `${peer} is not heard here: it must hold the VIP meanwhile`
  if (peerReport?.phase !== 'holding' || peerReport.ask?.epoch !== order.epoch || !peerHolds(guard, atMs))
    return `${peer} does not hold the lease under epoch ${order.epoch}, as far as this node knows`
  return null
}

function refusalOfHolder({ guard, atMs }: Turn, order: Order): string | null {
  const { phase, candidacy, policy, peerReport } = guard
  const peer = peerName(guard)
  if (policy.mode === 'observe') return 'observe mode: nothing is fenced here, so there is nothing to drill'
  if (guard.drill !== null) return 'a drill is under way here already'
  if (phase.name !== 'holding' || candidacy?.epoch !== order.epoch)
    return `this node does not hold the lease under epoch ${order.epoch}: ${phase.name}`
  if (peerReport === null || peerSilent(guard, atMs) || !isReadyToTake(peerReport))
    return `${peer} could not take the VIP at once, as far as this node knows`
  return null
}

function isReadyToTake({ phase, keepalived, process, left }: Report): boolean {
  // One whose vote was left here has none of its own to win by.
  if (process !== 'running' || left !== undefined) return false
  if (phase === 'gated') return true
  return keepalived === 'BACKUP' && (phase === 'standby' || phase === 'probation')
}

function beginOnStandby(turn: Turn, order: Order): void {
  const { guard, atMs } = turn
  set(turn, {
    phase: {
      name: 'drilling',
      sinceMs: atMs,
      reason: order.reason,
      ladder: startLadder('bar', atMs, ladderPolicy(guard)),
      rungSinceMs: atMs,
      failure: null,
      stop: 'not tried',
      returning: null,
    },
  })
  setBar(turn, true)
  writePermit(turn)
  tell(turn, 'drill', 'info', `A drill begins here: ${order.reason}.`)
  turn.effects.push({ type: 'beat' })
}

/**
 * If this agent dies from here on, the next one brings keepalived back, whether it was stopped by then or not. A drill has
 * the time to wait for the disk, which a fence has not.
 */
function rememberDrill(turn: Turn): void {
  set(turn, { memory: { ...turn.guard.memory, stopped: true, drilling: true } })
  turn.effects.push({ type: 'remember-first', memory: turn.guard.memory })
}

/**
 * Nothing was done yet, and keepalived is MASTER: what this node does from here on is no drill. A fence of it has the short
 * patience of a real one, and its own hold-down.
 */
export function giveUpWaitingDrill(turn: Turn): void {
  if (turn.guard.drill?.waiting == null || !holdsVip(turn.guard)) return
  refuseWaitingDrill(turn, 'keepalived became MASTER before the drill began')
}

function refuseWaitingDrill(turn: Turn, text: string): void {
  set(turn, { drill: null })
  forgetDrill(turn)
  pushDrilled(turn, {
    role: 'standby',
    result: 'refused',
    rungs: [],
    backMs: null,
    text: text.slice(0, 500),
  })
}

/** The successor would know: the drill may begin, where it still may. */
export function bookDrillRemembered(turn: Turn, error: string | null): void {
  const { drill } = turn.guard
  if (drill?.waiting == null) return
  const { waiting } = drill
  set(turn, { drill: null })
  const refusal =
    error === null
      ? refusalOfStandby(turn, waiting)
      : `what a successor of this agent would owe cannot be written down (${error})`
  if (refusal !== null) return refuseWaitingDrill(turn, refusal)
  set(turn, { drill: { ...drill, waiting: null } })
  beginOnStandby(turn, waiting)
}

/**
 * No last resort in a drill. It waits four times as long as a real fence does for the bar: late is told apart from never,
 * and on a standby nobody waits for the VIP.
 */
function ladderPolicy({ policy, timing }: Guard): LadderPolicy {
  return { fence: policy.fence, hasLastResort: false, releaseMs: drillPatience * timing.releaseMs }
}

export function stepDrilling(turn: Turn, phase: Drilling): void {
  const { guard } = turn
  // It became MASTER in spite of the drill: it has to win the votes like any other.
  if (isOrphaned(guard)) {
    endDrill(turn, { failure: 'keepalived died and left the VIP', backMs: null })
    return fenceOrphan(turn)
  }
  if (holdsVip(guard)) {
    endDrill(turn, { failure: 'keepalived became MASTER during the drill', backMs: null })
    // The stop command is on its way: what it stops is started again as after any fence.
    if (phase.stop !== 'not tried' && phase.returning === null)
      return startFence(turn, { reason: 'keepalived became MASTER during a drill', first: 'bar' })
    if (phase.stop !== 'running') forgetDrill(turn)
    setBar(turn, false)
    return set(turn, { phase: { name: 'standby', sinceMs: turn.atMs } })
  }
  return phase.returning === null
    ? stepProving(turn, phase)
    : stepReturning(turn, { ...phase, returning: phase.returning })
}

function stepProving(turn: Turn, phase: Drilling): void {
  const { guard, atMs, commandFailed } = turn
  turn.commandFailed = false
  const next = climb(phase.ladder, guard.seen, { atMs, policy: ladderPolicy(guard), commandFailed })
  switch (next.type) {
    case 'wait':
      return set(turn, { phase: { ...phase, ladder: next.ladder } })
    case 'proved': {
      const proving = { ...phase, ladder: next.ladder }
      // The stop command is done when the process is gone, too: that is told by `done`.
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
  // A stop takes keepalived away for seconds: only while somebody surely holds.
  if (peerSilent(guard, atMs) || !peerHolds(guard, atMs))
    return comeBack(turn, {
      ...phase,
      failure: `${peerName(guard)} fell silent or let go during the drill; the stop command was not tried`,
    })
  const stopping = { ...ladder, deadlineMs: atMs + stopPatienceMs }
  set(turn, { phase: { ...phase, ladder: stopping, failure, rungSinceMs: atMs, stop: 'running' } })
  turn.effects.push({ type: 'fence', rung: 'stop' })
}

function whyFailed({ seen, timing }: Guard, rung: Rung): string {
  return rung === 'bar'
    ? `the bar did not bring keepalived to FAULT within ${timing.releaseMs} ms (it is ${seen.keepalived}): is the track_file in the running configuration?`
    : `the stop command did not end keepalived (process ${seen.process})`
}

function noteRung(turn: Turn, phase: Drilling, { rung, proved }: { rung: Rung; proved: boolean }): void {
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
      `Drill: rung "${rung}" proved after ${tookMs} ms: the VIP is absent from the kernel; keepalived is ${seen.process === 'absent' ? 'gone' : seen.keepalived}.`,
    )
}

/** The bar falls, and the permit is there before keepalived starts, which runs the check at once. */
function comeBack(turn: Turn, phase: Drilling): void {
  const { guard, atMs } = turn
  const patienceMs = phase.stop === 'running' ? startPatienceMs + stopTimeoutMs : startPatienceMs
  set(turn, {
    phase: { ...phase, returning: { sinceMs: atMs, deadlineMs: atMs + patienceMs, start: 'not tried' } },
  })
  // As a standby it may be barred for another reason at once: then the bar is not lifted in between.
  if (guard.timing.gate === 'open' && barCause(guard, atMs) === null) setBar(turn, false)
  writePermit(turn)
  startWhereStopped(turn)
}

/**
 * Not while the stop command still runs; and always after it, even where keepalived is still there: a stop command that
 * was given up may yet do its work later (systemd goes on with a stop whose systemctl was killed).
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
    `keepalived did not take part again within ${Math.round(atMs - sinceMs)} ms (it is ${guard.seen.keepalived}, process ${guard.seen.process})`,
  )
}

/** From here on it is tried again as after any fence. */
function failToReturn(turn: Turn, problem: string): void {
  endDrill(turn, { failure: problem, backMs: null })
  toFencedAfterDrill(turn, `${problem}, after a drill`)
}

/** This agent stood still: what it measures is worth nothing, and who holds is not sure. */
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
    event.error === null ? phase.failure : (phase.failure ?? `rung "${event.rung}" failed: ${event.error}`)
  turn.commandFailed = event.error !== null && event.rung === phase.ladder.rung
  set(turn, { phase: { ...phase, failure, stop: event.rung === 'stop' ? 'ended' : phase.stop } })
  startWhereStopped(turn)
}

function bookStartEnded(turn: Turn, phase: Drilling, error: string | null): void {
  if (phase.returning === null) return
  if (error !== null) return failToReturn(turn, `keepalived could not be started: ${error}`)
  set(turn, { phase: { ...phase, returning: { ...phase.returning, start: 'ended' } } })
}

/** A rung of a real fence ended: where the fence is a holder's drill, it is noted for its report. */
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

/** A holder's drill ends when its node takes part again, whichever way the fence took. */
export function concludeHolderDrill(turn: Turn): void {
  const { guard, atMs } = turn
  const { drill, phase, seen } = guard
  if (drill?.role !== 'holder' || drill.provedAtMs === null) return
  if (phase.name === 'fencing' || phase.name === 'fenced' || phase.name === 'rejoining') {
    if (atMs - drill.provedAtMs >= startPatienceMs)
      endDrill(turn, { failure: 'keepalived did not take part again', backMs: null })
    return
  }
  const takesPart = seen.keepalived === 'BACKUP' || holdsVip(guard) || guard.barOn === true
  if (seen.process !== 'running' || !takesPart) {
    if (atMs - drill.provedAtMs >= startPatienceMs)
      endDrill(turn, { failure: 'keepalived did not take part again', backMs: null })
    return
  }
  const failed = drill.rungs.find(({ proved }) => !proved)
  endDrill(turn, {
    failure: failed === undefined ? null : `rung "${failed.rung}" did not do its work in time`,
    backMs: Math.round(atMs - drill.provedAtMs),
  })
}

function endDrill(turn: Turn, how: { failure: string | null; backMs: number | null }): void {
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
    ? ` (slow: after ${timing.releaseMs / 4} ms a real fence goes on to the stop command; is this host busy?)`
    : ''
  return `${proofs.join(', ')}; keepalived takes part again after ${backMs ?? 0} ms${note}`
}

function pushDrilled(turn: Turn, outcome: Omit<Drilled, 'type' | 'instance'>): void {
  turn.effects.push({
    type: 'drilled',
    drilled: { type: 'drilled', instance: turn.guard.profile.instance, ...outcome },
  })
}

function forgetDrill(turn: Turn): void {
  const { number, recentAtMs } = turn.guard.memory
  set(turn, { memory: { stopped: false, number, recentAtMs } })
  turn.effects.push({ type: 'remember', memory: turn.guard.memory })
}
