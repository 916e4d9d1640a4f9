/** A finding of the doctor: the state of one thing on which protection depends. */

export type FindingResult = 'ok' | 'warn' | 'FAIL'

export interface Finding {
  /** Stable, for scripts. */
  readonly check: string
  readonly verdict: FindingResult
  readonly text: string
  /** What to do; null: nothing. */
  readonly remedy: string | null
}

export function ok(check: string, text: string): Finding {
  return { check, verdict: 'ok', text, remedy: null }
}

/** Protection works now, but something is not as it should be, or cannot be checked from here. */
export function warn(check: string, text: string, remedy: string): Finding {
  return { check, verdict: 'warn', text, remedy }
}

/** Protection does not work now, or would not in the fault for which it exists. */
export function fail(check: string, text: string, remedy: string): Finding {
  return { check, verdict: 'FAIL', text, remedy }
}

const exitCodes = { ok: 0, warn: 1, FAIL: 2 } as const

/** 0: all is well; 1: warnings; 2: failures. */
export function exitCodeOf(findings: readonly Finding[]): number {
  return Math.max(0, ...findings.map(({ verdict }) => exitCodes[verdict]))
}

const longestCheck = 18

/** One line for each finding. The remedy is on the same line, so that grep shows both. */
export function renderFindings(findings: readonly Finding[]): string {
  const lines = findings.map(({ check, verdict, text, remedy }) =>
    printable(
      `${verdict.padEnd(4)}  ${check.padEnd(longestCheck)}  ${text}${remedy === null ? '' : `: ${remedy}`}`,
    ),
  )
  const count = (wanted: FindingResult): number => findings.filter(({ verdict }) => verdict === wanted).length
  return `${[...lines, '', `${count('ok')} ok, ${count('warn')} warnings, ${count('FAIL')} failures`].join('\n')}\n`
}

/** Texts may come from files and other hosts, so control characters are removed before they reach the terminal. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ')
}
