/**
 * A node's decisions for one vrrp_instance: state and event in, state and ordered effects out. Pure.
 *
 * The rule it keeps: keepalived may be MASTER here only while this node has the lease. `decide` books what an event
 * says and then `settle`s: from the facts of the moment alone it moves from phase to phase until nothing changes.
 */
import { assertNever } from '../shared/assert-never.ts'
import { type Order, witness } from '../shared/protocol.ts'
import { expireVote, keepOverJump, learnEpoch, recoverVoter } from '../shared/vote.ts'
import { alone, hasLostGateway, peerHolds } from './bar-evidence.ts'
import {
  askOwnVote,
  enterClaim,
  leaseInUseUntilMs,
  mayTurn,
  raiseEpoch,
  stepClaiming,
  claimDeadlineMs,
} from './guard-claim.ts'
import {
  bookDrillCommandEnded,
  bookDrillOrder,
  bookDrillRemembered,
  concludeHolderDrill,
  giveUpWaitingDrill,
  interruptDrill,
  stepDrilling,
} from './guard-drill.ts'
import {
  bookRungEnded,
  bookStartEnded,
  holdDownMs,
  startFence,
  stepFenced,
  stepFencing,
  stepRejoining,
} from './guard-fencing.ts'
import { stepHolding, stepUnprotected } from './guard-holding.ts'
import { enterGated, gateDeadlineMs, stepApplying, stepEntitled, stepGated } from './guard-gate.ts'
import {
  bookCountedVote,
  bookLeave,
  bookPeerWithout,
  bookReturnedVote,
  bookStay,
  bookVoteKept,
  confirmKept,
  endDoubtInTime,
  recoverKept,
  stayWhereKeepalivedRuns,
  voidKept,
} from './guard-standing.ts'
import { bookAdverts, stepNotMaster } from './guard-standby.ts'
import {
  type Guard,
  type GuardEvent,
  type Guarding,
  type GuardOptions,
  holdsVip,
  type Phase,
  reportsAsk,
  type WitnessWord,
} from './guard-state.ts'
import {
  leaseEndsAtMs,
  peerName,
  pushVoteEffects,
  release,
  set,
  tell,
  type Turn,
  writePermit,
} from './guard-turn.ts'
import { bookPeerReport, bookRecorded, bookRecordFailed } from './guard-voting.ts'
import { withGrant, withPending, withRefusal } from './lease.ts'

export type * from './guard-state.ts'
export type { Rung } from './fence-ladder.ts'
export { reportOf } from './guard-report.ts'
export { leaveHindrance, leaveProgress } from './guard-standing.ts'

/** The guard of an agent that starts at `atMs`. */
export function createGuard(options: GuardOptions): Guard {
  const { node, peer, profile, timing, policy, recovered, memory, atMs } = options
  const drilling = memory.drilling === true
  const phase: Phase = memory.stopped
    ? {
        name: 'fenced',
        sinceMs: atMs,
        reason: drilling ? 'this agent ended in a drill' : 'fenced before this agent started',
        holdUntilMs: drilling ? atMs : atMs + holdDownMs(memory.recentAtMs, atMs),
        sawAbsent: false,
        startFailed: false,
        drill: drilling,
      }
    : { name: 'standby', sinceMs: atMs }
  return {
    node,
    peer,
    profile,
    timing,
    policy,
    phase,
    seen: { keepalived: 'UNKNOWN', process: 'absent', vips: 'gone' },
    observed: false,
    voter: recoverVoter(recovered, { atMs, reserveMs: timing.reserveMs }),
    candidacy: null,
    listeningSinceMs: atMs,
    witnessHeardAtMs: null,
    witnessWord: null,
    witnessEpoch: 0,
    peerHeardAtMs: null,
    peerReport: null,
    peerBeatPending: null,
    memory,
    lastFence: null,
    drill: null,
    barOn: null,
    failedProbations: 0,
    checkSeenAtMs: null,
    gateway: 'unknown',
    ballotFails: false,
    recordTookMs: null,
    kept: options.standing === undefined ? { phase: 'none' } : recoverKept(options.standing, atMs),
    leave: 'none',
    inDoubt: options.standing?.inDoubt ?? false,
  }
}

/** One event of the guard's life. */
export function decide(guard: Guard, event: GuardEvent): Guarding {
  const turn: Turn = {
    guard,
    effects: [],
    atMs: event.atMs,
    firstSight: false,
    enteredBackup: false,
    commandFailed: false,
  }
  // Before time passes: what a jump of the clock made look expired may still be in use.
  if (event.type === 'resumed') keepPromise(turn, event)
  set(turn, { voter: expireVote(turn.guard.voter, event.atMs) })
  endDoubtInTime(turn)
  confirmKept(turn)
  book(turn, event)
  stayWhereKeepalivedRuns(turn)
  giveUpWaitingDrill(turn)
  settle(turn)
  concludeHolderDrill(turn)
  return { guard: turn.guard, effects: turn.effects }
}

/** When the guard wants a `tick` at the latest; null: no wish. */
export function nextDeadlineMs(guard: Guard): number | null {
  const { phase } = guard
  switch (phase.name) {
    case 'standby':
    case 'unprotected':
    case 'overruled':
      return null
    case 'gated':
    case 'applying':
    case 'entitled':
      return gateDeadlineMs(guard, phase)
    case 'probation':
      return phase.counting ? null : phase.untilMs
    case 'barred':
      return phase.cause.kind === 'no-adverts' ? phase.cause.retryAtMs : null
    case 'claiming':
      return Math.min(claimDeadlineMs(guard, phase), mayTurn(guard, phase) ? phase.retryAtMs : Infinity)
    case 'holding':
      return leaseEndsAtMs(guard)
    case 'fencing':
      return phase.ladder.deadlineMs
    case 'fenced':
      return phase.holdUntilMs
    case 'rejoining':
      return phase.deadlineMs
    case 'drilling':
      return phase.returning === null ? phase.ladder.deadlineMs : phase.returning.deadlineMs
    default:
      return assertNever(phase)
  }
}

function book(turn: Turn, event: GuardEvent): void {
  const { guard } = turn
  switch (event.type) {
    case 'observed':
      return bookObservation(turn, event)
    case 'rival-advert':
      if (guard.phase.name === 'holding') turn.effects.push({ type: 'announce' })
      return
    case 'profile':
      return set(turn, { profile: event.profile })
    case 'plan':
      return bookPlan(turn, event)
    case 'answer':
      return bookAnswer(turn, event)
    case 'peer-report':
      return bookPeerReport(turn, event)
    case 'order':
      return bookOrder(turn, event.order)
    case 'renew':
      return renew(turn)
    case 'tick':
      return
    case 'resumed':
      return bookGap(turn, event)
    case 'recorded':
      return bookRecorded(turn, event)
    case 'record-failed':
      return bookRecordFailed(turn, event)
    case 'rung-ended':
      bookDrillCommandEnded(turn, event)
      return bookRungEnded(turn, event)
    case 'remembered':
      return bookDrillRemembered(turn, event.error)
    case 'start-ended':
      if (guard.phase.name === 'drilling') return bookDrillCommandEnded(turn, event)
      return bookStartEnded(turn, event.error)
    case 'adverts':
      return bookAdverts(turn, event.received)
    case 'gateway':
      return set(turn, { gateway: event.gateway })
    case 'check-seen':
      return set(turn, { checkSeenAtMs: event.atMs })
    case 'leave':
      return bookLeave(turn)
    case 'stay':
      return bookStay(turn)
    case 'vote-kept':
      return bookVoteKept(turn, event)
    case 'peer-without':
      return bookPeerWithout(turn)
    default:
      return assertNever(event)
  }
}

function bookObservation(turn: Turn, event: GuardEvent & { type: 'observed' }): void {
  const { keepalived, process, vips } = event
  const { seen, observed } = turn.guard
  turn.firstSight = !observed
  turn.enteredBackup = keepalived === 'BACKUP' && seen.keepalived !== 'BACKUP'
  set(turn, { seen: { keepalived, process, vips }, observed: true })
}

/** Votes are worth what was asked for: under another timing all are asked for again. */
function bookPlan(turn: Turn, event: GuardEvent & { type: 'plan' }): void {
  const { peer, timing } = event
  const retimed = timing.leaseMs !== turn.guard.timing.leaseMs
  const carriedUntilMs = leaseInUseUntilMs(turn.guard)
  set(turn, { peer, timing })
  if (retimed) raiseEpoch(turn, carriedUntilMs)
}

function bookAnswer(turn: Turn, event: GuardEvent & { type: 'answer' }): void {
  const { from, sentAtMs, verdict, atMs } = event
  set(turn, { voter: learnEpoch(turn.guard.voter, verdict.epoch) })
  if (from === witness) {
    const { holder, renewedAgoMs } = verdict
    // The answer left after the beat did, so the renewal is at least this recent.
    const witnessWord = { holder, renewedAtMs: sentAtMs - (renewedAgoMs ?? Infinity) }
    set(turn, { witnessHeardAtMs: atMs, witnessWord })
    bookWitnessWord(turn, witnessWord)
  } else {
    set(turn, { peerHeardAtMs: atMs })
    bookReturnedVote(turn, from, verdict.returnsVote)
    bookCountedVote(turn, from, verdict.countsVote)
  }

  const { candidacy } = turn.guard
  const { vote } = verdict
  if (candidacy === null) return
  switch (vote.kind) {
    case 'none':
      return
    case 'pending':
      if (vote.epoch === candidacy.epoch) set(turn, { candidacy: withPending(candidacy, from) })
      return
    case 'granted':
      if (vote.epoch !== candidacy.epoch) return
      set(turn, { candidacy: withGrant(candidacy, from, sentAtMs) })
      if (from === witness) set(turn, { witnessEpoch: vote.epoch })
      return
    case 'refused':
      if (vote.reason === 'stale-epoch' && verdict.epoch >= candidacy.epoch) return raiseEpoch(turn)
      return set(turn, { candidacy: withRefusal(candidacy, from, { ...vote, sentAtMs }) })
    default:
      return assertNever(vote)
  }
}

/** A peer that renews at the witness has its own vote: it left none here, whatever an old disk says. */
function bookWitnessWord(turn: Turn, { holder, renewedAtMs }: WitnessWord): void {
  const { kept, peer } = turn.guard
  if (kept.phase === 'none' || kept.phase === 'void') return
  if (holder === peer && renewedAtMs > kept.sinceMs)
    voidKept(turn, `the witness hears ${peerName(turn.guard)} renew its lease`)
}

/**
 * The witness says that another node has the lease. Obeyed where this node has none of its own. A holder does not take
 * its word for it: under an older epoch than the order's it asks all voters at once, and their refusals decide.
 */
function bookOrder(turn: Turn, order: Order): void {
  const { phase, candidacy } = turn.guard
  switch (order.what) {
    case 'announce':
      if (phase.name === 'holding') turn.effects.push({ type: 'announce' })
      return
    case 'fence':
      if (phase.name === 'claiming' || phase.name === 'unprotected')
        startFence(turn, { reason: `the witness orders it: ${order.reason}`, first: 'bar' })
      else if (phase.name === 'holding' && candidacy !== null && candidacy.epoch < order.epoch) {
        askOwnVote(turn)
        turn.effects.push({ type: 'beat' })
      }
      return
    case 'yield':
      if (phase.name === 'holding' && candidacy?.epoch === order.epoch && hasLostGateway(turn.guard))
        startFence(turn, { reason: `the witness moves the VIP: ${order.reason}`, first: 'bar', only: 'bar' })
      return
    case 'drill':
      return bookDrillOrder(turn, order, 'standby')
    case 'drill-holder':
      return bookDrillOrder(turn, order, 'holder')
    default:
      return assertNever(order.what)
  }
}

function keepPromise(turn: Turn, { atMs, jumpedMs }: GuardEvent & { type: 'resumed' }): void {
  const { voter, timing } = turn.guard
  const kept = keepOverJump(voter, { atMs, jumpedMs, reserveMs: timing.reserveMs })
  set(turn, { voter: kept.voter })
  pushVoteEffects(turn, kept.effects)
}

/** The agent stood still: what it heard before is old, and so is its lease until somebody confirms it. */
function bookGap(turn: Turn, { gapMs, jumpedMs }: GuardEvent & { type: 'resumed' }): void {
  set(turn, { listeningSinceMs: turn.atMs })
  const what =
    jumpedMs > 0
      ? `The boot clock jumped ${Math.round(jumpedMs)} ms ahead, or this host slept`
      : `This agent did not run for ${Math.round(gapMs)} ms`
  tell(turn, 'paused', 'warning', `${what}; nothing from before counts until it is confirmed.`)
  const { phase } = turn.guard
  if (phase.name === 'holding' || phase.name === 'claiming') enterClaim(turn, 'adopt')
  if (phase.name === 'applying' || phase.name === 'entitled') enterGated(turn)
  interruptDrill(turn, what)
}

/** Before each heartbeat: the own vote is renewed like any other, and the check's permit is extended. */
function renew(turn: Turn): void {
  const { phase } = turn.guard
  if (reportsAsk(phase)) askOwnVote(turn)
  const mayWin = !peerHolds(turn.guard, turn.atMs) && !alone(turn.guard, turn.atMs)
  if (phase.name === 'overruled' && mayWin) enterClaim(turn, 'adopt')
  writePermit(turn)
}

/** More moves than this within one turn would be a loop of this code. */
const mostMoves = 12

function settle(turn: Turn): void {
  for (let move = 0; move < mostMoves; move++) {
    const { phase } = turn.guard
    step(turn)
    if (turn.guard.phase.name === phase.name) return
  }
  throw new Error(
    `the guard of ${turn.guard.profile.instance} does not settle: ${JSON.stringify(turn.guard.phase)}`,
  )
}

function step(turn: Turn): void {
  const { phase, observed } = turn.guard
  if (!observed) return
  switch (phase.name) {
    case 'standby':
    case 'probation':
    case 'barred':
      return stepNotMaster(turn)
    case 'gated':
      return stepGated(turn, phase)
    case 'applying':
      return stepApplying(turn, phase)
    case 'entitled':
      return stepEntitled(turn, phase)
    case 'claiming':
      return stepClaiming(turn, phase)
    case 'holding':
      return stepHolding(turn)
    case 'unprotected':
      return stepUnprotected(turn)
    case 'overruled':
      return holdsVip(turn.guard) ? undefined : release(turn)
    case 'fencing':
      return stepFencing(turn, phase)
    case 'fenced':
      return stepFenced(turn, phase)
    case 'rejoining':
      return stepRejoining(turn, phase)
    case 'drilling':
      return stepDrilling(turn, phase)
    default:
      return assertNever(phase)
  }
}
