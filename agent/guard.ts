/**
 * A node's decisions for one vrrp_instance: state and event in, state and ordered effects out. Pure.
 *
 * The rule it keeps: keepalived may be MASTER here only while this node has the lease. `decide` books what an event
 * says and then `settle`s: from the facts of the moment alone it moves from phase to phase until nothing changes.
 */
import { assertNever } from '../shared/assert-never.ts'
import { compareCandidates } from '../shared/preference.ts'
import type { Report, Verdict, Vote, VoterName } from '../shared/protocol.ts'
import { witness } from '../shared/protocol.ts'
import { fenceAtMs, type Timing } from '../shared/timing.ts'
import {
  askVote,
  ballotLost,
  ballotRecorded,
  expireVote,
  learnEpoch,
  promisedTo,
  recoverVoter,
  releaseVote,
  type VoteEffect,
} from '../shared/vote.ts'
import { alone, barCause, heardSomebody, peerHolds, peerSilent, witnessSilent } from './bar-evidence.ts'
import { climb, startLadder, type LadderPolicy } from './fence-ladder.ts'
import { holdsVip } from './guard-state.ts'
import { isHopeless, leaseUntilMs, withGrant, withRefusal } from './lease.ts'
import type {
  Guard,
  GuardEffect,
  GuardEvent,
  Guarding,
  GuardOptions,
  Phase,
  TellLevel,
} from './guard-state.ts'

export type * from './guard-state.ts'
export type { Rung } from './fence-ladder.ts'
export { reportOf } from './guard-report.ts'

/** How soon a claim that may still turn asks again. */
const claimRetryMs = 10
/** keepalived must be up this long after its start command at the latest. */
const startPatienceMs = 15_000
const holdDownFirstMs = 5000
const holdDownMostMs = 300_000
const fenceHistoryMs = 3_600_000
const probationRetryFirstMs = 5000
const probationRetryMostMs = 60_000

/** The guard of an agent that starts at `atMs`. */
export function createGuard(options: GuardOptions): Guard {
  const { node, peer, profile, timing, policy, recovered, memory, atMs } = options
  const phase: Phase = memory.stopped
    ? {
        name: 'fenced',
        sinceMs: atMs,
        reason: 'fenced before this agent started',
        holdUntilMs: atMs + holdDownMs(memory.recentAtMs, atMs),
        sawAbsent: false,
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
    barOn: null,
    failedProbations: 0,
    checkSeenAtMs: null,
    gateway: 'unknown',
    recordTookMs: null,
  }
}

/** One event of the guard's life. */
export function decide(guard: Guard, event: GuardEvent): Guarding {
  const turn: Turn = {
    guard: { ...guard, voter: expireVote(guard.voter, event.atMs) },
    effects: [],
    atMs: event.atMs,
    firstSight: false,
    enteredBackup: false,
    commandFailed: false,
  }
  book(turn, event)
  settle(turn)
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
    case 'probation':
      return phase.counting ? null : phase.untilMs
    case 'barred':
      return phase.cause.kind === 'no-adverts' ? phase.cause.retryAtMs : null
    case 'claiming':
      return Math.min(phase.deadlineMs, phase.retryAtMs)
    case 'holding':
      return leaseEndsAtMs(guard)
    case 'fencing':
      return phase.ladder.deadlineMs
    case 'fenced':
      return phase.holdUntilMs
    case 'rejoining':
      return phase.deadlineMs
    default:
      return assertNever(phase)
  }
}

/** One turn of the guard: the working copy that `decide` hands back, and what only this turn knows. */
interface Turn {
  guard: Guard
  readonly effects: GuardEffect[]
  readonly atMs: number
  /** The agent sees keepalived for the first time since it started. */
  firstSight: boolean
  /** keepalived has just become BACKUP. */
  enteredBackup: boolean
  /** The command of the current rung has just ended with an error. */
  commandFailed: boolean
}

function set(turn: Turn, change: Partial<Guard>): void {
  turn.guard = { ...turn.guard, ...change }
}

function tell(turn: Turn, event: string, level: TellLevel, text: string): void {
  turn.effects.push({ type: 'tell', event, level, text })
}

/** keepalived died and left its VIP in the kernel. */
function isOrphaned(guard: Guard): boolean {
  return guard.observed && guard.seen.vips === 'held' && guard.seen.process === 'absent'
}

function votersOf(guard: Guard): readonly VoterName[] {
  return [guard.node, witness, guard.peer ?? '(no peer yet)']
}

/** The instant at which this node starts to fence itself unless its lease is renewed. */
function leaseEndsAtMs(guard: Guard): number {
  if (guard.candidacy === null) return -Infinity
  return fenceAtMs(leaseUntilMs(guard.candidacy, votersOf(guard), guard.timing.leaseMs), guard.timing)
}

function peerName(guard: Guard): string {
  return guard.peer ?? 'the peer'
}

// ---------------------------------------------------------------------------------------------------------------------
// Booking: what an event says becomes fact.

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
      return set(turn, { peer: event.peer, timing: event.timing })
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
      return bookGap(turn, event.gapMs)
    case 'recorded':
      return bookRecorded(turn, event)
    case 'record-failed':
      return bookRecordFailed(turn, event)
    case 'rung-ended':
      return bookRungEnded(turn, event)
    case 'start-ended':
      return bookStartEnded(turn, event.error)
    case 'adverts':
      return bookAdverts(turn, event.received)
    case 'gateway':
      return set(turn, { gateway: event.gateway })
    case 'check-seen':
      return set(turn, { checkSeenAtMs: event.atMs })
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

function bookAnswer(turn: Turn, event: GuardEvent & { type: 'answer' }): void {
  const { from, sentAtMs, verdict, atMs } = event
  if (from === witness) {
    const { holder, renewedAgoMs } = verdict
    set(turn, {
      witnessHeardAtMs: atMs,
      // The answer left after the beat did, so the renewal is at least this recent.
      witnessWord: { holder, renewedAtMs: sentAtMs - (renewedAgoMs ?? Infinity), asOfMs: sentAtMs },
    })
  } else set(turn, { peerHeardAtMs: atMs })
  set(turn, { voter: learnEpoch(turn.guard.voter, verdict.epoch) })

  const { candidacy } = turn.guard
  const { vote } = verdict
  if (candidacy === null) return
  switch (vote.kind) {
    case 'none':
    case 'pending':
      return
    case 'granted':
      if (vote.epoch !== candidacy.epoch) return
      set(turn, { candidacy: withGrant(candidacy, from, sentAtMs) })
      if (from === witness) set(turn, { witnessEpoch: vote.epoch })
      return
    case 'refused':
      if (vote.reason === 'stale-epoch' && verdict.epoch >= candidacy.epoch) return raiseEpoch(turn)
      return set(turn, { candidacy: withRefusal(candidacy, from, vote) })
    default:
      return assertNever(vote)
  }
}

/** A voter knows of a higher epoch: ask all again under a new one. A lease in use stays good as long as it was. */
function raiseEpoch(turn: Turn): void {
  const { candidacy, voter, phase, timing } = turn.guard
  if (candidacy === null) return
  const inUse = phase.name === 'holding'
  set(turn, {
    candidacy: {
      epoch: voter.epoch + 1,
      grantedSentAtMs: {},
      refusals: {},
      ownAskedAtMs: turn.atMs,
      carriedUntilMs: inUse ? leaseUntilMs(candidacy, votersOf(turn.guard), timing.leaseMs) : -Infinity,
    },
  })
  askOwnVote(turn)
  turn.effects.push({ type: 'beat' })
}

function bookPeerReport(turn: Turn, event: GuardEvent & { type: 'peer-report' }): void {
  const { report, beat, leaseMs, atMs } = event
  const before = turn.guard.peerReport
  const peer = turn.guard.peer
  if (peer === null) return
  set(turn, {
    peerHeardAtMs: atMs,
    peerReport: report,
    voter: learnEpoch(turn.guard.voter, report.epoch),
  })

  if (report.release) {
    const { voter, effects } = releaseVote(turn.guard.voter, peer)
    set(turn, { voter })
    turn.effects.push(...effects)
  }

  const rivalled = before !== null && showsVip(before)
  if (turn.guard.phase.name === 'holding') {
    if (rivalled && !showsVip(report)) {
      turn.effects.push({ type: 'announce' })
      tell(turn, 'rival-gone', 'info', `${peer} gave the VIP up; this node announces it again.`)
    } else if (report.ask !== null && before?.ask == null) {
      turn.effects.push({ type: 'announce' })
      tell(
        turn,
        'rival',
        'warning',
        `${peer} became MASTER too (${report.why}); this node has the lease and keeps the VIP.`,
      )
    }
  }

  const vote: Vote =
    report.ask === null ? { kind: 'none' } : voteForPeer(turn, { peer, epoch: report.ask.epoch, leaseMs })
  if (vote.kind === 'pending') set(turn, { peerBeatPending: beat })
  turn.effects.push({ type: 'answer-peer', beat, verdict: verdictOf(turn, vote) })
}

function showsVip(report: Report): boolean {
  return report.vips === 'held' || report.keepalived === 'MASTER'
}

function voteForPeer(turn: Turn, ask: { peer: string; epoch: number; leaseMs: number }): Vote {
  const { guard, atMs } = turn
  const own = promisedTo(guard.voter, atMs)
  if (guard.phase.name === 'claiming' && own?.node !== ask.peer) return settleContest(turn, ask.peer)
  const { voter, effects, decision } = askVote(guard.voter, { ...ask, from: ask.peer, atMs }, guard.timing)
  set(turn, { voter })
  pushVoteEffects(turn, effects)
  return decision
}

/** Both nodes are MASTER without a lease: the less preferred one gives way, and votes once its VIP is gone. */
function settleContest(turn: Turn, peer: string): Vote {
  const { node, profile, gateway, peerReport } = turn.guard
  const rank = compareCandidates(
    { node, priority: profile.priority, gateway },
    { node: peer, priority: peerReport?.priority ?? 0, gateway: peerReport?.gateway ?? 'unknown' },
    null,
  )
  if (rank < 0)
    return {
      kind: 'refused',
      reason: 'outranked',
      text: `${node} claims at the same moment and is preferred`,
    }
  startFence(turn, { reason: `${peer} claims at the same moment and is preferred`, first: 'bar' })
  return { kind: 'refused', reason: 'recording', text: `${node} is giving way` }
}

function verdictOf(turn: Turn, vote: Vote): Verdict {
  const { voter, profile } = turn.guard
  const promise = promisedTo(voter, turn.atMs)
  return {
    instance: profile.instance,
    vote,
    holder: promise?.node ?? null,
    renewedAgoMs: promise === null ? null : Math.max(0, turn.atMs - promise.renewedAtMs),
    epoch: voter.epoch,
  }
}

function pushVoteEffects(turn: Turn, effects: readonly VoteEffect[]): void {
  turn.effects.push(...effects)
}

function bookRecorded(turn: Turn, event: GuardEvent & { type: 'recorded' }): void {
  const { guard, atMs } = turn
  set(turn, { recordTookMs: event.tookMs })
  const result = ballotRecorded(guard.voter, event.ballot, { atMs, timing: guard.timing })
  if (result === null) return
  set(turn, { voter: result.voter })
  pushVoteEffects(turn, result.effects)
  if (event.ballot.to !== guard.node)
    return answerPendingPeer(turn, { kind: 'granted', epoch: event.ballot.epoch })
  const { candidacy } = guard
  if (candidacy?.epoch === event.ballot.epoch)
    return set(turn, { candidacy: withGrant(candidacy, guard.node, candidacy.ownAskedAtMs) })
  // The claim was given up while the disk was busy.
  if (candidacy === null) giveBackOwnVote(turn)
}

function bookRecordFailed(turn: Turn, event: GuardEvent & { type: 'record-failed' }): void {
  const { guard } = turn
  const text = `a promise to ${event.ballot.to} cannot be written to disk: ${event.error}`
  set(turn, { voter: ballotLost(guard.voter, event.ballot) })
  tell(
    turn,
    'promise-not-written',
    'critical',
    `${text}. This node cannot vote for a new holder until that is mended.`,
  )
  if (event.ballot.to !== guard.node)
    return answerPendingPeer(turn, { kind: 'refused', reason: 'ledger', text })
  if (guard.candidacy?.epoch === event.ballot.epoch)
    set(turn, { candidacy: withRefusal(guard.candidacy, guard.node, { reason: 'ledger', text }) })
}

function answerPendingPeer(turn: Turn, vote: Vote): void {
  const { peerBeatPending } = turn.guard
  if (peerBeatPending === null) return
  set(turn, { peerBeatPending: null })
  turn.effects.push({ type: 'answer-peer', beat: peerBeatPending, verdict: verdictOf(turn, vote) })
}

/** The witness says that another node has the lease: obeyed wherever this node has none of its own. */
function bookOrder(turn: Turn, order: { what: 'fence' | 'announce'; reason: string }): void {
  const { phase } = turn.guard
  switch (order.what) {
    case 'announce':
      if (phase.name === 'holding') turn.effects.push({ type: 'announce' })
      return
    case 'fence':
      if (phase.name === 'claiming' || phase.name === 'unprotected')
        startFence(turn, { reason: `the witness orders it: ${order.reason}`, first: 'bar' })
      return
    default:
      return assertNever(order.what)
  }
}

/** The agent stood still: what it heard before is old, and so is its lease until somebody confirms it. */
function bookGap(turn: Turn, gapMs: number): void {
  set(turn, { listeningSinceMs: turn.atMs })
  tell(
    turn,
    'paused',
    'warning',
    `This agent did not run for ${Math.round(gapMs)} ms; nothing from before counts until it is confirmed.`,
  )
  const { phase } = turn.guard
  if (phase.name === 'holding' || phase.name === 'claiming') enterClaim(turn, 'adopt')
}

function bookRungEnded(turn: Turn, event: GuardEvent & { type: 'rung-ended' }): void {
  const { phase } = turn.guard
  if (event.error === null || phase.name !== 'fencing') return
  turn.commandFailed = event.rung === phase.ladder.rung
  tell(turn, 'fence-rung-failed', 'warning', `Fence rung "${event.rung}" failed: ${event.error}`)
}

function bookStartEnded(turn: Turn, error: string | null): void {
  if (error === null) return rememberStopped(turn, false)
  if (turn.guard.phase.name !== 'rejoining') return
  returnToFenced(turn, `keepalived could not be started: ${error}`)
}

function bookAdverts(turn: Turn, received: number | null): void {
  const { phase, timing, profile, failedProbations } = turn.guard
  if (phase.name !== 'probation') return
  if (received === null) return toStandby(turn)
  if (phase.baseline === null) return set(turn, { phase: { ...phase, baseline: received, counting: false } })
  if (received !== phase.baseline || !peerHolds(turn.guard, turn.atMs)) {
    set(turn, { failedProbations: 0 })
    return toStandby(turn)
  }
  const retryMs = Math.min(probationRetryFirstMs * 2 ** failedProbations, probationRetryMostMs)
  set(turn, { failedProbations: failedProbations + 1 })
  enterBarred(turn, {
    kind: 'no-adverts',
    text: `${peerName(turn.guard)} holds the lease and lives, but none of its VRRP adverts arrived here in ${Math.round(turn.atMs - phase.sinceMs)} ms (advert_int ${profile.advertIntMs} ms): is protocol 112 blocked? Tried again in ${Math.round((retryMs + timing.grainMs) / 1000)} s`,
    retryAtMs: turn.atMs + retryMs,
  })
}

/** Before each heartbeat: the own vote is renewed like any other, and the check's permit is extended. */
function renew(turn: Turn): void {
  const { phase } = turn.guard
  if (phase.name === 'holding' || phase.name === 'claiming') askOwnVote(turn)
  if (phase.name === 'overruled' && !peerHolds(turn.guard, turn.atMs)) enterClaim(turn, 'adopt')
  writePermit(turn)
}

// ---------------------------------------------------------------------------------------------------------------------
// Settling: from the facts to the phase they ask for.

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
    default:
      return assertNever(phase)
  }
}

function stepNotMaster(turn: Turn): void {
  const { guard, atMs } = turn
  if (isOrphaned(guard)) return fenceOrphan(turn)
  if (holdsVip(guard)) return enterClaim(turn, turn.firstSight ? 'adopt' : 'entered')

  const cause = barCause(guard, atMs)
  if (cause !== null) return enterBarred(turn, cause)
  if (guard.phase.name === 'barred') {
    tell(
      turn,
      'bar-lifted',
      'info',
      `keepalived may become MASTER again here (it was barred: ${guard.phase.cause.text}).`,
    )
    toStandby(turn)
  }
  if (mayPermit(guard)) setBar(turn, false)
  if (turn.guard.phase.name === 'probation') return stepProbation(turn)
  if (turn.enteredBackup && peerHolds(guard, atMs)) enterProbation(turn)
}

/** At the start nothing is lifted or permitted before somebody was heard; the check asks the witness meanwhile. */
function mayPermit(guard: Guard): boolean {
  return heardSomebody(guard) || guard.policy.alone === 'keep'
}

/**
 * keepalived has just begun to listen. Whether the living holder's adverts arrive shows within two of them, well
 * before the master-down timer ends: a bar then costs no overlap at all, where a fence would cost milliseconds.
 */
function enterProbation(turn: Turn): void {
  const { advertIntMs } = turn.guard.profile
  turn.enteredBackup = false
  set(turn, {
    phase: {
      name: 'probation',
      sinceMs: turn.atMs,
      untilMs: turn.atMs + 2.2 * advertIntMs,
      baseline: null,
      counting: true,
    },
  })
  turn.effects.push({ type: 'count-adverts' })
}

function stepProbation(turn: Turn): void {
  const { phase, seen } = turn.guard
  if (phase.name !== 'probation') return
  if (seen.keepalived !== 'BACKUP' || !peerHolds(turn.guard, turn.atMs)) return toStandby(turn)
  if (phase.counting || turn.atMs < phase.untilMs) return
  set(turn, { phase: { ...phase, counting: true } })
  turn.effects.push({ type: 'count-adverts' })
}

function enterBarred(turn: Turn, cause: (Phase & { name: 'barred' })['cause']): void {
  const { phase, policy } = turn.guard
  const sinceMs = phase.name === 'barred' ? phase.sinceMs : turn.atMs
  const isNews = phase.name !== 'barred' || phase.cause.kind !== cause.kind
  set(turn, { phase: { name: 'barred', sinceMs, cause } })
  setBar(turn, true)
  if (!isNews) return
  writePermit(turn)
  const verb = policy.mode === 'observe' ? 'would be barred' : 'is barred'
  tell(turn, 'barred', 'warning', `keepalived ${verb} from becoming MASTER here: ${cause.text}.`)
}

function toStandby(turn: Turn): void {
  set(turn, { phase: { name: 'standby', sinceMs: turn.atMs } })
  writePermit(turn)
}

/** @param grounds `adopt`: the VIP is here since before this agent (re)started or stood still, so it may already be ours. */
function enterClaim(turn: Turn, grounds: 'entered' | 'adopt'): void {
  const { guard, atMs } = turn
  const { voter, timing, node, profile } = guard
  const promise = promisedTo(voter, atMs)
  const heldByPeer = promise !== null && promise.node !== node
  const handover = heldByPeer && preempts(guard)
  if (heldByPeer && !handover)
    return startFence(turn, {
      reason: `${promise.node} has the lease (epoch ${voter.epoch}, last renewed here ${Math.round(atMs - promise.renewedAtMs)} ms ago)`,
      first: 'bar',
    })

  const ownRecordIsNewest = voter.record?.to === node && voter.record.epoch === voter.epoch
  const epoch = grounds === 'adopt' && ownRecordIsNewest ? voter.epoch : voter.epoch + 1
  const waitMs = handover ? timing.handoverMs : grounds === 'adopt' ? timing.checkMs : timing.claimMs
  set(turn, {
    candidacy: { epoch, grantedSentAtMs: {}, refusals: {}, ownAskedAtMs: atMs, carriedUntilMs: -Infinity },
    phase: {
      name: 'claiming',
      sinceMs: atMs,
      deadlineMs: atMs + waitMs,
      retryAtMs: atMs + claimRetryMs,
      handover,
    },
  })
  askOwnVote(turn)
  turn.effects.push({ type: 'beat' })
  const how = grounds === 'adopt' ? 'was MASTER already when this agent looked' : 'became MASTER'
  tell(
    turn,
    'claiming',
    'info',
    `keepalived ${how} (${profile.instance}, epoch ${epoch}); asking for the votes.`,
  )
}

/** keepalived takes the VIP from a living holder on purpose: higher priority and no nopreempt. */
function preempts(guard: Guard): boolean {
  const { profile, peerReport } = guard
  return !profile.nopreempt && peerReport !== null && profile.priority > peerReport.priority
}

function askOwnVote(turn: Turn): void {
  const { guard, atMs } = turn
  if (guard.candidacy === null) return
  const { node, candidacy, timing } = guard
  const ask = { from: node, epoch: candidacy.epoch, leaseMs: timing.leaseMs, atMs }
  const { voter, effects, decision } = askVote(guard.voter, ask, timing)
  set(turn, { voter })
  pushVoteEffects(turn, effects)
  switch (decision.kind) {
    case 'granted':
      return set(turn, { candidacy: withGrant(candidacy, node, atMs) })
    case 'pending':
      // Asked again while the disk is busy: the grant counts from the first time.
      if (effects.length > 0) set(turn, { candidacy: { ...candidacy, ownAskedAtMs: atMs } })
      return
    case 'refused':
      return set(turn, { candidacy: withRefusal(candidacy, node, decision) })
    default:
      return assertNever(decision)
  }
}

function stepClaiming(turn: Turn, phase: Phase & { name: 'claiming' }): void {
  const { guard, atMs } = turn
  const { candidacy, policy } = guard
  if (isOrphaned(guard)) return fenceOrphan(turn)
  if (!holdsVip(guard) || candidacy === null) return release(turn)

  if (leaseEndsAtMs(guard) > atMs) {
    set(turn, { phase: { name: 'holding', sinceMs: atMs } })
    setBar(turn, false)
    writePermit(turn)
    const voters = Object.keys(candidacy.grantedSentAtMs).sort().join(' and ')
    return tell(
      turn,
      'lease-won',
      'info',
      `This node holds the lease (epoch ${candidacy.epoch}) by the votes of ${voters}, ${Math.round(atMs - phase.sinceMs)} ms after it asked.`,
    )
  }

  const refusals = Object.entries(candidacy.refusals).map(([voter, { text }]) => `${voter} refused: ${text}`)
  const present = (voter: VoterName): boolean =>
    voter === guard.node || (voter === witness ? !witnessSilent(guard, atMs) : !peerSilent(guard, atMs))
  if (!phase.handover && isHopeless(candidacy, votersOf(guard), present))
    return startFence(turn, {
      reason: `the claim cannot win: ${refusals.join('; ') || 'nobody is there to vote'}`,
      first: 'bar',
    })

  if (atMs >= phase.deadlineMs) {
    if (policy.alone === 'keep' && alone(guard, atMs)) return enterUnprotected(turn)
    const waitedMs = Math.round(atMs - phase.sinceMs)
    return startFence(turn, {
      reason: `no majority within ${waitedMs} ms: ${refusals.join('; ') || 'no answer'}`,
      first: 'bar',
    })
  }

  const mayTurn = phase.handover || refusals.length > 0
  if (atMs < phase.retryAtMs || !mayTurn) {
    if (!mayTurn) set(turn, { phase: { ...phase, retryAtMs: phase.deadlineMs } })
    return
  }
  set(turn, { phase: { ...phase, retryAtMs: atMs + claimRetryMs } })
  askOwnVote(turn)
  turn.effects.push({ type: 'beat' })
}

function stepHolding(turn: Turn): void {
  const { guard, atMs } = turn
  if (isOrphaned(guard)) return fenceOrphan(turn)
  if (!holdsVip(guard)) {
    tell(
      turn,
      'released',
      'info',
      `keepalived is ${guard.seen.keepalived} and the VIP is gone; the votes are given back.`,
    )
    return release(turn)
  }
  if (atMs < leaseEndsAtMs(guard)) return
  if (guard.policy.alone === 'keep' && alone(guard, atMs)) return enterUnprotected(turn)
  const silent = [
    witnessSilent(guard, atMs) && 'the witness',
    peerSilent(guard, atMs) && peerName(guard),
  ].filter(Boolean)
  const why = silent.length > 0 ? `${silent.join(' and ')} not heard` : 'votes refused'
  startFence(turn, { reason: `no majority renewed the lease in time (${why})`, first: 'bar' })
}

function enterUnprotected(turn: Turn): void {
  set(turn, { phase: { name: 'unprotected', sinceMs: turn.atMs }, candidacy: null })
  writePermit(turn)
  tell(
    turn,
    'unprotected',
    'critical',
    `Neither the witness nor ${peerName(turn.guard)} is heard. "alone: keep" keeps the VIP here as keepalived alone would: a second MASTER is possible.`,
  )
}

function stepUnprotected(turn: Turn): void {
  const { guard } = turn
  if (isOrphaned(guard)) return fenceOrphan(turn)
  if (!holdsVip(guard)) return release(turn)
  if (!alone(guard, turn.atMs)) enterClaim(turn, 'adopt')
}

/** The VIP is gone and keepalived is not MASTER: the votes go back at once, so that the peer need not wait. */
function release(turn: Turn): void {
  giveBackOwnVote(turn)
  set(turn, { candidacy: null })
  toStandby(turn)
  turn.effects.push({ type: 'beat' })
}

function giveBackOwnVote(turn: Turn): void {
  const { voter, effects } = releaseVote(turn.guard.voter, turn.guard.node)
  set(turn, { voter })
  pushVoteEffects(turn, effects)
}

// ---------------------------------------------------------------------------------------------------------------------
// Fencing and coming back.

function ladderPolicy(guard: Guard): LadderPolicy {
  const { fence, hasLastResort } = guard.policy
  return { fence, hasLastResort, releaseMs: guard.timing.releaseMs }
}

function fenceOrphan(turn: Turn): void {
  startFence(turn, { reason: 'keepalived died and left its VIP in the kernel', first: 'kill' })
}

function startFence(turn: Turn, why: { reason: string; first: 'bar' | 'kill' }): void {
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
  const ladder = startLadder(first, atMs, ladderPolicy(guard))
  set(turn, {
    phase: { name: 'fencing', reason, ladder },
    candidacy: null,
    memory: { ...guard.memory, number, recentAtMs: [...recentFences(guard.memory.recentAtMs, atMs), atMs] },
    lastFence: { number, reason: reason.slice(0, 500), result: 'running', rung: first, tookMs: 0 },
  })
  setBar(turn, true)
  if (first === 'kill') turn.effects.push({ type: 'fence', rung: 'kill' })
  writePermit(turn)
  tell(turn, 'fencing', 'warning', `This node gives the VIP up: ${reason}.`)
  turn.effects.push({ type: 'remember', memory: turn.guard.memory }, { type: 'beat' })
}

function recentFences(atMs: readonly number[], nowMs: number): readonly number[] {
  return atMs.filter((fencedAtMs) => fencedAtMs <= nowMs && nowMs - fencedAtMs < fenceHistoryMs)
}

function holdDownMs(fencedAtMs: readonly number[], nowMs: number): number {
  const fences = Math.max(1, recentFences(fencedAtMs, nowMs).length)
  return Math.min(holdDownFirstMs * 2 ** (fences - 1), holdDownMostMs)
}

function stepFencing(turn: Turn, phase: Phase & { name: 'fencing' }): void {
  const { guard, atMs, commandFailed } = turn
  turn.commandFailed = false
  const next = climb(phase.ladder, guard.seen, { atMs, policy: ladderPolicy(guard), commandFailed })
  const { ladder } = next
  const tookMs = Math.round(atMs - ladder.startedAtMs)
  set(turn, { phase: { ...phase, ladder } })
  switch (next.type) {
    case 'wait':
      return
    case 'proved':
      noteFence(turn, { result: 'proved', rung: ladder.rung, tookMs })
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
        : enterFenced(turn, phase.reason)
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

function rememberStopped(turn: Turn, stopped: boolean): void {
  if (turn.guard.memory.stopped === stopped) return
  set(turn, { memory: { ...turn.guard.memory, stopped } })
  turn.effects.push({ type: 'remember', memory: turn.guard.memory })
}

function enterFenced(turn: Turn, reason: string): void {
  const { guard, atMs } = turn
  set(turn, {
    phase: {
      name: 'fenced',
      sinceMs: atMs,
      reason,
      holdUntilMs: atMs + holdDownMs(guard.memory.recentAtMs, atMs),
      sawAbsent: guard.seen.process === 'absent',
    },
  })
  writePermit(turn)
}

function stepFenced(turn: Turn, phase: Phase & { name: 'fenced' }): void {
  const { guard, atMs } = turn
  const { policy, seen, memory } = guard
  if (isOrphaned(guard)) return fenceOrphan(turn)
  if (holdsVip(guard)) return enterClaim(turn, 'entered')
  const sawAbsent = phase.sawAbsent || seen.process === 'absent'
  if (sawAbsent !== phase.sawAbsent) set(turn, { phase: { ...phase, sawAbsent } })

  const startedByOperator = phase.sawAbsent && seen.process === 'running'
  // Nobody holds: the first fence within the hour need not wait, later ones wait less.
  const holdUntilMs = peerHolds(guard, atMs) ? phase.holdUntilMs : phase.holdUntilMs - holdDownFirstMs
  const due = policy.rejoin === 'auto' ? atMs >= holdUntilMs : startedByOperator
  const couldWin = policy.alone === 'keep' || (heardSomebody(guard) && !alone(guard, atMs))
  if (!due || !couldWin) return

  setBar(turn, false)
  if (seen.process !== 'absent' || !memory.stopped) {
    rememberStopped(turn, false)
    tell(turn, 'rejoined', 'info', `keepalived may take part again (it was fenced: ${phase.reason}).`)
    return toStandby(turn)
  }
  set(turn, {
    phase: { name: 'rejoining', sinceMs: atMs, deadlineMs: atMs + startPatienceMs, reason: phase.reason },
  })
  writePermit(turn)
  turn.effects.push({ type: 'start-keepalived' })
  tell(turn, 'rejoining', 'info', `Starting keepalived again (it was fenced: ${phase.reason}).`)
}

function stepRejoining(turn: Turn, phase: Phase & { name: 'rejoining' }): void {
  const { guard, atMs } = turn
  const { seen } = guard
  if (seen.process === 'running' && seen.keepalived !== 'UNKNOWN' && seen.keepalived !== 'STOP') {
    rememberStopped(turn, false)
    return toStandby(turn)
  }
  if (atMs >= phase.deadlineMs)
    returnToFenced(
      turn,
      `keepalived was not up ${Math.round(atMs - phase.sinceMs)} ms after its start command`,
    )
}

/** keepalived would not start: tried again later, each time after a longer wait. */
function returnToFenced(turn: Turn, problem: string): void {
  const { memory } = turn.guard
  set(turn, { memory: { ...memory, stopped: true, recentAtMs: [...memory.recentAtMs, turn.atMs] } })
  turn.effects.push({ type: 'remember', memory: turn.guard.memory })
  tell(turn, 'rejoin-failed', 'critical', `${problem}. Tried again later; look at keepalived's own log.`)
  enterFenced(turn, problem)
}

// ---------------------------------------------------------------------------------------------------------------------
// What keepalived is told here.

/** In observe mode nothing is ever barred. */
function setBar(turn: Turn, on: boolean): void {
  if (turn.guard.policy.mode === 'observe' || turn.guard.barOn === on) return
  set(turn, { barOn: on })
  turn.effects.push({ type: 'bar', on })
}

/** The line that the check reads while this agent lives; its deadline is what a dead agent leaves behind. */
function writePermit(turn: Turn): void {
  const { guard, atMs } = turn
  const { phase, timing, policy } = guard
  const line = (word: 'permit' | 'bar', untilMs: number, why: string): void => {
    turn.effects.push({ type: 'permit', word, untilMs: Math.floor(untilMs), why })
  }
  const standardMs = permitMs(timing)
  if (policy.mode === 'observe') return line('permit', atMs + standardMs, 'observe mode')
  switch (phase.name) {
    case 'standby':
    case 'probation':
    case 'rejoining':
      if (mayPermit(guard)) line('permit', atMs + standardMs, `${phase.name}: may become MASTER`)
      return
    case 'holding':
      return line('permit', leaseEndsAtMs(guard), `holds the lease (epoch ${guard.voter.epoch})`)
    case 'unprotected':
    case 'overruled':
      return line('permit', atMs + standardMs, phase.name)
    case 'claiming':
      return
    case 'barred':
      return line('bar', atMs + standardMs, phase.cause.text)
    case 'fencing':
    case 'fenced':
      return line('bar', atMs + standardMs, phase.reason)
    default:
      return assertNever(phase)
  }
}

/**
 * How long a line of the permit file is good where this node has no lease. As long as its own promises: when the line
 * has run out, whatever vote a now dead agent gave away has run out too, and the witness may vote for the check.
 */
function permitMs(timing: Timing): number {
  return timing.reserveMs
}
