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

// The alternate screen without cursor; the terminal cuts lines that are too long.
const enter = '\u001b[?1049h\u001b[?25l\u001b[?7l'
const leave = '\u001b[?7h\u001b[?25h\u001b[?1049l'
const home = '\u001b[H'
const restOfLine = '\u001b[K'
const restOfScreen = '\u001b[J'

/** The whole screen belongs to this program until it ends, in whatever way. */
export function takeScreen(output: NodeJS.WriteStream): void {
  output.write(enter)
  process.on('exit', () => output.write(leave))
}

export function drawScreen(output: NodeJS.WriteStream, picture: Picture, paint: Paint): void {
  const above = [...statusLines(picture, paint), paint('EVENTS', 'bold')]
  const below = keyLines(picture.switches, paint)
  const room = Math.max(0, output.rows - above.length - below.length)
  const events = picture.happenings.slice(-room).map((one) => renderHappening(one, paint))
  const gap = Array<string>(Math.max(0, room - events.length)).fill('')
  const lines = [...above, ...events, ...gap].slice(0, output.rows - below.length)
  output.write(home + [...lines, ...below].join(`${restOfLine}\r\n`) + restOfScreen)
}

function statusLines({ view, happenings, witnessctl }: Picture, paint: Paint): string[] {
  const noIcmp = happenings.find(({ event }) => event === 'icmp-impossible')
  return [
    ...(view === null
      ? [paint('The witness does not answer.', 'red'), '']
      : renderStatus(view, paint).split('\n')),
    ...(noIcmp === undefined ? [] : [`No ICMP, which the witness can do without: ${noIcmp.text}`]),
    `In another terminal: ${witnessctl}`,
    '',
  ]
}

/** What is cut or dead is red. */
function keyLines(switches: readonly Switch[], paint: Paint): string[] {
  const line = (kind: Switch['kind'], ...more: string[]): string => {
    const mine = switches.filter((one) => one.kind === kind)
    const keys = mine.map(
      (one) => `${paint(one.key, 'bold')} ${one.isOff() ? paint(one.name, 'red') : one.name}`,
    )
    return [kind === 'link' ? 'cut: ' : 'kill:', ...keys, ...more].join('  ')
  }
  return [line('link', `${paint('h', 'bold')} heal all`, `${paint('q', 'bold')} quit`), line('program')]
}
