import assert from 'node:assert/strict'
import { witness } from '../../../../../../shared/protocol/names.ts'
import { fenceAtMs, strictReserveMs } from '../../../../../../shared/core/timing.ts'
import {
  claiming,
  type DriverOptions,
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
  texts,
  timing,
  told,
} from '../guard-fixture.ts'

const { claimMs, renewMs, leaseMs } = timing

/** MASTER, of a peer that was never heard: it may have the VIP. */
function claimingUnheard(options: DriverOptions = {}): GuardDriver {
  const driver = new GuardDriver(options)
  driver.hearWitness()
  driver.backup()
  driver.master()
  return driver
}

describe('a claim', () => {
  it('says whether keepalived became MASTER or was it before', () => {
    assert.match(texts(standby().master())[0] ?? '', /keepalived became MASTER \(VI_1\); .* \(epoch 8\)/)
    const driver = new GuardDriver()
    driver.hearWitness()
    assert.match(
      texts(driver.master())[0] ?? '',
      /keepalived was already MASTER when this agent first looked/,
    )
  })

  it('says whose votes won it, and how long they took', () => {
    const driver = standby({ recordsAtOnce: false })
    driver.master()
    driver.sleep(5)
    driver.granted(witness)
    const won = driver.feed({ type: 'recorded', ballot: { to: node, epoch: 8 }, tookMs: 5 })
    assert.match(texts(won)[0] ?? '', /epoch 8\) with the votes of lb01 and witness, 5 ms after it asked/)
  })

  it('is given up at once where the own vote is promised to a holder that cannot be preempted', () => {
    const driver = standbyToHolder({ profile: { priority: 50 } })
    driver.sleep(300)
    assert.match(
      texts(driver.master()).join(),
      /lb02 has the lease \(epoch 8, last renewed here 300 ms ago\)/,
    )
    assert.equal(driver.phase, 'fencing')
  })

  it('is not given up for the own promise to oneself', () => {
    const driver = holding({ profile: { nopreempt: true } })
    driver.sleep(900)
    driver.feed({ type: 'resumed', gapMs: 900, jumpedMs: 0 })
    assert.equal(driver.phase, 'claiming')
  })

  it('confirms a VIP from before under the recorded epoch, unless a higher one is known', () => {
    const recovered = { kind: 'valid' as const, ballot: { to: node, epoch: 7 }, mark: null }
    const driver = new GuardDriver({ recovered })
    driver.hearWitness()
    driver.master()
    assert.equal(driver.epoch, 7)

    const informed = new GuardDriver({ recovered })
    informed.hearPeer(peerReport({ epoch: 9 }))
    informed.master()
    assert.equal(informed.epoch, 10)

    const others = new GuardDriver({ recovered: { ...recovered, ballot: { to: peer, epoch: 7 } } })
    others.hearWitness()
    others.master()
    assert.equal(others.epoch, 8)
  })

  it('is asked under a new epoch by a node that becomes MASTER, though its old one is recorded', () => {
    const recovered = {
      kind: 'valid' as const,
      ballot: { to: node, epoch: 7 },
      mark: { epoch: 7, untilMs: 0 },
    }
    assert.equal(claiming({ recovered }).epoch, 8)
  })

  it('asks again every 10 ms while the old holder is expected to let go, and not sooner', () => {
    const driver = standbyToHolder()
    driver.master()
    assert.equal(driver.deadlineMs, driver.atMs + 10)
    driver.sleep(9)
    assert.deepEqual(ofType(driver.tick(), 'beat'), [])
    driver.sleep(1)
    assert.equal(ofType(driver.tick(), 'beat').length, 1)
    assert.equal(driver.deadlineMs, driver.atMs + 10)
  })

  it('asks each voter once at first, also where the old holder is expected to let go', () =>
    assert.equal(ofType(standbyToHolder().master(), 'beat').length, 1))

  it('waits for a holder to let go that holds by the vote of the witness and its own', () => {
    const driver = standby()
    driver.witnessNamesPeer(0)
    driver.master()
    driver.refused(witness, 'promised', { holder: peer, renewedAgoMs: 0 })
    driver.refused(peer, 'promised', { holder: peer, renewedAgoMs: 0 })
    assert.equal(driver.phase, 'claiming')
    driver.pass(timing.handoverMs - 1)
    assert.equal(driver.phase, 'claiming')
    driver.granted(witness)
    assert.equal(driver.phase, 'holding')
  })

  it('expects nobody to let go of whose priority it never heard', () => {
    const driver = new GuardDriver()
    driver.witnessNamesPeer(0)
    driver.backup()
    driver.master()
    assert.equal(driver.deadlineMs, driver.atMs + claimMs)
  })

  it('is not won by a grant so late that its holder would have to fence itself at once', () => {
    const driver = claiming()
    const worthMs = fenceAtMs(leaseMs, timing)
    driver.granted(witness, driver.atMs - worthMs)
    assert.equal(driver.phase, 'claiming')
    driver.granted(witness, driver.atMs - worthMs + 1)
    assert.equal(driver.phase, 'holding')
  })

  it('says so where it was won by a vote that the peer left here when it went', () => {
    const driver = holding()
    const epoch = driver.epoch
    driver.hearPeer(
      peerReport({
        keepalived: 'STOP',
        process: 'absent',
        epoch,
        left: { kind: 'leaving', to: node, epoch },
      }),
    )
    driver.sleep(900)
    const effects = driver.feed({ type: 'resumed', gapMs: 900, jumpedMs: 0 })
    assert.match(texts(effects).join(), /holds the lease \(epoch \d+\) with the votes of lb01 and lb02/)
  })

  it('waits for the disk of the witness and its own until the next heartbeat where the peer is not heard', () => {
    const driver = claimingUnheard({ recordsAtOnce: false })
    driver.answer(witness, { kind: 'pending', epoch: driver.epoch })
    assert.equal(driver.deadlineMs, driver.atMs + renewMs)
    driver.pass(claimMs)
    assert.equal(driver.phase, 'claiming')
  })

  it('keeps the lease of a node that may become MASTER while a plan has all asked again', () => {
    const strict = { gate: 'strict', reserveMs: strictReserveMs } as const
    const driver = new GuardDriver({ timing: strict })
    driver.hearWitness()
    driver.hearPeer()
    driver.fault()
    driver.granted(witness)
    assert.equal(driver.phase, 'entitled')
    const wonUntilMs = driver.leaseUntilMs
    driver.sleep(10)
    driver.feed({ type: 'plan', peer, timing: { ...timing, ...strict, leaseMs: leaseMs - 100 } })
    assert.equal(driver.epoch, 9)
    assert.ok(driver.guard.candidacy !== null)
    assert.ok(driver.guard.candidacy.carriedUntilMs > wonUntilMs - 200, 'the lease is in use')
    assert.equal(driver.phase, 'entitled')
  })

  it('does not ask again where answers are still out', () => {
    const driver = claimingUnheard()
    driver.sleep(20)
    assert.deepEqual(ofType(driver.tick(), 'beat'), [])
    assert.equal(driver.deadlineMs, startMs + claimMs)
  })

  it('waits for the disks of a majority until the next heartbeat, no longer', () => {
    const driver = standby({ recordsAtOnce: false })
    driver.master()
    driver.answer(witness, { kind: 'pending', epoch: driver.epoch })
    assert.equal(driver.deadlineMs, driver.atMs + renewMs)
    driver.pass(renewMs - 1)
    assert.equal(driver.phase, 'claiming')
    driver.pass(1)
    assert.equal(driver.phase, 'fencing')
  })

  it('does not wait for the disk of one voter alone, nor for a vote under another epoch', () => {
    for (const epochOff of [null, 1]) {
      const driver = claimingUnheard({ recordsAtOnce: false })
      if (epochOff !== null) driver.answer(witness, { kind: 'pending', epoch: driver.epoch + epochOff })
      assert.equal(driver.deadlineMs, driver.atMs + claimMs)
    }
  })

  it('counts the own vote from when it was asked first, however slow the disk is', () => {
    const driver = standby({ recordsAtOnce: false })
    driver.master()
    const askedAtMs = driver.atMs
    driver.sleep(20)
    driver.renew()
    driver.granted(witness)
    driver.feed({ type: 'recorded', ballot: { to: node, epoch: 8 }, tookMs: 20 })
    assert.equal(driver.leaseUntilMs, askedAtMs + leaseMs)
  })

  it('asks the own vote again when an older ballot of its own has reached the disk', () => {
    const driver = standby({ recordsAtOnce: false })
    driver.master()
    driver.refused(witness, 'stale-epoch', { epoch: 20 })
    assert.equal(driver.epoch, 21)
    driver.sleep(5)
    const effects = driver.feed({ type: 'recorded', ballot: { to: node, epoch: 8 }, tookMs: 5 })
    assert.deepEqual(ofType(effects, 'record'), [{ type: 'record', ballot: { to: node, epoch: 21 } }])
    const askedAtMs = driver.atMs
    driver.answer(witness, { kind: 'granted', epoch: 21 })
    driver.feed({ type: 'recorded', ballot: { to: node, epoch: 21 }, tookMs: 0 })
    assert.equal(driver.leaseUntilMs, askedAtMs + leaseMs)
  })

  it('renews the own vote with each heartbeat', () => {
    const driver = claiming()
    driver.sleep(20)
    assert.deepEqual(ofType(driver.renew(), 'mark'), [
      { type: 'mark', mark: { epoch: 8, untilMs: driver.atMs + timing.reserveMs } },
    ])
  })

  it('is not hopeless while the own disk writes and the witness has yet to answer', () => {
    const driver = new GuardDriver({ recordsAtOnce: false })
    driver.hearWitness()
    driver.backup()
    driver.pass(2 * renewMs)
    driver.hearWitness()
    driver.pass(renewMs)
    driver.master()
    assert.equal(driver.phase, 'claiming')
  })

  it('says what it died of: silence, or who refused and why', () => {
    const silence = claimingUnheard().pass(claimMs)
    assert.match(texts(silence).join(), /no majority within 50 ms: no voter answered/)

    const refused = claimingUnheard()
    refused.refused(witness, 'yielding')
    assert.match(texts(refused.pass(claimMs)).join(), /within 50 ms: witness refused: yielding, says witness/)

    const hopeless = claiming({ recovered: { kind: 'lost' } })
    const effects = hopeless.refused(witness, 'promised')
    assert.match(
      texts(effects).join(),
      /cannot win: lb01 refused: .* may still be using an earlier promise.*; witness refused: promised/,
    )
  })

  it('is asked again under a higher epoch only where the voter knows of one', () => {
    const same = claiming()
    same.refused(witness, 'stale-epoch', { epoch: 8 })
    assert.equal(same.epoch, 9)
    const lower = claiming()
    lower.refused(witness, 'stale-epoch', { epoch: 7 })
    assert.equal(lower.epoch, 8)
  })

  it('begins anew after a pause, as for a VIP from before', () => {
    const driver = claiming()
    driver.sleep(900)
    const effects = driver.feed({ type: 'resumed', gapMs: 900, jumpedMs: 0 })
    assert.deepEqual(told(effects), ['paused', 'claiming'])
    assert.match(texts(effects)[0] ?? '', /did not run for 900 ms/)
    assert.equal(driver.deadlineMs, driver.atMs + timing.checkMs)
  })

  it('is not begun by a pause of a standby', () => {
    const driver = standby()
    driver.sleep(900)
    assert.deepEqual(told(driver.feed({ type: 'resumed', gapMs: 900, jumpedMs: 0 })), ['paused'])
    assert.equal(driver.phase, 'standby')
  })

  it('asks all again where a plan changes what a vote is worth, and only there', () => {
    const driver = claiming()
    const same = driver.feed({ type: 'plan', peer, timing: { ...timing, claimMs: 60 } })
    assert.deepEqual(ofType(same, 'beat'), [])
    assert.equal(driver.epoch, 8)
    const other = driver.feed({ type: 'plan', peer, timing: { ...timing, leaseMs: 1700 } })
    assert.equal(ofType(other, 'beat').length, 1)
    assert.equal(driver.epoch, 9)
  })

  it('is unprotected in the end where nobody is there and the operator wants it so', () => {
    const driver = standby({ policy: { alone: 'keep' } })
    driver.fallSilent()
    const effects = driver.master()
    assert.equal(driver.phase, 'unprotected')
    assert.match(texts(effects).join(), /This node hears neither the witness nor lb02/)
    const single = new GuardDriver({ policy: { alone: 'keep' }, peer: null })
    assert.match(
      texts([...single.master(), ...single.pass(timing.checkMs)]).join(),
      /This node hears neither the witness nor the peer/,
    )
  })

  it('is fenced by an order of the witness, holding is not', () => {
    const driver = claiming()
    assert.match(texts(driver.order('fence')).join(), /the witness orders it: lb02 has the lease/)
    const holder = holding()
    holder.order('fence')
    assert.equal(holder.phase, 'holding')
    holder.hearPeer(holdingPeer(9))
    assert.equal(holder.phase, 'holding')
  })
})
