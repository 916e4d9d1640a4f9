/**
 * The lines that setup added to a file, between a begin and an end comment. Texts have one character for each byte
 * ("latin1"), so that the admin's lines stay as they were, whatever their encoding.
 */
import { createHash } from 'node:crypto'
import { SetupError } from './error.ts'

export interface Insertion {
  /** Index of the row that the lines come before. */
  readonly row: number
  /** Indentation of the two comments. */
  readonly indent: string
  /** Without line ends. */
  readonly lines: readonly string[]
}

export interface Row {
  /** With its line end. */
  readonly text: string
  readonly isOurs: boolean
}

export interface Separated {
  readonly rows: readonly Row[]
  /** The file as it is without our lines. */
  readonly base: string
  /** For the operator: which of the added lines have been changed since. */
  readonly edited: readonly string[]
}

const mark = /^[ \t]*# keepalived-witness (begin|end)(?: ([0-9a-f]{8})\b)?/
const condition = /^@\S*[ \t]+/
/** All lines that setup ever writes between its comments, without indentation. Other lines there are the admin's. */
const written = [
  /^$/,
  /^\}$/,
  /^(global_defs|track_file|track_script) \{$/,
  /^(vrrp_track_file bar_|vrrp_script witness_)\S+ \{$/,
  /^(script_user|user) root$/,
  /^enable_script_security$/,
  /^(vrrp_)?notify_fifo \S+/,
  /^vrrp_garp_master_refresh \d+$/,
  /^vrrp_notify_priority_changes true$/,
  /^file \S+$/,
  /^script "\S+witness-check .*"$/,
  /^(weight|interval|timeout|fall|rise) -?[\d.]+$/,
  /^(bar|witness)_\S+$/,
  /^nopreempt$/,
]

export function rowsOf(text: string): string[] {
  return text === '' ? [] : text.split(/(?<=\n)/)
}

/**
 * @param file its name for messages
 * @throws SetupError if the comments do not match, or there are other lines between them
 */
export function separate(file: string, text: string): Separated {
  const rows: Row[] = []
  const edited: string[] = []
  let begin: { row: number; sum: string; lines: string[] } | null = null
  for (const [index, row] of rowsOf(text).entries()) {
    const [, kind, sum = ''] = mark.exec(row) ?? []
    rows.push({ text: row, isOurs: begin !== null || kind !== undefined })
    if (kind === 'begin') {
      if (begin !== null) throw unmatched(file, begin.row)
      begin = { row: index, sum, lines: [] }
    } else if (kind === 'end') {
      if (begin === null) throw unmatched(file, index)
      if (checksum(begin.lines) !== begin.sum) {
        assertWritten(file, begin)
        edited.push(
          `${file}:${begin.row + 1}: the lines between the keepalived-witness comments were changed after setup wrote them`,
        )
      }
      begin = null
    } else begin?.lines.push(row)
  }
  if (begin !== null) throw unmatched(file, begin.row)
  const base = rows.flatMap(({ text: row, isOurs }) => (isOurs ? [] : [row])).join('')
  return { rows, base, edited }
}

function unmatched(file: string, row: number): SetupError {
  return new SetupError(
    `${file}:${row + 1}: a "# keepalived-witness begin" and its "# keepalived-witness end" do not match, so nothing was changed. Put the missing comment back, or remove the lines and both comments by hand`,
  )
}

function assertWritten(file: string, { row, lines }: { row: number; lines: readonly string[] }): void {
  const foreign = lines.findIndex((line) => !written.some((pattern) => pattern.test(bare(line))))
  if (foreign < 0) return
  throw new SetupError(
    `${file}:${row + foreign + 2}: this line is between the keepalived-witness comments, but setup did not write it, so nothing was changed. Move it out of them or delete it, and run setup again`,
  )
}

/** Without indentation, condition and line end, which an editor may change and which mean nothing here. */
function bare(line: string): string {
  return line.trim().replace(condition, '').trim()
}

/** Shows whether the lines are as setup wrote them. */
function checksum(lines: readonly string[]): string {
  return createHash('sha256').update(lines.map(bare).join('\n')).digest('hex').slice(0, 8)
}

/** The file with the insertions in place, each between its comments. */
export function insert(base: string, insertions: readonly Insertion[]): Row[] {
  const rows = rowsOf(base)
  return rows.flatMap((text, row): Row[] => [
    ...insertions
      .filter((insertion) => insertion.row === row)
      .flatMap((insertion) => marked(insertion, lineEndAt(rows, row)))
      .map((line) => ({ text: line, isOurs: true })),
    { text, isOurs: false },
  ])
}

function marked({ indent, lines }: Insertion, lineEnd: string): string[] {
  return [
    `${indent}# keepalived-witness begin ${checksum(lines)} (taken back by: witness-agent setup --undo)`,
    ...lines,
    `${indent}# keepalived-witness end`,
  ].map((line) => Buffer.from(line + lineEnd, 'utf8').toString('latin1'))
}

/** That of the row itself; the last row of a file may have none. */
function lineEndAt(rows: readonly string[], row: number): string {
  const text = [rows[row], rows[row - 1]].find((candidate) => candidate?.endsWith('\n') === true)
  return text?.endsWith('\r\n') === true ? '\r\n' : '\n'
}
