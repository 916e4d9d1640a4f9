import assert from 'node:assert/strict'
import { leaveHindrance, leaveProgress, type GuardEffect } from '../../../agent/guard.ts'
import type { LeftVote, Report } from '../../../shared/protocol.ts'
import { silenceMs } from '../../../shared/timing.ts'
import { leftWith } from '../../../shared/vote.ts'
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
} from './guard-fixture.ts'

const { renewMs } = timing
const epochLeft = 8

/** What the peer says while its vote stands here. */
function leftHere(kind: 'leaving' | 'returning', epoch = epochLeft): Report {
  const left: LeftVote = { kind, to: node, epoch }
  return peerReport({ keepalived: 'STOP', process: 'absent', epoch, left })
}

/** The operator takes this node away while the peer holds. */
function leaves(options: DriverOptions = {}): { driver: GuardDriver; effects: GuardEffect[] } {
  const driver = standbyToHolder(options)
  driver.absent()
  return { driver, effects: driver.feed({ type: 'leave' }) }
}

/** This node is back; its vote stands with the peer. */
function returned(): GuardDriver {
  const driver = new GuardDriver({
    recovered: { kind: 'valid', ballot: { to: peer, epoch: epochLeft, standing: true }, mark: null },
  })
  driver.fault()
  return driver
}

/** This node holds, and the peer left its vote here. */
function keeping(options: DriverOptions = {}): GuardDriver {
  const driver = holding(options)
  driver.hearPeer(leftHere('leaving'))
  return driver
}

function answerToPeer(effects: readonly GuardEffect[]): number | undefined {
  return ofType(effects, 'answer-peer').at(-1)?.verdict.returnsVote
}

/** Heartbeats that the witness does not answer, for longer than any lease. */
function outliveWitness(driver: GuardDriver): GuardEffect[] {
  const effects: GuardEffect[] = []
  for (let beats = 0; beats < 12; beats++) {
    effects.push(...driver.pass(renewMs))
    effects.push(...driver.renew())
  }
  return effects
}

describe('a node that its operator takes away', () => {
  it('tells the check, then its disk, then the peer', () => {
    const { driver, effects } = leaves()
    const order = types(effects).filter((type) => ['vote-left', 'record', 'beat'].includes(type))
    assert.deepEqual(order, ['vote-left', 'record', 'beat'])
    assert.deepEqual(driver.report().left, { kind: 'leaving', to: peer, epoch: epochLeft })
  })

  it('says nothing of it before it is on disk', () => {
    const { driver } = leaves({ recordsAtOnce: false })
    driver.feed({ type: 'recorded', ballot: { to: peer, epoch: epochLeft }, tookMs: 1 })
    driver.feed({ type: 'leave' })
    assert.equal(driver.report().left, undefined)
    assert.equal(leaveProgress(driver.guard), 'leaving')
  })

  it('has left when the peer answers that it counts the vote, and not when it only has heard of it', () => {
    const { driver } = leaves()
    driver.hearPeer(holdingPeer(epochLeft, { keepsVote: epochLeft }))
    assert.equal(leaveProgress(driver.guard), 'leaving')
    driver.answer(peer, { kind: 'none' }, { countsVote: epochLeft - 1 })
    driver.answer('witness', { kind: 'none' }, { countsVote: epochLeft })
    assert.equal(leaveProgress(driver.guard), 'leaving')
    driver.answer(peer, { kind: 'none' }, { countsVote: epochLeft })
    assert.equal(leaveProgress(driver.guard), 'left')
  })

  it('leaves nothing while its keepalived runs', () => {
    const driver = standbyToHolder()
    driver.feed({ type: 'leave' })
    assert.equal(leaveProgress(driver.guard), 'stays')
    assert.equal(leftWith(driver.guard.voter), null)
    assert.match(leaveHindrance(driver.guard, driver.atMs) ?? '', /keepalived runs here: stop it first/)
  })

  it('is a node that comes back where the leave is given up, or keepalived is started here', () => {
    const givenUp = leaves().driver
    givenUp.feed({ type: 'stay' })
    const started = leaves().driver
    started.backup()
    for (const driver of [givenUp, started]) {
      assert.deepEqual(driver.report().left, { kind: 'returning', to: peer, epoch: epochLeft })
      driver.answer(peer, { kind: 'none' }, { returnsVote: epochLeft, holder: peer })
      assert.equal(leftWith(driver.guard.voter), null)
    }
  })

  it('takes its vote back by no answer while it goes', () => {
    const { driver } = leaves()
    driver.answer(peer, { kind: 'none' }, { returnsVote: epochLeft, holder: peer })
    assert.equal(leftWith(driver.guard.voter)?.to, peer)
  })

  it('leaves again where the vote is out still, and is not handed back yet', () => {
    const driver = returned()
    driver.hearPeer(holdingPeer(epochLeft))
    driver.absent()
    driver.feed({ type: 'leave' })
    assert.deepEqual(driver.report().left, { kind: 'leaving', to: peer, epoch: epochLeft })
  })

  it('leaves nothing during a drill, which starts keepalived again', () => {
    const driver = standbyToHolder()
    driver.order('drill', epochLeft)
    driver.fault()
    driver.absent()
    driver.feed({ type: 'leave' })
    assert.equal(leftWith(driver.guard.voter), null)
    assert.match(leaveHindrance(driver.guard, driver.atMs) ?? '', /in a drill/)
  })

  it('leaves nothing with a peer that is silent, does not hold, or is not there', () => {
    const silent = standbyToHolder()
    silent.absent()
    silent.pass(silenceMs(timing))
    const free = standbyToHolder()
    free.absent()
    free.hearPeer(peerReport({ epoch: epochLeft }))
    const single = new GuardDriver({ peer: null })
    single.absent()
    for (const driver of [silent, free, single]) {
      driver.feed({ type: 'leave' })
      assert.equal(leaveProgress(driver.guard), 'stays')
    }
  })

  it('leaves nothing in observe mode, nor where it stopped keepalived itself', () => {
    const observing = leaves({ policy: { mode: 'observe' } })
    const fenced = new GuardDriver({ memory: { stopped: true, number: 1, recentAtMs: [] } })
    fenced.absent()
    fenced.hearPeer(holdingPeer(epochLeft))
    fenced.feed({ type: 'leave' })
    for (const { guard } of [observing.driver, fenced]) assert.equal(leftWith(guard.voter), null)
  })
})

describe('a node that is back', () => {
  it('does no drill before it has its vote', () => {
    const driver = returned()
    driver.hearPeer(holdingPeer(epochLeft))
    driver.backup()
    const effects = driver.order('drill', epochLeft)
    assert.equal(ofType(effects, 'drilled').at(-1)?.drilled.result, 'refused')
    assert.equal(driver.phase, 'barred')
  })

  it('is barred until the holder hands its vote back, and says what to do', () => {
    const driver = returned()
    driver.hearWitness()
    driver.pass(60_000)
    driver.hearWitness()
    assert.equal(driver.phase, 'barred')
    assert.match(driver.report().why, /left its vote with lb02.*witness-agent take-vote-back/)
    assert.deepEqual(driver.report().left, { kind: 'returning', to: peer, epoch: epochLeft })
  })

  it('stays barred until the returned vote is on disk, and then tells the check', () => {
    const driver = returned()
    const heard = driver.hearPeer(holdingPeer(epochLeft))
    assert.equal(driver.phase, 'barred')
    assert.deepEqual(ofType(heard, 'vote-left'), [])
    const effects = driver.answer(peer, { kind: 'none' }, { returnsVote: epochLeft, holder: peer })
    assert.deepEqual(ofType(effects, 'vote-left'), [{ type: 'vote-left', on: false }])
    assert.ok(told(effects).includes('vote-back'))
    assert.equal(leftWith(driver.guard.voter), null)
    assert.equal(driver.report().left, undefined)
  })

  it('takes nothing back under another epoch, or from the witness', () => {
    const driver = returned()
    driver.answer(peer, { kind: 'none' }, { returnsVote: epochLeft - 1 })
    driver.answer('witness', { kind: 'none' }, { returnsVote: epochLeft })
    assert.equal(leftWith(driver.guard.voter)?.to, peer)
  })

  it('fences itself at once where its keepalived becomes MASTER all the same', () => {
    const driver = returned()
    driver.hearPeer(holdingPeer(epochLeft))
    driver.master()
    assert.equal(driver.phase, 'fencing')
  })

  it('takes the peer’s word for a vote that its lost state file may have told of, while it promises nothing yet', () => {
    const lost = {
      recovered: { kind: 'lost' },
      standing: { kept: null, rebooted: true, inDoubt: true },
    } as const
    const driver = new GuardDriver(lost)
    assert.deepEqual(driver.report().left, { kind: 'unknown' })
    driver.hearPeer(holdingPeer(epochLeft, { keepsVote: epochLeft }))
    assert.equal(leftWith(driver.guard.voter)?.to, peer)

    const late = new GuardDriver(lost)
    late.pass(timing.reserveMs)
    assert.equal(late.report().left, undefined)
    late.hearPeer(holdingPeer(epochLeft, { keepsVote: epochLeft }))
    assert.equal(leftWith(late.guard.voter), null)
  })

  it('holds like any other where it is new and nobody left anything', () => {
    const driver = new GuardDriver({
      peer: null,
      recovered: { kind: 'lost' },
      standing: { kept: null, rebooted: true, inDoubt: true },
    })
    driver.hearWitness()
    driver.backup()
    driver.pass(timing.reserveMs)
    driver.hearWitness()
    driver.master()
    driver.granted('witness')
    assert.equal(driver.phase, 'holding')
  })
})

describe('a holder to which a vote was left', () => {
  it('tells the one that goes that it counts the vote, from the disk on and while that one goes', () => {
    const driver = holding({ recordsAtOnce: false })
    driver.feed({ type: 'recorded', ballot: { to: node, epoch: driver.epoch }, tookMs: 1 })
    const counts = (): number | undefined =>
      ofType(driver.hearPeer(leftHere('leaving')), 'answer-peer').at(-1)?.verdict.countsVote
    assert.equal(counts(), undefined)
    driver.feed({ type: 'vote-kept', kept: { of: peer, epoch: epochLeft }, error: null })
    assert.equal(counts(), epochLeft)
    const back = ofType(driver.hearPeer(leftHere('returning')), 'answer-peer')
    assert.equal(back.at(-1)?.verdict.countsVote, undefined)
  })

  it('does no drill that would move the VIP to the one that left', () => {
    const driver = keeping()
    driver.hearPeer({ ...leftHere('returning'), phase: 'gated', keepalived: 'FAULT', process: 'running' })
    const effects = driver.order('drill-holder', driver.epoch)
    assert.equal(ofType(effects, 'drilled').at(-1)?.drilled.result, 'refused')
  })

  it('outlives the witness by it', () => {
    const driver = keeping()
    outliveWitness(driver)
    assert.equal(driver.phase, 'holding')
    assert.match(driver.report().why, /lb02 left its vote here/)
    assert.match(driver.report().warnings.join(), /the lease rests on the vote that lb02 left here/)
  })

  it('does not count it before it is on disk, nor where the disk refuses it', () => {
    const unwritten = holding({ recordsAtOnce: false })
    unwritten.feed({ type: 'recorded', ballot: { to: node, epoch: unwritten.epoch }, tookMs: 1 })
    unwritten.hearPeer(leftHere('leaving'))
    assert.equal(unwritten.guard.kept.phase, 'keeping')
    const refused = holding({ recordsAtOnce: false })
    refused.feed({ type: 'recorded', ballot: { to: node, epoch: refused.epoch }, tookMs: 1 })
    refused.hearPeer(leftHere('leaving'))
    refused.feed({ type: 'vote-kept', kept: { of: peer, epoch: epochLeft }, error: 'ENOSPC' })
    for (const driver of [unwritten, refused]) {
      outliveWitness(driver)
      assert.notEqual(driver.phase, 'holding')
    }
  })

  it('hands it back when it is off the disk, and not while it needs it', () => {
    const driver = keeping()
    outliveWitness(driver)
    assert.equal(answerToPeer(driver.hearPeer(leftHere('returning'))), undefined)
    assert.equal(driver.guard.kept.phase, 'kept')
    driver.granted('witness')
    const effects = driver.hearPeer(leftHere('returning'))
    assert.deepEqual(ofType(effects, 'keep-vote'), [{ type: 'keep-vote', kept: null }])
    assert.equal(answerToPeer(driver.hearPeer(leftHere('returning'))), epochLeft)
  })

  it('counts it until it is off the disk', () => {
    const driver = holding({ recordsAtOnce: false })
    driver.feed({ type: 'recorded', ballot: { to: node, epoch: driver.epoch }, tookMs: 1 })
    driver.hearPeer(leftHere('leaving'))
    driver.feed({ type: 'vote-kept', kept: { of: peer, epoch: epochLeft }, error: null })
    const effects = driver.hearPeer(leftHere('returning'))
    assert.equal(answerToPeer(effects), undefined)
    assert.equal(answerToPeer(driver.hearPeer(leftHere('returning'))), undefined)
    assert.equal(driver.report().keepsVote, epochLeft)
  })

  it('counts it no more from the moment in which the peer shows that it has its vote itself', () => {
    const driver = keeping()
    const effects = driver.hearPeer(peerReport({ epoch: epochLeft }))
    assert.ok(told(effects).includes('kept-vote-void'))
    outliveWitness(driver)
    assert.notEqual(driver.phase, 'holding')
  })

  it('counts it no more where the witness hears the peer renew', () => {
    const driver = keeping()
    driver.sleep(10)
    assert.ok(told(driver.witnessNamesPeer(0)).includes('kept-vote-void'))
  })

  it('finds it on disk after a reboot, and counts it when peer and witness had the time to deny it', () => {
    const standing = { kept: { of: peer, epoch: epochLeft }, rebooted: true, inDoubt: false }
    const driver = new GuardDriver({ standing })
    driver.backup()
    driver.pass(silenceMs(timing) - 1)
    assert.equal(driver.guard.kept.phase, 'recovered')
    driver.pass(1)
    assert.equal(driver.guard.kept.phase, 'kept')
  })

  it('counts it at once after a restart of its agent alone', () => {
    const standing = { kept: { of: peer, epoch: epochLeft }, rebooted: false, inDoubt: false }
    const driver = new GuardDriver({ standing })
    driver.master()
    assert.equal(driver.phase, 'holding')
  })

  it('does not count the vote of a node that is not its peer any more', () => {
    const standing = { kept: { of: 'lb09', epoch: epochLeft }, rebooted: false, inDoubt: false }
    const driver = new GuardDriver({ standing })
    driver.master()
    assert.equal(driver.phase, 'claiming')
  })
})
