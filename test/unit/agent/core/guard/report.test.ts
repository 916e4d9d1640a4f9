import assert from 'node:assert/strict'
import { createGuard, reportOf } from '../../../../../agent/core/guard/guard.ts'
import type { Report } from '../../../../../shared/protocol/report.ts'
import { beatSchema } from '../../../../../shared/protocol/messages.ts'
import { witness } from '../../../../../shared/protocol/names.ts'
import { strictReserveMs } from '../../../../../shared/core/timing.ts'
import {
  claiming,
  enforce,
  fenced,
  fencing,
  freeBallot,
  GuardDriver,
  holding,
  holdingPeer,
  node,
  noFences,
  peer,
  profile,
  standby,
  standbyToHolder,
  startMs,
  timing,
} from './guard-fixture.ts'

const checkPatienceMs = 5 * timing.checkMs

const strict = { gate: 'strict', reserveMs: strictReserveMs } as const

/** Held in FAULT by `gate: strict`; asks for the votes. */
function applying(): GuardDriver {
  const driver = new GuardDriver({ timing: strict })
  driver.hearWitness()
  driver.hearPeer()
  driver.fault()
  return driver
}

function warnings(driver: GuardDriver): string {
  return driver.report().warnings.join('\n')
}

describe('what a node says of itself', () => {
  it('is what the protocol allows, in each phase', () => {
    const unprotected = holding({ policy: { alone: 'keep' } })
    unprotected.pass(timing.leaseMs)
    const overruled = fencing({ policy: { mode: 'observe' } })
    const barred = standby()
    barred.fallSilent()
    const drivers = [standby(), barred, claiming(), holding(), fencing(), fenced(), unprotected, overruled]
    for (const driver of drivers) {
      const reports = [driver.report()]
      beatSchema.parse({ type: 'beat', seq: 1, echoMs: null, leaseMs: timing.leaseMs, reports })
    }
    assert.deepEqual(
      drivers.map(({ phase }) => phase),
      ['standby', 'barred', 'claiming', 'holding', 'fencing', 'fenced', 'unprotected', 'overruled'],
    )
  })

  it('shows keepalived’s state, the kernel’s VIPs and the priority as they are', () => {
    const { keepalived, process, vips, priority, nopreempt } = holding().report()
    assert.deepEqual(
      { keepalived, process, vips, priority, nopreempt },
      { keepalived: 'MASTER', process: 'running', vips: 'held', priority: 150, nopreempt: false },
    )
  })

  it('asks for votes while it claims and while it holds, and never else', () => {
    const asks = (driver: GuardDriver): Report['ask'] => driver.report().ask
    assert.deepEqual(asks(claiming()), { epoch: 8 })
    assert.deepEqual(asks(holding()), { epoch: 8 })
    for (const driver of [standby(), fencing(), fenced()]) assert.equal(asks(driver), null)
  })

  it('releases only where the VIP is verified gone and keepalived is not MASTER', () => {
    const releases = (driver: GuardDriver): boolean => driver.report().release
    assert.equal(releases(standby()), true)
    assert.equal(releases(fenced()), true)
    for (const driver of [new GuardDriver(), claiming(), holding(), fencing()])
      assert.equal(releases(driver), false, driver.phase)
  })

  it('never asks and releases in one breath', () => {
    for (const driver of [new GuardDriver(), standby(), claiming(), holding(), fencing(), fenced()])
      assert.ok(!(driver.report().release && driver.report().ask !== null), driver.phase)
  })

  it('asks and does not release while it is held back by gate: strict and has no VIP yet', () => {
    const driver = applying()
    assert.deepEqual(driver.report().ask, { epoch: 8 })
    assert.equal(driver.report().release, false)
  })

  it('tells the epoch that the witness last granted', () => {
    assert.equal(claiming().report().witnessEpoch, 0)
    assert.equal(holding().report().witnessEpoch, 8)
    const byPeer = claiming()
    byPeer.granted(peer)
    assert.equal(byPeer.report().witnessEpoch, 0)
  })

  it('tells how long the peer and the check were not heard, and null for never', () => {
    const driver = new GuardDriver()
    assert.equal(driver.report().peerSilentMs, null)
    assert.equal(driver.report().checkSilentMs, null)
    driver.hearPeer()
    driver.feed({ type: 'check-seen' })
    driver.sleep(700)
    assert.equal(driver.report().peerSilentMs, 700)
    assert.equal(driver.report().checkSilentMs, 700)
  })

  it('tells how the last fence went, also after it', () => {
    assert.equal(standby().report().fence, null)
    assert.equal(fencing().report().fence?.result, 'running')
    const driver = fenced()
    assert.equal(driver.report().fence?.result, 'proved')
    driver.hearWitness()
    driver.backup()
    assert.equal(driver.report().fence?.number, 1)
  })

  it('says why in plain words, no longer than the protocol allows', () => {
    const driver = claiming()
    const text = 'x'.repeat(500)
    for (const from of [witness, peer]) driver.answer(from, { kind: 'refused', reason: 'promised', text })
    assert.equal(driver.phase, 'fencing')
    assert.ok(driver.report().why.length <= 500)
    assert.match(driver.report().why, /refused/)
    assert.match(standbyToHolder().report().why, /may become MASTER/)
    assert.match(holding().report().why, /lease/)
  })

  it('says in each phase what it waits for or goes by', () => {
    const why = (driver: GuardDriver): string => driver.report().why
    const probation = standbyToHolder()
    probation.fault()
    probation.backup()
    assert.equal(why(probation), 'waiting for the first VRRP advert from lb02')
    const barred = standby()
    barred.fallSilent()
    assert.equal(why(barred), 'this node hears neither the witness nor lb02, so it could not win the lease')
    const handover = standbyToHolder()
    handover.master()
    assert.equal(why(handover), 'taking over from lb02')
    const unprotected = holding({ policy: { alone: 'keep' } })
    unprotected.pass(timing.leaseMs)
    assert.match(why(unprotected), /^keeps the VIP without a lease/)
    assert.match(
      why(fencing({ policy: { mode: 'observe' } })),
      /^observe mode; would be fenced because the claim/,
    )
    assert.deepEqual([standby(), claiming(), holding()].map(why), [
      'may become MASTER',
      'asking for the votes',
      'holds the lease',
    ])
    assert.equal(why(fenced()), why(fencing()))
    assert.equal(why(applying()), 'gate: strict; asking for the votes before keepalived may become MASTER')
  })

  it('says of a drill whether it goes on or keepalived is coming back, and wants a tick in time for either', () => {
    const driver = standbyToHolder()
    driver.hearPeer(holdingPeer(8))
    driver.order('drill', 8)
    assert.equal(driver.phase, 'drilling')
    assert.match(driver.report().why, /^a drill: /)
    driver.fault()
    driver.sleep(1000)
    driver.absent()
    assert.match(driver.report().why, /^coming back after a drill: /)
    assert.ok(
      driver.deadlineMs !== null && driver.deadlineMs > driver.atMs + 10_000,
      'keepalived has time to start',
    )
  })

  it('says with gate: strict, too, that its vote is out and what brings it back', () => {
    const driver = new GuardDriver({
      timing: strict,
      recovered: { kind: 'valid', ballot: { to: peer, epoch: 8, standing: true }, mark: null },
    })
    driver.fault()
    assert.equal(driver.phase, 'gated')
    assert.match(driver.report().why, /delegated its vote to lb02.*witness-agent take-vote-back/)
  })

  it('says nothing of votes that were left where none was', () => {
    const guard = createGuard({
      node,
      peer,
      profile,
      timing,
      policy: enforce,
      recovered: freeBallot,
      memory: noFences,
      atMs: startMs,
    })
    const { left, keepsVote } = reportOf(guard, startMs)
    assert.deepEqual([left, keepsVote], [undefined, undefined])
  })

  it('is the gateway’s last known reach', () => {
    const driver = standby()
    assert.equal(driver.report().gateway, 'unknown')
    driver.feed({ type: 'gateway', gateway: 'unreachable' })
    assert.equal(driver.report().gateway, 'unreachable')
  })
})

describe('what a node warns of', () => {
  it('nothing where all is well', () => {
    const driver = standby()
    driver.sleep(checkPatienceMs)
    driver.feed({ type: 'check-seen' })
    assert.deepEqual(driver.report().warnings, [])
  })

  it('nothing on a holder either', () => {
    const driver = holding()
    driver.feed({ type: 'check-seen' })
    assert.deepEqual(driver.report().warnings, [])
  })

  it('the vote that a holder rests on, and not of that by which it is only let go', () => {
    const standing = { kept: { of: peer, epoch: 8 }, rebooted: false, inDoubt: false }
    const entitled = new GuardDriver({ timing: strict, standing })
    entitled.fault()
    assert.equal(entitled.phase, 'entitled')
    assert.doesNotMatch(warnings(entitled), /delegated to this node/)
    const master = new GuardDriver({ standing })
    master.master()
    assert.match(
      warnings(master),
      /the vote that lb02 delegated to this node.*When lb02 comes back, it stays barred/,
    )
  })

  it('a keepalived that never runs the check, after five missed ones', () => {
    const driver = standby()
    driver.sleep(checkPatienceMs)
    assert.equal(warnings(driver), '')
    driver.sleep(1)
    assert.match(warnings(driver), /never runs the check/)
  })

  it('a keepalived that stopped running the check', () => {
    const driver = standby()
    driver.feed({ type: 'check-seen' })
    driver.sleep(checkPatienceMs)
    driver.feed({ type: 'check-seen' })
    driver.sleep(checkPatienceMs)
    assert.equal(warnings(driver), '')
    driver.sleep(2000)
    assert.match(warnings(driver), /has not run the check for 7 s/)
  })

  it('not of checks that a stopped keepalived cannot run', () => {
    const driver = standby()
    driver.absent()
    driver.sleep(60_000)
    assert.equal(warnings(driver), '')
  })

  it('a keepalived stopped by SIGSTOP', () => {
    const driver = standby()
    driver.observe({ process: 'frozen' })
    assert.match(warnings(driver), /SIGSTOP/)
  })

  it('a disk that is slower than a claim may wait', () => {
    const driver = standby({ recordsAtOnce: false })
    driver.master()
    driver.feed({ type: 'recorded', ballot: { to: node, epoch: 8 }, tookMs: timing.claimMs })
    assert.equal(warnings(driver), '')
    driver.feed({ type: 'recorded', ballot: { to: node, epoch: 8 }, tookMs: timing.claimMs + 1 })
    assert.match(warnings(driver), /took 51 ms to reach the disk/)
    const later = reportOf(driver.guard, driver.atMs + 11 * 60_000)
    assert.doesNotMatch(later.warnings.join(), /to reach the disk/)
  })

  it('a keepalived that may promote itself before the votes are free', () => {
    const hasty = { ...profile, version: 3 as const, advertIntMs: 500 }
    assert.match(warnings(standby({ profile: hasty })), /Raise advert_int/)
  })

  it('observe mode', () => {
    assert.match(warnings(standby({ policy: { mode: 'observe' } })), /nothing is fenced/)
  })
})
