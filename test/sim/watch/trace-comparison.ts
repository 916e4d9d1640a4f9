/** Compares a model with a trace: it must do the same, in the same order, at nearly the same times. */
import {
  type KeepalivedTrace,
  type TraceNode,
  traceNodes,
  type TraceSight,
} from '../models/keepalived-trace.ts'
import { type Sight } from '../run/trace-replay.ts'

/**
 * Each channel has an observer of its own in a recording, so only the order within one channel is certain. `adverts`
 * has those of the node's own priority, in rounds; `farewells` each of priority 0.
 */
const channels = {
  fifo: (sight: TraceSight) => sight.startsWith('fifo'),
  vip: (sight: TraceSight) => sight.startsWith('vip'),
  adverts: (sight: TraceSight) => sight.startsWith('advert') && sight !== 'advert 0',
  farewells: (sight: TraceSight) => sight === 'advert 0',
  garp: (sight: TraceSight) => sight === 'garp',
  end: (sight: TraceSight) => sight === 'gone',
} as const
type Channel = keyof typeof channels

/**
 * What comes together counts once. Adverts: if a MASTER hears a lower one when its own advert is due, it is chance
 * whether it sends one or two. GARP: as the recorder counts them.
 */
const roundMs: Readonly<Record<Channel, number>> = {
  fifo: 0,
  vip: 0,
  adverts: 30,
  farewells: 0,
  garp: 300,
  end: 0,
}

/** What happens this close to the end of a recording may be in one of the two and not in the other. */
const endMs = 150

export interface Comparison {
  /** The first difference of each channel, for people; empty: none. */
  readonly differences: readonly string[]
  /** By how much the model was later, for everything that both did. */
  readonly offsetsMs: readonly number[]
}

export function compareWithTrace(
  trace: KeepalivedTrace,
  modelled: readonly Sight[],
  options: { toleranceMs: number },
): Comparison {
  const untilMs = trace.durationMs - endMs
  const recorded = trace.seen.map(([atMs, node, sight]): Sight => ({ atMs, node, sight }))
  const all = traceNodes.flatMap((node) =>
    (Object.keys(channels) as Channel[]).map((channel) =>
      compare(
        `${node} ${channel}`,
        { real: select(recorded, node, channel), model: select(modelled, node, channel) },
        { ...options, untilMs },
      ),
    ),
  )
  return {
    differences: all.flatMap((each) => each.differences),
    offsetsMs: all.flatMap((each) => each.offsetsMs),
  }
}

function select(sights: readonly Sight[], node: TraceNode, channel: Channel): Sight[] {
  const chosen: Sight[] = []
  let lastMs = -Infinity
  for (const each of sights) {
    if (each.node !== node || !channels[channel](each.sight)) continue
    if (each.atMs - lastMs >= roundMs[channel]) chosen.push(each)
    lastMs = each.atMs
  }
  return chosen
}

function compare(
  where: string,
  { real, model }: { real: readonly Sight[]; model: readonly Sight[] },
  options: { toleranceMs: number; untilMs: number },
): Comparison {
  const offsetsMs: number[] = []
  for (let at = 0; at < Math.max(real.length, model.length); at++) {
    const one = real[at]
    const other = model[at]
    if (Math.min(one?.atMs ?? Infinity, other?.atMs ?? Infinity) > options.untilMs) break
    if (one?.sight !== other?.sight || one === undefined || other === undefined)
      return { differences: [`${where}: ${said(one)} became ${said(other)} in the model`], offsetsMs }
    const offMs = other.atMs - one.atMs
    if (Math.abs(offMs) > options.toleranceMs)
      return {
        differences: [`${where}: ${said(one)} is ${Math.round(offMs)} ms off in the model`],
        offsetsMs,
      }
    offsetsMs.push(offMs)
  }
  return { differences: [], offsetsMs }
}

function said(sight: Sight | undefined): string {
  return sight === undefined ? 'nothing' : `"${sight.sight}" at ${sight.atMs.toFixed(1)}`
}
