/**
 * A small whole as plain data: the production arbiter, two production guards, and the least of keepalived, disks and a
 * network that they need. Nothing here is random: what may happen is a choice (choices.ts), and the walk takes them all.
 *
 * Left out: clock drift, processes that stand still, disks that lose what they had, a bar or a stop that does not work.
 */
import type { FenceMemory, Guard, KeptBallot } from '../../agent/core/guard/guard.ts'
import type { Arbiter, ArbiterEvent } from '../../server/core/arbiter/arbiter.ts'
import type { witness } from '../../shared/protocol/names.ts'
import type { FromVoter, Hello, VoterReply } from '../../shared/protocol/messages.ts'
import type { Profile } from '../../shared/protocol/plan.ts'
import type { Report } from '../../shared/protocol/report.ts'
import { assertTiming, defaultTiming } from '../../shared/core/timing.ts'
import type { Ballot, Mark } from '../../shared/core/vote/voter.ts'

export type NodeName = 'lb01' | 'lb02'
export type Party = NodeName | typeof witness
/** One direction between two parties. */
export type Way = `${Party}>${Party}`

export const nodeNames: readonly NodeName[] = ['lb01', 'lb02']

/** A vote is delegated within the horizon of a walk, not after minutes. */
export const timing = { ...defaultTiming, delegateAfterMs: 2400 }
assertTiming(timing)
/** One step: messages, keepalived and faults move on this grid; the timers of the cores run at their own instants. */
export const stepMs = timing.renewMs
/** Two VIPs may stand side by side this many steps while both agents run: claimMs + releaseMs, rounded up. */
export const longestOverlapSteps = Math.ceil((timing.claimMs + timing.releaseMs) / stepMs)
/** What waits is let through after so many steps at the latest: longer than any promise. */
export const longestHoldSteps = 6
/** keepalived takes a second to go; the agent is told to leave after it, and waits so long for the peer's word. */
export const leaveAfterSteps = 3
export const leavePatienceSteps = 4
export const instance = 'VI_1'
export const startMs = 1_000_000

/**
 * Without an advert for so many steps keepalived promotes itself. Adverts come with each step here, so this is shorter
 * than keepalived's own master-down time, and still longer than a promise (E4).
 */
export const downAfterSteps: Readonly<Record<NodeName, number>> = { lb01: 6, lb02: 7 }

export function otherNode(name: NodeName): NodeName {
  return name === 'lb01' ? 'lb02' : 'lb01'
}

/** lb01 has the higher priority and preempts. */
export function profileOf(name: NodeName): Profile {
  return {
    instance,
    virtualRouterId: 51,
    interface: 'eth0',
    version: 2,
    priority: name === 'lb01' ? 150 : 100,
    nopreempt: false,
    advertIntMs: 1000,
    vips: ['10.0.0.100/24'],
  }
}

/** What a process has written down. */
export interface Disk {
  ballot: Ballot | null
  mark: Mark | null
  /** A write that is not finished. */
  writing: Ballot | null
  /** The vote that the peer left here; the witness never has one. */
  kept: KeptBallot | null
  /** A write of that which is not finished. */
  keeping: { readonly kept: KeptBallot | null } | null
  /** What becomes of the next write. */
  next: 'quick' | 'slow' | 'fails, landed' | 'fails, lost'
}

export interface Host {
  readonly name: NodeName
  /** Null: the agent does not run. */
  guard: Guard | null
  /** The whole host is down. */
  down: boolean
  starts: number
  boots: number
  disk: Disk
  memory: FenceMemory
  keepalived: 'MASTER' | 'BACKUP' | 'FAULT' | 'STOP'
  vip: boolean
  /** Steps without an advert, while BACKUP. */
  quietSteps: number
  advertsHeard: number
  /** The track_file. */
  barred: boolean
  /** The check says no. */
  checkRefuses: boolean
  /** The check finds on disk that this node's vote was left with the peer. */
  voteLeft: boolean
  /** The admin takes the node away: keepalived is stopped since then, and the agent is told to leave later. */
  leavingSinceMs: number | null
  permit: { readonly word: 'permit' | 'bar'; readonly untilMs: number }
  /** To the witness; null: not connected. */
  connection: number | null
  /** `atMs` of the newest answer that came on the connection. */
  echoMs: number | null
  lastSeq: number
  /** The first beat of this start of the agent: answers to older ones are not its. */
  firstSeq: number
  /** Until then the listener refuses the peer, which comes from another boot. */
  deafUntilMs: number
  /** Until when the last lease may be in use here; -Infinity: the VIP is gone. */
  leaseUntilMs: number
}

/** A promise as it was given, by the word of whoever looks on: it stands over every crash. */
export interface Given {
  readonly to: string
  readonly epoch: number
  readonly untilMs: number
}

export type Body =
  | { readonly kind: 'hello'; readonly connection: number; readonly hello: Hello }
  | { readonly kind: 'closed'; readonly connection: number }
  | {
      readonly kind: 'beat'
      readonly connection: number
      readonly beat: (ArbiterEvent & { type: 'beat' })['beat']
    }
  | { readonly kind: 'from-witness'; readonly connection: number; readonly message: FromVoter }
  | { readonly kind: 'report'; readonly seq: number; readonly boot: number; readonly report: Report }
  | { readonly kind: 'verdict'; readonly seq: number; readonly verdict: VoterReply }

export interface Message {
  readonly from: Party
  readonly to: Party
  readonly body: Body
}

/** A fault of the network: it ends as a whole. */
export interface Outage {
  readonly name: string
  /** Ways on which everything is lost. */
  readonly ways: readonly Way[]
  /** Nodes whose adverts do not arrive. */
  readonly mute: readonly NodeName[]
}

export interface Held {
  readonly sinceMs: number
  readonly waiting: readonly Message[]
}

export interface State {
  atMs: number
  /** Null: the witness does not run. */
  arbiter: Arbiter | null
  disk: Disk
  /** How many connections there were. */
  connections: number
  hosts: Readonly<Record<NodeName, Host>>
  /** What is broken on the network, by name. */
  outages: readonly Outage[]
  /** Ways on which everything waits, oldest first. */
  held: ReadonlyMap<Way, Held>
  /** How many more faults may come. */
  faultsLeft: number
  /** The newest promise of each voter. */
  given: Readonly<Record<Party, Given | null>>
  /** The newest lease that was won. */
  won: { readonly epoch: number; readonly by: NodeName } | null
  /** For how many steps two VIPs stand side by side while both agents run. */
  overlapSteps: number
}

/** Whether everything on this way is lost. */
export function isCut({ outages }: State, way: Way): boolean {
  return outages.some(({ ways }) => ways.includes(way))
}

/** The parts that play.ts changes in place are copied; the rest is replaced, never changed. */
export function copyOf(state: State): State {
  const { lb01, lb02 } = state.hosts
  return { ...state, disk: { ...state.disk }, hosts: { lb01: copyHost(lb01), lb02: copyHost(lb02) } }
}

function copyHost(host: Host): Host {
  return { ...host, disk: { ...host.disk } }
}

/** Disks are empty, keepalived has just come up on both nodes, and no agent runs yet. */
export function emptyState(): State {
  return {
    atMs: startMs,
    arbiter: null,
    disk: emptyDisk(),
    connections: 0,
    hosts: { lb01: newHost('lb01'), lb02: newHost('lb02') },
    outages: [],
    held: new Map(),
    faultsLeft: 0,
    given: { lb01: null, lb02: null, witness: null },
    won: null,
    overlapSteps: 0,
  }
}

export const noPermit: Host['permit'] = { word: 'bar', untilMs: -Infinity }
export const noFences: FenceMemory = { stopped: false, number: 0, recentAtMs: [] }

function emptyDisk(): Disk {
  return { ballot: null, mark: null, writing: null, kept: null, keeping: null, next: 'quick' }
}

function newHost(name: NodeName): Host {
  return {
    name,
    guard: null,
    down: false,
    starts: 0,
    boots: 0,
    disk: emptyDisk(),
    memory: noFences,
    keepalived: 'BACKUP',
    vip: false,
    quietSteps: 0,
    advertsHeard: 0,
    barred: false,
    checkRefuses: false,
    voteLeft: false,
    leavingSinceMs: null,
    permit: noPermit,
    connection: null,
    echoMs: null,
    lastSeq: 0,
    firstSeq: 0,
    deafUntilMs: -Infinity,
    leaseUntilMs: -Infinity,
  }
}
