/**
 * Drills: decides whether one is safe now, orders it for one instance of the node after the other, and reports how it
 * ended. Pure.
 *
 * A standby cannot take the VIP during its drill, so a drill is ordered only while the holder is healthy. The stop
 * command ends keepalived for all instances of a node, so a node that is drilled as a standby must hold none of them.
 */
import type { DrillRole, Drilled, Report } from '../../../shared/protocol/report.ts'
import type { Epoch, NodeName } from '../../../shared/protocol/names.ts'
import { promisedTo } from '../../../shared/core/vote/voter.ts'
import { showsVip } from '../../../shared/core/vip-sighting.ts'
import type { ArbiterEvent, DrillEnd, DrillState } from './state.ts'
import { keyOf } from './instance-keys.ts'
import { couldTake, instanceOf, liveNode, occurred, order, refuseMessage, type Turn } from './turn.ts'
import { leaseHolder } from './lease-holder.ts'
import { type NodeState, sessionBehind } from './roster.ts'
import { silenceMs } from '../../../shared/core/timing.ts'

/**
 * Twice the longest time that the stop command may take, plus a start. A drill without a report for this long has
 * failed.
 */
const longestDrillMs = 60_000
/**
 * The longest time from a holder's proven release until the other node has the lease: several master-down intervals.
 */
const longestTakeoverMs = 20_000
/**
 * Between two instances of one node keepalived needs to settle. The next step begins when all is normal again; if that
 * takes longer than this, the drill fails.
 */
const longestPauseMs = 30_000

/** Handles an admin's request for a drill. */
export function bookDrill(turn: Turn, event: ArbiterEvent & { type: 'drill' }): void {
  const { request, node, includingHolder } = event
  const planned = planDrill(turn, node, includingHolder)
  if ('refusal' in planned) {
    turn.effects.push({ type: 'answer-drill', request, answer: { kind: 'refused', text: planned.refusal } })
    return
  }
  const { steps } = planned
  turn.arbiter = {
    ...turn.arbiter,
    drill: { node, steps, done: [], under: { kind: 'pause', untilMs: turn.atMs + longestPauseMs } },
  }
  turn.effects.push({ type: 'answer-drill', request, answer: { kind: 'begun', steps } })
  occurred(turn, {
    event: 'drill-begun',
    level: 'info',
    instance: null,
    node,
    text: `A drill of ${node} begins: ${steps.map(({ instance, role }) => `${instance} as ${role}`).join(', ')}.`,
    evidence: { steps },
    decision: null,
  })
  watchDrill(turn)
}

type Plan = { readonly steps: DrillState['steps'] } | { readonly refusal: string }

function planDrill(turn: Turn, name: NodeName, includingHolder: boolean): Plan {
  const { nodes, instances, arbiter } = turn
  const node = nodes.get(name)
  if (node === undefined)
    return { refusal: `${name} is not a node of ${arbiter.cluster} (${[...nodes.keys()].join(', ')}).` }
  if (arbiter.drill !== null)
    return {
      refusal: `A drill of ${arbiter.drill.node} is still running, and only one drill can run at a time.`,
    }
  if (!liveNode(turn, node))
    return {
      refusal: `The witness gets no heartbeat from the agent of ${name}, so ${name} cannot carry out a drill.`,
    }
  if (node.session?.hello.mode === 'observe')
    return {
      refusal: `${name} is in observe mode, in which nothing is fenced, so there is nothing to drill.`,
    }
  const ofNode = [...node.reports.keys()].filter((instance) => instances.has(instance)).sort()
  if (ofNode.length === 0) return { refusal: `The agent of ${name} reports no vrrp_instance.` }
  const held = ofNode.filter((instance) => holderOf(turn, instance) === name)
  if (held.length > 0 && !includingHolder)
    return {
      refusal: `${name} holds ${held.join(', ')}, so its drill moves the VIP to the other node. Add --including-holder if you want that.`,
    }
  // If the node holds any instance, only those are drilled. A holder does not stop keepalived, but only proves the bar.
  const steps = (held.length > 0 ? held : ofNode).map((instance) => ({
    instance,
    role: held.length > 0 ? ('holder' as const) : ('standby' as const),
  }))
  const hindrances = ofNode.map((instance) =>
    hindranceOf(turn, { name, instance, role: held.includes(instance) ? 'holder' : 'standby' }),
  )
  const hindrance = hindrances.find((text) => text !== null) ?? null
  return hindrance === null ? { steps } : { refusal: hindrance }
}

function holderOf(turn: Turn, instance: string): NodeName | null {
  const { nodes, instances, atMs, arbiter } = turn
  return leaseHolder(
    { voter: instances.get(instance)?.voter, nodes, instance },
    { atMs, silenceMs: silenceMs(arbiter.timing) },
  )
}

/** Why a drill of this node on this instance is not safe now, in plain words; null: it is safe. */
function hindranceOf(turn: Turn, of: { name: NodeName; instance: string; role: DrillRole }): string | null {
  const { atMs, nodes, arbiter } = turn
  const { name, instance, role } = of
  const node = nodes.get(name)
  const other = [...nodes.values()].find(({ member }) => member.name !== name)
  if (node === undefined || other === undefined) return 'There is no second node that could hold the VIP.'
  const [holder, standby] = role === 'standby' ? [other, node] : [node, other]
  const promise = promisedTo(instanceOf(turn, instance).voter, atMs)
  if (promise?.node !== holder.member.name)
    return `${instance}: ${holder.member.name} does not have the vote of this witness, and a drill needs a holder that has it.`
  for (const each of [holder, standby]) {
    if (!liveNode(turn, each))
      return `${instance}: the witness gets no heartbeat from the agent of ${each.member.name}.`
    if (each.double !== null) return `${instance}: two live agents call themselves ${each.member.name}.`
    if ((each.session?.echoMs ?? -Infinity) < arbiter.runningSinceMs)
      return `${instance}: the witness has only just started or resumed and has no new report from ${each.member.name} yet; try again in a moment.`
  }
  const leader = holder.reports.get(instance)
  if (leader?.phase !== 'holding' || !showsVip(leader))
    return `${instance}: ${holder.member.name} is not MASTER with the lease (${leader?.phase ?? 'no report'}).`
  const spare = standby.reports.get(instance)
  if (spare === undefined) return `${instance}: ${standby.member.name} does not report this instance.`
  if (!hearsPeer(turn, leader.peerSilentMs) || !hearsPeer(turn, spare.peerSilentMs))
    return `${instance}: the nodes do not hear each other, and until they do the standby must stay ready to take over.`
  if (leader.gateway === 'unreachable') return `${instance}: ${holder.member.name} cannot reach its gateway.`
  if (showsVip(spare))
    return `${instance}: ${standby.member.name} has the VIP too (keepalived ${spare.keepalived}).`
  if (!couldTake(turn, standby, instance)) return `${instance}: ${whyNotReady(standby, spare)}`
  if (role === 'holder' && spare.gateway === 'unreachable')
    return `${instance}: ${standby.member.name}, which would take the VIP, cannot reach its gateway.`
  return null
}

function hearsPeer(turn: Turn, peerSilentMs: number | null): boolean {
  return peerSilentMs !== null && peerSilentMs < silenceMs(turn.arbiter.timing)
}

function whyNotReady({ member }: NodeState, report: Report): string {
  return `${member.name} is not ready to take the VIP: keepalived ${report.keepalived}, process ${report.process}, ${report.phase} (${report.why}).`
}

/**
 * Runs at each event. It begins the next step when all is normal again, notices the takeover that it waits for, and
 * ends a drill that has been silent for too long.
 */
export function watchDrill(turn: Turn): void {
  const { drill } = turn.arbiter
  if (drill === null) return
  const { under } = drill
  const [step] = drill.steps
  if (step === undefined) return finish(turn, drill)
  switch (under.kind) {
    case 'pause': {
      const hindrance = hindranceOf(turn, { name: drill.node, ...step })
      const epoch = promisedTo(instanceOf(turn, step.instance).voter, turn.atMs)?.epoch
      if (hindrance === null && epoch !== undefined) return begin(turn, drill, epoch)
      if (turn.atMs >= under.untilMs)
        fail(turn, drill, `it was no longer safe to continue: ${hindrance ?? ''}`)
      return
    }
    case 'order':
      if (turn.atMs >= under.untilMs)
        fail(
          turn,
          drill,
          `the agent of ${drill.node} has not reported within ${longestDrillMs / 1000} s how its drill of ${step.instance} ended; look at its log`,
        )
      return
    case 'takeover': {
      const holder = holderOf(turn, step.instance)
      const holds = holder !== null && turn.nodes.get(holder)?.reports.get(step.instance)?.phase === 'holding'
      if (holds && holder === drill.node)
        return fail(
          turn,
          drill,
          `${holder} provably released ${step.instance} and now holds it again, because the other node did not take it`,
        )
      if (holds)
        return advance(turn, drill, {
          ...under.end,
          takenBy: holder,
          takeoverMs: Math.round(turn.atMs - under.sinceMs),
        })
      if (turn.atMs >= under.untilMs)
        fail(
          turn,
          drill,
          `${drill.node} provably released ${step.instance}, but the other node did not take it within ${longestTakeoverMs / 1000} s`,
        )
    }
  }
}

function begin(turn: Turn, drill: DrillState, epoch: Epoch): void {
  const [step] = drill.steps
  if (step === undefined) return
  const { instance, role } = step
  setDrill(turn, { ...drill, under: { kind: 'order', untilMs: turn.atMs + longestDrillMs } })
  order(turn, drill.node, {
    instance,
    what: role === 'standby' ? 'drill' : 'drill-holder',
    epoch,
    reason: 'ordered by an admin',
  })
}

/** A node reports how its drill ended. A report that nobody waits for is only counted as a refused message. */
export function bookDrilled(turn: Turn, event: ArbiterEvent & { type: 'drilled' }): void {
  const node = sessionBehind(turn.nodes, event.connection)
  if (node === null) return refuseMessage(turn, 'not-greeted')
  const instance = keyOf(turn.arbiter.known, node.member.name, event.drilled.instance)
  const drilled = { ...event.drilled, instance: instance ?? event.drilled.instance }
  const { drill } = turn.arbiter
  const [step] = drill?.steps ?? []
  const awaited =
    drill?.node === node.member.name &&
    drill.under.kind === 'order' &&
    step?.instance === drilled.instance &&
    step.role === drilled.role
  if (!awaited) return refuseMessage(turn, 'drill-not-awaited')
  const end: DrillEnd = { ...pick(drilled), takenBy: null, takeoverMs: null }
  if (drilled.result !== 'passed') return fail(turn, drill, drilled.text, end)
  if (drilled.role === 'standby') return advance(turn, drill, end)
  setDrill(turn, {
    ...drill,
    under: { kind: 'takeover', end, sinceMs: turn.atMs, untilMs: turn.atMs + longestTakeoverMs },
  })
}

function pick({ instance, role, rungs, backMs, text }: Drilled): Omit<DrillEnd, 'takenBy' | 'takeoverMs'> {
  return { instance, role, rungs, backMs, text }
}

function advance(turn: Turn, drill: DrillState, end: DrillEnd): void {
  const next: DrillState = {
    ...drill,
    steps: drill.steps.slice(1),
    done: [...drill.done, end],
    under: { kind: 'pause', untilMs: turn.atMs + longestPauseMs },
  }
  setDrill(turn, next)
  if (next.steps.length === 0) finish(turn, next)
}

function finish(turn: Turn, { node, done }: DrillState): void {
  turn.arbiter = { ...turn.arbiter, drill: null }
  turn.effects.push({ type: 'keep-drill', node, ends: done })
  occurred(turn, {
    event: 'drill-passed',
    level: 'info',
    instance: null,
    node,
    text: `The drill of ${node} passed: ${done.map(describeEnd).join('; ')}.`,
    evidence: { ends: done },
    decision: null,
  })
}

function fail(turn: Turn, drill: DrillState, why: string, end: DrillEnd | null = null): void {
  const [step] = drill.steps
  turn.arbiter = { ...turn.arbiter, drill: null }
  occurred(turn, {
    event: 'drill-failed',
    level: 'warning',
    instance: step?.instance ?? null,
    node: drill.node,
    text: `The drill of ${drill.node} failed: ${why.replace(/\.$/, '')}.`,
    evidence: { ends: end === null ? drill.done : [...drill.done, end] },
    decision: null,
  })
}

function describeEnd({ instance, text, takenBy, takeoverMs }: DrillEnd): string {
  const taken = takenBy === null ? '' : `; ${takenBy} had the lease ${takeoverMs ?? 0} ms later`
  return `${instance}: ${text}${taken}`
}

function setDrill(turn: Turn, drill: DrillState): void {
  turn.arbiter = { ...turn.arbiter, drill }
}
