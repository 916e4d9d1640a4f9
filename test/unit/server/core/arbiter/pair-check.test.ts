import assert from 'node:assert/strict'
import type { Hello } from '../../../../../shared/protocol/messages.ts'
import type { Profile } from '../../../../../shared/protocol/plan.ts'
import { viewOf } from '../../../../../server/core/status/cluster-view.ts'
import { type Agent, claiming, profile, standby, Witness } from '../../clusters/cluster-fixture.ts'

const pairOf = (first: Partial<Hello>, second: Partial<Hello>): Witness => {
  const witness = Witness.settled({ recovered: { ballots: new Map(), others: 'new' } })
  witness.agent('lb01', first)
  witness.agent('lb02', second)
  return witness
}
const withProfile = (changes: Partial<Profile>): Partial<Hello> => ({
  profiles: [{ ...profile, ...changes }],
})
const withCompared = (
  changes: Partial<NonNullable<Profile['compared']>>,
  others: Partial<Profile> = {},
): Partial<Hello> =>
  withProfile({ ...others, compared: { state: 'BACKUP', auth: 'none', unicast: null, ...changes } })
const better = withProfile({ priority: 150 })

const table: readonly [string, Partial<Hello>, Partial<Hello>, readonly [string, string, RegExp][]][] = [
  ['nothing but the priority', better, {}, []],
  [
    'the virtual_router_id',
    better,
    withProfile({ virtualRouterId: 52 }),
    [['pair.vrid', 'warning', /VI_1: virtual_router_id is 51 on lb01 and 52 on lb02/]],
  ],
  [
    'one VIP',
    withProfile({ priority: 150, vips: ['10.0.0.100/24', '10.0.0.101/24'] }),
    {},
    [
      [
        'pair.vips',
        'warning',
        /virtual_ipaddress is 10\.0\.0\.100, 10\.0\.0\.101 on lb01 and 10\.0\.0\.100 on lb02/,
      ],
    ],
  ],
  ['only the prefix of a VIP', withProfile({ priority: 150, vips: ['10.0.0.100'] }), {}, []],
  [
    'the version',
    withProfile({ priority: 150, version: 3 }),
    {},
    [['pair.version', 'warning', /the VRRP version is 3 on lb01 and 2 on lb02/]],
  ],
  [
    'advert_int',
    better,
    withProfile({ advertIntMs: 2000 }),
    [['pair.advert-int', 'warning', /advert_int is 1 s on lb01 and 2 s on lb02/]],
  ],
  ['no priority', {}, {}, [['pair.same-priority', 'info', /both nodes have priority 100/]]],
  [
    'preemption',
    better,
    withProfile({ nopreempt: true }),
    [['pair.preempts', 'info', /preemption is on on lb01 and off \(nopreempt\) on lb02/]],
  ],
  [
    'an instance that one node has',
    {
      profiles: [
        ...(better.profiles ?? []),
        { ...profile, instance: 'VI_2', virtualRouterId: 52, vips: ['10.0.0.9'] },
      ],
    },
    {},
    [['pair.only-one', 'warning', /Only lb01 has VI_2 \(10\.0\.0\.9\), so lb02 cannot take over/]],
  ],
  [
    'the mode',
    better,
    { mode: 'observe' },
    [['pair.mode', 'warning', /lb01 is in mode enforce and that of lb02 in mode observe/]],
  ],
  [
    'the software',
    better,
    { software: 'witness-agent 0.2.0' },
    [['pair.software', 'info', /lb01 runs witness-agent 0\.1\.0, lb02 runs witness-agent 0\.2\.0/]],
  ],
  [
    'the type of authentication',
    withCompared({ auth: 'PASS' }, { priority: 150 }),
    withCompared({ auth: 'none' }),
    [['pair.auth', 'warning', /authentication is PASS on lb01 and none on lb02/]],
  ],
  [
    'the password, which only the agents know',
    withCompared({ auth: 'PASS' }, { priority: 150 }),
    withCompared({ auth: 'PASS' }, { authDiffers: true }),
    [['pair.auth', 'warning', /lb01 and lb02 have different passwords/]],
  ],
  [
    'nothing of the same password',
    withCompared({ auth: 'AH' }, { priority: 150 }),
    withCompared({ auth: 'AH' }),
    [],
  ],
  [
    'unicast and multicast',
    withCompared({ unicast: { source: null, peers: ['10.0.0.12'] } }, { priority: 150 }),
    withCompared({}),
    [['pair.unicast', 'warning', /lb01 sends by unicast \(unicast_peer\) and lb02 by multicast/]],
  ],
  [
    'a peer that is not listed',
    withCompared({ unicast: { source: '10.0.0.11', peers: ['10.0.0.12'] } }, { priority: 150 }),
    withCompared({ unicast: { source: '10.0.0.12', peers: ['10.0.0.13'] } }),
    [['pair.unicast', 'warning', /lb01 sends from 10\.0\.0\.11.*unicast_peer of lb02 has 10\.0\.0\.13/]],
  ],
  [
    'nothing where each lists the other',
    withCompared({ unicast: { source: 'fd00::0011', peers: ['fd00::12'] } }, { priority: 150 }),
    withCompared({ unicast: { source: 'fd00::12', peers: ['fd00::11', 'fd00::13'] } }),
    [],
  ],
  [
    'no first state',
    withCompared({ state: 'MASTER' }, { priority: 150 }),
    withCompared({ state: 'MASTER' }),
    [['pair.state', 'info', /both nodes have "state MASTER"/]],
  ],
  [
    'the gateway',
    { ...better, gateway: '10.0.0.1' },
    { gateway: null },
    [['pair.gateway', 'info', /gateway in agent\.yaml is 10\.0\.0\.1 on lb01 and not set on lb02/]],
  ],
  [
    'nothing that only one agent says',
    { ...withCompared({ auth: 'PASS' }, { priority: 150 }), gateway: 'x' },
    {},
    [],
  ],
  [
    'what one instance is',
    withProfile({ priority: 150, vips: ['10.0.0.1', '10.0.0.2'] }),
    {
      profiles: [
        { ...profile, instance: 'P', vips: ['10.0.0.1'] },
        { ...profile, instance: 'Q', virtualRouterId: 52, vips: ['10.0.0.2'] },
      ],
    },
    [
      ['pair.ambiguous', 'critical', /P of lb02 shares VIPs with VI_1/],
      ['pair.ambiguous', 'critical', /Q of lb02 shares VIPs with VI_1/],
    ],
  ],
]

describe('an instance that cannot be told from another', () => {
  const profiles = [
    { ...profile, instance: 'P', vips: ['10.0.0.1'] },
    { ...profile, instance: 'Q', virtualRouterId: 52, vips: ['10.0.0.2'] },
  ]
  const split = (): [Witness, Agent] => {
    const witness = Witness.settled({ recovered: { ballots: new Map(), others: 'new' } })
    witness.agent('lb01', withProfile({ vips: ['10.0.0.1', '10.0.0.2'] }))
    return [witness, witness.agent('lb02', { profiles })]
  }

  it('gets no vote, and its agent is told that this is no fault of the node', () => {
    const [, lb02] = split()
    const replies = lb02.say([{ ...standby, instance: 'P', ...claiming(1) }])
    assert.deepEqual(
      replies.map(({ vote, unmatched }) => [vote.kind, unmatched]),
      [['refused', true]],
    )
  })

  it('is left to keepalived alone if the agent is dead, because nothing is enforced for it', () => {
    const [witness] = split()
    const answer = witness.check('lb02', 'Q')
    assert.equal(answer?.permit, true)
    assert.match(answer.text, /it cannot be told which instance/)
    assert.equal(witness.check('lb02', 'R')?.permit, false)
  })

  it('does not keep what its node warns of from the operator', () => {
    const [witness, lb02] = split()
    const warnings = ['it cannot be told which instance of lb01 P is']
    lb02.say([{ ...standby, instance: 'P', warnings }])
    const shown = (): readonly string[] | undefined =>
      viewOf(witness.arbiter, witness.atMs).nodes.find(({ node }) => node === 'lb02')?.warnings
    assert.deepEqual(shown(), warnings)
    lb02.say([{ ...standby, instance: 'P' }])
    assert.deepEqual(shown(), [])
  })

  it('votes again without a word once the configurations fit', () => {
    const [witness, lb02] = split()
    Object.assign(lb02, { hello: { ...lb02.hello, ...withProfile({ vips: ['10.0.0.1', '10.0.0.2'] }) } })
    lb02.greet()
    assert.deepEqual(
      witness.arbiter.pair.filter(({ code }) => code === 'pair.ambiguous'),
      [],
    )
    assert.deepEqual(
      lb02.say([standby]).map(({ unmatched }) => unmatched),
      [undefined],
    )
  })
})

describe('the two configurations side by side', () => {
  for (const [what, first, second, expected] of table)
    it(`differ in ${what}: ${expected.map(([code]) => code).join(', ') || 'nothing to tell'}`, () => {
      const { pair } = pairOf(first, second).arbiter
      assert.deepEqual(
        pair.map(({ code, level }) => [code, level]),
        expected.map(([code, level]) => [code, level]),
      )
      for (const [at, [, , says]] of expected.entries()) assert.match(pair[at]?.text ?? '', says)
    })

  it('leave each instance the name that its node has for it, in the view', () => {
    const witness = pairOf(better, withProfile({ instance: 'VI_WEB' }))
    const lb02 = witness.agent('lb02', withProfile({ instance: 'VI_WEB' }))
    lb02.say([{ ...standby, instance: 'VI_WEB' }])
    witness.agent('lb01', better).say([standby])
    const { instances, nodes } = viewOf(witness.arbiter, witness.atMs)
    assert.deepEqual(
      instances.map(({ instance, names }) => [instance, names]),
      [['VI_1', { lb01: 'VI_1', lb02: 'VI_WEB' }]],
    )
    assert.deepEqual(
      nodes.map(({ node, instances: own }) => [node, own.map(({ localName }) => localName)]),
      [
        ['lb01', [undefined]],
        ['lb02', ['VI_WEB']],
      ],
    )
  })

  it('are named by the names of both nodes where these differ', () => {
    const { pair } = pairOf(better, withProfile({ instance: 'VI_WEB', advertIntMs: 2000 })).arbiter
    assert.match(pair[0]?.text ?? '', /^VI_1 and VI_WEB: advert_int/)
  })

  it('are judged only when both nodes have spoken', () => {
    const witness = Witness.settled()
    witness.agent('lb01', { mode: 'observe' })
    assert.deepEqual(witness.arbiter.pair, [])
  })

  it('are told once when a difference appears, and once when it is gone', () => {
    const witness = pairOf(better, withProfile({ advertIntMs: 2000 }))
    const told = (): string[] => witness.told().filter((event) => event.startsWith('configurations'))
    assert.deepEqual(told(), ['configurations-differ'])
    const lb02 = witness.agent('lb02', withProfile({ advertIntMs: 2000 }))
    lb02.greet()
    assert.deepEqual(told(), ['configurations-differ'])
    Object.assign(lb02, { hello: { ...lb02.hello, profiles: [profile] } })
    lb02.greet()
    assert.deepEqual(told(), ['configurations-differ', 'configurations-agree'])
  })

  it('explain in the status why no advert arrives, instead of a firewall', () => {
    const witness = pairOf(better, {})
    const lb01 = witness.agent('lb01', better)
    const lb02 = witness.agent('lb02', withProfile({ virtualRouterId: 52 }))
    const why =
      'none of its adverts arrived. Check whether a firewall blocks IP protocol 112. The next try is in 5 s'
    lb01.beat({ keepalived: 'MASTER', vips: 'held', phase: 'holding' })
    lb02.say([{ ...standby, phase: 'barred', why }])
    const view = viewOf(witness.arbiter, witness.atMs)
    assert.doesNotMatch(JSON.stringify(view), /112/)
    assert.deepEqual([view.verdict.level, view.verdict.text.includes('virtual_router_id')], ['warning', true])
  })
})
