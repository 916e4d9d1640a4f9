import assert from 'node:assert/strict'
import { arbitrate } from '../../../../../server/core/arbiter/arbiter.ts'
import { defaultTiming } from '../../../../../shared/core/timing.ts'
import {
  holding,
  instance,
  pair,
  recoveredLedger,
  reserveMs,
  silentAfterMs,
  Witness,
} from '../../clusters/cluster-fixture.ts'

const { handoverMs } = defaultTiming
const unprotected = { phase: 'unprotected', keepalived: 'MASTER', vips: 'held' } as const

describe('what the reports show together', () => {
  it('is told when it is known for the first time, with its evidence', () => {
    const witness = Witness.settled()
    witness.agent('lb02').beat()
    witness.agent('lb01').beat({ ...unprotected })
    const [normal] = witness.occurred().filter(({ event }) => event === 'situation.normal')
    assert.deepEqual(normal, {
      event: 'situation.normal',
      level: 'info',
      instance,
      node: 'lb01',
      text: 'lb01 is MASTER. Nobody holds the lease.',
      evidence: { masters: ['lb01'], holder: null },
      decision: null,
    })
  })

  it('is told at once where the first report of all shows a MASTER', () => {
    const witness = new Witness()
    witness.agent('lb01').beat({ ...unprotected })
    assert.ok(witness.told().includes('situation.normal'))
  })

  it('is not told while everything only starts', () => {
    const witness = new Witness()
    witness.agents()
    assert.equal(witness.situation().situation, 'starting')
    assert.deepEqual(
      witness.told().filter((event) => event.startsWith('situation')),
      [],
    )
  })

  it('is told again when the same happens to the other node', () => {
    const witness = Witness.settled()
    const [lb01, lb02] = witness.agents()
    lb01.close()
    lb02.close()
    for (const node of ['lb01', 'lb02']) witness.echo(node, 1)
    const down = (): (string | null)[] =>
      witness.happened.flatMap((effect) =>
        effect.type === 'occurred' && effect.occurrence.event === 'situation.agent-down'
          ? [effect.occurrence.node]
          : [],
      )
    assert.deepEqual(down(), ['lb01'])
    witness.agent('lb01').beat()
    assert.deepEqual(down(), ['lb01', 'lb02'])
  })

  it('counts what ICMP says of a host, and of a host that it knows', () => {
    const witness = Witness.settled()
    const [lb01] = witness.agents()
    lb01.close()
    witness.echo('lb01', null, 2)
    assert.equal(witness.situation().situation, 'host-down')
    witness.echo('nobody', 1)
    witness.echo('lb01', 1)
    assert.equal(witness.situation().situation, 'agent-down')
  })

  it('tells once of a ledger that its marks show to be rolled back', () => {
    const recovered = recoveredLedger([
      [instance, { kind: 'valid', ballot: { to: 'lb01', epoch: 3 }, mark: { epoch: 5, untilMs: 0 } }],
    ])
    const witness = new Witness({ recovered })
    assert.ok(witness.arbiter.instances.has(instance))
    witness.pass(reserveMs)
    const told = witness.happened.flatMap((effect) =>
      effect.type === 'occurred' && effect.occurrence.event === 'ledger-rolled-back'
        ? [effect.occurrence]
        : [],
    )
    assert.deepEqual(
      told.map(({ evidence }) => evidence),
      [{ epoch: 1005 }],
    )
  })

  it('tells how long the witness stood still', () => {
    const witness = Witness.settled()
    witness.feed({ type: 'resumed', atMs: witness.atMs, gapMs: 2500.4, jumpedMs: 0 })
    const [paused] = witness.occurred()
    assert.match(paused?.text ?? '', /did not run for 2500 ms/)
    assert.deepEqual(paused?.evidence, { gapMs: 2500.4, jumpedMs: 0 })
  })
})

describe('two nodes with the VIP', () => {
  /** lb01 has the lease, and lb02 shows the VIP, too. */
  const dual = () => {
    const witness = Witness.settled()
    const [lb01, lb02] = witness.agents()
    lb01.win(1)
    lb02.beat({ ...unprotected, epoch: 9 })
    return { witness, lb01, lb02 }
  }

  it('are not ordered about for as long as a handover takes', () => {
    const { witness, lb01, lb02 } = dual()
    witness.pass(handoverMs - 1)
    for (const agent of [lb01, lb02, lb01, lb02]) agent.again()
    assert.deepEqual(lb02.orders(witness.happened), [])
    witness.pass(1)
    lb02.again()
    assert.equal(lb02.orders(witness.happened).length, 1)
  })

  it('are ordered under the epoch of the lease, whatever higher one was heard of', () => {
    const { witness, lb01, lb02 } = dual()
    witness.pass(handoverMs)
    for (const agent of [lb01, lb02, lb01, lb02]) agent.again()
    assert.deepEqual(lb02.orders(witness.happened), [
      { type: 'order', instance, what: 'fence', epoch: 1, reason: 'lb01 holds the lease (epoch 1)' },
    ])
  })

  it('are left alone where neither has the lease, or both say so', () => {
    for (const report of [unprotected, { ...unprotected, phase: 'holding' as const }]) {
      const witness = Witness.settled()
      const both = witness.agents()
      for (let beats = 0; beats < 5; beats++) {
        for (const agent of both) agent.beat({ ...report })
        witness.pass(handoverMs)
      }
      assert.deepEqual(
        both.flatMap((agent) => agent.orders(witness.happened)),
        [],
      )
      both[1].beat()
      assert.equal(witness.situation().situation, 'normal')
    }
  })

  it('let nobody be told to announce whose connection is gone', () => {
    const { witness, lb01, lb02 } = dual()
    lb01.close()
    lb02.beat()
    assert.deepEqual(lb01.orders(), [])
    const again = dual()
    again.lb02.beat()
    assert.deepEqual(
      again.lb01.orders().map(({ what }) => what),
      ['announce'],
    )
    assert.equal(arbitrate(witness.arbiter, { type: 'tick', atMs: witness.atMs }).effects.length, 0)
  })

  describe('over a pause of the witness', () => {
    /** Long enough for every agent to have fallen silent here. */
    const paused = () => {
      const found = dual()
      found.witness.atMs += silentAfterMs + handoverMs
      found.witness.feed({ type: 'resumed', atMs: found.witness.atMs, gapMs: silentAfterMs, jumpedMs: 0 })
      return found
    }

    it('are two as before until both have spoken again: the wait for a handover does not begin anew', () => {
      const { witness, lb01, lb02 } = paused()
      lb01.again()
      lb01.again()
      lb02.again()
      assert.deepEqual(lb02.orders(witness.happened), [], 'it has read no answer from after the pause')
      lb02.again()
      assert.deepEqual(
        lb02.orders(witness.happened).map(({ what }) => what),
        ['fence'],
      )
    })

    it('are one again, and that one announces the VIP, only by words from after it', () => {
      const { witness, lb01, lb02 } = paused()
      lb01.again()
      lb02.beat()
      lb01.again()
      assert.deepEqual(lb01.orders(witness.happened), [])
      lb02.beat()
      assert.deepEqual(
        lb01.orders(witness.happened).map(({ what, reason }) => [what, reason]),
        [['announce', 'the other MASTER is gone']],
      )
    })

    it('are one again where the other has hung up: when it is back, a handover has its time', () => {
      const { witness, lb01, lb02 } = paused()
      lb02.close()
      lb01.again()
      lb01.again()
      lb02.greet()
      lb02.again()
      lb02.again()
      assert.deepEqual(lb02.orders(witness.happened), [])
      witness.pass(handoverMs, lb01, lb02)
      for (const agent of [lb01, lb02, lb01, lb02]) agent.again()
      assert.equal(lb02.orders(witness.happened).length, 1)
    })
  })

  it('are one again, after a pause, where the holder was removed and is there again unheard', () => {
    const { witness, lb02 } = dual()
    witness.pass(1)
    witness.feed({ type: 'resumed', atMs: witness.atMs, gapMs: 700, jumpedMs: 0 })
    witness.members(pair.filter(({ name }) => name === 'lb02'))
    assert.notEqual(witness.state().dualSinceMs, null, 'lb02 has not spoken since')
    witness.members(pair)
    lb02.again()
    lb02.again()
    assert.equal(witness.state().dualSinceMs, null)
    assert.deepEqual(lb02.orders(witness.happened), [])
  })

  it('are one again when either is removed from the cluster: the holder announces the VIP if it is the one left', () => {
    for (const [left, announces] of [
      ['lb01', ['lb01']],
      ['lb02', []],
    ] as const) {
      const { witness, ...agents } = dual()
      witness.members(pair.filter(({ name }) => name === left))
      assert.equal(witness.state().dualSinceMs, null)
      const told = [agents.lb01, agents.lb02].flatMap((agent) =>
        agent.orders(witness.happened).map(({ what }) => `${agent.hello.node} ${what}`),
      )
      assert.deepEqual(
        told,
        announces.map((name) => `${name} announce`),
      )
    }
  })

  it('are one MASTER again for whom there is nobody to announce', () => {
    const witness = Witness.settled()
    const [lb01, lb02] = witness.agents()
    lb01.beat({ ...unprotected })
    lb02.beat({ ...unprotected })
    lb02.beat()
    assert.deepEqual([...lb01.orders(), ...lb02.orders()], [])
    lb01.beat(holding(0))
    assert.deepEqual(lb01.orders(), [])
  })
})
