/** What happened to the VIP: pure arithmetic over what the observers saw. All times are wall-clock times in ms. */
import { nodes, type LabNode } from './address-plan.ts'

/** A node's kernel got the VIP or lost it. */
export interface OwnershipChange {
  readonly atMs: number
  readonly node: LabNode
  readonly has: boolean
}

export interface Span {
  readonly fromMs: number
  readonly toMs: number
}

/** A stretch of time in which the same nodes had the VIP. */
export interface OwnershipStretch extends Span {
  readonly owners: readonly LabNode[]
}

export interface OwnershipFigures {
  /** Two nodes had the VIP. */
  readonly overlapMs: number
  /** No node had the VIP. */
  readonly outageMs: number
  /** How often a node became the only owner after the other one had been. */
  readonly holderChanges: number
  /** How often a node that did not have the VIP took it. */
  readonly takeovers: Readonly<Record<LabNode, number>>
  readonly ownersAtEnd: readonly LabNode[]
}

/** The stretches of `span`, in order and without gaps. */
export function ownershipStretches(changes: readonly OwnershipChange[], span: Span): OwnershipStretch[] {
  const stretches: OwnershipStretch[] = []
  const owning = new Set<LabNode>()
  let fromMs = span.fromMs
  const close = (toMs: number): void => {
    if (toMs <= fromMs) return
    stretches.push({ fromMs, toMs, owners: nodes.filter((node) => owning.has(node)) })
    fromMs = toMs
  }
  for (const change of [...changes].sort((one, other) => one.atMs - other.atMs)) {
    if (change.atMs > span.toMs) break
    close(change.atMs)
    if (change.has) owning.add(change.node)
    else owning.delete(change.node)
  }
  close(span.toMs)
  return stretches
}

/** Who has the VIP at that time. */
export function ownersAt(changes: readonly OwnershipChange[], atMs: number): readonly LabNode[] {
  return nodes.filter(
    (node) => changes.findLast((change) => change.node === node && change.atMs <= atMs)?.has === true,
  )
}

export function ownershipFigures(changes: readonly OwnershipChange[], span: Span): OwnershipFigures {
  const stretches = ownershipStretches(changes, span)
  const lasting = (count: number): number =>
    stretches
      .filter(({ owners }) => owners.length === count)
      .reduce((sumMs, { fromMs, toMs }) => sumMs + toMs - fromMs, 0)
  const soleOwners = ownershipStretches(changes, { fromMs: 0, toMs: span.toMs }).filter(
    ({ owners }) => owners.length === 1,
  )
  const takeovers = (node: LabNode): number =>
    stretches.filter(
      ({ owners }, at) =>
        at > 0 && owners.includes(node) && stretches[at - 1]?.owners.includes(node) === false,
    ).length
  return {
    overlapMs: lasting(2),
    outageMs: lasting(0),
    holderChanges: soleOwners.filter(
      ({ owners, fromMs }, at) =>
        at > 0 && fromMs >= span.fromMs && owners[0] !== soleOwners[at - 1]?.owners[0],
    ).length,
    takeovers: { lb01: takeovers('lb01'), lb02: takeovers('lb02') },
    ownersAtEnd: stretches.at(-1)?.owners ?? [],
  }
}
