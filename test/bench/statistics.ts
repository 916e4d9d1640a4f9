/** Summarises many values of one kind. Pure. */
export interface Statistics {
  readonly count: number
  readonly median: number
  readonly min: number
  readonly max: number
}

/** @throws Error if there is nothing to summarise. */
export function statisticsOf(values: readonly number[]): Statistics {
  const sorted = [...values].sort((one, other) => one - other)
  const [min] = sorted
  const max = sorted.at(-1)
  if (min === undefined || max === undefined) throw new Error('no values to summarise')
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? max
  const lower = sorted.length % 2 === 1 ? upper : (sorted[middle - 1] ?? upper)
  return { count: sorted.length, median: (lower + upper) / 2, min, max }
}

/** `1.23 [1.10–4.56]` */
export function rangeText({ median, min, max }: Statistics, digits: number): string {
  const text = (value: number): string => value.toFixed(digits)
  return `${text(median)} [${text(min)}–${text(max)}]`
}
