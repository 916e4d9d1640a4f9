/** The log lines of the product's daemons (shared/log.ts), as a lab finds them on the disks of its hosts. */
import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'

/** How much later than its stamp a line may have been: the stamp has whole milliseconds, rounded down. */
export const stampGrainMs = 1

export interface ProductLine {
  /** The wall clock, which all hosts of a lab share; in whole milliseconds, rounded down. */
  readonly atMs: number
  readonly event: string
  readonly text: string
}

const lineSchema = z
  .object({ time: z.iso.datetime(), event: z.string(), text: z.string() })
  .transform(({ time, event, text }): ProductLine => ({ atMs: Date.parse(time), event, text }))

const clusterSchema = z.object({ cluster: z.string() })

/** The lines that can be read; what a program that was killed left half-written, or wrote before its log, is no line. */
export function parseProductLines(text: string): readonly ProductLine[] {
  return text.split('\n').flatMap((line) => {
    if (!line.startsWith('{')) return []
    const parsed = lineSchema.safeParse(jsonOf(line))
    return parsed.success ? [parsed.data] : []
  })
}

/** No file: the daemon was never started. Without the lines about other clusters. */
export function readProductLines(path: string, cluster: string): readonly ProductLine[] {
  if (!existsSync(path)) return []
  const isOfAnother = (line: string): boolean => {
    const of = clusterSchema.safeParse(jsonOf(line))
    return of.success && of.data.cluster !== cluster
  }
  const lines = readFileSync(path, 'utf8').split('\n')
  return parseProductLines(lines.filter((line) => !isOfAnother(line)).join('\n'))
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}
