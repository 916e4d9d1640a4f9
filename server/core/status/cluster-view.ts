/** What `/api/v1/clusters/:cluster` answers and `witnessctl status` prints. */
import type { Arbiter, InstanceState } from '../arbiter/arbiter.ts'
import type {
  ClusterView,
  DrillView,
  InstanceView,
  NodeInstanceView,
  NodeView,
} from '../../../shared/protocol/view.ts'
import { verdictOn } from './verdict.ts'
import { promisedTo } from '../../../shared/core/vote/voter.ts'
import { type NodeState, holderOf, isHeard, judge, keyOf, nameOf } from '../arbiter/queries.ts'
import type { GuardPhase, Report } from '../../../shared/protocol/report.ts'
import { assertNever } from '../../../shared/assert-never.ts'

/**
 * The arbiter's state as operators see it. Pure.
 * @param known.lastDrill of a node; null: none is known
 * @param known.witnessWarnings what is wrong with the witness itself
 */
export function viewOf(
  arbiter: Arbiter,
  atMs: number,
  {
    lastDrill = () => null,
    witnessWarnings = [],
  }: {
    readonly lastDrill?: (node: string) => DrillView | null
    readonly witnessWarnings?: readonly string[]
  } = {},
): ClusterView {
  const instances = [...arbiter.instances.entries()].map(([name, state]) =>
    viewInstance(arbiter, name, state, atMs),
  )
  const nodes = [...arbiter.nodes.values()].map((node) => ({
    ...explained(viewNode(arbiter, node, atMs), arbiter.pair),
    lastDrill: lastDrill(node.member.name),
  }))
  return {
    cluster: arbiter.cluster,
    verdict: verdictOn({ instances, nodes, pair: arbiter.pair, witnessWarnings }),
    instances,
    nodes,
    pair: arbiter.pair,
    witnessWarnings,
    refusedMessages: arbiter.refusedMessages,
  }
}

function viewInstance(arbiter: Arbiter, instance: string, state: InstanceState, atMs: number): InstanceView {
  const { situation, text } = judge(arbiter, instance, atMs)
  const promise = promisedTo(state.voter, atMs)
  const vips = [...arbiter.nodes.values()].flatMap(({ member, session }) =>
    (session?.hello.profiles ?? [])
      .filter((profile) => keyOf(arbiter.known, member.name, profile.instance) === instance)
      .flatMap((profile) => profile.vips),
  )
  const { pledge } = state.voter
  const names = [...(arbiter.known.get(instance) ?? [])].map(([node, said]) => [node, said.instance] as const)
  const differs = names.some(([, name]) => name !== instance)
  return {
    instance,
    ...(differs ? { names: Object.fromEntries(names) } : {}),
    vips: [...new Set(vips)],
    situation,
    text,
    holder: holderOf(arbiter, instance, atMs),
    epoch: promise?.epoch ?? state.voter.epoch,
    promiseLeftMs: pledge.phase === 'promised' ? Math.max(0, Math.round(pledge.untilMs - atMs)) : null,
  }
}

function viewNode(arbiter: Arbiter, node: NodeState, atMs: number): Omit<NodeView, 'lastDrill'> {
  const { member, session, reports, unmatchedWarnings, echoes } = node
  const connected = isHeard(arbiter, node, atMs)
  const answered = echoes.filter((roundTripMs) => roundTripMs !== null)
  const lost = echoes.length - answered.length
  const warnings = connected
    ? [...[...reports.values()].flatMap((report) => report.warnings), ...unmatchedWarnings]
    : []
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
    instances: [...reports.values()].map((report) => {
      const localName = nameOf(arbiter.known, member.name, report.instance)
      const view = viewReport(report, connected)
      return localName === report.instance ? view : { ...view, localName }
    }),
    warnings: [...new Set(warnings)],
  }
}

/** A difference of the configurations explains why no advert arrives, so nobody is sent to look for a firewall. */
function explained(view: Omit<NodeView, 'lastDrill'>, pair: Arbiter['pair']): Omit<NodeView, 'lastDrill'> {
  const instances = view.instances.map((each) => {
    const cause = pair.find(({ instance, level }) => instance === each.instance && level !== 'info')
    const why = cause === undefined ? each.why : each.why.replace(askAboutFirewall, cause.text)
    return { ...each, why }
  })
  return { ...view, instances }
}

/** From agent/core/guard/phases/standby.ts. */
const askAboutFirewall = /Check whether a firewall blocks IP protocol 112\./

function viewReport(report: Report, connected: boolean): NodeInstanceView {
  const {
    instance,
    keepalived,
    process,
    vips,
    phase,
    why,
    priority,
    configuredPriority,
    priorityMayDiffer,
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
    ...(configuredPriority === undefined ? {} : { configuredPriority }),
    ...(priorityMayDiffer === undefined ? {} : { priorityMayDiffer }),
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
