import assert from 'node:assert/strict'
import { witness } from '../../../shared/protocol.ts'
import { masterDownMs, silenceMs, strictReserveMs } from '../../../shared/timing.ts'
import {
  GuardDriver,
  holdingPeer,
  node,
  ofType,
  peer,
  peerReport,
  profile,
  timing,
  told,
  types,
  type DriverOptions,
} from './guard-fixture.ts'

const strict = { gate: 'strict', reserveMs: strictReserveMs } as const
/** A ballot of the peer whose promise is over, with the longer promises of the strict gate. */
const courtesyMs = 200
const retryMs = 1000

function strictNode(options: DriverOptions = {}): GuardDriver {
  return new GuardDriver({ ...options, timing: strict })
}

/** keepalived is held in FAULT; witness and peer are heard. */
function gatedBesideHolder(): GuardDriver {
  const driver = strictNode()
  driver.hearWitness()
  driver.hearPeer(holdingPeer(8))
  driver.witnessNamesPeer(0)
  driver.fault()
  return driver
}

function applying(options: DriverOptions = {}): GuardDriver {
  const driver = strictNode(options)
  driver.hearWitness()
  driver.hearPeer()
  driver.fault()
  return driver
}

function entitled(): GuardDriver {
  const driver = applying()
  driver.granted(witness)
  return driver
}

describe('gate: strict', () => {
  it('bars keepalived from the first sight on, holder or no holder', () => {
    const driver = strictNode()
    const effects = driver.backup()
    assert.equal(driver.phase, 'gated')
    assert.deepEqual(ofType(effects, 'bar'), [{ type: 'bar', on: true }])
    assert.equal(ofType(effects, 'permit')[0]?.word, 'bar')
  })

  it('asks nobody while the peer holds, and keeps the bar', () => {
    const driver = gatedBesideHolder()
    const effects = driver.pass(1000)
    assert.equal(driver.phase, 'gated')
    assert.equal(driver.report().ask, null)
    assert.deepEqual(ofType(effects, 'bar'), [])
  })

  it('asks for the votes before keepalived may become MASTER, once nobody holds', () => {
    const driver = applying()
    assert.equal(driver.phase, 'applying')
    assert.deepEqual(driver.report().ask, { epoch: 8 })
    assert.equal(driver.guard.barOn, true)
  })

  it('lifts the bar only with the lease', () => {
    const driver = applying()
    const effects = driver.granted(witness)
    assert.equal(driver.phase, 'entitled')
    assert.deepEqual(ofType(effects, 'bar'), [{ type: 'bar', on: false }])
    assert.equal(ofType(effects, 'permit')[0]?.word, 'permit')
    assert.deepEqual(told(effects), ['lease-won'])
  })

  it('holds as soon as keepalived is MASTER, without a claim', () => {
    const driver = entitled()
    driver.backup()
    assert.equal(driver.phase, 'entitled')
    const effects = driver.master()
    assert.equal(driver.phase, 'holding')
    assert.ok(!types(effects).includes('fence'))
    assert.deepEqual(ofType(effects, 'bar'), [])
  })

  it('renews the lease while keepalived is on its way to MASTER', () => {
    const driver = entitled()
    driver.sleep(timing.renewMs)
    driver.renew()
    assert.deepEqual(driver.report().ask, { epoch: 8 })
    driver.granted(witness)
    driver.sleep(timing.leaseMs - timing.renewMs)
    driver.tick()
    assert.equal(driver.phase, 'entitled')
  })

  it('is barred again at the instant at which a holder would fence, where nobody renews', () => {
    const driver = entitled()
    const effects = driver.pass(timing.leaseMs - timing.releaseMs - timing.grainMs)
    assert.equal(driver.phase, 'gated')
    assert.deepEqual(ofType(effects, 'bar'), [{ type: 'bar', on: true }])
    assert.equal(driver.guard.candidacy, null)
  })

  it('gives its votes back and tries later where another was faster', () => {
    const driver = applying()
    driver.refused(witness, 'promised', { holder: peer, renewedAgoMs: 0 })
    driver.refused(peer, 'promised')
    assert.equal(driver.phase, 'gated')
    assert.equal(driver.report().release, true)
    assert.equal(driver.report().ask, null)
    driver.hearWitness()
    driver.hearPeer()
    assert.equal(driver.phase, 'gated')
    driver.sleep(retryMs)
    driver.hearWitness()
    driver.hearPeer()
    assert.equal(driver.phase, 'applying')
    assert.deepEqual(driver.report().ask, { epoch: 9 })
  })

  it('gives an application up that nobody answers within renewMs', () => {
    const driver = applying()
    driver.pass(timing.renewMs)
    assert.equal(driver.phase, 'gated')
  })

  it('lets the preferred node apply first', () => {
    const driver = applying({ profile: { priority: 50 } })
    assert.equal(driver.phase, 'gated')
    driver.pass(courtesyMs)
    assert.equal(driver.phase, 'applying')
  })

  it('does not wait out of courtesy for a peer that is not there', () => {
    const driver = strictNode({ profile: { priority: 50 } })
    driver.hearPeer(peerReport({ priority: 100 }))
    driver.sleep(silenceMs(timing))
    driver.hearWitness()
    driver.fault()
    assert.equal(driver.phase, 'applying')
  })

  it('asks for nothing where nobody is heard', () => {
    const driver = strictNode()
    driver.fault()
    driver.pass(10_000)
    assert.equal(driver.phase, 'gated')
  })

  it('asks for nothing while keepalived does not run', () => {
    const driver = strictNode()
    driver.hearWitness()
    driver.hearPeer()
    driver.absent()
    driver.pass(timing.renewMs)
    assert.equal(driver.phase, 'gated')
  })

  it('gives a lease back that keepalived does not use, so that the other node has its try', () => {
    const driver = entitled()
    const patienceMs = 2 * masterDownMs(profile) + 2000
    for (let passedMs = 0; passedMs <= patienceMs; passedMs += timing.renewMs) {
      driver.renew()
      driver.granted(witness)
      driver.sleep(timing.renewMs)
      if (driver.phase !== 'entitled') break
    }
    const effects = driver.tick()
    assert.equal(driver.phase, 'gated')
    assert.ok(told(effects).includes('lease-unused') || driver.guard.barOn === true)
    assert.equal(driver.report().ask, null)
  })

  it('gives the lease back at once where keepalived dies before it is MASTER', () => {
    const driver = entitled()
    const effects = driver.absent()
    assert.equal(driver.phase, 'gated')
    assert.deepEqual(told(effects), ['lease-unused'])
  })

  it('wins a VIP that is here already like any other, when the agent starts', () => {
    const driver = strictNode()
    driver.hearWitness()
    driver.hearPeer()
    driver.master()
    assert.equal(driver.phase, 'claiming')
    driver.granted(witness)
    assert.equal(driver.phase, 'holding')
  })

  it('fences a MASTER that the bar did not hold back and that cannot win', () => {
    const driver = gatedBesideHolder()
    driver.master()
    assert.equal(driver.guard.phase.name === 'fencing' || driver.phase === 'claiming', true)
    driver.pass(timing.handoverMs)
    assert.equal(driver.phase, 'fencing')
  })

  it('is barred again after the agent stood still', () => {
    const driver = entitled()
    driver.sleep(5000)
    driver.feed({ type: 'resumed', gapMs: 5000, jumpedMs: 0 })
    assert.equal(driver.phase, 'gated')
    assert.equal(driver.guard.barOn, true)
  })

  it('says in its report what it waits for', () => {
    assert.match(gatedBesideHolder().report().why, /gate: strict/)
    assert.match(entitled().report().why, /has the lease/)
    assert.equal(entitled().guard.voter.record?.to, node)
  })
})
