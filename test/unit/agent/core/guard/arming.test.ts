import assert from 'node:assert/strict'
import type { GuardEffect } from '../../../../../agent/core/guard/guard.ts'
import { wasArmed } from '../../../../../agent/core/guard/arming.ts'
import { witness } from '../../../../../shared/protocol/names.ts'
import {
  type DriverOptions,
  GuardDriver,
  holdingPeer,
  noFences,
  peerReport,
  timing,
} from './guard-fixture.ts'

const newNode: DriverOptions = { armed: false, recovered: { kind: 'lost' } }

const isHarm = (effect: GuardEffect): boolean =>
  effect.type === 'fence' ||
  (effect.type === 'bar' && effect.on) ||
  (effect.type === 'permit' && effect.word === 'bar')

function unharmed(driver: GuardDriver, ...effects: readonly (readonly GuardEffect[])[]): void {
  assert.deepEqual(effects.flat().filter(isHarm), [])
  assert.equal(driver.guard.armed, false)
}

describe('a guard that is not armed', () => {
  it('keeps claiming while its own vote and those of the others wait, and wins when they do not', () => {
    const driver = new GuardDriver(newNode)
    const first = driver.master()
    assert.equal(driver.phase, 'claiming')
    const effects: GuardEffect[] = []
    for (let heartbeat = 0; heartbeat < 4; heartbeat++) {
      effects.push(...driver.refused(witness, 'waiting'), ...driver.refused('lb02', 'waiting'))
      effects.push(...driver.pass(timing.renewMs), ...driver.renew())
    }
    unharmed(driver, first, effects)
    driver.pass(timing.reserveMs)
    driver.renew()
    const won = driver.granted(witness)
    assert.equal(driver.phase, 'holding')
    assert.equal(driver.guard.armed, true)
    assert.ok(won.some(({ type }) => type === 'arm'))
  })

  for (const reason of ['promised', 'recording', 'waiting', 'ledger', 'conflict', 'outranked'] as const)
    it(`gives no claim up because every voter refuses (${reason})`, () => {
      const driver = new GuardDriver(newNode)
      unharmed(
        driver,
        driver.master(),
        driver.refused(witness, reason),
        driver.refused('lb02', reason),
        driver.pass(60_000),
      )
      assert.equal(driver.phase, 'claiming')
    })

  it('gives no claim up in silence, and does not tick while it waits', () => {
    const driver = new GuardDriver(newNode)
    unharmed(driver, driver.master(), driver.pass(60_000), driver.renew(), driver.pass(60_000))
    assert.equal(driver.deadlineMs, null)
  })

  it('bars nobody when it is alone, and permits', () => {
    const driver = new GuardDriver(newNode)
    unharmed(driver, driver.backup(), driver.pass(60_000))
    assert.equal(driver.phase, 'standby')
    assert.ok(driver.renew().some((effect) => effect.type === 'permit' && effect.word === 'permit'))
  })

  it('leaves the gate open', () => {
    const driver = new GuardDriver({ ...newNode, timing: { gate: 'strict' } })
    unharmed(driver, driver.backup(), driver.pass(5000))
    assert.equal(driver.phase, 'standby')
  })

  it('leaves the VIP of a keepalived that it does not find', () => {
    const driver = new GuardDriver(newNode)
    unharmed(driver, driver.orphan(), driver.pass(5000))
    driver.renew()
    driver.granted(witness)
    unharmed(driver, driver.pass(timing.leaseMs))
    assert.match(driver.report().warnings.join(), /not armed yet: .*no process of keepalived is found/)
  })

  it('takes the VIP off that a keepalived left whose pid file names a process that is gone, once it has the lease', () => {
    const driver = new GuardDriver(newNode)
    driver.feed({ type: 'observed', keepalived: 'STOP', process: 'absent', died: true, vips: 'held' })
    assert.equal(driver.guard.armed, false)
    driver.pass(timing.reserveMs + 100)
    driver.renew()
    const effects = driver.granted(witness)
    assert.equal(driver.guard.armed, true)
    assert.deepEqual(
      effects.flatMap((effect) => (effect.type === 'fence' ? [effect.rung] : [])),
      ['kill'],
    )
  })

  it('does not arm beside a keepalived that it does not find', () => {
    const driver = new GuardDriver(newNode)
    unharmed(
      driver,
      driver.observe({ keepalived: 'MASTER', process: 'unknown', vips: 'held' }),
      driver.pass(timing.reserveMs + 100),
      driver.renew(),
      driver.granted(witness),
    )
    assert.equal(driver.phase, 'holding')
  })

  it('does not arm by a lease while no other node is known, and takes no VIP when that lease ends', () => {
    const driver = new GuardDriver({ ...newNode, peer: null })
    driver.master()
    driver.pass(timing.reserveMs + 100)
    driver.renew()
    driver.granted(witness)
    assert.equal(driver.phase, 'holding')
    unharmed(driver, driver.pass(10_000))
  })

  it('does not give way to another claimant', () => {
    const driver = new GuardDriver({ ...newNode, profile: { priority: 50 } })
    driver.backup()
    driver.pass(timing.reserveMs + 100)
    unharmed(
      driver,
      driver.master(),
      driver.hearPeer(
        peerReport({ phase: 'claiming', keepalived: 'MASTER', vips: 'held', ask: { epoch: 9 } }),
      ),
    )
    assert.equal(driver.phase, 'claiming')
  })

  it('says what is missing', () => {
    const driver = new GuardDriver(newNode)
    driver.backup()
    assert.match(
      driver.report().warnings.join(),
      /not armed yet: the witness is not heard .*; lb02 is not heard .*7401.*; its own vote waits another 1\.9 s/,
    )
    driver.hearWitness()
    driver.hearPeer()
    driver.sleep(timing.reserveMs)
    driver.tick()
    driver.hearWitness()
    driver.hearPeer()
    assert.match(driver.report().warnings.join(), /not armed yet: no node has the lease yet/)
  })
})

describe('a guard is armed', () => {
  it('by a peer that reports its lease, and then fences as ever', () => {
    const driver = new GuardDriver(newNode)
    driver.master()
    const effects = driver.hearPeer(holdingPeer(9))
    assert.equal(driver.guard.armed, true)
    effects.push(
      ...driver.refused(witness, 'promised'),
      ...driver.refused('lb02', 'promised'),
      ...driver.pass(100),
    )
    assert.ok(effects.some(isHarm))
  })

  it('by the word of the witness once its own vote does not wait', () => {
    const driver = new GuardDriver(newNode)
    driver.backup()
    driver.witnessNamesPeer(0)
    assert.equal(driver.guard.armed, false)
    driver.pass(timing.reserveMs + 1)
    driver.witnessNamesPeer(0)
    assert.equal(driver.guard.armed, true)
  })

  it('by an order of the witness', () => {
    const driver = new GuardDriver(newNode)
    driver.master()
    assert.ok(driver.order('fence').some(isHarm))
    assert.equal(driver.guard.armed, true)
  })

  it('once: it writes so, tells it, and stays armed in silence', () => {
    const driver = new GuardDriver(newNode)
    driver.backup()
    const effects = [...driver.hearPeer(holdingPeer(9)), ...driver.hearPeer(holdingPeer(9))]
    assert.equal(effects.filter(({ type }) => type === 'arm').length, 1)
    assert.ok(effects.some((effect) => effect.type === 'tell' && effect.event === 'armed'))
    assert.ok(driver.pass(10_000).some(isHarm) || driver.phase === 'barred')
    assert.equal(driver.guard.armed, true)
  })
})

describe('an armed guard', () => {
  it('adopts the VIP that it finds after a standstill as a standby', () => {
    const driver = new GuardDriver()
    driver.backup()
    driver.witnessNamesPeer(0)
    driver.sleep(6000)
    driver.feed({ type: 'resumed', gapMs: 6000, jumpedMs: 0 })
    driver.sleep(50)
    driver.master()
    assert.equal(driver.phase, 'claiming')
    assert.deepEqual(driver.pass(timing.checkMs - 100).filter(isHarm), [])
    driver.renew()
    driver.granted(witness)
    assert.equal(driver.phase, 'holding')
  })

  it('takes nothing that waited in its sockets for news after a standstill', () => {
    const driver = new GuardDriver()
    driver.backup()
    const beforeMs = driver.atMs
    driver.sleep(6000)
    driver.feed({ type: 'resumed', gapMs: 6000, jumpedMs: 0 })
    const report = holdingPeer(driver.guard.voter.epoch + 1)
    const stale = {
      type: 'peer-report',
      beat: 90,
      report,
      leaseMs: timing.leaseMs,
      echoMs: beforeMs,
    } as const
    const answers = driver.feed(stale).filter((effect) => effect.type === 'answer-peer')
    assert.deepEqual(
      answers.map(({ verdict }) => verdict.vote.kind),
      ['refused'],
    )
    driver.answer(witness, { kind: 'none' }, { sentAtMs: beforeMs, holder: 'lb02', renewedAgoMs: 0 })
    driver.master()
    assert.deepEqual(driver.pass(timing.checkMs - 100).filter(isHarm), [])
    const fresh = { ...stale, beat: 91, echoMs: driver.atMs }
    assert.ok(driver.feed(fresh).some((effect) => effect.type === 'answer-peer'))
  })

  it('waits for its own vote where that is all that a majority lacks', () => {
    const driver = new GuardDriver({
      recovered: { kind: 'valid', ballot: { to: 'lb02', epoch: 7 }, mark: null },
    })
    driver.backup()
    driver.sleep(1000)
    driver.master()
    driver.granted(witness)
    assert.deepEqual(driver.pass(timing.reserveMs - 1100).filter(isHarm), [])
    driver.pass(200)
    assert.equal(driver.phase, 'holding')
  })

  it('does not wait for it beside a voter that has turned to another node', () => {
    const driver = new GuardDriver({
      recovered: { kind: 'valid', ballot: { to: 'lb02', epoch: 7 }, mark: null },
    })
    driver.backup()
    driver.sleep(1000)
    driver.master()
    const effects = [...driver.refused(witness, 'promised'), ...driver.refused('lb02', 'promised')]
    assert.ok(effects.some(isHarm))
  })
})

describe('wasArmed', () => {
  const nothing = {
    noted: undefined,
    ballot: null,
    memory: noFences,
    kept: null,
    stateTorn: false,
    marked: false,
  }

  it('believes the note above all', () => {
    assert.equal(wasArmed({ ...nothing, noted: false, ballot: { to: 'lb01', epoch: 1 } }), false)
    assert.equal(wasArmed({ ...nothing, noted: true }), true)
  })

  it('takes every trace for an armed node, and none for a new one', () => {
    assert.equal(wasArmed(nothing), false)
    for (const trace of [
      { ballot: { to: 'lb01', epoch: 1 } },
      { kept: { of: 'lb02', epoch: 1 } },
      { memory: { ...noFences, stopped: true } },
      { memory: { ...noFences, number: 1 } },
      { stateTorn: true },
      { marked: true },
    ])
      assert.equal(wasArmed({ ...nothing, ...trace }), true)
  })
})
