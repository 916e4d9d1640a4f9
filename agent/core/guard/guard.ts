/**
 * The face of the guard, which decides for one vrrp_instance on one node: state and event in, state and ordered
 * effects out. Pure.
 *
 * The rule it keeps: keepalived may be MASTER here only while this node has the lease. `decide` first books what an
 * event reports. Then `settle` moves from phase to phase, looking only at the facts of this moment, until nothing
 * changes.
 */
import { type Guard, type GuardOptions, holdsVip } from './state.ts'
import { type Phase, reportsAsk } from './phase.ts'
import { holdDownMs } from './fence-history.ts'
import { recoverVoter } from '../../../shared/core/vote/recovery.ts'
import { bookLeave, bookStay, stayWhereKeepalivedRuns } from './events/leaving.ts'
import {
  bookPeerWithout,
  bookVoteKept,
  confirmKept,
  endDoubtInTime,
  recoverKept,
  voidKeptOfRemoved,
} from './events/standing.ts'
import { tellWitnessSilence, weighLending } from './events/lending.ts'
import type { GuardEvent } from './event.ts'
import type { Guarding } from './effect.ts'
import { type Turn, set } from './turn.ts'
import { expireVote } from '../../../shared/core/vote/voter.ts'
import { bookDrillRemembered, giveUpWaitingDrill } from './events/drill-order.ts'
import { bookDrillCommandEnded, concludeHolderDrill, stepDrilling } from './phases/drilling.ts'
import { bookAnswer } from './events/answers.ts'
import { bookPeerReport, bookRecordFailed, bookRecorded } from './events/voting.ts'
import { bookOrder } from './events/orders.ts'
import { bookGap, keepPromise } from './standstill.ts'
import { bookLettingGo, bookObservation, bookPriority } from './events/keepalived-news.ts'
import { bookRungEnded, stepFencing } from './phases/fencing.ts'
import { bookDiskTried, tryDisk } from './events/disk-trial.ts'
import { bookStartEnded, stepFenced, stepRejoining } from './phases/rejoining.ts'
import { bookAdverts, stepNotMaster } from './phases/standby.ts'
import { assertNever } from '../../../shared/assert-never.ts'
import { askOwnVote, leaseInUseUntilMs, raiseEpoch } from './candidate.ts'
import { enterClaim, release } from './transitions.ts'
import { alone, peerHolds } from './hearing.ts'
import { armWhereSettled } from './arming.ts'
import { bookOrigin, endClearedInTime, tellForeignVip } from './foreign-vip.ts'
import { bookPeerMatch, unmatchedWith } from './matching.ts'
import { writePermit } from './permit.ts'
import { stepApplying, stepEntitled, stepGated } from './phases/gate.ts'
import { stepClaiming } from './phases/claim.ts'
import { stepHolding, stepUnprotected } from './phases/holding.ts'

export type * from './state.ts'
export type * from './effect.ts'
export type * from './event.ts'
export type * from './phase.ts'
export type { ProcessSight, Rung } from './fence-ladder.ts'
export { reportOf } from './report.ts'
export { wasArmed } from './arming.ts'
export { leaveHindrance, leaveProgress } from './events/leaving.ts'

/** The guard of an agent that starts at `atMs`. */
export function createGuard(options: GuardOptions): Guard {
  const { node, peer, profile, timing, policy, recovered, memory, atMs } = options
  const drilling = memory.drilling === true
  const phase: Phase = memory.stopped
    ? {
        name: 'fenced',
        sinceMs: atMs,
        reason: drilling ? 'the previous agent ended during a drill' : 'fenced before this agent started',
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
    seen: { keepalived: 'UNKNOWN', process: 'unknown', vips: 'gone' },
    lived: false,
    clearedAtMs: null,
    keepalivedTells: false,
    runningSinceMs: null,
    foreign: null,
    lettingGo: false,
    runningPriority: null,
    outrankedUntilMs: -Infinity,
    observed: false,
    armed: options.armed ?? true,
    unmatched: { peer: false, witness: false },
    voter: recoverVoter(recovered, { atMs, reserveMs: timing.reserveMs }),
    candidacy: null,
    listeningSinceMs: atMs,
    resumedAtMs: null,
    witnessHeardAtMs: null,
    witnessWord: null,
    witnessEpoch: 0,
    peerHeardAtMs: null,
    peerReport: null,
    peerReportedAtMs: -Infinity,
    peerRoundTripsMs: [],
    peerBeatPending: null,
    farAhead: null,
    memory,
    lastFence: null,
    drill: null,
    barOn: null,
    failedProbations: 0,
    checkSeenAtMs: null,
    gateway: 'unknown',
    ballotFails: false,
    diskTriedAtMs: -Infinity,
    witnessWritesFail: false,
    peerWritesFail: false,
    recordTookMs: null,
    recordedAtMs: null,
    kept: options.standing === undefined ? { phase: 'none' } : recoverKept(options.standing, atMs),
    leave: 'none',
    lendNotBeforeMs: -Infinity,
    silenceToldAtMs: null,
    inDoubt: options.standing?.inDoubt ?? false,
  }
}

/** Decides what one event changes. */
export function decide(guard: Guard, event: GuardEvent): Guarding {
  const turn: Turn = {
    guard,
    effects: [],
    atMs: event.atMs,
    firstSight: false,
    enteredBackup: false,
    commandFailed: false,
  }
  // This must come before expiry, because a promise that a clock jump makes look expired may still be in use.
  if (event.type === 'resumed') keepPromise(turn, event)
  set(turn, { voter: expireVote(turn.guard.voter, event.atMs) })
  endDoubtInTime(turn)
  confirmKept(turn)
  book(turn, event)
  endClearedInTime(turn)
  tellForeignVip(turn)
  tellWitnessSilence(turn)
  weighLending(turn)
  stayWhereKeepalivedRuns(turn)
  giveUpWaitingDrill(turn)
  settle(turn)
  concludeHolderDrill(turn)
  return { guard: turn.guard, effects: turn.effects }
}

function book(turn: Turn, event: GuardEvent): void {
  const { guard } = turn
  switch (event.type) {
    case 'observed':
      return bookObservation(turn, event)
    case 'origin':
      return bookOrigin(turn, event)
    case 'rival-advert':
      if (guard.phase.name === 'holding') turn.effects.push({ type: 'announce' })
      return
    case 'letting-go':
      return bookLettingGo(turn)
    case 'priority':
      return bookPriority(turn, event.priority)
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
    case 'disk-tried':
      return bookDiskTried(turn, event)
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
    case 'peer-match':
      return bookPeerMatch(turn, event.isMatched)
    default:
      return assertNever(event)
  }
}

/**
 * A vote is worth what it was asked for, so after a change of timing all votes are asked for again. A lease in use that
 * rests on a vote of the peer before lasts as long as that vote does: the witness lets nobody new in before that is over
 * (server/core/arbiter/plan-taking.ts). A vote that the peer before delegated does not count any more.
 */
function bookPlan(turn: Turn, event: GuardEvent & { type: 'plan' }): void {
  const { peer, timing } = event
  const { candidacy, peer: before } = turn.guard
  const retimed = timing.leaseMs !== turn.guard.timing.leaseMs
  const carriedUntilMs = leaseInUseUntilMs(turn.guard)
  set(turn, { peer, timing, unmatched: unmatchedWith(turn.guard, peer) })
  voidKeptOfRemoved(turn)
  if (retimed) return raiseEpoch(turn, carriedUntilMs)
  if (candidacy !== null && before !== peer)
    set(turn, {
      candidacy: { ...candidacy, carriedUntilMs: Math.max(candidacy.carriedUntilMs, carriedUntilMs) },
    })
}

/** Runs before each heartbeat: renews this node's own vote like any other, and extends the permit of the check. */
function renew(turn: Turn): void {
  const { phase } = turn.guard
  if (reportsAsk(phase)) askOwnVote(turn)
  const mayWin = !peerHolds(turn.guard, turn.atMs) && !alone(turn.guard, turn.atMs)
  if (phase.name === 'overruled' && mayWin) enterClaim(turn, 'adopt')
  writePermit(turn)
  tryDisk(turn)
  voidKeptOfRemoved(turn)
}

/** More moves than this within one turn mean that the phases loop, which is a fault of this code. */
const mostMoves = 12

function settle(turn: Turn): void {
  for (let move = 0; move < mostMoves; move++) {
    const { phase } = turn.guard
    armWhereSettled(turn)
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
