/** Where two texts part, for a reader: the first lines that are not the same. */

const linesShown = 12

/** @returns null where both are the same */
export function firstDifference(golden: string, now: string): string | null {
  if (golden === now) return null
  const [before, after] = [golden.split('\n'), now.split('\n')]
  const from = before.findIndex((line, index) => line !== after[index])
  const first = from === -1 ? before.length : from
  const tail = commonTail(before.slice(first), after.slice(first))
  const show = (lines: readonly string[], sign: string): string[] => {
    const changed = lines.slice(first, lines.length - tail)
    const rest = changed.length > linesShown ? [`${sign} … ${changed.length - linesShown} more lines`] : []
    return [...changed.slice(0, linesShown).map((line) => `${sign} ${line}`), ...rest]
  }
  return [`from line ${first + 1} on:`, ...show(before, '-'), ...show(after, '+')].join('\n')
}

function commonTail(one: readonly string[], other: readonly string[]): number {
  let length = 0
  while (length < Math.min(one.length, other.length) && one.at(-1 - length) === other.at(-1 - length))
    length++
  return length
}
