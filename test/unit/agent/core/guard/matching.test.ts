import assert from 'node:assert/strict'
import type { GuardEffect } from '../../../../../agent/core/guard/guard.ts'
import { witness } from '../../../../../shared/protocol/names.ts'
import { type DriverOptions, GuardDriver, holdingPeer, peerReport, timing } from './guard-fixture.ts'

const isHarm = (effect: GuardEffect): boolean =>
  effect.type === 'fence' ||
  (effect.type === 'bar' && effect.on) ||
  (effect.type === 'permit' && effect.word === 'bar')

const harm = (...effects: readonly (readonly GuardEffect[])[]): GuardEffect[] => effects.flat().filter(isHarm)

const events = (effects: readonly GuardEffect[]): string[] =>
  effects.flatMap((effect) => (effect.type === 'tell' ? [effect.event] : []))

/** An armed holder whose configuration has just changed. */
function holder(options: DriverOptions = {}): GuardDriver {
  const driver = new GuardDriver(options)
  driver.master()
  driver.pass(50)
  driver.granted(witness)
  driver.granted('lb02')
  assert.equal(driver.phase, 'holding')
  return driver
}

const unmatchedByWitness = (driver: GuardDriver): GuardEffect[] =>
  driver.answer(
    witness,
    { kind: 'refused', reason: 'conflict', text: 'it cannot be told which instance it is' },
    { unmatched: true },
  )

describe('an armed guard whose instance cannot be told from another', () => {
  const sayings = {
    'the hello of the peer': (driver: GuardDriver) => driver.feed({ type: 'peer-match', isMatched: false }),
    'an answer of the witness': unmatchedByWitness,
  }
  for (const [whose, say] of Object.entries(sayings))
    it(`keeps its VIP when its votes stop by ${whose}, and says so once`, () => {
      const driver = holder()
      const told = say(driver)
      assert.deepEqual(events(told), ['unmatched'])
      const effects = [...say(driver)]
      for (let heartbeat = 0; heartbeat < 20; heartbeat++)
        effects.push(...driver.pass(timing.renewMs), ...driver.renew(), ...say(driver))
      assert.deepEqual(harm(told, effects), [])
      assert.equal(driver.phase, 'claiming')
      assert.ok(!events(effects).includes('unmatched'))
      assert.ok(
        driver
          .report()
          .warnings.some((warning) => warning.includes('it cannot be told which instance of lb02')),
      )
    })

  it('takes the VIP when keepalived does, and keeps it against everybody who refuses', () => {
    const driver = new GuardDriver()
    driver.backup()
    driver.hearPeer(holdingPeer(8))
    driver.feed({ type: 'peer-match', isMatched: false })
    const effects = [
      ...driver.master(),
      ...driver.refused(witness, 'promised'),
      ...driver.refused('lb02', 'promised'),
    ]
    assert.deepEqual(harm(effects, driver.pass(60_000), driver.renew()), [])
    assert.equal(driver.phase, 'claiming')
  })

  it('lets keepalived out of a bar that was set before', () => {
    const driver = new GuardDriver()
    driver.backup()
    driver.pass(10_000)
    assert.equal(driver.phase, 'barred')
    const effects = driver.feed({ type: 'peer-match', isMatched: false })
    assert.equal(driver.phase, 'standby')
    assert.ok(effects.some((effect) => effect.type === 'bar' && !effect.on))
  })

  it('opens the gate of "gate: strict"', () => {
    const driver = new GuardDriver({ timing: { gate: 'strict' } })
    driver.backup()
    assert.equal(driver.phase, 'gated')
    const effects = driver.feed({ type: 'peer-match', isMatched: false })
    assert.equal(driver.phase, 'standby')
    assert.ok(effects.some((effect) => effect.type === 'bar' && !effect.on))
    driver.feed({ type: 'peer-match', isMatched: true })
    assert.equal(driver.phase, 'gated')
  })

  it('obeys no order to fence or to yield, and refuses a drill', () => {
    const driver = holder()
    driver.feed({ type: 'gateway', gateway: 'unreachable' })
    driver.hearPeer(peerReport({ gateway: 'reachable' }))
    driver.feed({ type: 'peer-match', isMatched: false })
    const order = { type: 'order', instance: 'VI_1', epoch: driver.epoch, reason: 'a test' } as const
    const effects = (['fence', 'yield', 'drill-holder'] as const).flatMap((what) =>
      driver.feed({ type: 'order', order: { ...order, what } }),
    )
    assert.deepEqual(harm(effects), [])
    const drilled = effects.find((effect) => effect.type === 'drilled')
    assert.equal(drilled?.drilled.result, 'refused')
  })

  it('leaves the VIP of a keepalived that died where it is', () => {
    const driver = holder()
    driver.feed({ type: 'peer-match', isMatched: false })
    assert.deepEqual(harm(driver.orphan(), driver.pass(5000)), [])
  })

  it('does not follow the witness any more once the peer has said something newer, until the witness says it again', () => {
    const driver = holder()
    unmatchedByWitness(driver)
    assert.deepEqual(events(driver.feed({ type: 'peer-match', isMatched: true })), ['matched'])
    assert.deepEqual(events(unmatchedByWitness(driver)), ['unmatched'])
  })

  it('enforces again as soon as it can be told', () => {
    const driver = holder()
    unmatchedByWitness(driver)
    driver.pass(10_000)
    driver.renew()
    assert.deepEqual(events(driver.granted(witness)).slice(0, 1), ['matched'])
    const effects = driver.pass(10_000)
    assert.ok(effects.some((effect) => effect.type === 'bar' && effect.on))
  })

  it('forgets what was said of a peer that left', () => {
    const driver = holder()
    driver.feed({ type: 'peer-match', isMatched: false })
    driver.feed({ type: 'plan', peer: 'lb03', timing })
    assert.deepEqual(driver.guard.unmatched, { peer: false, witness: false })
  })
})
