/**
 * The nodes of a cluster as the witness knows them: which instance of the agent speaks for a node, what it last
 * reported, whether the host answers ICMP, and whether two live agents use one name. Pure.
 */
import { assertNever } from '../../../shared/assert-never.ts'
import type { Beat, Hello } from '../../../shared/protocol/messages.ts'
import type { Member } from '../../../shared/protocol/plan.ts'
import type { NodeName } from '../../../shared/protocol/names.ts'
import type { Report } from '../../../shared/protocol/report.ts'
import {
  maySucceed,
  type Past,
  pastWith,
  type Predecessor,
  successionOf,
} from '../../../shared/core/succession.ts'
import { showsVip } from '../../../shared/core/vip-sighting.ts'

/** The shell numbers the connections. */
export type ConnectionId = number

/** One instance (one start) of an agent, on its present connection. */
export interface Session {
  readonly connection: ConnectionId
  readonly open: boolean
  readonly hello: Hello
  readonly lastSeq: number
  /** When its newest heartbeat arrived; null: none has yet. */
  readonly beatAtMs: number | null
  /** When its hello or its newest heartbeat arrived. */
  readonly heardAtMs: number
  /**
   * `atMs` of our newest answer that the agent had read when it sent its newest heartbeat, which is therefore newer
   * than that.
   */
  readonly echoMs: number
}

export interface NodeState {
  readonly member: Member
  readonly session: Session | null
  /** A second live agent with this node's name. */
  readonly double: Session | null
  /** The instances that have been replaced. */
  readonly past: Past
  readonly reports: ReadonlyMap<string, Report>
  /** What it warns of in reports of instances of which the witness cannot tell which they are. */
  readonly unmatchedWarnings: readonly string[]
  /** Round trips of the newest ICMP echoes, newest last; null: lost. */
  readonly echoes: readonly (number | null)[]
}

const echoesKept = 20

export function newNode(member: Member): NodeState {
  return {
    member,
    session: null,
    double: null,
    past: [],
    reports: new Map(),
    unmatchedWarnings: [],
    echoes: [],
  }
}

/** Whether the agent is connected and its newest heartbeat is less than `silenceMs` old. */
export function isLive(node: NodeState, atMs: number, silenceMs: number): boolean {
  return node.session !== null && sessionIsLive(node.session, atMs, silenceMs)
}

function sessionIsLive(session: Session, atMs: number, silenceMs: number): boolean {
  return session.open && session.beatAtMs !== null && atMs - session.beatAtMs < silenceMs
}

/** After which time an agent counts as silent, and how long a promise may be in use after its last renewal. */
export interface Patience {
  readonly atMs: number
  readonly silenceMs: number
  readonly reserveMs: number
  /**
   * Whether a vote of the witness is promised to the node now, renewed by its agent or by its check, for another boot
   * than the newcomer's.
   */
  readonly promised: boolean
}

function asPredecessor(session: Session, { atMs, silenceMs, promised }: Patience): Predecessor {
  const { incarnation, bootId } = session.hello
  const live = sessionIsLive(session, atMs, silenceMs)
  return { incarnation, bootId, live, heardAtMs: session.heardAtMs, promised }
}

export type Greeting =
  /** The connection now speaks for the node; `replaced` is to be closed. */
  | {
      readonly kind: 'accepted'
      readonly node: NodeState
      readonly replaced: ConnectionId | null
      readonly isNew: boolean
    }
  /** Another live agent has this name, so this one is kept but gets no vote. */
  | { readonly kind: 'double'; readonly node: NodeState }
  /** Another instance of the agent has replaced this one. */
  | { readonly kind: 'superseded' }

/** An agent says who it is. A newer instance replaces an older one that is gone or silent, but never a live one. */
export function greet(
  node: NodeState,
  arrival: Patience & { connection: ConnectionId; hello: Hello },
): Greeting {
  const { connection, hello, atMs, reserveMs } = arrival
  const { session, past } = node
  const fresh = newSession(connection, hello, atMs)
  const present = session === null ? null : asPredecessor(session, arrival)
  const replaced =
    session !== null && session.connection !== connection && session.open ? session.connection : null
  const succession = successionOf({ present, past }, { ...hello, atMs, reserveMs })
  switch (succession) {
    case 'past':
      return { kind: 'superseded' }
    case 'early':
      return { kind: 'double', node: { ...node, double: fresh } }
    case 'same': {
      // What this instance has sent and read remains valid on another connection.
      const said = session && { lastSeq: session.lastSeq, beatAtMs: session.beatAtMs, echoMs: session.echoMs }
      return { kind: 'accepted', node: { ...node, session: { ...fresh, ...said } }, replaced, isNew: false }
    }
    case 'next':
      return { kind: 'accepted', node: succeeded(node, fresh), replaced, isNew: true }
    default:
      return assertNever(succession)
  }
}

function succeeded(node: NodeState, session: Session): NodeState {
  const past = node.session === null ? node.past : pastWith(node.past, node.session.hello.incarnation)
  return { ...node, session, past }
}

function newSession(connection: ConnectionId, hello: Hello, atMs: number): Session {
  return { connection, open: true, hello, lastSeq: 0, beatAtMs: null, heardAtMs: atMs, echoMs: -Infinity }
}

/** The node that this connection speaks for; a second agent of the same name speaks for nobody. */
export function sessionBehind(
  nodes: ReadonlyMap<NodeName, NodeState>,
  connection: ConnectionId,
): NodeState | null {
  return [...nodes.values()].find(({ session }) => session?.connection === connection) ?? null
}

export type BeatReceipt =
  | { readonly kind: 'accepted'; readonly node: NodeState }
  /** From the second agent of this name. */
  | { readonly kind: 'double'; readonly node: NodeState }
  /** Replayed, out of order, or from a connection that no longer speaks for the node. */
  | { readonly kind: 'stale' }

export function receiveBeat(
  node: NodeState,
  arrival: {
    connection: ConnectionId
    /** Under the witness's keys. */
    beat: Beat
    unmatchedWarnings?: readonly string[]
    atMs: number
  },
): BeatReceipt {
  const { connection, beat, unmatchedWarnings = [], atMs } = arrival
  const heard = (session: Session): Session => ({
    ...session,
    lastSeq: beat.seq,
    beatAtMs: atMs,
    heardAtMs: atMs,
    echoMs: beat.echoMs ?? session.echoMs,
  })
  if (node.double?.connection === connection) {
    if (beat.seq <= node.double.lastSeq) return { kind: 'stale' }
    return { kind: 'double', node: { ...node, double: heard(node.double) } }
  }
  const { session } = node
  if (session?.connection !== connection || beat.seq <= session.lastSeq) return { kind: 'stale' }
  const reports = new Map(beat.reports.map((report) => [report.instance, report]))
  return { kind: 'accepted', node: { ...node, session: heard(session), reports, unmatchedWarnings } }
}

/** The connection is gone. */
export function hangUp(node: NodeState, connection: ConnectionId): NodeState {
  if (node.double?.connection === connection) return { ...node, double: null }
  if (node.session?.connection !== connection) return node
  return { ...node, session: { ...node.session, open: false } }
}

export function noteEcho(node: NodeState, roundTripMs: number | null): NodeState {
  return { ...node, echoes: [...node.echoes, roundTripMs].slice(-echoesKept) }
}

/** Whether the host answered one of the two newest pings; null: not known yet. */
export function answersIcmp(node: NodeState): boolean | null {
  const newest = node.echoes.slice(-2)
  if (newest.length === 0) return null
  return newest.some((roundTripMs) => roundTripMs !== null)
}

/** The nodes that are live and report a VIP of the instance. */
export function mastersOf(
  nodes: ReadonlyMap<NodeName, NodeState>,
  instance: string,
  at: { atMs: number; silenceMs: number },
): NodeName[] {
  return [...nodes.values()]
    .filter((node) => {
      const report = node.reports.get(instance)
      return report !== undefined && showsVip(report) && isLive(node, at.atMs, at.silenceMs)
    })
    .map((node) => node.member.name)
    .sort()
}

/**
 * As time passes, the second of two agents with one name is forgotten when it falls silent, or takes over when the
 * first one is gone.
 */
export function settleDouble(node: NodeState, patience: Patience): NodeState {
  const { session, double } = node
  if (double === null) return node
  if (patience.atMs - double.heardAtMs >= patience.silenceMs) return { ...node, double: null }
  const { bootId } = double.hello
  if (session !== null && !maySucceed(asPredecessor(session, patience), { bootId, ...patience })) return node
  return { ...succeeded(node, double), double: null }
}
