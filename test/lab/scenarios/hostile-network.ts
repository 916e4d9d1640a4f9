/**
 * Attackers on the network do their worst: strangers, an enrolled node of another cluster, and root of the standby.
 * Nobody else may be affected.
 */
import type { EventView } from '../../../shared/protocol/view.ts'
import { maxInstances } from '../../../shared/protocol/names.ts'
import { addressOf, instance } from '../address-plan.ts'
import type { Attack, AttackKind } from '../attack.ts'
import {
  bothKeepalivedRunAtEnd,
  holderChangesAtMost,
  noOutage,
  overlapAtMost,
  ownerAfterHeal,
} from '../musts.ts'
import { type Must, type Scenario } from '../scenario.ts'
import { bystanders, type Lateness, type PlannedAttack, type SiegeFigures } from '../siege.ts'

/** How late the heartbeats of others may be at the 99th percentile. */
const latestMs = 250
const inTime = `others' heartbeats are less than ${latestMs} ms late at the 99th percentile`
/** Heartbeats are this far apart, so an agent's silence reaches this value by itself. */
const renewMs = 250
/** At most one line of each kind is logged within this time. */
const quietMs = 10_000
/**
 * A changing situation may log six lines in ten seconds, for each instance that a flood names, over one and a half
 * windows.
 */
const mostLinesOfSituations = 2 * 6 * maxInstances
/** What a node reports about itself has a budget of a hundred lines; the rest is for everything else. */
const mostOtherLines = 160
/** The memory that V8 keeps after its heap was larger for a while. */
const mostGrowthKiB = 128 * 1024
/** The program that takes the sample, and a connection of an agent that is being replaced. */
const mostNewDescriptors = 8

const lastsMs = 12_000
/**
 * Strangers share the resources that strangers may have. Attackers that must be heard, and refused for what they send,
 * come before the crowd.
 */
const crowdAfterMs = 1000
const witness = { host: addressOf.witness, port: 7400 }
const lb01 = { host: addressOf.lb01, port: 7401 }
const lb02 = { host: addressOf.lb02, port: 7401 }

const rogue = { cluster: 'rogue', node: 'rogue01', address: '10.0.0.40' } as const
/** This attacker has its own budget, which nobody floods. */
const replayer = { cluster: 'replayers', node: 'rogue02', address: '10.0.0.49' } as const
const guests = [
  rogue,
  replayer,
  ...bystanders.nodes.map((node) => ({ cluster: bystanders.cluster, node, address: addressOf.client })),
]

function stranger(kind: AttackKind, many: number, over: Partial<PlannedAttack> = {}): PlannedAttack {
  return {
    ...{ kind, many, on: 'client', from: '10.0.0.41', identity: null, target: witness },
    ...{ as: { cluster: 'web', node: 'lb01' }, afterMs: 0, lastsMs },
    ...over,
  }
}

function crowd(kind: AttackKind, many: number, over: Partial<PlannedAttack>): PlannedAttack {
  return stranger(kind, many, { afterMs: crowdAfterMs, lastsMs: lastsMs - crowdAfterMs, ...over })
}

function enrolled(kind: AttackKind, many: number, over: Partial<PlannedAttack> = {}): PlannedAttack {
  const { cluster, node, address } = rogue
  return stranger(kind, many, { from: address, identity: 'rogue01', as: { cluster, node }, ...over })
}

function standby(kind: AttackKind, many: number, over: Partial<PlannedAttack> = {}): PlannedAttack {
  const as = { cluster: 'web', node: 'lb02' }
  return stranger(kind, many, { on: 'lb02', from: addressOf.lb02, identity: 'lb02', as, ...over })
}

function rare(target: Attack['target'], from: string): readonly PlannedAttack[] {
  const as = { cluster: 'web', node: 'lb01' }
  return [
    stranger('nobody', 2, { from, target, as }),
    stranger('foreign-authority', 2, { from, target, as, identity: 'foreign' }),
  ]
}

const strangers = hostile('strangers', {
  fault:
    'strangers: 500 slow connections, 1 000 connections a second, pipelines, no certificate or one of another authority',
  attacks: [
    ...rare(witness, '10.0.0.42'),
    ...rare(lb01, '10.0.0.42'),
    stranger('join', 2, { from: '10.0.0.42' }),
    crowd('silent-tcp', 125, { from: '10.0.0.43' }),
    crowd('silent-tls', 125, { from: '10.0.0.44' }),
    crowd('half-request', 125, { from: '10.0.0.45' }),
    crowd('drip', 125, { from: '10.0.0.46' }),
    crowd('silent-tcp', 125, { from: '10.0.0.43', target: lb01 }),
    crowd('half-request', 125, { from: '10.0.0.45', target: lb02 }),
    crowd('pipeline', 4, { from: '10.0.0.47' }),
    crowd('idlers', 200, { from: '10.0.0.48' }),
    stranger('storm', 1000, { afterMs: 3000, lastsMs: 4000 }),
    stranger('handshakes', 1000, { afterMs: 7000, lastsMs: 2000 }),
    stranger('storm', 1000, { afterMs: 9000, lastsMs: 3000, target: lb01 }),
  ],
  refused: ['too-many-connections', 'handshake-failed', 'unauthenticated', 'unknown-invite'],
})

const enrolledNode = hostile('enrolled', {
  fault:
    'an enrolled node of another cluster: impersonation, replay, bad frames, floods, slow reading, 1 000 connections a second',
  attacks: [
    enrolled('impostor', 2, { as: { cluster: 'web', node: 'lb01' } }),
    enrolled('impostor', 2, { target: lb01, as: { cluster: 'web', node: 'lb02' } }),
    enrolled('replay', 1, { from: replayer.address, identity: replayer.node, as: replayer }),
    enrolled('replay-across', 2, { from: replayer.address, identity: replayer.node, as: replayer }),
    enrolled('frames', 7),
    enrolled('slow-reader', 20),
    enrolled('tells', 4),
    enrolled('hellos', 4),
    enrolled('checks', 20),
    enrolled('idlers', 100),
    enrolled('flood', 200, { afterMs: 3000, lastsMs: 9000 }),
    enrolled('storm', 1000, { afterMs: 5000, lastsMs: 3000 }),
    enrolled('handshakes', 1000, { afterMs: 8000, lastsMs: 3000 }),
  ],
  refused: ['too-many-connections', 'impersonation', 'malformed', 'message: stale-beat'],
})

const standbyRoot = hostile('standby', {
  fault:
    'root of the standby: its certificate floods the witness and the holder, and plays a second agent of its name',
  attacks: [
    standby('flood', 50),
    standby('flood', 50, { target: lb01 }),
    standby('hellos', 4),
    standby('hellos', 4, { target: lb01 }),
    standby('tells', 4),
    standby('checks', 20),
    standby('replay', 2, { target: lb01 }),
    standby('frames', 7, { target: lb01 }),
    standby('impostor', 2, { as: { cluster: 'web', node: 'lb01' } }),
    standby('storm', 1000, { afterMs: 5000, lastsMs: 3000, target: lb01 }),
    standby('storm', 1000, { afterMs: 8000, lastsMs: 3000 }),
  ],
  refused: ['too-many-connections', 'impersonation'],
})

export const hostileNetworks: readonly Scenario[] = [strangers, enrolledNode, standbyRoot]

function hostile(
  variant: 'strangers' | 'enrolled' | 'standby',
  {
    fault,
    attacks,
    refused,
  }: { fault: string; attacks: readonly PlannedAttack[]; refused: readonly string[] },
): Scenario {
  // Whoever has root on the standby controls the standby's own heartbeats.
  const isOwnHarm = variant === 'standby'
  return {
    name: `hostile-network/${variant}`,
    fault,
    faults: [],
    setup: { guests },
    siege: { attacks },
    comparable: false,
    begin: () => Promise.resolve(),
    faultMs: lastsMs,
    heal: () => Promise.resolve(),
    healedMs: 3000,
    rightful: 'lb01',
    musts: [
      heartbeatsInTime(),
      heard('the witness hears lb01 in time', ({ silence }) => silence.lb01),
      ...(isOwnHarm
        ? []
        : [
            heard('the witness hears lb02 in time', ({ silence }) => silence.lb02),
            heard('lb01 hears lb02 in time', ({ silence }) => silence['lb01 of lb02']),
            heard('lb02 hears lb01 in time', ({ silence }) => silence['lb02 of lb01']),
          ]),
      noEvents(isOwnHarm ? ['lb02'] : []),
      ...refused.map(counted),
      fewLines(),
      nothingKept(),
      ownerAfterHeal('lb01'),
      holderChangesAtMost(0),
      noOutage(),
      overlapAtMost(0),
      bothKeepalivedRunAtEnd(),
    ],
    benchMusts: [],
  }
}

function siegeMust(says: string, broken: (siege: SiegeFigures) => string | null): Must {
  return { says, broken: ({ siege }) => (siege === null ? 'nobody attacked' : broken(siege)) }
}

/**
 * Whether a must is about time, which suffers because attackers and attacked share two processors with whatever else
 * runs there.
 */
export function isAboutTime(must: string): boolean {
  return must === inTime || must.endsWith(' in time')
}

function heartbeatsInTime(): Must {
  return siegeMust(inTime, ({ attacked }) =>
    attacked.number >= 300 && attacked.p99Ms < latestMs ? null : latenessText(attacked),
  )
}

/** Sampled only some dozens of times in a run, so the 99th percentile would be the worst sample. */
function heard(says: string, of: (siege: SiegeFigures) => Lateness): Must {
  return siegeMust(says, (siege) =>
    of(siege).number >= 20 && of(siege).p95Ms < renewMs + latestMs ? null : latenessText(of(siege)),
  )
}

function latenessText({ number, medianMs, p95Ms, p99Ms, maxMs }: Lateness): string {
  return `median ${medianMs} ms, 95th percentile ${p95Ms} ms, 99th percentile ${p99Ms} ms, most ${maxMs} ms (of ${number})`
}

/** What was refused changes no state: the witness has nothing to report about the pair, and does not pause. */
function noEvents(butOf: readonly string[]): Must {
  return {
    says: 'the witness has nothing to report about the pair',
    broken: ({ events, spans }) => {
      const told = events.filter(
        (event) =>
          Date.parse(event.at) > spans.fault.fromMs &&
          (event.instance ?? instance) === instance &&
          event.level !== 'info' &&
          !isOwnComplaint(event) &&
          !butOf.some((node) => event.node === node || event.text.includes(node)) &&
          // It follows an event that is left out.
          event.event !== 'events-dropped',
      )
      return told.length === 0 ? null : told.map(({ event, text }) => `${event}: ${text}`).join('; ')
    },
  }
}

/** An agent whose listener is attacked logs a warning about it. */
function isOwnComplaint({ event }: EventView): boolean {
  return event.startsWith('agent.peer-refused-')
}

function counted(kind: string): Must {
  return siegeMust(`what was refused is counted as ${kind}`, ({ refused }) =>
    (refused[kind] ?? 0) > 0 ? null : JSON.stringify(refused),
  )
}

/**
 * What is refused is logged once in ten seconds; what an enrolled node reports about its own cluster is limited as
 * well.
 */
function fewLines(): Must {
  return siegeMust('the logs stay short', ({ lines, lastedMs }) => {
    const mostOfRefusal = Math.ceil(lastedMs / quietMs) + 1
    const mostInAll = mostLinesOfSituations + mostOtherLines + lastedMs / 1000
    const loud = Object.entries(lines).flatMap(([program, counts]) => {
      const told = Object.entries(counts).filter(([event]) => event !== 'icmp-impossible')
      const inAll = told.reduce((sum, [, count]) => sum + count, 0)
      return [
        ...told
          .filter(([event, count]) => event.includes('refused') && count > mostOfRefusal)
          .map(([event, count]) => `${program}: ${event} ${count} times`),
        ...(inAll > mostInAll ? [`${program}: ${inAll} lines`] : []),
      ]
    })
    return loud.length === 0 ? null : loud.join('; ')
  })
}

function nothingKept(): Must {
  return siegeMust('the witness frees memory and descriptors', ({ witness: { before, after } }) =>
    after.residentKiB < before.residentKiB + mostGrowthKiB &&
    after.descriptors <= before.descriptors + mostNewDescriptors
      ? null
      : `${before.residentKiB} KiB and ${before.descriptors} descriptors before, ${after.residentKiB} and ${after.descriptors} after`,
  )
}
