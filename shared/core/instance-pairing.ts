/**
 * Which vrrp_instance of one node is which of the other. keepalived pairs two instances by what they send (address
 * family, virtual_router_id, VIPs), and their names are only local. So a vote, which must be one for each VIP, goes by
 * that identity, and by the name only where the identity leaves a choice. Pure.
 */

/** What identifies an instance. A profile is one. */
export interface InstanceIdentity {
  /** Its name on the node that says it. */
  readonly instance: string
  readonly virtualRouterId: number
  /** As keepalived.conf has them: an address, perhaps with its prefix and further words. */
  readonly vips: readonly string[]
}

/** What an instance of the other node is here. */
export type Match =
  | { readonly kind: 'paired'; readonly with: string }
  /** No instance here has any of its VIPs. */
  | { readonly kind: 'alone' }
  /** It cannot be told which one it is, or one VIP would be under two votes. */
  | { readonly kind: 'ambiguous'; readonly among: readonly string[] }

/** An instance with what is compared, computed once. */
interface Known extends InstanceIdentity {
  readonly family: 4 | 6
  /** A link-local address is another one on each link, so here its virtual_router_id belongs to it. */
  readonly addresses: ReadonlySet<string>
  readonly identity: string
}

/**
 * Matches each of `theirs` with one of `ours`. It is symmetric: what pairs in one direction pairs in the other.
 * @returns by their names
 */
export function pairInstances(
  ourInstances: readonly InstanceIdentity[],
  theirInstances: readonly InstanceIdentity[],
): ReadonlyMap<string, Match> {
  const ours = ourInstances.map(known)
  const theirs = theirInstances.map(known)
  const matches = new Map<string, Match>()
  const taken = new Set<string>()
  const open = {
    theirs: () => theirs.filter(({ instance }) => !matches.has(instance)),
    ours: () => ours.filter(({ instance }) => !taken.has(instance)),
  }
  const pair = (their: InstanceIdentity, our: InstanceIdentity): void => {
    matches.set(their.instance, { kind: 'paired', with: our.instance })
    taken.add(our.instance)
  }

  for (const { theirs: left, ours: right } of groupsOfOneIdentity(open.theirs(), open.ours())) {
    for (const their of left) {
      const namesake = right.find(({ instance }) => instance === their.instance)
      if (namesake !== undefined) pair(their, namesake)
    }
    const [their, ...otherTheirs] = left.filter(({ instance }) => !matches.has(instance))
    const [our, ...otherOurs] = right.filter(({ instance }) => !taken.has(instance))
    if (their === undefined || our === undefined) continue
    if (otherTheirs.length === 0 && otherOurs.length === 0) {
      pair(their, our)
      continue
    }
    const among = [our, ...otherOurs].map((each) => each.instance)
    for (const { instance } of [their, ...otherTheirs]) matches.set(instance, { kind: 'ambiguous', among })
    // From the other side they are the ambiguous ones, so nothing else may be paired with them here either.
    for (const instance of among) taken.add(instance)
  }

  // What is left differs somewhere. A shared VIP decides, because two votes for it would be two owners.
  const drifted = open.theirs()
  const pairs: [Known, Known][] = []
  for (const their of drifted) {
    const sharing = ours.filter((our) => shareVip(our, their))
    const [our] = sharing
    if (our === undefined) continue
    const isMutual =
      sharing.length === 1 &&
      !taken.has(our.instance) &&
      theirs.filter((each) => shareVip(our, each)).length === 1
    if (isMutual) pairs.push([their, our])
    else
      matches.set(their.instance, {
        kind: 'ambiguous',
        among: sharing.map(({ instance }) => instance),
      })
  }
  for (const [their, our] of pairs) pair(their, our)

  // Without a shared VIP only a namesake may be the same instance: its VIPs are changing.
  for (const their of open.theirs()) {
    const namesake = open.ours().find((our) => our.instance === their.instance && isKin(our, their))
    const hasRival =
      namesake !== undefined && theirs.some((each) => each !== their && shareVip(namesake, each))
    if (namesake === undefined || hasRival) matches.set(their.instance, { kind: 'alone' })
    else pair(their, namesake)
  }
  return matches
}

/** The same family, virtual_router_id and VIPs. */
export function isSameIdentity(one: InstanceIdentity, other: InstanceIdentity): boolean {
  return known(one).identity === known(other).identity
}

/** The address of a VIP as keepalived.conf has it, in one spelling: `10.0.0.100` of `10.0.0.100/24 dev eth0`. */
export function addressOfVip(vip: string): string {
  const [address = ''] = vip.trim().split(/[\s/%]/, 1)
  if (!address.includes(':')) return address
  const url = `http://[${address}]/`
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : address.toLowerCase()
}

function known(instance: InstanceIdentity): Known {
  const { virtualRouterId, vips } = instance
  const family = vips[0]?.includes(':') === true ? 6 : 4
  const spelt = vips.map(addressOfVip)
  const addresses = new Set(
    spelt.map((address) => (isLinkLocal(address) ? `${address} ${virtualRouterId}` : address)),
  )
  const identity = `${family} ${virtualRouterId} ${[...addresses].sort().join(',')}`
  return { ...instance, family, addresses, identity }
}

function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/.test(address)
}

interface Group {
  readonly theirs: Known[]
  readonly ours: Known[]
}

function groupsOfOneIdentity(theirs: readonly Known[], ours: readonly Known[]): Group[] {
  const groups = new Map<string, Group>()
  const groupOf = ({ identity }: Known): Group => {
    const group = groups.get(identity) ?? { theirs: [], ours: [] }
    groups.set(identity, group)
    return group
  }
  for (const their of theirs) groupOf(their).theirs.push(their)
  for (const our of ours) groupOf(our).ours.push(our)
  return [...groups.values()]
}

function shareVip(one: Known, other: Known): boolean {
  return [...one.addresses].some((address) => other.addresses.has(address))
}

/** Of two with one name: one virtual_router_id, or one link-local VIP, says that they are the same. */
function isKin(one: Known, other: Known): boolean {
  if (one.family !== other.family) return false
  const addresses = new Set(one.vips.map(addressOfVip))
  return (
    one.virtualRouterId === other.virtualRouterId ||
    other.vips.some((vip) => addresses.has(addressOfVip(vip)))
  )
}
