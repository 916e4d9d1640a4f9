/**
 * Decides which changes of an instance's situation are reported to operators. A situation that keeps changing is
 * reported in few lines, and the last line always describes the present. Pure.
 */
import type { NodeName } from '../../../shared/protocol/names.ts'
import type { Judgement } from './judgement.ts'
import type { Situation } from '../../../shared/protocol/view.ts'

/** A complete takeover needs fewer. */
const mostLines = 6
/** At most `mostLines` are reported within any period of this length. */
const windowMs = 10_000

/** What has been reported, and how much has not. */
export interface ReportedSituation {
  /** The situation of the newest line; null: there is none yet. */
  readonly last: { readonly situation: Situation; readonly subject: NodeName | null } | null
  /** When the newest lines were reported, newest last. */
  readonly linesAtMs: readonly number[]
  /** How many changes since the newest line have had no line of their own. */
  readonly unreported: number
}

export const nothingReported: ReportedSituation = { last: null, linesAtMs: [], unreported: 0 }

/** @returns `line`: what to report now; null: nothing */
export function noteChange(
  reported: ReportedSituation,
  now: { before: Judgement | null; judgement: Judgement; atMs: number },
): { reported: ReportedSituation; line: string | null } {
  const { before, judgement, atMs } = now
  const { situation, subject, text } = judgement
  const last = { situation, subject }
  // A witness that starts reports that with an event of its own.
  if (before === null && situation === 'starting') return { reported: { ...reported, last }, line: null }
  const isChange = before === null || !isSame(before, judgement)
  const isReported = reported.last !== null && isSame(reported.last, judgement)
  if (!isChange && isReported) return { reported, line: null }

  const changes = reported.unreported + (isChange ? 1 : 0)
  const recent = reported.linesAtMs.filter((lineAtMs) => atMs - lineAtMs < windowMs)
  if (isReported || recent.length >= mostLines)
    return { reported: { ...reported, unreported: changes }, line: null }
  return {
    reported: { last, linesAtMs: [...recent, atMs], unreported: 0 },
    line:
      changes > 1
        ? `${text} (The situation has changed ${changes} times since the previous line about it.)`
        : text,
  }
}

function isSame(one: Pick<Judgement, 'situation' | 'subject'>, other: typeof one): boolean {
  return one.situation === other.situation && one.subject === other.subject
}
