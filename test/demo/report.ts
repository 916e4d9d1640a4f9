/** The demo's result as text for a terminal of 80 columns. Pure. */
import { type LabNode, nodes } from '../lab/address-plan.ts'
import { type MeasuredRun } from '../lab/measured-run.ts'
import { type Attempt } from '../lab/web-client.ts'
import { type Colour, type Paint, printable } from '../../server/witnessctl/paint.ts'
import { displayWidth, padTo, wrap } from './display-width.ts'
import { durationText } from './duration.ts'
import { type StoryLine, storyOf } from './story.ts'
import { type Texts } from './texts.ts'
import { type ClientCell, clientRow, type Grid, labels, type OwnerCell, ownerRow, ruler } from './timeline.ts'
import { type Broken, brokenPromises, loserState } from './verdict.ts'

export const reportWidth = 79
const labelWidth = 8
const beforeMs = 1000
const columnMs = 1000 / 3

export interface Shown {
  readonly run: MeasuredRun
  readonly attempts: readonly Attempt[]
}

export interface Report {
  readonly text: string
  readonly broken: readonly Broken[]
}

export function reportOf(pairs: { alone: Shown; witness: Shown }, texts: Texts, paint: Paint): Report {
  const { alone, witness } = pairs
  const broken = brokenPromises({ alone: alone.run, witness: witness.run })
  const lines = [
    ...texts.legend.split('\n').flatMap((line) => wrap(line, reportWidth)),
    '',
    ...chapter(texts.chapters.alone, alone, texts, paint),
    ...chapter(texts.chapters.witness, witness, texts, paint),
    ...wrap(texts.sources, reportWidth),
    '',
    paint(texts.chapters.compared, 'bold'),
    ...comparison(alone.run, witness.run, texts, paint),
    '',
    ...wrap(texts.loserStory(loserState(witness.run)), reportWidth),
    '',
    ...(broken.length === 0
      ? wrap(texts.proved, reportWidth).map((line) => paint(line, 'green'))
      : [
          paint(texts.broken, 'red'),
          ...broken.flatMap((each) => hanging('  - ', printable(texts.brokenPromise(each)))),
        ]),
  ]
  return { text: lines.join('\n'), broken }
}

function chapter(title: string, shown: Shown, texts: Texts, paint: Paint): string[] {
  return [paint(title, 'bold'), ...timeline(shown, texts, paint), '', ...story(shown, texts, paint), '']
}

const ownerGlyphs: Readonly<Record<OwnerCell, string>> = { whole: '█', part: '▌', none: '·' }
const clientGlyphs: Readonly<Record<ClientCell, string>> = {
  lb01: '1',
  lb02: '2',
  both: '*',
  dark: '!',
  none: ' ',
}
const clientColours: Readonly<Record<ClientCell, Colour | null>> = {
  lb01: 'green',
  lb02: 'yellow',
  both: 'red',
  dark: 'red',
  none: null,
}

export function timeline({ run, attempts }: Shown, texts: Texts, paint: Paint): string[] {
  const { fault, healed } = run.spans
  const span = healed.toMs - fault.fromMs + beforeMs
  const grid: Grid = {
    fromMs: fault.fromMs - beforeMs,
    zeroAtMs: fault.fromMs,
    columnMs,
    columns: Math.min(reportWidth - labelWidth, Math.floor(span / columnMs)),
  }
  const row = (label: string, cells: string): string => `${padTo(label, labelWidth)}${cells}`.trimEnd()
  const marks = [
    { atMs: fault.fromMs, label: `↓ ${texts.marks.blocked}` },
    { atMs: healed.fromMs, label: `↓ ${texts.marks.admitted}` },
  ]
  const owners = (node: LabNode): string =>
    paintRow(
      ownerRow(run.changes, node, grid),
      (cell) => ownerGlyphs[cell],
      (cell) => (cell === 'none' ? null : node === 'lb01' ? 'green' : 'red'),
      paint,
    )
  return [
    row('', labels(grid, marks)),
    ...nodes.map((node) => row(node, owners(node))),
    row(
      texts.client,
      paintRow(
        clientRow(attempts, grid),
        (cell) => clientGlyphs[cell],
        (cell) => clientColours[cell],
        paint,
      ),
    ),
    row('', ruler(grid, 5000, ' s')),
  ]
}

/** Neighbouring cells of one colour are painted together. */
function paintRow<Cell>(
  cells: readonly Cell[],
  glyph: (cell: Cell) => string,
  colour: (cell: Cell) => Colour | null,
  paint: Paint,
): string {
  const runs: { colour: Colour | null; text: string }[] = []
  for (const cell of cells) {
    const last = runs.at(-1)
    if (last?.colour === colour(cell)) last.text += glyph(cell)
    else runs.push({ colour: colour(cell), text: glyph(cell) })
  }
  return runs.map((part) => (part.colour === null ? part.text : paint(part.text, part.colour))).join('')
}

function story({ run, attempts }: Shown, texts: Texts, paint: Paint): string[] {
  const actorWidth = Math.max(...Object.values(texts.actors).map(displayWidth))
  return storyOf(run, attempts).flatMap((line) => {
    const at = `+${((line.atMs - run.spans.fault.fromMs) / 1000).toFixed(3)} s`.padStart(10)
    const head = `${at}  ${padTo(texts.actors[line.actor], actorWidth)}  `
    const colour = colourOf(line)
    const [first = '', ...rest] = hanging(head, printable(texts.fact(line.fact)))
    const coloured = (text: string): string => (colour === null ? text : paint(text, colour))
    const shown = `${head}${coloured(first.slice(head.length))}`
    return [shown, ...rest.map(coloured)]
  })
}

function colourOf({ fact, actor }: StoryLine): Colour | null {
  switch (fact.kind) {
    case 'takes-vip':
      return fact.beside === null ? null : 'red'
    case 'still-split':
    case 'dark':
    case 'event':
      return 'red'
    case 'loses-vip':
      return fact.settled ? null : 'green'
    case 'sees-two':
    case 'other-answers':
      return 'yellow'
    case 'proof':
    case 'sees-one':
      return 'green'
    case 'blocked':
    case 'admitted':
      return actor === 'firewall' ? 'bold' : null
    case 'gives-up':
    case 'announces':
    case 'starts-again':
    case 'back-in':
      return null
  }
}

/** `head` goes before the first line, and as much space before the others. */
export function hanging(head: string, text: string): string[] {
  const indent = displayWidth(head)
  return wrap(text, reportWidth - indent).map((line, at) => (at === 0 ? head : ' '.repeat(indent)) + line)
}

function comparison(alone: MeasuredRun, witness: MeasuredRun, texts: Texts, paint: Paint): string[] {
  const { table, pair } = texts
  const owner = ({ fault }: MeasuredRun): string =>
    fault.ownersAtEnd.length === 2 ? table.both : (fault.ownersAtEnd[0] ?? table.nobody)
  const rows: [string, (run: MeasuredRun) => string][] = [
    [table.overlap, ({ whole }) => durationText(whole.overlapMs)],
    [table.owner, owner],
    [table.outage, ({ whole }) => durationText(whole.outageMs)],
    [table.wrong, ({ fault }) => table.of(fault.wrongAnswers, fault.answers)],
    [table.darkDuring, ({ fault }) => durationText(fault.longestDarkMs)],
    [table.darkAfter, ({ healed }) => durationText(healed.longestDarkMs)],
  ]
  const firstWidth = 2 + Math.max(...rows.map(([label]) => displayWidth(label)))
  const columnWidth = 2 + Math.max(...[pair.none, pair.witness].map(displayWidth))
  const line = (label: string, ofAlone: string, ofWitness: string): string =>
    `${padTo(label, firstWidth)}${padTo(ofAlone, columnWidth)}${ofWitness}`
  return [
    line('', pair.none, pair.witness),
    ...rows.map(([label, value], at) =>
      at === 0
        ? line(label, value(alone), value(witness)).replace(value(witness), (text) => paint(text, 'bold'))
        : line(label, value(alone), value(witness)),
    ),
  ]
}
