/** What `/api/v1/clusters/:cluster` answers and `witnessctl status` prints. */
import { assertNever } from '../shared/assert-never.ts'
import type {
  Drilled,
  FenceReport,
  GuardPhase,
  KeepalivedState,
  ProcessState,
  Report,
  VipState,
} from '../shared/protocol.ts'
import { silenceMs } from '../shared/timing.ts'
import { promisedTo } from '../shared/vote.ts'
import type { Arbiter, InstanceState } from './arbiter-state.ts'
import type { Situation } from './judgement.ts'
import { leaseHolder } from './lease-holder.ts'
import { isLive, type NodeState } from './roster.ts'
import { judge } from './situation.ts'

export { situations, type Situation } from './judgement.ts'

/** The last drill of a node that passed. */
export interface DrillView {
  /** RFC 3339, the witness's wall clock. */
  readonly at: string
  readonly instances: readonly Pick<Drilled, 'instance' | 'role' | 'rungs' | 'backMs'>[]
}

export interface NodeInstanceView {
  readonly instance: string
  readonly keepalived: KeepalivedState
  readonly process: ProcessState
  readonly vips: VipState
  readonly phase: GuardPhase
  /** Why the node is in its phase, in plain words, from its agent. */
  readonly why: string
  readonly allowed:
    'holds the lease' | 'may become MASTER' | 'unprotected' | 'barred' | 'fenced' | 'in a drill' | 'unknown'
  readonly priority: number
  readonly epoch: number
  readonly checkSilentMs: number | null
  readonly peerSilentMs: number | null
  readonly fence: FenceReport | null
}

export interface NodeView {
  readonly node: string
  readonly address: string
  readonly connected: boolean
  readonly mode: 'enforce' | 'observe' | null
  readonly software: string | null
  /** Milliseconds since its last heartbeat; null: none since the witness started. */
  readonly heartbeatAgeMs: number | null
  readonly icmp: { readonly roundTripMs: number | null; readonly lossPercent: number | null }
  readonly instances: readonly NodeInstanceView[]
  readonly warnings: readonly string[]
  /** Null: none is known. */
  readonly lastDrill: DrillView | null
}

export interface InstanceView {
  readonly instance: string
  readonly vips: readonly string[]
  readonly situation: Situation
  /** One sentence that an operator understands. */
  readonly text: string
  readonly holder: string | null
  readonly epoch: number
  /** How long the witness keeps its vote for the holder. */
  readonly promiseLeftMs: number | null
}

export interface ClusterView {
  readonly cluster: string
  readonly verdict: { readonly level: 'ok' | 'warning' | 'critical'; readonly text: string }
  readonly instances: readonly InstanceView[]
  readonly nodes: readonly NodeView[]
  /** Messages that changed nothing, by reason. */
  readonly refusedMessages: Readonly<Record<string, number>>
}

/** A kept event, as `/api/v1/clusters/:cluster/events` lists it. */
export interface EventView {
  readonly id: number
  /** RFC 3339, the witness's wall clock: for people; nothing is decided on it. */
  readonly at: string
  readonly cluster: string
  readonly event: string
  readonly level: 'info' | 'warning' | 'critical'
  readonly instance: string | null
  readonly node: string | null
  readonly text: string
  readonly evidence: Readonly<Record<string, unknown>>
  readonly decision: string | null
}

/**
 * The arbiter's state as operators see it. Pure.
 * @param lastDrill of a node; null: none is known
 */
export function viewOf(
  arbiter: Arbiter,
  atMs: number,
  lastDrill: (node: string) => DrillView | null = () => null,
): ClusterView {
  const instances = [...arbiter.instances.entries()].map(([name, state]) =>
    viewInstance(arbiter, name, state, atMs),
  )
  const nodes = [...arbiter.nodes.values()].map((node) => ({
    ...viewNode(arbiter, node, atMs),
    lastDrill: lastDrill(node.member.name),
  }))
  return {
    cluster: arbiter.cluster,
    verdict: verdictOn(instances, nodes),
    instances,
    nodes,
    refusedMessages: arbiter.refusedMessages,
  }
}

function viewInstance(arbiter: Arbiter, instance: string, state: InstanceState, atMs: number): InstanceView {
  const { situation, text } = judge(arbiter, instance, atMs)
  const promise = promisedTo(state.voter, atMs)
  const profiles = [...arbiter.nodes.values()].flatMap((node) => node.session?.hello.profiles ?? [])
  const vips = profiles.filter((profile) => profile.instance === instance).flatMap((profile) => profile.vips)
  const { pledge } = state.voter
  return {
    instance,
    vips: [...new Set(vips)],
    situation,
    text,
    holder: leaseHolder(
      { voter: state.voter, nodes: arbiter.nodes, instance },
      { atMs, silenceMs: silenceMs(arbiter.timing) },
    ),
    epoch: promise?.epoch ?? state.voter.epoch,
    promiseLeftMs: pledge.phase === 'promised' ? Math.max(0, Math.round(pledge.untilMs - atMs)) : null,
  }
}

function viewNode(arbiter: Arbiter, node: NodeState, atMs: number): Omit<NodeView, 'lastDrill'> {
  const { member, session, reports, echoes } = node
  const connected = isLive(node, atMs, silenceMs(arbiter.timing))
  const answered = echoes.filter((roundTripMs) => roundTripMs !== null)
  const lost = echoes.length - answered.length
  const warnings = connected ? [...reports.values()].flatMap((report) => report.warnings) : []
  if (node.double !== null) warnings.push(`two live agents call themselves ${member.name}`)
  return {
    node: member.name,
    address: member.address,
    connected,
    mode: session?.hello.mode ?? null,
    software: session?.hello.software ?? null,
    heartbeatAgeMs: session?.beatAtMs == null ? null : Math.max(0, atMs - session.beatAtMs),
    icmp: {
      roundTripMs: answered.at(-1) ?? null,
      lossPercent: echoes.length === 0 ? null : Math.round((100 * lost) / echoes.length),
    },
    instances: [...reports.values()].map((report) => viewReport(report, connected)),
    warnings: [...new Set(warnings)],
  }
}

function viewReport(report: Report, connected: boolean): NodeInstanceView {
  const {
    instance,
    keepalived,
    process,
    vips,
    phase,
    why,
    priority,
    epoch,
    checkSilentMs,
    peerSilentMs,
    fence,
  } = report
  const allowed = connected ? allowedIn(phase) : 'unknown'
  return {
    instance,
    keepalived,
    process,
    vips,
    phase,
    why,
    allowed,
    priority,
    epoch,
    checkSilentMs,
    peerSilentMs,
    fence,
  }
}

function allowedIn(phase: GuardPhase): NodeInstanceView['allowed'] {
  switch (phase) {
    case 'holding':
      return 'holds the lease'
    case 'standby':
    case 'probation':
    case 'claiming':
    case 'rejoining':
      return 'may become MASTER'
    case 'unprotected':
    case 'overruled':
      return 'unprotected'
    case 'entitled':
      return 'may become MASTER'
    case 'barred':
    case 'gated':
    case 'applying':
      return 'barred'
    case 'fencing':
    case 'fenced':
      return 'fenced'
    case 'drilling':
      return 'in a drill'
    default:
      return assertNever(phase)
  }
}

function verdictOn(instances: readonly InstanceView[], nodes: readonly NodeView[]): ClusterView['verdict'] {
  const critical = instances.find(({ situation, holder }) => levelOf(situation, holder) === 'critical')
  if (critical !== undefined) return { level: 'critical', text: critical.text }
  const failedFence = nodes
    .flatMap((node) => node.instances.map((instance) => ({ node: node.node, ...instance })))
    .find(({ fence, phase }) => phase === 'fencing' && fence?.result === 'failed')
  if (failedFence !== undefined)
    return { level: 'critical', text: `${failedFence.node} cannot give the VIP up: ${failedFence.why}` }
  const warning = instances.find(({ situation, holder }) => levelOf(situation, holder) === 'warning')
  if (warning !== undefined) return { level: 'warning', text: warning.text }
  const held = nodes.find((node) => node.instances.some(({ allowed }) => cannotTake(allowed)))
  if (held !== undefined) {
    const why = held.instances.find(({ allowed }) => cannotTake(allowed))?.why ?? ''
    return { level: 'warning', text: `${held.node} cannot take over now: ${why}` }
  }
  const warned = nodes.find((node) => node.warnings.length > 0)
  if (warned !== undefined) return { level: 'warning', text: `${warned.node}: ${warned.warnings[0] ?? ''}` }
  if (instances.length === 0) return { level: 'warning', text: 'No agent has reported a vrrp_instance yet.' }
  return { level: 'ok', text: instances.map(({ instance, text }) => `${instance}: ${text}`).join(' ') }
}

function cannotTake(allowed: NodeInstanceView['allowed']): boolean {
  return allowed === 'barred' || allowed === 'fenced' || allowed === 'in a drill'
}

function levelOf(situation: Situation, holder: string | null): 'ok' | 'warning' | 'critical' {
  switch (situation) {
    case 'normal':
      // MASTER without a lease: `alone: keep`, observe mode, or a claim of this very moment.
      return holder === null ? 'warning' : 'ok'
    case 'dual-master':
    case 'id-conflict':
      return 'critical'
    case 'no-master':
    case 'host-down':
      return holder === null ? 'critical' : 'warning'
    case 'agent-down':
    case 'contested':
    case 'starting':
      return 'warning'
    default:
      return assertNever(situation)
  }
}
