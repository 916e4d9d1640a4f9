import type { Log } from '../../../shared/host/log.ts'

/** A log that a test can read. */
export function recordingLog(): Log & { lines: string[] } {
  const lines: string[] = []
  const line =
    (level: string) =>
    (event: string, text: string): void => {
      lines.push(`${level} ${event}: ${text}`)
    }
  return {
    lines,
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    fatal: line('fatal'),
    flush: () => undefined,
  }
}
