import assert from 'node:assert/strict'
import type { Order } from '../../../../../shared/protocol/messages.ts'
import type { Report } from '../../../../../shared/protocol/report.ts'
import {
  type Agent,
  claiming,
  holding,
  instance,
  refusal,
  released,
  renewMs,
  silentAfterMs,
  Witness,
} from '../../clusters/cluster-fixture.ts'

const patienceMs = 5000
const spacingMs = 60_000
const withoutGateway = (epoch: number): Partial<Report> => ({ ...holding(epoch), gateway: 'unreachable' })

interface Pair {
  readonly witness: Witness
  readonly lb01: Agent
  readonly lb02: Agent
}

/** lb01 holds under epoch 1 and has just lost its gateway; lb02 stands by and reaches its own. */
function cutOff(): Pair {
  const witness = Witness.settled()
  const [lb01, lb02] = witness.agents()
  lb01.win(1)
  lb02.beat()
  lb01.beat(withoutGateway(1))
  return { witness, lb01, lb02 }
}

function yieldsTo(agent: Agent): Order[] {
  return agent.orders(agent.witness.happened).filter(({ what }) => what === 'yield')
}

describe('a holder that lost its gateway', () => {
  it('is told to yield after 5 s and not before, once', () => {
    const { witness, lb01, lb02 } = cutOff()
    witness.pass(patienceMs - 1, lb01, lb02)
    assert.deepEqual(yieldsTo(lb01), [])
    witness.pass(1, lb01, lb02)
    assert.deepEqual(yieldsTo(lb01), [
      {
        type: 'order',
        instance,
        what: 'yield',
        epoch: 1,
        reason: 'lb01 has not reached its gateway for 5 s, but lb02 reaches it',
      },
    ])
    witness.pass(patienceMs, lb01, lb02)
    assert.equal(yieldsTo(lb01).length, 1)
    assert.deepEqual(lb02.orders(witness.happened), [])
  })

  it('is told of to the operator: who, for how long, to whom, and what comes first', () => {
    const { witness, lb01, lb02 } = cutOff()
    witness.pass(patienceMs, lb01, lb02)
    const told = witness.happened.flatMap((effect) =>
      effect.type === 'occurred' && effect.occurrence.event === 'gateway-lost' ? [effect.occurrence] : [],
    )
    assert.equal(told.length, 1)
    assert.deepEqual(
      { level: told[0]?.level, node: told[0]?.node, decision: told[0]?.decision },
      { level: 'warning', node: 'lb01', decision: 'lb01 yields to lb02' },
    )
    assert.match(
      told[0]?.text ?? '',
      /lb01 has not reached its gateway for 5 s, but lb02 reaches it, so the VIP is moved\. lb01 releases it/,
    )
    assert.equal(told[0]?.evidence.heir, 'lb02')
  })

  it('lets go first: the other is refused until the votes were given back, and wins then', () => {
    const { witness, lb01, lb02 } = cutOff()
    witness.pass(patienceMs, lb01, lb02)
    assert.equal(refusal(lb02.beat(claiming(2))), 'promised')
    lb01.beat({ phase: 'fencing', keepalived: 'MASTER', vips: 'held', gateway: 'unreachable' })
    assert.equal(refusal(lb02.beat(claiming(2))), 'promised', 'no proof yet')
    lb01.beat({ ...released, phase: 'fencing', keepalived: 'FAULT', gateway: 'unreachable' })
    assert.equal(refusal(lb02.beat(claiming(2))), 'pending')
    witness.written()
    assert.deepEqual(lb02.lateVote(), { kind: 'granted', epoch: 2 })
  })

  it('gets the vote again where the other does not take the VIP', () => {
    const { witness, lb01, lb02 } = cutOff()
    witness.pass(patienceMs, lb01, lb02)
    lb01.beat({ ...released, keepalived: 'FAULT', gateway: 'unreachable' })
    witness.pass(1000, lb01, lb02)
    assert.equal(refusal(lb01.beat({ ...claiming(2), gateway: 'unreachable' })), 'pending')
    witness.written()
    assert.deepEqual(lb01.lateVote(), { kind: 'granted', epoch: 2 })
  })

  it('is not told again within a minute, and under its new epoch after that', () => {
    const { witness, lb01, lb02 } = cutOff()
    witness.pass(patienceMs, lb01, lb02)
    lb01.beat({ ...released, keepalived: 'FAULT', gateway: 'unreachable' })
    lb01.beat({ ...claiming(2), gateway: 'unreachable' })
    witness.written()
    lb01.beat(withoutGateway(2))
    witness.pass(spacingMs - 1, lb01, lb02)
    assert.equal(yieldsTo(lb01).length, 1)
    witness.pass(1, lb01, lb02)
    assert.deepEqual(
      yieldsTo(lb01).map(({ epoch }) => epoch),
      [1, 2],
    )
  })

  it('nor is the other within that minute: two gateways that fail in turn do not send the VIP to and fro', () => {
    const { witness, lb01, lb02 } = cutOff()
    witness.pass(patienceMs, lb01, lb02)
    lb01.beat({ ...released, gateway: 'reachable' })
    lb02.beat(claiming(2))
    witness.written()
    lb02.beat(withoutGateway(2))
    witness.pass(spacingMs - 1, lb01, lb02)
    assert.deepEqual(yieldsTo(lb02), [])
    witness.pass(1, lb01, lb02)
    assert.equal(yieldsTo(lb02).length, 1)
  })

  it('begins to count anew where its gateway was back in between', () => {
    const { witness, lb01, lb02 } = cutOff()
    witness.pass(patienceMs - 200, lb01, lb02)
    lb01.beat(holding(1))
    lb01.beat(withoutGateway(1))
    witness.pass(patienceMs - 1, lb01, lb02)
    assert.deepEqual(yieldsTo(lb01), [])
    witness.pass(1, lb01, lb02)
    assert.equal(yieldsTo(lb01).length, 1)
  })

  it('is told to yield to a node whose keepalived waits in FAULT behind its gate', () => {
    const { witness, lb01, lb02 } = cutOff()
    lb02.beat({ phase: 'gated', keepalived: 'FAULT' })
    witness.pass(patienceMs, lb01, lb02)
    assert.equal(yieldsTo(lb01).length, 1)
  })

  it('is told nothing after a pause of the witness before both nodes have read an answer from after it', () => {
    const { witness, lb01, lb02 } = cutOff()
    witness.pass(patienceMs - 1, lb01, lb02)
    witness.feed({ type: 'resumed', atMs: witness.atMs, gapMs: 700, jumpedMs: 0 })
    lb01.again()
    lb02.again()
    witness.pass(1)
    assert.deepEqual(yieldsTo(lb01), [], 'neither has')
    lb01.again()
    assert.deepEqual(yieldsTo(lb01), [], 'the holder alone has')
    lb02.again()
    assert.equal(yieldsTo(lb01).length, 1)
  })

  describe('is not told to yield', () => {
    const assertKept = (change: (pair: Pair) => void, beating: (pair: Pair) => Agent[]): void => {
      const pair = cutOff()
      change(pair)
      pair.witness.pass(3 * patienceMs, ...beating(pair))
      assert.deepEqual(yieldsTo(pair.lb01), [])
      assert.ok(!pair.witness.told().includes('gateway-lost'))
    }
    const both = ({ lb01, lb02 }: Pair): Agent[] => [lb01, lb02]

    it('while it reaches its gateway, or pings none', () => {
      for (const gateway of ['reachable', 'unknown'] as const)
        assertKept(({ lb01 }) => lb01.beat({ ...holding(1), gateway }), both)
    })

    it('while the other does not reach its own, or pings none: an outage of the gateway moves nothing', () => {
      for (const gateway of ['unreachable', 'unknown'] as const)
        assertKept(({ lb02 }) => lb02.beat({ gateway }), both)
    })

    it('while the other could not take the VIP at once', () => {
      const unable: Partial<Report>[] = [
        { phase: 'barred' },
        { phase: 'fenced' },
        { keepalived: 'FAULT' },
        { process: 'absent' },
        { process: 'frozen' },
      ]
      for (const change of unable) assertKept(({ lb02 }) => lb02.beat(change), both)
    })

    it('while its agent, or the one of the other, has no word on the instance', () => {
      for (const silent of ['lb01', 'lb02'] as const)
        assertKept(
          (pair) => {
            pair.witness.pass(patienceMs - 1, pair.lb01, pair.lb02)
            pair[silent].say([])
            pair.witness.pass(1)
          },
          (pair) => [silent === 'lb01' ? pair.lb02 : pair.lb01],
        )
    })

    it('while two live agents have the name of the other', () => {
      const pair = cutOff()
      const clone = pair.witness.agent('lb02', { incarnation: 'lb02-start-2', bootId: 'clone-boot-1' })
      assert.notEqual(pair.witness.arbiter.nodes.get('lb02')?.double, null)
      pair.witness.pass(3 * patienceMs, pair.lb01, pair.lb02, clone)
      assert.notEqual(pair.witness.arbiter.nodes.get('lb02')?.double, null)
      assert.deepEqual(yieldsTo(pair.lb01), [])
    })

    it('while the other is silent or gone', () => {
      assertKept(
        ({ witness, lb01 }) => witness.pass(silentAfterMs, lb01),
        ({ lb01 }) => [lb01],
      )
      assertKept(
        ({ lb02 }) => void lb02.close(),
        ({ lb01 }) => [lb01],
      )
    })

    it('while it is silent itself', () => {
      assertKept(
        () => undefined,
        ({ lb02 }) => [lb02],
      )
    })

    it('while its agent is dead and only its check keeps the promise', () => {
      const { witness, lb01, lb02 } = cutOff()
      lb01.close()
      for (let second = 0; second < 15; second++) {
        witness.pass(1000, lb02)
        assert.equal(witness.check('lb01')?.permit, true)
      }
      assert.ok(!witness.told().includes('gateway-lost'))
    })

    it('while it only claims the lease, or has given it back', () => {
      assertKept(({ lb01 }) => lb01.beat({ ...claiming(1), gateway: 'unreachable' }), both)
      assertKept(({ lb01 }) => lb01.beat({ ...released, gateway: 'unreachable' }), both)
    })
  })

  it('the standby that lost its own is told nothing', () => {
    const witness = Witness.settled()
    const [lb01, lb02] = witness.agents()
    lb01.win(1)
    lb02.beat({ gateway: 'unreachable' })
    witness.pass(3 * patienceMs, lb01, lb02)
    assert.deepEqual([...lb01.orders(witness.happened), ...lb02.orders(witness.happened)], [])
  })

  it('is found also in a tick, where no further heartbeat says so', () => {
    const { witness, lb01, lb02 } = cutOff()
    witness.pass(patienceMs - 100, lb01, lb02)
    for (const agent of [lb01, lb02]) agent.again()
    witness.pass(100)
    assert.equal(yieldsTo(lb01).length, 1)
    assert.ok(renewMs > 100)
  })
})
