/**
 * What goes wrong in a run, and when. It is drawn from the seed and is plain data, so that it can be kept, replayed and
 * shrunk.
 */
import { z } from 'zod'
import { Chance } from '../world/chance.ts'
import { namings, witnessHostName } from '../world/names.ts'
import { faultKinds, placesOf, type FaultKind } from './faults.ts'

const plannedFault = z.strictObject({
  kind: z.enum(faultKinds),
  /** A host; for paths `from>to`. */
  where: z.string(),
  /** From the beginning of its episode. */
  afterMs: z.number().min(0),
  lastsMs: z.number().min(0),
})
export type PlannedFault = z.infer<typeof plannedFault>

/** What hinders an installation. */
const install = z.strictObject({
  /** Paths (`from>to`) on which a packet filter drops TCP from `closedFromMs` on. */
  closed: z.array(z.string()),
  closedFromMs: z.number().min(0),
  disks: z.array(z.strictObject({ where: z.string(), condition: z.enum(['slow', 'full']) })),
  /** When keepalived starts on each node. */
  keepalivedAtMs: z.tuple([z.number(), z.number()]),
  /** Until then; later everything is as it should be. */
  untilMs: z.number().min(0),
})
export type Install = z.infer<typeof install>

const setup = z.strictObject({
  priorities: z.tuple([z.number().int(), z.number().int()]),
  nopreempt: z.boolean(),
  fence: z.enum(['stop', 'fault']),
  /** Properties that were added later have a default, so that scenarios kept before that stay valid. */
  gate: z.enum(['open', 'strict']).default('open'),
  naming: z.enum(namings).default('same'),
  /** The clock rates of lb01, lb02 and the witness relative to true time. */
  ratesPpm: z.tuple([z.number(), z.number(), z.number()]),
  /** How long after the beginning the hosts' programs start. */
  startsAtMs: z.tuple([z.number(), z.number(), z.number()]),
  /** keepalived serves from the beginning, and the agents are started for the first time later; null: they start together. */
  install: install.nullable().default(null),
  /** After what silence of the witness the standby delegates its vote; 0: never. */
  delegateAfterMs: z.number().int().min(0).default(300_000),
  /**
   * The admin's script on both nodes, which has a weight, and whether keepalived tells of the change of its priority;
   * null: there is none.
   */
  app: z.strictObject({ weight: z.number().int(), told: z.boolean() }).nullable().default(null),
  /** `down_timer_adverts` of both nodes. */
  downTimerAdverts: z.number().int().min(1).default(3),
})
export type Setup = z.infer<typeof setup>
/** What the number of the seed does not say, and what is not drawn by a chance of its own. */
type DrawnSetup = Omit<Setup, 'naming' | 'delegateAfterMs' | 'app' | 'downTimerAdverts'>

export const scheduleSchema = z.strictObject({
  seed: z.number().int(),
  hours: z.number().positive(),
  setup,
  episodes: z.array(
    z.strictObject({
      /** Time of the calendar; quiet stretches in between are skipped. */
      atMs: z.number().min(0),
      faults: z.array(plannedFault),
    }),
  ),
})
export type Schedule = z.infer<typeof scheduleSchema>
export type Episode = Schedule['episodes'][number]

/** Share of the runs that begin with an installation. */
const installs = 0.3
/** By then one of the two keepalived serves. */
const firstJoinMs = 5000
/** Or keepalived is started only after the agents. */
const lateStartMs = 8500
const installedMs = 15_000

const hourMs = 3_600_000
/** Share of the episodes that are ambushes. */
const ambushes = 0.3
/** The average number; each episode has one to three faults. */
const episodesPerHour = 4
/** The clocks of two hosts differ in rate by at most driftPpm (10 000) in all. */
const mostRatePpm = 4900

/** @param focus every second fault is of one of these kinds; empty: all kinds are equally likely */
export function drawSchedule(
  seed: number,
  chance: Chance,
  { hours, focus }: { hours: number; focus: readonly FaultKind[] },
): Schedule {
  const episodes: Episode[] = []
  const meanPauseMs = hourMs / episodesPerHour
  for (let atMs = chance.between(5000, 30_000); atMs < hours * hourMs;) {
    episodes.push({
      atMs: Math.round(atMs),
      faults: chance.happens(ambushes) ? drawAmbush(chance, focus) : drawFaults(chance, focus),
    })
    atMs += chance.between(0.2, 1.8) * meanPauseMs
  }
  // Of the seed itself, so that everything else that a seed draws stays as it was.
  const naming = namings[seed % (2 * namings.length)] ?? 'same'
  const delegateAfterMs = silences[seed % silences.length] ?? 300_000
  // Chances of their own, for the same reason.
  const witnessChance = new Chance(seed ^ 0x2c1b3c6d)
  const weightChance = new Chance(seed ^ 0x1f83d9ab)
  const setup = { ...drawSetup(chance), naming, delegateAfterMs, ...drawWeight(weightChance) }
  return {
    seed,
    hours,
    setup,
    episodes: episodes
      .map((episode) => darken(witnessChance, episode, setup))
      .map((episode) => weigh(weightChance, episode, setup)),
  }
}

/**
 * Both signs; enough to turn the order of the nodes, too little for it, and so much that keepalived cuts the sum off at
 * 1 and at 254.
 */
const weights = [-60, 60, -2, 2, -150, 150] as const
/** Share of the runs in which a script has a weight. */
const weighed = 0.5
/** Share of the episodes of those in which the script fails, alone or with the other faults. */
const weightFails = 0.5

function drawWeight(chance: Chance): Pick<Setup, 'app' | 'downTimerAdverts'> {
  const app = chance.happens(weighed) ? { weight: chance.pick(weights), told: chance.happens(0.5) } : null
  return { app, downTimerAdverts: chance.pick([3, 3, 3, 2, 5]) }
}

function weigh(chance: Chance, episode: Episode, { app }: Pick<Setup, 'app'>): Episode {
  if (app === null || !chance.happens(weightFails)) return episode
  const fails = (): PlannedFault => ({
    kind: 'weight-fails',
    where: chance.pick(placesOf('weight-fails')),
    afterMs: Math.round(chance.happens(0.4) ? 0 : chance.between(0, 6000)),
    lastsMs: Math.round(chance.happens(0.2) ? chance.between(20, 1500) : chance.between(1500, 20_000)),
  })
  const failures = chance.happens(0.25) ? [fails(), fails()] : [fails()]
  return { ...episode, faults: chance.happens(0.5) ? failures : [...episode.faults, ...failures] }
}

/**
 * In the world outside the witness is silent for minutes before a vote is delegated. Here it is seconds, in most runs, so
 * that an episode lasts long enough for it.
 */
const silences = [300_000, 2400, 2400, 6000, 0] as const
/** Share of the episodes in which the witness has long been silent. */
const darkEpisodes = 0.4
/** Share of those in which a disk is slow or full while the vote is delegated. */
const slowDelegations = 0.35

/** The witness is silent until the vote is delegated, or nearly so; then the other faults come. */
function darken(
  chance: Chance,
  episode: Episode,
  { delegateAfterMs }: Pick<Setup, 'delegateAfterMs'>,
): Episode {
  if (delegateAfterMs === 0 || delegateAfterMs > 10_000 || !chance.happens(darkEpisodes)) return episode
  const kind = chance.pick<FaultKind>(['kill-witness', 'freeze-witness', 'crash-host', 'isolate'])
  const silentMs = Math.round(delegateAfterMs + 400 + chance.between(-1000, 5000))
  const lastsMs = Math.round(silentMs + chance.between(0, 25_000))
  const silence: PlannedFault = { kind, where: witnessHostName, afterMs: 0, lastsMs }
  const later = episode.faults.map((fault) => ({ ...fault, afterMs: fault.afterMs + silentMs }))
  if (!chance.happens(slowDelegations)) return { atMs: episode.atMs, faults: [silence, ...later] }
  const disk = chance.pick<FaultKind>(['disk-slow', 'disk-slow', 'disk-full'])
  const hindered: PlannedFault = {
    kind: disk,
    where: chance.pick(placesOf('kill-agent')),
    afterMs: 0,
    lastsMs,
  }
  return { atMs: episode.atMs, faults: [silence, hindered, ...(chance.happens(0.3) ? [] : later)] }
}

function drawSetup(chance: Chance): DrawnSetup {
  const priorities = chance.pick<[number, number]>([
    [150, 100],
    [101, 100],
    [100, 100],
    [100, 200],
    [254, 100],
  ])
  const rate = (): number => Math.round(chance.between(-mostRatePpm, mostRatePpm))
  const start = (): number => Math.round(chance.happens(0.5) ? 0 : chance.between(0, 8000))
  const plain: DrawnSetup = {
    priorities,
    nopreempt: chance.happens(0.5),
    fence: chance.happens(0.5) ? 'stop' : 'fault',
    gate: chance.happens(0.25) ? 'strict' : 'open',
    ratesPpm: [rate(), rate(), rate()],
    startsAtMs: [start(), start(), start()],
    install: null,
  }
  return chance.happens(installs) ? drawInstall(chance, plain) : plain
}

/** The agents join at one moment or within seconds of each other, in either order, to a keepalived that serves. */
function drawInstall(chance: Chance, setup: DrawnSetup): DrawnSetup {
  const joinsAtMs = (): number =>
    Math.round(firstJoinMs + (chance.happens(0.4) ? 0 : chance.between(0, 3000)))
  const some = <T>(most: number, draw: () => T): T[] => Array.from({ length: chance.integer(0, most) }, draw)
  return {
    ...setup,
    startsAtMs: [joinsAtMs(), joinsAtMs(), chance.happens(0.7) ? 0 : joinsAtMs()],
    install: {
      closed: some(3, () => chance.pick(placesOf('cut-one-way'))),
      closedFromMs: Math.round(chance.happens(0.5) ? 0 : firstJoinMs + chance.between(0, 2500)),
      disks: some(2, () => ({
        where: chance.pick(placesOf('disk-slow')),
        condition: chance.happens(0.7) ? ('slow' as const) : ('full' as const),
      })),
      keepalivedAtMs: chance.happens(0.8) ? [0, 0] : [lateStartMs, lateStartMs],
      untilMs: installedMs,
    },
  }
}

/** A script with a weight fails only where there is one: `weigh`. */
const everydayKinds = faultKinds.filter((kind) => kind !== 'weight-fails') as [FaultKind, ...FaultKind[]]

/** After these the other node promotes itself, mostly 3 to 4 seconds later. */
const rivalries = [
  'vrrp-block',
  'vrrp-block-one-way',
  'cut-link',
  'isolate',
  'crash-host',
  'kill-keepalived',
] as const

/** Makes the two nodes rivals, and while one is about to claim, lets short faults hit those that have to vote. */
function drawAmbush(chance: Chance, focus: readonly FaultKind[]): PlannedFault[] {
  const kind = chance.pick<FaultKind>(rivalries)
  const lastsMs = Math.round(chance.between(4000, 12_000))
  const faults: PlannedFault[] = [{ kind, where: chance.pick(placesOf(kind)), afterMs: 0, lastsMs }]
  const blows = chance.integer(1, 3)
  for (let blow = 0; blow < blows; blow++) {
    const kind = drawKind(chance, focus)
    const longestMs = chance.happens(0.3) ? 5000 : 1500
    faults.push({
      kind,
      where: chance.pick(placesOf(kind)),
      afterMs: Math.round(chance.between(1000, 5000)),
      lastsMs: Math.round(chance.between(20, longestMs)),
    })
  }
  return faults
}

function drawKind(chance: Chance, [first, ...others]: readonly FaultKind[]): FaultKind {
  if (first !== undefined && chance.happens(0.5)) return chance.pick([first, ...others])
  return chance.pick(everydayKinds)
}

/** Most episodes have one fault; two or three at once find what one does not. */
function drawFaults(chance: Chance, focus: readonly FaultKind[]): PlannedFault[] {
  const number = chance.pick([1, 1, 1, 2, 2, 3])
  const faults: PlannedFault[] = []
  for (let index = 0; index < number; index++) {
    const kind = drawKind(chance, focus)
    const afterMs = index === 0 ? 0 : chance.happens(0.3) ? chance.between(0, 60) : chance.between(0, 12_000)
    const lastsMs = chance.happens(0.3) ? chance.between(20, 1500) : chance.between(1500, 20_000)
    const fault = {
      kind,
      where: chance.pick(placesOf(kind)),
      afterMs: Math.round(afterMs),
      lastsMs: Math.round(lastsMs),
    }
    faults.push(...(kind === 'kill-agent-in-fence' ? withFence(chance, fault) : [fault]))
  }
  return faults
}

/** The agent dies in a fence only where there is one. */
function withFence(chance: Chance, fault: PlannedFault): PlannedFault[] {
  const kind = chance.pick<FaultKind>(['vrrp-block', 'isolate', 'drill'])
  const where = kind === 'drill' ? fault.where : chance.pick(placesOf(kind))
  const lastsMs = Math.round(chance.between(4000, 12_000))
  return [
    { ...fault, lastsMs: Math.max(fault.lastsMs, lastsMs) },
    { kind, where, afterMs: fault.afterMs, lastsMs },
  ]
}
