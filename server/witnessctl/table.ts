/** Columns for a terminal, separated by two spaces. */
import type { Colour, Paint } from './paint.ts'

export interface Cell {
  readonly text: string
  readonly colour?: Colour
}

/** Pads every column to its widest cell; colour does not count. */
export function renderTable(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  paint: Paint,
): string[] {
  const all = [head.map((text): Cell => ({ text, colour: 'bold' })), ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.text.length ?? 0)))
  return all.map((row) =>
    row
      .map(({ text, colour }, column) => {
        const padding = column === row.length - 1 ? '' : ' '.repeat((widths[column] ?? 0) - text.length)
        return (colour === undefined ? text : paint(text, colour)) + padding
      })
      .join('  ')
      .trimEnd(),
  )
}
