/** The live picture on a terminal: what the witness says of its cluster, what happens, and which keys there are. */
import { renderStatus } from '../../server/witnessctl/status-text.ts'
import type { Paint } from '../../server/witnessctl/paint.ts'
import type { ClusterView } from '../../shared/protocol/view.ts'
import { renderHappening, type Happening } from './happening.ts'
import type { Switch } from './pair.ts'

export interface Picture {
  /** Null: the witness does not answer. */
  readonly view: ClusterView | null
  readonly happenings: readonly Happening[]
  readonly switches: readonly Switch[]
  /** How to look at the same pair with witnessctl. */
  readonly witnessctl: string
}

const enter = '\u001b[?1049h\u001b[?25l'
const leave = '\u001b[?25h\u001b[?1049l'
const home = '\u001b[H'
const restOfLine = '\u001b[K'
const restOfScreen = '\u001b[J'

/** The whole screen is this program's until it ends, in whatever way. */
export function takeScreen(output: NodeJS.WriteStream): void {
  output.write(enter)
  process.on('exit', () => output.write(leave))
}

export function drawScreen(output: NodeJS.WriteStream, picture: Picture, paint: Paint): void {
  const { columns, rows } = output
  const status = statusLines(picture, paint)
  const keys = keyLines(picture.switches, paint)
  const room = Math.max(0, rows - status.length - keys.length - 1)
  const events = picture.happenings.slice(-room).map((one) => renderHappening(one, paint))
  const lines = [...status, paint('EVENTS', 'bold'), ...events]
  const filled = [...lines, ...Array<string>(Math.max(0, rows - 1 - lines.length)).fill('')].slice(
    0,
    rows - 1,
  )
  const text = [...filled, keys].map((line) => cutTo(line, columns) + restOfLine).join('\r\n')
  output.write(home + text + restOfScreen)
}

function statusLines({ view, happenings, witnessctl }: Picture, paint: Paint): string[] {
  const status =
    view === null ? [paint('The witness does not answer.', 'red'), ''] : renderStatus(view, paint).split('\n')
  const noIcmp = happenings.find(({ event }) => event === 'icmp-impossible')
  return [
    ...status,
    ...(noIcmp === undefined
      ? []
      : [`Without ICMP, which the witness needs for no decision: ${noIcmp.text}`, '']),
    witnessctl,
    '',
  ]
}

/** What is cut or dead is red. */
function keyLines(switches: readonly Switch[], paint: Paint): string[] {
  const named = (kind: Switch['kind']): string[] =>
    switches
      .filter((one) => one.kind === kind)
      .map(({ key, name, isOff }) => `${paint(key, 'bold')} ${isOff() ? paint(name, 'red') : name}`)
  return [
    ['cut: ', ...named('link'), '', `${paint('h', 'bold')} heal all`, `${paint('q', 'bold')} quit`].join(
      '  ',
    ),
    ['kill:', ...named('program')].join('  '),
  ]
}

/** Colour does not count. */
function cutTo(line: string, columns: number): string {
  // eslint-disable-next-line no-control-regex
  const parts = line.split(/(\u001b\[\d+m)/)
  let left = columns
  return parts
    .map((part, index) => {
      if (index % 2 === 1) return part
      const shown = part.slice(0, left)
      left -= shown.length
      return shown
    })
    .join('')
}
