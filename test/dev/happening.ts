/** One line of what happens: from the JSON log of a program, from its stderr, or from this program itself. */
import { z } from 'zod'
import { printable, type Colour, type Paint } from '../../server/witnessctl/paint.ts'

export interface Happening {
  readonly atMs: number
  /** Which program says so. */
  readonly from: string
  readonly level: 'info' | 'warn' | 'error'
  readonly event: string
  readonly text: string
}

const lineSchema = z.object({
  time: z.iso.datetime(),
  level: z.string(),
  event: z.string(),
  text: z.string(),
  node: z.string().nullish(),
  decision: z.string().nullish(),
})

const levelColours: Readonly<Record<Happening['level'], Colour | null>> = {
  info: null,
  warn: 'yellow',
  error: 'red',
}

/** A line that is not of the log (a stack trace, a message to the admin) is shown as it is. */
export function happeningOf(from: string, line: string, atMs: number): Happening {
  const found = lineSchema.safeParse(parseJson(line))
  if (!found.success) return { atMs, from, level: 'error', event: 'output', text: line }
  const { time, level, event, text, node = null, decision = null } = found.data
  return {
    atMs: Date.parse(time),
    from: node === null ? from : `${from} (${node})`,
    level: level === 'info' || level === 'warn' ? level : 'error',
    event,
    text: `${text}${decision === null ? '' : ` [${decision}]`}`,
  }
}

export function renderHappening(happening: Happening, paint: Paint): string {
  const { atMs, from, level, event, text } = happening
  const colour = levelColours[level]
  const word = colour === null ? event : paint(event, colour)
  return `${new Date(atMs).toISOString().slice(11, 23)}  ${from.padEnd(widestFrom)}  ${word}: ${printable(text)}`
}

const widestFrom = 'lb01 keepalived'.length

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
