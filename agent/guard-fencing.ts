/** Giving the VIP up and coming back: the fence with its proof, the hold-down, the rejoin. Pure. */
import { assertNever } from '../shared/assert-never.ts'
import type { Report } from '../shared/protocol.ts'
import { alone, barCause, heardSomebody, peerHolds } from './bar-evidence.ts'
import { climb, type LadderPolicy, startLadder } from './fence-ladder.ts'
import { noteFenceInDrill } from './guard-drill.ts'
import { type FenceMemory, type Guard, type GuardEvent, holdsVip, type Phase } from './guard-state.ts'
import {
  giveBackOwnVote,
  isOrphaned,
  keptVoter,
  release,
  set,
  setBar,
  tell,
  toStandby,
  type Turn,
  writePermit,
} from './guard-turn.ts'

/** keepalived must be up this long after its start command at the latest. */
export const startPatienceMs = 15_000
const holdDownFirstMs = 5000

const holdDownMostMs = 300_000
/** The last rung begins after three quarters of this many releaseMs: 600 ms. */
export const drillPatience = 4
const fenceHistoryMs = 3_600_000
/** Where nobody holds, so many fences within a minute are followed by no pause at all, and later ones by this. */
const promptRejoins = 2
const pauseAfterMs = 2000
const minuteMs = 60_000

export function fenceOrphan(turn: Turn): void {
  startFence(turn, { reason: 'keepalived died and left its VIP in the kernel', first: 'kill' })
}

/** @param why.only `bar`: the VIP is moved on purpose; keepalived is stopped only where the bar fails. */
export function startFence(turn: Turn, why: { reason: string; first: 'bar' | 'kill'; only?: 'bar' }): void {
  const { guard, atMs } = turn
  const { reason, first } = why
  if (guard.policy.mode === 'observe') {
    set(turn, { phase: { name: 'overruled', sinceMs: atMs, reason }, candidacy: null })
    return tell(
      turn,
      'would-fence',
      'warning',
      `Observe mode: this node would give the VIP up now: ${reason}.`,
    )
  }
  const number = guard.memory.number + 1
  const gentle = why.only === 'bar'
  const ladder = startLadder(first, atMs, ladderPolicy(guard, gentle))
  const recentAtMs = recentFences(guard.memory.recentAtMs, atMs)
  set(turn, {
    phase: { name: 'fencing', reason, ladder, gentle },
    candidacy: null,
    // A VIP that was moved on purpose is no reason to hold this node down the next time.
    memory: { ...guard.memory, number, recentAtMs: gentle ? recentAtMs : [...recentAtMs, atMs] },
    lastFence: { number, reason: reason.slice(0, 500), result: 'running', rung: first, tookMs: 0 },
  })
  setBar(turn, true)
  if (first === 'kill') turn.effects.push({ type: 'fence', rung: 'kill' })
  writePermit(turn)
  tell(turn, 'fencing', 'warning', `This node gives the VIP up: ${reason}.`)
  turn.effects.push({ type: 'remember', memory: turn.guard.memory }, { type: 'beat' })
}

function ladderPolicy(guard: Guard, gentle: boolean): LadderPolicy {
  const { fence, hasLastResort } = guard.policy
  const { releaseMs } = guard.timing
  // In a drill no rival waits: a bar that is late is told apart from one that does nothing. The votes outlast it.
  const patienceMs = guard.drill === null ? releaseMs : drillPatience * releaseMs
  return { fence: gentle ? 'fault' : fence, hasLastResort, releaseMs: patienceMs }
}

export function stepFencing(turn: Turn, phase: Phase & { name: 'fencing' }): void {
  const { guard, atMs, commandFailed } = turn
  turn.commandFailed = false
  const next = climb(phase.ladder, guard.seen, {
    atMs,
    policy: ladderPolicy(guard, phase.gentle),
    commandFailed,
  })
  const { ladder } = next
  const tookMs = Math.round(atMs - ladder.startedAtMs)
  set(turn, { phase: { ...phase, ladder } })
  switch (next.type) {
    case 'wait':
      return
    case 'proved':
      noteFence(turn, { result: 'proved', rung: ladder.rung, tookMs })
      noteFenceInDrill(turn, { ladder, proved: true })
      giveBackOwnVote(turn)
      turn.effects.push({ type: 'beat' })
      tell(
        turn,
        'fenced',
        'warning',
        `The VIP is gone after ${tookMs} ms (rung "${ladder.rung}"), proved by the kernel's address list; keepalived is ${guard.seen.process === 'absent' ? 'gone' : guard.seen.keepalived}. Reason: ${phase.reason}.`,
      )
      return stepFencing(turn, { ...phase, ladder })
    case 'climb':
      if (guard.seen.process !== 'absent') rememberStopped(turn, true)
      if (ladder.provedAtMs === null) noteFenceInDrill(turn, { ladder: phase.ladder, proved: false })
      if (atMs >= phase.ladder.deadlineMs)
        tell(
          turn,
          'fence-climbs',
          'warning',
          `Fence rung "${phase.ladder.rung}" did not do its work in ${tookMs} ms (VIP ${guard.seen.vips}, keepalived ${guard.seen.process}); "${next.to}" follows.`,
        )
      turn.effects.push({ type: 'fence', rung: next.to })
      return
    case 'failed':
      noteFence(turn, { result: 'failed', rung: ladder.rung, tookMs })
      turn.effects.push({ type: 'beat' })
      tell(
        turn,
        'fence-failed',
        'critical',
        `The VIP is STILL here ${tookMs} ms after the order to give it up (${guard.profile.vips.join(', ')}; keepalived ${guard.seen.keepalived}, process ${guard.seen.process}). Take it off by hand or power this host off. Reason: ${phase.reason}.`,
      )
      return stepFencing(turn, { ...phase, ladder })
    case 'done':
      return ladder.provedBy === 'kill' && !guard.memory.stopped
        ? release(turn)
        : enterFenced(turn, phase.reason, {
            startFailed: false,
            drill: guard.drill !== null || guard.memory.drilling === true,
          })
    default:
      return assertNever(next)
  }
}

function noteFence(
  turn: Turn,
  outcome: Pick<NonNullable<Report['fence']>, 'result' | 'rung' | 'tookMs'>,
): void {
  const { lastFence } = turn.guard
  if (lastFence !== null) set(turn, { lastFence: { ...lastFence, ...outcome } })
}

export function bookRungEnded(turn: Turn, event: GuardEvent & { type: 'rung-ended' }): void {
  const { phase } = turn.guard
  if (event.error === null || phase.name !== 'fencing') return
  turn.commandFailed = event.rung === phase.ladder.rung
  tell(turn, 'fence-rung-failed', 'warning', `Fence rung "${event.rung}" failed: ${event.error}`)
}

function enterFenced(
  turn: Turn,
  reason: string,
  { startFailed, drill }: { startFailed: boolean; drill: boolean },
): void {
  const { guard, atMs } = turn
  set(turn, {
    phase: {
      name: 'fenced',
      sinceMs: atMs,
      reason,
      holdUntilMs: atMs + holdDownMs(guard.memory.recentAtMs, atMs),
      sawAbsent: guard.seen.process === 'absent',
      startFailed,
      drill,
    },
  })
  writePermit(turn)
}

function recentFences(atMs: readonly number[], nowMs: number): readonly number[] {
  return atMs.filter((fencedAtMs) => fencedAtMs <= nowMs && nowMs - fencedAtMs < fenceHistoryMs)
}

export function holdDownMs(fencedAtMs: readonly number[], nowMs: number): number {
  const fences = Math.max(1, recentFences(fencedAtMs, nowMs).length)
  return Math.min(holdDownFirstMs * 2 ** (fences - 1), holdDownMostMs)
}

export function stepFenced(turn: Turn, phase: Phase & { name: 'fenced' }): void {
  const { guard, atMs } = turn
  const { policy, seen, memory } = guard
  if (isOrphaned(guard)) return fenceOrphan(turn)
  const sawAbsent = phase.sawAbsent || seen.process === 'absent'
  if (holdsVip(guard)) {
    // Else the stop of an earlier agent may still be on its way; after this command it is not.
    if (sawAbsent || (policy.rejoin === 'manual' && !phase.drill)) rememberStopped(turn, false)
    else if (memory.stopped) turn.effects.push({ type: 'start-keepalived' })
    return toClaimant(turn)
  }
  set(turn, { phase: { ...phase, sawAbsent } })

  const startedByOperator = phase.sawAbsent && seen.process === 'running'
  const startedSince = sawAbsent && seen.process !== 'absent'
  // Holding down keeps the holder from being disturbed; where nobody holds, it would only keep the VIP dark.
  const mustHold = phase.startFailed || peerHolds(guard, atMs)
  const holdUntilMs = mustHold ? phase.holdUntilMs : phase.sinceMs + pauseMs(memory, atMs)
  const due = policy.rejoin === 'auto' || phase.drill ? atMs >= holdUntilMs : startedByOperator
  const couldWin =
    policy.alone === 'keep' || keptVoter(guard) !== null || (heardSomebody(guard) && !alone(guard, atMs))
  if (!due || !couldWin) return

  // As a standby it may be barred for another reason at once: then the bar is not lifted in between.
  if (guard.timing.gate === 'open' && barCause(guard, atMs) === null) setBar(turn, false)
  if (startedSince || !memory.stopped) {
    rememberStopped(turn, false)
    tell(turn, 'rejoined', 'info', `keepalived may take part again (it was fenced: ${phase.reason}).`)
    return toStandby(turn)
  }
  // Also where keepalived runs: an earlier agent that was killed may have told the service manager to stop it, which goes
  // on without that agent. The start waits for such a stop, and does nothing where there was none.
  set(turn, {
    phase: {
      name: 'rejoining',
      sinceMs: atMs,
      deadlineMs: atMs + startPatienceMs,
      reason: phase.reason,
      sawAbsent,
    },
  })
  writePermit(turn)
  turn.effects.push({ type: 'start-keepalived' })
  tell(turn, 'rejoining', 'info', `Starting keepalived again (it was fenced: ${phase.reason}).`)
}

/** Two nodes that cannot win must not take turns many times a second. */
function pauseMs({ recentAtMs }: FenceMemory, atMs: number): number {
  const lately = recentAtMs.filter((fencedAtMs) => fencedAtMs <= atMs && atMs - fencedAtMs < minuteMs).length
  return lately > promptRejoins ? pauseAfterMs : 0
}

/** MASTER, by the bar's failure or before it stood by: it has to win the votes like any other. */
function toClaimant(turn: Turn): void {
  set(turn, { phase: { name: 'standby', sinceMs: turn.atMs } })
}

export function stepRejoining(turn: Turn, phase: Phase & { name: 'rejoining' }): void {
  const { guard, atMs } = turn
  const { seen, memory } = guard
  const sawAbsent = phase.sawAbsent || seen.process === 'absent'
  set(turn, { phase: { ...phase, sawAbsent } })
  if (holdsVip(guard)) {
    if (sawAbsent && seen.process !== 'absent') rememberStopped(turn, false)
    return toClaimant(turn)
  }
  const isUp = seen.process === 'running' && seen.keepalived !== 'UNKNOWN' && seen.keepalived !== 'STOP'
  const ranAllAlong = !sawAbsent && !memory.stopped
  if (sawAbsent ? isUp : ranAllAlong) {
    rememberStopped(turn, false)
    return toStandby(turn)
  }
  if (atMs >= phase.deadlineMs)
    returnToFenced(
      turn,
      `keepalived was not up ${Math.round(atMs - phase.sinceMs)} ms after its start command`,
    )
}

export function bookStartEnded(turn: Turn, error: string | null): void {
  const { name } = turn.guard.phase
  // Another fence has begun since: what it stops is owed a start of its own.
  if (name === 'fencing' || name === 'fenced') return
  if (error === null) return rememberStopped(turn, false)
  if (name !== 'rejoining') return
  returnToFenced(turn, `keepalived could not be started: ${error}`)
}

/** The agent stopped keepalived, or an earlier one may have: it is not the admin's wish that it is gone. */
export function owesStart({ seen, memory, drill }: Guard): boolean {
  return memory.stopped && seen.process === 'absent' && drill === null
}

/** A stop that was on its way when its agent died, or when keepalived became MASTER all the same, took effect later. */
export function payLater(turn: Turn): void {
  enterFenced(turn, 'a stop command of an earlier fence ended keepalived', {
    startFailed: false,
    drill: turn.guard.memory.drilling === true,
  })
}

/** keepalived would not start after a drill. */
export function toFencedAfterDrill(turn: Turn, problem: string): void {
  returnToFenced(turn, problem)
}

/** keepalived would not start: tried again later, each time after a longer wait. */
function returnToFenced(turn: Turn, problem: string): void {
  const { memory } = turn.guard
  set(turn, { memory: { ...memory, stopped: true, recentAtMs: [...memory.recentAtMs, turn.atMs] } })
  turn.effects.push({ type: 'remember', memory: turn.guard.memory })
  tell(turn, 'rejoin-failed', 'critical', `${problem}. Tried again later; look at keepalived's own log.`)
  enterFenced(turn, problem, { startFailed: true, drill: memory.drilling === true })
}

function rememberStopped(turn: Turn, stopped: boolean): void {
  const { memory } = turn.guard
  if (memory.stopped === stopped) return
  const { number, recentAtMs } = memory
  // What is over when keepalived runs again is the drill as well.
  set(turn, { memory: { ...(stopped ? memory : { number, recentAtMs }), stopped } })
  turn.effects.push({ type: 'remember', memory: turn.guard.memory })
}
