import assert from 'node:assert/strict'
import { witness } from '../../../../../shared/protocol/names.ts'
import { silenceMs, strictReserveMs } from '../../../../../shared/core/timing.ts'
import { claimRetryMs } from '../../../../../agent/core/guard/transitions.ts'
import {
  claiming,
  fenced,
  fencing,
  GuardDriver,
  holding,
  holdingPeer,
  node,
  ofType,
  peer,
  peerReport,
  standby,
  standbyToHolder,
  startMs,
  timing,
  told,
  types,
  type DriverOptions,
} from './guard-fixture.ts'

const quietMs = silenceMs(timing)
/** From the request of the decisive vote to E2's instant. */
const fenceAfterMs = timing.leaseMs - timing.releaseMs - timing.grainMs
/** The check of an agent that dies now asks while the witness still keeps its promise. */
const holderPermitMs = timing.reserveMs - timing.checkMs - 100

describe('a node that becomes MASTER', () => {
  it('asks for its own vote and for the others at once', () => {
    const driver = standby({ recordsAtOnce: false })
    const effects = driver.master()
    assert.equal(driver.phase, 'claiming')
    assert.deepEqual(ofType(effects, 'record'), [{ type: 'record', ballot: { to: node, epoch: 8 } }])
    assert.equal(ofType(effects, 'beat').length, 1)
    assert.deepEqual(driver.report().ask, { epoch: 8 })
    assert.equal(driver.report().release, false)
  })

  it('does not count its own vote before the ballot is on disk', () => {
    const driver = standby({ recordsAtOnce: false })
    driver.master()
    driver.granted(witness)
    assert.equal(driver.phase, 'claiming')
    driver.sleep(3)
    const effects = driver.feed({ type: 'recorded', ballot: { to: node, epoch: 8 }, tookMs: 3 })
    assert.equal(driver.phase, 'holding')
    assert.equal(effects[0]?.type, 'mark')
  })

  it('counts its own vote from when it asked, not from when the disk was ready', () => {
    const driver = standby({ recordsAtOnce: false })
    driver.master()
    driver.sleep(30)
    driver.feed({ type: 'recorded', ballot: { to: node, epoch: 8 }, tookMs: 30 })
    driver.granted(witness)
    assert.equal(driver.leaseUntilMs, startMs + timing.leaseMs)
  })

  it('holds the lease with its own vote and the witness’s', () => {
    const driver = claiming()
    const effects = driver.granted(witness)
    assert.equal(driver.phase, 'holding')
    assert.deepEqual(ofType(effects, 'permit'), [
      {
        type: 'permit',
        word: 'permit',
        untilMs: startMs + holderPermitMs,
        why: 'holds the lease (epoch 8)',
      },
    ])
    assert.deepEqual(told(effects), ['lease-won'])
  })

  it('holds the lease with its own vote and the peer’s', () => {
    const driver = claiming()
    driver.granted(peer)
    assert.equal(driver.phase, 'holding')
  })

  it('counts a vote from when the request left, however late the answer', () => {
    const driver = claiming()
    driver.sleep(40)
    driver.granted(witness, startMs)
    assert.equal(driver.leaseUntilMs, startMs + timing.leaseMs)
  })

  it('does not count a grant under another epoch', () => {
    const driver = claiming()
    driver.answer(witness, { kind: 'granted', epoch: 7 })
    assert.equal(driver.phase, 'claiming')
  })

  it('keeps waiting while a vote is on its way to the disk of its voter', () => {
    const driver = claiming()
    driver.answer(witness, { kind: 'pending', epoch: 8 })
    assert.equal(driver.phase, 'claiming')
    driver.granted(witness, startMs)
    assert.equal(driver.phase, 'holding')
  })

  it('waits longer than claimMs for the disks of a majority that has voted', () => {
    const driver = standby({ recordsAtOnce: false })
    driver.sleep(quietMs + 1)
    driver.hearWitness()
    driver.master()
    driver.answer(witness, { kind: 'pending', epoch: 8 })
    driver.pass(timing.renewMs - 1)
    assert.equal(driver.phase, 'claiming')
    driver.pass(1)
    assert.equal(driver.phase, 'fencing')
  })

  it('waits no longer than claimMs by a vote on its way under another epoch', () => {
    const driver = standby()
    driver.sleep(quietMs + 1)
    driver.hearWitness()
    driver.master()
    driver.answer(witness, { kind: 'pending', epoch: 7 })
    driver.pass(timing.claimMs)
    assert.equal(driver.phase, 'fencing')
  })

  it('fences at once when two voters refuse for good', () => {
    const driver = claiming()
    driver.refused(witness, 'promised', { holder: peer, renewedAgoMs: 10 })
    assert.equal(driver.phase, 'claiming')
    const effects = driver.refused(peer, 'promised')
    assert.equal(driver.phase, 'fencing')
    assert.deepEqual(effects[0], { type: 'bar', on: true })
  })

  it('fences at once when the witness refuses and the peer is not there to vote', () => {
    const driver = standby()
    driver.sleep(quietMs)
    driver.hearWitness()
    driver.master()
    driver.refused(witness, 'promised', { holder: peer, renewedAgoMs: 10 })
    assert.equal(driver.phase, 'fencing')
  })

  describe('and hears no answer', () => {
    /** Claims where `silentMs` ago the peer was heard last. */
    const claimingLongAfter = (silentMs: number): GuardDriver => {
      const driver = standby()
      driver.sleep(silentMs)
      driver.hearWitness()
      driver.master()
      return driver
    }
    const assertFencedAfter = (driver: GuardDriver, waitMs: number): void => {
      const sinceMs = driver.atMs
      driver.pass(waitMs - 1)
      assert.equal(driver.phase, 'claiming')
      assert.equal(driver.deadlineMs, sinceMs + waitMs)
      driver.pass(1)
      assert.equal(driver.phase, 'fencing')
    }

    it('fences after claimMs and not before, where the peer is not heard either', () =>
      assertFencedAfter(claimingLongAfter(quietMs), timing.claimMs))

    it('fences after claimMs where the peer showed the VIP when it was heard last', () => {
      const driver = standby()
      driver.hearPeer(peerReport({ phase: 'unprotected', keepalived: 'MASTER', vips: 'held' }))
      driver.master()
      assertFencedAfter(driver, timing.claimMs)
    })

    it('waits renewMs for a slow network where the peer was just heard without the VIP', () => {
      assertFencedAfter(claiming(), timing.renewMs)
      assertFencedAfter(claimingLongAfter(quietMs - 1), timing.renewMs)
    })

    it('wins by an answer that takes longer than claimMs there', () => {
      const driver = claiming()
      driver.pass(timing.claimMs + 200)
      driver.granted(witness, startMs)
      assert.equal(driver.phase, 'holding')
      assert.equal(driver.leaseUntilMs, startMs + timing.leaseMs)
    })

    it('waits no longer there either once two voters refuse for good', () => {
      const driver = claiming()
      driver.pass(timing.claimMs + 50)
      driver.refused(witness, 'promised', { holder: peer, renewedAgoMs: 10 })
      driver.refused(peer, 'promised')
      assert.equal(driver.phase, 'fencing')
    })

    it('fences as soon as the peer shows the VIP meanwhile and claimMs is over', () => {
      const driver = claiming()
      driver.pass(timing.claimMs + 50)
      assert.equal(driver.phase, 'claiming')
      driver.hearPeer(peerReport({ phase: 'unprotected', keepalived: 'MASTER', vips: 'held' }))
      assert.equal(driver.phase, 'fencing')
    })
  })

  it('fences at once when its own vote is promised to a holder of higher priority', () => {
    for (const nopreempt of [false, true]) {
      const driver = standby({ profile: { nopreempt } })
      driver.hearPeer(holdingPeer(8, { priority: 151 }))
      const effects = driver.master()
      assert.equal(driver.phase, 'fencing', `nopreempt ${nopreempt}`)
      assert.deepEqual(effects[0], { type: 'bar', on: true })
    }
  })

  it('has renewMs for the proof of a holder whose keepalived says that it let go', () => {
    const driver = standbyToHolder()
    driver.master()
    driver.pass(5)
    driver.hearPeer(holdingPeer(8, { lettingGo: true }))
    driver.pass(timing.handoverMs)
    assert.equal(driver.phase, 'claiming')
    driver.hearPeer(peerReport({ release: true, epoch: 8 }))
    driver.pass(claimRetryMs)
    const won = driver.granted(witness)
    assert.equal(driver.phase, 'holding')
    // While both had the VIP, the old holder may have answered for it.
    assert.equal(ofType(won, 'announce').length, 1)
  })

  it('is only barred where keepalived promotes itself before the votes can be free, and then may go on', () => {
    const fast = { version: 3, advertIntMs: 200, priority: 50 } as const
    for (const [profile, stops] of [
      [{ priority: 50 }, true],
      [{ priority: 50, downTimerAdverts: 1 }, false],
      [fast, false],
    ] as const) {
      const driver = standbyToHolder({ profile })
      driver.master()
      const effects = driver.fault()
      const rungs = ofType(effects, 'fence').map(({ rung }) => rung)
      assert.deepEqual(rungs, stops ? ['stop'] : [], JSON.stringify(profile))
      assert.equal(driver.phase, stops ? 'fencing' : 'fenced')
      assert.equal(driver.guard.memory.stopped, stops)
      assert.equal(driver.guard.memory.recentAtMs.length, 1)
    }
  })

  it('does not wait so long for a holder that goes on holding', () => {
    const driver = standbyToHolder()
    driver.master()
    driver.pass(5)
    driver.hearPeer(holdingPeer(8))
    driver.pass(timing.handoverMs)
    assert.equal(driver.phase, 'fencing')
  })

  it('reports that its keepalived let go, until the kernel was looked at', () => {
    const driver = holding()
    assert.ok(ofType(driver.feed({ type: 'letting-go' }), 'beat').length > 0)
    assert.equal(driver.report().lettingGo, true)
    driver.backup()
    assert.equal(driver.report().lettingGo, undefined)
  })

  describe('with weights', () => {
    const claimAgainst = (holder: Partial<ReturnType<typeof holdingPeer>>, own: number | null = null) => {
      const driver = standby({ profile: { priority: 100, weights: 'untold' } })
      driver.hearPeer(holdingPeer(8, holder))
      if (own !== null) driver.feed({ type: 'priority', priority: own })
      // An advert of the holder came since.
      driver.pass(1.2 * driver.guard.profile.advertIntMs + 1)
      driver.hearPeer(holdingPeer(8, holder))
      driver.master()
      return driver
    }

    it('waits for a holder whose running priority fell below its own', () => {
      const driver = claimAgainst({ priority: 90, configuredPriority: 150 })
      assert.equal(driver.phase, 'claiming')
      driver.pass(timing.handoverMs - 1)
      assert.equal(driver.phase, 'claiming')
      driver.hearPeer(peerReport({ release: true, epoch: 8 }))
      driver.pass(claimRetryMs)
      driver.granted(witness)
      assert.equal(driver.phase, 'holding')
    })

    it('counts its own running priority', () => {
      assert.equal(claimAgainst({ priority: 120 }, 140).phase, 'claiming')
      assert.equal(claimAgainst({ priority: 90 }, 40).phase, 'fencing')
    })

    it('waits for the answer of a holder that was the lower one until a moment ago', () => {
      const meeting = (change: { nopreempt?: boolean; laterMs: number }): string => {
        const { nopreempt = false, laterMs } = change
        const driver = standby({ profile: { priority: 100, weights: 'told', nopreempt } })
        driver.hearPeer(holdingPeer(8, { priority: 90, configuredPriority: 150 }))
        driver.hearPeer(holdingPeer(8, { priority: 150 }))
        driver.pass(laterMs)
        driver.hearPeer(holdingPeer(8, { priority: 150 }))
        driver.master()
        return driver.phase
      }
      const { advertIntMs } = standby().guard.profile
      assert.equal(meeting({ laterMs: 20 }), 'claiming')
      assert.equal(meeting({ laterMs: 1.2 * advertIntMs + 1 }), 'fencing')
      assert.equal(meeting({ laterMs: 20, nopreempt: true }), 'fencing')
    })

    it('waits for a holder of which nobody knows what its keepalived runs with', () => {
      assert.equal(claimAgainst({ priority: 150 }).phase, 'fencing')
      assert.equal(claimAgainst({ priority: 150, priorityMayDiffer: true }).phase, 'claiming')
    })

    it('prefers the running priority when both claim at one moment', () => {
      for (const [own, phase] of [
        [140, 'claiming'],
        [90, 'fencing'],
      ] as const) {
        const driver = standby({ profile: { priority: 100 }, recordsAtOnce: false })
        driver.feed({ type: 'priority', priority: own })
        driver.feed({ type: 'gateway', gateway: 'reachable' })
        driver.master()
        driver.hearPeer(
          peerReport({
            phase: 'claiming',
            keepalived: 'MASTER',
            vips: 'held',
            ask: { epoch: 8 },
            priority: 120,
          }),
        )
        assert.equal(driver.phase, phase, `priority ${own}`)
      }
    })

    it('reports a change at once, and nothing where keepalived only confirms what is configured', () => {
      const driver = holding({ profile: { weights: 'told' } })
      assert.equal(driver.report().priorityMayDiffer, true)
      assert.ok(ofType(driver.feed({ type: 'priority', priority: 90 }), 'beat').length > 0)
      const { priority, configuredPriority, priorityMayDiffer } = driver.report()
      assert.deepEqual([priority, configuredPriority, priorityMayDiffer], [90, 150, undefined])
      const plain = holding()
      assert.deepEqual(plain.feed({ type: 'priority', priority: 150 }), [])
      assert.equal(plain.report().configuredPriority, undefined)
    })

    it('goes back to what is configured when keepalived was restarted', () => {
      const driver = holding({ profile: { weights: 'untold' } })
      driver.feed({ type: 'priority', priority: 90 })
      driver.feed({ type: 'priority', priority: null })
      assert.equal(driver.report().priority, 150)
      assert.equal(driver.report().priorityMayDiffer, true)
    })
  })

  it('asks again where a refusal only said that a vote was being written', () => {
    const driver = claiming()
    driver.refused(peer, 'recording')
    const effects = driver.pass(20)
    assert.ok(ofType(effects, 'beat').length > 0, 'no further request within 20 ms')
    driver.granted(peer)
    assert.equal(driver.phase, 'holding')
  })

  it('asks again under a higher epoch where its own is stale', () => {
    const driver = claiming()
    const effects = driver.refused(witness, 'stale-epoch', { epoch: 40 })
    assert.equal(driver.epoch, 41)
    assert.ok(types(effects).includes('beat'))
    driver.granted(witness)
    assert.equal(driver.phase, 'holding')
  })

  it('does not count a grant of the epoch before after it asked under a higher one', () => {
    const driver = claiming()
    driver.answer(peer, { kind: 'refused', reason: 'stale-epoch', text: '' }, { epoch: 40 })
    driver.answer(witness, { kind: 'granted', epoch: 8 })
    assert.equal(driver.phase, 'claiming')
  })

  it('gives its vote back when keepalived gave up before the claim was decided', () => {
    const driver = claiming()
    const effects = driver.backup()
    assert.equal(driver.phase, 'standby')
    assert.ok(types(effects).includes('beat'))
    assert.equal(driver.report().release, true)
    assert.equal(driver.guard.voter.pledge.phase, 'free')
  })

  it('gives its vote back also where the disk was still busy with it', () => {
    const driver = standby({ recordsAtOnce: false })
    driver.master()
    driver.backup()
    driver.feed({ type: 'recorded', ballot: { to: node, epoch: 8 }, tookMs: 30 })
    assert.equal(driver.guard.voter.pledge.phase, 'free')
  })

  it('gives way when the witness orders it', () => {
    const driver = claiming()
    const effects = driver.order('fence')
    assert.equal(driver.phase, 'fencing')
    assert.deepEqual(effects[0], { type: 'bar', on: true })
  })

  it('wins by witness and peer where its own disk fails', () => {
    const driver = standby({ recordsAtOnce: false })
    driver.master()
    const effects = driver.feed({ type: 'record-failed', ballot: { to: node, epoch: 8 }, error: 'ENOSPC' })
    assert.deepEqual(told(effects), ['promise-not-written'])
    assert.equal(driver.phase, 'claiming')
    driver.granted(witness)
    assert.equal(driver.phase, 'claiming')
    driver.granted(peer)
    assert.equal(driver.phase, 'holding')
  })

  it('has no peer to ask before a plan names one, and holds with the witness', () => {
    const driver = new GuardDriver({ peer: null })
    driver.hearWitness()
    driver.backup()
    driver.master()
    driver.granted(witness)
    assert.equal(driver.phase, 'holding')
  })
})

describe('a node that becomes MASTER beside a holder that it outranks', () => {
  /** The peer holds with priority 100; this node has 150. */
  const preempting = (options: DriverOptions = {}): GuardDriver => {
    const driver = standbyToHolder(options)
    driver.master()
    return driver
  }

  it('waits for the old holder where its own priority is higher', () => {
    const driver = preempting()
    assert.equal(driver.phase, 'claiming')
    driver.refused(witness, 'promised', { holder: peer, renewedAgoMs: 0 })
    driver.refused(peer, 'promised')
    assert.equal(driver.phase, 'claiming')
  })

  it('waits also where the priorities are equal: then the higher address decides, which keepalived knows', () => {
    const driver = preempting({ profile: { priority: 100 } })
    assert.equal(driver.phase, 'claiming')
    driver.pass(timing.handoverMs - 1)
    assert.equal(driver.phase, 'claiming')
    driver.pass(1)
    assert.equal(driver.phase, 'fencing')
  })

  it('waits claimMs / 2 and no longer with nopreempt, whatever is refused meanwhile', () => {
    for (const priority of [100, 150]) {
      const driver = preempting({ profile: { nopreempt: true, priority } })
      driver.refused(witness, 'promised', { holder: peer, renewedAgoMs: 0 })
      driver.refused(peer, 'promised')
      driver.pass(timing.claimMs / 2 - 1)
      assert.equal(driver.phase, 'claiming', `priority ${priority}`)
      driver.pass(1)
      assert.equal(driver.phase, 'fencing', `priority ${priority}`)
    }
  })

  it('wins with nopreempt where the holder lets go within that time', () => {
    const driver = preempting({ profile: { nopreempt: true } })
    driver.pass(5)
    driver.hearPeer(peerReport({ release: true, epoch: 8 }))
    driver.pass(10)
    driver.granted(witness)
    assert.equal(driver.phase, 'holding')
  })

  it('has renewMs for the answers once the holder is seen without the VIP', () => {
    const driver = preempting({ profile: { nopreempt: true } })
    driver.pass(5)
    driver.hearPeer(peerReport({ release: true, epoch: 8 }))
    driver.pass(timing.renewMs - 6)
    assert.equal(driver.phase, 'claiming')
    driver.pass(1)
    assert.equal(driver.phase, 'fencing')
  })

  it('wins as soon as the old holder has released', () => {
    const driver = preempting()
    driver.pass(5)
    driver.refused(witness, 'promised', { holder: peer, renewedAgoMs: 0 })
    driver.hearPeer(peerReport({ release: true, epoch: 8 }))
    driver.pass(10)
    driver.granted(witness)
    assert.equal(driver.phase, 'holding')
    assert.equal(driver.guard.voter.record?.to, node)
  })

  it('asks the others again every few milliseconds meanwhile', () => {
    const driver = preempting()
    const effects = driver.pass(50)
    assert.ok(ofType(effects, 'beat').length >= 4)
  })

  it('fences after handoverMs where no release comes', () => {
    const driver = preempting()
    driver.pass(timing.handoverMs - 1)
    assert.equal(driver.phase, 'claiming')
    driver.pass(1)
    assert.equal(driver.phase, 'fencing')
  })

  describe('where the peer’s answers take their time', () => {
    /** The last answers took `tookMs`, the newest last. */
    const slowly = (...tookMs: readonly number[]): GuardDriver => {
      const driver = standbyToHolder()
      for (const took of tookMs) driver.answer(peer, { kind: 'none' }, { sentAtMs: driver.atMs - took })
      driver.master()
      return driver
    }
    /** How long a claim lasts that nobody answers. */
    const patienceMs = (driver: GuardDriver): number => {
      const sinceMs = driver.atMs
      while (driver.phase === 'claiming' && driver.atMs < sinceMs + 2000) driver.pass(1)
      return driver.atMs - sinceMs
    }

    it('waits longer by as much as the slowest of the last eight took, and renewMs at most', () => {
      assert.equal(patienceMs(slowly(3, 180, 20)), timing.handoverMs + 180)
      assert.equal(patienceMs(slowly(180, 1, 1, 1, 1, 1, 1, 1, 1)), timing.handoverMs + 1)
      assert.equal(patienceMs(slowly(900)), timing.handoverMs + timing.renewMs)
      assert.equal(patienceMs(slowly(-4)), timing.handoverMs, 'a clock does not run backwards')
    })

    it('waits likewise for the votes once the holder is letting go', () => {
      const driver = slowly(150)
      const sinceMs = driver.atMs
      driver.hearPeer(holdingPeer(8, { lettingGo: true }))
      assert.equal(patienceMs(driver), timing.renewMs + 150)
      assert.equal(driver.atMs - sinceMs, timing.renewMs + 150)
    })

    it('no longer waits once the answers to this claim come fast', () => {
      const driver = slowly(180, 180, 180)
      const sinceMs = driver.atMs
      while (driver.phase === 'claiming') {
        driver.pass(10)
        driver.refused(peer, 'promised', { holder: peer, renewedAgoMs: 0 })
      }
      assert.equal(driver.atMs - sinceMs, timing.handoverMs)
    })

    it('does not take the wait for the disk of the peer for a slow network', () => {
      const driver = claiming()
      driver.answer(peer, { kind: 'pending', epoch: driver.epoch })
      driver.sleep(40)
      driver.answer(peer, { kind: 'granted', epoch: driver.epoch }, { sentAtMs: driver.atMs - 40 })
      assert.deepEqual(driver.guard.peerRoundTripsMs, [0])
    })
  })

  it('goes on voting for the old holder until that one releases', () => {
    const driver = preempting()
    const [answer] = ofType(driver.hearPeer(holdingPeer(8)), 'answer-peer')
    assert.deepEqual(answer?.verdict.vote, { kind: 'granted', epoch: 8 })
    assert.equal(driver.phase, 'claiming')
  })
})

describe('two nodes that claim in the same moment', () => {
  const askOf = (priority: number): ReturnType<typeof holdingPeer> =>
    holdingPeer(8, { phase: 'claiming', priority })

  it('the preferred one refuses the other and keeps its claim', () => {
    const driver = claiming()
    const [answer] = ofType(driver.hearPeer(askOf(100)), 'answer-peer')
    assert.equal(answer?.verdict.vote.kind, 'refused')
    assert.equal(driver.phase, 'claiming')
  })

  it('the other gives way at once, and votes as soon as its own VIP is gone', () => {
    const driver = claiming()
    const effects = driver.hearPeer(askOf(200))
    assert.equal(driver.phase, 'fencing')
    assert.deepEqual(effects[0], { type: 'bar', on: true })
    const [refusal] = ofType(effects, 'answer-peer')
    assert.ok(refusal?.verdict.vote.kind === 'refused')
    assert.equal(refusal.verdict.vote.reason, 'yielding')
    driver.sleep(3)
    driver.fault()
    const raised = { ...askOf(200), ask: { epoch: 9 }, epoch: 9 }
    const votes = ofType(driver.hearPeer(raised), 'answer-peer').map(({ verdict }) => verdict.vote.kind)
    assert.deepEqual(votes, ['pending', 'granted'])
  })

  it('a node that cannot reach the gateway gives way to one that can', () => {
    const driver = claiming()
    driver.feed({ type: 'gateway', gateway: 'unreachable' })
    driver.hearPeer(askOf(100))
    assert.equal(driver.phase, 'fencing')
  })

  it('the preferred one wins within claimMs by the vote of the one that gave way', () => {
    const driver = claiming()
    driver.pass(2)
    driver.refused(peer, 'recording')
    driver.pass(timing.claimMs - 10)
    driver.granted(peer)
    assert.equal(driver.phase, 'holding')
  })
})

describe('a holder', () => {
  it('renews its own vote and its permit with each heartbeat', () => {
    const driver = holding()
    driver.pass(timing.renewMs)
    driver.granted(witness)
    const effects = driver.renew()
    assert.equal(driver.leaseUntilMs, startMs + timing.renewMs + timing.leaseMs)
    assert.deepEqual(
      ofType(effects, 'permit').map(({ word, untilMs }) => ({ word, untilMs })),
      [{ word: 'permit', untilMs: startMs + timing.renewMs + holderPermitMs }],
    )
    assert.deepEqual(driver.report().ask, { epoch: 8 })
  })

  it('marks each renewal of its own vote and writes no ballot for it', () => {
    const driver = holding()
    driver.pass(timing.renewMs)
    const effects = driver.renew()
    assert.equal(ofType(effects, 'record').length, 0)
    assert.deepEqual(ofType(effects, 'mark'), [
      { type: 'mark', mark: { epoch: 8, untilMs: driver.atMs + timing.reserveMs } },
    ])
  })

  it('starts to fence at sentAt + leaseMs − releaseMs − grainMs, and not a millisecond before', () => {
    const driver = holding()
    assert.equal(driver.deadlineMs, startMs + fenceAfterMs)
    driver.pass(fenceAfterMs - 1)
    assert.equal(driver.phase, 'holding')
    const effects = driver.pass(1)
    assert.equal(driver.phase, 'fencing')
    assert.deepEqual(effects[0], { type: 'bar', on: true })
  })

  it('is not kept alive by its own vote alone', () => {
    const driver = holding()
    while (driver.atMs + timing.renewMs < startMs + fenceAfterMs) {
      driver.pass(timing.renewMs)
      driver.renew()
    }
    driver.pass(startMs + fenceAfterMs - driver.atMs)
    assert.equal(driver.phase, 'fencing')
  })

  it('survives two lost renewals', () => {
    const driver = holding()
    driver.pass(3 * timing.renewMs)
    assert.equal(driver.phase, 'holding')
    driver.granted(witness)
    driver.renew()
    driver.pass(fenceAfterMs - 1)
    assert.equal(driver.phase, 'holding')
  })

  it('keeps the VIP by the peer’s vote while the witness is down', () => {
    const driver = holding()
    for (let round = 0; round < 10; round++) {
      driver.pass(timing.renewMs)
      driver.renew()
      driver.granted(peer)
    }
    assert.equal(driver.phase, 'holding')
  })

  it('keeps the VIP by the witness’s vote while the standby is dead', () => {
    const driver = holding()
    for (let round = 0; round < 10; round++) {
      driver.pass(timing.renewMs)
      driver.renew()
      driver.granted(witness)
    }
    assert.equal(driver.phase, 'holding')
  })

  it('refuses its vote to the peer while it holds', () => {
    const driver = holding()
    const [answer] = ofType(
      driver.hearPeer(holdingPeer(9, { phase: 'claiming', priority: 200 })),
      'answer-peer',
    )
    assert.ok(answer?.verdict.vote.kind === 'refused')
    assert.equal(answer.verdict.vote.reason, 'promised')
    assert.equal(answer.verdict.holder, node)
  })

  describe('that is ordered to fence', () => {
    it('does not obey while its lease is good, and asks nobody under an epoch that is not newer than its own', () => {
      const driver = holding()
      for (const epoch of [7, 8]) assert.deepEqual(driver.order('fence', epoch), [])
      assert.equal(driver.phase, 'holding')
    })

    it('asks all voters at once where the order is of a newer epoch, and goes on where they grant', () => {
      const driver = holding()
      driver.pass(100)
      const effects = driver.order('fence', 9)
      assert.deepEqual(types(effects), ['mark', 'beat'])
      assert.deepEqual(driver.report().ask, { epoch: 8 })
      driver.granted(witness)
      assert.equal(driver.phase, 'holding')
      assert.equal(driver.leaseUntilMs, startMs + 100 + timing.leaseMs)
    })

    it('stops where they have promised their votes to another', () => {
      const driver = holding()
      driver.order('fence', 9)
      driver.refused(witness, 'promised', { holder: peer, renewedAgoMs: 10, epoch: 9 })
      assert.equal(driver.phase, 'fencing')
    })

    it('does not raise its own epoch by an order alone', () => {
      const driver = holding()
      driver.order('fence', 4000)
      assert.equal(driver.epoch, 8)
      assert.equal(driver.report().epoch, 8)
    })
  })

  it('does not give its lease up for a single refusal', () => {
    const driver = holding()
    driver.refused(witness, 'waiting')
    assert.equal(driver.phase, 'holding')
  })

  describe('whose clock stood still while another took over', () => {
    it('fences as soon as the voters that it counts on say that their votes are promised to the other', () => {
      const driver = holding()
      driver.granted(peer)
      driver.refused(witness, 'promised', { holder: peer, renewedAgoMs: 10, epoch: 9 })
      assert.equal(driver.phase, 'holding', 'the peer’s grant is a majority still')
      const effects = driver.refused(peer, 'promised', { holder: peer, renewedAgoMs: 10, epoch: 9 })
      assert.equal(driver.phase, 'fencing')
      assert.deepEqual(effects[0], { type: 'bar', on: true })
      assert.match(
        driver.report().why,
        /this node no longer has a majority of the votes: witness refused: .*; lb02 refused: /,
      )
    })

    it('fences by one refusal where it held by that vote alone', () => {
      const driver = holding()
      driver.refused(witness, 'promised', { holder: peer, renewedAgoMs: 10, epoch: 9 })
      assert.equal(driver.phase, 'fencing')
    })

    it('is not stopped by the late refusal of a request from before its grant', () => {
      const driver = holding()
      driver.refused(witness, 'promised', { sentAtMs: startMs - 10 })
      assert.equal(driver.phase, 'holding')
      assert.equal(driver.leaseUntilMs, startMs + timing.leaseMs)
    })

    it('keeps its own vote, which is its own to promise', () => {
      const driver = holding()
      driver.pass(timing.renewMs)
      driver.hearPeer(holdingPeer(9))
      driver.renew()
      assert.equal(driver.phase, 'holding')
      assert.equal(driver.guard.candidacy?.grantedSentAtMs[node], driver.atMs)
    })
  })

  it('gives the votes back at once when the VIP is gone and keepalived is not MASTER', () => {
    const driver = holding()
    const effects = driver.backup()
    assert.equal(driver.phase, 'standby')
    assert.deepEqual(ofType(effects, 'mark'), [{ type: 'mark', mark: { epoch: 8, untilMs: 0 } }])
    assert.ok(types(effects).includes('beat'))
    assert.equal(driver.report().release, true)
  })

  it('does not release while the kernel still has the VIP, whatever keepalived says', () => {
    const driver = holding()
    driver.observe({ keepalived: 'BACKUP', process: 'running', vips: 'held' })
    assert.equal(driver.phase, 'holding')
    assert.equal(driver.report().release, false)
  })

  it('announces its VIPs after the rival gave up', () => {
    const driver = holding()
    driver.hearPeer(holdingPeer(9, { phase: 'claiming' }))
    const effects = driver.hearPeer(peerReport({ phase: 'fencing', keepalived: 'FAULT', release: true }))
    assert.equal(ofType(effects, 'announce').length, 1)
  })

  it('announces its VIPs on the witness’s order and on a rival’s advert', () => {
    const driver = holding()
    assert.deepEqual(types(driver.order('announce')), ['announce'])
    assert.deepEqual(types(driver.feed({ type: 'rival-advert' })), ['announce'])
  })

  it('announces nothing without a lease', () => {
    const driver = standby()
    assert.deepEqual(types([...driver.order('announce'), ...driver.feed({ type: 'rival-advert' })]), [])
  })

  it('keeps its lease as long as it was when a voter asks for a higher epoch', () => {
    const driver = holding()
    driver.pass(timing.renewMs)
    driver.refused(witness, 'stale-epoch', { epoch: 40 })
    assert.equal(driver.phase, 'holding')
    assert.equal(driver.epoch, 41)
    assert.equal(driver.leaseUntilMs, startMs + timing.leaseMs)
    assert.equal(driver.deadlineMs, startMs + fenceAfterMs)
    driver.granted(witness)
    assert.equal(driver.leaseUntilMs, startMs + timing.renewMs + timing.leaseMs)
  })

  it('fences at the old lease’s end where nobody grants the higher epoch', () => {
    const driver = holding()
    driver.pass(timing.renewMs)
    driver.refused(witness, 'stale-epoch', { epoch: 40 })
    driver.pass(fenceAfterMs - timing.renewMs)
    assert.equal(driver.phase, 'fencing')
  })

  describe('whose peer is removed', () => {
    it('keeps its lease for as long as the votes from before are worth, and then needs the witness', () => {
      const driver = claiming()
      driver.granted(peer)
      assert.equal(driver.phase, 'holding')
      driver.feed({ type: 'plan', peer: null, timing })
      assert.equal(driver.phase, 'holding')
      assert.equal(driver.leaseUntilMs, startMs + timing.leaseMs)
      driver.pass(timing.renewMs)
      driver.granted(witness)
      driver.pass(fenceAfterMs)
      assert.equal(driver.phase, 'fencing', 'the witness alone renewed once')
    })

    it('has no lease any more by a vote of it that comes late', () => {
      const driver = claiming()
      driver.feed({ type: 'plan', peer: null, timing })
      driver.granted(peer)
      assert.equal(driver.phase, 'claiming')
    })
  })

  it('does not live longer by a plan with a longer lease than its votes were asked for', () => {
    const driver = holding()
    const longer = { ...timing, leaseMs: 6000, reserveMs: 7000 }
    driver.feed({ type: 'plan', peer, timing: longer })
    driver.pass(fenceAfterMs)
    assert.equal(driver.phase, 'fencing')
  })

  it('does not count an old request’s answer for the longer lease of a later plan', () => {
    const driver = holding()
    driver.feed({ type: 'plan', peer, timing: { ...timing, leaseMs: 6000, reserveMs: 7000 } })
    driver.pass(5)
    if (driver.guard.candidacy !== null)
      driver.answer(witness, { kind: 'granted', epoch: 8 }, { sentAtMs: startMs })
    driver.renew()
    driver.pass(fenceAfterMs)
    assert.equal(driver.phase, 'fencing')
  })
})

describe('a node that is not MASTER', () => {
  it('is not barred while witness and peer are silent for less than 3R', () => {
    const driver = standby()
    driver.pass(quietMs - 1)
    assert.equal(driver.phase, 'standby')
  })

  it('is barred when neither witness nor peer was heard for 3R', () => {
    const driver = standby()
    const effects = driver.fallSilent()
    assert.equal(driver.phase, 'barred')
    assert.deepEqual(ofType(effects, 'bar'), [{ type: 'bar', on: true }])
    assert.deepEqual(
      ofType(effects, 'permit').map(({ word }) => word),
      ['bar'],
    )
  })

  it('is let go as soon as somebody is heard again', () => {
    const driver = standby()
    driver.fallSilent()
    const effects = driver.hearWitness()
    assert.equal(driver.phase, 'standby')
    assert.deepEqual(ofType(effects, 'bar'), [{ type: 'bar', on: false }])
  })

  it('is not barred by the holder’s silence alone: a dead holder is taken over at once', () => {
    const driver = standbyToHolder()
    const lastRenewalMs = driver.atMs
    for (let round = 0; round < 8; round++) {
      driver.pass(timing.renewMs)
      const agoMs = driver.atMs - lastRenewalMs
      if (agoMs < timing.reserveMs) driver.witnessNamesPeer(agoMs)
      else driver.hearWitness()
      assert.equal(driver.phase, 'standby', `${agoMs} ms`)
    }
  })

  it('is barred where the witness heard the silent holder renew 2R or more after the silence began', () => {
    const driver = standbyToHolder()
    driver.pass(quietMs)
    driver.witnessNamesPeer(quietMs - 2 * timing.renewMs + 1)
    assert.equal(driver.phase, 'standby')
    const effects = driver.witnessNamesPeer(quietMs - 2 * timing.renewMs)
    assert.equal(driver.phase, 'barred')
    assert.deepEqual(effects[0], { type: 'bar', on: true })
  })

  it('is not barred while the holder is heard, whatever the witness says', () => {
    const driver = standbyToHolder()
    driver.pass(quietMs - 1)
    driver.witnessNamesPeer(0)
    assert.equal(driver.phase, 'standby')
  })

  const barredElsewhere = (): GuardDriver => {
    const driver = standbyToHolder()
    driver.pass(quietMs)
    driver.witnessNamesPeer(0)
    assert.equal(driver.phase, 'barred')
    return driver
  }

  it('stays barred while the holder’s lease lasts, though its renewals stop', () => {
    const driver = barredElsewhere()
    driver.pass(timing.renewMs)
    driver.witnessNamesPeer(timing.renewMs)
    assert.equal(driver.phase, 'barred')
    driver.pass(3 * timing.renewMs)
    driver.witnessNamesPeer(4 * timing.renewMs)
    assert.equal(driver.phase, 'barred')
  })

  it('is let go when the witness says that the lease is over', () => {
    const driver = barredElsewhere()
    driver.pass(timing.renewMs)
    const effects = driver.hearWitness()
    assert.equal(driver.phase, 'standby')
    assert.deepEqual(ofType(effects, 'bar'), [{ type: 'bar', on: false }])
  })

  it('is let go when the holder is heard again', () => {
    const driver = barredElsewhere()
    driver.hearPeer(holdingPeer(8))
    assert.notEqual(driver.phase, 'barred')
  })

  it('writes the bar once, and says once why', () => {
    const driver = standby()
    const effects = driver.fallSilent()
    for (let round = 0; round < 5; round++) effects.push(...driver.pass(timing.renewMs), ...driver.renew())
    assert.equal(ofType(effects, 'bar').length, 1)
    assert.deepEqual(told(effects), ['barred'])
  })

  it('has nothing to give up by the witness’s order to fence, nor to yield', () => {
    const driver = standby()
    for (const what of ['fence', 'yield'] as const) assert.deepEqual(driver.order(what, 40), [])
    assert.equal(driver.phase, 'standby')
  })

  it('gives back at each heartbeat whatever vote it might have', () => {
    assert.equal(standby().report().release, true)
  })

  it('neither permits nor lifts a bar at its start before somebody was heard', () => {
    const driver = new GuardDriver()
    const effects = [...driver.backup(), ...driver.renew(), ...driver.pass(timing.renewMs), ...driver.renew()]
    assert.deepEqual(ofType(effects, 'permit'), [])
    assert.deepEqual(ofType(effects, 'bar'), [])
    assert.deepEqual(ofType(driver.hearWitness(), 'bar'), [{ type: 'bar', on: false }])
  })

  it('counts silence from its own start, not from before', () => {
    const driver = new GuardDriver()
    driver.backup()
    driver.pass(quietMs - 1)
    assert.equal(driver.phase, 'standby')
    driver.pass(1)
    assert.equal(driver.phase, 'barred')
  })
})

describe('a keepalived that has just begun to listen beside a living holder', () => {
  const onProbation = (options: DriverOptions = {}): GuardDriver => {
    const driver = new GuardDriver(options)
    driver.hearWitness()
    driver.hearPeer(holdingPeer(8))
    driver.backup()
    assert.equal(driver.phase, 'probation')
    return driver
  }
  const untilCounted = (driver: GuardDriver): ReturnType<GuardDriver['pass']> => {
    const effects: ReturnType<GuardDriver['pass']> = []
    for (let passedMs = 0; passedMs < 2200; passedMs += 200) {
      effects.push(...driver.pass(200), ...driver.hearPeer(holdingPeer(8)))
      driver.witnessNamesPeer(0)
    }
    return effects
  }

  it('counts no adverts while keepalived does not listen', () => {
    const driver = standbyToHolder()
    driver.absent()
    assert.deepEqual(ofType(driver.fault(), 'count-adverts'), [])
    assert.equal(driver.phase, 'standby')
  })

  it('counts adverts at once, and again after two advert intervals', () => {
    const driver = new GuardDriver()
    driver.hearWitness()
    driver.hearPeer(holdingPeer(8))
    assert.equal(ofType(driver.backup(), 'count-adverts').length, 1)
    driver.feed({ type: 'adverts', received: 10 })
    assert.equal(driver.deadlineMs, startMs + 2200)
    assert.equal(ofType(untilCounted(driver), 'count-adverts').length, 1)
  })

  it('is on standby once adverts arrive', () => {
    const driver = onProbation()
    driver.feed({ type: 'adverts', received: 10 })
    untilCounted(driver)
    driver.feed({ type: 'adverts', received: 12 })
    assert.equal(driver.phase, 'standby')
  })

  it('is barred before the master-down timer ends where none arrives', () => {
    const driver = onProbation()
    driver.feed({ type: 'adverts', received: 10 })
    untilCounted(driver)
    const effects = driver.feed({ type: 'adverts', received: 10 })
    assert.equal(driver.phase, 'barred')
    assert.deepEqual(effects[0], { type: 'bar', on: true })
    // 3 × advert_int + skew of the highest priority.
    assert.ok(driver.atMs - startMs < 3000)
  })

  it('counts from zero where keepalived has only just started and cannot be asked yet', () => {
    const driver = onProbation()
    driver.feed({ type: 'adverts', received: null })
    assert.equal(driver.phase, 'probation')
    untilCounted(driver)
    driver.feed({ type: 'adverts', received: 0 })
    assert.equal(driver.phase, 'barred')
  })

  it('is on standby where keepalived can say nothing at all', () => {
    const driver = onProbation()
    driver.feed({ type: 'adverts', received: null })
    untilCounted(driver)
    driver.feed({ type: 'adverts', received: null })
    assert.equal(driver.phase, 'standby')
  })

  it('is on standby where the second count fails', () => {
    const driver = onProbation()
    driver.feed({ type: 'adverts', received: 10 })
    untilCounted(driver)
    driver.feed({ type: 'adverts', received: null })
    assert.equal(driver.phase, 'standby')
  })

  it('is on standby where nobody holds any more', () => {
    const driver = onProbation()
    driver.feed({ type: 'adverts', received: 10 })
    driver.hearPeer(peerReport({ release: true, epoch: 8 }))
    driver.hearWitness()
    assert.equal(driver.phase, 'standby')
  })

  const barredWithoutAdverts = (): GuardDriver => {
    const driver = onProbation()
    driver.feed({ type: 'adverts', received: 10 })
    untilCounted(driver)
    driver.feed({ type: 'adverts', received: 10 })
    driver.fault()
    return driver
  }
  const keepHearing = (driver: GuardDriver, durationMs: number): void => {
    for (let passedMs = 0; passedMs < durationMs; passedMs += 200) {
      driver.pass(200)
      driver.hearPeer(holdingPeer(8))
      driver.witnessNamesPeer(0)
    }
  }

  it('is tried again after a while, under watch again, and then less often', () => {
    const driver = barredWithoutAdverts()
    keepHearing(driver, 4800)
    assert.equal(driver.phase, 'barred')
    keepHearing(driver, 200)
    assert.equal(driver.phase, 'standby')
    driver.backup()
    assert.equal(driver.phase, 'probation')
    driver.feed({ type: 'adverts', received: 10 })
    keepHearing(driver, 2200)
    driver.feed({ type: 'adverts', received: 10 })
    driver.fault()
    keepHearing(driver, 9800)
    assert.equal(driver.phase, 'barred')
    keepHearing(driver, 200)
    assert.equal(driver.phase, 'standby')
  })

  it('is let go at once when the holder gives up', () => {
    const driver = barredWithoutAdverts()
    driver.hearPeer(peerReport({ release: true, epoch: 8 }))
    driver.hearWitness()
    assert.equal(driver.phase, 'standby')
  })

  it('claims where keepalived promoted itself meanwhile', () => {
    const driver = onProbation()
    driver.master()
    assert.ok(['claiming', 'fencing'].includes(driver.phase))
  })
})

describe('a fence', () => {
  it('has the bar as its first effect, then the revoked permit', () => {
    const driver = claiming()
    driver.refused(witness, 'promised')
    const effects = driver.refused(peer, 'promised')
    assert.deepEqual(effects[0], { type: 'bar', on: true })
    assert.equal(effects[1]?.type, 'permit')
    assert.equal(ofType(effects, 'permit')[0]?.word, 'bar')
  })

  it('is proved by FAULT and a kernel without the VIP, and then stops keepalived too', () => {
    const driver = fencing()
    driver.sleep(2)
    const effects = driver.fault()
    assert.deepEqual(ofType(effects, 'fence'), [{ type: 'fence', rung: 'stop' }])
    assert.deepEqual(driver.report().fence && { ...driver.report().fence, reason: '' }, {
      number: 1,
      reason: '',
      result: 'proved',
      rung: 'bar',
      tookMs: 2,
    })
    assert.equal(driver.report().release, true)
    driver.sleep(1000)
    driver.absent()
    assert.equal(driver.phase, 'fenced')
  })

  it('remembers that it owes keepalived a start before it stops it', () => {
    const driver = fencing()
    driver.sleep(2)
    const effects = driver.fault()
    const stopAt = effects.findIndex(({ type }) => type === 'fence')
    const rememberAt = effects.findIndex((effect) => effect.type === 'remember' && effect.memory.stopped)
    assert.ok(rememberAt >= 0 && rememberAt < stopAt)
  })

  it('keeps its own vote until the proof, and gives it back with the proof', () => {
    const driver = fencing()
    assert.equal(driver.guard.voter.pledge.phase, 'promised')
    driver.sleep(2)
    driver.fault()
    assert.equal(driver.guard.voter.pledge.phase, 'free')
  })

  it('keeps its own vote until the proof also where the disk was busy when it began', () => {
    const driver = holding({ recordsAtOnce: false, recovered: freeOf(node) })
    driver.feed({ type: 'recorded', ballot: { to: node, epoch: 8 }, tookMs: 1 })
    driver.granted(witness)
    assert.equal(driver.phase, 'holding')
    driver.refused(peer, 'stale-epoch', { epoch: 40 })
    driver.pass(fenceAfterMs)
    assert.equal(driver.phase, 'fencing')
    driver.feed({ type: 'recorded', ballot: { to: node, epoch: 41 }, tookMs: fenceAfterMs })
    assert.equal(driver.guard.voter.pledge.phase, 'promised')
    driver.fault()
    assert.equal(driver.guard.voter.pledge.phase, 'free')
  })

  it('with fence: fault leaves keepalived running where the bar was enough', () => {
    const driver = fencing({ policy: { fence: 'fault' } })
    driver.sleep(2)
    const effects = driver.fault()
    assert.deepEqual(ofType(effects, 'fence'), [])
    assert.equal(driver.phase, 'fenced')
    assert.equal(driver.guard.memory.stopped, false)
  })

  it('climbs from an ineffective bar to stop, to SIGKILL, to an honest failure', () => {
    const driver = fencing()
    const effects = driver.pass(2 * timing.releaseMs)
    assert.deepEqual(
      ofType(effects, 'fence').map(({ rung }) => rung),
      ['stop', 'kill', 'kill'],
    )
    assert.equal(driver.report().fence?.result, 'failed')
    assert.equal(told(effects).filter((event) => event === 'fence-failed').length, 1)
    assert.equal(driver.report().release, false)
    assert.equal(driver.phase, 'fencing')
  })

  it('uses the last resort before it admits failure, and goes on trying', () => {
    const driver = fencing({ policy: { hasLastResort: true } })
    const effects = driver.pass(2 * timing.releaseMs + 2000)
    assert.deepEqual(
      ofType(effects, 'fence').map(({ rung }) => rung),
      ['stop', 'kill', 'last-resort', 'kill', 'kill'],
    )
    assert.equal(driver.report().fence?.result, 'failed')
  })

  it('takes "failed" back when the VIP is gone at last', () => {
    const driver = fencing()
    driver.pass(timing.releaseMs + 500)
    driver.absent()
    assert.equal(driver.report().fence?.result, 'proved')
    assert.equal(driver.phase, 'fenced')
  })

  it('goes on to stop at once where the bar cannot be written', () => {
    const driver = fencing()
    const effects = driver.feed({ type: 'rung-ended', rung: 'bar', error: 'EROFS' })
    assert.deepEqual(ofType(effects, 'fence'), [{ type: 'fence', rung: 'stop' }])
    assert.ok(told(effects).includes('fence-rung-failed'))
  })

  it('kills where the stop command fails after the proof', () => {
    const driver = fencing()
    driver.sleep(2)
    driver.fault()
    const effects = driver.feed({ type: 'rung-ended', rung: 'stop', error: 'exit code 1' })
    assert.deepEqual(ofType(effects, 'fence'), [{ type: 'fence', rung: 'kill' }])
    assert.equal(driver.report().fence?.result, 'proved')
  })

  it('kills where the stop command hangs for seconds after the proof', () => {
    const driver = fencing()
    driver.sleep(2)
    driver.fault()
    assert.deepEqual(ofType(driver.pass(4900), 'fence'), [])
    assert.deepEqual(ofType(driver.pass(120), 'fence'), [{ type: 'fence', rung: 'kill' }])
  })

  it('is not disturbed by the end of an earlier rung’s command', () => {
    const driver = fencing()
    driver.pass(60)
    const effects = driver.feed({ type: 'rung-ended', rung: 'bar', error: 'late' })
    assert.deepEqual(ofType(effects, 'fence'), [])
  })

  it('grants the peer nothing while its own vote may be in use and the VIP is here', () => {
    const driver = fencing()
    const answers = ofType(driver.hearPeer(holdingPeer(9, { phase: 'claiming' })), 'answer-peer')
    assert.deepEqual(
      answers.map(({ verdict }) => verdict.vote.kind),
      ['refused'],
    )
  })
})

/** This node's own ballot of an earlier time, surely over. */
function freeOf(to: string): DriverOptions['recovered'] & object {
  return { kind: 'valid', ballot: { to, epoch: 7 }, mark: { epoch: 7, untilMs: 0 } }
}

describe('a VIP whose keepalived is not in sight', () => {
  const found = (seen: {
    process: 'absent' | 'unknown'
    died?: boolean
  }): { driver: GuardDriver; effects: ReturnType<GuardDriver['pass']> } => {
    const driver = new GuardDriver()
    driver.hearWitness()
    driver.hearPeer()
    const effects = driver.feed({ type: 'observed', keepalived: 'UNKNOWN', vips: 'held', ...seen })
    return { driver, effects }
  }

  for (const process of ['absent', 'unknown'] as const)
    it(`is left alone if keepalived is ${process} and nothing of it was ever seen alive`, () => {
      const { driver, effects } = found({ process })
      assert.deepEqual(ofType(effects, 'fence'), [])
      assert.notEqual(driver.phase, 'fencing')
      assert.match(driver.report().warnings.join(), /keepalived\.pidFile and keepalived\.vrrpPidFile/)
      assert.equal(driver.report().process, 'absent')
    })

  it('is an orphan if a pid file names a process that is gone', () => {
    const { driver, effects } = found({ process: 'absent', died: true })
    assert.equal(driver.phase, 'fencing')
    assert.deepEqual(ofType(effects, 'fence'), [{ type: 'fence', rung: 'kill', spares: true }])
  })

  it('is not an orphan while a keepalived that was seen before is out of sight', () => {
    const driver = holding()
    const effects = driver.observe({ process: 'unknown' })
    assert.deepEqual(ofType(effects, 'fence'), [])
    assert.equal(driver.phase, 'holding')
  })
})

describe('a VIP whose keepalived died', () => {
  for (const [name, make] of [
    ['a standby', standby],
    ['a claimant', claiming],
    ['a holder', holding],
    ['a fenced node', fenced],
  ] as const)
    it(`is taken out of the kernel by ${name}, beginning with SIGKILL and ip addr del`, () => {
      const driver = make()
      const effects = driver.orphan()
      assert.equal(driver.phase, 'fencing')
      assert.deepEqual(ofType(effects, 'fence'), [{ type: 'fence', rung: 'kill', spares: true }])
    })

  it('leaves no hold-down behind: keepalived may come back whenever somebody starts it', () => {
    const driver = holding()
    driver.orphan()
    driver.sleep(5)
    const effects = driver.absent()
    assert.equal(driver.phase, 'standby')
    assert.deepEqual(ofType(effects, 'bar'), [{ type: 'bar', on: false }])
    assert.equal(driver.guard.memory.stopped, false)
    assert.equal(driver.report().release, true)
  })
})

describe('a fenced node', () => {
  const hearHolder = (driver: GuardDriver): void => {
    driver.hearPeer(holdingPeer(driver.guard.voter.epoch + 1))
    driver.witnessNamesPeer(0)
  }
  /** With the peer holding and everybody heard. */
  const keepHearing = (driver: GuardDriver, durationMs: number): ReturnType<GuardDriver['pass']> => {
    const effects: ReturnType<GuardDriver['pass']> = []
    const epoch = driver.guard.voter.epoch
    for (let passedMs = 0; passedMs < durationMs && driver.phase === 'fenced'; passedMs += 100) {
      effects.push(...driver.pass(100))
      effects.push(...driver.hearPeer(holdingPeer(epoch)), ...driver.witnessNamesPeer(0))
    }
    return effects
  }
  const fencedBesideHolder = (options: DriverOptions = {}): GuardDriver => {
    const driver = fenced(options)
    hearHolder(driver)
    return driver
  }

  it('stays out for the hold-down while another node holds, then starts keepalived', () => {
    const driver = fencedBesideHolder()
    const sinceMs = driver.atMs
    const effects = keepHearing(driver, 20_000)
    assert.equal(driver.phase, 'rejoining')
    assert.ok(driver.atMs - sinceMs >= 4900 && driver.atMs - sinceMs <= 5100, `${driver.atMs - sinceMs}`)
    const barAt = effects.findIndex((effect) => effect.type === 'bar' && !effect.on)
    const startAt = effects.findIndex(({ type }) => type === 'start-keepalived')
    assert.ok(barAt >= 0 && barAt < startAt)
  })

  describe('where nobody holds', () => {
    const earlierFences = (...agoMs: number[]): DriverOptions => ({
      memory: { stopped: false, number: agoMs.length, recentAtMs: agoMs.map((ms) => startMs - ms) },
    })
    /** How long the node stays out although nobody holds. */
    const pauseAfter = (options: DriverOptions): number => {
      const driver = fenced(options)
      const sinceMs = driver.atMs
      driver.hearWitness()
      while (driver.phase === 'fenced' && driver.atMs - sinceMs < 60_000) {
        driver.pass(10)
        driver.hearWitness()
      }
      assert.equal(driver.phase, 'rejoining')
      return driver.atMs - sinceMs
    }

    it('comes back at once: the service must not wait', () => {
      assert.equal(pauseAfter({}), 0)
      assert.equal(pauseAfter(earlierFences(1000)), 0)
    })

    it('pauses 2 s, however often, from the third fence within a minute: two nodes must not take turns', () => {
      assert.equal(pauseAfter(earlierFences(2000, 1000)), 2000)
      assert.equal(pauseAfter(earlierFences(5000, 4000, 3000, 2000, 1000)), 2000)
    })

    it('does not pause for fences of more than a minute ago, though they lengthen the hold-down', () => {
      assert.equal(pauseAfter(earlierFences(240_000, 180_000, 120_000)), 0)
      const driver = fencedBesideHolder(earlierFences(240_000, 180_000, 120_000))
      assert.ok(driver.guard.phase.name === 'fenced')
      assert.equal(driver.guard.phase.holdUntilMs - driver.guard.phase.sinceMs, 40_000)
    })

    it('is held down as soon as the peer holds again', () => {
      const driver = fenced(earlierFences(2000, 1000))
      driver.hearWitness()
      driver.pass(1000)
      hearHolder(driver)
      const effects = keepHearing(driver, 18_800)
      assert.equal(driver.phase, 'fenced')
      assert.deepEqual(ofType(effects, 'start-keepalived'), [])
    })

    it('comes back as soon as the peer holds no more', () => {
      const driver = fencedBesideHolder()
      keepHearing(driver, 1000)
      driver.hearPeer(peerReport({ release: true, epoch: driver.guard.voter.epoch }))
      assert.equal(driver.phase, 'fenced', 'the witness still names the peer')
      driver.hearWitness()
      assert.equal(driver.phase, 'rejoining')
    })
  })

  it('leaves the bar where it is when it is back and barred for another reason', () => {
    for (const fence of ['fault', 'stop'] as const) {
      const driver = fencedBesideHolder({ policy: { fence } })
      driver.feed({ type: 'gateway', gateway: 'unreachable' })
      const effects = keepHearing(driver, 20_000)
      if (driver.phase === 'rejoining') effects.push(...driver.fault())
      assert.equal(driver.phase, 'barred')
      assert.deepEqual(ofType(effects, 'bar'), [])
    }
  })

  it('is on standby again when keepalived is up, and owes it no start any more', () => {
    const driver = fencedBesideHolder()
    keepHearing(driver, 20_000)
    driver.feed({ type: 'start-ended', error: null })
    assert.equal(driver.guard.memory.stopped, false)
    driver.observe({ keepalived: 'INIT', process: 'running', vips: 'gone' })
    assert.notEqual(driver.phase, 'rejoining')
    driver.backup()
    assert.equal(driver.phase, 'probation')
  })

  it('with fence: fault comes back by lifting the bar alone', () => {
    const driver = fencedBesideHolder({ policy: { fence: 'fault' } })
    const effects = keepHearing(driver, 20_000)
    assert.equal(driver.phase, 'standby')
    assert.deepEqual(ofType(effects, 'bar'), [{ type: 'bar', on: false }])
    assert.deepEqual(ofType(effects, 'start-keepalived'), [])
  })

  it('waits longer with each fence in an hour', () => {
    const holdDownAfter = (earlierFences: number): number => {
      const recentAtMs = Array.from({ length: earlierFences }, (_, index) => startMs - 1000 * (index + 1))
      const driver = fencedBesideHolder({ memory: { stopped: false, number: earlierFences, recentAtMs } })
      assert.ok(driver.guard.phase.name === 'fenced')
      return driver.guard.phase.holdUntilMs - driver.guard.phase.sinceMs
    }
    assert.deepEqual([0, 1, 2, 3].map(holdDownAfter), [5000, 10_000, 20_000, 40_000])
    assert.equal(holdDownAfter(30), 300_000)
  })

  it('forgets fences that are more than an hour old', () => {
    const recentAtMs = [startMs - 3_600_001, startMs - 4_000_000]
    const driver = fenced({ memory: { stopped: false, number: 2, recentAtMs } })
    assert.equal(driver.guard.memory.recentAtMs.length, 1)
    assert.equal(driver.guard.memory.number, 3)
  })

  it('does not come back while nobody is heard', () => {
    const driver = fenced()
    driver.pass(20_000)
    assert.equal(driver.phase, 'fenced')
  })

  it('stays out for good with rejoin: manual, until somebody starts keepalived', () => {
    const driver = fencedBesideHolder({ policy: { rejoin: 'manual' } })
    keepHearing(driver, 600_000)
    assert.equal(driver.phase, 'fenced')
    const effects = driver.observe({ keepalived: 'FAULT', process: 'running', vips: 'gone' })
    assert.equal(driver.phase, 'standby')
    assert.deepEqual(ofType(effects, 'bar'), [{ type: 'bar', on: false }])
    assert.equal(driver.guard.memory.stopped, false)
  })

  it('with rejoin: manual and fence: fault comes back when keepalived was restarted by hand', () => {
    const driver = fencedBesideHolder({ policy: { rejoin: 'manual', fence: 'fault' } })
    keepHearing(driver, 60_000)
    assert.equal(driver.phase, 'fenced')
    driver.absent()
    hearHolder(driver)
    assert.equal(driver.phase, 'fenced')
    driver.observe({ keepalived: 'FAULT', process: 'running', vips: 'gone' })
    assert.equal(driver.phase, 'standby')
  })

  it('is fenced again, for longer, where the start command fails', () => {
    const driver = fencedBesideHolder()
    keepHearing(driver, 20_000)
    const effects = driver.feed({ type: 'start-ended', error: 'exit code 1' })
    assert.equal(driver.phase, 'fenced')
    assert.ok(told(effects).includes('rejoin-failed'))
    assert.equal(driver.guard.memory.stopped, true)
    assert.ok(driver.guard.phase.name === 'fenced')
    assert.equal(driver.guard.phase.holdUntilMs - driver.atMs, 10_000)
  })

  it('is fenced again where keepalived is not up in time after its start command', () => {
    const driver = fencedBesideHolder()
    keepHearing(driver, 20_000)
    driver.feed({ type: 'start-ended', error: null })
    const effects: ReturnType<GuardDriver['pass']> = []
    for (let passedMs = 0; passedMs < 15_000; passedMs += 100) {
      effects.push(...driver.pass(100))
      driver.hearWitness()
    }
    assert.ok(told(effects).includes('rejoin-failed'))
    assert.equal(driver.guard.memory.stopped, true)
  })

  it('tries a failing start command again after growing pauses, also while nobody holds', () => {
    const driver = fenced()
    const startedAtMs: number[] = []
    const noteStarts = (effects: ReturnType<GuardDriver['pass']>): void => {
      startedAtMs.push(...ofType(effects, 'start-keepalived').map(() => driver.atMs))
    }
    for (let passedMs = 0; passedMs < 60_000; passedMs += 100) {
      noteStarts([...driver.pass(100), ...driver.hearWitness()])
      if (driver.phase === 'rejoining') noteStarts(driver.feed({ type: 'start-ended', error: 'exit code 1' }))
    }
    const gapsMs = startedAtMs.slice(1).map((atMs, index) => atMs - (startedAtMs[index] ?? 0))
    assert.ok(gapsMs.length >= 2 && gapsMs.every((gapMs) => gapMs >= 5000), gapsMs.join())
    assert.ok(
      gapsMs.every((gapMs, index) => index === 0 || gapMs > (gapsMs[index - 1] ?? 0)),
      gapsMs.join(),
    )
  })

  it('claims where keepalived is MASTER all the same', () => {
    const driver = fenced()
    driver.hearWitness()
    driver.master()
    assert.equal(driver.phase, 'claiming')
  })

  it('owes the start still after a restart of the agent', () => {
    const driver = new GuardDriver({ memory: { stopped: true, number: 1, recentAtMs: [startMs - 1000] } })
    assert.equal(driver.phase, 'fenced')
    driver.absent()
    const effects = driver.hearWitness()
    assert.equal(ofType(effects, 'start-keepalived').length, 1)
  })
})

describe('an agent that did not run for a while', () => {
  it('treats its lease as void and asks again under its old epoch', () => {
    const driver = holding()
    driver.sleep(1000)
    const effects = driver.feed({ type: 'resumed', gapMs: 1000, jumpedMs: 0 })
    assert.equal(driver.phase, 'claiming')
    assert.equal(driver.epoch, 8)
    assert.ok(types(effects).includes('beat'))
  })

  it('holds again with a fresh answer', () => {
    const driver = holding()
    driver.sleep(1000)
    driver.feed({ type: 'resumed', gapMs: 1000, jumpedMs: 0 })
    driver.granted(witness)
    assert.equal(driver.phase, 'holding')
  })

  it('does not hold by answers to requests from before, once those are worth nothing', () => {
    const driver = holding()
    driver.sleep(5000)
    driver.feed({ type: 'resumed', gapMs: 5000, jumpedMs: 0 })
    driver.granted(witness, startMs)
    assert.equal(driver.phase, 'claiming')
  })

  it('fences at once where it is refused', () => {
    const driver = holding()
    driver.sleep(5000)
    driver.feed({ type: 'resumed', gapMs: 5000, jumpedMs: 0 })
    driver.refused(witness, 'promised', { holder: peer, renewedAgoMs: 100 })
    const effects = driver.refused(peer, 'promised')
    assert.equal(driver.phase, 'fencing')
    assert.deepEqual(effects[0], { type: 'bar', on: true })
  })

  it('fences where nobody answers', () => {
    const driver = holding()
    driver.sleep(5000)
    driver.feed({ type: 'resumed', gapMs: 5000, jumpedMs: 0 })
    driver.pass(timing.checkMs)
    assert.equal(driver.phase, 'fencing')
  })

  it('does not take its own standstill for the silence of others', () => {
    const driver = standby()
    driver.sleep(5000)
    driver.feed({ type: 'resumed', gapMs: 5000, jumpedMs: 0 })
    assert.equal(driver.phase, 'standby')
    driver.pass(quietMs)
    assert.equal(driver.phase, 'barred')
  })

  it('keeps the VIP with alone: keep where it still hears nobody', () => {
    const driver = holding({ policy: { alone: 'keep' } })
    driver.sleep(5000)
    driver.feed({ type: 'resumed', gapMs: 5000, jumpedMs: 0 })
    driver.pass(3000)
    assert.equal(driver.phase, 'unprotected')
  })
})

describe('an agent whose boot clock jumped ahead, or whose host slept', () => {
  const jumpedMs = 10_000
  const wake = (driver: GuardDriver): ReturnType<GuardDriver['pass']> => {
    driver.sleep(jumpedMs)
    return driver.feed({ type: 'resumed', gapMs: jumpedMs, jumpedMs })
  }

  it('keeps its promise to the peer for as long as if no time had passed, the mark before anything else', () => {
    const driver = standbyToHolder({ profile: { priority: 50 } })
    driver.pass(300)
    const effects = wake(driver)
    const untilMs = driver.atMs + timing.reserveMs - 300
    assert.deepEqual(effects[0], { type: 'mark', mark: { epoch: 8, untilMs } })
    driver.master()
    assert.equal(driver.phase, 'fencing')
    assert.match(driver.report().why, /lb02 has the lease \(epoch 8/)
  })

  it('has its vote free again when that time is over', () => {
    const driver = standbyToHolder({ profile: { priority: 50 } })
    wake(driver)
    driver.sleep(timing.reserveMs - 1)
    driver.tick()
    assert.equal(driver.guard.voter.pledge.phase, 'promised')
    driver.sleep(1)
    driver.tick()
    assert.equal(driver.guard.voter.pledge.phase, 'free')
  })

  it('keeps no promise that ended by a clock which ran on while the agent stood still', () => {
    const driver = standbyToHolder({ profile: { priority: 50 } })
    driver.sleep(jumpedMs)
    const effects = driver.feed({ type: 'resumed', gapMs: jumpedMs, jumpedMs: 0 })
    assert.deepEqual(ofType(effects, 'mark'), [])
    assert.equal(driver.guard.voter.pledge.phase, 'free')
  })

  it('does not keep its own lease: that it asks for anew', () => {
    const driver = holding()
    wake(driver)
    assert.equal(driver.phase, 'claiming')
    assert.equal(driver.leaseUntilMs, -Infinity)
    driver.granted(witness)
    assert.equal(driver.phase, 'holding')
    assert.equal(driver.leaseUntilMs, driver.atMs + timing.leaseMs)
  })

  it('tells of the jump, and of a standstill in other words', () => {
    const textOf = (jumped: number): string | undefined =>
      ofType(standby().feed({ type: 'resumed', gapMs: 1000, jumpedMs: jumped }), 'tell')[0]?.text
    assert.match(
      textOf(990) ?? '',
      /^The boot clock jumped ahead by 990 ms, or this host was suspended\. Nothing that it knew before/,
    )
    assert.match(textOf(0) ?? '', /^This agent did not run for 1000 ms\. Nothing that it knew before/)
  })
})

describe('a holder that does not reach its gateway', () => {
  /** The peer stands by and reaches its own. */
  const cutOff = (options: DriverOptions = {}): GuardDriver => {
    const driver = holding(options)
    driver.hearPeer(peerReport({ epoch: 8 }))
    driver.feed({ type: 'gateway', gateway: 'unreachable' })
    return driver
  }
  const yielding = (options: DriverOptions = {}): GuardDriver => {
    const driver = cutOff(options)
    driver.order('yield', 8)
    assert.equal(driver.phase, 'fencing')
    return driver
  }

  it('keeps the VIP as long as nobody tells it to yield', () => {
    const driver = cutOff()
    for (let round = 0; round < 10; round++) {
      driver.pass(timing.renewMs)
      driver.renew()
      driver.granted(witness)
    }
    assert.equal(driver.phase, 'holding')
  })

  it('yields on the witness’s order, the bar first, and says who moves the VIP', () => {
    const driver = cutOff()
    const effects = driver.order('yield', 8)
    assert.deepEqual(effects[0], { type: 'bar', on: true })
    assert.deepEqual(told(effects), ['fencing'])
    assert.match(driver.report().why, /^the witness moves the VIP: /)
    assert.equal(driver.report().release, false, 'nothing is given back before the proof')
  })

  it('gives its votes back with the proof, and leaves keepalived running whatever the policy', () => {
    for (const fence of ['stop', 'fault'] as const) {
      const driver = yielding({ policy: { fence } })
      driver.sleep(2)
      const effects = driver.fault()
      assert.deepEqual(ofType(effects, 'fence'), [])
      assert.deepEqual(ofType(effects, 'mark'), [{ type: 'mark', mark: { epoch: 8, untilMs: 0 } }])
      assert.equal(driver.report().fence?.result, 'proved')
      assert.equal(driver.report().release, true)
      assert.equal(driver.guard.memory.stopped, false)
    }
  })

  it('climbs the ladder like any other where the bar does not work', () => {
    const driver = yielding()
    assert.deepEqual(
      ofType(driver.pass(2 * timing.releaseMs), 'fence').map(({ rung }) => rung),
      ['stop', 'kill', 'kill'],
    )
    assert.equal(driver.report().fence?.result, 'failed')
  })

  it('is numbered like any other, but does not lengthen the next hold-down', () => {
    const { memory } = yielding().guard
    assert.deepEqual(memory, { stopped: false, number: 1, recentAtMs: [] })
  })

  it('may take part again at once, in case that the other does not take the VIP', () => {
    const driver = yielding()
    driver.sleep(2)
    const effects = driver.fault()
    assert.equal(driver.phase, 'standby')
    assert.deepEqual(ofType(effects, 'bar'), [{ type: 'bar', on: false }])
    driver.backup()
    driver.master()
    driver.granted(witness)
    assert.equal(driver.phase, 'holding')
  })

  it('is barred as soon as the other holds, so that it does not preempt', () => {
    const driver = yielding()
    driver.sleep(2)
    driver.fault()
    const effects = driver.hearPeer(holdingPeer(9))
    assert.equal(driver.phase, 'barred')
    assert.deepEqual(ofType(effects, 'bar'), [{ type: 'bar', on: true }])
    assert.match(driver.report().why, /cannot reach its gateway, but lb02, which holds the lease, can/)
  })

  it('is let go when its gateway is back, when the other loses its own, and when the other holds no more', () => {
    const ends: ((driver: GuardDriver) => unknown)[] = [
      (driver) => driver.feed({ type: 'gateway', gateway: 'reachable' }),
      (driver) => driver.hearPeer(holdingPeer(9, { gateway: 'unreachable' })),
      (driver) => driver.hearPeer(peerReport({ release: true, epoch: 9 })),
    ]
    for (const end of ends) {
      const driver = yielding()
      driver.sleep(2)
      driver.fault()
      driver.hearPeer(holdingPeer(9))
      assert.equal(driver.phase, 'barred')
      end(driver)
      assert.notEqual(driver.phase, 'barred', end.toString())
      assert.equal(driver.guard.barOn, false)
    }
  })

  describe('does not yield', () => {
    const assertKeeps = (driver: GuardDriver, epoch = 8): void => {
      const { phase } = driver
      assert.deepEqual(driver.order('yield', epoch), [])
      assert.equal(driver.phase, phase)
    }

    it('to an order of another epoch, older or newer', () => {
      for (const epoch of [0, 7, 9]) assertKeeps(cutOff(), epoch)
    })

    it('while it reaches its own gateway, or pings none', () => {
      for (const gateway of ['reachable', 'unknown'] as const) {
        const driver = cutOff()
        driver.feed({ type: 'gateway', gateway })
        assertKeeps(driver)
      }
    })

    it('while the peer does not say that it reaches it', () => {
      for (const gateway of ['unreachable', 'unknown'] as const) {
        const driver = cutOff()
        driver.hearPeer(peerReport({ epoch: 8, gateway }))
        assertKeeps(driver)
      }
    })

    it('without a lease', () => {
      for (const make of [standby, claiming, fencing]) {
        const driver = make()
        driver.hearPeer(peerReport({ epoch: driver.guard.voter.epoch }))
        driver.feed({ type: 'gateway', gateway: 'unreachable' })
        assertKeeps(driver, driver.guard.voter.epoch)
      }
    })

    it('in observe mode: it tells what it would do', () => {
      const driver = cutOff({ policy: { mode: 'observe' } })
      const effects = driver.order('yield', 8)
      assert.deepEqual(told(effects), ['would-fence'])
      assert.deepEqual(ofType(effects, 'bar'), [])
      assert.deepEqual(ofType(effects, 'fence'), [])
    })
  })
})

describe('an agent that restarts beside a healthy MASTER', () => {
  const restarted = (options: DriverOptions = {}): GuardDriver =>
    new GuardDriver({
      recovered: {
        kind: 'valid',
        ballot: { to: node, epoch: 8 },
        mark: { epoch: 8, untilMs: startMs + 1500 },
      },
      ...options,
    })

  it('adopts the VIP under its old epoch, with its own vote at once', () => {
    const driver = restarted()
    const effects = driver.master()
    assert.equal(driver.phase, 'claiming')
    assert.equal(driver.epoch, 8)
    assert.deepEqual(ofType(effects, 'record'), [])
    driver.sleep(20)
    driver.granted(witness, startMs)
    assert.equal(driver.phase, 'holding')
  })

  it('gives its connections time to come up before it fences', () => {
    const driver = restarted()
    driver.master()
    driver.pass(timing.checkMs - 1)
    assert.equal(driver.phase, 'claiming')
    driver.pass(1)
    assert.equal(driver.phase, 'fencing')
  })

  it('adopts it by witness and peer where its own ledger is lost', () => {
    const driver = restarted({ recovered: { kind: 'lost' } })
    driver.master()
    assert.equal(driver.phase, 'claiming')
    driver.granted(witness)
    driver.granted(peer)
    assert.equal(driver.phase, 'holding')
  })

  it('promises its vote to nobody else for reserveMs', () => {
    const driver = restarted({ recovered: { kind: 'valid', ballot: { to: node, epoch: 8 }, mark: null } })
    driver.hearWitness()
    driver.backup()
    const ask = (epoch: number): string | undefined =>
      ofType(driver.hearPeer(holdingPeer(epoch, { phase: 'claiming' })), 'answer-peer').at(-1)?.verdict.vote
        .kind
    driver.sleep(timing.reserveMs - 1)
    assert.equal(ask(9), 'refused')
    driver.sleep(1)
    assert.equal(ask(10), 'granted')
  })

  it('claims under a higher epoch where the VIP came only after it had looked', () => {
    const driver = restarted()
    driver.backup()
    driver.master()
    assert.equal(driver.epoch, 9)
  })

  it('keeps the VIP with alone: keep where it hears nobody from the start', () => {
    const driver = restarted({ policy: { alone: 'keep' } })
    driver.master()
    driver.pass(3000)
    assert.equal(driver.phase, 'unprotected')
  })
})

describe('alone: keep', () => {
  const keep: DriverOptions = { policy: { alone: 'keep' } }

  it('keeps the VIP without a lease, and says that the node is unprotected', () => {
    const driver = holding(keep)
    const effects = driver.pass(fenceAfterMs)
    assert.equal(driver.phase, 'unprotected')
    assert.deepEqual(ofType(effects, 'bar'), [])
    assert.ok(told(effects).includes('unprotected'))
    assert.equal(driver.report().phase, 'unprotected')
    assert.equal(driver.report().ask, null)
    assert.equal(driver.report().release, false)
  })

  it('does not bar a node that is alone', () => {
    const driver = standby(keep)
    driver.fallSilent()
    assert.equal(driver.phase, 'standby')
  })

  it('lets a node that is alone take the VIP over, as keepalived would', () => {
    const driver = standby(keep)
    driver.pass(3500)
    const effects = [...driver.master(), ...driver.pass(timing.claimMs)]
    assert.equal(driver.phase, 'unprotected')
    assert.deepEqual(ofType(effects, 'bar'), [])
    assert.deepEqual(ofType(effects, 'fence'), [])
  })

  it('claims as soon as somebody is heard, and fences where it is refused', () => {
    const driver = holding(keep)
    driver.pass(fenceAfterMs + 5000)
    driver.hearWitness()
    assert.equal(driver.phase, 'claiming')
    driver.refused(witness, 'promised', { holder: peer, renewedAgoMs: 100 })
    assert.equal(driver.phase, 'fencing')
  })

  it('holds again as soon as somebody grants', () => {
    const driver = holding(keep)
    driver.pass(fenceAfterMs + 5000)
    driver.hearWitness()
    driver.granted(witness)
    assert.equal(driver.phase, 'holding')
  })

  it('fences a MASTER that is refused though it is not alone', () => {
    const driver = claiming(keep)
    driver.refused(witness, 'promised')
    driver.refused(peer, 'promised')
    assert.equal(driver.phase, 'fencing')
  })

  it('gives up when the VIP goes', () => {
    const driver = holding(keep)
    driver.pass(fenceAfterMs)
    driver.backup()
    assert.equal(driver.phase, 'standby')
    assert.equal(driver.report().release, true)
  })

  it('obeys the witness’s order', () => {
    const driver = holding(keep)
    driver.pass(fenceAfterMs)
    driver.order('fence')
    assert.equal(driver.phase, 'fencing')
  })
})

describe('observe mode', () => {
  const observe: DriverOptions = { policy: { mode: 'observe' } }

  it('tells what it would fence, and touches nothing', () => {
    const driver = claiming(observe)
    driver.refused(witness, 'promised')
    const effects = driver.refused(peer, 'promised')
    assert.equal(driver.phase, 'overruled')
    assert.deepEqual(told(effects), ['would-fence'])
    assert.deepEqual(ofType(effects, 'bar'), [])
    assert.deepEqual(ofType(effects, 'fence'), [])
  })

  it('tells that it would bar, and does not', () => {
    const driver = standby(observe)
    const effects = driver.fallSilent()
    assert.equal(driver.phase, 'barred')
    assert.deepEqual(told(effects), ['barred'])
    assert.deepEqual(ofType(effects, 'bar'), [])
    assert.deepEqual(
      ofType(effects, 'permit').filter(({ word }) => word === 'bar'),
      [],
    )
  })

  it('neither asks nor releases while it is overruled', () => {
    const driver = claiming(observe)
    driver.pass(timing.renewMs)
    assert.equal(driver.phase, 'overruled')
    assert.equal(driver.report().ask, null)
    assert.equal(driver.report().release, false)
  })

  it('is on standby again when the VIP goes', () => {
    const driver = claiming(observe)
    driver.pass(timing.renewMs)
    assert.equal(driver.phase, 'overruled')
    driver.backup()
    assert.equal(driver.phase, 'standby')
  })

  it('claims again with the heartbeat once nobody else holds', () => {
    const driver = claiming(observe)
    driver.pass(timing.renewMs)
    assert.equal(driver.phase, 'overruled')
    driver.hearWitness()
    driver.renew()
    assert.equal(driver.phase, 'claiming')
    driver.granted(witness)
    assert.equal(driver.phase, 'holding')
  })

  it('does not fill the log while it is alone', () => {
    const driver = holding(observe)
    const effects = driver.pass(fenceAfterMs)
    for (let round = 0; round < 100; round++) effects.push(...driver.pass(timing.renewMs), ...driver.renew())
    assert.ok(told(effects).length <= 10, `${told(effects).length} lines within 40 s`)
  })
})

describe('a node as its peer’s voter', () => {
  it('writes the ballot before it grants, and the mark before the grant leaves', () => {
    const driver = standby({ recordsAtOnce: false })
    const asked = driver.hearPeer(holdingPeer(8, { phase: 'claiming' }))
    assert.deepEqual(ofType(asked, 'record'), [{ type: 'record', ballot: { to: peer, epoch: 8 } }])
    assert.deepEqual(
      ofType(asked, 'answer-peer').map(({ verdict }) => verdict.vote.kind),
      ['pending'],
    )
    const decided = driver.feed({ type: 'recorded', ballot: { to: peer, epoch: 8 }, tookMs: 2 })
    assert.deepEqual(types(decided), ['mark', 'answer-peer'])
    assert.deepEqual(ofType(decided, 'answer-peer')[0]?.verdict.vote, { kind: 'granted', epoch: 8 })
    assert.equal(ofType(decided, 'answer-peer')[0]?.beat, ofType(asked, 'answer-peer')[0]?.beat)
  })

  it('renews without writing, the mark first', () => {
    const driver = standbyToHolder()
    driver.pass(timing.renewMs)
    const effects = driver.hearPeer(holdingPeer(8))
    assert.deepEqual(types(effects), ['mark', 'answer-peer'])
  })

  it('does not make an ask stale by having refused the same ask before', () => {
    const driver = holding()
    const ask = holdingPeer(9, { phase: 'claiming', priority: 200 })
    assert.equal(ofType(driver.hearPeer(ask), 'answer-peer')[0]?.verdict.vote.kind, 'refused')
    driver.backup()
    const answers = ofType(driver.hearPeer(ask), 'answer-peer')
    assert.equal(answers.at(-1)?.verdict.vote.kind, 'granted')
  })

  it('refuses where the ballot cannot be written, and says so', () => {
    const driver = standby({ recordsAtOnce: false })
    driver.hearPeer(holdingPeer(8, { phase: 'claiming' }))
    const effects = driver.feed({ type: 'record-failed', ballot: { to: peer, epoch: 8 }, error: 'ENOSPC' })
    const [answer] = ofType(effects, 'answer-peer')
    assert.ok(answer?.verdict.vote.kind === 'refused')
    assert.equal(answer.verdict.vote.reason, 'ledger')
    assert.deepEqual(told(effects), ['promise-not-written'])
  })

  it('answers each report, also one that asks for nothing', () => {
    const [answer] = ofType(standby().hearPeer(), 'answer-peer')
    assert.deepEqual(answer?.verdict.vote, { kind: 'none' })
  })

  it('says who has its vote and how long ago it was renewed', () => {
    const driver = standbyToHolder()
    driver.pass(300)
    const [answer] = ofType(driver.hearPeer(peerReport({ epoch: 8 })), 'answer-peer')
    assert.equal(answer?.verdict.holder, peer)
    assert.equal(answer.verdict.renewedAgoMs, 300)
  })

  it('has its vote free again when the peer gives it back', () => {
    const driver = standbyToHolder()
    const effects = driver.hearPeer(peerReport({ release: true, epoch: 8 }))
    assert.equal(driver.guard.voter.pledge.phase, 'free')
    assert.deepEqual(ofType(effects, 'mark'), [{ type: 'mark', mark: { epoch: 8, untilMs: 0 } }])
  })

  it('refuses a peer whose lease is longer than its own promises', () => {
    const driver = standby()
    const effects = driver.feed({
      type: 'peer-report',
      beat: 77,
      report: holdingPeer(8),
      leaseMs: timing.reserveMs,
    })
    const [answer] = ofType(effects, 'answer-peer')
    assert.ok(answer?.verdict.vote.kind === 'refused')
    assert.equal(answer.verdict.vote.reason, 'lease-too-long')
  })

  it('hears nothing from a peer that no plan named', () => {
    const driver = new GuardDriver({ peer: null })
    assert.deepEqual(driver.hearPeer(holdingPeer(8)), [])
    assert.equal(driver.guard.voter.epoch, 7)
  })
})

describe('the permit', () => {
  const permitOf = (driver: GuardDriver): { word: string; leftMs: number } | undefined =>
    ofType(driver.renew(), 'permit').map(({ word, untilMs }) => ({ word, leftMs: untilMs - driver.atMs }))[0]

  it('outlives on standby a promise given before the next line is due, so that it ends with the votes a dead agent gave', () => {
    assert.deepEqual(permitOf(standby()), { word: 'permit', leftMs: timing.reserveMs + timing.renewMs })
  })

  it('ends so early while the node holds that the check of a dead agent asks within the witness’s promise', () => {
    const driver = holding()
    assert.deepEqual(permitOf(driver), { word: 'permit', leftMs: holderPermitMs })
    assert.ok(holderPermitMs + timing.checkMs < timing.reserveMs)
  })

  it('ends at E2’s instant where that comes first', () => {
    const driver = holding()
    driver.pass(fenceAfterMs - 300)
    assert.deepEqual(permitOf(driver), { word: 'permit', leftMs: 300 })
  })

  it('is not extended by a claim', () => {
    assert.equal(permitOf(claiming()), undefined)
  })

  it('forbids while barred, fencing and fenced', () => {
    const barred = standby()
    barred.fallSilent()
    for (const driver of [barred, fencing(), fenced()])
      assert.deepEqual(
        permitOf(driver),
        { word: 'bar', leftMs: timing.reserveMs + timing.renewMs },
        driver.phase,
      )
  })

  it('names the reason of a fence for as long as it is fenced', () => {
    const driver = fenced()
    assert.equal(ofType(driver.renew(), 'permit')[0]?.why, driver.report().why)
  })

  it('forbids during a drill and allows when keepalived is to come back, each as long as any other line', () => {
    const driver = standbyToHolder()
    driver.hearPeer(holdingPeer(8))
    driver.order('drill', 8)
    assert.equal(driver.phase, 'drilling')
    const leftMs = timing.reserveMs + timing.renewMs
    assert.deepEqual(permitOf(driver), { word: 'bar', leftMs })
    assert.match(ofType(driver.renew(), 'permit')[0]?.why ?? '', /^a drill: /)
    driver.fault()
    driver.sleep(1000)
    driver.absent()
    assert.deepEqual(permitOf(driver), { word: 'permit', leftMs })
  })

  it('forbids also when keepalived comes back from a drill where the bar stays', () => {
    const driver = new GuardDriver({ timing: { gate: 'strict', reserveMs: strictReserveMs } })
    driver.hearPeer(holdingPeer(8))
    driver.hearWitness()
    driver.fault()
    driver.order('drill', 8)
    assert.equal(driver.phase, 'drilling')
    driver.fault()
    driver.sleep(1000)
    driver.absent()
    assert.equal(driver.guard.barOn, true)
    assert.deepEqual(permitOf(driver), { word: 'bar', leftMs: strictReserveMs + timing.renewMs })
  })

  it('goes on without a lease while unprotected', () => {
    const driver = holding({ policy: { alone: 'keep' } })
    driver.pass(fenceAfterMs)
    assert.equal(driver.phase, 'unprotected')
    assert.deepEqual(permitOf(driver), { word: 'permit', leftMs: timing.reserveMs + timing.renewMs })
  })

  it('is never a bar in observe mode', () => {
    for (const make of [standby, claiming, holding, fencing])
      assert.equal(permitOf(make({ policy: { mode: 'observe' } }))?.word, 'permit', make.name)
  })

  it('has a whole number of milliseconds', () => {
    const driver = standby()
    driver.sleep(0.37)
    const [permit] = ofType(driver.renew(), 'permit')
    assert.ok(Number.isInteger(permit?.untilMs))
  })
})

describe('a guard before its first look at keepalived', () => {
  it('decides nothing and releases nothing', () => {
    const driver = new GuardDriver()
    driver.hearWitness()
    driver.pass(10_000)
    assert.equal(driver.phase, 'standby')
    assert.equal(driver.report().release, false)
  })
})
