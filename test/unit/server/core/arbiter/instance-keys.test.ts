import assert from 'node:assert/strict'
import { maxInstances } from '../../../../../shared/protocol/names.ts'
import type { Profile } from '../../../../../shared/protocol/plan.ts'
import type { Report } from '../../../../../shared/protocol/report.ts'
import {
  type Agent,
  claiming,
  holding,
  profile,
  refusal,
  released,
  standby,
  Witness,
} from '../../clusters/cluster-fixture.ts'

const a = '10.0.0.100/24'
const b = '10.0.0.101/24'
const has = (instance: string, virtualRouterId: number, ...vips: string[]): Profile => ({
  ...profile,
  instance,
  virtualRouterId,
  vips,
})
const of = (instance: string, changes: Partial<Report> = {}): Report => ({ ...standby, ...changes, instance })

/** Nobody has said anything yet. */
const newCluster = { recovered: { ballots: new Map(), others: 'new' } } as const

/** The vote on the only report of the beat. */
const voteOn = (agent: Agent, instance: string, changes: Partial<Report> = {}): string | undefined =>
  refusal(agent.say([of(instance, changes)])[0]?.vote)

/** lb01 has GW-NODE-1 with the lease, and lb02 calls the same instance GW-NODE-2. */
function namesDiffer(): { witness: Witness; lb01: Agent; lb02: Agent } {
  const witness = Witness.settled(newCluster)
  const lb01 = witness.agent('lb01', { profiles: [has('GW-NODE-1', 51, a)] })
  const lb02 = witness.agent('lb02', { profiles: [has('GW-NODE-2', 51, a)] })
  voteOn(lb02, 'GW-NODE-2')
  voteOn(lb01, 'GW-NODE-1', claiming(1))
  witness.written('GW-NODE-1')
  return { witness, lb01, lb02 }
}

describe('one vote for each VIP', () => {
  it('is promised to one node, whatever the nodes call the instance, and answered under their own name', () => {
    const { witness, lb01, lb02 } = namesDiffer()
    const [granted] = lb01.say([of('GW-NODE-1', holding(1))])
    assert.deepEqual([granted?.instance, granted?.vote], ['GW-NODE-1', { kind: 'granted', epoch: 1 }])
    const [refused] = lb02.say([of('GW-NODE-2', claiming(2))])
    assert.deepEqual(
      [refused?.instance, refusal(refused?.vote), refused?.holder],
      ['GW-NODE-2', 'promised', 'lb01'],
    )
    assert.deepEqual([...witness.arbiter.instances.keys()], ['GW-NODE-1'])
  })

  it('moves to the other node by the ordinary rules, and the answer that was pending has its name', () => {
    const { witness, lb01, lb02 } = namesDiffer()
    voteOn(lb01, 'GW-NODE-1', released)
    assert.equal(voteOn(lb02, 'GW-NODE-2', claiming(2)), 'pending')
    witness.written('GW-NODE-1')
    assert.deepEqual(
      lb02.answers().map(({ verdicts }) => verdicts.map(({ instance }) => instance)),
      [['GW-NODE-2']],
    )
  })

  it('is seen as one instance with two owners, and the order to stop names it as the node does', () => {
    const { witness, lb01, lb02 } = namesDiffer()
    const both = (): void => {
      lb01.say([of('GW-NODE-1', holding(1))])
      lb02.say([of('GW-NODE-2', { ...claiming(2), ask: null })])
    }
    for (let i = 0; i < 5; i++) {
      witness.atMs += 100
      both()
    }
    assert.equal(witness.situation('GW-NODE-1').situation, 'dual-master')
    assert.deepEqual(
      lb02.orders(witness.happened).map(({ instance, what }) => [instance, what]),
      [['GW-NODE-2', 'fence']],
    )
  })

  it('follows the identity where the names are crossed', () => {
    const witness = Witness.settled(newCluster)
    const lb01 = witness.agent('lb01', { profiles: [has('VI_1', 51, a), has('VI_2', 52, b)] })
    const lb02 = witness.agent('lb02', { profiles: [has('VI_1', 52, b), has('VI_2', 51, a)] })
    lb02.say([of('VI_1'), of('VI_2')])
    lb01.say([of('VI_1', claiming(1)), of('VI_2')])
    witness.written('VI_1')
    const votes = lb02.say([of('VI_1', claiming(1)), of('VI_2', claiming(2))])
    assert.deepEqual(
      votes.map(({ instance, vote }) => [instance, refusal(vote)]),
      [
        ['VI_1', 'pending'],
        ['VI_2', 'promised'],
      ],
    )
  })

  it('binds a node that renames its instance while the other one holds', () => {
    const { witness, lb01, lb02 } = namesDiffer()
    Object.assign(lb02, { hello: { ...lb02.hello, profiles: [has('VI_WEB', 51, a)] } })
    lb02.greet()
    assert.equal(voteOn(lb02, 'VI_WEB', claiming(2)), 'promised')
    assert.equal(voteOn(lb02, 'GW-NODE-2', claiming(2)), 'pending', 'a name that nobody identified any more')
    assert.equal(voteOn(lb01, 'GW-NODE-1', holding(1)), 'granted')
    assert.equal(witness.state('GW-NODE-1').voter.pledge.phase, 'promised')
  })

  it('stays that of a holder that renames its instance', () => {
    const { lb01, lb02 } = namesDiffer()
    Object.assign(lb01, { hello: { ...lb01.hello, profiles: [has('VI_WEB', 51, a)] } })
    lb01.greet()
    assert.equal(voteOn(lb01, 'VI_WEB', holding(1)), 'granted')
    assert.equal(voteOn(lb02, 'GW-NODE-2', claiming(2)), 'promised')
  })

  it('binds after a restart of the witness, whoever speaks first and under whatever name', () => {
    const { witness } = namesDiffer()
    const next = witness.restarted({ marks: false })
    const lb02 = next.agent('lb02', { profiles: [has('ANOTHER', 51, a)] })
    assert.equal(voteOn(lb02, 'ANOTHER', claiming(2)), 'waiting')
    assert.deepEqual([...next.arbiter.instances.keys()], ['GW-NODE-1'])
  })

  it('is not given to a check of an instance that no agent has identified', () => {
    const witness = Witness.settled(newCluster)
    witness.agent('lb01', { profiles: [has('GW-NODE-1', 51, a)] })
    assert.match(
      witness.check('lb02', 'GW-NODE-2')?.text ?? '',
      /has not told this witness yet what GW-NODE-2 is/,
    )
    assert.match(witness.check('lb02', 'GW-NODE-1')?.text ?? '', /has not told this witness yet/)
    witness.agent('lb02', { profiles: [has('GW-NODE-2', 51, a)] })
    assert.equal(witness.check('lb02', 'GW-NODE-2'), undefined, 'its ballot is being written')
  })

  it('is given to a check where a ledger of an earlier version has its ballot under that name', () => {
    const ballot = { to: 'lb01', epoch: 3 }
    const old = {
      ballots: new Map([['VI_1', { kind: 'valid', ballot, mark: null } as const]]),
      others: 'new',
    } as const
    const witness = Witness.settled({ recovered: old })
    assert.equal(witness.check('lb01', 'VI_1')?.permit, true)
  })

  it('is asked for by a check under the name of its node, also right after a restart of the witness', () => {
    const { witness } = namesDiffer()
    assert.match(witness.check('lb02', 'GW-NODE-2')?.text ?? '', /lb01 holds the lease/)
    const next = witness.restarted({ marks: true })
    next.check('lb02', 'GW-NODE-2')
    assert.deepEqual([...next.arbiter.instances.keys()], ['GW-NODE-1'])
  })

  it('stays one vote while the VIPs are changed, first on one node and then on the other', () => {
    const { witness, lb01, lb02 } = namesDiffer()
    Object.assign(lb01, { hello: { ...lb01.hello, profiles: [has('GW-NODE-1', 51, b)] } })
    lb01.greet()
    assert.equal(voteOn(lb01, 'GW-NODE-1', holding(1)), 'granted')
    assert.equal(voteOn(lb02, 'GW-NODE-2', claiming(2)), 'promised')
    Object.assign(lb02, { hello: { ...lb02.hello, profiles: [has('GW-NODE-2', 51, b)] } })
    lb02.greet()
    assert.equal(voteOn(lb02, 'GW-NODE-2', claiming(2)), 'promised')
    assert.deepEqual([...witness.arbiter.instances.keys()], ['GW-NODE-1'])
  })

  it('is two votes where one name means two things that share no VIP', () => {
    const witness = Witness.settled(newCluster)
    const lb01 = witness.agent('lb01', { profiles: [has('VI_1', 51, a)] })
    const lb02 = witness.agent('lb02', { profiles: [has('VI_1', 52, b)] })
    voteOn(lb02, 'VI_1')
    assert.equal(voteOn(lb01, 'VI_1', claiming(1)), 'pending')
    assert.equal(voteOn(lb02, 'VI_1', claiming(1)), 'pending')
    assert.deepEqual([...witness.arbiter.instances.keys()].sort(), ['VI_1', 'VI_1@lb02'])
  })

  it('is nobody’s where it cannot be told which instance is meant, until it can', () => {
    const witness = Witness.settled(newCluster)
    const lb01 = witness.agent('lb01', { profiles: [has('X', 51, a, b)] })
    const lb02 = witness.agent('lb02', { profiles: [has('P', 51, a), has('Q', 52, b)] })
    const [on] = lb02.say([of('P', claiming(1))])
    assert.equal(refusal(on?.vote), 'conflict')
    assert.match(on?.vote.kind === 'refused' ? on.vote.text : '', /P of lb02 shares VIPs with X/)
    assert.match(witness.check('lb02', 'Q')?.text ?? '', /Q of lb02 shares VIPs with X/)
    assert.equal(voteOn(lb01, 'X', claiming(1)), 'pending', 'who was there first keeps its vote')
    Object.assign(lb01, { hello: { ...lb01.hello, profiles: [has('P', 51, a), has('Q', 52, b)] } })
    lb01.greet()
    assert.equal(voteOn(lb02, 'Q', claiming(1)), 'pending')
  })

  it('is no longer kept apart by what a removed node had', () => {
    const { witness } = namesDiffer()
    witness.members([{ name: 'lb02', address: '10.0.0.12', port: 7401, leastGeneration: 1 }])
    assert.ok([...witness.arbiter.known.values()].every((byNode) => !byNode.has('lb01')))
  })

  it('does not grow without end where instances are renamed again and again', () => {
    const witness = Witness.settled(newCluster)
    const lb01 = witness.agent('lb01', { profiles: [has('VI_1', 51, a)] })
    for (let i = 0; i < 200; i++) {
      const renamed = has(`VI_${i}`, (i % 250) + 1, `10.1.0.${i}`)
      Object.assign(lb01, { hello: { ...lb01.hello, profiles: [renamed] } })
      lb01.greet()
    }
    assert.ok(witness.arbiter.known.size <= 2 * maxInstances + 1, `${witness.arbiter.known.size}`)
  })
})
