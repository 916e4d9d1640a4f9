import assert from 'node:assert/strict'
import { mock } from 'node:test'
import { NodeRuntime, type RuntimeOutlets } from '../../../../agent/runtime/runtime.ts'
import type { Permit } from '../../../../agent/check/permit-file.ts'
import type { Profile } from '../../../../shared/protocol/plan.ts'
import type { Report } from '../../../../shared/protocol/report.ts'
import { defaultTiming } from '../../../../shared/core/timing.ts'
import { holdingPeer } from '../core/guard/guard-fixture.ts'

const profile: Profile = {
  instance: 'VI_1',
  virtualRouterId: 51,
  interface: 'eth0',
  version: 2,
  priority: 150,
  nopreempt: false,
  advertIntMs: 1000,
  vips: ['10.77.0.100/24'],
}

async function settled(): Promise<void> {
  for (let round = 0; round < 10; round += 1) await Promise.resolve()
}

describe('NodeRuntime', () => {
  let nowMs: number
  let monotonicMs: number
  let readings: number
  let done: string[]
  let turns: { atMs: number; everyMs: number; done: string[] }[]
  let beats: { atMs: number; seq: number; leaseMs: number; reports: Report[] }[]
  let permits: Permit[]
  let barError: string | null
  let recordError: Error | null
  let runtime: NodeRuntime

  const start = (mode: 'enforce' | 'observe' = 'enforce'): void => {
    const outlets: RuntimeOutlets = {
      bar: (instance, on) => {
        done.push(`bar ${instance} ${on ? 'on' : 'off'}`)
        if (barError !== null) throw new Error(barError)
      },
      permit: (_instance, permit) => permits.push(permit),
      record: async (_instance, { to, epoch }) => {
        done.push(`record ${to} ${epoch}`)
        await Promise.resolve()
        if (recordError !== null) throw recordError
      },
      tryDisk: async () => {
        done.push('try-disk')
        await Promise.resolve()
        return recordError === null ? null : recordError.message
      },
      mark: (_instance, { epoch }) => done.push(`mark ${epoch}`),
      answerPeer: (beat, { vote }) => done.push(`answer ${beat} ${vote.kind}`),
      beat: (beat) => {
        beats.push(beat)
        done.push('beat')
      },
      carryOut: (_instance, { rung }) => {
        done.push(`rung ${rung}`)
        return Promise.resolve(null)
      },
      start: () => Promise.resolve(null),
      rememberFirst: () => Promise.resolve(null),
      arm: () => undefined,
      drilled: ({ result }) => done.push(`drilled ${result}`),
      observe: () => {
        done.push('observe')
        return Promise.resolve()
      },
      announce: () => done.push('announce'),
      findOrigin: () => Promise.resolve({ addresses: [], places: [] }),
      countAdverts: () => Promise.resolve(0),
      remember: () => undefined,
      keepVote: (_instance, kept) => {
        done.push(kept === null ? 'forget' : `keep ${kept.of}`)
        return Promise.resolve()
      },
      voteLeft: (_instance, on) => done.push(`vote-left ${on}`),
      look: () => done.push('look'),
      tell: ({ event }) => done.push(`tell ${event}`),
    }
    runtime = new NodeRuntime(
      {
        node: 'lb01',
        policy: { mode, fence: 'stop', alone: 'stop', rejoin: 'auto', hasLastResort: false },
        nowMs: () => {
          readings += 1
          return nowMs
        },
        monotonicMs: () => monotonicMs,
        recovered: () => ({
          kind: 'valid',
          ballot: { to: 'lb01', epoch: 3 },
          mark: { epoch: 3, untilMs: 0 },
        }),
        memory: () => ({ stopped: false, number: 0, recentAtMs: [] }),
        standing: () => ({ kept: null, rebooted: false, inDoubt: false }),
        armed: () => true,
        outlets,
        onTurn: (turn) => {
          turns.push({ ...turn, done: [...done] })
        },
      },
      { peer: 'lb02', timing: defaultTiming },
    )
    runtime.setProfiles([profile])
  }
  const pass = (durationMs: number): void => {
    for (let leftMs = durationMs; leftMs > 0; leftMs -= 10) {
      nowMs += 10
      monotonicMs += 10
      mock.timers.tick(10)
    }
  }
  const becomeMaster = (): void =>
    runtime.feed('VI_1', { type: 'observed', keepalived: 'MASTER', process: 'running', vips: 'held' })

  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
    nowMs = 100_000
    monotonicMs = 0
    readings = 0
    done = []
    turns = []
    beats = []
    permits = []
    barError = null
    recordError = null
  })
  afterEach(() => {
    runtime.close()
    mock.timers.reset()
  })

  it('runs what the guard orders before it returns, and sends one heartbeat at the end', () => {
    start()
    runtime.feed('VI_1', { type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'gone' })
    done.length = 0
    becomeMaster()
    assert.deepEqual(done, ['record lb01 4', 'tell claiming', 'beat'])
    assert.deepEqual(beats.at(-1)?.reports[0]?.ask, { epoch: 4 })
  })

  it('keeps what it promised on an instance that vanishes from keepalived.conf and comes back', () => {
    start()
    runtime.feed('VI_1', { type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'gone' })
    runtime.setProfiles([])
    pass(100)
    runtime.setProfiles([profile])
    runtime.feed('VI_1', { type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'gone' })
    done.length = 0
    // The mark from before this start of the agent says that nothing is promised; what was promised since, it cannot say.
    runtime.feed('VI_1', { type: 'peer-report', beat: 1, leaseMs: 1800, report: holdingPeer(4) })
    assert.equal(done[0], 'answer 1 refused')
    assert.ok(!done.some((each) => each.startsWith('record')))
  })

  it('cannot leave a vote where keepalived.conf has no instance', () => {
    start()
    runtime.setProfiles([])
    assert.match(runtime.leaveHindrance() ?? '', /no vrrp_instance/)
  })

  it('tells of a turn when all of it is decided and on its way', () => {
    start()
    runtime.feed('VI_1', { type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'gone' })
    done.length = 0
    turns.length = 0
    becomeMaster()
    assert.deepEqual(turns, [
      { atMs: nowMs, everyMs: defaultTiming.renewMs, done: ['record lb01 4', 'tell claiming', 'beat'] },
    ])
    runtime.close()
    runtime.renew()
    assert.equal(turns.length, 1)
  })

  it('tells the guard when the ballot is on disk', async () => {
    start()
    runtime.feed('VI_1', { type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'gone' })
    becomeMaster()
    await settled()
    assert.ok(done.includes('mark 4'))
  })

  it('tells the guard when the ballot cannot be written', async () => {
    start()
    recordError = new Error('disk full')
    runtime.feed('VI_1', { type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'gone' })
    becomeMaster()
    await settled()
    assert.ok(done.includes('tell promise-not-written'))
    assert.ok(!done.some((what) => what.startsWith('mark')))
  })

  it('serves the deadline of a claim, and goes to the next rung at once where the bar cannot be written', async () => {
    start()
    runtime.feed('VI_1', { type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'gone' })
    becomeMaster()
    barError = 'no such folder'
    pass(defaultTiming.claimMs + 10)
    await settled()
    assert.ok(done.includes('bar VI_1 on'))
    assert.ok(done.includes('tell bar-not-written'))
    assert.ok(done.includes('rung stop'))
    assert.ok(done.indexOf('rung stop') < done.indexOf('observe'))
  })

  it('looks around, renews and sends a heartbeat each renewMs, with growing numbers', () => {
    start()
    pass(2 * defaultTiming.renewMs)
    assert.deepEqual(
      beats.map(({ seq }) => seq),
      [1, 2],
    )
    assert.equal(done.filter((what) => what === 'look').length, 2)
    assert.equal(beats[0]?.leaseMs, defaultTiming.leaseMs)
  })

  it('reads the clock once for an event and all that comes of it, before the beat leaves', () => {
    start()
    runtime.feed('VI_1', { type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'gone' })
    readings = 0
    becomeMaster()
    assert.equal(beats.at(-1)?.atMs, nowMs)
    // One for the event, one when the ballot's writing begins.
    assert.equal(readings, 2)
  })

  it('serves a deadline that came nearer, and none that was moved on', () => {
    start()
    runtime.feed('VI_1', { type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'gone' })
    becomeMaster()
    for (const from of ['witness', 'lb02'])
      runtime.feed('VI_1', {
        type: 'answer',
        from,
        sentAtMs: nowMs,
        verdict: {
          instance: 'VI_1',
          vote: { kind: 'granted', epoch: 4 },
          holder: 'lb01',
          renewedAgoMs: 0,
          epoch: 4,
        },
      })
    pass(defaultTiming.claimMs + 100)
    assert.ok(done.includes('tell lease-won'))
    assert.ok(!done.includes('bar VI_1 on'))
    // Nobody answers any more: the lease of then ends.
    pass(defaultTiming.leaseMs)
    assert.ok(done.includes('bar VI_1 on'))
  })

  it('says whether its vote is promised to the peer, and until when', async () => {
    start()
    nowMs += 10_000
    monotonicMs += 10_000
    runtime.feed('VI_1', { type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'gone' })
    assert.equal(runtime.promisesPeer(), false)
    runtime.feed('VI_1', {
      type: 'peer-report',
      beat: 1,
      leaseMs: defaultTiming.leaseMs,
      report: {
        instance: 'VI_1',
        phase: 'claiming',
        why: '',
        keepalived: 'MASTER',
        process: 'running',
        vips: 'held',
        priority: 200,
        nopreempt: false,
        ask: { epoch: 9 },
        release: false,
        epoch: 9,
        witnessEpoch: 0,
        peerSilentMs: null,
        checkSilentMs: null,
        gateway: 'unknown',
        fence: null,
        warnings: [],
      },
    })
    await settled()
    assert.ok(done.includes('answer 1 granted'))
    assert.equal(runtime.promisesPeer(), true)
    // The boot clock jumps; no time passed in which the peer used its lease up.
    nowMs += 30_000
    assert.equal(runtime.promisesPeer(), true)
    pass(defaultTiming.reserveMs - 10)
    assert.equal(runtime.promisesPeer(), true)
    pass(20)
    assert.equal(runtime.promisesPeer(), false)
  })

  it('leaves its votes when the peer has answered that it counts them, and names the instance that hinders', async () => {
    start()
    nowMs += 10_000
    monotonicMs += 10_000
    const { leaseMs } = defaultTiming
    runtime.feed('VI_1', { type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'gone' })
    runtime.feed('VI_1', { type: 'peer-report', beat: 1, leaseMs, report: holdingPeer(9) })
    await settled()
    assert.match(runtime.leaveHindrance() ?? '', /^VI_1: keepalived is running on this node/)
    runtime.feed('VI_1', { type: 'observed', keepalived: 'STOP', process: 'absent', vips: 'gone' })
    assert.equal(runtime.leaveHindrance(), null)

    let ended = false
    const leaving = runtime.leave().then(() => (ended = true))
    await settled()
    assert.ok(done.indexOf('vote-left true') < done.lastIndexOf('record lb02 9'))
    assert.deepEqual([ended, runtime.votesLeft()], [false, null])
    const word = {
      instance: 'VI_1',
      vote: { kind: 'none' },
      holder: null,
      renewedAgoMs: null,
      epoch: 9,
    } as const
    const verdict = { ...word, countsVote: 9 }
    runtime.feed('VI_1', { type: 'answer', from: 'lb02', sentAtMs: nowMs, verdict })
    await leaving
    assert.deepEqual(runtime.votesLeft(), { VI_1: { to: 'lb02', epoch: 9 } })
  })

  it('takes a new rhythm from a new plan', () => {
    start()
    runtime.setPlan({ peer: 'lb02', timing: { ...defaultTiming, renewMs: 100, leaseMs: 1000 } })
    beats.length = 0
    pass(300)
    assert.equal(beats.length, 3)
    assert.equal(beats[0]?.leaseMs, 1000)
  })

  it('notices that it stood still before it takes the next event', () => {
    start()
    runtime.feed('VI_1', { type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'gone' })
    done.length = 0
    nowMs += 10_000
    monotonicMs += 10_000
    runtime.feed('VI_1', { type: 'tick' })
    assert.ok(done.includes('tell paused'))
  })

  it('takes no busy stretch of less than renewMs for a pause', () => {
    start()
    runtime.feed('VI_1', { type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'gone' })
    pass(defaultTiming.renewMs - 10)
    nowMs += defaultTiming.renewMs
    monotonicMs += defaultTiming.renewMs
    pass(10)
    assert.ok(!done.includes('tell paused'))
  })

  describe('compares its two clocks before each event', () => {
    const after = (bootMs: number, monotonic: number): string[] => {
      start()
      runtime.feed('VI_1', { type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'gone' })
      done.length = 0
      nowMs += bootMs
      monotonicMs += monotonic
      runtime.feed('VI_1', { type: 'tick' })
      return done.filter((what) => what === 'tell paused')
    }

    it('and notices a boot clock that ran ahead by more than 50 ms, however short the time', () => {
      assert.deepEqual(after(61, 10), ['tell paused'])
    })

    it('and takes 40 ms, and what the steps of the clock make up, for none', () => {
      assert.deepEqual(after(50, 10), [])
      runtime.close()
      assert.deepEqual(after(60, 10), [])
    })

    it('and takes no notice of a monotonic clock that ran ahead', () => {
      assert.deepEqual(after(10, 400), [])
    })

    it('and tells each guard once, not again with the next event', () => {
      after(5000, 0)
      runtime.feed('VI_1', { type: 'tick' })
      assert.deepEqual(
        done.filter((what) => what === 'tell paused'),
        ['tell paused'],
      )
    })
  })

  it('keeps its promise over a sleep of the host, marked before the event that found it is served', async () => {
    start()
    const { leaseMs, reserveMs } = defaultTiming
    const ask = { type: 'peer-report', leaseMs, report: holdingPeer(4) } as const
    runtime.feed('VI_1', { ...ask, beat: 1 })
    await settled()
    assert.ok(done.includes('mark 4'))
    done.length = 0
    nowMs += reserveMs + 5000
    monotonicMs += 10
    runtime.feed('VI_1', { ...ask, beat: 2 })
    assert.deepEqual(done, ['mark 4', 'tell paused', 'mark 4', 'answer 2 granted'])
  })

  it('always permits in observe mode', () => {
    start('observe')
    runtime.feed('VI_1', { type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'gone' })
    pass(4000)
    assert.ok(permits.length > 0)
    for (const permit of permits) assert.equal(permit.word, 'permit')
  })

  it('drops the guard of an instance that is gone from keepalived.conf', () => {
    start()
    runtime.setProfiles([{ ...profile, instance: 'VI_2' }])
    assert.deepEqual(runtime.instances, ['VI_2'])
    runtime.feed('VI_1', { type: 'tick' })
    runtime.renew()
    assert.deepEqual(
      beats.at(-1)?.reports.map(({ instance }) => instance),
      ['VI_2'],
    )
  })

  it('sends one heartbeat for the answers of one message', () => {
    start()
    runtime.setProfiles([profile, { ...profile, instance: 'VI_2' }])
    for (const instance of ['VI_1', 'VI_2'])
      runtime.feed(instance, { type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'gone' })
    beats.length = 0
    runtime.feedTogether(
      ['VI_1', 'VI_2'].map((instance) => ({
        instance,
        event: { type: 'observed', keepalived: 'MASTER', process: 'running', vips: 'held' },
      })),
    )
    assert.equal(beats.length, 1)
    assert.equal(beats[0]?.reports.length, 2)
  })
})
