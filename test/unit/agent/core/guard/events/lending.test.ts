import assert from 'node:assert/strict'
import type { GuardEffect } from '../../../../../../agent/core/guard/guard.ts'
import type { Report } from '../../../../../../shared/protocol/report.ts'
import { silenceMs } from '../../../../../../shared/core/timing.ts'
import { leftWith, promisedTo } from '../../../../../../shared/core/vote/voter.ts'
import {
  GuardDriver,
  holding,
  holdingPeer,
  node,
  ofType,
  peer,
  peerReport,
  standbyToHolder,
  timing,
  told,
  types,
  type DriverOptions,
} from '../guard-fixture.ts'

const { renewMs, delegateAfterMs, reserveMs } = timing
const epochLeft = 8
const longMs = delegateAfterMs + renewMs

/** What the holder says when it has not heard the witness for that long. */
function lonelyHolder(witnessSilentMs: number | undefined, change: Partial<Report> = {}): Report {
  return holdingPeer(epochLeft, witnessSilentMs === undefined ? change : { witnessSilentMs, ...change })
}

/** A standby whose vote is promised to the holder; neither has heard the witness for `forMs`. */
function besideLonelyHolder(forMs: number, options: DriverOptions = {}): GuardDriver {
  const driver = standbyToHolder(options)
  driver.sleep(forMs)
  driver.hearPeer(lonelyHolder(forMs))
  return driver
}

/** @param options.running the priority that keepalived says it runs with */
function lent({ running, ...options }: DriverOptions & { running?: number } = {}): GuardDriver {
  const driver = standbyToHolder(options)
  if (running !== undefined) driver.feed({ type: 'priority', priority: running })
  driver.sleep(longMs)
  driver.hearPeer(lonelyHolder(longMs))
  assert.equal(leftWith(driver.guard.voter)?.to, peer)
  return driver
}

/** What the standby says when it has delegated its vote to this node. */
const lentHere = (change: Partial<Report> = {}): Report =>
  peerReport({
    epoch: epochLeft,
    witnessSilentMs: longMs,
    left: { kind: 'leaving', to: node, epoch: epochLeft, because: 'witness-silent' },
    ...change,
  })

/** This node holds by its own vote and the peer's, and the witness has been silent for long. */
function lonelyAndHolding(): GuardDriver {
  const driver = holding()
  driver.renew()
  driver.granted(peer)
  // The peer renews all the time; what is under test is the silence of the witness.
  for (let passedMs = 0; passedMs < longMs; passedMs += renewMs) {
    driver.sleep(renewMs)
    driver.granted(peer)
    driver.renew()
  }
  assert.equal(driver.phase, 'holding')
  return driver
}

function borrowing(): GuardDriver {
  const driver = lonelyAndHolding()
  driver.hearPeer(lentHere())
  assert.equal(driver.guard.kept.phase, 'kept')
  return driver
}

describe('the last report of a peer that answers and reports no more', () => {
  it('makes nobody delegate a vote: after a reboot the new agent answers before its heartbeats count', () => {
    // When this node has missed the witness for long enough, the report is no longer fresh.
    const driver = standbyToHolder()
    driver.sleep(delegateAfterMs - silenceMs(timing))
    driver.hearPeer(lonelyHolder(longMs))
    assert.equal(leftWith(driver.guard.voter), null)
    for (let passedMs = 0; passedMs < longMs; passedMs += renewMs) {
      driver.sleep(renewMs)
      driver.answer(peer, { kind: 'none' })
      driver.renew()
    }
    assert.equal(leftWith(driver.guard.voter), null)
    assert.notEqual(driver.phase, 'barred', 'the peer is heard')
  })
})

describe('a standby beside a holder, while the witness is silent', () => {
  it('delegates its vote once both have not heard the witness for long, and goes on standing by', () => {
    const driver = standbyToHolder()
    driver.sleep(longMs)
    const effects = driver.hearPeer(lonelyHolder(longMs))
    assert.deepEqual(
      types(effects).filter((type) => ['vote-left', 'record', 'beat'].includes(type)),
      ['vote-left', 'record', 'beat'],
    )
    assert.ok(told(effects).includes('vote-lent'))
    assert.deepEqual(driver.report().left, {
      kind: 'leaving',
      to: peer,
      epoch: epochLeft,
      because: 'witness-silent',
    })
    assert.equal(driver.phase, 'standby')
    assert.equal(driver.guard.barOn, false)
  })

  it('keeps its vote where one of the two has heard the witness a while ago', () => {
    const restart = besideLonelyHolder(60_000)
    const holderHeardIt = standbyToHolder()
    holderHeardIt.sleep(longMs)
    holderHeardIt.hearPeer(lonelyHolder(60_000))
    const holderHearsIt = standbyToHolder()
    holderHearsIt.sleep(longMs)
    holderHearsIt.hearPeer(lonelyHolder(undefined))
    const hearsIt = standbyToHolder()
    hearsIt.sleep(longMs)
    hearsIt.hearWitness()
    hearsIt.hearPeer(lonelyHolder(longMs))
    for (const driver of [restart, holderHeardIt, holderHearsIt, hearsIt])
      assert.equal(leftWith(driver.guard.voter), null)
  })

  it('keeps its vote where the timing, its mode or "alone: keep" makes it pointless, and does not ask for the peer’s', () => {
    for (const options of [
      { timing: { delegateAfterMs: 0 } },
      { policy: { mode: 'observe' } },
      { policy: { alone: 'keep' } },
    ] as const) {
      const driver = besideLonelyHolder(longMs, options)
      assert.equal(leftWith(driver.guard.voter), null)
      assert.equal(driver.report().witnessSilentMs, undefined)
    }
  })

  it('keeps its vote while it is not armed, shows the VIP, is a drill’s, or the peer does not hold or is silent', () => {
    const unarmed = besideLonelyHolder(longMs, { armed: false, recovered: { kind: 'lost' } })
    const master = standbyToHolder()
    master.master()
    master.sleep(longMs)
    master.hearPeer(lonelyHolder(longMs))
    const free = standbyToHolder()
    free.sleep(longMs)
    free.hearPeer(peerReport({ witnessSilentMs: longMs, epoch: epochLeft }))
    const silent = standbyToHolder()
    silent.hearPeer(lonelyHolder(longMs))
    silent.pass(longMs)
    const away = standbyToHolder()
    away.sleep(longMs)
    away.hearPeer(lonelyHolder(longMs, { left: { kind: 'returning', to: node, epoch: 7 } }))
    for (const driver of [unarmed, master, free, silent, away])
      assert.equal(leftWith(driver.guard.voter), null)
  })

  it('renews the promise of the holder while the disk is slow, and refuses itself', () => {
    const driver = standbyToHolder({ recordsAtOnce: false })
    driver.hearPeer(holdingPeer(epochLeft))
    driver.feed({ type: 'recorded', ballot: { to: peer, epoch: epochLeft }, tookMs: 1 })
    driver.sleep(longMs)
    driver.hearPeer(holdingPeer(epochLeft))
    const begun = driver.hearPeer(lonelyHolder(longMs))
    assert.equal(driver.guard.voter.pledge.phase, 'recording')
    assert.equal(ofType(begun, 'answer-peer').at(-1)?.verdict.vote.kind, 'granted')
    for (let beats = 0; beats < 20; beats++) {
      driver.sleep(renewMs)
      const effects = driver.hearPeer(lonelyHolder(longMs))
      assert.equal(ofType(effects, 'answer-peer').at(-1)?.verdict.vote.kind, 'granted')
      assert.equal(driver.report().left, undefined, 'it is not on disk')
    }
    assert.equal(promisedTo(driver.guard.voter, driver.atMs)?.node, peer)
    driver.master()
    assert.equal(driver.guard.candidacy?.refusals[node]?.reason, 'promised', 'no claim waits for that')
  })

  it('keeps promising where the disk fails, tells the check, and tries again a minute later', () => {
    const driver = standbyToHolder({ recordsAtOnce: false })
    driver.hearPeer(holdingPeer(epochLeft))
    driver.feed({ type: 'recorded', ballot: { to: peer, epoch: epochLeft }, tookMs: 1 })
    driver.sleep(longMs)
    driver.hearPeer(holdingPeer(epochLeft))
    driver.hearPeer(lonelyHolder(longMs))
    const failed = driver.feed({
      type: 'record-failed',
      ballot: { to: peer, epoch: epochLeft, standing: true },
      error: 'ENOSPC',
    })
    assert.deepEqual(ofType(failed, 'vote-left'), [{ type: 'vote-left', on: false }])
    const after = driver.hearPeer(lonelyHolder(longMs))
    assert.equal(ofType(after, 'answer-peer').at(-1)?.verdict.vote.kind, 'granted')
    assert.deepEqual(ofType(after, 'record'), [])
    driver.sleep(61_000)
    driver.hearPeer(holdingPeer(epochLeft))
    driver.feed({ type: 'recorded', ballot: { to: peer, epoch: epochLeft }, tookMs: 1 })
    const again = driver.hearPeer(lonelyHolder(longMs))
    assert.deepEqual(
      ofType(again, 'record').map(({ ballot }) => ballot.standing),
      [true],
    )
  })
})

describe('a standby whose vote is delegated because the witness is silent', () => {
  it('is barred once it hears the holder no more, however long, and says what to do', () => {
    const driver = lent()
    driver.pass(silenceMs(timing))
    assert.equal(driver.phase, 'barred')
    driver.pass(3_600_000)
    assert.equal(driver.phase, 'barred')
    assert.equal(leftWith(driver.guard.voter)?.to, peer)
    assert.match(driver.report().why, /because the witness was silent.*power it off.*take-vote-back/)
  })

  it('wants it back when it hears the witness, and has it by the holder’s consent alone', () => {
    const driver = lent()
    const effects = driver.hearWitness()
    assert.deepEqual(driver.report().left, { kind: 'returning', to: peer, epoch: epochLeft })
    assert.ok(types(effects).includes('beat'))
    driver.pass(reserveMs)
    assert.equal(leftWith(driver.guard.voter)?.to, peer)
    driver.answer(peer, { kind: 'none' }, { returnsVote: epochLeft, holder: peer })
    assert.equal(leftWith(driver.guard.voter), null)
  })

  it('wants it back when weights make its keepalived the one that preempts, and not with nopreempt', () => {
    const weighed = (change: Partial<Report>, nopreempt = false): boolean => {
      const driver = lent({ profile: { priority: 100, weights: 'told', nopreempt }, running: 100 })
      driver.hearPeer(lonelyHolder(longMs, { keepsVote: epochLeft, configuredPriority: 150, ...change }))
      return driver.report().left?.kind === 'returning'
    }
    assert.equal(weighed({ priority: 100 }), false)
    assert.equal(weighed({ priority: 90 }), true)
    assert.equal(weighed({ priority: 90 }, true), false)
    assert.equal(weighed({ priority: 150, priorityMayDiffer: true }), true)
  })

  it('wants it back when the holder hears the witness, or gives the VIP up', () => {
    const heard = lent()
    heard.hearPeer(lonelyHolder(undefined, { keepsVote: epochLeft }))
    const released = lent()
    released.hearPeer(
      peerReport({ release: true, keepsVote: epochLeft, witnessSilentMs: longMs, epoch: epochLeft }),
    )
    for (const driver of [heard, released]) assert.equal(driver.report().left?.kind, 'returning')
  })

  it('leaves it where it is while the agent of the holder starts again', () => {
    const driver = lent()
    driver.hearPeer(
      peerReport({
        phase: 'claiming',
        vips: 'held',
        witnessSilentMs: 400,
        keepsVote: epochLeft,
        epoch: epochLeft,
      }),
    )
    driver.hearPeer(lonelyHolder(1200, { keepsVote: epochLeft }))
    assert.equal(driver.report().left?.kind, 'leaving')
  })

  it('leaves it where it is after its own restart, if the holder still does not hear the witness', () => {
    const driver = new GuardDriver({
      recovered: { kind: 'valid', ballot: { to: peer, epoch: epochLeft, standing: true }, mark: null },
    })
    driver.backup()
    driver.hearPeer(lonelyHolder(longMs, { keepsVote: epochLeft }))
    assert.equal(driver.report().left?.kind, 'returning', 'it may hear the witness in a moment')
    assert.notEqual(driver.report().witnessSilentMs, undefined)
    driver.sleep(silenceMs(timing))
    driver.hearPeer(lonelyHolder(longMs, { keepsVote: epochLeft }))
    assert.equal(driver.report().left?.kind, 'leaving')
  })

  it('can still leave at its operator’s word', () => {
    const driver = lent()
    driver.absent()
    driver.feed({ type: 'leave' })
    assert.deepEqual(driver.report().left, { kind: 'leaving', to: peer, epoch: epochLeft })
  })
})

describe('a holder to which a vote is delegated because the witness is silent', () => {
  it('holds on without the witness and without the peer, and says on what its lease rests', () => {
    const driver = lonelyAndHolding()
    const effects = driver.hearPeer(lentHere())
    assert.ok(told(effects).includes('vote-borrowed'))
    for (let beats = 0; beats < 100; beats++) {
      driver.pass(renewMs)
      driver.renew()
    }
    assert.equal(driver.phase, 'holding')
    assert.match(driver.report().why, /because the witness is silent/)
  })

  it('does not hand it back to a standby that was restarted and does not hear the witness either', () => {
    const driver = borrowing()
    driver.granted(peer)
    driver.hearPeer(lentHere({ left: { kind: 'returning', to: node, epoch: epochLeft }, witnessSilentMs: 0 }))
    assert.equal(driver.guard.kept.phase, 'kept')
  })

  it('hands it back to a standby whose keepalived preempts because of the weights', () => {
    const driver = borrowing()
    driver.renew()
    driver.granted(peer)
    const back = { left: { kind: 'returning', to: node, epoch: epochLeft } } as const
    driver.hearPeer(lentHere({ ...back, priority: 200, configuredPriority: 100, nopreempt: true }))
    assert.equal(driver.guard.kept.phase, 'kept')
    driver.hearPeer(lentHere({ ...back, priority: 200, configuredPriority: 100 }))
    assert.equal(driver.guard.kept.phase, 'none')
  })

  it('hands it back as soon as the standby hears the witness', () => {
    const driver = borrowing()
    driver.renew()
    driver.granted(peer)
    const hearing = peerReport({
      epoch: epochLeft,
      left: { kind: 'returning', to: node, epoch: epochLeft },
    })
    const effects = driver.hearPeer(hearing)
    assert.ok(told(effects).includes('vote-handed-back'))
    assert.ok(types(effects).includes('beat'), 'the standby asks for it at once')
    assert.equal(driver.guard.kept.phase, 'none')
  })

  it('hands it back when keepalived is stopped here, so that the standby can take over', () => {
    const driver = borrowing()
    driver.absent()
    driver.hearPeer(lentHere({ left: { kind: 'returning', to: node, epoch: epochLeft } }))
    assert.equal(driver.guard.kept.phase, 'none')
  })

  it('tells of a disk that refuses the vote once, and tries again every ten seconds', () => {
    const driver = holding({ recordsAtOnce: false })
    const attempts: GuardEffect[] = []
    let failures = 0
    for (let beats = 0; beats < 100; beats++) {
      driver.sleep(renewMs)
      const effects = driver.hearPeer(lentHere())
      attempts.push(...ofType(effects, 'keep-vote'))
      for (const { kept } of ofType(effects, 'keep-vote')) {
        const failed = driver.feed({ type: 'vote-kept', kept, error: 'ENOSPC' })
        failures += told(failed).filter((event) => event === 'vote-not-kept').length
      }
    }
    assert.equal(failures, 1)
    assert.equal(attempts.length, 4)
  })
})

describe('a witness that is silent', () => {
  it('is reported by the nodes themselves after the long silence, again every six hours, and when it is back', () => {
    const driver = standbyToHolder()
    const until = (ms: number): GuardEffect[] => {
      driver.sleep(ms)
      return driver.tick()
    }
    assert.ok(!told(until(delegateAfterMs - 1000)).includes('witness-silent'))
    assert.ok(told(until(2000)).includes('witness-silent'))
    assert.ok(!told(until(3_600_000)).includes('witness-silent'))
    assert.ok(told(until(6 * 3_600_000)).includes('witness-silent'))
    assert.ok(told(driver.hearWitness()).includes('witness-heard'))
    assert.ok(!told(driver.hearWitness()).includes('witness-heard'))
  })

  it('is reported where nothing is delegated, too', () => {
    const driver = standbyToHolder({ timing: { delegateAfterMs: 0 } })
    driver.sleep(longMs)
    assert.ok(told(driver.tick()).includes('witness-silent'))
  })
})
