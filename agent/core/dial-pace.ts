/**
 * When an agent dials a voter, and when it considers a connection dead. agent/voters/link.ts and the agents of the
 * simulator use the same rules. Pure.
 */
export const firstRedialMs = 50
/** A restarted witness must be in use again before a lease expires. */
const longestRedialMs = 250
/**
 * A voter whose host answers, and that still does not welcome this agent in time, has too much to do: all agents of a
 * fleet may dial it at once after its restart. To dial it as often as before would keep it from welcoming anybody.
 */
const longestRedialOfBusyMs = 2000
/** So many failures of that kind may be chance: the voter has just been started, or a packet was lost. */
const failuresByChance = 2
/** How much longer an attempt may take at most where the voter is busy. */
const mostPatience = 8
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

/**
 * How long an attempt may take to open, and the same again to be welcomed.
 * @param busyFailures how many attempts in a row have failed although the voter's host answered
 */
export function openMs(renewMs: number, busyFailures = 0): number {
  return Math.max(500, 2 * renewMs) * Math.min(mostPatience, 2 ** busyFailures)
}

/** The next wait after an attempt that failed. @param busyFailures as above */
export function longerRedialMs(redialMs: number, busyFailures = 0): number {
  const longestMs = longestRedialMs * 2 ** Math.max(0, busyFailures - failuresByChance)
  return Math.min(longestMs, longestRedialOfBusyMs, redialMs * 2)
}

/**
 * Whether another attempt may be dialled beside those under way. Without a session, an attempt that has reached the
 * voter's host is waited for: the path works, so another one would only be more work for the voter.
 */
export function mayDialBeside(
  attempts: readonly { readonly reached: boolean; readonly greeting: unknown }[],
  hasSession: boolean,
): boolean {
  if (attempts.length >= attemptsAtMost) return false
  return attempts.every(({ reached, greeting }) => greeting === null && (hasSession || !reached))
}

/** A session that ends sooner was none: its voter is dialled more and more slowly, as after attempts that fail. */
export const shortestSessionMs = 1000
