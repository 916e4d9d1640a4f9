/**
 * When an agent dials a voter, and when it considers a connection dead. agent/voters/link.ts and the agents of the
 * simulator use the same rules. Pure.
 */
export const firstRedialMs = 50
/** A restarted witness must be in use again before a lease expires. */
const longestRedialMs = 250
/**
 * TCP repeats a lost first packet only after a second, so further connections are dialled beside an attempt that
 * hangs. The first is dialled after a silence of 2 × renewMs, the fourth after 3.6 × renewMs. That is just before a
 * holder would fence itself (E2: 3.75 with the default timing), and a holder survives any interruption that ends
 * before its last attempt.
 */
const dialsPerRenewal = 1.9
export const attemptsAtMost = 4
/** How many heartbeats are remembered. A pending vote is answered twice, the second time late. */
export const beatsRemembered = 64

/** A gap between two looks at the connection that is shorter than this is never taken for a pause of this process. */
const shortestGapMs = 600

/** Whether this process itself did not run, so that the silence says nothing about the voter. */
export function stoodStill({ gapMs, renewMs }: { gapMs: number; renewMs: number }): boolean {
  return gapMs > Math.max(2 * renewMs, shortestGapMs)
}

/** How to judge a silence on a connection. After 3 × renewMs the connection is dead, whatever TCP reports. */
export function silenceOf({
  silentMs,
  renewMs,
}: {
  silentMs: number
  renewMs: number
}): 'usual' | 'long' | 'dead' {
  if (silentMs > 3 * renewMs) return 'dead'
  return silentMs > 1.5 * renewMs ? 'long' : 'usual'
}

/**
 * How long until another connection is dialled; not above 0: now.
 * @param heardAtMs null: there is no session
 */
export function dialInMs({
  heardAtMs,
  atMs,
  renewMs,
}: {
  heardAtMs: number | null
  atMs: number
  renewMs: number
}): number {
  return heardAtMs === null ? 0 : heardAtMs + 2 * renewMs - atMs
}

/**
 * How long until it must be checked again whether to dial; null: not needed. If a timer ran early or the voter
 * answered late, it is not yet time to dial, but will be soon.
 */
export function lookAgainInMs({
  dueInMs,
  attempts,
  renewMs,
}: {
  /** Of `dialInMs`. */
  dueInMs: number
  attempts: number
  renewMs: number
}): number | null {
  const dialAgainMs = renewMs / dialsPerRenewal
  if (dueInMs <= 0 || attempts > 0) return dialAgainMs
  return dueInMs < dialAgainMs ? dueInMs : null
}

/** How long an attempt may take to open, and the same again to be welcomed. */
export function openMs(renewMs: number): number {
  return Math.max(500, 2 * renewMs)
}

/** The next wait after an attempt that failed. */
export function longerRedialMs(redialMs: number): number {
  return Math.min(longestRedialMs, redialMs * 2)
}
