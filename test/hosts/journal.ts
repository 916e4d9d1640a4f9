/** What the daemons of a host logged, read from its journal over all its boots. */
import { z } from 'zod'
import { saidBy, type KeepalivedLine } from '../lab/keepalived-lines.ts'
import { parseProductLines, type ProductLine } from '../lab/product-lines.ts'
import { type SystemdHost } from './systemd-host.ts'

export interface JournalLine {
  /**
   * When journald received it, by the real machine's wall clock, whatever time the program that wrote it believes it
   * is.
   */
  readonly atMs: number
  readonly text: string
}

const entrySchema = z.object({
  __REALTIME_TIMESTAMP: z.string().transform((microseconds) => Number(microseconds) / 1000),
  MESSAGE: z.string(),
})

/** Lines that are not text (journald returns bytes for these) do not come from the daemons. */
export function parseJournal(text: string): readonly JournalLine[] {
  return text.split('\n').flatMap((line) => {
    if (line === '') return []
    const parsed = entrySchema.safeParse(JSON.parse(line))
    return parsed.success ? [{ atMs: parsed.data.__REALTIME_TIMESTAMP, text: parsed.data.MESSAGE }] : []
  })
}

export async function readJournal(host: SystemdHost, unit: string): Promise<readonly JournalLine[]> {
  return parseJournal(
    await host.run(
      'journalctl',
      '--quiet',
      '--no-pager',
      '--output=json',
      '--unit',
      unit,
      '--output-fields=MESSAGE',
    ),
  )
}

/** A daemon stamps its line less than this before journald does; a daemon that is further off has a wrong clock. */
const stampTrustMs = 60_000

/** The product's lines, each with its own timestamp, which is exact, unless the clock of the daemon is wrong. */
export function productLinesOf(journal: readonly JournalLine[]): readonly ProductLine[] {
  return journal.flatMap(({ atMs, text }) =>
    parseProductLines(text).map((line) =>
      Math.abs(line.atMs - atMs) < stampTrustMs ? line : { ...line, atMs: Math.floor(atMs) },
    ),
  )
}

export function keepalivedLinesOf(journal: readonly JournalLine[]): readonly KeepalivedLine[] {
  return journal.flatMap(({ atMs, text }) => {
    const says = saidBy(text)
    return says === null ? [] : [{ secondMs: Math.floor(atMs / 1000) * 1000, says }]
  })
}
