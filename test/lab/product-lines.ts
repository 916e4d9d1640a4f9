/** The log lines of the product's daemons (shared/host/log.ts), as a lab finds them on the disks of its hosts. */
import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'

/**
 * How much later than its timestamp a line may have been written, because timestamps have whole milliseconds, rounded
 * down.
 */
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

const subjectSchema = z.object({ cluster: z.string().optional(), instance: z.string().nullish() })

/**
 * The lines that can be parsed; half-written lines of a killed program, and output from before its log, are ignored.
 */
export function parseProductLines(text: string): readonly ProductLine[] {
  return text.split('\n').flatMap((line) => {
    if (!line.startsWith('{')) return []
    const parsed = lineSchema.safeParse(jsonOf(line))
    return parsed.success ? [parsed.data] : []
  })
}

/**
 * If there is no file, the daemon was never started. Lines about other clusters are left out, and lines about instances
 * that only attackers mention.
 */
export function readProductLines(
  path: string,
  wanted: { readonly cluster: string; readonly isInstance: (name: string) => boolean },
): readonly ProductLine[] {
  if (!existsSync(path)) return []
  const isOfAnother = (line: string): boolean => {
    const of = subjectSchema.safeParse(jsonOf(line))
    if (!of.success) return false
    const { cluster, instance } = of.data
    return (
      (cluster ?? wanted.cluster) !== wanted.cluster ||
      (typeof instance === 'string' && !wanted.isInstance(instance))
    )
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
