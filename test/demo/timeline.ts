/** Who had the VIP and who answered the client, as rows of equally long columns of time. Pure. */
import { type LabNode } from '../lab/address-plan.ts'
import { type OwnershipChange, ownershipStretches } from '../lab/vip-ownership.ts'
import { type Attempt } from '../lab/web-client.ts'
import { displayWidth } from './display-width.ts'

/** All times are wall-clock times in ms. */
export interface Grid {
  readonly fromMs: number
  /** Where the ruler shows 0. */
  readonly zeroAtMs: number
  readonly columnMs: number
  readonly columns: number
}

/** Whether a node had the VIP for the whole column, for a part of it, or not at all. */
export type OwnerCell = 'whole' | 'part' | 'none'
/** Who answered the client in a column; `dark`: at least one attempt found nobody; `none`: there was no attempt. */
export type ClientCell = LabNode | 'both' | 'dark' | 'none'

export function ownerRow(changes: readonly OwnershipChange[], node: LabNode, grid: Grid): OwnerCell[] {
  return columns(grid).map(({ fromMs, toMs }) => {
    const hadMs = ownershipStretches(changes, { fromMs, toMs })
      .filter(({ owners }) => owners.includes(node))
      .reduce((sum, stretch) => sum + stretch.toMs - stretch.fromMs, 0)
    if (hadMs === 0) return 'none'
    // Floating-point times add up inexactly, so less than a microsecond missing does not count.
    return hadMs > toMs - fromMs - 0.001 ? 'whole' : 'part'
  })
}

export function clientRow(attempts: readonly Attempt[], grid: Grid): ClientCell[] {
  return columns(grid).map(({ fromMs, toMs }) => {
    const here = attempts.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
    if (here.length === 0) return 'none'
    const answerers = new Set(here.map(({ answeredBy }) => answeredBy))
    if (answerers.has(null)) return 'dark'
    if (answerers.size > 1) return 'both'
    return answerers.has('lb01') ? 'lb01' : 'lb02'
  })
}

function columns({ fromMs, columnMs, columns: count }: Grid): { fromMs: number; toMs: number }[] {
  return Array.from({ length: count }, (_, at) => ({
    fromMs: fromMs + at * columnMs,
    toMs: fromMs + (at + 1) * columnMs,
  }))
}

/** `0` and every `stepMs` after it, each number above the column it stands for. */
export function ruler(grid: Grid, stepMs: number, unit: string): string {
  const marks: Mark[] = []
  for (let atMs = 0; columnOf(grid, grid.zeroAtMs + atMs) < grid.columns; atMs += stepMs)
    marks.push({ atMs: grid.zeroAtMs + atMs, label: `${atMs / 1000}${unit}` })
  return labels(grid, marks)
}

export interface Mark {
  readonly atMs: number
  readonly label: string
}

/** Labels that begin at their columns; one that would run into the one before it is left out. */
export function labels(grid: Grid, marks: readonly Mark[]): string {
  let line = ''
  let width = 0
  for (const { atMs, label } of marks) {
    const column = columnOf(grid, atMs)
    const taken = width > 0 && column <= width
    if (taken || column < 0 || column + displayWidth(label) > grid.columns) continue
    line += ' '.repeat(column - width) + label
    width = column + displayWidth(label)
  }
  return line
}

function columnOf({ fromMs, columnMs }: Grid, atMs: number): number {
  return Math.floor((atMs - fromMs) / columnMs + 1e-9)
}
