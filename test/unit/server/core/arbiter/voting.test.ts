import assert from 'node:assert/strict'
import {
  claiming,
  claimMs,
  holding,
  instance,
  pair,
  peerUnheard,
  refusal,
  released,
  reserveMs,
  silentAfterMs,
  standby,
  Witness,
  type Agent,
} from '../../clusters/cluster-fixture.ts'

const pairOf = (witness = Witness.settled()): { witness: Witness; lb01: Agent; lb02: Agent } => {
  const [lb01, lb02] = witness.agents()
  return { witness, lb01, lb02 }
}

describe('the vote of the witness', () => {
  it('is not spoken of to a node that does not ask', () =>
    assert.deepEqual(pairOf().lb01.beat(), { kind: 'none' }))

  it('is told with the last holder: confirmed for the same, changed for another', () => {
    const { witness, lb01, lb02 } = pairOf()
    const told = (epoch: number): unknown => {
      const found = witness.occurred().find(({ event }) => event.startsWith('holder-'))
      assert.deepEqual([found?.level, found?.instance, found?.evidence.epoch], ['info', instance, epoch])
      return [found?.event, found?.text, found?.evidence.lastHolder]
    }
    lb01.beat(claiming(1))
    witness.written()
    assert.deepEqual(told(1), ['holder-changed', 'The witness votes for lb01 (epoch 1).', null])
    lb01.beat(claiming(2))
    witness.written()
    assert.deepEqual(told(2), ['holder-confirmed', 'The witness votes for lb01 (epoch 2).', 'lb01'])
    lb01.beat(released)
    lb02.beat(claiming(3))
    witness.written()
    assert.deepEqual(told(3), [
      'holder-changed',
      'The witness votes for lb02 (epoch 3); its previous vote was for lb01, which released it or let it expire.',
      'lb01',
    ])
  })

  it('is answered to the node that gets it, also when another asked meanwhile', () => {
    const { witness, lb01, lb02 } = pairOf()
    lb01.beat(claiming(1))
    assert.equal(refusal(lb02.beat(claiming(2))), 'recording')
    witness.written()
    assert.deepEqual(lb01.lateVote(), { kind: 'granted', epoch: 1 })
    assert.deepEqual(lb02.answers(), [])
  })

  it('is not answered to a node that has hung up, nor a second time', () => {
    const { witness, lb01, lb02 } = pairOf()
    lb01.beat(claiming(1))
    lb01.close()
    witness.written()
    assert.deepEqual(lb01.answers(), [])

    const again = pairOf()
    again.lb01.beat(claiming(1))
    again.witness.written()
    again.lb01.beat(released)
    again.lb01.close()
    again.lb02.close()
    again.witness.pass(reserveMs)
    assert.equal(again.witness.check('lb02'), undefined)
    const next = again.witness.agent('lb01', { incarnation: 'lb01-start-2' })
    next.beat()
    again.witness.written()
    assert.deepEqual([...again.lb01.answers(), ...next.answers()], [])
    assert.deepEqual(lb02.answers(), [])
  })

  it('is given back by a release that left after the grant was asked for, whatever was read of the grant', () => {
    const { witness, lb01, lb02 } = pairOf()
    lb01.beat(claiming(1))
    witness.pass(10)
    witness.written()
    lb01.beat(released)
    assert.equal(refusal(lb02.beat(claiming(2))), 'pending')
  })

  it('is told as withheld where the ledger cannot be written', () => {
    const { witness, lb01 } = pairOf()
    lb01.beat(claiming(1))
    witness.writeFails()
    const [withheld] = witness.occurred()
    assert.deepEqual(
      [withheld?.event, withheld?.level, withheld?.node, withheld?.decision, withheld?.evidence],
      ['ledger-not-written', 'critical', 'lb01', 'vote withheld', { epoch: 1, error: 'ENOSPC' }],
    )
  })

  it('is tried again when it is asked for again after the ledger could not be written', () => {
    const { witness, lb01 } = pairOf()
    lb01.beat(claiming(1))
    witness.writeFails()
    assert.equal(refusal(lb01.lateVote()), 'ledger')
    assert.equal(refusal(lb01.beat(claiming(1))), 'pending')
    assert.ok(witness.effects.some(({ type }) => type === 'record'))
    witness.written()
    assert.deepEqual(lb01.lateVote(), { kind: 'granted', epoch: 1 })
  })

  it('says with each answer that it cannot be written, and tries the ledger every two seconds until it can', () => {
    const { witness, lb01, lb02 } = pairOf()
    const saysSo = (): boolean => lb02.say([standby])[0]?.writesFail === true
    const tries = (): number => witness.happened.filter(({ type }) => type === 'try-ledger').length
    lb01.beat(claiming(1))
    assert.equal(saysSo(), false)
    witness.writeFails()
    assert.equal(saysSo(), true)
    assert.equal(tries(), 1)
    witness.pass(10_000, lb02)
    assert.equal(tries(), 1, 'not while a try is under way')
    witness.feed({ type: 'ledger-tried', atMs: witness.atMs, error: 'ENOSPC' })
    assert.equal(saysSo(), true)
    witness.pass(1999, lb02)
    assert.equal(tries(), 1)
    witness.pass(1, lb02)
    assert.equal(tries(), 2)
    witness.feed({ type: 'ledger-tried', atMs: witness.atMs, error: null })
    assert.deepEqual(
      witness.occurred().map(({ event, level }) => [event, level]),
      [['ledger-writable', 'info']],
    )
    assert.equal(saysSo(), false)
    witness.pass(10_000, lb02)
    assert.equal(tries(), 2)
  })

  it('is refused to whom it was being written when the ledger proves to be rolled back', () => {
    const { witness, lb01, lb02 } = pairOf()
    lb02.close()
    lb01.close()
    witness.pass(reserveMs)
    assert.equal(witness.check('lb01'), undefined)
    const back = witness.agent('lb02', { incarnation: 'lb02-start-2' })
    back.beat({ witnessEpoch: 40, epoch: 40 })
    const text = 'the ledger proved to be older than its promises, so everyone waits until they have expired'
    assert.deepEqual(witness.checkAnswer(), { permit: false, text })
    const [rolledBack] = witness.occurred().filter(({ event }) => event === 'ledger-rolled-back')
    assert.deepEqual(rolledBack?.evidence, { witnessEpoch: 40, recordedEpoch: 0 })

    const other = pairOf()
    other.lb01.beat(claiming(1))
    other.lb02.beat({ witnessEpoch: 40, epoch: 40 })
    assert.deepEqual(other.lb01.lateVote(), { kind: 'refused', reason: 'waiting', text })
  })
})

describe('claims of one moment that do not hear each other', () => {
  const alone = (epoch: number) => ({ ...claiming(epoch), ...peerUnheard })

  it('are told together once, with what decided', () => {
    const { witness, lb01, lb02 } = pairOf()
    assert.equal(refusal(lb02.beat(alone(1))), 'pending')
    assert.equal(refusal(lb01.beat({ ...alone(1), priority: 150 })), 'pending', 'it wins')
    const [contested] = witness.occurred().filter(({ event }) => event === 'contested')
    assert.match(contested?.text ?? '', /^lb01 and lb02 became MASTER at the same moment/)
    assert.deepEqual(contested?.evidence, {
      claims: [
        { node: 'lb02', priority: 100, gateway: 'reachable' },
        { node: 'lb01', priority: 150, gateway: 'reachable' },
      ],
      lastHolder: null,
    })
    assert.deepEqual([contested.level, contested.decision], ['warning', 'vote for lb01'])
    assert.deepEqual(refusal(lb02.lateVote()), 'outranked')
    witness.written()
    witness.pass(claimMs)
    assert.equal(witness.told().filter((event) => event === 'contested').length, 1)
  })

  it('are no contest where only one comes', () => {
    const { witness, lb01 } = pairOf()
    lb01.beat(alone(1))
    witness.pass(claimMs)
    assert.equal(witness.state().contest, null)
    witness.written()
    assert.deepEqual(lb01.lateVote(), { kind: 'granted', epoch: 1 })
    assert.ok(!witness.told().includes('contested'))
  })

  it('are awaited also where the peer was heard last as long ago as silence is evidence, not sooner', () => {
    for (const [peerSilentMs, contested] of [
      [silentAfterMs - 1, false],
      [silentAfterMs, true],
    ] as const) {
      const { witness, lb01 } = pairOf()
      lb01.beat({ ...claiming(1), peerSilentMs })
      assert.equal(witness.state().contest !== null, contested, String(peerSilentMs))
    }
  })

  it('cost the other nothing where their node let go meanwhile: it is answered when its ballot is on disk', () => {
    const { witness, lb01, lb02 } = pairOf()
    lb01.beat(alone(1))
    lb01.beat({ keepalived: 'FAULT' })
    assert.equal(refusal(lb02.beat(alone(1))), 'pending')
    witness.pass(claimMs)
    assert.equal(witness.state().contest, null)
    witness.written()
    assert.deepEqual(lb02.lateVote(), { kind: 'granted', epoch: 1 })
    assert.deepEqual(lb01.answers(), [])
  })

  it('are refused after the moment of contest where the other has the vote by then', () => {
    const { witness, lb01, lb02 } = pairOf()
    lb01.beat(alone(1))
    lb01.beat({ keepalived: 'FAULT' })
    lb02.beat(alone(1))
    witness.written()
    witness.atMs += claimMs / 2
    witness.feed({ type: 'tick', atMs: witness.atMs })
    assert.equal(refusal(lb01.lateVote()), 'promised')
    assert.deepEqual(lb02.answers(), [])
  })

  it('end like any other where their node is removed meanwhile', () => {
    const { witness, lb01, lb02 } = pairOf()
    lb01.beat(alone(1))
    witness.members(pair.filter(({ name }) => name === 'lb02'))
    witness.pass(claimMs, lb02)
    assert.equal(witness.state().contest, null)
    witness.written()
    assert.deepEqual(lb01.messages(), [])
    witness.pass(reserveMs, lb02)
    assert.equal(refusal(lb02.beat(alone(2))), 'pending')
  })

  it('are awaited from a node under watch, too, and not from one that has no word on the instance', () => {
    const watched = pairOf()
    watched.lb02.beat({ phase: 'probation' })
    watched.lb01.beat(alone(1))
    assert.notEqual(watched.witness.state().contest, null)

    const other = pairOf()
    other.lb02.say([{ ...standby, instance: 'VI_2' }])
    other.lb01.beat(alone(1))
    assert.equal(other.witness.state().contest, null)
  })
})

describe('the check of a node without an agent', () => {
  /** lb01 holds, its agent is gone; lb02 is gone altogether. */
  const orphaned = () => {
    const { witness, lb01, lb02 } = pairOf()
    lb01.win(1)
    lb02.close()
    lb01.close()
    return { witness, lb01 }
  }

  it('gets a yes that no release from before can take back', () => {
    for (const [echoOffMs, freed] of [
      [null, false],
      [-1, false],
      [0, true],
    ] as const) {
      const { witness } = orphaned()
      assert.equal(witness.check('lb01')?.permit, true)
      const yesAtMs = witness.atMs
      witness.pass(5)
      const back = witness.agent('lb01', { incarnation: 'lb01-start-2' })
      back.echoMs = echoOffMs === null ? null : yesAtMs + echoOffMs
      back.beat(released)
      assert.equal(witness.state().voter.pledge.phase === 'free', freed, String(echoOffMs))
    }
  })

  it('asks under a new epoch where the recorded one is not the highest known', () => {
    const { witness, lb01 } = pairOf()
    lb01.win(1)
    lb01.beat(released)
    lb01.beat({ epoch: 6 })
    witness.agent('lb02').close()
    lb01.close()
    witness.pass(reserveMs)
    assert.equal(witness.check('lb01'), undefined)
    witness.written()
    assert.match(witness.checkAnswer()?.text ?? '', /lb01 has the vote of the witness \(epoch 7\)/)
  })

  it('does not join a ballot of the other node', () => {
    const { witness, lb01 } = pairOf()
    lb01.beat(claiming(1))
    lb01.close()
    for (const node of witness.arbiter.nodes.values())
      if (node.member.name === 'lb02' && node.session !== null)
        witness.feed({ type: 'closed', atMs: witness.atMs, connection: node.session.connection })
    assert.match(witness.check('lb02')?.text ?? '', /is being given to lb01/)
  })

  it('is refused where two live agents have its name', () => {
    const { witness } = pairOf()
    witness.agent('lb01', { incarnation: 'clone-of-lb01', bootId: 'boot-of-clone' }).beat()
    assert.deepEqual(witness.check('lb01'), { permit: false, text: 'two live agents call themselves lb01' })
  })

  it('is not answered again with a later vote', () => {
    const { witness } = orphaned()
    witness.pass(reserveMs)
    assert.equal(witness.check('lb02'), undefined)
    witness.written()
    assert.equal(witness.checkAnswer()?.permit, true)
    const back = witness.agent('lb02', { incarnation: 'lb02-start-2' })
    back.beat(holding(2))
    back.beat(claiming(3))
    witness.written()
    assert.deepEqual(
      witness.effects.filter(({ type }) => type === 'answer-check'),
      [],
    )
  })
})
