/** What a node reports about an instance in its heartbeat. Pure. */
import { assertNever } from '../../../shared/assert-never.ts'
import { agentPort } from '../../../shared/protocol/names.ts'
import type { Report } from '../../../shared/protocol/report.ts'
import { promotionWarning, silenceMs } from '../../../shared/core/timing.ts'
import { leftWith } from '../../../shared/core/vote/voter.ts'
import { leftText } from './bar-evidence.ts'
import { witnessSilenceToReport } from './events/lending.ts'
import { isLent, leftVoteOf, needsKept } from './events/standing.ts'
import { type Guard, holdsVip, isForeignVip, mayWeighOtherwise, priorityOf } from './state.ts'
import { reportsAsk } from './phase.ts'
import { missingToArm } from './arming.ts'
import { foreignVipText } from './foreign-vip.ts'
import { isUnmatched, unmatchedText } from './matching.ts'

/** keepalived runs the check each checkMs. After this many missed runs it clearly does not run it. */
const missedChecks = 5
/** A calm pair may write its next vote weeks later, so an old measurement says nothing about the disk now. */
const slowWriteToldMs = 10 * 60_000

/** The instance's part of the heartbeat. */
export function reportOf(guard: Guard, atMs: number): Report {
  const { phase, profile, seen, voter, candidacy } = guard
  const wantsVote = reportsAsk(phase)
  const sinceMs = (instant: number | null): number | null =>
    instant === null ? null : Math.max(0, atMs - instant)
  return {
    instance: profile.instance,
    phase: phase.name,
    why: whyOf(guard).slice(0, 500),
    keepalived: seen.keepalived,
    // A process that is not in sight has a warning of its own: the field has no word for it that every reader knows.
    process: seen.process === 'unknown' ? 'absent' : seen.process,
    vips: seen.vips,
    ...(isForeignVip(guard) ? { foreignVip: true as const } : {}),
    ...(guard.lettingGo ? { lettingGo: true as const } : {}),
    priority: priorityOf(guard),
    ...(profile.priority === priorityOf(guard) ? {} : { configuredPriority: profile.priority }),
    ...(mayWeighOtherwise(guard) ? { priorityMayDiffer: true as const } : {}),
    nopreempt: profile.nopreempt,
    ask: wantsVote && candidacy !== null ? { epoch: candidacy.epoch } : null,
    release: guard.observed && candidacy === null && !holdsVip(guard),
    epoch: voter.epoch,
    witnessEpoch: guard.witnessEpoch,
    peerSilentMs: sinceMs(guard.peerHeardAtMs),
    checkSilentMs: sinceMs(guard.checkSeenAtMs),
    gateway: guard.gateway,
    fence: guard.lastFence,
    warnings: warningsOf(guard, atMs),
    ...standingVoteFields(guard, atMs),
  }
}

function standingVoteFields(
  guard: Guard,
  atMs: number,
): Pick<Report, 'left' | 'keepsVote' | 'witnessSilentMs'> {
  const left = leftVoteOf(guard)
  const { kept } = guard
  const witnessSilentMs = witnessSilenceToReport(guard, atMs)
  return {
    ...(witnessSilentMs === undefined ? {} : { witnessSilentMs }),
    ...(left === undefined ? {} : { left }),
    ...(kept.phase === 'none' ? {} : { keepsVote: kept.ballot.epoch }),
  }
}

function whyOf(guard: Guard): string {
  const { phase, peer, kept, voter, leave } = guard
  const left = leftWith(voter)
  switch (phase.name) {
    case 'standby':
      return left === null
        ? 'may become MASTER'
        : `stands by; its vote is delegated to ${left.to}, which returns it before it gives the VIP up`
    case 'probation':
      return `waiting for the first VRRP advert from ${peer ?? 'the holder'}`
    case 'barred':
      return phase.cause.text
    case 'claiming':
      return phase.handover ? `taking over from ${peer ?? 'the holder'}` : 'asking for the votes'
    case 'gated':
      if (left !== null && leave === 'lent')
        return `gate: strict; stands by; its vote is delegated to ${left.to}, which returns it before it gives the VIP up`
      if (left !== null) return leftText(leave, left.to)
      return 'gate: strict; waiting until no node holds the lease, then asks for the votes'
    case 'applying':
      return 'gate: strict; asking for the votes before keepalived may become MASTER'
    case 'entitled':
      return 'has the lease; keepalived may become MASTER'
    case 'holding':
      if (kept.phase !== 'kept') return 'holds the lease'
      return isLent(guard)
        ? `holds the lease; ${kept.ballot.of} delegated its vote to this node, because the witness is silent`
        : `holds the lease; ${kept.ballot.of} delegated its vote to this node when it left`
    case 'unprotected':
      return 'keeps the VIP without a lease, because it hears neither the witness nor its peer (alone: keep)'
    case 'overruled':
      return `observe mode; would be fenced because ${phase.reason}`
    case 'fencing':
    case 'fenced':
    case 'rejoining':
      return phase.reason
    case 'drilling':
      return `${phase.returning === null ? 'a drill' : 'coming back after a drill'}: ${phase.reason}`
    default:
      return assertNever(phase)
  }
}

function warningsOf(guard: Guard, atMs: number): string[] {
  const {
    profile,
    timing,
    seen,
    checkSeenAtMs,
    listeningSinceMs,
    recordTookMs,
    recordedAtMs,
    policy,
    phase,
    peer,
  } = guard
  const warnings: string[] = []
  if (guard.foreign?.phase === 'told') warnings.push(foreignVipText(guard).slice(0, 500))
  if (
    guard.armed &&
    peer !== null &&
    guard.peerHeardAtMs === null &&
    atMs - listeningSinceMs > silenceMs(timing)
  )
    warnings.push(
      `${peer} was not heard since this agent started: is it running, and is the TCP port of the agents (${agentPort}, if listen in agent.yaml names no other) open in both directions?`,
    )
  if (isUnmatched(guard)) warnings.push(unmatchedText(guard))
  if (!guard.armed) warnings.push(`not armed yet: ${missingToArm(guard, atMs)}`.slice(0, 500))
  const patienceMs = missedChecks * timing.checkMs
  const watchedMs = atMs - listeningSinceMs
  if (seen.process === 'running' && watchedMs > patienceMs) {
    if (checkSeenAtMs === null)
      warnings.push(
        'keepalived never runs the check: add witness-check as a vrrp_script ("witness-agent setup" shows the lines)',
      )
    else if (atMs - checkSeenAtMs > patienceMs)
      warnings.push(`keepalived has not run the check for ${Math.round((atMs - checkSeenAtMs) / 1000)} s`)
  }
  if (seen.process === 'unknown' && guard.observed)
    warnings.push(
      'keepalived cannot be found in the process table: set keepalived.pidFile and keepalived.vrrpPidFile in agent.yaml ("witness-agent doctor" shows why)',
    )
  if (seen.process === 'absent' && seen.vips === 'held' && !guard.lived)
    warnings.push(
      'the VIP is on this node, but keepalived is not running and was never seen by this agent, so the VIP is left alone: remove it with "ip addr del" if nobody needs it here, or set keepalived.pidFile and keepalived.vrrpPidFile in agent.yaml',
    )
  if (seen.process === 'frozen') warnings.push('keepalived is frozen (by SIGSTOP or a debugger)')
  const isRecent = recordedAtMs !== null && atMs - recordedAtMs <= slowWriteToldMs
  if (isRecent && recordTookMs !== null && recordTookMs > timing.claimMs)
    warnings.push(
      `a vote took ${Math.round(recordTookMs)} ms to reach the disk, which is longer than claimMs (${timing.claimMs} ms), so takeovers may be refused`,
    )
  const promotion = promotionWarning({ ...profile, priority: priorityOf(guard) }, timing)
  if (promotion !== null) warnings.push(promotion)
  if (policy.mode === 'observe') warnings.push('observe mode: nothing is fenced')
  if (phase.name === 'holding' && needsKept(guard, atMs))
    warnings.push(
      `the lease depends on the vote that ${peer ?? 'the peer'} delegated to this node, because the witness does not renew it. When ${peer ?? 'the peer'} comes back, it stays barred until it hears this node`,
    )
  return warnings
}
