import assert from 'node:assert/strict'
import type { DrillAnswer, Occurrence } from '../../../../../server/core/arbiter/arbiter.ts'
import type { Drilled, Report } from '../../../../../shared/protocol/report.ts'
import type { Order } from '../../../../../shared/protocol/messages.ts'
import {
  type Agent,
  claiming,
  holding,
  instance,
  pair as members,
  released,
  silentAfterMs,
  standby,
  Witness,
} from '../../clusters/cluster-fixture.ts'

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

function occurrencesOf({ witness }: Pair, event: string): Occurrence[] {
  return witness.happened.flatMap((effect) =>
    effect.type === 'occurred' && effect.occurrence.event === event ? [effect.occurrence] : [],
  )
}

function toldOf(all: Pair, event: string): string[] {
  return occurrencesOf(all, event).map(({ text }) => text)
}

/** The ends that an event shows as its evidence: instance and how long the way back took. */
function endsIn(all: Pair, event: string): unknown {
  const { ends } = occurrencesOf(all, event)[0]?.evidence ?? {}
  return Array.isArray(ends)
    ? ends.map((end: { instance: string; backMs: number }) => [end.instance, end.backMs])
    : ends
}

/** A report for each instance of a node that has two. */
function onBoth(report: Partial<Report>): Report[] {
  return ['VI_1', 'VI_2'].map((of) => ({ ...standby, ...report, instance: of }))
}

/** As `pair`, of two instances, both held by lb01; `normal` says the newest reports again. */
function pairOfTwo(): Pair & { normal: () => void } {
  const all = pair()
  const { witness, lb01, lb02 } = all
  lb01.say(onBoth(claiming(2)))
  for (const of of ['VI_1', 'VI_2'])
    if (witness.state(of).voter.pledge.phase === 'recording') witness.written(of)
  const normal = (): void => {
    lb01.say(onBoth(holding(2)))
    lb02.say(onBoth({}))
  }
  for (let beat = 0; beat < 3; beat++) normal()
  return { ...all, normal }
}

describe('a drill of the standby', () => {
  it('is ordered at once, under the epoch of the holder', () => {
    const all = pair()
    assert.deepEqual(ask(all, 'lb02'), { kind: 'begun', steps: [{ instance, role: 'standby' }] })
    assert.deepEqual(drillsTo(all.lb02), [{ instance, what: 'drill', epoch: 1 }])
    assert.deepEqual(drillsTo(all.lb01), [])
    const [begun, ...more] = occurrencesOf(all, 'drill-begun')
    assert.equal(begun?.text, 'A drill of lb02 begins: VI_1 as standby.')
    assert.deepEqual(begun.evidence, { steps: [{ instance, role: 'standby' }] })
    assert.deepEqual(more, [])
  })

  it('that passed is told and kept', () => {
    const all = pair()
    ask(all, 'lb02')
    drilled(all.lb02)
    assert.deepEqual(kept(all), [{ node: 'lb02', instances: [instance] }])
    assert.deepEqual(toldOf(all, 'drill-passed'), ['The drill of lb02 passed: VI_1: as it should be.'])
    assert.deepEqual(endsIn(all, 'drill-passed'), [['VI_1', 50]])
    assert.equal(all.witness.arbiter.drill, null)
  })

  it('that failed or was refused by the agent is told with the reason, and not kept', () => {
    for (const result of ['failed', 'refused'] as const) {
      const all = pair()
      ask(all, 'lb02')
      drilled(all.lb02, { result, text: 'the bar did nothing' })
      assert.deepEqual(kept(all), [])
      const [failed] = occurrencesOf(all, 'drill-failed')
      assert.equal(failed?.text, 'The drill of lb02 failed: the bar did nothing.')
      assert.equal(failed.instance, instance)
      assert.deepEqual(endsIn(all, 'drill-failed'), [['VI_1', 50]])
      assert.equal(all.witness.arbiter.drill, null)
    }
  })

  it('of which the agent says nothing ends after a minute, and another may follow', () => {
    const all = pair()
    ask(all, 'lb02')
    all.witness.pass(59_000, all.lb01, all.lb02)
    assert.deepEqual(toldOf(all, 'drill-failed'), [])
    all.witness.pass(1000, all.lb01, all.lb02)
    assert.match(toldOf(all, 'drill-failed')[0] ?? '', /has not reported within 60 s/)
    assert.deepEqual(endsIn(all, 'drill-failed'), [], 'nothing was shown')
    assert.equal(ask(all, 'lb02').kind, 'begun')
  })

  it('goes through all instances of the node, one after the other, and only while all is normal', () => {
    const all = pairOfTwo()
    const { lb02 } = all
    assert.equal(ask(all, 'lb02').kind, 'begun')
    const ordered = (): string[] => drillsTo(lb02).map((order) => order.instance)
    assert.deepEqual(ordered(), ['VI_1'])
    lb02.say(onBoth({ phase: 'drilling', process: 'absent' }))
    drilled(lb02)
    assert.deepEqual(ordered(), ['VI_1'], 'its newest report is not normal yet')
    all.normal()
    assert.deepEqual(ordered(), ['VI_1', 'VI_2'])
    drilled(lb02, { instance: 'VI_2' })
    assert.deepEqual(kept(all), [{ node: 'lb02', instances: ['VI_1', 'VI_2'] }])
  })

  describe('of the second instance', () => {
    /** The first one passed; before the second one begins, something happens. */
    const between = (what: (all: Pair) => void): Pair => {
      const all = pairOfTwo()
      ask(all, 'lb02')
      all.lb02.say(onBoth({ phase: 'drilling', process: 'absent' }))
      drilled(all.lb02)
      what(all)
      return all
    }

    it('is given up where all is not normal again within 30 s, with the reason and what was shown', () => {
      const all = between(() => undefined)
      const { witness } = all
      witness.pass(29_999)
      assert.deepEqual(toldOf(all, 'drill-failed'), [])
      witness.pass(1)
      assert.match(toldOf(all, 'drill-failed')[0] ?? '', /no longer safe to continue: VI_2: \w/)
      assert.equal(occurrencesOf(all, 'drill-failed')[0]?.instance, 'VI_2')
      assert.deepEqual(endsIn(all, 'drill-failed'), [['VI_1', 50]])
      assert.deepEqual(kept(all), [])
    })

    it('is not begun where the holder lets go meanwhile', () => {
      const all = between(({ lb01 }) => lb01.say(onBoth(released)))
      all.witness.pass(30_000)
      assert.equal(drillsTo(all.lb02).length, 1)
      assert.match(toldOf(all, 'drill-failed')[0] ?? '', /VI_2: lb01 does not have the vote/)
    })

    it('is not begun where the node is taken out of the cluster meanwhile', () => {
      const all = between(({ witness }) => {
        witness.members(members.filter(({ name }) => name !== 'lb02'))
      })
      all.witness.pass(30_000)
      assert.match(toldOf(all, 'drill-failed')[0] ?? '', /There is no second node/)
    })
  })

  it('begins with the first instance by name, in whichever order the agent reports them', () => {
    const witness = Witness.settled()
    const lb01 = witness.agent('lb01')
    const lb02 = witness.agent('lb02')
    lb02.say(onBoth({}).reverse())
    lb01.say(onBoth(claiming(1)))
    for (const of of ['VI_1', 'VI_2']) witness.written(of)
    for (let beat = 0; beat < 3; beat++) {
      lb01.say(onBoth(holding(1)))
      lb02.say(onBoth({}).reverse())
    }
    const answer = ask({ witness, lb01, lb02 }, 'lb02')
    assert.ok(answer.kind === 'begun', JSON.stringify(answer))
    assert.deepEqual(
      answer.steps.map((step) => step.instance),
      ['VI_1', 'VI_2'],
    )
  })

  it('is allowed where it does not reach its gateway: it would not take the VIP in it', () => {
    const all = pair()
    all.lb02.beat({ gateway: 'unreachable' })
    assert.equal(ask(all, 'lb02').kind, 'begun')
  })

  describe('is refused', () => {
    it('where only one of its instances is not normal', () => {
      const all = pairOfTwo()
      const [first, second] = onBoth({})
      assert.ok(first !== undefined && second !== undefined)
      all.lb02.say([first, { ...second, phase: 'barred' }])
      assert.match(refusalOf(all, 'lb02'), /^VI_2: lb02 is not ready/)
    })

    it('of a node that reports no instance', () => {
      const all = pair()
      all.lb02.say([])
      assert.equal(refusalOf(all, 'lb02'), 'The agent of lb02 reports no vrrp_instance.')
    })

    it('where the holder or the other node does not report the instance', () => {
      const silent = pair()
      silent.lb01.say([])
      assert.match(refusalOf(silent, 'lb02'), /lb01 is not MASTER with the lease \(no report\)/)
      const without = pair()
      without.lb02.say([])
      assert.match(refusalOf(without, 'lb01', true), /VI_1: lb02 does not report this instance/)
    })

    it('where the cluster has no other node', () => {
      const witness = Witness.settled({ members: members.filter(({ name }) => name === 'lb01') })
      const lb01 = witness.agent('lb01')
      lb01.beat()
      assert.match(refusalOf({ witness, lb01, lb02: lb01 }, 'lb01'), /There is no second node/)
    })

    it('of a node that says that it holds, also where this witness has not promised it anything yet', () => {
      const witness = new Witness()
      const [lb01, lb02] = witness.agents()
      lb01.beat(holding(1))
      assert.match(refusalOf({ witness, lb01, lb02 }, 'lb01'), /lb01 holds VI_1.*--including-holder/)
    })

    it('of a node that nobody knows', () => {
      assert.match(refusalOf(pair(), 'lb09'), /lb09 is not a node of web \(lb01, lb02\)/)
    })

    it('while the agent of either is not heard', () => {
      for (const silent of ['lb01', 'lb02'] as const) {
        const all = pair()
        all.witness.pass(silentAfterMs, silent === 'lb01' ? all.lb02 : all.lb01)
        const refusal = refusalOf(all, 'lb02')
        assert.match(refusal, new RegExp(`no heartbeat from the agent of ${silent}`))
        assert.equal(refusal.includes('cannot carry out a drill'), silent === 'lb02')
      }
    })

    it('while another one is under way, of whichever node', () => {
      const all = pair()
      ask(all, 'lb02')
      for (const node of ['lb01', 'lb02']) {
        const answer = ask(all, node, true)
        assert.ok(answer.kind === 'refused' && answer.text.includes('A drill of lb02 is still running'))
      }
    })

    it('where nobody holds', () => {
      const all = pair()
      all.lb01.beat(released)
      assert.match(refusalOf(all, 'lb02'), /lb01 does not have the vote/)
    })

    it('while the holder only claims', () => {
      const all = pair()
      all.lb01.beat(claiming(1))
      assert.match(refusalOf(all, 'lb02'), /lb01 is not MASTER with the lease/)
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
        assert.match(refusalOf(all, 'lb02'), /lb02 is not ready to take the VIP/)
      }
    })

    it('while the standby shows the VIP, too', () => {
      const all = pair()
      all.lb02.beat({ ...claiming(1), ask: null })
      assert.match(refusalOf(all, 'lb02'), /lb02 has the VIP too/)
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
      assert.match(refusalOf(all, 'lb02'), /lb01 cannot reach its gateway/)
    })

    it('after a pause of the witness, until both have been heard since', () => {
      const all = pair()
      const { witness, lb01, lb02 } = all
      witness.atMs += 900
      witness.feed({ type: 'resumed', atMs: witness.atMs, gapMs: 900, jumpedMs: 0 })
      lb01.again()
      lb02.again()
      assert.match(refusalOf(all, 'lb02'), /has no new report from/)
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
  it('drills what the node holds, and leaves alone what the other one holds', () => {
    const all = pair()
    const { witness, lb01, lb02 } = all
    const first = (report: Partial<Report>): Report => ({ ...standby, ...report, instance: 'VI_1' })
    const second = (report: Partial<Report>): Report => ({ ...standby, ...report, instance: 'VI_2' })
    lb02.say([first({}), second(claiming(1))])
    witness.written('VI_2')
    for (let beat = 0; beat < 3; beat++) {
      lb02.say([first({}), second(holding(1))])
      lb01.say([first(holding(1)), second({})])
    }
    const answer = ask(all, 'lb01', true)
    assert.deepEqual(answer, { kind: 'begun', steps: [{ instance: 'VI_1', role: 'holder' }] })
  })

  describe('while it waits for the takeover', () => {
    /** lb01 has let go with proof; lb02 has the witness's vote and does not say that it holds yet. */
    const awaiting = (): Pair => {
      const all = pair()
      ask(all, 'lb01', true)
      all.lb01.beat(released)
      drilled(all.lb01, { role: 'holder' })
      all.lb02.beat(claiming(2))
      all.witness.written()
      return all
    }

    it('takes no second word of the node about it', () => {
      const all = awaiting()
      drilled(all.lb01, { role: 'holder', result: 'failed' })
      assert.deepEqual(toldOf(all, 'drill-failed'), [])
      assert.equal(all.witness.arbiter.refusedMessages['drill-not-awaited'], 1)
    })

    it('waits on where the other node does not report the instance for a moment', () => {
      const all = awaiting()
      all.lb02.say([])
      assert.deepEqual(kept(all), [])
      all.lb02.beat(holding(2))
      assert.equal(kept(all).length, 1)
    })

    it('fails where the other node is taken out of the cluster', () => {
      const all = awaiting()
      all.witness.members(members.filter(({ name }) => name !== 'lb02'))
      all.witness.pass(20_000, all.lb01)
      assert.match(toldOf(all, 'drill-failed')[0] ?? '', /the other node did not take it/)
    })
  })

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
    assert.match(toldOf(all, 'drill-passed')[0] ?? '', /lb02 had the lease 600 ms later/)
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
        assert.match(toldOf(all, 'drill-failed')[0] ?? '', /holds it again/)
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
    assert.match(refusalOf(all, 'lb01', true), /lb02 is not ready/)
    all.lb02.beat({ gateway: 'unreachable' })
    assert.match(refusalOf(all, 'lb01', true), /lb02, which would take the VIP, cannot reach its gateway/)
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
