import assert from 'node:assert/strict'
import { claiming, holding, pair, refusal, reserveMs, Witness } from '../../clusters/cluster-fixture.ts'

describe('the members of a cluster', () => {
  const [first, second] = pair
  assert.ok(first !== undefined && second !== undefined)

  it('are told to each agent that is welcomed, with the timing', () => {
    const witness = Witness.settled()
    const [welcome] = witness.agent('lb01').messages()
    assert.ok(welcome?.type === 'welcome')
    assert.deepEqual(welcome.plan, { cluster: 'web', timing: witness.arbiter.timing, nodes: pair })
  })

  it('are told again to all that are connected when a node joins', () => {
    const witness = Witness.settled({ members: [first] })
    const lb01 = witness.agent('lb01')
    witness.members([first, second])
    const [plan] = lb01.messages()
    assert.ok(plan?.type === 'plan')
    assert.deepEqual(plan.plan.nodes, [first, second])
    assert.ok(
      witness
        .agent('lb02')
        .messages()
        .some(({ type }) => type === 'welcome'),
    )
  })

  it('lose a node that is removed, and its connection', () => {
    const witness = Witness.settled()
    const [lb01, lb02] = witness.agents()
    witness.members([first])
    assert.ok(
      witness.effects.some((effect) => effect.type === 'close' && effect.connection === lb02.connection),
    )
    const plan = lb01.messages().find(({ type }) => type === 'plan')
    assert.ok(plan?.type === 'plan')
    assert.deepEqual(plan.plan.nodes, [first])
    witness.agent('lb02')
    assert.equal(witness.arbiter.refusedMessages['unknown-node'], 1)
  })

  it('lose a node that has hung up or never came, and no connection with it', () => {
    const witness = Witness.settled()
    const lb01 = witness.agent('lb01')
    lb01.beat()
    lb01.close()
    for (const left of [[second], []]) {
      witness.members(left)
      assert.deepEqual(
        witness.effects.filter(({ type }) => type !== 'occurred'),
        [],
      )
    }
    assert.equal(witness.arbiter.nodes.size, 0)
  })

  it('lose a node while its vote is being written: nobody is answered, and the promise binds all the same', () => {
    const witness = Witness.settled()
    const [lb01, lb02] = witness.agents()
    lb01.beat(claiming(1))
    witness.members([second])
    witness.written()
    assert.deepEqual(lb01.messages(), [])
    assert.equal(refusal(lb02.beat(claiming(2))), 'promised')
  })

  it('keep a promise to a node that is removed for as long as it was given', () => {
    const witness = Witness.settled()
    const [lb01, lb02] = witness.agents()
    lb01.win(1)
    witness.members([second])
    witness.pass(reserveMs - 1, lb02)
    assert.equal(refusal(lb02.beat(claiming(2))), 'promised')
    witness.pass(1, lb02)
    assert.equal(refusal(lb02.beat(claiming(2))), 'pending')
  })

  describe('one of which was removed and is there again', () => {
    const again = { ...first, leastGeneration: 2 }
    const elsewhere = { bootId: 'lb01-of-another-host', incarnation: 'lb01-start-elsewhere' }

    it('have no vote for it while the one before may count its lease', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.win(1)
      witness.members([second])
      witness.members([again, second])
      const newcomer = witness.agent('lb01', elsewhere)
      assert.equal(refusal(newcomer.beat(claiming(1))), 'waiting')
      assert.equal(refusal(newcomer.beat(claiming(2))), 'waiting')
      witness.pass(reserveMs - 1, newcomer)
      assert.equal(refusal(newcomer.beat(claiming(2))), 'waiting')
      witness.pass(1, newcomer)
      assert.equal(refusal(newcomer.beat(claiming(2))), 'pending')
    })

    it('give it nothing of a vote that was on its way to the disk', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.win(1)
      assert.equal(refusal(lb01.beat(claiming(2))), 'pending')
      witness.members([second])
      witness.members([again, second])
      witness.feed({
        type: 'recorded',
        atMs: witness.atMs,
        instance: 'VI_1',
        ballot: { to: 'lb01', epoch: 2 },
      })
      const newcomer = witness.agent('lb01', elsewhere)
      assert.equal(refusal(newcomer.beat(claiming(2))), 'waiting')
    })

    it('refuse a check of the one before that waits for the disk', () => {
      const witness = Witness.settled()
      assert.equal(witness.check('lb01'), undefined)
      witness.members([second])
      witness.members([again, second])
      assert.deepEqual(witness.checkAnswer(), { permit: false, text: 'lb01 was enrolled again' })
    })

    it('answer the other the vote that was on its way to the disk', () => {
      const witness = Witness.settled()
      const [, lb02] = witness.agents()
      lb02.beat(claiming(1))
      witness.members([second])
      witness.members([again, second])
      assert.deepEqual(lb02.answers(), [])
      witness.written()
      assert.deepEqual(lb02.lateVote(), { kind: 'granted', epoch: 1 })
    })

    it('answer nobody of that name the vote that the other gets next', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.beat(claiming(1))
      lb02.close()
      witness.members([second])
      witness.members([again, second])
      witness.pass(reserveMs)
      assert.equal(witness.check('lb02'), undefined)
      const newcomer = witness.agent('lb01', elsewhere)
      witness.written()
      assert.equal(witness.checkAnswer()?.permit, true)
      assert.deepEqual(newcomer.answers(), [])
    })

    it('let its check wait, too', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.win(1)
      witness.members([second])
      witness.members([again, second])
      assert.equal(witness.check('lb01')?.permit, false)
    })

    it('keep the promise to the other', () => {
      const witness = Witness.settled()
      const [, lb02] = witness.agents()
      lb02.win(1)
      witness.members([second])
      witness.members([again, second])
      assert.equal(refusal(lb02.beat(holding(1))), 'granted')
    })
  })

  it('keep what is known of a node that moved', () => {
    const witness = Witness.settled()
    const [lb01] = witness.agents()
    lb01.win(1)
    const { session } = witness.arbiter.nodes.get('lb01') ?? {}
    witness.members([{ ...first, address: '192.168.0.11' }, second])
    assert.equal(witness.arbiter.nodes.get('lb01')?.session, session)
    assert.deepEqual(witness.occurred(), [])
  })
})
