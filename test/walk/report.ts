/** A walk in words. */
import type { Bounds, Outcome } from './walk.ts'
import { faultKinds } from './choices.ts'

const ends = {
  complete: 'complete: every state within the bounds was visited',
  depth: 'ended at the bound of depth: every way up to it was taken',
  time: 'ended by time: every way shorter than the last depth was taken',
  finding: 'ended at a violation',
} as const

export function describeWalk(
  bounds: Bounds,
  outcome: Outcome,
  cost: { tookMs: number; memoryMb: number },
): string {
  const { states, transitions, healed, depth, end, finding } = outcome
  const kinds = bounds.kinds.size === faultKinds.length ? 'all kinds' : [...bounds.kinds].join(', ')
  const only = bounds.only === null ? '' : `, only ${bounds.only.join(', ')}`
  const lines = [
    `faults      ${bounds.faults} (${kinds}${only}), from ${bounds.from}`,
    `states      ${states}`,
    `transitions ${transitions}`,
    `healed      ${healed}`,
    `depth       ${depth}`,
    `time        ${(cost.tookMs / 1000).toFixed(1)} s, ${Math.round(transitions / (cost.tookMs / 1000))} transitions a second`,
    `memory      ${cost.memoryMb} MB`,
    ends[end],
  ]
  if (finding === null) return lines.join('\n')
  const path = finding.path.map((name, index) => `${String(index + 1).padStart(4)}  ${name}`)
  return [...lines, '', `VIOLATION  ${finding.text}`, ...path].join('\n')
}
