/**
 * docs/BENCH.md: one marked section per part of the bench, so that a run of some parts replaces these and keeps the
 * others, each with the setting in which it was measured. Pure.
 */
export interface Table {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export const sectionIds = ['idle', 'check', 'fence', 'programs', 'fleet', 'scenarios'] as const
export type SectionId = (typeof sectionIds)[number]

export interface Section {
  readonly id: SectionId
  readonly title: string
  /** How it was measured, and with which command. */
  readonly how: string
  /** Date, machine, versions. */
  readonly setting: string
  readonly table: Table
  /** Below the table. */
  readonly notes: readonly string[]
  /**
   * How many leading cells identify a row, so that rows of the document that this run did not measure are kept. 0: the
   * table is replaced as a whole.
   */
  readonly keyCells: number
  /** The position of a row among rows of several runs; without it, a row stays where it was or goes to the end. */
  readonly rank?: (row: readonly string[]) => number
}

export function tableText({ head, rows }: Table): string {
  const line = (cells: readonly string[]): string =>
    `| ${head.map((_, column) => escaped(cells[column] ?? '')).join(' | ')} |`
  return [line(head), `| ${head.map(() => '---').join(' | ')} |`, ...rows.map(line)].join('\n')
}

function escaped(cell: string): string {
  return cell
    .replaceAll('\\', '\\\\')
    .replaceAll('|', '\\|')
    .replaceAll(/\s*\n\s*/g, ' ')
}

export function sectionText({ title, how, setting, table, notes }: Section): string {
  const list = notes.map((note) => `- ${note}`).join('\n')
  return [`## ${title}`, how, tableText(table), ...(list === '' ? [] : [list]), setting].join('\n\n')
}

const heading = `# Measurements

\`npm run bench -- --write docs/BENCH.md\` writes this page. Each section says how, when and on which machine it was measured. Figures are
medians, with the least and the most in brackets.`

/** A part above the sections that people write: no run changes it. */
const byHand = 'by-hand'
type PartId = SectionId | typeof byHand

/** @param existing the document as it is; null: there is none. */
export function documentText(existing: string | null, sections: readonly Section[]): string {
  const parts = sectionIds.flatMap((id) => {
    const before = existing === null ? null : bodyOf(existing, id)
    const measured = sections.find((section) => section.id === id)
    if (measured !== undefined) return [marked(id, sectionText(withKeptRows(measured, before)))]
    return before === null ? [] : [marked(id, before)]
  })
  const written = existing === null ? null : bodyOf(existing, byHand)
  const kept = written === null ? [] : [marked(byHand, written)]
  return `${[heading, ...kept, ...parts].join('\n\n')}\n`
}

const opening = (id: PartId): string => `<!-- bench: ${id} -->`
const closing = (id: PartId): string => `<!-- end: ${id} -->`

function marked(id: PartId, body: string): string {
  return `${opening(id)}\n\n${body}\n\n${closing(id)}`
}

function bodyOf(document: string, id: PartId): string | null {
  const from = document.indexOf(opening(id))
  const to = document.indexOf(closing(id))
  return from < 0 || to < from ? null : document.slice(from + opening(id).length, to).trim()
}

/** Rows of a table with other columns come from another version, so they are not kept. */
function withKeptRows(section: Section, before: string | null): Section {
  const { keyCells, table, rank } = section
  if (keyCells === 0 || before === null) return section
  const old = readTable(before)
  if (old?.head.join('|') !== table.head.join('|')) return section
  const key = (row: readonly string[]): string => row.slice(0, keyCells).join('|')
  const fresh = new Map(table.rows.map((row) => [key(row), row]))
  const inPlace = old.rows.map((row) => fresh.get(key(row)) ?? row)
  const known = new Set(old.rows.map(key))
  const added = table.rows.filter((row) => !known.has(key(row)))
  const rows = [...inPlace, ...added]
  if (rank !== undefined) rows.sort((one, other) => rank(one) - rank(other))
  return { ...section, table: { head: table.head, rows } }
}

/** The first table of a text; null: there is none. */
export function readTable(text: string): Table | null {
  const lines = text.split('\n')
  const from = lines.findIndex(
    (line, at) => line.startsWith('|') && /^\|[\s|:-]+\|$/.test(lines[at + 1] ?? ''),
  )
  if (from < 0) return null
  const length = lines.slice(from).findIndex((line) => !line.startsWith('|'))
  const rows = lines.slice(from, length < 0 ? lines.length : from + length).map(cellsOf)
  const [head = [], , ...body] = rows
  return { head, rows: body }
}

function cellsOf(line: string): string[] {
  return line
    .slice(1, line.trimEnd().length - 1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|').replaceAll('\\\\', '\\'))
}
