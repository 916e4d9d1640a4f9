/**
 * keepalived's own log as a witness of its state. Its timestamps have whole seconds (v2.2.7, `--log-console`), so of
 * two events in one second only the order is known.
 */
import { existsSync, readFileSync } from 'node:fs'
import { isInstance } from './address-plan.ts'

export type InstanceState = 'MASTER' | 'BACKUP' | 'FAULT' | 'STOP'

export interface KeepalivedLine {
  /** The wall clock in whole seconds, rounded down. */
  readonly secondMs: number
  /** `starts`: a new keepalived, in INIT. */
  readonly says: InstanceState | 'starts'
}

const secondLong = 1000
const line = /^\w{3} (\w{3} +\d+ \d\d:\d\d:\d\d \d{4}): (.*)$/
const entering = /^\((\S+)\) Entering (MASTER|BACKUP|FAULT) STATE/

/** What a line of its log, without the timestamp, says about the instance; null: nothing. */
export function saidBy(words: string): KeepalivedLine['says'] | null {
  const [, name = '', state] = entering.exec(words) ?? []
  if (state !== undefined && !isInstance(name)) return null
  if (state === 'MASTER' || state === 'BACKUP' || state === 'FAULT') return state
  if (words.startsWith('Starting Keepalived')) return 'starts'
  return words.startsWith('Stopped') ? 'STOP' : null
}

/** The timestamps are in the time zone of the host that wrote them. */
export function parseKeepalivedLines(text: string): readonly KeepalivedLine[] {
  return text.split('\n').flatMap((each): KeepalivedLine[] => {
    const [, stamp = '', words = ''] = line.exec(each) ?? []
    const secondMs = Date.parse(stamp)
    if (Number.isNaN(secondMs)) return []
    const says = saidBy(words)
    return says === null ? [] : [{ secondMs, says }]
  })
}

export function readKeepalivedLines(path: string): readonly KeepalivedLine[] {
  return existsSync(path) ? parseKeepalivedLines(readFileSync(path, 'utf8')) : []
}

/** Every state that the instance may have been in at that time, the latest first; empty: it did not exist. */
export function statesAt(
  lines: readonly KeepalivedLine[],
  atMs: number,
): readonly (InstanceState | 'INIT')[] {
  const until = lines.filter(({ secondMs }) => secondMs <= atMs)
  const before = until.findLastIndex(({ secondMs }) => secondMs + secondLong <= atMs)
  return until
    .slice(Math.max(0, before))
    .map(({ says }) => (says === 'starts' ? 'INIT' : says))
    .reverse()
}

/**
 * Whether a keepalived that existed at that time continued after it, which shows if it logs something before another
 * one starts.
 */
export function livesOnAfter(lines: readonly KeepalivedLine[], atMs: number): boolean {
  // After a drill the next one starts in the same second, so later lines come from that one.
  const replaced = lines.some(
    ({ secondMs, says }, index) =>
      says === 'starts' &&
      lines[index - 1]?.says === 'STOP' &&
      secondMs <= atMs &&
      secondMs + secondLong > atMs,
  )
  if (replaced) return false
  const next = lines.find(({ secondMs }) => secondMs > atMs)
  return next !== undefined && next.says !== 'starts' && next.says !== 'STOP'
}
