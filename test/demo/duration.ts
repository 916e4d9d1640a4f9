/** 2.7 ms, 45 ms, 4.96 s: only as many digits as are meaningful. */
export function durationText(durationMs: number): string {
  if (durationMs >= 1000) return `${(durationMs / 1000).toFixed(2)} s`
  if (durationMs >= 10 || durationMs === 0) return `${Math.round(durationMs)} ms`
  return `${durationMs.toFixed(1)} ms`
}
