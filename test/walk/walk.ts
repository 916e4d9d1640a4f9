/**
 * Visits every state that can be reached within the bounds, nearest first, and asks of each what must hold. What it
 * finds is therefore the shortest way to a mistake.
 */
import { hashOf, keyOf } from './canonical.ts'
import { choicesOf, heal, next, quietStep, startState, type Faults } from './choices.ts'
import { ownerOf, Violation } from './invariants.ts'
import type { State } from './state.ts'

export interface Bounds extends Faults {
  /** How many faults may come on one way. */
  readonly faults: number
  /** How many choices a way may have: faults, their ends, and steps of time. */
  readonly depth: number
  readonly deadlineMs: number
  /** From everything's first start, or from when one node holds. */
  readonly from: 'start' | 'steady'
  /** Of so many states one is healed and watched until one node owns the VIP; 0: none. */
  readonly healEach: number
  readonly nowMs: () => number
}

export interface Finding {
  readonly text: string
  /** The choices that lead there. */
  readonly path: readonly string[]
}

export interface Outcome {
  readonly states: number
  readonly transitions: number
  readonly healed: number
  /** The longest way so far; all shorter ones are done. */
  readonly depth: number
  /** Why it ended: nothing is left, or a bound was reached. */
  readonly end: 'complete' | 'depth' | 'time' | 'finding'
  readonly finding: Finding | null
}

/** From everything healed to one owner: T_g, an election, and the hold-downs of a few fences before. */
const longestRecoverySteps = 160
/** How long one owner must stay one. */
const settledSteps = 3

interface Visit {
  readonly state: State
  readonly id: number
}

export function walk(bounds: Bounds): Outcome {
  const seen = new Set<number>()
  /** Of each state: where it was first reached from, and by which choice. */
  const parents: number[] = []
  const names: string[] = []
  const knownNames = new Map<string, string>()
  const recovered = new Set<number>()
  let transitions = 0
  let healed = 0
  let depth = 0

  const pathTo = (id: number): string[] => {
    const path: string[] = []
    for (let at = id; at > 0; at = parents[at] ?? 0) path.unshift(names[at] ?? '')
    return path
  }
  const remember = (state: State, parent: number, name: string): Visit | null => {
    const hash = hashOf(keyOf(state))
    if (seen.has(hash)) return null
    seen.add(hash)
    parents.push(parent)
    names.push(knownNames.get(name) ?? name)
    knownNames.set(name, name)
    return { state, id: parents.length - 1 }
  }
  const outcome = (end: Outcome['end'], finding: Finding | null = null): Outcome => ({
    states: seen.size,
    transitions,
    healed,
    depth,
    end,
    finding,
  })

  const root = remember({ ...rootState(bounds.from), faultsLeft: bounds.faults }, 0, '')
  let frontier = root === null ? [] : [root]
  while (frontier.length > 0) {
    if (depth >= bounds.depth) return outcome('depth')
    depth += 1
    const following: Visit[] = []
    for (const { state, id } of frontier) {
      if (bounds.nowMs() > bounds.deadlineMs) return outcome('time')
      for (const choice of choicesOf(state, bounds)) {
        transitions += 1
        const after = attempt(() => next(state, choice))
        if (after instanceof Violation)
          return outcome('finding', { text: after.message, path: [...pathTo(id), choice.name] })
        const visit = remember(after, id, choice.name)
        if (visit === null) continue
        following.push(visit)
        if (bounds.healEach === 0 || visit.id % bounds.healEach !== 0) continue
        healed += 1
        const finding = attempt(() => recover(after, recovered))
        if (finding instanceof Violation)
          return outcome('finding', {
            text: finding.message,
            path: [...pathTo(visit.id), '(every fault ends)'],
          })
      }
    }
    frontier = following
  }
  return outcome('complete')
}

function attempt<T>(deed: () => T): T | Violation {
  try {
    return deed()
  } catch (cause) {
    if (cause instanceof Violation) return cause
    throw cause
  }
}

function rootState(from: Bounds['from']): State {
  let state = startState()
  if (from === 'start') return state
  for (let count = 0; count < longestRecoverySteps; count++) {
    const after = quietStep(state)
    if (ownerOf(after) !== null && keyOf(after) === keyOf(state)) return after
    state = after
  }
  throw new Error('nobody holds steadily after a start without faults')
}

/** Every fault ends, and within bounds one node owns the VIP and keeps it. @throws Violation */
function recover(state: State, recovered: Set<number>): void {
  let now = heal(state)
  const way: number[] = []
  let owner: string | null = null
  let since = 0
  for (let count = 0; count < longestRecoverySteps; count++) {
    const hash = hashOf(keyOf(now))
    if (recovered.has(hash)) break
    way.push(hash)
    const name = ownerOf(now)?.name ?? null
    since = name !== null && name === owner ? since + 1 : 0
    owner = name
    if (since >= settledSteps) break
    if (count === longestRecoverySteps - 1)
      throw new Violation(
        `liveness: ${longestRecoverySteps} steps after every fault has ended nobody owns the VIP (${describe(now)})`,
      )
    now = quietStep(now)
  }
  for (const hash of way) recovered.add(hash)
}

function describe({ hosts: { lb01, lb02 }, arbiter }: State): string {
  const nodes = [lb01, lb02].map(
    ({ name, keepalived, vip, guard }) =>
      `${name}: ${keepalived}${vip ? ' with VIP' : ''}, ${guard?.phase.name ?? 'no agent'}`,
  )
  const pledge = [...(arbiter?.instances.values() ?? [])][0]?.voter.pledge.phase ?? 'none'
  return [...nodes, `witness: ${pledge}`].join('; ')
}
