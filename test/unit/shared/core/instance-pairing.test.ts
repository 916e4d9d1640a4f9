import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  addressOfVip,
  type InstanceIdentity,
  isSameIdentity,
  type Match,
  pairInstances,
} from '../../../../shared/core/instance-pairing.ts'

const a = '10.0.0.100/24'
const b = '10.0.0.101/24'
const c = '10.0.0.102/24'

function has(instance: string, virtualRouterId: number, ...vips: string[]): InstanceIdentity {
  return { instance, virtualRouterId, vips }
}

/** `theirs=ours`, `theirs alone` or `theirs?ours,ours`. */
function matchesOf(ours: readonly InstanceIdentity[], theirs: readonly InstanceIdentity[]): string[] {
  return [...pairInstances(ours, theirs)].map(([name, match]) => told(name, match)).sort()
}

function told(name: string, match: Match): string {
  switch (match.kind) {
    case 'paired':
      return `${name}=${match.with}`
    case 'alone':
      return `${name} alone`
    case 'ambiguous':
      return `${name}?${[...match.among].sort().join(',')}`
  }
}

const table: readonly {
  readonly when: string
  readonly ours: readonly InstanceIdentity[]
  readonly theirs: readonly InstanceIdentity[]
  readonly is: readonly string[]
}[] = [
  {
    when: 'equal names with the same identity',
    ours: [has('VI_1', 51, a)],
    theirs: [has('VI_1', 51, a)],
    is: ['VI_1=VI_1'],
  },
  {
    when: 'different names with the same identity',
    ours: [has('GW-NODE-1', 51, a)],
    theirs: [has('GW-NODE-2', 51, a)],
    is: ['GW-NODE-2=GW-NODE-1'],
  },
  {
    when: 'names that are swapped',
    ours: [has('VI_1', 51, a), has('VI_2', 52, b)],
    theirs: [has('VI_1', 52, b), has('VI_2', 51, a)],
    is: ['VI_1=VI_2', 'VI_2=VI_1'],
  },
  {
    when: 'names that are swapped, and one VIP list differs',
    ours: [has('VI_1', 51, a), has('VI_2', 52, b)],
    theirs: [has('VI_1', 52, b, c), has('VI_2', 51, a)],
    is: ['VI_1=VI_2', 'VI_2=VI_1'],
  },
  {
    when: 'VIPs in another order and another spelling',
    ours: [has('A', 51, '2001:db8::1/64', '2001:db8::2/64')],
    theirs: [has('B', 51, '2001:DB8:0::2', '2001:db8:0:0:0:0:0:1/64 dev eth0')],
    is: ['B=A'],
  },
  {
    when: 'one name whose VIPs differ',
    ours: [has('VI_1', 51, a, b)],
    theirs: [has('VI_1', 51, a)],
    is: ['VI_1=VI_1'],
  },
  {
    when: 'one name whose virtual_router_id differs',
    ours: [has('VI_1', 51, a)],
    theirs: [has('VI_1', 52, a)],
    is: ['VI_1=VI_1'],
  },
  {
    when: 'different names, and the VIPs differ',
    ours: [has('A', 51, a, b)],
    theirs: [has('B', 51, a)],
    is: ['B=A'],
  },
  {
    when: 'different names, and the virtual_router_id differs',
    ours: [has('A', 51, a)],
    theirs: [has('B', 52, a)],
    is: ['B=A'],
  },
  {
    when: 'one name whose VIP is being changed, first on one node',
    ours: [has('VI_1', 51, a)],
    theirs: [has('VI_1', 51, b)],
    is: ['VI_1=VI_1'],
  },
  {
    when: 'one name for two things that have nothing in common',
    ours: [has('VI_1', 51, a)],
    theirs: [has('VI_1', 52, b)],
    is: ['VI_1 alone'],
  },
  {
    when: 'another name and another VIP under the same virtual_router_id (another interface)',
    ours: [has('VI_1', 51, a)],
    theirs: [has('VI_2', 51, b)],
    is: ['VI_2 alone'],
  },
  {
    when: 'IPv4 and IPv6 under one virtual_router_id',
    ours: [has('A4', 51, a), has('A6', 51, '2001:db8::1')],
    theirs: [has('B6', 51, '2001:db8::1'), has('B4', 51, a)],
    is: ['B4=A4', 'B6=A6'],
  },
  {
    when: 'a link-local VIP on two VLANs, with different names',
    ours: [has('V10', 10, 'fe80::1'), has('V20', 20, 'fe80::1')],
    theirs: [has('GW20', 20, 'fe80::1/64'), has('GW10', 10, 'fe80::1/64')],
    is: ['GW10=V10', 'GW20=V20'],
  },
  {
    when: 'a link-local VIP on two VLANs under one virtual_router_id: the names decide',
    ours: [has('V10', 1, 'fe80::1'), has('V20', 1, 'fe80::1')],
    theirs: [has('V20', 1, 'fe80::1'), has('V10', 1, 'fe80::1')],
    is: ['V10=V10', 'V20=V20'],
  },
  {
    when: 'one name with a link-local VIP whose virtual_router_id differs',
    ours: [has('V10', 10, 'fe80::1')],
    theirs: [has('V10', 11, 'fe80::1')],
    is: ['V10=V10'],
  },
  {
    when: 'two of one identity on both sides, and one name is the same: the other two are left for each other',
    ours: [has('V10', 1, 'fe80::1'), has('V20', 1, 'fe80::1')],
    theirs: [has('V10', 1, 'fe80::1'), has('W20', 1, 'fe80::1')],
    is: ['V10=V10', 'W20=V20'],
  },
  {
    when: 'two candidates of one identity and no name that decides',
    ours: [has('V10', 1, 'fe80::1'), has('V20', 1, 'fe80::1')],
    theirs: [has('W10', 1, 'fe80::1'), has('W20', 1, 'fe80::1')],
    is: ['W10?V10,V20', 'W20?V10,V20'],
  },
  {
    when: 'two instances there share the VIPs of one here',
    ours: [has('X', 51, a, b)],
    theirs: [has('P', 51, a), has('Q', 52, b)],
    is: ['P?X', 'Q?X'],
  },
  {
    when: 'two instances there share the VIPs of one here, and one has its name: a VIP would get two votes',
    ours: [has('X', 51, a, b)],
    theirs: [has('X', 51, a), has('Q', 52, b)],
    is: ['Q?X', 'X?X'],
  },
  {
    when: 'one there has VIPs of two here',
    ours: [has('P', 51, a), has('Q', 52, b)],
    theirs: [has('X', 51, a, b)],
    is: ['X?P,Q'],
  },
  {
    when: 'one there has the VIP of a pair besides',
    ours: [has('P', 51, a)],
    theirs: [has('P', 51, a), has('R', 53, a, c)],
    is: ['P=P', 'R?P'],
  },
  {
    when: 'an instance that only one node has, beside a pair',
    ours: [has('P', 51, a)],
    theirs: [has('P', 51, a), has('R', 53, c)],
    is: ['P=P', 'R alone'],
  },
  {
    when: 'no VIPs at all',
    ours: [has('P', 51)],
    theirs: [has('P', 51)],
    is: ['P=P'],
  },
  { when: 'nothing here', ours: [], theirs: [has('P', 51, a)], is: ['P alone'] },
  { when: 'nothing there', ours: [has('P', 51, a)], theirs: [], is: [] },
]

describe('pairing the instances of two nodes', () => {
  for (const { when, ours, theirs, is } of table)
    it(`${when}: ${is.join(', ') || 'nothing'}`, () => {
      assert.deepEqual(matchesOf(ours, theirs), [...is].sort())
    })

  it('reads the address of a VIP in one spelling', () => {
    assert.equal(addressOfVip('10.0.0.100/24 dev eth0'), '10.0.0.100')
    assert.equal(addressOfVip('2001:DB8:0:0::1/64'), '2001:db8::1')
    assert.equal(addressOfVip('fe80::1%eth0'), 'fe80::1')
  })

  it('knows an instance by family, virtual_router_id and VIPs, not by name or prefix', () => {
    assert.ok(isSameIdentity(has('A', 51, a, b), has('B', 51, '10.0.0.101', '10.0.0.100/32')))
    assert.ok(!isSameIdentity(has('A', 51, a), has('A', 52, a)))
    assert.ok(!isSameIdentity(has('A', 51, a), has('A', 51, a, b)))
  })

  const instances = fc.uniqueArray(
    fc.record({
      instance: fc.constantFrom('P', 'Q', 'R', 'S'),
      virtualRouterId: fc.constantFrom(1, 2),
      vips: fc.uniqueArray(fc.constantFrom(a, b, c, 'fe80::1'), { maxLength: 2 }),
    }),
    { selector: ({ instance }) => instance, maxLength: 4 },
  )

  it('is the same from both sides', () =>
    fc.assert(
      fc.property(instances, instances, (ours, theirs) => {
        const there = pairInstances(theirs, ours)
        for (const [name, match] of pairInstances(ours, theirs))
          if (match.kind === 'paired')
            assert.deepEqual(there.get(match.with), { kind: 'paired', with: name }, match.with)
      }),
    ))

  it('matches each of theirs, and none of ours twice', () =>
    fc.assert(
      fc.property(instances, instances, (ours, theirs) => {
        const matches = pairInstances(ours, theirs)
        assert.deepEqual([...matches.keys()].sort(), theirs.map(({ instance }) => instance).sort())
        const paired = [...matches.values()].flatMap((match) => (match.kind === 'paired' ? match.with : []))
        assert.equal(new Set(paired).size, paired.length)
      }),
    ))

  it('gives no VIP two votes: what is neither paired nor ambiguous shares no VIP with the other node', () =>
    fc.assert(
      fc.property(instances, instances, (ours, theirs) => {
        // Of one identity on one node there is one, as keepalived runs it, except on different links.
        const global = (each: InstanceIdentity): string[] =>
          each.vips.filter((vip) => !vip.startsWith('fe80'))
        for (const [name, match] of pairInstances(ours, theirs)) {
          const their = theirs.find(({ instance }) => instance === name)
          if (their === undefined || match.kind !== 'alone') continue
          for (const our of ours) assert.ok(!global(their).some((vip) => global(our).includes(vip)))
        }
      }),
    ))
})
