/** What the doctor says of one thing that protection rests on. */

export type Verdict = 'ok' | 'warn' | 'FAIL'

export interface Finding {
  /** Stable, for scripts. */
  readonly check: string
  readonly verdict: Verdict
  readonly text: string
  /** What to do; null: nothing. */
  readonly remedy: string | null
}

export function ok(check: string, text: string): Finding {
  return { check, verdict: 'ok', text, remedy: null }
}

/** Protection holds now, but something is not as it should be, or cannot be seen from here. */
export function warn(check: string, text: string, remedy: string): Finding {
  return { check, verdict: 'warn', text, remedy }
}

/** Protection fails now, or would in the fault that it is there for. */
export function fail(check: string, text: string, remedy: string): Finding {
  return { check, verdict: 'FAIL', text, remedy }
}

const exitCodes = { ok: 0, warn: 1, FAIL: 2 } as const

/** 0: all is well; 1: warnings; 2: failures. */
export function exitCodeOf(findings: readonly Finding[]): number {
  return Math.max(0, ...findings.map(({ verdict }) => exitCodes[verdict]))
}

const longestCheck = 18

/** A line each; what to do follows on the same line, so that grep shows both. */
export function renderFindings(findings: readonly Finding[]): string {
  const lines = findings.map(({ check, verdict, text, remedy }) =>
    printable(
      `${verdict.padEnd(4)}  ${check.padEnd(longestCheck)}  ${text}${remedy === null ? '' : `: ${remedy}`}`,
    ),
  )
  const count = (wanted: Verdict): number => findings.filter(({ verdict }) => verdict === wanted).length
  return `${[...lines, '', `${count('ok')} ok, ${count('warn')} warnings, ${count('FAIL')} failures`].join('\n')}\n`
}

/** Texts may come from files and other hosts: no control character of theirs reaches the terminal. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ')
}
