import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Arbiter, ArbiterEffect, ArbiterEvent } from '../../../../server/core/arbiter/arbiter.ts'
import { ClusterRuntime, type Core } from '../../../../server/clusters/runtime.ts'
import { DrillRecords } from '../../../../server/records/drills.ts'
import { EventLog } from '../../../../server/records/event-log.ts'
import { Ledger, ledgerPath } from '../../../../server/records/ledger.ts'
import { viewOf } from '../../../../server/core/status/cluster-view.ts'
import type { NodeState, Session } from '../../../../server/core/arbiter/roster.ts'
import { MarkFile } from '../../../../shared/disk/mark-file.ts'
import { defaultTiming } from '../../../../shared/core/timing.ts'
import { holding, Witness } from './cluster-fixture.ts'
import { recordingLog } from '../../../fixtures/recording-log.ts'

/** An arbiter that writes down what it is told, and does what a test says. */
class Script {
  readonly heard: ArbiterEvent[] = []
  respond: (event: ArbiterEvent) => readonly ArbiterEffect[] = () => []
  deadlineMs = Number.MAX_SAFE_INTEGER
  readonly core: Core = {
    arbitrate: (arbiter, event) => {
      this.heard.push(event)
      return { arbiter, effects: this.respond(event) }
    },
    nextDeadlineMs: () => this.deadlineMs,
    viewOf: () => {
      throw new Error('not asked for here')
    },
  }
}

const ballot = { to: 'lb01', epoch: 7 }
const occurrence = {
  event: 'took-over',
  level: 'warning',
  instance: 'VI_1',
  node: 'lb01',
  text: 'lb01 took over',
  evidence: {},
  decision: null,
} as const

describe('cluster-runtime', () => {
  let folder = ''
  let nowMs = 1000
  let arbiter: Arbiter
  /** How far the boot clock has run ahead of the monotonic one. */
  let asleepMs = 0
  let script: Script
  let moved: object[]
  let plansSettled: { node: string; members: readonly string[] }[]
  let done: string[]
  let turns: { atMs: number; everyMs: number; done: string[] }[]
  let ledger: Ledger
  let events: EventLog
  let drills: DrillRecords
  let runtime: ClusterRuntime
  const log = recordingLog()
  const marksPath = (): string => join(folder, 'web.marks')

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cluster-runtime-'))
    nowMs = 1000
    arbiter = { timing: defaultTiming, nodes: new Map() } as unknown as Arbiter
    asleepMs = 0
    done = []
    moved = []
    plansSettled = []
    turns = []
    script = new Script()
    ledger = await Ledger.open({ dataDir: folder, cluster: 'web', seenBefore: false, nowMs: () => nowMs })
    events = new EventLog({
      dataDir: folder,
      cluster: 'web',
      now: () => new Date(0),
      onError: () => undefined,
    })
    drills = await DrillRecords.open({
      dataDir: folder,
      cluster: 'web',
      nowMs: () => nowMs,
      now: () => new Date(0),
    })
    start()
  })
  afterEach(async () => {
    await runtime.close()
    rmSync(folder, { recursive: true })
  })

  function start(): void {
    runtime = new ClusterRuntime({
      cluster: 'web',
      arbiter,
      onMoved: (to) => moved.push(to),
      onPlanSettled: (settled) => plansSettled.push(settled),
      longestPauseMs: 800,
      ledger,
      marks: new MarkFile(marksPath(), 'boot'),
      events,
      drills,
      outbound: {
        send: (connection, message) =>
          done.push(
            `send ${connection} ${message.type}, mark ${existsSync(marksPath()) ? readFileSync(marksPath(), 'utf8') : 'none'}`,
          ),
        close: (connection, reason) => done.push(`close ${connection} ${reason}`),
      },
      log,
      nowMs: () => nowMs,
      monotonicMs: () => nowMs - asleepMs,
      core: script.core,
      onTurn: (turn) => {
        turns.push({ ...turn, done: [...done] })
      },
    })
  }
  /** Waits until the arbiter was told something of this type. */
  async function heard<Type extends ArbiterEvent['type']>(
    type: Type,
  ): Promise<ArbiterEvent & { type: Type }> {
    for (;;) {
      const event = script.heard.find((one): one is ArbiterEvent & { type: Type } => one.type === type)
      if (event !== undefined) return event
      await new Promise(setImmediate)
    }
  }

  it('tells of a turn when all of it is decided, and that it stands still when there are none', () => {
    const { renewMs } = arbiter.timing
    script.respond = () => [{ type: 'close', connection: 5, reason: 'replaced' }]
    nowMs = 1250
    runtime.handle({ type: 'closed', connection: 3 })
    assert.deepEqual(turns, [{ atMs: 1250, everyMs: renewMs, done: ['close 5 replaced'] }])
    assert.equal(runtime.isStalled(1250 + 8000), false)
    assert.equal(runtime.isStalled(1250 + 8001), true)
  })

  it('gives each event its instant, and carries effects out in their order', () => {
    script.respond = () => [
      { type: 'mark', instance: 'VI_1', mark: { epoch: 7, untilMs: 2900 } },
      {
        type: 'send',
        connection: 4,
        message: { type: 'order', instance: 'VI_1', what: 'fence', epoch: 7, reason: 'r' },
      },
      { type: 'close', connection: 5, reason: 'replaced' },
    ]
    nowMs = 1250
    runtime.handle({ type: 'closed', connection: 3 })
    assert.deepEqual(script.heard, [{ type: 'closed', connection: 3, atMs: 1250 }])
    assert.deepEqual(done, [
      'send 4 order, mark {"bootId":"boot","marks":{"VI_1":{"epoch":7,"untilMs":2900}}}',
      'close 5 replaced',
    ])
  })

  it('says in its view that its disk is busy with a write, while it is so', async () => {
    const told: (readonly string[])[] = []
    script.core.viewOf = (_, atMs, around) => {
      told.push(around?.witnessWarnings ?? [])
      return viewOf(Witness.settled().arbiter, atMs)
    }
    script.respond = ({ type }) => (type === 'closed' ? [{ type: 'record', instance: 'VI_1', ballot }] : [])
    runtime.handle({ type: 'closed', connection: 1 })
    nowMs += 700
    runtime.view()
    await heard('recorded')
    nowMs += 1
    runtime.view()
    const [during = [], after = []] = told
    assert.match(during[0] ?? '', /has been busy with one write for 700 ms/)
    assert.doesNotMatch(after[0] ?? '', /busy/)
  })

  it('has a ballot on disk before it tells the arbiter that it is', async () => {
    script.respond = (event) => (event.type === 'tick' ? [{ type: 'record', instance: 'VI_1', ballot }] : [])
    runtime.handle({ type: 'tick' })
    assert.deepEqual(script.heard.length, 1, 'the arbiter goes on meanwhile')
    assert.deepEqual(await heard('recorded'), { type: 'recorded', instance: 'VI_1', ballot, atMs: 1000 })
    assert.match(readFileSync(ledgerPath(folder, 'web'), 'utf8'), /"VI_1":\{"to":"lb01","epoch":7\}/)
  })

  it('tells the arbiter when a ballot cannot be written, and goes on', async () => {
    writeFileSync(join(folder, 'ledger'), 'a file where the folder should be')
    script.respond = (event) => (event.type === 'tick' ? [{ type: 'record', instance: 'VI_1', ballot }] : [])
    runtime.handle({ type: 'tick' })
    const failed = await heard('record-failed')
    assert.match(failed.error, /ledger\/web\.json: cannot be written: /)
    runtime.handle({ type: 'closed', connection: 1 })
    assert.equal(script.heard.at(-1)?.type, 'closed')
  })

  it('tells of a pause of the process before anything else', () => {
    nowMs += 800
    runtime.handle({ type: 'closed', connection: 1 })
    nowMs += 801
    runtime.handle({ type: 'closed', connection: 2 })
    nowMs += 5000
    runtime.handle({ type: 'tick' })
    assert.deepEqual(
      script.heard.map((event) => (event.type === 'resumed' ? `resumed ${event.gapMs}` : event.type)),
      ['closed', 'resumed 801', 'closed', 'resumed 5000', 'tick'],
    )
  })

  it('hears a node whose newest beat is young', async () => {
    assert.equal(runtime.hears('lb01'), false)
    await runtime.close()
    const session = { open: true, beatAtMs: 900 } as Session
    arbiter = {
      timing: defaultTiming,
      nodes: new Map([['lb01', { session } as NodeState]]),
    } as unknown as Arbiter
    start()
    assert.equal(runtime.hears('lb01'), true)
    assert.equal(runtime.hears('lb02'), false)
    nowMs = 900 + 3 * defaultTiming.renewMs
    assert.equal(runtime.hears('lb01'), false)
  })

  it('knows who holds the lease by its own promise, and by the peer’s vote while its own waits', async () => {
    const restarted = new Witness()
    const [lb01, lb02] = restarted.agents()
    lb01.beat(holding(5))
    assert.equal(restarted.state().voter.pledge.phase, 'waiting')
    const settled = Witness.settled()
    settled.agents()[0].win(1)
    for (const witness of [restarted, settled]) {
      await runtime.close()
      arbiter = witness.arbiter
      nowMs = witness.atMs
      start()
      assert.equal(runtime.holdsLease('lb01'), true)
      assert.equal(runtime.holdsLease(lb02.hello.node), false)
    }
  })

  it('tells of a boot clock that ran ahead by more than 50 ms, however short the time, before anything else', () => {
    nowMs += 61
    asleepMs += 51
    runtime.handle({ type: 'closed', connection: 1 })
    nowMs += 100
    runtime.handle({ type: 'closed', connection: 2 })
    assert.deepEqual(script.heard, [
      { type: 'resumed', atMs: 1061, gapMs: 61, jumpedMs: 51 },
      { type: 'closed', connection: 1, atMs: 1061 },
      { type: 'closed', connection: 2, atMs: 1161 },
    ])
  })

  it('takes 40 ms for no jump, and a monotonic clock that ran ahead neither', () => {
    for (const parted of [40, 50, -400]) {
      nowMs += 100
      asleepMs += parted
      runtime.handle({ type: 'closed', connection: 1 })
    }
    assert.deepEqual(
      script.heard.map(({ type }) => type),
      ['closed', 'closed', 'closed'],
    )
  })

  it('tells how long it stood still and how much of that was a jump', () => {
    nowMs += 5000
    asleepMs += 3000
    runtime.handle({ type: 'closed', connection: 1 })
    assert.deepEqual(script.heard[0], { type: 'resumed', atMs: 6000, gapMs: 5000, jumpedMs: 3000 })
  })

  it('wakes the arbiter at the deadline that it named', async () => {
    script.deadlineMs = 1010
    runtime.handle({ type: 'closed', connection: 1 })
    nowMs = 1010
    script.deadlineMs = Number.MAX_SAFE_INTEGER
    assert.equal((await heard('tick')).atMs, 1010)
  })

  it('answers a check with what the arbiter says', async () => {
    script.respond = (event) =>
      event.type === 'check'
        ? [
            {
              type: 'answer-check',
              check: event.check,
              permit: event.node === 'lb01',
              text: `because ${event.instance}`,
            },
          ]
        : []
    assert.deepEqual(await runtime.check({ node: 'lb01', instance: 'VI_1', bootId: null }), {
      permit: true,
      text: 'because VI_1',
    })
    assert.deepEqual(await runtime.check({ node: 'lb02', instance: 'VI_1', bootId: null }), {
      permit: false,
      text: 'because VI_1',
    })
  })

  it('tells the arbiter which boot of the host the check is of', async () => {
    const asking = runtime.check({ node: 'lb01', instance: 'VI_1', bootId: 'boot-of-lb01' })
    const { bootId } = await heard('check')
    assert.equal(bootId, 'boot-of-lb01')
    await runtime.close()
    await asking
  })

  it('says no to a check that the arbiter leaves open', async () => {
    assert.deepEqual(await runtime.check({ node: 'lb01', instance: 'VI_1', bootId: null }), {
      permit: false,
      text: 'the witness did not decide within 600 ms',
    })
  })

  it('keeps what occurred, and logs it at its level', () => {
    script.respond = () => [{ type: 'occurred', occurrence }]
    runtime.handle({ type: 'tick' })
    assert.equal(runtime.listEvents({ limit: 1, after: null })[0]?.text, 'lb01 took over')
    assert.equal(log.lines.at(-1), 'warn took-over: lb01 took over')
  })

  it('keeps so many events and no more of a cluster that changes all the time, and tells how many are lost', () => {
    script.respond = () => [{ type: 'occurred', occurrence }]
    for (let round = 0; round < 1000; round++) runtime.handle({ type: 'tick' })
    assert.equal(events.list({ limit: 1000, after: null }).length, 300)
    nowMs += 10_000
    runtime.handle({ type: 'tick' })
    // The pause itself is an event, and the tick another one.
    const newest = events.list({ limit: 3, after: null })
    assert.deepEqual(
      newest.map(({ event }) => event),
      ['events-dropped', 'took-over', 'took-over'],
    )
    assert.deepEqual(newest[0]?.evidence, { dropped: 700 })
    runtime.handle({ type: 'tick' })
    assert.equal(events.list({ limit: 1, after: null })[0]?.event, 'took-over')
  })

  it('keeps what is critical when everything else came too fast', () => {
    script.respond = () => [{ type: 'occurred', occurrence }]
    for (let number = 0; number < 1000; number += 1) runtime.handle({ type: 'tick' })
    script.respond = () => [
      { type: 'occurred', occurrence: { ...occurrence, event: 'dual-master', level: 'critical' } },
    ]
    runtime.handle({ type: 'tick' })
    assert.equal(events.list({ limit: 1, after: null })[0]?.event, 'dual-master')
  })

  it('hands on that nobody serves any more under a plan from before', () => {
    script.respond = () => [{ type: 'plan-settled', node: 'lb01', members: ['lb01'] }]
    runtime.handle({ type: 'closed', connection: 1 })
    assert.deepEqual(plansSettled, [{ type: 'plan-settled', node: 'lb01', members: ['lb01'] }])
  })

  it('hands on where a node moved to', () => {
    script.respond = () => [{ type: 'moved', node: 'lb01', address: '10.0.0.21', port: 7401 }]
    runtime.handle({ type: 'tick' })
    assert.deepEqual(moved, [{ type: 'moved', node: 'lb01', address: '10.0.0.21', port: 7401 }])
  })

  it('handles an event that an effect causes after the one at hand', () => {
    script.respond = (event) => {
      if (event.type !== 'tick') return []
      return [
        { type: 'close', connection: 1, reason: 'first' },
        { type: 'close', connection: 2, reason: 'second' },
      ]
    }
    const { arbitrate } = script.core
    let depth = 0
    script.core.arbitrate = (arbiter, event) => {
      depth += 1
      assert.equal(depth, 1, 'one event at a time')
      const result = arbitrate(arbiter, event)
      depth -= 1
      return result
    }
    runtime.handle({ type: 'tick' })
    assert.deepEqual(done, ['close 1 first', 'close 2 second'])
  })

  it('decides nothing after it was closed', async () => {
    const open = runtime.check({ node: 'lb01', instance: 'VI_1', bootId: null })
    await runtime.close()
    assert.deepEqual(await open, { permit: false, text: 'the witness is shutting down' })
    script.heard.length = 0
    runtime.handle({ type: 'tick' })
    assert.deepEqual(script.heard, [])
  })
})
