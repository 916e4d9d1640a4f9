/** What is going on with one instance, in one word and one sentence, from the arbiter's facts alone. Pure. */
import type { NodeName } from '../../../shared/protocol/names.ts'
import { silenceMs } from '../../../shared/core/timing.ts'
import { promisedTo } from '../../../shared/core/vote/voter.ts'
import type { Arbiter } from './state.ts'
import type { Judgement } from './judgement.ts'
import { leaseHolder } from './lease-holder.ts'
import { answersIcmp, isLive, mastersOf, type NodeState } from './roster.ts'

/** A node that has never reported counts as missing only after this long, because it may still be booting. */
const bootPatienceMs = 10_000

/** What a judgement depends on. */
type Facts = Pick<Arbiter, 'timing' | 'startedAtMs' | 'nodes' | 'instances'>

export function judge(arbiter: Facts, instance: string, atMs: number): Judgement {
  const silence = silenceMs(arbiter.timing)
  const state = arbiter.instances.get(instance)
  const promise = state === undefined ? null : promisedTo(state.voter, atMs)
  const nodes = [...arbiter.nodes.values()]
  const live = nodes.filter((node) => isLive(node, atMs, silence))
  const at = { atMs, silenceMs: silence }
  const masters = mastersOf(arbiter.nodes, instance, at)
  const holder = leaseHolder({ voter: state?.voter, nodes: arbiter.nodes, instance }, at)
  const holding =
    holder === null
      ? 'Nobody holds the lease.'
      : `${holder} holds the lease (epoch ${promise?.epoch ?? state?.voter.epoch ?? 0}).`

  const doubled = nodes.find((node) => node.double !== null && isLive(node, atMs, silence))
  if (doubled !== undefined) {
    const { name } = doubled.member
    return {
      situation: 'id-conflict',
      level: 'critical',
      subject: name,
      text: `Two live agents call themselves ${name}, so neither is promoted. Give each host its own node name. ${holding}`,
      evidence: { incarnations: [doubled.session?.hello.incarnation, doubled.double?.hello.incarnation] },
      decision: 'no promotion',
    }
  }
  if (masters.length > 1) {
    const losers = masters.filter((name) => name !== holder)
    return {
      situation: 'dual-master',
      level: 'critical',
      subject: null,
      text:
        holder === null
          ? `${masters.join(' and ')} are both MASTER and nobody has the lease yet; the votes are deciding now.`
          : `${masters.join(' and ')} are both MASTER; ${holder} has the lease, so ${losers.join(' and ')} must stop.`,
      evidence: { masters, holder, reports: describeReports(live, instance) },
      decision: holder === null ? null : `${losers.join(', ')} must stop`,
    }
  }
  if (state?.contest != null)
    return {
      situation: 'contested',
      level: 'warning',
      subject: null,
      text: `${state.contest.claims.map(({ node }) => node).join(' and ')} asked for the lease; the witness waits a moment for a rival claim.`,
      evidence: { claims: state.contest.claims },
      decision: null,
    }

  const missing = nodes.find((node) => !isLive(node, atMs, silence) && isOverdue(arbiter, node, atMs))
  if (missing !== undefined)
    return judgeMissing(arbiter, missing, { atMs, holding, holder, promised: promise !== null })

  if (masters.length === 0) {
    const starting = atMs - arbiter.startedAtMs < bootPatienceMs && holder === null
    return {
      situation: starting ? 'starting' : 'no-master',
      level: starting ? 'info' : 'warning',
      subject: null,
      text: starting
        ? 'The witness has just started; no node is MASTER yet.'
        : `No node is MASTER; the first eligible claim wins. ${describeReports(live, instance).join('; ') || 'No agent reports this instance'}.`,
      evidence: { reports: describeReports(live, instance) },
      decision: null,
    }
  }
  return {
    situation: 'normal',
    level: 'info',
    subject: masters[0] ?? null,
    text: `${masters.join(', ')} is MASTER. ${holding}`,
    evidence: { masters, holder },
    decision: null,
  }
}

function isOverdue(arbiter: Facts, node: NodeState, atMs: number): boolean {
  return (
    (node.session !== null && node.session.beatAtMs !== null) || atMs - arbiter.startedAtMs > bootPatienceMs
  )
}

function judgeMissing(
  arbiter: Facts,
  node: NodeState,
  facts: { atMs: number; holding: string; holder: NodeName | null; promised: boolean },
): Judgement {
  const { atMs, holding, holder, promised } = facts
  const { name } = node.member
  const beatAtMs = node.session?.beatAtMs ?? null
  const silence =
    beatAtMs === null
      ? 'has not reported yet'
      : `has sent no heartbeat for ${((atMs - beatAtMs) / 1000).toFixed(1)} s`
  const answers = answersIcmp(node)
  const evidence = {
    heartbeatAgeMs: beatAtMs === null ? null : atMs - beatAtMs,
    icmp: node.echoes.slice(-3),
    holder,
  }
  const icmp = answers === null ? 'and its host has not been pinged yet' : 'but the host answers ICMP'
  if (answers !== false)
    return {
      situation: 'agent-down',
      level: 'warning',
      subject: name,
      text: `The agent of ${name} ${silence}, ${icmp}. The agent is down; keepalived may still be running. ${holding}`,
      evidence,
      decision: promised && holder === name ? `promise to ${name} kept while its check renews it` : null,
    }
  return {
    situation: 'host-down',
    level: holder === name || holder === null ? 'critical' : 'warning',
    subject: name,
    text: `${name} ${silence} and does not answer ICMP, so the host is down or cut off. ${holding}`,
    evidence,
    decision:
      promised && holder === name
        ? `promise to ${name} expires ${arbiter.timing.reserveMs} ms after its last renewal; then the other node may take over`
        : null,
  }
}

function describeReports(nodes: readonly NodeState[], instance: string): string[] {
  return nodes.flatMap((node) => {
    const report = node.reports.get(instance)
    return report === undefined
      ? []
      : [`${node.member.name}: ${report.keepalived}, VIP ${report.vips}, ${report.phase} (${report.why})`]
  })
}
