import assert from 'node:assert/strict'
import {
  claiming,
  holding,
  renewMs,
  reserveMs,
  standby,
  typesOf,
  Witness,
} from '../../clusters/cluster-fixture.ts'

describe('an agent that says who it is', () => {
  it('is told to operators once for each start, with where it comes from', () => {
    const witness = Witness.settled()
    const lb01 = witness.agent('lb01')
    assert.deepEqual(witness.occurred(), [
      {
        event: 'agent-started',
        level: 'info',
        instance: null,
        node: 'lb01',
        text: 'The agent of lb01 has started to report (witness-agent 0.1.0, mode enforce).',
        evidence: { remoteAddress: '10.0.0.99', incarnation: 'lb01-start-1', bootId: 'lb01-boot-1' },
        decision: null,
      },
    ])
    assert.deepEqual(typesOf(witness.effects), ['welcome', 'occurred'], 'there is nothing to close')
    lb01.greet()
    assert.deepEqual(witness.occurred(), [])
  })

  it('is told with the facts where it is the second of its name', () => {
    const witness = Witness.settled()
    witness.agents()
    witness.agent('lb01', { incarnation: 'clone-of-lb01', bootId: 'boot-of-clone' }, '10.0.0.77')
    const [conflict] = witness.occurred()
    assert.deepEqual(
      [conflict?.event, conflict?.level, conflict?.node, conflict?.decision],
      ['id-conflict', 'critical', 'lb01', 'no promotion'],
    )
    assert.deepEqual(conflict?.evidence, {
      remoteAddress: '10.0.0.77',
      incarnation: 'clone-of-lb01',
      bootId: 'boot-of-clone',
    })
  })

  it('is told of a second one once, however often that one dials, until the name is one agent’s again', () => {
    const witness = Witness.settled()
    witness.agents()
    const conflicts = (): number => witness.occurred().filter(({ event }) => event === 'id-conflict').length
    const clone = witness.agent('lb01', { incarnation: 'clone-of-lb01', bootId: 'boot-of-clone' })
    assert.equal(conflicts(), 1)
    witness.agent('lb01', { incarnation: 'clone-of-lb01-2', bootId: 'boot-of-clone' })
    assert.equal(conflicts(), 0)
    const third = witness.agent('lb01', { incarnation: 'clone-of-lb01-3', bootId: 'boot-of-clone' })
    clone.close()
    third.close()
    witness.agent('lb01', { incarnation: 'clone-of-lb01-4', bootId: 'boot-of-clone' })
    assert.equal(conflicts(), 1)
  })

  it('is sent away, as one that may come anew, where a newer start took its place', () => {
    const witness = Witness.settled()
    const [lb01] = witness.agents()
    lb01.close()
    witness.agent('lb01', { incarnation: 'lb01-start-2' })
    witness.agent('lb01')
    assert.deepEqual(typesOf(witness.effects), ['superseded', 'close'])
    assert.deepEqual(witness.arbiter.refusedMessages, { 'old-incarnation': 1 })
    assert.equal(witness.arbiter.nodes.get('lb01')?.session?.hello.incarnation, 'lb01-start-2')
  })

  it('waits where it comes from another boot than one that has just gone', () => {
    const witness = Witness.settled()
    const [lb01] = witness.agents()
    lb01.close()
    witness.agent('lb01', { incarnation: 'lb01-start-2', bootId: 'lb01-boot-2' })
    const [waits] = witness.occurred()
    assert.deepEqual([waits?.event, waits?.level, waits?.decision], ['agent-waits', 'info', 'wait'])
    assert.deepEqual(waits?.evidence, {
      remoteAddress: '10.0.0.99',
      incarnation: 'lb01-start-2',
      bootId: 'lb01-boot-2',
    })
  })

  describe('from another boot, when the old one is silent for a whole promise', () => {
    const reboot = (keepsPromise: boolean): string[] => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.say([
        { ...standby, ...claiming(1) },
        { ...standby, instance: 'VI_2' },
      ])
      witness.written()
      lb01.say([
        { ...standby, ...holding(1) },
        { ...standby, instance: 'VI_2' },
      ])
      lb01.close()
      lb02.close()
      for (let passedMs = 0; passedMs < reserveMs; passedMs += renewMs) {
        witness.pass(renewMs)
        if (keepsPromise) assert.equal(witness.check('lb01')?.permit, true)
      }
      witness.agent('lb01', { incarnation: 'lb01-start-2', bootId: 'lb01-boot-2' })
      return witness.occurred().flatMap(({ event }) => (event.startsWith('agent-') ? [event] : []))
    }

    it('speaks for the node', () => assert.deepEqual(reboot(false), ['agent-started']))

    it('waits on while its check keeps a promise alive, though of one instance only', () =>
      assert.deepEqual(reboot(true), ['agent-waits']))
  })

  describe('that says where its peer reaches it', () => {
    const moved = (witness: Witness): readonly object[] =>
      witness.effects.filter(({ type }) => type === 'moved')

    it('is believed, since its certificate names the node', () => {
      const witness = Witness.settled()
      witness.agent('lb02', { listener: { address: '192.168.0.12', port: 7500 } })
      assert.deepEqual(moved(witness), [{ type: 'moved', node: 'lb02', address: '192.168.0.12', port: 7500 }])
    })

    it('moves by its port alone where it advertises no address', () => {
      const witness = Witness.settled()
      witness.agent('lb01', { listener: { address: null, port: 7402 } }, '172.16.0.1')
      assert.deepEqual(moved(witness), [{ type: 'moved', node: 'lb01', address: '10.0.0.11', port: 7402 }])
    })

    it('changes nothing where both say the same', () => {
      const witness = Witness.settled()
      witness.agent('lb01', { listener: { address: '10.0.0.11', port: 7401 } })
      assert.deepEqual(moved(witness), [])
    })
  })
})
