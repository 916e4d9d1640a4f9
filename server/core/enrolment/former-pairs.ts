/**
 * Pairs of which a node was removed, and which may still serve without the witness: while both are cut off from it,
 * nothing tells them. Two nodes of such a pair are a majority of their own plan, and one of them is, if the other
 * delegated its vote to it. So nobody new may join before one of two things is certain (docs/safety.md, S1):
 *
 * - the node that stayed has the plan without the other on its disk, and every vote from before has expired;
 * - both hosts are off, by the operator's word.
 *
 * Pure.
 */
import { type Enrolment, type FormerPair, type NodeKey, type Refused, membersOf, refuse } from './record.ts'

/** At most one for each node that was removed before anything was settled. */
export const mostFormerPairs = 4096

/** The node is about to be removed: what it may go on serving with. */
export function withFormerPairs(enrolment: Enrolment, { cluster, node }: NodeKey): Enrolment {
  const isMember = membersOf(enrolment, cluster).some(({ name }) => name === node)
  if (!isMember) return enrolment
  const added = membersOf(enrolment, cluster)
    .filter(({ name }) => name !== node)
    .map(({ name }): FormerPair => ({ cluster, removed: node, other: name }))
  return withPairs(enrolment, [...pairsOf(enrolment), ...added].slice(-mostFormerPairs))
}

/** The node has the plan with these members on its disk, and no vote from before counts any more. */
export function settlePairs(
  enrolment: Enrolment,
  { cluster, node, members }: NodeKey & { members: readonly string[] },
): Enrolment {
  return withoutPairs(
    enrolment,
    (pair) => pair.cluster === cluster && pair.other === node && !members.includes(pair.removed),
  )
}

/** The operator says that these hosts are off. */
export function declareOff(
  enrolment: Enrolment,
  { cluster, nodes }: { cluster: string; nodes: readonly string[] },
): Enrolment {
  return withoutPairs(
    enrolment,
    ({ removed, other, ...pair }) =>
      pair.cluster === cluster && nodes.includes(removed) && nodes.includes(other),
  )
}

export function mayServeWith(enrolment: Enrolment, { cluster, node }: NodeKey): readonly string[] {
  return pairsOf(enrolment)
    .filter((pair) => pair.cluster === cluster && pair.removed === node)
    .map(({ other }) => other)
}

/** Why nobody new may join the cluster now; null: it may. */
export function whyPairMayServe(
  enrolment: Enrolment,
  { cluster, node }: NodeKey,
): Refused<'pair-may-serve'> | null {
  // Who is a member joins again on the same host.
  if (membersOf(enrolment, cluster).some(({ name }) => name === node)) return null
  const pair = pairsOf(enrolment).find((one) => one.cluster === cluster)
  if (pair === undefined) return null
  const { removed, other } = pair
  return refuse(
    'pair-may-serve',
    `${removed} was removed, but ${other} does not yet know it as far as this witness can tell, so the two may still serve the VIP together; let the agent of ${other} connect to this witness and try again after a few seconds. If both hosts are powered off, run "witnessctl remove --cluster ${cluster} --node ${removed} --is-off ${removed} --is-off ${other}"`,
  )
}

function pairsOf({ formerPairs = [] }: Enrolment): readonly FormerPair[] {
  return formerPairs
}

function withoutPairs(enrolment: Enrolment, isSettled: (pair: FormerPair) => boolean): Enrolment {
  const left = pairsOf(enrolment).filter((pair) => !isSettled(pair))
  return left.length === pairsOf(enrolment).length ? enrolment : withPairs(enrolment, left)
}

/** An earlier version does not know the field, so it is there only if it says something. */
function withPairs(enrolment: Enrolment, pairs: readonly FormerPair[]): Enrolment {
  const { formerPairs, ...others } = enrolment
  if (pairs.length > 0) return { ...others, formerPairs: pairs }
  return formerPairs === undefined ? enrolment : others
}
