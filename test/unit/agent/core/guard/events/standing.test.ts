import assert from 'node:assert/strict'
import { type GuardEffect, leaveHindrance, leaveProgress } from '../../../../../../agent/core/guard/guard.ts'
import type { LeftVote, Report } from '../../../../../../shared/protocol/report.ts'
import { silenceMs } from '../../../../../../shared/core/timing.ts'
import { leftWith } from '../../../../../../shared/core/vote/voter.ts'
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

/** The disk answers only when the test says so; this node holds by its own vote and the witness's. */
function holdingOnSlowDisk(): GuardDriver {
  const driver = holding({ recordsAtOnce: false })
  driver.feed({ type: 'recorded', ballot: { to: node, epoch: driver.epoch }, tookMs: 1 })
  return driver
}

const ballot = { of: peer, epoch: epochLeft }

/** As `holdingOnSlowDisk`, and the peer's vote is on disk here. */
function keepingOnSlowDisk(): GuardDriver {
  const driver = holdingOnSlowDisk()
  driver.hearPeer(leftHere('leaving'))
  driver.feed({ type: 'vote-kept', kept: ballot, error: null })
  return driver
}

/** The peer left its vote here, and the disk refused it. */
function refusedByDisk(): GuardDriver {
  const driver = holdingOnSlowDisk()
  driver.hearPeer(leftHere('leaving'))
  driver.feed({ type: 'vote-kept', kept: ballot, error: 'ENOSPC' })
  return driver
}

function keptOnDisk(rebooted: boolean): NonNullable<DriverOptions['standing']> {
  return { kept: ballot, rebooted, inDoubt: false }
}

const lostState = {
  recovered: { kind: 'lost' },
  standing: { kept: null, rebooted: true, inDoubt: true },
} as const

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
    assert.deepEqual(ofType(effects, 'vote-left'), [{ type: 'vote-left', on: true }])
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

  it('has not left by an answer that came before its own disk, whatever it says', () => {
    const { driver } = leaves({ recordsAtOnce: false })
    driver.feed({ type: 'recorded', ballot: { to: peer, epoch: epochLeft }, tookMs: 1 })
    driver.feed({ type: 'leave' })
    driver.answer(peer, { kind: 'none' })
    driver.answer(peer, { kind: 'none' }, { countsVote: epochLeft })
    driver.feed({ type: 'recorded', ballot: { to: peer, epoch: epochLeft, standing: true }, tookMs: 1 })
    assert.equal(leaveProgress(driver.guard), 'leaving')
  })

  it('has not left by the word of a node that is not its peer', () => {
    const { driver } = leaves()
    driver.answer('lb09', { kind: 'none' }, { countsVote: epochLeft })
    assert.equal(leaveProgress(driver.guard), 'leaving')
  })

  it('stays where its vote cannot be written down', () => {
    const { driver } = leaves({ recordsAtOnce: false })
    driver.feed({ type: 'recorded', ballot: { to: peer, epoch: epochLeft }, tookMs: 1 })
    driver.feed({ type: 'leave' })
    const standing = { to: peer, epoch: epochLeft, standing: true } as const
    driver.feed({ type: 'record-failed', ballot: standing, error: 'ENOSPC' })
    assert.equal(leaveProgress(driver.guard), 'stays')
    assert.equal(driver.report().left, undefined)
  })

  it('says why it cannot leave its vote at this moment', () => {
    const hindrance = ({ guard, atMs }: GuardDriver): string => leaveHindrance(guard, atMs) ?? ''
    const single = new GuardDriver({ peer: null })
    single.absent()
    assert.match(hindrance(single), /does not know another node of the cluster yet/)
    const early = new GuardDriver()
    early.absent()
    assert.match(hindrance(early), /lb02 does not hold the lease \(it has not reported yet\)/)
    const free = standbyToHolder()
    free.hearPeer(peerReport({ why: 'waits for its gateway', epoch: epochLeft }))
    free.absent()
    assert.match(hindrance(free), /lb02 does not hold the lease \(waits for its gateway\)/)
    const orphaned = standbyToHolder()
    orphaned.orphan()
    assert.match(hindrance(orphaned), /keepalived is stopped, but the VIP is still on this node \(held\)/)
    const elsewhere = new GuardDriver()
    elsewhere.hearPeer(holdingPeer(epochLeft, { ask: null }))
    elsewhere.absent()
    assert.match(hindrance(elsewhere), /not promised to lb02 at this moment/)
    for (const driver of [single, early, free, orphaned, elsewhere]) {
      assert.deepEqual(ofType(driver.feed({ type: 'leave' }), 'vote-left'), [])
      assert.equal(driver.guard.leave, 'none')
    }
  })

  it('leaves nothing while its keepalived runs', () => {
    const driver = standbyToHolder()
    driver.feed({ type: 'leave' })
    assert.equal(leaveProgress(driver.guard), 'stays')
    assert.equal(leftWith(driver.guard.voter), null)
    assert.match(
      leaveHindrance(driver.guard, driver.atMs) ?? '',
      /keepalived is running on this node; stop it first/,
    )
  })

  it('is a node that comes back where the leave is given up, or keepalived is started here', () => {
    const givenUp = leaves().driver
    assert.ok(types(givenUp.feed({ type: 'stay' })).includes('beat'), 'the peer hears it at once')
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
    const effects = types(driver.feed({ type: 'leave' }))
    assert.ok(effects.includes('beat') && !effects.includes('record'), 'it is on disk already')
    assert.deepEqual(driver.report().left, { kind: 'leaving', to: peer, epoch: epochLeft })
  })

  it('leaves nothing during a drill, which starts keepalived again', () => {
    const driver = standbyToHolder()
    driver.order('drill', epochLeft)
    driver.fault()
    driver.absent()
    driver.feed({ type: 'leave' })
    assert.equal(leftWith(driver.guard.voter), null)
    assert.match(leaveHindrance(driver.guard, driver.atMs) ?? '', /in a fence or a drill/)
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
  })

  it('is barred until the holder hands its vote back, and says what to do', () => {
    const driver = returned()
    driver.hearWitness()
    driver.pass(60_000)
    driver.hearWitness()
    assert.equal(driver.phase, 'barred')
    assert.match(driver.report().why, /delegated its vote to lb02.*witness-agent take-vote-back/)
    assert.deepEqual(driver.report().left, { kind: 'returning', to: peer, epoch: epochLeft })
  })

  it('is a standby like any other beside the holder, and tells the check once the returned vote is on disk', () => {
    const driver = returned()
    driver.fallSilent()
    assert.equal(driver.phase, 'barred')
    const heard = driver.hearPeer(holdingPeer(epochLeft))
    assert.equal(driver.phase, 'standby')
    assert.deepEqual(ofType(heard, 'vote-left'), [])
    const effects = driver.answer(peer, { kind: 'none' }, { returnsVote: epochLeft, holder: peer })
    assert.deepEqual(ofType(effects, 'vote-left'), [{ type: 'vote-left', on: false }])
    assert.ok(told(effects).includes('vote-back'))
    assert.equal(leftWith(driver.guard.voter), null)
    assert.equal(driver.report().left, undefined)
  })

  it('does not go again by an answer of the peer’s that was under way when it came back', () => {
    const driver = returned()
    driver.absent()
    driver.answer(peer, { kind: 'none' }, { countsVote: epochLeft })
    assert.equal(leaveProgress(driver.guard), 'stays')
    assert.equal(driver.report().left?.kind, 'returning')
  })

  it('does not take a peer without the instance for one that hands the vote back', () => {
    const driver = returned()
    assert.deepEqual(ofType(driver.feed({ type: 'peer-without' }), 'vote-left'), [])
    assert.equal(leftWith(driver.guard.voter)?.to, peer)
  })

  it('takes nothing back under another epoch, from the witness or from a node that is not its peer', () => {
    const driver = returned()
    driver.answer('lb09', { kind: 'none' }, { returnsVote: epochLeft })
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
    const driver = new GuardDriver(lostState)
    assert.deepEqual(driver.report().left, { kind: 'unknown' })
    const effects = driver.hearPeer(holdingPeer(epochLeft, { keepsVote: epochLeft }))
    assert.deepEqual(ofType(effects, 'vote-left'), [{ type: 'vote-left', on: true }])
    assert.deepEqual(driver.report().left, { kind: 'returning', to: peer, epoch: epochLeft })

    const late = new GuardDriver(lostState)
    late.pass(timing.reserveMs)
    assert.equal(late.report().left, undefined)
    late.hearPeer(holdingPeer(epochLeft, { keepsVote: epochLeft }))
    assert.equal(leftWith(late.guard.voter), null)
  })

  it('is told by the newest epoch of the peer, under which it may hold by the vote since', () => {
    const driver = new GuardDriver(lostState)
    driver.hearPeer(holdingPeer(epochLeft + 3, { keepsVote: epochLeft }))
    assert.equal(leftWith(driver.guard.voter)?.epoch, epochLeft + 3)
  })

  it('is in doubt no more once the peer says that it keeps no vote, or has no such instance', () => {
    const denied = new GuardDriver(lostState)
    const without = new GuardDriver(lostState)
    const effects = [denied.hearPeer(holdingPeer(epochLeft)), without.feed({ type: 'peer-without' })]
    for (const told of effects)
      assert.deepEqual(ofType(told, 'vote-left'), [{ type: 'vote-left', on: false }])
    for (const driver of [denied, without]) {
      assert.equal(driver.report().left, undefined)
      assert.equal(leftWith(driver.guard.voter), null)
    }
  })

  it('holds like any other where it is new and nobody left anything', () => {
    const driver = new GuardDriver({
      peer: null,
      ...lostState,
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
    const driver = holdingOnSlowDisk()
    const counts = (): number | undefined =>
      ofType(driver.hearPeer(leftHere('leaving')), 'answer-peer').at(-1)?.verdict.countsVote
    assert.equal(counts(), undefined)
    const effects = driver.feed({ type: 'vote-kept', kept: ballot, error: null })
    assert.ok(types(effects).includes('beat'))
    assert.deepEqual(told(effects), ['vote-kept'])
    assert.equal(counts(), epochLeft)
    const back = ofType(driver.hearPeer(leftHere('returning')), 'answer-peer')
    assert.equal(back.at(-1)?.verdict.countsVote, undefined)
  })

  it('forgets the vote, on disk as well, when that one is removed from the cluster', () => {
    const driver = keeping()
    assert.equal(driver.guard.kept.phase, 'kept')
    const effects = driver.feed({ type: 'plan', peer: 'lb03', timing })
    assert.deepEqual(ofType(effects, 'keep-vote'), [{ type: 'keep-vote', kept: null }])
    assert.deepEqual(told(effects), ['kept-vote-void'])
    assert.equal(driver.guard.kept.phase, 'none')
    assert.ok(types(outliveWitness(driver)).includes('fence'))
  })

  it('forgets a vote of somebody else that it finds on its disk, and tries until the disk has forgotten it', () => {
    const driver = new GuardDriver({
      standing: { kept: { of: 'lb09', epoch: epochLeft }, rebooted: true, inDoubt: false },
      recordsAtOnce: false,
    })
    driver.hearWitness()
    driver.backup()
    const forgets = { type: 'keep-vote', kept: null }
    assert.deepEqual(ofType(driver.renew(), 'keep-vote'), [forgets])
    assert.deepEqual(ofType(driver.renew(), 'keep-vote'), [], 'the disk is busy with it')
    driver.feed({ type: 'vote-kept', kept: null, error: 'ENOSPC' })
    assert.equal(driver.guard.kept.phase, 'void')
    const again = driver.renew()
    assert.deepEqual(ofType(again, 'keep-vote'), [forgets])
    assert.deepEqual(told(again), [])
    driver.feed({ type: 'vote-kept', kept: null, error: null })
    assert.equal(driver.guard.kept.phase, 'none')
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
    assert.match(driver.report().why, /lb02 delegated its vote to this node/)
    assert.match(
      driver.report().warnings.join(),
      /the lease depends on the vote that lb02 delegated to this node/,
    )
  })

  it('does not count it before it is on disk, nor where the disk refuses it', () => {
    const unwritten = holdingOnSlowDisk()
    unwritten.hearPeer(leftHere('leaving'))
    assert.equal(unwritten.guard.kept.phase, 'keeping')
    for (const driver of [unwritten, refusedByDisk()]) {
      outliveWitness(driver)
      assert.notEqual(driver.phase, 'holding')
    }
  })

  it('hands it back when it is off the disk, and not while it needs it', () => {
    const driver = keeping()
    outliveWitness(driver)
    const needed = driver.hearPeer(leftHere('returning'))
    assert.equal(answerToPeer(needed), undefined)
    assert.equal(ofType(needed, 'answer-peer').at(-1)?.verdict.countsVote, undefined)
    assert.equal(driver.guard.kept.phase, 'kept')
    driver.granted('witness')
    const effects = driver.hearPeer(leftHere('returning'))
    assert.deepEqual(ofType(effects, 'keep-vote'), [{ type: 'keep-vote', kept: null }])
    assert.equal(answerToPeer(driver.hearPeer(leftHere('returning'))), epochLeft)
  })

  it('counts it until it is off the disk, and not a moment longer', () => {
    const driver = keepingOnSlowDisk()
    const effects = driver.hearPeer(leftHere('returning'))
    assert.equal(answerToPeer(effects), undefined)
    assert.equal(answerToPeer(driver.hearPeer(leftHere('returning'))), undefined)
    assert.equal(driver.report().keepsVote, epochLeft)
    outliveWitness(driver)
    assert.equal(driver.phase, 'holding')
    const off = driver.feed({ type: 'vote-kept', kept: null, error: null })
    assert.equal(driver.phase, 'fencing')
    assert.ok(told(off).includes('vote-handed-back'))
    assert.equal(driver.report().keepsVote, undefined)
  })

  it('counts it still where the disk would not let it go, and tries again', () => {
    const driver = keepingOnSlowDisk()
    driver.hearPeer(leftHere('returning'))
    driver.feed({ type: 'vote-kept', kept: null, error: 'EIO' })
    assert.equal(answerToPeer(driver.hearPeer(leftHere('returning'))), undefined)
    driver.feed({ type: 'vote-kept', kept: null, error: 'EIO' })
    assert.deepEqual(driver.guard.kept.phase, 'kept')
    outliveWitness(driver)
    assert.equal(driver.phase, 'holding')
  })

  it('tries to keep it again where the disk refused it and the peer is going still', () => {
    const driver = refusedByDisk()
    assert.equal(driver.report().keepsVote, epochLeft, 'it may be on the disk all the same')
    const effects = driver.hearPeer(leftHere('leaving'))
    assert.deepEqual(ofType(effects, 'keep-vote'), [{ type: 'keep-vote', kept: ballot }])
  })

  it('clears the disk that refused it before it hands it back, and never counts it', () => {
    const driver = refusedByDisk()
    const effects = driver.hearPeer(leftHere('returning'))
    assert.deepEqual(ofType(effects, 'keep-vote'), [{ type: 'keep-vote', kept: null }])
    driver.feed({ type: 'vote-kept', kept: null, error: 'EIO' })
    assert.equal(driver.guard.kept.phase, 'void')
    driver.hearPeer(leftHere('returning'))
    outliveWitness(driver)
    assert.notEqual(driver.phase, 'holding')
    driver.feed({ type: 'vote-kept', kept: null, error: null })
    assert.equal(answerToPeer(driver.hearPeer(leftHere('returning'))), epochLeft)
  })

  it('clears the disk, and says nothing more, where the disk refused it and the peer has it itself', () => {
    const driver = refusedByDisk()
    const effects = driver.hearPeer(peerReport({ epoch: epochLeft }))
    assert.deepEqual(ofType(effects, 'keep-vote'), [{ type: 'keep-vote', kept: null }])
    assert.deepEqual(told(effects), [])
  })

  it('lets the write that is under way end before it clears the disk of a vote that was denied', () => {
    const driver = holdingOnSlowDisk()
    driver.hearPeer(leftHere('leaving'))
    const denied = driver.hearPeer(peerReport({ epoch: epochLeft }))
    assert.deepEqual(ofType(denied, 'keep-vote'), [])
    const written = driver.feed({ type: 'vote-kept', kept: ballot, error: null })
    assert.deepEqual(ofType(written, 'keep-vote'), [{ type: 'keep-vote', kept: null }])
    outliveWitness(driver)
    assert.notEqual(driver.phase, 'holding')
  })

  it('counts it no more where it is denied while the disk lets it go', () => {
    const driver = keepingOnSlowDisk()
    driver.hearPeer(leftHere('returning'))
    const denied = driver.hearPeer(peerReport({ epoch: epochLeft }))
    assert.deepEqual(ofType(denied, 'keep-vote'), [], 'the disk is at it already')
    outliveWitness(driver)
    assert.notEqual(driver.phase, 'holding')
  })

  it('is not moved by a late word of a disk that it awaits nothing of', () => {
    const driver = keepingOnSlowDisk()
    assert.deepEqual(driver.feed({ type: 'vote-kept', kept: ballot, error: null }), [])
    assert.deepEqual(driver.feed({ type: 'vote-kept', kept: null, error: null }), [])
    assert.equal(driver.guard.kept.phase, 'kept')
  })

  it('goes on counting it while the peer cannot tell where its vote is', () => {
    const driver = keeping()
    driver.hearPeer(peerReport({ epoch: epochLeft, left: { kind: 'unknown' } }))
    outliveWitness(driver)
    assert.equal(driver.phase, 'holding')
  })

  it('hands back no vote that the peer left with another node', () => {
    const driver = holding()
    const left = { kind: 'returning', to: 'lb09', epoch: epochLeft } as const
    assert.equal(answerToPeer(driver.hearPeer({ ...leftHere('returning'), left })), undefined)
  })

  it('hands it back at once where it holds nothing', () => {
    const driver = new GuardDriver({ standing: keptOnDisk(false) })
    driver.hearWitness()
    driver.backup()
    driver.hearPeer(leftHere('returning'))
    assert.equal(answerToPeer(driver.hearPeer(leftHere('returning'))), epochLeft)
  })

  it('warns that it rests on it as soon as the other votes would not last until the next renewal', () => {
    const without = holding()
    const driver = keeping()
    const lastMs = timing.leaseMs - timing.releaseMs - timing.grainMs - renewMs
    const rests = (holder: GuardDriver): boolean =>
      holder.report().warnings.join().includes('depends on the vote')
    driver.sleep(lastMs)
    without.sleep(lastMs + 1)
    assert.equal(rests(driver), false)
    driver.sleep(1)
    assert.equal(rests(driver), true)
    assert.equal(rests(without), false)
  })

  it('counts it no more from the moment in which the peer shows that it has its own vote', () => {
    const driver = keepingOnSlowDisk()
    const effects = driver.hearPeer(peerReport({ epoch: epochLeft }))
    assert.ok(told(effects).includes('kept-vote-void'))
    assert.deepEqual(ofType(effects, 'keep-vote'), [{ type: 'keep-vote', kept: null }])
    outliveWitness(driver)
    assert.notEqual(driver.phase, 'holding')
  })

  it('counts it no more where the witness hears the peer renew', () => {
    const driver = keeping()
    driver.sleep(10)
    assert.ok(told(driver.witnessNamesPeer(0)).includes('kept-vote-void'))
  })

  it('counts it still where the witness tells of a renewal from before the peer went, or of its own', () => {
    const driver = keeping()
    driver.sleep(10)
    driver.witnessNamesPeer(10)
    driver.answer('witness', { kind: 'none' }, { holder: node, renewedAgoMs: 0 })
    assert.equal(driver.guard.kept.phase, 'kept')
  })

  it('counts it no more where the peer’s agent no longer has this instance', () => {
    const driver = keeping()
    assert.deepEqual(told(driver.feed({ type: 'peer-without' })), ['kept-vote-void', 'vote-handed-back'])
    outliveWitness(driver)
    assert.notEqual(driver.phase, 'holding')
  })

  it('finds it on disk after a reboot, and counts it when peer and witness had the time to deny it', () => {
    const driver = new GuardDriver({ standing: keptOnDisk(true) })
    driver.backup()
    driver.pass(silenceMs(timing) - 1)
    assert.equal(driver.guard.kept.phase, 'recovered')
    driver.pass(1)
    assert.equal(driver.guard.kept.phase, 'kept')
  })

  it('counts it at once after a reboot where the peer says so', () => {
    const driver = new GuardDriver({ standing: keptOnDisk(true) })
    driver.backup()
    const effects = driver.hearPeer(leftHere('leaving'))
    assert.equal(ofType(effects, 'answer-peer').at(-1)?.verdict.countsVote, epochLeft)
    driver.master()
    assert.equal(driver.phase, 'holding')
  })

  it('hands it back after a reboot where the peer wants it, and does not count it meanwhile', () => {
    const driver = new GuardDriver({ standing: keptOnDisk(true), recordsAtOnce: false })
    driver.backup()
    const effects = driver.hearPeer(leftHere('returning'))
    assert.deepEqual(ofType(effects, 'keep-vote'), [{ type: 'keep-vote', kept: null }])
    driver.master()
    driver.feed({ type: 'recorded', ballot: { to: node, epoch: driver.epoch }, tookMs: 1 })
    assert.equal(driver.phase, 'claiming')
  })

  it('lets keepalived go by it as soon as its agent is back, though nobody is heard', () => {
    const driver = new GuardDriver({ standing: keptOnDisk(false) })
    assert.deepEqual(ofType(driver.backup(), 'bar'), [{ type: 'bar', on: false }])
  })

  it('counts it at once after a restart of its agent alone', () => {
    const driver = new GuardDriver({ standing: keptOnDisk(false) })
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
