import assert from 'node:assert/strict'
import { witness } from '../../../../../../shared/protocol/names.ts'
import {
  fenced,
  GuardDriver,
  holdingPeer,
  ofType,
  peer,
  standby,
  standbyToHolder,
  startMs,
  texts,
  timing,
  told,
  holding,
} from '../guard-fixture.ts'

/** keepalived comes back to BACKUP while the peer holds and is heard. */
function probation(driver = standbyToHolder()): GuardDriver {
  driver.fault()
  driver.backup()
  assert.equal(driver.phase, 'probation')
  return driver
}

/** Time passes, and the peer goes on holding. */
function hold(driver: GuardDriver, forMs: number) {
  const effects = []
  for (let leftMs = forMs; leftMs > 0; leftMs -= 400) {
    driver.hearPeer(holdingPeer(8))
    driver.witnessNamesPeer(0)
    effects.push(...driver.pass(Math.min(400, leftMs)))
  }
  return effects
}

/** None of the holder's adverts has arrived. */
function unheard(driver = probation()) {
  driver.feed({ type: 'adverts', received: 1 })
  hold(driver, 2200)
  return driver.feed({ type: 'adverts', received: 1 })
}

describe('a probation', () => {
  it('begins when keepalived has just become BACKUP, and asks at once for the adverts so far', () => {
    const driver = standbyToHolder()
    assert.deepEqual(ofType(driver.backup(), 'count-adverts'), [], 'it was BACKUP before')
    assert.deepEqual(ofType(driver.fault(), 'count-adverts'), [])
    assert.equal(driver.phase, 'standby')
    assert.equal(ofType(driver.backup(), 'count-adverts').length, 1)
    assert.equal(driver.deadlineMs, null, 'until they are counted')
    assert.deepEqual(ofType(driver.tick(), 'count-adverts'), [])
  })

  it('counts again after two adverts were due', () => {
    const driver = probation()
    driver.feed({ type: 'adverts', received: 1 })
    assert.equal(driver.deadlineMs, startMs + 2200)
    assert.deepEqual(ofType(hold(driver, 2199), 'count-adverts'), [])
    assert.equal(ofType(hold(driver, 1), 'count-adverts').length, 1)
  })

  it('ends in standby when an advert arrived, when keepalived cannot say, and when it is BACKUP no more', () => {
    const arrived = probation()
    arrived.feed({ type: 'adverts', received: 1 })
    assert.deepEqual(told(arrived.feed({ type: 'adverts', received: 2 })), [])
    assert.equal(arrived.phase, 'standby')

    const dumb = probation()
    dumb.feed({ type: 'adverts', received: 1 })
    dumb.feed({ type: 'adverts', received: null })
    assert.equal(dumb.phase, 'standby')

    const left = probation()
    left.fault()
    assert.equal(left.phase, 'standby')
  })

  it('takes no notice of adverts that it did not ask for', () => {
    const driver = standby()
    driver.feed({ type: 'adverts', received: 1 })
    assert.equal(driver.phase, 'standby')
  })
})

describe('a bar for want of adverts', () => {
  it('says who is not heard, for how long, and when it is tried again', () => {
    const driver = probation()
    const effects = unheard(driver)
    assert.equal(driver.phase, 'barred')
    assert.match(
      texts(effects)[0] ?? '',
      /lb02 holds the lease and is alive, but none .* within 2200 ms \(advert_int 1000 ms\).*next try is in 5 s/,
    )
    assert.equal(driver.deadlineMs, driver.atMs + 5000)
  })

  it('is told once, tried again ever more seldom, and told to be over when an advert arrives', () => {
    const driver = probation()
    unheard(driver)
    const retries = []
    const quiet = []
    for (let i = 0; i < 5; i++) {
      quiet.push(...hold(driver, (driver.deadlineMs ?? 0) - driver.atMs))
      quiet.push(...driver.fault())
      quiet.push(...driver.backup(), ...unheard(probation(driver)))
      retries.push((driver.deadlineMs ?? 0) - driver.atMs)
    }
    assert.deepEqual(retries, [10_000, 20_000, 40_000, 60_000, 60_000])
    assert.deepEqual(told(quiet), [])

    hold(driver, 60_000)
    probation(driver)
    driver.feed({ type: 'adverts', received: 1 })
    const over = driver.feed({ type: 'adverts', received: 2 })
    assert.match(
      texts(over)[0] ?? '',
      /may become MASTER again on this node\. It had been barred because: no VRRP adverts from the holder arrived/,
    )
    unheard(probation(driver))
    assert.equal((driver.deadlineMs ?? 0) - driver.atMs, 5000, 'as if it were the first')
  })
})

describe('after bars for want of adverts', () => {
  const twice = (): GuardDriver => {
    const driver = probation()
    unheard(driver)
    hold(driver, 5000)
    unheard(probation(driver))
    hold(driver, 10_000)
    return driver
  }

  it('nothing is told to be over by a keepalived that cannot say', () => {
    const driver = probation(twice())
    driver.feed({ type: 'adverts', received: 1 })
    assert.deepEqual(told(driver.feed({ type: 'adverts', received: null })), [])
  })

  it('a bar of another cause is told as ever', () => assert.deepEqual(told(twice().fallSilent()), ['barred']))
})

describe('a bar', () => {
  it('of a node that hears nobody is told once, and again when it is lifted', () => {
    const driver = standby()
    assert.match(
      texts(driver.fallSilent()).join(),
      /is barred from becoming MASTER on this node: this node hears neither the witness nor lb02/,
    )
    const sinceMs = driver.atMs
    assert.deepEqual(told(driver.pass(5000)), [])
    assert.ok(driver.guard.phase.name === 'barred')
    assert.equal(driver.guard.phase.sinceMs, sinceMs)
    assert.equal(driver.deadlineMs, null)
    assert.match(
      texts(driver.hearWitness()).join(),
      /again on this node\. It had been barred because: this node hears neither the witness nor lb02/,
    )
    assert.equal(driver.phase, 'standby')
  })

  it('is told again when its cause is another one', () => {
    const driver = standbyToHolder()
    const effects = []
    for (let i = 0; i < 6; i++) {
      driver.witnessNamesPeer(0)
      effects.push(...driver.pass(400))
    }
    assert.match(
      texts(effects).join(),
      /this node has not heard lb02 for .* ms, but lb02 still renews its lease at the witness.*lb02 holds the lease/,
    )
    assert.match(texts(driver.fallSilent()).join(), /hears neither the witness nor lb02/)
  })

  it('is only spoken of in observe mode', () => {
    const driver = standby({ policy: { mode: 'observe' } })
    assert.match(texts(driver.fallSilent()).join(), /keepalived would be barred from becoming MASTER/)
  })

  it('names no peer where none is known', () => {
    const driver = new GuardDriver({ peer: null })
    driver.backup()
    assert.match(texts(driver.fallSilent()).join(), /hears neither the witness nor the peer/)
  })
})

describe('the line for the check', () => {
  const line = (driver: GuardDriver) => ofType(driver.renew(), 'permit')
  const standardMs = timing.reserveMs + timing.renewMs

  it('permits a standby that has heard somebody, for a promise and a heartbeat', () => {
    const driver = standby()
    assert.deepEqual(line(driver), [
      {
        type: 'permit',
        word: 'permit',
        untilMs: driver.atMs + standardMs,
        why: 'standby: may become MASTER',
      },
    ])
    const deaf = new GuardDriver()
    deaf.backup()
    assert.deepEqual(line(deaf), [])
    const keeper = new GuardDriver({ policy: { alone: 'keep' } })
    keeper.backup()
    assert.equal(line(keeper).length, 1)
  })

  it('bars a node that is barred or fenced, and says why', () => {
    const barred = standby()
    barred.fallSilent()
    const why = 'this node hears neither the witness nor lb02, so it could not win the lease'
    assert.deepEqual(line(barred), [{ type: 'permit', word: 'bar', untilMs: barred.atMs + standardMs, why }])
    const stopped = fenced()
    assert.deepEqual(
      line(stopped).map(({ word, untilMs }) => [word, untilMs - stopped.atMs]),
      [['bar', standardMs]],
    )
  })

  it('permits everything in observe mode', () => {
    const driver = standby({ policy: { mode: 'observe' } })
    assert.deepEqual(line(driver), [
      { type: 'permit', word: 'permit', untilMs: driver.atMs + standardMs, why: 'observe mode' },
    ])
  })

  it('permits a holder for two heartbeats, for longer where the check asks seldom enough, never beyond its lease', () => {
    const untilMs = (change: Partial<typeof timing>): number => {
      const driver = holding()
      driver.feed({ type: 'plan', peer, timing: { ...timing, ...change } })
      const [permit] = line(driver)
      return (permit?.untilMs ?? 0) - driver.atMs
    }
    assert.equal(untilMs({}), 800)
    assert.equal(untilMs({ checkMs: 1500 }), 800)
    assert.equal(untilMs({ reserveMs: 2500 }), 1400)
    assert.equal(untilMs({ reserveMs: 2900 }), 1500)
  })

  it('is not written while a claim is under way', () => {
    const driver = standby()
    driver.master()
    assert.deepEqual(line(driver), [])
  })
})

describe('a guard that has just started', () => {
  it('knows nothing of keepalived, and says so', () => {
    const { keepalived, process, vips, release, peerSilentMs } = new GuardDriver().report()
    assert.deepEqual(
      { keepalived, process, vips, release, peerSilentMs },
      { keepalived: 'UNKNOWN', process: 'absent', vips: 'gone', release: false, peerSilentMs: null },
    )
  })

  it('counts an answer of the peer as hearing it, and goes by the newest profile and peer', () => {
    const driver = new GuardDriver({ peer: null })
    driver.feed({ type: 'plan', peer, timing })
    driver.answer(peer, { kind: 'none' })
    assert.equal(driver.report().peerSilentMs, 0)
    driver.backup()
    driver.hearPeer(holdingPeer(8))
    assert.equal(driver.guard.voter.record?.to, peer)
    driver.feed({ type: 'profile', profile: { ...driver.guard.profile, priority: 77 } })
    assert.equal(driver.report().priority, 77)
  })

  it('may be permitted by what it hears of the peer alone', () => {
    const driver = new GuardDriver()
    driver.backup()
    driver.hearPeer()
    assert.equal(ofType(driver.renew(), 'permit').length, 1)
  })

  it('takes no notice of votes that it did not ask for', () => {
    const driver = standby()
    driver.answer(witness, { kind: 'granted', epoch: 8 })
    driver.answer(witness, { kind: 'pending', epoch: 8 })
    driver.refused(witness, 'promised')
    assert.equal(driver.guard.candidacy, null)
  })
})
