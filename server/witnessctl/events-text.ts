/** `witnessctl events`: one line per event, oldest first. */
import type { EventView } from '../../shared/protocol/view.ts'
import { printable, type Colour, type Paint } from './paint.ts'

const levelColours: Readonly<Record<EventView['level'], Colour | null>> = {
  info: null,
  warning: 'yellow',
  critical: 'red',
}

export function renderEvent(event: EventView, paint: Paint): string {
  const { at, level, cluster, node, instance, event: name, text, decision } = event
  const colour = levelColours[level]
  const word = level.padEnd('critical'.length)
  const place = [cluster, node, instance].filter((part) => part !== null).join(' ')
  return [
    // RFC 3339 with a space: easier on the eye, and still sorts.
    printable(at.replace('T', ' ')),
    colour === null ? word : paint(word, colour),
    paint(printable(place), 'bold'),
    printable(`${name}: ${text}${decision === null ? '' : ` [${decision}]`}`),
  ].join('  ')
}
