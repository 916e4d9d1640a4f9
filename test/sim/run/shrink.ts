/** Makes a schedule that breaks something as small and as plain as possible, as long as it still breaks it. */
import type { Schedule, Setup } from '../faults/schedule.ts'

export interface Shrinking {
  /** Whether the schedule still breaks what it broke. */
  readonly breaks: (schedule: Schedule) => Promise<boolean>
  /**
   * A shorter schedule draws its chance differently, so each candidate is tried with its own seed and with others, this
   * many in all.
   */
  readonly tries: number
  readonly tell?: (schedule: Schedule, share: Share) => void
}

/** In how many of the seeds that were tried the schedule breaks it. */
export interface Share {
  readonly broken: number
  readonly tried: number
}

export interface Shrunk {
  /** The schedule with a seed that breaks it; if the given seed breaks nothing, the schedule as it was given. */
  readonly schedule: Schedule
  readonly share: Share
}

type Simplification = (schedule: Schedule) => readonly Schedule[]

export async function shrink(whole: Schedule, shrinking: Shrinking): Promise<Shrunk> {
  let best = await judge(whole, shrinking, 1)
  if (best.share.broken === 0) return best
  for (let before: Schedule | null = null; before !== best.schedule;) {
    before = best.schedule
    for (const simplification of simplifications) best = await exhaust(simplification, best, shrinking)
  }
  return judge(best.schedule, shrinking, Infinity)
}

async function exhaust(simplification: Simplification, from: Shrunk, shrinking: Shrinking): Promise<Shrunk> {
  let best = from
  let candidates = [...simplification(best.schedule)]
  for (;;) {
    const next = candidates.shift()
    if (next === undefined) return best
    const wanted = leastShare(best.share, shrinking)
    const judged = await judge(next, shrinking, wanted)
    if (judged.share.broken < wanted) continue
    best = judged
    shrinking.tell?.(best.schedule, best.share)
    candidates = [...simplification(best.schedule)]
  }
}

/** What breaks often must not become rare, or the kept scenario would soon show nothing. */
function leastShare({ broken }: Share, { tries }: Shrinking): number {
  return Math.max(1, Math.min(broken, Math.floor(tries / 4)))
}

/** How many seeds are tried in parallel. */
const atOnce = 4

/**
 * Tries only as many seeds as it takes to know whether enough of them break, or a quarter of all if more are wanted
 * later.
 */
async function judge(schedule: Schedule, { breaks, tries }: Shrinking, wanted: number): Promise<Shrunk> {
  const others = Array.from({ length: tries }, (_, index) => index + 1).filter(
    (seed) => seed !== schedule.seed,
  )
  const candidates = [schedule.seed, ...others.slice(0, tries - 1)].map((seed) => ({ ...schedule, seed }))
  const enough = Math.max(wanted, Math.floor(tries / 4))
  let broken = 0
  let tried = 0
  let found: Schedule | null = null
  while (tried < tries && broken < enough && (wanted === Infinity || broken + tries - tried >= wanted)) {
    const batch = candidates.slice(tried, tried + atOnce)
    const broke = await Promise.all(batch.map((candidate) => breaks(candidate)))
    found ??= batch.find((_, index) => broke[index] === true) ?? null
    broken += broke.filter(Boolean).length
    tried += batch.length
  }
  return { schedule: found ?? schedule, share: { broken, tried } }
}

function withEpisodes(schedule: Schedule, episodes: Schedule['episodes']): Schedule {
  return { ...schedule, episodes }
}

/** Halves first, then one by one. */
const fewerEpisodes: Simplification = (schedule) => {
  const { episodes } = schedule
  if (episodes.length < 2) return []
  const middle = Math.ceil(episodes.length / 2)
  const without = episodes.map((_, left) => episodes.filter((_, index) => index !== left))
  return [episodes.slice(middle), episodes.slice(0, middle), ...without].map((some) =>
    withEpisodes(schedule, some),
  )
}

const fewerFaults: Simplification = (schedule) =>
  schedule.episodes.flatMap(({ atMs, faults }, at) =>
    faults.length < 2
      ? []
      : faults.map((_, left) =>
          withEpisodes(
            schedule,
            schedule.episodes.with(at, { atMs, faults: faults.filter((_, index) => index !== left) }),
          ),
        ),
  )

const plain: Setup = {
  priorities: [150, 100],
  nopreempt: false,
  fence: 'stop',
  gate: 'open',
  naming: 'same',
  ratesPpm: [0, 0, 0],
  startsAtMs: [0, 0, 0],
  install: null,
  delegateAfterMs: 300_000,
  app: null,
  downTimerAdverts: 3,
}

/** All at once, then property by property, then host by host. */
const plainerSetup: Simplification = (schedule) => {
  const { setup } = schedule
  const hostByHost = (['ratesPpm', 'startsAtMs'] as const).flatMap((name) =>
    [0, 1, 2].map((index): Setup => ({ ...setup, [name]: setup[name].with(index, 0) })),
  )
  const properties = Object.entries(plain).map(([name, value]): Setup => ({ ...setup, [name]: value }))
  return [plain, ...properties, ...hostByHost].flatMap((plainer) =>
    JSON.stringify(plainer) === JSON.stringify(setup) ? [] : [{ ...schedule, setup: plainer }],
  )
}

const shortestFaultMs = 100

const rounderTimes: Simplification = (schedule) =>
  schedule.episodes.flatMap(({ atMs, faults }, at) =>
    faults.flatMap((fault, index) =>
      [
        ...simplerThan(fault.afterMs, 0).map((afterMs) => ({ ...fault, afterMs })),
        ...simplerThan(fault.lastsMs, shortestFaultMs).map((lastsMs) => ({ ...fault, lastsMs })),
      ].map((simpler) =>
        withEpisodes(schedule, schedule.episodes.with(at, { atMs, faults: faults.with(index, simpler) })),
      ),
    ),
  )

/** An episode may begin before the cluster has ever been calm; that is a different case, and a shorter one. */
const earliestEpisodeMs = 5000
const hourMs = 3_600_000
/** What a schedule's hours are rounded up to. */
const hoursGrain = 100

const tighterCalendar: Simplification = (schedule) => {
  const { episodes } = schedule
  const lastMs = Math.max(0, ...episodes.map(({ atMs }) => atMs))
  const hours = Math.max(1, Math.ceil((lastMs / hourMs) * hoursGrain)) / hoursGrain
  return [
    ...(hours < schedule.hours ? [{ ...schedule, hours }] : []),
    ...episodes.flatMap(({ atMs, faults }, at) => {
      // Not before the episode that it follows.
      const least = Math.max(earliestEpisodeMs, episodes[at - 1]?.atMs ?? 0)
      return simplerThan(atMs, least).map((simpler) =>
        withEpisodes(schedule, episodes.with(at, { atMs: simpler, faults })),
      )
    }),
  ]
}

const simplifications: readonly Simplification[] = [
  fewerEpisodes,
  fewerFaults,
  plainerSetup,
  tighterCalendar,
  rounderTimes,
]

const unitsMs = [10_000, 5000, 1000, 500, 100, 10, 1] as const

/** The index of the largest unit that divides it: the smaller, the rounder. */
function roughness(valueMs: number): number {
  if (valueMs === 0) return -1
  const found = unitsMs.findIndex((unitMs) => valueMs % unitMs === 0)
  return found === -1 ? unitsMs.length : found
}

/** Rounder times, and shorter ones that are as round; none below `leastMs`. */
function simplerThan(valueMs: number, leastMs: number): number[] {
  const own = roughness(valueMs)
  const rounder = unitsMs.flatMap((unitMs) => [
    Math.floor(valueMs / unitMs) * unitMs,
    Math.ceil(valueMs / unitMs) * unitMs,
  ])
  const ownUnitMs = unitsMs[own] ?? 1
  const shorter = [leastMs, Math.floor(valueMs / 2 / ownUnitMs) * ownUnitMs, valueMs - ownUnitMs]
  const simpler = [...shorter, ...rounder].filter((otherMs) => {
    const other = roughness(otherMs)
    return otherMs >= leastMs && (other < own || (other === own && otherMs < valueMs))
  })
  return [...new Set(simpler)]
}
