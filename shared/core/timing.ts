/**
 * The timing of leases and promises, stated once. docs/safety.md ("Time") derives the inequalities. All durations are
 * milliseconds of the boot clock (suspend included).
 */
export interface Timing {
  /** R: the holder asks every voter again this often; also the heartbeat of every node. */
  readonly renewMs: number
  /** T_h: what a vote is worth to the candidate, counted from when it sent the request. */
  readonly leaseMs: number
  /** D: budget to make keepalived drop the VIP and to verify it. */
  readonly releaseMs: number
  /** G: grain of timers and scheduling. */
  readonly grainMs: number
  /** C: how often keepalived runs the check; the bound when the agent is dead. */
  readonly checkMs: number
  /** T_g: how long a voter keeps its promise, counted from when it answered. */
  readonly reserveMs: number
  /** How long a new MASTER may wait for its first majority. */
  readonly claimMs: number
  /** How long a preempting MASTER may wait for the old holder to release. */
  readonly handoverMs: number
  /** Largest difference allowed between the rates of two hosts' clocks, in parts per million. */
  readonly driftPpm: number
  /**
   * `open`: keepalived promotes itself, and is stopped within milliseconds if it may not. `strict`: it is held in
   * FAULT until its node has the lease.
   */
  readonly gate: 'open' | 'strict'
  /**
   * When the witness has been silent for this long for both nodes, the standby delegates its vote to the holder; 0:
   * never.
   */
  readonly delegateAfterMs: number
}

export const defaultTiming: Timing = {
  renewMs: 400,
  leaseMs: 1800,
  releaseMs: 200,
  grainMs: 100,
  checkMs: 1000,
  reserveMs: 1900,
  claimMs: 50,
  handoverMs: 100,
  driftPpm: 10_000,
  gate: 'open',
  delegateAfterMs: 300_000,
}

/** Both ends of a duration are read from a clock with this grain (`/proc/uptime` has two decimals). */
const clockGrainMs = 10
/** The slowest answer with which renewals must still succeed: two lost answers, then one this late. */
const roundTripMs = 200
/** What a check takes to ask the witness, with room to spare. */
export const askingMs = 100

/** T_g with `gate: strict`. */
export const strictReserveMs = 3400
/** The longest time that a check takes to ask the witness in vain, and keepalived to enter FAULT after it. */
const checkAnswerMs = 800

export class TimingError extends Error {
  readonly code = 'timing'
}

/** How long a promise must last to outlive a lease of `leaseMs` with any allowed difference between the clocks. */
export function reserveNeededMs(leaseMs: number, driftPpm: number): number {
  const drift = driftPpm / 1e6
  return Math.ceil((leaseMs + clockGrainMs) * ((1 + drift) / (1 - drift)) + clockGrainMs)
}

/** The instant (boot clock of the holder) at which a holder without renewal starts to fence: E2. */
export function fenceAtMs(leaseUntilMs: number, timing: Timing): number {
  return leaseUntilMs - timing.releaseMs - timing.grainMs
}

/** A voter or holder that has sent nothing for this long counts as not heard. */
export function silenceMs(timing: Timing): number {
  return 3 * timing.renewMs
}

/**
 * How long a line of the permit file is valid while this node has no lease: as long as a promise that was given just
 * before the next line was due. When the line expires, every vote that a now dead agent gave has expired too, and the
 * witness may vote for the check.
 */
export function permitMs(timing: Timing): number {
  return timing.reserveMs + timing.renewMs
}

/**
 * How long a line of the permit file is valid after the holder's agent last wrote it. It is so short that the check
 * of a dead agent asks at least once while the witness still keeps its promise, and renews it (E5), but not so short
 * that the check asks whenever one heartbeat is late.
 */
export function holderPermitMs(timing: Timing): number {
  return Math.max(2 * timing.renewMs, timing.reserveMs - timing.checkMs - askingMs)
}

/**
 * Asserts E1, E3 and E5 (E2 is how `fenceAtMs` is defined; that it leaves time to renew is E3).
 * @throws TimingError naming the inequality and its numbers.
 */
export function assertTiming(timing: Timing): void {
  const { renewMs, leaseMs, releaseMs, grainMs, checkMs, reserveMs, claimMs, driftPpm } = timing
  const needed = reserveNeededMs(leaseMs, driftPpm)
  if (reserveMs < needed)
    throw new TimingError(
      `timing breaks E1: reserveMs ${reserveMs} must be at least ${needed} ` +
        `(leaseMs ${leaseMs} × (1+ρ)/(1−ρ) with driftPpm ${driftPpm}, each read in steps of ${clockGrainMs} ms): ` +
        `raise reserveMs or lower leaseMs`,
    )
  const strictNeeded = reserveNeededMs(fenceAtMs(leaseMs, timing) + timing.checkMs + checkAnswerMs, driftPpm)
  if (timing.gate === 'strict' && reserveMs < strictNeeded)
    throw new TimingError(
      `timing breaks E1 with gate: strict: reserveMs ${reserveMs} must be at least ${strictNeeded} ` +
        `(leaseMs ${leaseMs} − releaseMs ${releaseMs} − grainMs ${grainMs} + checkMs ${timing.checkMs} + ${checkAnswerMs} for the check's question, ` +
        `with driftPpm ${driftPpm}): raise reserveMs or lower leaseMs`,
    )
  const fenceAfterMs = fenceAtMs(leaseMs, timing)
  if (fenceAfterMs <= 0)
    throw new TimingError(
      `timing breaks E2: a holder would start fencing ${fenceAfterMs} ms after it asked ` +
        `(leaseMs ${leaseMs} − releaseMs ${releaseMs} − grainMs ${grainMs}): raise leaseMs`,
    )
  const renewableMs = fenceAfterMs - roundTripMs
  if (3 * renewMs > renewableMs)
    throw new TimingError(
      `timing breaks E3: 3 × renewMs = ${3 * renewMs} must be at most ${renewableMs} ` +
        `(leaseMs ${leaseMs} − releaseMs ${releaseMs} − grainMs ${grainMs} − round trip ${roundTripMs}): ` +
        `lower renewMs or raise leaseMs`,
    )
  const askedByMs = holderPermitMs(timing) + checkMs + askingMs
  if (askedByMs > reserveMs)
    throw new TimingError(
      `timing breaks E5: reserveMs ${reserveMs} must be at least ${askedByMs} ` +
        `(2 × renewMs ${renewMs} + checkMs ${checkMs} + ${askingMs} for the check to ask); ` +
        `otherwise the promise to a holder whose agent died would expire before its check has asked; raise reserveMs or lower renewMs`,
    )
  const { delegateAfterMs } = timing
  if (delegateAfterMs !== 0 && delegateAfterMs < 2 * silenceMs(timing))
    throw new TimingError(
      `timing: delegateAfterMs ${delegateAfterMs} must be 0 (never) or at least ${2 * silenceMs(timing)} (6 × renewMs ${renewMs}), because a shorter silence of the witness may be a restart`,
    )
  if (claimMs >= renewMs)
    throw new TimingError(
      `timing: claimMs ${claimMs} must be less than renewMs ${renewMs}, because a claim is decided before the next heartbeat`,
    )
}

/** What keepalived's master-down time depends on. */
export interface VrrpTiming {
  readonly version: 2 | 3
  /** The one that keepalived runs with, weights included. */
  readonly priority: number
  readonly advertIntMs: number
  /** keepalived's `down_timer_adverts`; absent: 3, as in the RFCs. */
  readonly downTimerAdverts?: number | undefined
}

/**
 * keepalived's master-down time: `down_timer_adverts` × advert_int + skew (RFC 3768 section 6.1 with 3 adverts; RFC 5798
 * scales the skew by advert_int).
 */
export function masterDownMs(vrrp: VrrpTiming): number {
  const skewMs = ((256 - vrrp.priority) / 256) * (vrrp.version === 2 ? 1000 : vrrp.advertIntMs)
  return (vrrp.downTimerAdverts ?? 3) * vrrp.advertIntMs + skewMs
}

/** The soonest that keepalived may promote itself after the holder died: its last advert may be one advert_int old. */
export function earliestPromotionMs(vrrp: VrrpTiming): number {
  return masterDownMs(vrrp) - vrrp.advertIntMs
}

/** E4: votes are free before keepalived promotes, so that failover is as fast as keepalived alone. */
export function votesAreFreeInTime(vrrp: VrrpTiming, timing: Timing): boolean {
  return timing.reserveMs < earliestPromotionMs(vrrp)
}

/**
 * The longest that a takeover waits for keepalived and the votes. Without E4 it is refused once: the bar is lifted when
 * the votes are free, the check is good again one interval later, and keepalived waits a second time.
 */
export function slowestTakeoverMs(vrrp: VrrpTiming, timing: Timing): number {
  const { reserveMs, grainMs, checkMs } = timing
  return masterDownMs(vrrp) + (votesAreFreeInTime(vrrp, timing) ? 0 : reserveMs + grainMs + checkMs)
}

/** @returns a warning for the operator, or null if E4 holds. */
export function promotionWarning(vrrp: VrrpTiming, timing: Timing): string | null {
  if (votesAreFreeInTime(vrrp, timing)) return null
  const slowestMs = slowestTakeoverMs(vrrp, timing)
  return (
    `keepalived may promote itself ${Math.round(earliestPromotionMs(vrrp))} ms after the holder died, but votes are kept for ${timing.reserveMs} ms, ` +
    `so such a takeover is refused once and takes up to ${(slowestMs / 1000).toFixed(1)} s. Raise advert_int or down_timer_adverts, or lower leaseMs and reserveMs`
  )
}
