import assert from 'node:assert/strict'
import type { GuardEffect } from '../../../../../../agent/core/guard/guard.ts'
import { witness } from '../../../../../../shared/protocol/names.ts'
import { masterDownMs, permitMs, silenceMs, strictReserveMs } from '../../../../../../shared/core/timing.ts'
import {
  GuardDriver,
  holdingPeer,
  node,
  ofType,
  peer,
  peerReport,
  profile,
  startMs,
  texts,
  timing,
  told,
  types,
  type DriverOptions,
} from '../guard-fixture.ts'

const strict = { gate: 'strict', reserveMs: strictReserveMs } as const
const courtesyMs = 200
const retryMs = 1000
const entitledForMs = 2 * masterDownMs(profile) + 2000
const keptFromPeer = { kept: { of: peer, epoch: 8 }, rebooted: false, inDoubt: false }

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

/** The lease is renewed as ever until `durationMs` have passed. */
function renewFor(driver: GuardDriver, durationMs: number): void {
  const untilMs = driver.atMs + durationMs
  while (driver.atMs < untilMs) {
    driver.renew()
    driver.granted(witness)
    driver.sleep(Math.min(timing.renewMs, untilMs - driver.atMs))
  }
}

function assertAsksNothing(driver: GuardDriver, effects: readonly GuardEffect[]): void {
  assert.equal(driver.phase, 'gated')
  assert.deepEqual(
    types(effects).filter((type) => type === 'record' || type === 'beat'),
    [],
  )
}

describe('gate: strict', () => {
  it('bars keepalived from the first sight on, holder or no holder', () => {
    const driver = strictNode()
    const effects = driver.backup()
    assert.equal(driver.phase, 'gated')
    assert.deepEqual(ofType(effects, 'bar'), [{ type: 'bar', on: true }])
    const permit = ofType(effects, 'permit')[0]
    assert.equal(permit?.word, 'bar')
    assert.equal(permit.untilMs, startMs + permitMs(driver.guard.timing))
    assertAsksNothing(driver, effects)
  })

  it('asks nobody while the peer holds, and keeps the bar', () => {
    const driver = gatedBesideHolder()
    const effects = driver.pass(1000)
    assert.equal(driver.phase, 'gated')
    assert.equal(driver.report().ask, null)
    assert.deepEqual(ofType(effects, 'bar'), [])
  })

  it('asks for the votes before keepalived may become MASTER, once nobody holds', () => {
    const driver = strictNode()
    driver.hearWitness()
    driver.hearPeer()
    const effects = driver.fault()
    assert.equal(driver.phase, 'applying')
    assert.ok(types(effects).includes('beat'), 'the votes are asked for at once')
    assert.equal(driver.report().release, false)
    assert.equal(driver.deadlineMs, startMs + timing.renewMs)
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
    assert.match(texts(effects).join(), /has the lease \(epoch 8\)/)
  })

  it('holds as soon as keepalived is MASTER, without a claim', () => {
    const driver = entitled()
    driver.backup()
    assert.equal(driver.phase, 'entitled')
    const effects = driver.master()
    assert.equal(driver.phase, 'holding')
    assert.ok(!types(effects).includes('fence'))
    assert.deepEqual(ofType(effects, 'bar'), [])
    assert.match(texts(effects).join(), /became MASTER under the lease \(epoch 8\)/)
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
    assert.ok(types(effects).includes('beat'), 'the others hear at once that the votes are free')
  })

  it('asks again a second after its lease ran out, and not before', () => {
    const driver = entitled()
    driver.pass(timing.leaseMs - timing.releaseMs - timing.grainMs)
    const barredAtMs = driver.atMs
    driver.hearWitness()
    assertAsksNothing(driver, driver.hearPeer())
    assert.equal(driver.deadlineMs, barredAtMs + retryMs)
    driver.sleep(retryMs - 1)
    assertAsksNothing(driver, driver.tick())
    driver.sleep(1)
    driver.tick()
    assert.equal(driver.phase, 'applying')
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

  describe('gives an application up at once where no majority can come any more:', () => {
    it('the witness refuses and the peer was never heard', () => {
      const driver = strictNode()
      driver.hearWitness()
      driver.fault()
      assert.equal(driver.phase, 'applying', 'a peer that was never heard is owed no courtesy')
      driver.refused(witness, 'promised')
      assert.equal(driver.phase, 'gated')
    })

    it('the witness refuses and the peer fell silent', () => {
      for (const silentMs of [silenceMs(timing), silenceMs(timing) - 1]) {
        const driver = strictNode()
        driver.hearPeer()
        driver.sleep(silentMs)
        driver.hearWitness()
        driver.fault()
        driver.refused(witness, 'promised')
        assert.equal(driver.phase, silentMs < silenceMs(timing) ? 'applying' : 'gated')
      }
    })

    it('the peer refuses and the witness is not heard', () => {
      const driver = strictNode()
      driver.hearPeer()
      driver.fault()
      assert.equal(driver.phase, 'applying')
      driver.refused(peer, 'promised')
      assert.equal(driver.phase, 'gated')
    })
  })

  it('waits for its own disk and the peer where the witness is down', () => {
    const driver = strictNode({ recordsAtOnce: false })
    driver.hearPeer()
    driver.fault()
    assert.equal(driver.phase, 'applying')
    driver.granted(peer)
    assert.equal(driver.phase, 'applying')
    driver.feed({ type: 'recorded', ballot: { to: node, epoch: 8 }, tookMs: 1 })
    assert.equal(driver.phase, 'entitled')
  })

  it('gives an application up that nobody answers within renewMs', () => {
    const driver = applying()
    driver.pass(timing.renewMs)
    assert.equal(driver.phase, 'gated')
  })

  it('lets the preferred node apply first', () => {
    const driver = applying({ profile: { priority: 50 } })
    assert.equal(driver.phase, 'gated')
    assert.equal(driver.deadlineMs, startMs + courtesyMs)
    driver.pass(courtesyMs)
    assert.equal(driver.phase, 'applying')
  })

  it('applies first by its name where both are preferred alike', () => {
    const driver = strictNode()
    driver.hearPeer(peerReport({ priority: profile.priority }))
    driver.fault()
    assert.equal(driver.phase, 'applying')
  })

  it('lets the preferred node apply first again after that one held meanwhile', () => {
    const driver = applying({ profile: { priority: 50 } })
    driver.sleep(courtesyMs - 50)
    driver.witnessNamesPeer(0)
    assert.equal(driver.deadlineMs, null)
    driver.sleep(100)
    driver.hearWitness()
    assert.equal(driver.deadlineMs, driver.atMs + courtesyMs)
    driver.sleep(courtesyMs - 1)
    assertAsksNothing(driver, driver.tick())
    driver.sleep(1)
    driver.tick()
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
    assertAsksNothing(driver, [...driver.fault(), ...driver.pass(10_000)])
  })

  it('asks for nothing while its own vote is on its way to the peer', () => {
    const driver = strictNode({ recordsAtOnce: false, profile: { priority: 50 } })
    driver.hearWitness()
    driver.hearPeer()
    driver.fault()
    driver.hearPeer(peerReport({ phase: 'applying', ask: { epoch: 8 }, epoch: 8 }))
    assertAsksNothing(driver, driver.pass(courtesyMs))
  })

  it('asks for nothing while its vote is promised to a node that is its peer no more', () => {
    const driver = strictNode()
    driver.hearPeer(holdingPeer(8))
    driver.feed({ type: 'plan', peer: 'lb03', timing: driver.guard.timing })
    driver.fault()
    driver.sleep(strictReserveMs - 1)
    assertAsksNothing(driver, driver.hearWitness())
    driver.sleep(1)
    driver.hearWitness()
    assert.equal(driver.phase, 'applying')
  })

  it('is let go by the vote that the peer left here, though nobody is heard', () => {
    const driver = strictNode({ standing: keptFromPeer })
    driver.fault()
    assert.equal(driver.phase, 'entitled')
    assert.equal(driver.guard.barOn, false)
  })

  it('asks for nothing by a vote that it is handing back, where nobody is heard any more', () => {
    const driver = strictNode({ standing: keptFromPeer, recordsAtOnce: false })
    driver.absent()
    driver.hearPeer(peerReport({ left: { kind: 'returning', to: node, epoch: 8 }, epoch: 8 }))
    driver.pass(silenceMs(timing))
    assertAsksNothing(driver, driver.fault())
  })

  it('asks for nothing while keepalived is not running', () => {
    const driver = strictNode()
    driver.hearWitness()
    driver.hearPeer()
    assertAsksNothing(driver, [...driver.absent(), ...driver.pass(timing.renewMs)])
  })

  it('gives a lease back that keepalived does not use, so that the other node has its try', () => {
    const driver = entitled()
    const sinceMs = driver.atMs
    renewFor(driver, entitledForMs - 1)
    driver.tick()
    assert.equal(driver.phase, 'entitled')
    driver.atMs = sinceMs + entitledForMs
    const effects = driver.tick()
    assert.equal(driver.phase, 'gated')
    assert.deepEqual(told(effects), ['lease-unused'])
    assert.match(texts(effects).join(), /keepalived did not become MASTER \(state FAULT\)/)
    assert.equal(driver.report().ask, null)
  })

  it('gives the lease back at once where keepalived dies before it is MASTER', () => {
    const driver = entitled()
    const effects = driver.absent()
    assert.equal(driver.phase, 'gated')
    assert.deepEqual(told(effects), ['lease-unused'])
    assert.match(texts(effects).join(), /keepalived is not running \(state STOP\)/)
  })

  it('fences a VIP whose keepalived died at once, and claims nothing by it', () => {
    for (const driver of [gatedBesideHolder(), applying(), entitled()]) {
      const effects = driver.orphan()
      assert.equal(driver.phase, 'fencing')
      assert.deepEqual(ofType(effects, 'fence'), [{ type: 'fence', rung: 'kill', spares: true }])
      assert.deepEqual(told(effects), ['fencing'])
    }
  })

  it('makes a VIP that comes while it asks win like any other', () => {
    const driver = applying()
    driver.master()
    assert.equal(driver.phase, 'claiming')
  })

  it('does not ask more for an order to fence: it has nothing to give up', () => {
    for (const driver of [gatedBesideHolder(), applying(), entitled()]) {
      const { phase } = driver
      assert.deepEqual(driver.order('fence', 40), [])
      assert.equal(driver.phase, phase)
    }
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

  it('is barred again after the agent stood still, though its lease might still be good', () => {
    for (const driver of [applying(), entitled()]) {
      driver.sleep(300)
      driver.feed({ type: 'resumed', gapMs: 300, jumpedMs: 0 })
      assert.equal(driver.phase, 'gated')
      assert.equal(driver.guard.barOn, true)
      assert.equal(driver.report().ask, null)
    }
  })

  it('says in its report what it waits for', () => {
    assert.match(gatedBesideHolder().report().why, /gate: strict/)
    assert.match(entitled().report().why, /has the lease/)
    assert.equal(entitled().guard.voter.record?.to, node)
  })
})
