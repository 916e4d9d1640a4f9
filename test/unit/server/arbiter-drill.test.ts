import assert from 'node:assert/strict'
import type { DrillAnswer } from '../../../server/arbiter.ts'
import type { Drilled, Order, Report } from '../../../shared/protocol.ts'
import {
  type Agent,
  claiming,
  holding,
  instance,
  released,
  silentAfterMs,
  standby,
  Witness,
} from './cluster-fixture.ts'

interface Pair {
  readonly witness: Witness
  readonly lb01: Agent
  readonly lb02: Agent
}

/** lb01 holds under epoch 1, lb02 stands by; both have read the witness's answers. */
function pair(): Pair {
  const witness = Witness.settled()
  const [lb01, lb02] = witness.agents()
  lb01.win(1)
  lb02.beat()
  witness.pass(900, lb01, lb02)
  return { witness, lb01, lb02 }
}

let requests = 0

function ask({ witness }: Pair, node: string, includingHolder = false): DrillAnswer {
  requests += 1
  witness.feed({ type: 'drill', atMs: witness.atMs, request: requests, node, includingHolder })
  const answer = witness.effects.find((effect) => effect.type === 'answer-drill')
  assert.ok(answer?.type === 'answer-drill')
  assert.equal(answer.request, requests)
  return answer.answer
}

function refusalOf(pair: Pair, node: string, includingHolder = false): string {
  const answer = ask(pair, node, includingHolder)
  assert.ok(answer.kind === 'refused')
  assert.deepEqual(drillsTo(pair.lb01), [])
  assert.deepEqual(drillsTo(pair.lb02), [])
  return answer.text
}

function drillsTo(agent: Agent): Pick<Order, 'instance' | 'what' | 'epoch'>[] {
  return agent
    .orders(agent.witness.happened)
    .filter(({ what }) => what === 'drill' || what === 'drill-holder')
    .map(({ what, epoch, instance: of }) => ({ instance: of, what, epoch }))
}

function drilled(agent: Agent, change: Partial<Drilled> = {}): void {
  const { witness, connection } = agent
  const rungs = [
    { rung: 'bar', proved: true, tookMs: 4 },
    { rung: 'stop', proved: true, tookMs: 1000 },
  ] as const
  witness.feed({
    type: 'drilled',
    atMs: witness.atMs,
    connection,
    drilled: {
      type: 'drilled',
      instance,
      role: 'standby',
      result: 'passed',
      rungs: [...rungs],
      backMs: 50,
      text: 'as it should be',
      ...change,
    },
  })
}

function kept({ witness }: Pair): { node: string; instances: string[] }[] {
  return witness.happened.flatMap((effect) =>
    effect.type === 'keep-drill'
      ? [{ node: effect.node, instances: effect.ends.map((end) => end.instance) }]
      : [],
  )
}

function toldOf({ witness }: Pair, event: string): string[] {
  return witness.happened.flatMap((effect) =>
    effect.type === 'occurred' && effect.occurrence.event === event ? [effect.occurrence.text] : [],
  )
}

describe('a drill of the standby', () => {
  it('is ordered at once, under the epoch of the holder', () => {
    const all = pair()
    assert.deepEqual(ask(all, 'lb02'), { kind: 'begun', steps: [{ instance, role: 'standby' }] })
    assert.deepEqual(drillsTo(all.lb02), [{ instance, what: 'drill', epoch: 1 }])
    assert.deepEqual(drillsTo(all.lb01), [])
    assert.equal(toldOf(all, 'drill-begun').length, 1)
  })

  it('that passed is told and kept', () => {
    const all = pair()
    ask(all, 'lb02')
    drilled(all.lb02)
    assert.deepEqual(kept(all), [{ node: 'lb02', instances: [instance] }])
    assert.deepEqual(toldOf(all, 'drill-passed'), ['The drill of lb02 passed: VI_1: as it should be.'])
    assert.equal(all.witness.arbiter.drill, null)
  })

  it('that failed or was refused by the agent is told with the reason, and not kept', () => {
    for (const result of ['failed', 'refused'] as const) {
      const all = pair()
      ask(all, 'lb02')
      drilled(all.lb02, { result, text: 'the bar did nothing' })
      assert.deepEqual(kept(all), [])
      assert.deepEqual(toldOf(all, 'drill-failed'), ['The drill of lb02 failed: the bar did nothing.'])
      assert.equal(all.witness.arbiter.drill, null)
    }
  })

  it('of which the agent says nothing ends after a minute, and another may follow', () => {
    const all = pair()
    ask(all, 'lb02')
    all.witness.pass(59_000, all.lb01, all.lb02)
    assert.deepEqual(toldOf(all, 'drill-failed'), [])
    all.witness.pass(1000, all.lb01, all.lb02)
    assert.match(toldOf(all, 'drill-failed')[0] ?? '', /said nothing more/)
    assert.equal(ask(all, 'lb02').kind, 'begun')
  })

  it('goes through all instances of the node, one after the other, and only while all is normal', () => {
    const all = pair()
    const { witness, lb01, lb02 } = all
    const on = (report: Partial<Report>): Report[] =>
      ['VI_1', 'VI_2'].map((of) => ({ ...standby, ...report, instance: of }))
    lb01.say(on(claiming(2)))
    for (const of of ['VI_1', 'VI_2'])
      if (witness.state(of).voter.pledge.phase === 'recording') witness.written(of)
    lb01.say(on(holding(2)))
    lb02.say(on({}))
    const both = (): void => {
      lb01.say(on(holding(2)))
      lb02.say(on({}))
    }
    both()
    both()
    assert.equal(ask(all, 'lb02').kind, 'begun')
    const ordered = (): string[] => drillsTo(lb02).map((order) => order.instance)
    assert.deepEqual(ordered(), ['VI_1'])
    lb02.say(on({ phase: 'drilling', process: 'absent' }))
    drilled(lb02)
    assert.deepEqual(ordered(), ['VI_1'], 'its newest report is not normal yet')
    both()
    assert.deepEqual(ordered(), ['VI_1', 'VI_2'])
    drilled(lb02, { instance: 'VI_2' })
    assert.deepEqual(kept(all), [{ node: 'lb02', instances: ['VI_1', 'VI_2'] }])
  })

  describe('is refused', () => {
    it('of a node that nobody knows', () => {
      assert.match(refusalOf(pair(), 'lb09'), /lb09 is not a node of web \(lb01, lb02\)/)
    })

    it('while the agent of either is not heard', () => {
      for (const silent of ['lb01', 'lb02'] as const) {
        const all = pair()
        all.witness.pass(silentAfterMs, silent === 'lb01' ? all.lb02 : all.lb01)
        assert.match(refusalOf(all, 'lb02'), new RegExp(`agent of ${silent} is not heard`))
      }
    })

    it('while another one is under way, of whichever node', () => {
      const all = pair()
      ask(all, 'lb02')
      for (const node of ['lb01', 'lb02']) {
        const answer = ask(all, node, true)
        assert.ok(answer.kind === 'refused' && answer.text.includes('A drill of lb02 is under way'))
      }
    })

    it('where nobody holds', () => {
      const all = pair()
      all.lb01.beat(released)
      assert.match(refusalOf(all, 'lb02'), /lb01 does not hold the lease/)
    })

    it('while the holder only claims', () => {
      const all = pair()
      all.lb01.beat(claiming(1))
      assert.match(refusalOf(all, 'lb02'), /lb01 is not a MASTER with the lease/)
    })

    it('where the standby could not take the VIP: it has other worries', () => {
      const unable: Partial<Report>[] = [
        { phase: 'barred' },
        { phase: 'fenced' },
        { keepalived: 'FAULT' },
        { process: 'absent' },
        { phase: 'gated', keepalived: 'FAULT', left: { kind: 'returning', to: 'lb01', epoch: 1 } },
      ]
      for (const change of unable) {
        const all = pair()
        all.lb02.beat(change)
        assert.match(refusalOf(all, 'lb02'), /lb02 is not a standby that could take the VIP/)
      }
    })

    it('while the standby shows the VIP, too', () => {
      const all = pair()
      all.lb02.beat({ ...claiming(1), ask: null })
      assert.match(refusalOf(all, 'lb02'), /lb02 shows the VIP, too/)
    })

    it('while the nodes do not hear each other', () => {
      const all = pair()
      all.lb01.beat({ ...holding(1), peerSilentMs: silentAfterMs })
      assert.match(refusalOf(all, 'lb02'), /do not hear each other/)
      all.lb01.beat(holding(1))
      all.lb02.beat({ peerSilentMs: null })
      assert.match(refusalOf(all, 'lb02'), /do not hear each other/)
    })

    it('while two live agents have one name', () => {
      const all = pair()
      all.witness.agent('lb01', { incarnation: 'other-start', bootId: 'other-boot-1' })
      assert.match(refusalOf(all, 'lb02'), /two live agents call themselves lb01/)
    })

    it('while the holder has no gateway', () => {
      const all = pair()
      all.lb01.beat({ ...holding(1), gateway: 'unreachable' })
      assert.match(refusalOf(all, 'lb02'), /lb01 has lost its gateway/)
    })

    it('after a pause of the witness, until both have been heard since', () => {
      const all = pair()
      const { witness, lb01, lb02 } = all
      witness.atMs += 900
      witness.feed({ type: 'resumed', atMs: witness.atMs, gapMs: 900, jumpedMs: 0 })
      lb01.again()
      lb02.again()
      assert.match(refusalOf(all, 'lb02'), /only just begun to hear/)
      lb01.again()
      lb02.again()
      assert.equal(ask(all, 'lb02').kind, 'begun')
    })

    it('in observe mode', () => {
      const witness = Witness.settled()
      const lb01 = witness.agent('lb01')
      const lb02 = witness.agent('lb02', { mode: 'observe' })
      lb01.win(1)
      lb02.beat()
      assert.match(refusalOf({ witness, lb01, lb02 }, 'lb02'), /observe mode/)
    })
  })
})

describe('a drill of the holder', () => {
  it('is refused without the admin’s word for it, which the refusal names', () => {
    assert.match(refusalOf(pair(), 'lb01'), /lb01 holds VI_1.*--including-holder/)
  })

  it('passes when the other node has the lease, not before, and says how long that took', () => {
    const all = pair()
    const { witness, lb01, lb02 } = all
    assert.deepEqual(ask(all, 'lb01', true), { kind: 'begun', steps: [{ instance, role: 'holder' }] })
    assert.deepEqual(drillsTo(lb01), [{ instance, what: 'drill-holder', epoch: 1 }])
    lb01.beat(released)
    drilled(lb01, { role: 'holder', rungs: [{ rung: 'bar', proved: true, tookMs: 3 }] })
    assert.deepEqual(kept(all), [])
    witness.pass(600, lb01, lb02)
    lb02.beat(claiming(2))
    witness.written()
    assert.deepEqual(kept(all), [], 'it does not say that it holds yet')
    lb02.beat(holding(2))
    assert.deepEqual(kept(all), [{ node: 'lb01', instances: [instance] }])
    assert.match(toldOf(all, 'drill-passed')[0] ?? '', /lb02 has the lease 600 ms after that/)
  })

  it('fails where the holder has the VIP again, or nobody takes it', () => {
    for (const again of [true, false]) {
      const all = pair()
      const { witness, lb01, lb02 } = all
      ask(all, 'lb01', true)
      lb01.beat(released)
      drilled(lb01, { role: 'holder' })
      if (again) {
        lb01.beat(claiming(2))
        witness.written()
        lb01.beat(holding(2))
        assert.match(toldOf(all, 'drill-failed')[0] ?? '', /has it again/)
      } else {
        witness.pass(20_000, lb01, lb02)
        assert.match(toldOf(all, 'drill-failed')[0] ?? '', /the other node did not take it/)
      }
      assert.deepEqual(kept(all), [])
    }
  })

  it('is refused where the other node could not take the VIP at once, or lost its gateway', () => {
    const all = pair()
    all.lb02.beat({ phase: 'barred' })
    assert.match(refusalOf(all, 'lb01', true), /lb02 is not a standby/)
    all.lb02.beat({ gateway: 'unreachable' })
    assert.match(refusalOf(all, 'lb01', true), /lb02, which would take the VIP, has lost its gateway/)
  })
})

describe('the word of a node about its drill', () => {
  it('changes nothing where nobody waits for it, or from another node, instance or role', () => {
    const all = pair()
    drilled(all.lb02)
    ask(all, 'lb02')
    drilled(all.lb01)
    drilled(all.lb02, { instance: 'VI_9' })
    drilled(all.lb02, { role: 'holder' })
    assert.deepEqual(kept(all), [])
    assert.notEqual(all.witness.arbiter.drill, null)
    assert.equal(all.witness.arbiter.refusedMessages['drill-not-awaited'], 4)
  })

  it('counts for nothing from a second agent of its name', () => {
    const all = pair()
    ask(all, 'lb02')
    const clone = all.witness.agent('lb02', { incarnation: 'other-start', bootId: 'other-boot-1' })
    drilled(clone)
    assert.deepEqual(kept(all), [])
    assert.equal(all.witness.arbiter.refusedMessages['not-greeted'], 1)
  })
})
