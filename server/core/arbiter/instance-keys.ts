/**
 * Under which key the witness keeps the vote for an instance of a node. Nodes may name one instance differently, and
 * there is one vote for each VIP. So the witness notes what each node calls an instance, and what identifies it there
 * (shared/core/instance-pairing.ts). It translates a node's names into keys where a message comes in, and back where
 * one goes out. The notes are in the ledger, because after a restart a ballot still binds whoever renamed its instance.
 * Pure.
 */
import type { InstanceIdentity } from '../../../shared/core/instance-pairing.ts'
import { pairInstances } from '../../../shared/core/instance-pairing.ts'
import { type NodeName, maxInstances } from '../../../shared/protocol/names.ts'

/** What a node last said of an instance. */
export interface SaidIdentity extends InstanceIdentity {
  /** Whether its last hello still had it. What it had before may still be promised. */
  readonly present: boolean
}

/** By key and node. */
export type KnownInstances = ReadonlyMap<string, ReadonlyMap<NodeName, SaidIdentity>>

/** By the node's own name: the keys among which it cannot be told which one is meant. */
export type Ambiguities = ReadonlyMap<string, readonly string[]>

/** A key that nobody uses is forgotten when there are more than these. */
const mostKeys = 2 * maxInstances

/** The key of the instance that the node calls so; null: there is none, and its vote cannot be given. */
export function keyOf(known: KnownInstances, node: NodeName, name: string): string | null {
  for (const [key, said] of known) {
    const own = said.get(node)
    if (own?.present === true && own.instance === name) return key
  }
  // The node has not said what identifies it. Then the name is all there is, unless it means something else already.
  return known.get(name)?.get(node)?.present === true ? null : name
}

/**
 * Whether the node has said what identifies the instance. If nobody has, as after the upgrade of a witness, a ballot of
 * that name is enough.
 */
export function isIdentified(
  known: KnownInstances,
  asked: { readonly node: NodeName; readonly name: string; readonly hasBallot: boolean },
): boolean {
  const { node, name, hasBallot } = asked
  const isSaid = [...known.values()].some((said) => said.get(node)?.instance === name)
  return isSaid || (hasBallot && (known.get(name)?.size ?? 0) === 0)
}

/** What the node calls the instance. */
export function nameOf(known: KnownInstances, node: NodeName, key: string): string {
  return known.get(key)?.get(node)?.instance ?? key
}

/** Why an instance of the node has no vote here. */
export function describeUnmatched(node: NodeName, instance: string, among: readonly string[]): string {
  const which = among.length === 0 ? 'an instance that it had under this name' : among.join(' and ')
  return `${instance} of ${node} shares VIPs with ${which}, and it cannot be told which instance of the other node it is, so it has no vote of the witness`
}

/**
 * A node said which instances it has. Each gets the key of the instance that it is on the other node, or the key that it
 * had before, or a new one. One that cannot be told from another gets none.
 * @param inUse whether the vote under this key is promised now, so that the key must not be forgotten
 */
export function noteInstances(
  before: KnownInstances,
  said: { readonly node: NodeName; readonly profiles: readonly InstanceIdentity[] },
  inUse: (key: string) => boolean,
): { known: KnownInstances; ambiguous: Ambiguities } {
  const { node, profiles } = said
  const keys = new Map<string, string>()
  const ambiguous = new Map<string, readonly string[]>()
  for (const { of, present } of orderOfMemory) {
    const taken = new Set(keys.values())
    const entries = new Map<string, { readonly key: string; readonly identity: InstanceIdentity }>()
    for (const [key, byNode] of before)
      for (const [other, identity] of byNode)
        if ((other === node) === (of === 'itself') && identity.present === present && !taken.has(key))
          entries.set(identity.instance, { key, identity })
    const open = profiles.filter(({ instance }) => !keys.has(instance) && !ambiguous.has(instance))
    const matches = pairInstances(
      [...entries.values()].map(({ identity }) => identity),
      open,
    )
    for (const [name, match] of matches) {
      if (match.kind === 'paired') keys.set(name, entries.get(match.with)?.key ?? match.with)
      // What a node itself had before, and what is gone, only keeps a key. It is no rival.
      if (match.kind === 'ambiguous' && of === 'another' && present) ambiguous.set(name, match.among)
    }
  }
  for (const { instance } of profiles)
    if (!keys.has(instance) && !ambiguous.has(instance))
      keys.set(instance, newKey(before, { node, name: instance, taken: new Set(keys.values()) }))
  const known = forget(noted(before, { node, profiles, keys }), inUse)
  return { known: isSame(known, before) ? before : known, ambiguous }
}

/** The node does not belong to the cluster any more. */
export function forgetNode(known: KnownInstances, node: NodeName): KnownInstances {
  return new Map(
    [...known].map(([key, byNode]) => [key, new Map([...byNode].filter(([each]) => each !== node))]),
  )
}

function isSame(one: KnownInstances, other: KnownInstances): boolean {
  const flat = (known: KnownInstances): string =>
    JSON.stringify([...known].map(([key, byNode]) => [key, [...byNode]]))
  return flat(one) === flat(other)
}

/** The first that fits an instance gives it its key. */
const orderOfMemory = [
  { of: 'another', present: true },
  { of: 'itself', present: true },
  { of: 'itself', present: false },
  { of: 'another', present: false },
] as const

/** The instance's own name, unless that is the key of something else. */
function newKey(
  before: KnownInstances,
  {
    node,
    name,
    taken,
  }: { readonly node: NodeName; readonly name: string; readonly taken: ReadonlySet<string> },
): string {
  const isFree = (key: string): boolean =>
    !taken.has(key) && [...(before.get(key) ?? [])].every(([of, { present }]) => of === node || !present)
  if (isFree(name)) return name
  // Short enough for a name (shared/protocol/names.ts), whatever the two are called.
  const base = `${name.slice(0, 30)}@${node.slice(0, 26)}`
  for (let number = 1; ; number += 1) {
    const key = number === 1 ? base : `${base}.${number}`
    if (isFree(key)) return key
  }
}

function noted(
  before: KnownInstances,
  said: {
    readonly node: NodeName
    readonly profiles: readonly InstanceIdentity[]
    readonly keys: ReadonlyMap<string, string>
  },
): KnownInstances {
  const { node, profiles, keys } = said
  const known = new Map(before)
  for (const [key, byNode] of before) {
    const own = byNode.get(node)
    if (own?.present === true) known.set(key, new Map(byNode).set(node, { ...own, present: false }))
  }
  for (const { instance, virtualRouterId, vips } of profiles) {
    const key = keys.get(instance)
    if (key === undefined) continue
    const identity = { instance, virtualRouterId, vips, present: true }
    known.set(key, new Map(known.get(key)).set(node, identity))
  }
  return known
}

function forget(known: KnownInstances, inUse: (key: string) => boolean): KnownInstances {
  if (known.size <= mostKeys) return known
  const isUsed = (key: string, byNode: ReadonlyMap<NodeName, SaidIdentity>): boolean =>
    inUse(key) || [...byNode.values()].some(({ present }) => present)
  return new Map([...known].filter(([key, byNode]) => isUsed(key, byNode)))
}
