/**
 * The two nodes' configurations side by side, as their agents said them in their hellos: each difference in one sentence
 * with what to do. It needs both nodes' words and judges nothing that only one has said. Pure.
 */
import { addressOfVip } from '../../../shared/core/instance-pairing.ts'
import type { Hello } from '../../../shared/protocol/messages.ts'
import type { Profile } from '../../../shared/protocol/plan.ts'
import type { PairFinding } from '../../../shared/protocol/view.ts'
import { type Ambiguities, describeUnmatched, type KnownInstances, keyOf } from './instance-keys.ts'

/** What is compared. */
export interface PairFacts {
  /** The newest hello of each node, in the order of the plan. */
  readonly hellos: readonly Hello[]
  readonly known: KnownInstances
  readonly ambiguous: ReadonlyMap<string, Ambiguities>
}

interface Side {
  readonly node: string
  readonly profile: Profile
}

/** The worst first. */
export function checkPair({ hellos, known, ambiguous }: PairFacts): readonly PairFinding[] {
  const [one, other] = hellos
  if (one === undefined || other === undefined) return []
  const findings: PairFinding[] = []
  for (const { node } of [one, other])
    for (const [name, among] of ambiguous.get(node) ?? [])
      findings.push({
        code: 'pair.ambiguous',
        level: 'critical',
        instance: name,
        text: `${describeUnmatched(node, name, among)}.`,
        remedy:
          'Give both nodes the same virtual_router_id and the same virtual_ipaddress in each vrrp_instance.',
      })
  /** One of several that an instance of the other node may be, so it cannot be compared with any. */
  const isAmong = (node: string, instance: string): boolean =>
    [one, other].some(
      (each) =>
        each.node !== node &&
        [...(ambiguous.get(each.node)?.values() ?? [])].some((among) => among.includes(instance)),
    )
  const sidesOf = ({ node, profiles }: Hello): ReadonlyMap<string, Side> =>
    new Map(
      profiles
        .filter(({ instance }) => ambiguous.get(node)?.has(instance) !== true && !isAmong(node, instance))
        .map((profile) => [keyOf(known, node, profile.instance) ?? profile.instance, { node, profile }]),
    )
  const sides = [sidesOf(one), sidesOf(other)] as const
  for (const [key, first] of sides[0]) {
    const second = sides[1].get(key)
    if (second === undefined) findings.push(onlyOne(key, first, other.node))
    else findings.push(...compare(key, first, second))
  }
  for (const [key, second] of sides[1]) if (!sides[0].has(key)) findings.push(onlyOne(key, second, one.node))
  findings.push(...compareAgents(one, other))
  const order = ['critical', 'warning', 'info']
  return findings.sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level))
}

function onlyOne(instance: string, { node, profile }: Side, missing: string): PairFinding {
  return {
    code: 'pair.only-one',
    level: 'warning',
    instance,
    text: `Only ${node} has ${profile.instance} (${profile.vips.join(', ') || 'no VIP'}), so ${missing} cannot take over.`,
    remedy: `Add a vrrp_instance with the same virtual_router_id (${profile.virtualRouterId}) and virtual_ipaddress on ${missing}.`,
  }
}

function compare(instance: string, first: Side, second: Side): PairFinding[] {
  const [a, b] = [first.profile, second.profile]
  const where = a.instance === b.instance ? a.instance : `${a.instance} and ${b.instance}`
  const differ = (
    code: PairFinding['code'],
    field: { readonly name: string; readonly says: (profile: Profile) => string },
    { level, effect, remedy }: Pick<PairFinding, 'level' | 'remedy'> & { readonly effect: string },
  ): PairFinding[] =>
    field.says(a) === field.says(b)
      ? []
      : [
          {
            code,
            level,
            instance,
            text: `${where}: ${field.name} is ${field.says(a)} on ${first.node} and ${field.says(b)} on ${second.node}, so ${effect}.`,
            remedy,
          },
        ]
  const same = (name: string): string => `Give ${name} the same value on both nodes, and reload keepalived.`
  const breaks = { level: 'warning', effect: 'keepalived drops the adverts of the other node' } as const
  return [
    ...differ(
      'pair.vrid',
      { name: 'virtual_router_id', says: ({ virtualRouterId }) => `${virtualRouterId}` },
      { ...breaks, effect: 'the nodes do not hear each other', remedy: same('virtual_router_id') },
    ),
    ...differ(
      'pair.vips',
      {
        name: 'virtual_ipaddress',
        says: ({ vips }) => [...new Set(vips.map(addressOfVip))].sort().join(', ') || 'empty',
      },
      {
        level: 'warning',
        effect: 'one node serves what the other does not, and keepalived may drop its adverts',
        remedy: same('virtual_ipaddress'),
      },
    ),
    ...differ(
      'pair.version',
      { name: 'the VRRP version', says: ({ version }) => `${version}` },
      { ...breaks, remedy: same('vrrp_version (or "version")') },
    ),
    ...differ(
      'pair.advert-int',
      { name: 'advert_int', says: ({ advertIntMs }) => `${advertIntMs / 1000} s` },
      {
        level: 'warning',
        effect: 'keepalived may drop the adverts of the other node, and waits for them for another time',
        remedy: same('advert_int'),
      },
    ),
    ...compareAuthentication({ where, instance, first, second }),
    ...compareUnicast({ where, instance, first, second }),
    ...differ(
      'pair.preempts',
      { name: 'preemption', says: ({ nopreempt }) => (nopreempt ? 'off (nopreempt)' : 'on') },
      {
        level: 'info',
        effect: 'the VIP moves back to one node by itself and stays where it is with the other',
        remedy: 'Write nopreempt on both nodes (with "state BACKUP") or on neither.',
      },
    ),
    ...(a.compared?.state === 'MASTER' && b.compared?.state === 'MASTER'
      ? [
          {
            code: 'pair.state' as const,
            level: 'info' as const,
            instance,
            text: `${where}: both nodes have "state MASTER", so each takes the VIP at its start and gives it back at once.`,
            remedy: 'Write "state BACKUP" on both nodes; the priority decides.',
          },
        ]
      : []),
    ...(a.priority === b.priority
      ? [
          {
            code: 'pair.same-priority' as const,
            level: 'info' as const,
            instance,
            text: `${where}: both nodes have priority ${a.priority}, so the higher IP address decides who is MASTER.`,
            remedy: 'Give the node that should have the VIP the higher priority.',
          },
        ]
      : []),
  ]
}

interface Pair {
  readonly where: string
  readonly instance: string
  readonly first: Side
  readonly second: Side
}

/** The witness knows the types only. Whether the passwords are the same, the agents find out between themselves. */
function compareAuthentication({ where, instance, first, second }: Pair): PairFinding[] {
  const [a, b] = [first.profile, second.profile]
  if (a.compared === undefined || b.compared === undefined) return []
  const finding = { code: 'pair.auth', level: 'warning', instance } as const
  const effect = 'so keepalived drops the adverts of the other node'
  const [one, other] = [a.compared.auth, b.compared.auth]
  if (one !== other)
    return [
      {
        ...finding,
        text: `${where}: authentication is ${one} on ${first.node} and ${other} on ${second.node}, ${effect}.`,
        remedy:
          'Write the same authentication block on both nodes, or none (it protects little), and reload keepalived.',
      },
    ]
  if (one === 'none' || (a.authDiffers !== true && b.authDiffers !== true)) return []
  return [
    {
      ...finding,
      text: `${where}: ${first.node} and ${second.node} have different passwords (auth_pass), ${effect}.`,
      remedy:
        'Write the same auth_pass on both nodes; only its first 8 characters count. Then reload keepalived.',
    },
  ]
}

function compareUnicast({ where, instance, first, second }: Pair): PairFinding[] {
  if (first.profile.compared === undefined || second.profile.compared === undefined) return []
  const finding = { code: 'pair.unicast', level: 'warning', instance } as const
  const [a, b] = [first.profile.compared.unicast, second.profile.compared.unicast]
  if (a === null && b === null) return []
  if (a === null || b === null) {
    const [unicast, multicast] = a === null ? [second.node, first.node] : [first.node, second.node]
    return [
      {
        ...finding,
        text: `${where}: ${unicast} sends by unicast (unicast_peer) and ${multicast} by multicast, so the nodes may not hear each other.`,
        remedy: `Add unicast_peer with the address of ${unicast} on ${multicast}, or remove it on ${unicast}.`,
      },
    ]
  }
  // Without unicast_src_ip it is the first address of the interface, which the file does not say.
  return [[first.node, a, second.node, b] as const, [second.node, b, first.node, a] as const].flatMap(
    ([node, { peers }, other, { source }]) =>
      source === null || peers.some((peer) => addressOfVip(peer) === addressOfVip(source))
        ? []
        : [
            {
              ...finding,
              text: `${where}: ${other} sends from ${source} (unicast_src_ip), and unicast_peer of ${node} has ${peers.join(', ')}, so ${node} does not send to ${other} and may drop its adverts.`,
              remedy: `Write ${source} into unicast_peer on ${node}, and reload keepalived.`,
            },
          ],
  )
}

function compareAgents(one: Hello, other: Hello): PairFinding[] {
  const findings: PairFinding[] = []
  if (one.mode !== other.mode)
    findings.push({
      code: 'pair.mode',
      level: 'warning',
      instance: null,
      text: `The agent of ${one.node} is in mode ${one.mode} and that of ${other.node} in mode ${other.mode}, so only one of them can be fenced.`,
      remedy: 'Set the same mode in agent.yaml on both nodes, and restart the agent whose mode you change.',
    })
  if (one.gateway !== undefined && other.gateway !== undefined && one.gateway !== other.gateway) {
    const says = (gateway: string | null): string => gateway ?? 'not set'
    findings.push({
      code: 'pair.gateway',
      level: 'info',
      instance: null,
      text: `gateway in agent.yaml is ${says(one.gateway)} on ${one.node} and ${says(other.gateway)} on ${other.node}${one.gateway === null || other.gateway === null ? ', so the VIP does not follow a lost gateway' : ''}.`,
      remedy: 'Set gateway in agent.yaml on both nodes to the router that each of them uses, or on neither.',
    })
  }
  if (one.software !== other.software)
    findings.push({
      code: 'pair.software',
      level: 'info',
      instance: null,
      text: `${one.node} runs ${one.software}, ${other.node} runs ${other.software}.`,
      remedy: 'Install the same version on both nodes.',
    })
  return findings
}
