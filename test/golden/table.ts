/**
 * Lays decisions out for a reader: one block per group, one line per decision, lines that say the same merged into one,
 * and what changes nothing named at the end.
 */

/** What one event does in one situation; null: neither another state nor an effect. */
export interface Outcome {
  /** The state that follows; empty: the same. */
  readonly becomes: string
  readonly effects: readonly string[]
}

export interface Cell {
  readonly situation: string
  readonly event: string
  readonly outcome: Outcome | null
}

export interface Group {
  readonly title: string
  /** What the situations of the group are, in a sentence or two. */
  readonly about: string
  readonly situations: readonly string[]
  readonly cells: readonly Cell[]
}

interface Row {
  readonly situations: string
  readonly events: string[]
  readonly outcome: Outcome
}

/** Events that have one name together where they all do the same. */
export type Families = Readonly<Record<string, readonly string[]>>

const widestLine = 160
const columnWidths = [29, 44, 26, 76] as const

export function layOut({ title, about, situations, cells }: Group, families: Families = {}): string[] {
  const rows = mergeRows(situations, cells)
  const lines = rows.map(({ situations: where, events, outcome }) => [
    situations.length > 1 ? `[${where}]` : '',
    nameEvents(events, families).join(' | '),
    `→ ${outcome.becomes === '' ? '.' : outcome.becomes}`,
    outcome.effects.length === 0 ? '—' : outcome.effects.join('; '),
  ])
  return [
    `## ${title}`,
    '',
    ...wrap(about, widestLine),
    '',
    '```text',
    ...aligned(lines),
    ...nothings(cells, families),
    '```',
    '',
  ]
}

function mergeRows(situations: readonly string[], cells: readonly Cell[]): Row[] {
  const rows: Row[] = []
  for (const event of eventsOf(cells)) {
    const byOutcome = new Map<string, { where: string[]; outcome: Outcome }>()
    for (const cell of cells) {
      if (cell.event !== event || cell.outcome === null) continue
      const key = JSON.stringify(cell.outcome)
      const known = byOutcome.get(key)
      if (known === undefined) byOutcome.set(key, { where: [cell.situation], outcome: cell.outcome })
      else known.where.push(cell.situation)
    }
    for (const [key, { where, outcome }] of byOutcome) {
      const named = nameSituations(where, situations)
      const same = rows.find((row) => row.situations === named && JSON.stringify(row.outcome) === key)
      if (same === undefined) rows.push({ situations: named, events: [event], outcome })
      else same.events.push(event)
    }
  }
  return rows
}

/** What leaves everything as it is in every situation of the group. */
function nothings(cells: readonly Cell[], families: Families): string[] {
  const events = eventsOf(cells).filter((event) =>
    cells.every((cell) => cell.event !== event || cell.outcome === null),
  )
  const [first = '', ...rest] = wrap(`nothing: ${nameEvents(events, families).join(' | ')}`, widestLine)
  return [first, ...rest.map((line) => `  ${line}`)]
}

function eventsOf(cells: readonly Cell[]): string[] {
  return [...new Set(cells.map(({ event }) => event))]
}

/** A family's name stands where its first member stood; larger families go before smaller ones. */
function nameEvents(events: readonly string[], families: Families): string[] {
  let named = [...events]
  for (const [family, members] of Object.entries(families)) {
    if (!members.every((member) => named.includes(member))) continue
    const at = named.findIndex((event) => members.includes(event))
    named = named.map((event, index) => (index === at ? family : event))
    named = named.filter((event) => !members.includes(event))
  }
  return named
}

function nameSituations(some: readonly string[], all: readonly string[]): string {
  if (some.length === all.length) return 'all'
  const others = all.filter((one) => !some.includes(one))
  return others.length < some.length ? `all but ${others.join(', ')}` : some.join(', ')
}

/** Columns stand at fixed places, so that a changed row moves no other; a long entry takes several lines. */
function aligned(rows: readonly string[][]): string[] {
  return rows.flatMap((row) => {
    const entries = row.map((entry, column) => wrap(entry, columnWidths[column] ?? widestLine))
    const height = Math.max(...entries.map(({ length }) => length))
    return Array.from({ length: height }, (_, line) =>
      entries
        .map((entry, column) => (entry[line] ?? '').padEnd(columnWidths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
  })
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return line === '' ? lines : [...lines, line]
}
