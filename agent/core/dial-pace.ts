/**
 * When an agent dials a voter, and when it takes a connection for dead. The simulator's agents go by it as those of
 * voter-link.ts do.
 */
export const firstRedialMs = 50
/** A witness that is restarted must be back in use before a lease runs out. */
const longestRedialMs = 250
/**
 * A first packet that is lost is repeated after a second only: others are dialled beside an attempt that hangs. The first
 * follows a silence of 2 × renewMs, the fourth of 3.6 × renewMs: just before a holder would fence itself (E2: 3.75 with
 * the default timing), since any interruption that ends before the last attempt is survived.
 */
const dialsPerRenewal = 1.9
export const attemptsAtMost = 4
/** A pending vote is answered twice, and the second time late: so many beats are remembered. */
export const beatsRemembered = 64

/** A shorter gap between two looks at the connection is no pause of this process, however often it renews. */
const shortestGapMs = 600

/** Where this process itself did not run, the silence is its own. */
export function stoodStill({ gapMs, renewMs }: { gapMs: number; renewMs: number }): boolean {
  return gapMs > Math.max(2 * renewMs, shortestGapMs)
}

/** A connection on which nothing comes is dead, whatever TCP believes. */
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
 * How long until the next look whether to dial; null: none is needed. A timer may run early, or the voter has spoken
 * late: then it is not yet time to dial, but soon.
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

/** How long an attempt may take to open, and again to be welcomed. */
export function openMs(renewMs: number): number {
  return Math.max(500, 2 * renewMs)
}

/** The wait after the one that was of no use. */
export function longerRedialMs(redialMs: number): number {
  return Math.min(longestRedialMs, redialMs * 2)
}
