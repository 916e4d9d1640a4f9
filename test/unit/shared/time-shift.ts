/**
 * The same story at another time: every instant in a value moved by the same duration. Instants are known by their
 * names (`…AtMs`, `…UntilMs`, `…SinceMs`, and few others), as everywhere in this project.
 */

const instant = /^(atMs|asOfMs|echoMs|untilMs|sinceMs|deadlineMs)$|(At|Until|Since|Deadline)Ms$/

/** Of a mark, whose zero says that its promise has ended, and does not move. An infinite instant does not either. */
const markEnd = 'untilMs'

/** A copy of `value` with all its instants `byMs` later. Maps become lists of their entries. */
export function moved(value: unknown, byMs: number, isInstant = false): unknown {
  if (typeof value === 'number') return isInstant ? value + byMs : value
  if (value instanceof Map) return moved(Array.from<unknown>(value), byMs)
  if (Array.isArray(value)) return value.map((entry: unknown) => moved(entry, byMs, isInstant))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [
      key,
      key === markEnd && entry === 0 ? 0 : moved(entry, byMs, isInstant || instant.test(key)),
    ]),
  )
}
