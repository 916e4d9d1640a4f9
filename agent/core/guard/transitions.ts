/**
 * Every way into a phase, in the order of phase.ts; only the phase that a guard starts with is set in guard.ts. Phases
 * and events look at facts and decide; to enter another phase they call a function of this file. What a phase changes
 * within itself (`{ ...phase, … }`) stays with the phase.
 */
import { type Turn, set, tell } from './turn.ts'
import { setBar, setBarAgain, writePermit } from './permit.ts'
import { startLadder } from './fence-ladder.ts'
import { type FenceCause, beginFence, drillPolicy, startPatienceMs } from './fence-policy.ts'
import { holdDownMs, recentFences } from './fence-history.ts'
import { leftWith, promisedTo } from '../../../shared/core/vote/voter.ts'
import { witnessHeardLately, witnessNamesPeer } from './hearing.ts'
import { newCandidacy } from './lease.ts'
import {
  askOwnVote,
  giveBackOwnVote,
  handoverPatienceMs,
  outrankedPeerLately,
  probationMs,
  promotesEarly,
  whyClaimed,
} from './candidate.ts'
import { peerName } from './own-lease.ts'
import { enforces } from './state.ts'
import type { Phase } from './phase.ts'
import type { Order } from '../../../shared/protocol/messages.ts'

/** Not MASTER, and free to become it. */
export function toStandby(turn: Turn): void {
  set(turn, { phase: { name: 'standby', sinceMs: turn.atMs } })
  writePermit(turn)
}

/**
 * The VIP is gone and keepalived is not MASTER. The votes are returned at once, so that the peer need not wait for
 * them to expire.
 */
export function release(turn: Turn): void {
  giveBackOwnVote(turn)
  set(turn, { candidacy: null })
  toStandby(turn)
  turn.effects.push({ type: 'beat' })
}

/** keepalived became MASTER during a fence, a rejoin or a drill. It has to win the votes like any other MASTER. */
export function toClaimant(turn: Turn): void {
  set(turn, { phase: { name: 'standby', sinceMs: turn.atMs } })
}

/** keepalived listens again: whether adverts of the living holder arrive shows sooner than it promotes itself. */
export function enterProbation(turn: Turn): void {
  turn.enteredBackup = false
  set(turn, {
    phase: {
      name: 'probation',
      sinceMs: turn.atMs,
      untilMs: turn.atMs + probationMs(turn.guard),
      baseline: null,
      counting: true,
    },
  })
  turn.effects.push({ type: 'count-adverts' })
}

/** keepalived is held in FAULT from now on. */
export function enterGated(turn: Turn, retryAtMs = turn.atMs): void {
  if (turn.guard.candidacy !== null) {
    giveBackOwnVote(turn)
    set(turn, { candidacy: null })
    turn.effects.push({ type: 'beat' })
  }
  set(turn, { phase: { name: 'gated', sinceMs: turn.atMs, retryAtMs, freeSinceMs: null } })
  setBar(turn, true)
  writePermit(turn)
}

/** `gate: strict`: nobody holds as far as this node knows, so it asks for the votes. */
export function enterApplying(turn: Turn): void {
  const { guard, atMs } = turn
  set(turn, {
    candidacy: newCandidacy({ epoch: guard.voter.epoch + 1, askedAtMs: atMs, carriedUntilMs: -Infinity }),
    phase: { name: 'applying', sinceMs: atMs, deadlineMs: atMs + guard.timing.renewMs },
  })
  askOwnVote(turn)
  turn.effects.push({ type: 'beat' })
}

/** `gate: strict`: the lease is won, so keepalived is let out of FAULT. */
export function enterEntitled(turn: Turn): void {
  set(turn, { phase: { name: 'entitled', sinceMs: turn.atMs } })
  setBar(turn, false)
  writePermit(turn)
  tell(
    turn,
    'lease-won',
    'info',
    `This node has the lease (epoch ${turn.guard.candidacy?.epoch ?? 0}); keepalived may become MASTER.`,
  )
}

/** keepalived may not become MASTER, for this cause. */
export function enterBarred(turn: Turn, cause: (Phase & { name: 'barred' })['cause']): void {
  const { phase, policy } = turn.guard
  const sinceMs = phase.name === 'barred' ? phase.sinceMs : turn.atMs
  const isNews = phase.name !== 'barred' || phase.cause.kind !== cause.kind
  set(turn, { phase: { name: 'barred', sinceMs, cause } })
  setBar(turn, true)
  if (!isNews) return
  writePermit(turn)
  // Reported once, however often it is tried again, because otherwise days of blocked VRRP would push their beginning
  // out of the kept events.
  if (cause.kind === 'no-adverts' && turn.guard.failedProbations > 1) return
  const verb = policy.mode === 'observe' ? 'would be barred' : 'is barred'
  tell(turn, 'barred', 'warning', `keepalived ${verb} from becoming MASTER on this node: ${cause.text}.`)
}

/** How soon a claim asks again for a vote that may still be granted. */
export const claimRetryMs = 10

/**
 * @param grounds `adopt`: the VIP was here before this agent (re)started or stood still, so the lease may already be
 * its own
 */
export function enterClaim(turn: Turn, grounds: 'entered' | 'adopt'): void {
  const { guard, atMs } = turn
  const { voter, timing, node, profile } = guard
  const promise = promisedTo(voter, atMs)
  const heldByPeer = promise !== null && promise.node !== node
  // The holder may hold with the witness's vote and its own, and then this node knows it only from the witness. What
  // the witness said before a standstill does not count any more. A vote that was delegated to the peer does not come
  // back by a claim.
  const namedPeer = witnessNamesPeer(guard, atMs) && witnessHeardLately(guard)
  const handover = (heldByPeer || namedPeer) && leftWith(voter) === null && outrankedPeerLately(guard, atMs)
  if (heldByPeer && !handover && enforces(guard))
    return startFence(turn, {
      reason: `${promise.node} has the lease (epoch ${promise.epoch}, last renewed here ${Math.round(atMs - promise.renewedAtMs)} ms ago)`,
      first: 'bar',
      early: promotesEarly(guard),
    })

  const ownRecordIsNewest = voter.record?.to === node && voter.record.epoch === voter.epoch
  const epoch = grounds === 'adopt' && ownRecordIsNewest ? voter.epoch : voter.epoch + 1
  const patienceMs = grounds === 'adopt' ? timing.checkMs : timing.claimMs
  const waitMs = handover ? handoverPatienceMs(guard) : patienceMs
  set(turn, {
    candidacy: newCandidacy({ epoch, askedAtMs: atMs, carriedUntilMs: -Infinity }),
    phase: {
      name: 'claiming',
      sinceMs: atMs,
      deadlineMs: atMs + waitMs,
      retryAtMs: atMs + claimRetryMs,
      handover,
      adopts: grounds === 'adopt',
    },
  })
  askOwnVote(turn)
  turn.effects.push({ type: 'beat' })
  tell(
    turn,
    'claiming',
    'info',
    `keepalived ${whyClaimed(guard, grounds)} (${profile.instance}); this node asks for the votes (epoch ${epoch}).`,
  )
}

/** keepalived is MASTER, and this node has the lease. */
export function enterHolding(turn: Turn): void {
  set(turn, { phase: { name: 'holding', sinceMs: turn.atMs } })
  setBar(turn, false)
  writePermit(turn)
}

/** `alone: keep`: no voter is heard, and the VIP stays here without a lease. */
export function enterUnprotected(turn: Turn): void {
  set(turn, { phase: { name: 'unprotected', sinceMs: turn.atMs }, candidacy: null })
  writePermit(turn)
  tell(
    turn,
    'unprotected',
    'critical',
    `This node hears neither the witness nor ${peerName(turn.guard)}. Because of "alone: keep" it keeps the VIP, as keepalived alone would, so a second MASTER is possible.`,
  )
}

/** keepalived died and left its VIP in the kernel: only SIGKILL's rung takes it off. */
export function fenceOrphan(turn: Turn): void {
  startFence(turn, { reason: 'keepalived died and left its VIP in the kernel', first: 'kill' })
}

export function startFence(turn: Turn, why: FenceCause): void {
  const { guard, atMs } = turn
  const { reason, first } = why
  if (guard.policy.mode === 'observe') {
    set(turn, { phase: { name: 'overruled', sinceMs: atMs, reason }, candidacy: null })
    return tell(
      turn,
      'would-fence',
      'warning',
      `Observe mode: this node would now release the VIP, because ${reason}.`,
    )
  }
  const number = guard.memory.number + 1
  const moved = why.only === 'bar'
  const gentle = moved || why.early === true
  const recentAtMs = recentFences(guard.memory.recentAtMs, atMs)
  set(turn, {
    phase: beginFence(guard, why, { atMs, gentle }),
    candidacy: null,
    // A VIP that was moved on purpose does not lengthen the next hold-down.
    memory: { ...guard.memory, number, recentAtMs: moved ? recentAtMs : [...recentAtMs, atMs] },
    lastFence: { number, reason: reason.slice(0, 500), result: 'running', rung: first, tookMs: 0 },
  })
  setBarAgain(turn)
  if (first === 'kill') turn.effects.push({ type: 'fence', rung: 'kill', spares: true })
  writePermit(turn)
  tell(turn, 'fencing', 'warning', `This node releases the VIP: ${reason}.`)
  turn.effects.push({ type: 'remember', memory: turn.guard.memory }, { type: 'beat' })
}

/** The fence is over: keepalived stays stopped or barred for the hold-down. */
export function enterFenced(
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

/** A stop command took effect late, after its agent had died or keepalived had become MASTER all the same. */
export function payLater(turn: Turn): void {
  enterFenced(turn, 'the stop command of an earlier fence stopped keepalived late', {
    startFailed: false,
    drill: turn.guard.memory.drilling === true,
  })
}

/** keepalived did not start. The agent tries again later, each time after a longer wait. */
export function returnToFenced(turn: Turn, problem: string): void {
  const { memory } = turn.guard
  set(turn, { memory: { ...memory, stopped: true, recentAtMs: [...memory.recentAtMs, turn.atMs] } })
  turn.effects.push({ type: 'remember', memory: turn.guard.memory })
  tell(
    turn,
    'rejoin-failed',
    'critical',
    `${problem}. The agent tries again later; look at the log of keepalived.`,
  )
  enterFenced(turn, problem, { startFailed: true, drill: memory.drilling === true })
}

/** The hold-down is over, so keepalived is started again. */
export function enterRejoining(turn: Turn, fenced: { reason: string; sawAbsent: boolean }): void {
  const { reason, sawAbsent } = fenced
  set(turn, {
    phase: {
      name: 'rejoining',
      sinceMs: turn.atMs,
      deadlineMs: turn.atMs + startPatienceMs,
      reason,
      sawAbsent,
    },
  })
  writePermit(turn)
  turn.effects.push({ type: 'start-keepalived' })
  tell(turn, 'rejoining', 'info', `This node starts keepalived again. It had been fenced because: ${reason}.`)
}

/** A standby begins to prove its fence. */
export function enterDrilling(turn: Turn, order: Order): void {
  const { guard, atMs } = turn
  set(turn, {
    phase: {
      name: 'drilling',
      sinceMs: atMs,
      reason: order.reason,
      ladder: startLadder('bar', atMs, drillPolicy(guard)),
      rungSinceMs: atMs,
      failure: null,
      stop: 'not tried',
      returning: null,
    },
  })
  setBarAgain(turn)
  writePermit(turn)
  tell(turn, 'drill', 'info', `A drill of this node begins: ${order.reason}.`)
  turn.effects.push({ type: 'beat' })
}
