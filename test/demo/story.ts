/**
 * What happened in one run, as a list of facts in the order of time, from the observer's record of the kernels'
 * addresses and from the events that the witness keeps. Pure; the words are in texts-….ts.
 */
import type { EventView } from '../../shared/protocol/view.ts'
import { instance, nodes, peerOf, type LabNode } from '../lab/address-plan.ts'
import { type MeasuredRun } from '../lab/measured-run.ts'
import { type OwnershipChange } from '../lab/vip-ownership.ts'
import { type Attempt } from '../lab/web-client.ts'

/** Who acts. */
export type Actor = 'firewall' | 'client' | 'witness' | 'both' | LabNode | `${LabNode} agent`

export type Fact =
  | { readonly kind: 'blocked' | 'admitted' }
  /** `beside`: the other node has the VIP too. */
  | { readonly kind: 'takes-vip'; readonly beside: LabNode | null }
  /** `heldMs`: since it took the VIP; `settled`: because it heard the other node again over VRRP. */
  | {
      readonly kind: 'loses-vip'
      readonly heldMs: number | null
      readonly beside: LabNode | null
      readonly settled: boolean
    }
  /** The block ends while both have the VIP. */
  | { readonly kind: 'still-split'; readonly forMs: number }
  | { readonly kind: 'gives-up'; readonly to: LabNode }
  | { readonly kind: 'sees-two'; readonly loser: LabNode }
  | { readonly kind: 'proof'; readonly rung: string; readonly tookMs: number }
  | { readonly kind: 'sees-one'; readonly holder: LabNode }
  | { readonly kind: 'announces'; readonly rival: LabNode }
  | { readonly kind: 'starts-again' }
  | { readonly kind: 'back-in' }
  /** While two nodes have the VIP, answers come from the one that came second. */
  | { readonly kind: 'other-answers'; readonly node: LabNode }
  /** `toTheEnd`: nobody had answered when the watch ended. */
  | { readonly kind: 'dark'; readonly forMs: number; readonly toTheEnd: boolean }
  /** Something else that the operator of the witness should know, in the words of the event. */
  | { readonly kind: 'event'; readonly text: string }

export interface StoryLine {
  readonly atMs: number
  readonly actor: Actor
  readonly fact: Fact
}

export function storyOf(run: MeasuredRun, attempts: readonly Attempt[]): StoryLine[] {
  const { fault, healed } = run.spans
  return [
    { atMs: fault.fromMs, actor: 'firewall' as const, fact: { kind: 'blocked' as const } },
    ...ownershipLines(run),
    ...run.events.flatMap((event) => eventLine(event, run)),
    ...stillSplit(run),
    ...clientLines(run, attempts),
    { atMs: healed.fromMs, actor: 'firewall' as const, fact: { kind: 'admitted' as const } },
  ]
    .filter(({ atMs }) => atMs >= fault.fromMs && atMs <= healed.toMs)
    .sort((one, other) => one.atMs - other.atMs)
}

function ownershipLines({ changes, arbiter, spans }: MeasuredRun): StoryLine[] {
  const since: Record<LabNode, number | null> = { lb01: null, lb02: null }
  return [...changes]
    .sort((one, other) => one.atMs - other.atMs)
    .map(({ node, has, atMs }: OwnershipChange) => {
      const other = peerOf(node)
      const beside = since[other] === null ? null : other
      const tookAtMs = since[node]
      since[node] = has ? atMs : null
      const fact: Fact = has
        ? { kind: 'takes-vip', beside }
        : {
            kind: 'loses-vip',
            heldMs: tookAtMs === null ? null : atMs - tookAtMs,
            beside,
            settled: arbiter === 'none' && atMs >= spans.healed.fromMs,
          }
      return { atMs, actor: node, fact }
    })
}

function stillSplit({ fault, spans, changes }: MeasuredRun): StoryLine[] {
  if (fault.ownersAtEnd.length < 2) return []
  const taken = changes.filter(({ has, atMs }) => has && atMs <= spans.fault.toMs)
  const splitAtMs = Math.max(...taken.map(({ atMs }) => atMs))
  // Comes before the end of the block, so that the reader learns which state the end meets.
  const atMs = spans.fault.toMs - 1
  return [{ atMs, actor: 'both', fact: { kind: 'still-split', forMs: spans.fault.toMs - splitAtMs } }]
}

/** A page takes 2 ms and is fetched every 20: shorter than this nobody notices. */
const darkAtLeastMs = 100

function clientLines({ spans }: MeasuredRun, attempts: readonly Attempt[]): StoryLine[] {
  const within = attempts.filter(({ atMs }) => atMs >= spans.fault.fromMs && atMs < spans.healed.toMs)
  const lines: StoryLine[] = []
  let answers: string | null = 'lb01'
  let darkSinceMs: number | null = null
  const endDark = (atMs: number, toTheEnd: boolean): void => {
    if (darkSinceMs === null) return
    const forMs = atMs - darkSinceMs
    if (forMs >= darkAtLeastMs)
      lines.push({ atMs: darkSinceMs, actor: 'client', fact: { kind: 'dark', forMs, toTheEnd } })
    darkSinceMs = null
  }
  for (const { atMs, answeredBy } of within) {
    if (answeredBy === null) {
      darkSinceMs ??= atMs
      continue
    }
    endDark(atMs, false)
    const node = nodes.find((each) => each === answeredBy)
    if (node !== undefined && node !== answers)
      lines.push({ atMs, actor: 'client', fact: { kind: 'other-answers', node } })
    answers = answeredBy
  }
  endDark(spans.healed.toMs, true)
  return lines
}

function eventLine(event: EventView, run: MeasuredRun): StoryLine[] {
  const atMs = Date.parse(event.at)
  const node = nodes.find((each) => each === event.node) ?? null
  const line = (actor: Actor, fact: Fact): StoryLine[] => [{ atMs, actor, fact }]
  if (node !== null) {
    const agent = `${node} agent` as const
    const peer = peerOf(node)
    switch (event.event) {
      case 'agent.fencing':
        return line(agent, { kind: 'gives-up', to: peer })
      case 'agent.fenced':
        return line(agent, proof(run, node, event))
      case 'agent.rival-gone':
        return line(agent, { kind: 'announces', rival: peer })
      case 'agent.rejoining':
        return line(agent, { kind: 'starts-again' })
      case 'agent.rejoined':
        return line(agent, { kind: 'back-in' })
      case 'situation.normal':
        return line('witness', { kind: 'sees-one', holder: node })
      default:
    }
  }
  if (event.event === 'situation.dual-master') {
    const holder = event.evidence.holder
    const loser = nodes.find((each) => each !== holder) ?? 'lb02'
    return line('witness', { kind: 'sees-two', loser })
  }
  if (event.level === 'info') return []
  return line(node === null ? 'witness' : `${node} agent`, { kind: 'event', text: event.text })
}

/**
 * The agent's own measurement, from its report at the end of the fault; if there is none, the one in the text of its
 * event.
 */
function proof({ faultEnd }: MeasuredRun, node: LabNode, event: EventView): Fact {
  const reported = faultEnd.view?.nodes.find((each) => each.node === node)?.instances
  const fence = reported?.find((each) => each.instance === instance)?.fence
  return fence?.result === 'proved'
    ? { kind: 'proof', rung: fence.rung, tookMs: fence.tookMs }
    : { kind: 'event', text: event.text }
}
