import { strict as assert } from 'node:assert'
import type { Timed } from '../../invariants/facts.ts'
import { SafetyWatch } from '../../invariants/safety.ts'
import { Chance } from '../../sim/world/chance.ts'
import { Cluster } from '../../sim/run/cluster.ts'
import { begin, end, type FaultKind } from '../../sim/faults/faults.ts'
import { scheduleOf } from '../../sim/run/run.ts'
import { Timeline } from '../../sim/world/timeline.ts'
import { Witnessing } from '../../sim/watch/witnessing.ts'

const seed = 7

/** A cluster of the simulator under faults of the test's choice, with the invariants looking on. */
class Story {
  readonly timeline = new Timeline()
  readonly cluster: Cluster
  readonly fenced: string[] = []
  readonly told: string[] = []
  readonly #safety: SafetyWatch
  #begun = false
  #dark = 0
  #lit = true

  /** @param delegateAfterMs how long the witness is silent before a vote is delegated because of that */
  constructor(delegateAfterMs = 0) {
    const facts = (timed: Timed): void => this.#take(timed)
    const witnessing = new Witnessing(this.timeline, {
      listeners: [
        { fact: facts, line: (_atMs, who, text) => this.told.push(`${who} ${text.split(':')[0] ?? ''}`) },
      ],
      onTheWire: true,
    })
    const { setup } = scheduleOf(seed, 1)
    this.cluster = new Cluster(this.timeline, {
      setup: {
        ...setup,
        priorities: [150, 100],
        nopreempt: true,
        fence: 'stop',
        gate: 'open',
        ratesPpm: [4000, -4000, 0],
        startsAtMs: [0, 3000, 0],
        install: null,
        delegateAfterMs,
      },
      chance: new Chance(seed),
      witnessing,
    })
    this.#safety = new SafetyWatch(this.cluster.timing)
    this.#begun = true
    this.pass(20_000)
    assert.equal(this.cluster.calm, true)
    assert.equal(this.holder, 'lb01')
  }

  get holder(): string {
    const holders = this.cluster.nodes.filter(({ vipHeld }) => vipHeld).map(({ host }) => host.name)
    return holders.join(' and ')
  }

  phase(name: string): string {
    return this.cluster.node(name).agent?.guard?.phase.name ?? 'no agent'
  }

  barredBy(name: string): string {
    const phase = this.cluster.node(name).agent?.guard?.phase
    return phase?.name === 'barred' ? phase.cause.kind : 'nothing'
  }

  /** How often nobody had the VIP. */
  get dark(): number {
    return this.#dark
  }

  begin(kind: FaultKind, where: string): void {
    begin(this.cluster, { kind, where })
  }

  end(kind: FaultKind, where: string): void {
    end(this.cluster, { kind, where })
  }

  /** Its keepalived and its agent are stopped, by the admin's word, and the holder has its vote. */
  leave(name: string): void {
    this.begin('leave', name)
    this.pass(5000)
    assert.equal(this.phase(name), 'no agent')
  }

  pass(forMs: number): void {
    const untilMs = this.timeline.nowMs + forMs
    while (this.timeline.step(untilMs));
    assert.deepEqual(this.#safety.violations, [])
  }

  #take(timed: Timed): void {
    // What the parts of the cluster tell while they are put together.
    if (!this.#begun) return
    this.#safety.take(timed)
    const { fact } = timed
    if (fact.type === 'fencing') this.fenced.push(fact.node)
    if (fact.type !== 'vip') return
    const lit = this.cluster.nodes.some(({ vipHeld }) => vipHeld)
    if (this.#lit && !lit) this.#dark += 1
    this.#lit = lit
  }
}

describe('a node that leaves its vote with the holder', () => {
  it('lets the holder outlive the witness, and gets its vote back from it without a gap', () => {
    const story = new Story()
    const darkBefore = story.dark
    story.leave('lb02')
    story.begin('kill-witness', 'witness')
    story.pass(60_000)
    assert.equal(story.holder, 'lb01')
    assert.equal(story.phase('lb01'), 'holding')

    story.end('leave', 'lb02')
    story.pass(10_000)
    assert.equal(story.phase('lb02'), 'standby')
    assert.equal(story.phase('lb01'), 'holding')
    assert.ok(story.told.includes('lb01 vote-handed-back') && story.told.includes('lb02 vote-back'))
    assert.deepEqual(story.fenced, [])
    assert.equal(story.dark, darkBefore)
  })

  it('takes the VIP over like any other once it has its vote back', () => {
    const story = new Story()
    story.leave('lb02')
    story.begin('kill-witness', 'witness')
    story.pass(5000)
    story.end('leave', 'lb02')
    story.pass(10_000)
    story.end('kill-witness', 'witness')
    story.pass(5000)
    story.begin('crash-host', 'lb01')
    story.pass(8000)
    assert.equal(story.holder, 'lb02')
  })

  it('stays barred while the holder is down, says why, and is free when the holder is back', () => {
    const story = new Story()
    story.leave('lb02')
    story.begin('crash-host', 'lb01')
    story.pass(5000)
    story.end('leave', 'lb02')
    story.pass(30_000)
    assert.equal(story.holder, '')
    assert.equal(story.barredBy('lb02'), 'vote-left')
    story.end('crash-host', 'lb01')
    story.pass(15_000)
    assert.notEqual(story.holder, '')
    assert.equal(story.barredBy('lb02'), 'nothing')
  })

  it('stays barred while the holder lives on unseen, cut off from everybody', () => {
    const story = new Story()
    story.leave('lb02')
    story.begin('isolate', 'lb01')
    story.pass(10_000)
    story.end('leave', 'lb02')
    story.pass(30_000)
    assert.equal(story.holder, 'lb01')
    assert.equal(story.barredBy('lb02'), 'vote-left')
    story.begin('kill-agent', 'lb02')
    story.pass(30_000)
    assert.equal(story.holder, 'lb01')
    story.end('kill-agent', 'lb02')
    story.end('isolate', 'lb01')
    story.pass(10_000)
    assert.equal(story.phase('lb02'), 'standby')
    assert.equal(story.holder, 'lb01')
  })

  it('lets the holder take its VIP again after a reboot, with nobody else there', () => {
    const story = new Story()
    story.leave('lb02')
    story.begin('kill-witness', 'witness')
    story.pass(2000)
    story.begin('crash-host', 'lb01')
    story.pass(2000)
    story.end('crash-host', 'lb01')
    story.pass(20_000)
    assert.equal(story.holder, 'lb01')
    assert.equal(story.phase('lb01'), 'holding')
  })

  it('leaves nothing by a mere shutdown: it taking over from a holder that died meanwhile', () => {
    const story = new Story()
    const host = story.cluster.node('lb02')
    host.terminateKeepalived()
    story.pass(1200)
    host.killAgent()
    story.pass(3000)
    story.begin('crash-host', 'lb01')
    story.pass(5000)
    host.startKeepalived()
    host.startAgent()
    story.pass(15_000)
    assert.equal(story.holder, 'lb02')
  })

  it('leaves nothing while its keepalived runs', () => {
    const story = new Story()
    const { agent } = story.cluster.node('lb02')
    agent?.leave(() => assert.fail('it has left'))
    story.pass(5000)
    assert.equal(story.cluster.node('lb01').agent?.guard?.kept.phase, 'none')
    assert.equal(story.phase('lb02'), 'standby')
  })

  it('stays with its vote where keepalived is started again before the agent is stopped', () => {
    const story = new Story()
    const host = story.cluster.node('lb02')
    host.terminateKeepalived()
    story.pass(1200)
    let left = false
    host.agent?.leave(() => (left = true))
    story.pass(1500)
    assert.equal(left, true)
    host.startKeepalived()
    story.pass(10_000)
    assert.equal(story.barredBy('lb02'), 'nothing')
    assert.equal(story.cluster.node('lb01').agent?.guard?.kept.phase, 'none')
    assert.equal(story.holder, 'lb01')
  })

  it('gets its vote back where the holder dies before it could confirm', () => {
    const story = new Story()
    const host = story.cluster.node('lb02')
    host.terminateKeepalived()
    story.pass(1200)
    story.begin('kill-agent', 'lb01')
    host.agent?.leave(() => assert.fail('it has left'))
    story.pass(6000)
    story.end('kill-agent', 'lb01')
    host.startKeepalived()
    story.pass(15_000)
    assert.equal(story.barredBy('lb02'), 'nothing')
    assert.notEqual(story.holder, '')
  })

  it('does not leave during a drill, which starts its keepalived again', () => {
    const story = new Story()
    story.begin('drill', 'lb02')
    story.pass(500)
    assert.equal(story.phase('lb02'), 'drilling')
    story.cluster.node('lb02').agent?.leave(() => assert.fail('it has left'))
    story.pass(20_000)
    assert.equal(story.phase('lb02'), 'standby')
    assert.equal(story.cluster.node('lb01').agent?.guard?.kept.phase, 'none')
  })

  it('lets no drill move the VIP to it before it has its vote back', () => {
    const story = new Story()
    story.leave('lb02')
    story.begin('kill-agent', 'lb01')
    story.end('leave', 'lb02')
    story.pass(1000)
    story.begin('drill', 'lb02')
    story.begin('drill-holder', 'lb01')
    story.pass(20_000)
    assert.equal(story.holder, 'lb01')
    assert.equal(story.barredBy('lb02'), 'vote-left')
    assert.ok(!story.told.some((line) => line.includes('drill-begun')))
  })

  it('is the holder’s too when the one that leaves held the VIP', () => {
    const story = new Story()
    story.begin('leave', 'lb01')
    story.pass(6000)
    story.begin('kill-witness', 'witness')
    story.pass(20_000)
    assert.equal(story.holder, 'lb02')
    story.end('leave', 'lb01')
    story.pass(10_000)
    assert.equal(story.holder, 'lb02')
    assert.equal(story.phase('lb01'), 'standby')
  })
})

describe('a standby, while the witness has been silent for long', () => {
  /** The witness is dead, and lb01 holds with the vote of lb02, too. */
  function delegated(): Story {
    const story = new Story(3000)
    story.begin('kill-witness', 'witness')
    story.pass(6000)
    assert.ok(story.told.includes('lb02 vote-lent') && story.told.includes('lb01 vote-borrowed'))
    assert.equal(story.phase('lb02'), 'standby')
    return story
  }

  it('lets the holder outlive the loss of the standby, of its agent and of the link between them', () => {
    for (const [kind, where] of [
      ['crash-host', 'lb02'],
      ['isolate', 'lb02'],
      ['kill-agent', 'lb02'],
      ['cut-link', 'lb01>lb02'],
    ] as const) {
      const story = delegated()
      const darkBefore = story.dark
      story.begin(kind, where)
      story.pass(60_000)
      story.end(kind, where)
      story.pass(20_000)
      story.end('kill-witness', 'witness')
      story.pass(10_000)
      assert.equal(story.holder, 'lb01', kind)
      assert.equal(story.dark, darkBefore, kind)
      assert.deepEqual(story.fenced, [], kind)
      assert.ok(story.told.includes('lb02 vote-back'), kind)
    }
  })

  it('takes over as fast as before where keepalived is stopped on the holder, and delegates nothing then', () => {
    const story = delegated()
    story.begin('stop-keepalived', 'lb01')
    story.pass(1000)
    assert.equal(story.holder, 'lb02')
    assert.deepEqual(story.fenced, [])
    story.pass(5000)
    assert.ok(story.told.includes('lb01 vote-lent'), 'the roles are swapped')
  })

  it('leaves the vote where it is while one of the agents is restarted', () => {
    for (const restarted of ['lb02', 'lb01']) {
      const story = delegated()
      story.begin('kill-agent', restarted)
      story.pass(300)
      story.end('kill-agent', restarted)
      story.pass(10_000)
      assert.ok(!story.told.includes('lb01 vote-handed-back'), restarted)
      story.begin('crash-host', 'lb02')
      story.pass(20_000)
      assert.equal(story.holder, 'lb01', restarted)
    }
  })

  it('cannot take over where the holder dies, not even with the witness, until the holder is back', () => {
    const story = delegated()
    story.begin('crash-host', 'lb01')
    story.pass(10_000)
    story.end('kill-witness', 'witness')
    story.pass(60_000)
    assert.equal(story.holder, '')
    assert.equal(story.barredBy('lb02'), 'vote-left')
    story.end('crash-host', 'lb01')
    story.pass(15_000)
    assert.notEqual(story.holder, '')
    assert.equal(story.barredBy('lb02'), 'nothing')
  })

  it('has its vote back soon after the witness is back', () => {
    const story = delegated()
    story.end('kill-witness', 'witness')
    story.pass(5000)
    assert.ok(story.told.includes('lb02 vote-back'))
    story.begin('crash-host', 'lb01')
    story.pass(8000)
    assert.equal(story.holder, 'lb02')
  })
})
