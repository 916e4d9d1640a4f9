import assert from 'node:assert/strict'
import type { GuardEffect } from '../../../../../agent/core/guard/guard.ts'
import { masterDownMs } from '../../../../../shared/core/timing.ts'
import {
  type GuardDriver,
  holdingPeer,
  ofType,
  peerReport,
  profile,
  standbyToHolder,
  texts,
  told,
} from './guard-fixture.ts'

/** Less preferred than the peer, so a claim beside its lease is refused at once. */
const priority = 50

const origin = { addresses: ['10.0.0.100/24 on eth0'], places: ['/etc/netplan/01.yaml:7'] }

/** The peer goes on holding, and both are heard. */
function hear(driver: GuardDriver): GuardEffect[] {
  return [...driver.hearPeer(holdingPeer(8)), ...driver.witnessNamesPeer(0)]
}

function holdDown(driver: GuardDriver): GuardEffect[] {
  const effects: GuardEffect[] = []
  for (let second = 0; second < 6; second += 1) effects.push(...driver.pass(1000), ...hear(driver))
  return effects
}

/** The VIP shows on a standby; the fence ends when keepalived is stopped and the address was removed. */
function fencedOnce(): GuardDriver {
  const driver = standbyToHolder({ profile: { priority } })
  driver.observe({ vips: 'held' })
  assert.equal(driver.phase, 'fencing')
  driver.feed({ type: 'observed', keepalived: 'FAULT', process: 'running', vips: 'held', tells: true })
  driver.pass(200)
  driver.absent()
  assert.equal(driver.phase, 'fenced')
  return driver
}

/** keepalived was started again, and the address is back before keepalived says its state. */
function backAgain(): GuardDriver {
  const driver = fencedOnce()
  const started = holdDown(driver)
  assert.equal(ofType(started, 'start-keepalived').length, 1)
  driver.feed({ type: 'observed', keepalived: 'INIT', process: 'running', vips: 'held', tells: false })
  driver.feed({ type: 'start-ended', error: null })
  return driver
}

function settledAgain(): GuardDriver {
  const driver = backAgain()
  driver.pass(300)
  driver.feed({ type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'held', tells: true })
  return driver
}

describe('a VIP that keepalived did not put up', () => {
  it('is fenced away once, and left alone when it comes back', () => {
    const driver = settledAgain()
    assert.equal(driver.guard.memory.number, 1)
    const effects = holdDown(driver)
    assert.deepEqual(ofType(effects, 'fence'), [])
    assert.equal(driver.guard.memory.number, 1)
    assert.ok(driver.phase === 'probation' || driver.phase === 'standby', driver.phase)
  })

  it('is told once with its origin, as an event and for as long as it is there', () => {
    const driver = settledAgain()
    const soon = [...hear(driver), ...driver.pass(300), ...hear(driver), ...driver.pass(300)]
    assert.deepEqual(ofType(soon, 'find-origin'), [], 'the word of keepalived may be under way')
    hear(driver)
    const asked = driver.pass(200)
    assert.equal(ofType(asked, 'find-origin').length, 1)
    const effects = driver.feed({ type: 'origin', origin })
    assert.deepEqual(told(effects), ['foreign-vip'])
    assert.match(
      texts(effects)[0] ?? '',
      /^10\.0\.0\.100\/24 on eth0 is not keepalived's: .* BACKUP.*Remove it from \/etc\/netplan\/01\.yaml:7/,
    )
    assert.match(driver.report().warnings[0] ?? '', /is not keepalived's/)
    const again = told(holdDown(driver)).filter((event) => event.startsWith('foreign'))
    assert.deepEqual(again, [])
    const gone = driver.feed({
      type: 'observed',
      keepalived: 'BACKUP',
      process: 'running',
      vips: 'gone',
      tells: true,
    })
    assert.deepEqual(told(gone), ['foreign-vip-ended'])
    assert.deepEqual(
      driver.report().warnings.filter((text) => text.includes('not keepalived')),
      [],
    )
  })

  it('says what to look for where no file names it', () => {
    const driver = settledAgain()
    driver.pass(1100)
    const effects = driver.feed({ type: 'origin', origin: { addresses: [], places: [] } })
    assert.match(texts(effects)[0] ?? '', /^10\.0\.0\.100\/24 is not .*netplan, ifcfg files/)
  })

  it('does not count as having the VIP, for this node and for the others', () => {
    const driver = settledAgain()
    const { vips, foreignVip, release } = driver.report()
    assert.deepEqual({ vips, foreignVip, release }, { vips: 'held', foreignVip: true, release: true })
  })

  it('may come back while keepalived is still stopped', () => {
    const driver = fencedOnce()
    const effects = driver.orphan()
    assert.deepEqual(ofType(effects, 'fence'), [])
    assert.equal(driver.phase, 'fenced')
  })
})

describe('a VIP that may be keepalived’s', () => {
  it('is claimed as ever when keepalived says MASTER', () => {
    const driver = settledAgain()
    for (let second = 0; second < 3; second += 1) {
      driver.hearPeer(peerReport({ release: true, epoch: 8 }))
      driver.hearWitness()
      driver.pass(800)
    }
    driver.hearWitness()
    driver.feed({ type: 'observed', keepalived: 'MASTER', process: 'running', vips: 'held', tells: true })
    assert.equal(driver.phase, 'claiming')
    assert.equal(driver.report().foreignVip, undefined)
  })

  it('is fenced away when keepalived was MASTER since and died', () => {
    const driver = settledAgain()
    driver.feed({ type: 'observed', keepalived: 'MASTER', process: 'running', vips: 'held', tells: true })
    const effects = [...driver.orphan(), ...driver.pass(500)]
    assert.ok(
      ofType(effects, 'fence').some(({ rung }) => rung === 'kill'),
      JSON.stringify(effects),
    )
  })

  it('is claimed when keepalived has not said its state by the time at which it could be MASTER', () => {
    const driver = backAgain()
    const soonestMs = masterDownMs({ ...profile, priority })
    driver.pass(soonestMs - 100)
    assert.equal(driver.guard.memory.number, 1)
    hear(driver)
    driver.pass(200)
    driver.renew()
    assert.equal(driver.guard.memory.number, 2)
  })

  it('is fenced away when a keepalived that never said its state has died', () => {
    const driver = fencedOnce()
    holdDown(driver)
    driver.feed({ type: 'observed', keepalived: 'INIT', process: 'running', vips: 'gone', tells: false })
    const effects = driver.orphan()
    assert.deepEqual(
      ofType(effects, 'fence').map(({ rung }) => rung),
      ['kill'],
    )
  })

  it('is claimed when keepalived has closed the FIFO', () => {
    const driver = settledAgain()
    driver.pass(4000)
    hear(driver)
    driver.feed({ type: 'observed', keepalived: 'BACKUP', process: 'running', vips: 'held', tells: false })
    assert.equal(driver.guard.memory.number, 2)
  })
})
