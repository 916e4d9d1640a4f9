/**
 * What the reports of all nodes show together. The situation is reported when it changes, and if two nodes have the
 * VIP, one is ordered to stop. Pure.
 */
import { silenceMs } from '../../../shared/core/timing.ts'
import { promisedTo } from '../../../shared/core/vote/voter.ts'
import type { PairFinding } from '../../../shared/protocol/view.ts'
import { checkPair } from './pair-check.ts'
import { watchForLostGateway } from './transfer.ts'
import { change, instanceOf, occurred, order, type Turn } from './turn.ts'
import { leaseHolder } from './lease-holder.ts'
import { isLive, mastersOf } from './roster.ts'
import { judge } from './situation.ts'
import { noteChange } from './situation-reporting.ts'

export function watchOver(turn: Turn, instance: string): void {
  tellOfRollback(turn, instance)
  watchForDualMaster(turn, instance)
  watchForLostGateway(turn, instance)
  const { judgement: before, reported: reportedBefore } = instanceOf(turn, instance)
  const { timing, startedAtMs } = turn.arbiter
  const { nodes, instances } = turn
  const judgement = judge({ timing, startedAtMs, nodes, instances }, instance, turn.atMs)
  const { reported, line } = noteChange(reportedBefore, { before, judgement, atMs: turn.atMs })
  change(turn, instance, { judgement, reported })
  if (line === null) return
  occurred(turn, {
    event: `situation.${judgement.situation}`,
    level: judgement.level,
    instance,
    node: judgement.subject,
    text: line,
    evidence: judgement.evidence,
    decision: judgement.decision,
  })
}

/** Each difference of the two configurations is told once when it appears, and once when it is gone. */
export function watchOverPair(turn: Turn): void {
  const { known, ambiguous, pair: before } = turn.arbiter
  const hellos = [...turn.nodes.values()].flatMap(({ session }) => session?.hello ?? [])
  const pair = checkPair({ hellos, known, ambiguous })
  const isIn = (findings: readonly PairFinding[], finding: PairFinding): boolean =>
    findings.some(({ code, text }) => code === finding.code && text === finding.text)
  turn.arbiter = { ...turn.arbiter, pair }
  const about = ({ instance, code }: PairFinding) => ({
    instance,
    node: null,
    evidence: { code },
    decision: null,
  })
  for (const finding of pair.filter((each) => !isIn(before, each)))
    occurred(turn, {
      ...about(finding),
      event: 'configurations-differ',
      level: finding.level,
      text: `${finding.text} ${finding.remedy}`,
    })
  for (const finding of before.filter((each) => !isIn(pair, each)))
    occurred(turn, {
      ...about(finding),
      event: 'configurations-agree',
      level: 'info',
      text: `This is no longer so: ${finding.text}`,
    })
}

function tellOfRollback(turn: Turn, instance: string): void {
  const { rollbackUnreported, voter } = instanceOf(turn, instance)
  if (!rollbackUnreported) return
  change(turn, instance, { rollbackUnreported: false })
  occurred(turn, {
    event: 'ledger-rolled-back',
    level: 'critical',
    instance,
    node: null,
    text: `The ledger is older than the promises that this witness has given since its host booted, so it was rolled back. Everyone waits until those promises have expired; new epochs start above ${voter.epoch}.`,
    evidence: { epoch: voter.epoch },
    decision: 'everyone waits',
  })
}

/**
 * If two nodes have the VIP, the one without the lease is ordered to stop. Once it has, the holder announces the VIP.
 */
function watchForDualMaster(turn: Turn, instance: string): void {
  const { arbiter, nodes, atMs } = turn
  const { timing, runningSinceMs } = arbiter
  const at = { atMs, silenceMs: silenceMs(timing) }
  const masters = mastersOf(nodes, instance, at)
  const { dualSinceMs, orderedAtMs, voter } = instanceOf(turn, instance)
  const holder = leaseHolder({ voter, nodes, instance }, at)
  const epoch = promisedTo(voter, atMs)?.epoch ?? voter.epoch
  if (masters.length < 2) {
    if (dualSinceMs === null) return
    // After a pause nobody counts as gone until every connected node has reported again.
    const sessions = [...nodes.values()].map(({ session }) => session)
    if (sessions.some((session) => session?.open === true && session.echoMs < runningSinceMs)) return
    change(turn, instance, { dualSinceMs: null })
    const allHeard = [...nodes.values()].every((node) => isLive(node, atMs, silenceMs(timing)))
    if (holder !== null && allHeard)
      order(turn, holder, { instance, what: 'announce', epoch, reason: 'the other MASTER is gone' })
    return
  }
  if (dualSinceMs === null) return change(turn, instance, { dualSinceMs: atMs })
  // Nobody is stopped because of old reports: each node must have read an answer from after that, and from after the last
  // pause of this process, before it reported. What is only received later may have been sent before.
  const fresh = masters.every((name) => {
    const echoMs = nodes.get(name)?.session?.echoMs ?? -Infinity
    return echoMs >= runningSinceMs && echoMs > dualSinceMs
  })
  // A handover looks like this for a moment, and a node without the lease fences itself before any order arrives.
  const lasts = atMs - dualSinceMs >= timing.handoverMs
  const letsGo = masters.some((name) => nodes.get(name)?.reports.get(instance)?.lettingGo === true)
  if (!lasts || !fresh || letsGo || holder === null || atMs - orderedAtMs < timing.renewMs) return
  change(turn, instance, { orderedAtMs: atMs })
  for (const name of masters)
    if (name !== holder)
      order(turn, name, {
        instance,
        what: 'fence',
        epoch,
        reason: `${holder} holds the lease (epoch ${epoch})`,
      })
}
