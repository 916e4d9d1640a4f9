import assert from 'node:assert/strict'
import type { GuardEffect } from '../../../../../../agent/core/guard/guard.ts'
import { silenceMs } from '../../../../../../shared/core/timing.ts'
import type { Drilled } from '../../../../../../shared/protocol/report.ts'
import { witness } from '../../../../../../shared/protocol/names.ts'
import {
  claiming,
  fenced,
  GuardDriver,
  holding,
  holdingPeer,
  ofType,
  peer,
  peerReport,
  standby,
  standbyToHolder,
  texts,
  timing,
  told,
  types,
  type DriverOptions,
} from '../guard-fixture.ts'

const epoch = 8
/** A real fence gives the bar a quarter of this. */
const barMs = timing.releaseMs

function bars(effects: readonly GuardEffect[]): boolean[] {
  return ofType(effects, 'bar').map(({ on }) => on)
}

function drilledOf(effects: readonly GuardEffect[]): Omit<Drilled, 'type' | 'instance' | 'text'>[] {
  return ofType(effects, 'drilled').map(({ drilled: { role, result, rungs, backMs } }) => ({
    role,
    result,
    rungs,
    backMs,
  }))
}

function textOf(effects: readonly GuardEffect[]): string {
  return ofType(effects, 'drilled')[0]?.drilled.text ?? ''
}

/** Time passes, and the holder and the witness go on as before. */
function passHeard(driver: GuardDriver, forMs: number): GuardEffect[] {
  const effects: GuardEffect[] = []
  for (let leftMs = forMs; leftMs > 0; leftMs -= timing.renewMs) {
    driver.hearPeer(driver.guard.peerReport ?? undefined)
    driver.hearWitness()
    effects.push(...driver.pass(Math.min(leftMs, timing.renewMs)))
  }
  return effects
}

const strict = { gate: 'strict', reserveMs: 3400 } as const

/** The drill has begun on a standby; the bar is written. */
function drilling(options: DriverOptions = {}): { driver: GuardDriver; begun: GuardEffect[] } {
  const driver = standbyToHolder(options)
  // The bar that is left from before this start is lifted first.
  driver.hearPeer(holdingPeer(epoch))
  return { driver, begun: driver.order('drill', epoch) }
}

/** The bar is proved and the stop command runs. */
function stopping(options: DriverOptions = {}): GuardDriver {
  const { driver } = drilling(options)
  driver.sleep(4)
  driver.fault()
  return driver
}

/** The stop command has ended and keepalived is gone; the start command runs. */
function returning(options: DriverOptions = {}): GuardDriver {
  const driver = stopping(options)
  driver.sleep(1000)
  driver.absent()
  driver.feed({ type: 'rung-ended', rung: 'stop', error: null })
  return driver
}

describe('a drill of a standby', () => {
  it('is given up where keepalived becomes MASTER before the disk has it: a fence is a real one then', () => {
    const { driver } = drilling({ recordsAtOnce: false })
    assert.equal(driver.phase, 'standby')
    const given = driver.master()
    assert.deepEqual(drilledOf(given), [{ role: 'standby', result: 'refused', rungs: [], backMs: null }])
    assert.deepEqual(ofType(given, 'remember')[0]?.memory, { stopped: false, number: 0, recentAtMs: [] })
    driver.order('fence')
    const { phase, memory } = driver.guard
    assert.ok(phase.name === 'fencing')
    assert.equal(phase.ladder.deadlineMs - phase.ladder.startedAtMs, timing.releaseMs / 4)
    assert.equal(memory.drilling, undefined)
    assert.deepEqual(types(driver.feed({ type: 'remembered', error: null })), [])
  })

  it('writes the bar and remembers on disk what a successor owes, before anything else is done', () => {
    const { driver, begun } = drilling()
    assert.equal(driver.phase, 'drilling')
    assert.deepEqual(bars(begun), [true])
    assert.deepEqual(types(begun)[0], 'remember-first')
    assert.deepEqual(ofType(begun, 'remember-first')[0]?.memory, {
      stopped: true,
      drilling: true,
      number: 0,
      recentAtMs: [],
    })
    assert.equal(ofType(begun, 'permit')[0]?.word, 'bar')
    assert.deepEqual(told(begun), ['drill'])
    assert.equal(ofType(begun, 'beat').length, 1, 'the voters see it at once')
    assert.deepEqual(ofType(begun, 'fence'), [])
  })

  it('does nothing before that is on disk, and nothing at all where it cannot be written', () => {
    const driver = standbyToHolder({ recordsAtOnce: false })
    assert.deepEqual(types(driver.order('drill', epoch)), ['remember-first'])
    assert.equal(driver.phase, 'standby')
    const refused = driver.feed({ type: 'remembered', error: 'ENOSPC' })
    assert.deepEqual(bars(refused), [])
    assert.equal(drilledOf(refused)[0]?.result, 'refused')
    assert.match(textOf(refused), /could not write to disk .* \(ENOSPC\)/)
    const wordy = standbyToHolder({ recordsAtOnce: false })
    wordy.order('drill', epoch)
    const long = wordy.feed({ type: 'remembered', error: 'x'.repeat(600) })
    assert.equal(textOf(long).length, 500, 'no more than the protocol allows')
    assert.equal(driver.guard.memory.stopped, false)
  })

  it('is refused where its moment has passed while the disk wrote', () => {
    const driver = standbyToHolder({ recordsAtOnce: false })
    driver.order('drill', epoch)
    driver.sleep(silenceMs(timing))
    driver.hearWitness()
    const refused = driver.feed({ type: 'remembered', error: null })
    assert.equal(drilledOf(refused)[0]?.result, 'refused')
    assert.deepEqual(ofType(refused, 'remember')[0]?.memory, { stopped: false, number: 0, recentAtMs: [] })
  })

  it('proves the bar, then stops keepalived, starts it again, and says how long each took', () => {
    const { driver } = drilling()
    driver.sleep(4)
    const barred = driver.fault()
    assert.deepEqual(told(barred), ['drill-proved'])
    assert.match(texts(barred)[0] ?? '', /"bar" was proved after 4 ms.*, and keepalived is FAULT\./)
    assert.deepEqual(ofType(barred, 'fence'), [{ type: 'fence', rung: 'stop' }])
    driver.sleep(1000)
    const gone = driver.absent()
    assert.match(texts(gone)[0] ?? '', /"stop" was proved after 1000 ms.*, and keepalived is gone\./)
    assert.deepEqual(bars(gone), [false])
    assert.deepEqual(types(gone).includes('start-keepalived'), false, 'the stop command still runs')
    const ended = driver.feed({ type: 'rung-ended', rung: 'stop', error: null })
    assert.ok(types(ended).includes('start-keepalived'))
    driver.sleep(50)
    driver.feed({ type: 'start-ended', error: null })
    const back = driver.backup()
    assert.deepEqual(drilledOf(back), [
      {
        role: 'standby',
        result: 'passed',
        rungs: [
          { rung: 'bar', proved: true, tookMs: 4 },
          { rung: 'stop', proved: true, tookMs: 1000 },
        ],
        backMs: 50,
      },
    ])
    assert.equal(
      textOf(back),
      '"bar" proved after 4 ms, "stop" proved after 1000 ms; keepalived took part in VRRP again after 50 ms',
    )
    assert.equal(driver.phase, 'probation')
    assert.equal(driver.guard.drill, null)
  })

  it('leaves no trace: no hold-down, no fence in the report, nothing owed', () => {
    const driver = returning()
    driver.feed({ type: 'start-ended', error: null })
    const back = driver.backup()
    assert.deepEqual(ofType(back, 'remember')[0]?.memory, { stopped: false, number: 0, recentAtMs: [] })
    assert.equal(driver.report().fence, null)
  })

  it('writes the permit before keepalived is started: its check runs at once', () => {
    const driver = stopping()
    driver.sleep(1000)
    const effects = [...driver.absent(), ...driver.feed({ type: 'rung-ended', rung: 'stop', error: null })]
    const order = effects.flatMap((effect) =>
      effect.type === 'permit' ? [effect.word] : effect.type === 'start-keepalived' ? ['start'] : [],
    )
    assert.deepEqual(order, ['permit', 'start'])
  })

  it('passes with a bar that is late, and says that a real fence would not have waited', () => {
    const { driver } = drilling({ policy: { fence: 'fault' } })
    driver.sleep(120)
    driver.fault()
    const back = driver.backup()
    assert.equal(drilledOf(back)[0]?.result, 'passed')
    assert.match(textOf(back), /slow: a real fence runs the stop command after 50 ms/)
  })

  it('says so of a late bar also where the stop command followed, and not of one that was just in time', () => {
    const textAfter = (barAfterMs: number): string => {
      const { driver } = drilling()
      driver.sleep(barAfterMs)
      driver.fault()
      driver.sleep(10)
      driver.absent()
      driver.feed({ type: 'rung-ended', rung: 'stop', error: null })
      driver.feed({ type: 'start-ended', error: null })
      return textOf(driver.backup())
    }
    assert.match(textAfter(51), /slow: a real fence runs the stop command after 50 ms/)
    assert.doesNotMatch(textAfter(50), /slow/)
  })

  it('begins also in probation', () => {
    const driver = new GuardDriver()
    driver.hearPeer(holdingPeer(epoch))
    driver.witnessNamesPeer(0)
    driver.backup()
    assert.equal(driver.phase, 'probation')
    assert.equal(ofType(driver.order('drill', epoch), 'drilled').length, 0)
    assert.equal(driver.phase, 'drilling')
  })

  describe('with gate: strict', () => {
    /** Held in FAULT by the bar; the start command of the drill runs. */
    const gated = (): { driver: GuardDriver; effects: GuardEffect[] } => {
      const driver = new GuardDriver({ timing: strict })
      driver.hearPeer(holdingPeer(epoch))
      driver.witnessNamesPeer(0)
      driver.fault()
      assert.equal(driver.phase, 'gated')
      const effects = driver.order('drill', epoch)
      driver.sleep(900)
      effects.push(...driver.absent(), ...driver.feed({ type: 'rung-ended', rung: 'stop', error: null }))
      return { driver, effects }
    }

    it('begins in FAULT, and never lifts the bar', () => {
      const { driver, effects } = gated()
      effects.push(...driver.feed({ type: 'start-ended', error: null }), ...driver.fault())
      assert.deepEqual(bars(effects), [true])
      assert.equal(ofType(effects, 'permit').at(-1)?.word, 'bar')
      assert.equal(drilledOf(effects)[0]?.result, 'passed')
      assert.equal(driver.phase, 'gated')
    })

    it('is over when keepalived is in FAULT again, not before its state is known', () => {
      const { driver } = gated()
      driver.feed({ type: 'start-ended', error: null })
      const unknown = driver.observe({ keepalived: 'UNKNOWN', process: 'running', vips: 'gone' })
      assert.deepEqual(drilledOf(unknown), [])
      assert.equal(drilledOf(driver.fault())[0]?.result, 'passed')
    })
  })

  it('is not over while keepalived is frozen', () => {
    const driver = returning()
    driver.feed({ type: 'start-ended', error: null })
    const frozen = driver.observe({ keepalived: 'BACKUP', process: 'frozen', vips: 'gone' })
    assert.deepEqual(drilledOf(frozen), [])
    assert.equal(drilledOf(driver.backup())[0]?.result, 'passed')
  })

  it('fails where keepalived does not take part again within 15 s, and is tried again as after any fence', () => {
    const { driver } = drilling({ policy: { fence: 'fault' } })
    driver.fault()
    assert.deepEqual(drilledOf(passHeard(driver, 14_999)), [])
    const late = driver.pass(1)
    assert.deepEqual(drilledOf(late), [
      { role: 'standby', result: 'failed', rungs: [{ rung: 'bar', proved: true, tookMs: 0 }], backMs: null },
    ])
    assert.match(
      textOf(late),
      /did not take part in VRRP again within 15000 ms \(it is FAULT, process running\)/,
    )
    assert.equal(driver.phase, 'fenced')
  })

  it('gives a stop command that never ends ten seconds more', () => {
    const driver = stopping()
    driver.absent()
    assert.deepEqual(drilledOf(passHeard(driver, 24_999)), [])
    assert.match(textOf(driver.pass(1)), /within 25000 ms/)
  })

  it('waits for keepalived to go though the stop command has ended well', () => {
    const driver = stopping()
    const ended = driver.feed({ type: 'rung-ended', rung: 'stop', error: null })
    assert.deepEqual(types(ended), [])
    driver.sleep(30)
    const gone = driver.absent()
    assert.ok(types(gone).includes('start-keepalived'))
    driver.feed({ type: 'start-ended', error: null })
    assert.equal(drilledOf(driver.backup())[0]?.result, 'passed')
  })

  it('takes no other command’s failure for that of the stop command', () => {
    const driver = stopping()
    assert.deepEqual(types(driver.feed({ type: 'rung-ended', rung: 'bar', error: 'EIO' })), [])
    const gone = driver.absent()
    assert.deepEqual(bars(gone), [false])
    assert.ok(!types(gone).includes('start-keepalived'), 'the stop command still runs')
    driver.feed({ type: 'rung-ended', rung: 'stop', error: null })
    const again = driver.feed({ type: 'rung-ended', rung: 'bar', error: 'EIO' })
    assert.ok(!types(again).includes('start-keepalived'), 'keepalived is started once')
    driver.feed({ type: 'start-ended', error: null })
    const back = driver.backup()
    assert.equal(drilledOf(back)[0]?.result, 'failed')
    assert.equal(textOf(back), 'fence step "bar" failed: EIO')
  })

  it('takes no notice of an earlier start command that ends now', () => {
    for (const error of [null, 'exit 1']) {
      const { driver } = drilling()
      assert.deepEqual(types(driver.feed({ type: 'start-ended', error })), [])
      driver.sleep(4)
      assert.deepEqual(ofType(driver.fault(), 'fence'), [{ type: 'fence', rung: 'stop' }])
    }
  })

  it('cuts what it says to what the protocol allows', () => {
    const driver = stopping()
    driver.feed({ type: 'rung-ended', rung: 'stop', error: 'x'.repeat(600) })
    driver.feed({ type: 'start-ended', error: null })
    assert.equal(textOf(driver.backup()).length, 500)
  })

  it('with fence: fault proves the bar alone, and owes nothing', () => {
    const { driver, begun } = drilling({ policy: { fence: 'fault' } })
    assert.deepEqual(ofType(begun, 'remember-first'), [])
    driver.sleep(4)
    const barred = driver.fault()
    assert.deepEqual(bars(barred), [false])
    assert.deepEqual(ofType(barred, 'fence'), [])
    driver.sleep(2)
    const back = driver.backup()
    assert.deepEqual(drilledOf(back), [
      { role: 'standby', result: 'passed', rungs: [{ rung: 'bar', proved: true, tookMs: 4 }], backMs: 2 },
    ])
  })

  it('fails where the bar does nothing, still tries the stop command, and brings the node back', () => {
    const { driver } = drilling()
    const late = driver.pass(barMs)
    assert.deepEqual(ofType(late, 'fence'), [{ type: 'fence', rung: 'stop' }])
    assert.deepEqual(told(late), [], 'nothing is proved')
    driver.sleep(90)
    driver.absent()
    driver.feed({ type: 'rung-ended', rung: 'stop', error: null })
    driver.feed({ type: 'start-ended', error: null })
    const back = driver.backup()
    assert.deepEqual(drilledOf(back), [
      {
        role: 'standby',
        result: 'failed',
        rungs: [
          { rung: 'bar', proved: false, tookMs: barMs },
          { rung: 'stop', proved: true, tookMs: 90 },
        ],
        backMs: 0,
      },
    ])
    assert.match(textOf(back), /the bar did not put keepalived into FAULT within 200 ms .*track_file/)
  })

  it('with fence: fault and a bar that does nothing, stops nothing', () => {
    const { driver } = drilling({ policy: { fence: 'fault' } })
    const late = driver.pass(barMs)
    assert.deepEqual(ofType(late, 'fence'), [])
    assert.equal(drilledOf([...late, ...driver.backup()])[0]?.result, 'failed')
  })

  it('never kills: a stop command that fails ends it, and the start command follows all the same', () => {
    const driver = stopping()
    const failed = driver.feed({ type: 'rung-ended', rung: 'stop', error: 'exit 1' })
    assert.deepEqual(ofType(failed, 'fence'), [])
    assert.ok(types(failed).includes('start-keepalived'))
    driver.feed({ type: 'start-ended', error: null })
    const back = driver.backup()
    assert.deepEqual(drilledOf(back), [
      {
        role: 'standby',
        result: 'failed',
        rungs: [
          { rung: 'bar', proved: true, tookMs: 4 },
          { rung: 'stop', proved: false, tookMs: 0 },
        ],
        backMs: 0,
      },
    ])
    assert.match(textOf(back), /fence step "stop" failed: exit 1/)
  })

  it('waits for a stop command that hangs to end, since it may yet do its work, and then starts keepalived', () => {
    const driver = stopping()
    assert.deepEqual(bars(passHeard(driver, 4999)), [])
    const given = driver.pass(1)
    assert.deepEqual(bars(given), [false], 'keepalived may take part meanwhile')
    assert.deepEqual(ofType(driver.backup(), 'drilled'), [], 'but the drill is not over')
    driver.pass(4500)
    const ended = driver.feed({ type: 'rung-ended', rung: 'stop', error: 'killed after 10 s' })
    assert.ok(types(ended).includes('start-keepalived'))
    const back = driver.feed({ type: 'start-ended', error: null })
    assert.equal(drilledOf(back)[0]?.result, 'failed')
    assert.equal(textOf(back), 'the stop command did not stop keepalived (process running)')
  })

  it('does not stop keepalived when the holder has fallen silent in the meantime', () => {
    const { driver } = drilling()
    driver.sleep(silenceMs(timing))
    const barred = [...driver.fault(), ...driver.hearWitness()]
    assert.deepEqual(ofType(barred, 'fence'), [])
    assert.equal(drilledOf(barred)[0]?.result, 'failed')
    assert.match(textOf(barred), /lb02 fell silent/)
  })

  it('comes back by itself under rejoin: manual', () => {
    const driver = returning({ policy: { rejoin: 'manual' } })
    driver.feed({ type: 'start-ended', error: null })
    assert.equal(drilledOf(driver.backup())[0]?.result, 'passed')
  })

  it('goes on trying where keepalived does not start, as after any fence, whatever rejoin says', () => {
    for (const rejoin of ['auto', 'manual'] as const) {
      const driver = returning({ policy: { rejoin } })
      const failed = driver.feed({ type: 'start-ended', error: 'exit 1' })
      assert.equal(drilledOf(failed)[0]?.result, 'failed')
      assert.equal(driver.phase, 'fenced')
      driver.hearWitness()
      driver.sleep(timing.renewMs)
      let later: GuardEffect[] = []
      for (let beat = 0; beat < 30; beat++) {
        driver.hearPeer(holdingPeer(epoch))
        driver.hearWitness()
        later = [...later, ...driver.pass(timing.renewMs)]
      }
      assert.ok(types(later).includes('start-keepalived'), rejoin)
    }
  })

  it('never fights: a keepalived that becomes MASTER in it has to win the votes', () => {
    const { driver } = drilling()
    const master = driver.master()
    assert.equal(drilledOf(master)[0]?.result, 'failed')
    assert.deepEqual([bars(master), driver.phase], [[false], 'claiming'])
    assert.deepEqual(driver.guard.memory, { stopped: false, number: 0, recentAtMs: [] }, 'nothing is owed')
  })

  it('removes a VIP that a keepalived left which became MASTER in it and died', () => {
    const { driver } = drilling()
    const orphaned = driver.orphan()
    assert.equal(drilledOf(orphaned)[0]?.result, 'failed')
    assert.equal(textOf(orphaned), 'keepalived died and left the VIP')
    assert.deepEqual(ofType(orphaned, 'fence'), [{ type: 'fence', rung: 'kill', spares: true }])
  })

  it('does not fence one that became MASTER when it had been started again: it claims, and nothing is owed', () => {
    const driver = returning()
    driver.master()
    assert.equal(driver.phase, 'claiming')
    assert.deepEqual(driver.guard.memory, { stopped: false, number: 0, recentAtMs: [] })
  })

  it('owes the start to one that became MASTER while a stop that was given up may yet do its work', () => {
    const driver = stopping({ policy: { rejoin: 'manual' } })
    passHeard(driver, 5000)
    driver.master()
    assert.equal(driver.phase, 'claiming')
    assert.equal(driver.guard.memory.stopped, true)
    driver.absent()
    assert.equal(driver.phase, 'fenced')
    assert.ok(types(passHeard(driver, 6000)).includes('start-keepalived'))
  })

  it('that became MASTER while the stop command runs is fenced, and started again after it, whatever rejoin says', () => {
    for (const rejoin of ['auto', 'manual'] as const) {
      const driver = stopping({ policy: { rejoin } })
      driver.master()
      assert.equal(driver.phase, 'fencing')
      driver.sleep(3)
      driver.fault()
      driver.sleep(900)
      driver.absent()
      const later: GuardEffect[] = []
      for (let beat = 0; beat < 20; beat++) {
        driver.hearPeer(holdingPeer(epoch))
        driver.hearWitness()
        later.push(...driver.pass(timing.renewMs))
      }
      assert.ok(types(later).includes('start-keepalived'), rejoin)
    }
  })

  it('comes back at once after the agent stood still: what it measures is worth nothing', () => {
    const { driver } = drilling()
    driver.sleep(1000)
    const resumed = driver.feed({ type: 'resumed', gapMs: 1000, jumpedMs: 0 })
    assert.deepEqual(bars(resumed), [false])
    assert.deepEqual(ofType(resumed, 'fence'), [])
    assert.match(textOf(resumed), /did not run for 1000 ms/)
  })

  it('passes though the agent stood still on the way back: all was proved by then', () => {
    const driver = returning()
    driver.sleep(1000)
    const resumed = driver.feed({ type: 'resumed', gapMs: 1000, jumpedMs: 0 })
    assert.deepEqual(told(resumed), ['paused'])
    driver.feed({ type: 'start-ended', error: null })
    assert.deepEqual(
      drilledOf(driver.backup()).map(({ result, backMs }) => [result, backMs]),
      [['passed', 1000]],
    )
  })

  it('is not what a pause of the agent ends in any other phase: the bar of a fence stays', () => {
    const driver = fenced({ policy: { fence: 'fault' } })
    assert.equal(driver.phase, 'fenced')
    driver.sleep(1000)
    const resumed = driver.feed({ type: 'resumed', gapMs: 1000, jumpedMs: 0 })
    assert.deepEqual([bars(resumed), driver.guard.barOn], [[], true])
  })

  it('leaves alone a keepalived that the admin stops before it began', () => {
    const driver = standbyToHolder({ recordsAtOnce: false })
    driver.order('drill', epoch)
    driver.absent()
    assert.equal(driver.phase, 'standby')
    const refused = driver.feed({ type: 'remembered', error: null })
    assert.match(textOf(refused), /process absent/)
    assert.ok(!types([...refused, ...passHeard(driver, 20_000)]).includes('start-keepalived'))
  })

  describe('after the agent died half way', () => {
    const memory = { stopped: true, drilling: true, number: 3, recentAtMs: [] } as const

    it('makes sure that keepalived goes on running where it still runs, and forgets the drill', () => {
      for (const rejoin of ['auto', 'manual'] as const) {
        const { driver, effects } = restarted({ memory, policy: { rejoin } }, (it) => it.backup())
        assert.equal(driver.phase, 'rejoining', rejoin)
        assert.equal(ofType(effects, 'start-keepalived').length, 1, 'the stop may be on its way still')
        assert.equal(driver.guard.memory.stopped, true)
        driver.feed({ type: 'start-ended', error: null })
        assert.equal(driver.phase, 'standby', rejoin)
        assert.deepEqual(driver.guard.memory, { stopped: false, number: 3, recentAtMs: [] })
      }
    })

    it('starts it at once where it was stopped, without hold-down, also under rejoin: manual', () => {
      for (const rejoin of ['auto', 'manual'] as const) {
        const { driver } = drilling({ policy: { rejoin } })
        const successor = restarted({ memory: driver.guard.memory, policy: { rejoin } })
        assert.equal(successor.driver.phase, 'rejoining', rejoin)
        assert.ok(types(successor.effects).includes('start-keepalived'))
        assert.deepEqual(bars(successor.effects), [false])
      }
    })

    it('lifts a bar that was all that had been done', () => {
      const { driver } = drilling({ policy: { fence: 'fault' } })
      const successor = restarted({ memory: driver.guard.memory }, (it) => it.fault())
      assert.deepEqual(bars(successor.effects), [false])
    })
  })

  describe('is refused, and nothing is done,', () => {
    const refusalOf = (driver: GuardDriver, of = epoch): string => {
      const before = driver.phase
      const effects = driver.order('drill', of)
      assert.deepEqual(bars(effects), [])
      assert.deepEqual(drilledOf(effects), [{ role: 'standby', result: 'refused', rungs: [], backMs: null }])
      assert.equal(driver.phase, before)
      return textOf(effects)
    }

    it('by a node that holds, claims or is fenced', () => {
      assert.match(refusalOf(holding()), /not a standby \(its phase is holding\)/)
      assert.match(refusalOf(claiming()), /not a standby \(its phase is claiming\)/)
    })

    it('where nobody holds', () => {
      assert.match(refusalOf(standby()), /lb02 does not hold the lease/)
    })

    it('where the holder says that it does not hold yet, or says nothing of it', () => {
      for (const change of [{ phase: 'claiming' }, { ask: null }] as const) {
        const driver = standbyToHolder()
        driver.hearPeer(holdingPeer(epoch, change))
        assert.match(refusalOf(driver), /lb02 does not hold the lease/)
      }
      const started = new GuardDriver()
      started.backup()
      assert.match(refusalOf(started), /lb02 does not hold the lease/)
    })

    it('where this node left its vote with the holder', () => {
      const ballot = { to: peer, epoch, standing: true } as const
      const driver = standbyToHolder({
        timing: strict,
        recovered: { kind: 'valid', ballot, mark: null },
        standing: { kept: null, rebooted: false, inDoubt: false },
      })
      driver.fault()
      assert.equal(driver.phase, 'gated')
      assert.match(refusalOf(driver), /delegated its vote to lb02/)
    })

    it('under the epoch of another ownership', () => {
      assert.match(refusalOf(standbyToHolder(), epoch - 1), /under epoch 7/)
      assert.match(refusalOf(standbyToHolder(), epoch + 1), /under epoch 9/)
    })

    it('while the holder is not heard', () => {
      const driver = standbyToHolder()
      driver.sleep(silenceMs(timing))
      driver.hearWitness()
      assert.match(refusalOf(driver), /this node does not hear lb02/)
    })

    it('where keepalived is not BACKUP, or not running', () => {
      const faulty = standbyToHolder()
      faulty.fault()
      assert.match(refusalOf(faulty), /FAULT, not BACKUP/)
      const stopped = standbyToHolder()
      stopped.absent()
      assert.match(refusalOf(stopped), /process absent/)
    })

    it('while keepalived is still owed a start after an earlier fence', () => {
      const driver = standby({ memory: { stopped: true, number: 1, recentAtMs: [] } })
      // The start command runs, and keepalived is there: it may have been there all along.
      driver.master()
      driver.backup()
      driver.hearPeer(holdingPeer(epoch))
      driver.hearPeer(holdingPeer(epoch))
      assert.equal(driver.phase, 'standby')
      assert.match(refusalOf(driver), /not been started again yet after an earlier fence/)
      assert.equal(driver.guard.memory.stopped, true)
    })

    it('in observe mode', () => {
      assert.match(refusalOf(standbyToHolder({ policy: { mode: 'observe' } })), /observe mode/)
    })

    it('while another one is under way', () => {
      const { driver } = drilling()
      assert.match(refusalOf(driver), /already running/)
      const waiting = standbyToHolder({ recordsAtOnce: false })
      waiting.order('drill', epoch)
      assert.match(refusalOf(waiting), /already running/)
    })
  })
})

/** An agent that has just started and does not find keepalived (or finds what `look` shows); the peer holds. */
function restarted(
  options: DriverOptions,
  look: (driver: GuardDriver) => GuardEffect[] = (driver) => driver.absent(),
): { driver: GuardDriver; effects: GuardEffect[] } {
  const driver = new GuardDriver(options)
  const effects = [
    ...driver.hearWitness(),
    ...driver.hearPeer(holdingPeer(epoch)),
    ...driver.witnessNamesPeer(0),
    ...look(driver),
  ]
  return { driver, effects }
}

describe('a drill of the holder', () => {
  function ready(options: DriverOptions = {}): GuardDriver {
    const driver = holding(options)
    driver.hearPeer(peerReport({ epoch: driver.epoch }))
    return driver
  }

  it('lets go by the bar alone, proves it, gives the votes back, and may take part again at once', () => {
    const driver = ready()
    const begun = driver.order('drill-holder', driver.epoch)
    assert.deepEqual(bars(begun), [true])
    driver.sleep(3)
    const proved = driver.fault()
    assert.deepEqual(ofType(proved, 'fence'), [])
    assert.deepEqual(bars(proved), [false])
    assert.equal(driver.phase, 'standby')
    assert.equal(driver.guard.voter.pledge.phase, 'free')
    driver.sleep(5)
    const back = driver.backup()
    assert.deepEqual(drilledOf(back), [
      { role: 'holder', result: 'passed', rungs: [{ rung: 'bar', proved: true, tookMs: 3 }], backMs: 5 },
    ])
  })

  it('counts for no hold-down, and rejoins under rejoin: manual', () => {
    const driver = ready({ policy: { rejoin: 'manual' } })
    driver.order('drill-holder', driver.epoch)
    driver.fault()
    assert.equal(driver.phase, 'standby')
    assert.deepEqual(driver.guard.memory.recentAtMs, [])
  })

  it('fails where the bar does nothing, though the ladder goes on until the VIP is gone', () => {
    const driver = ready()
    driver.order('drill-holder', driver.epoch)
    assert.deepEqual(ofType(driver.pass(barMs), 'fence'), [{ type: 'fence', rung: 'stop' }])
    driver.sleep(20)
    driver.absent()
    driver.feed({ type: 'rung-ended', rung: 'stop', error: null })
    driver.hearWitness()
    driver.feed({ type: 'start-ended', error: null })
    const back = driver.backup()
    assert.deepEqual(
      drilledOf(back).map(({ result, rungs }) => ({ result, rungs })),
      [
        {
          result: 'failed',
          rungs: [
            { rung: 'bar', proved: false, tookMs: barMs },
            { rung: 'stop', proved: true, tookMs: barMs + 20 },
          ],
        },
      ],
    )
  })

  it('with gate: strict lets the other node apply first, though this one is preferred', () => {
    const driver = standby({ timing: { gate: 'strict', reserveMs: 3400 } })
    driver.guard = { ...ready().guard, timing: driver.guard.timing }
    driver.hearPeer(peerReport({ phase: 'gated', keepalived: 'FAULT', epoch: driver.epoch }))
    driver.order('drill-holder', driver.epoch)
    driver.fault()
    const { phase } = driver.guard
    assert.ok(phase.name === 'gated')
    assert.equal(phase.retryAtMs, driver.atMs + 2000)
  })

  it('with gate: strict is over when keepalived waits in FAULT behind the bar', () => {
    const driver = ready()
    driver.guard = { ...driver.guard, timing: { ...timing, ...strict } }
    driver.order('drill-holder', driver.epoch)
    driver.sleep(3)
    assert.deepEqual(drilledOf(driver.fault()), [
      { role: 'holder', result: 'passed', rungs: [{ rung: 'bar', proved: true, tookMs: 3 }], backMs: 0 },
    ])
  })

  it('asks only for a node that may take part: also one in probation', () => {
    const driver = holding()
    driver.hearPeer(peerReport({ epoch: driver.epoch, phase: 'probation' }))
    assert.deepEqual(bars(driver.order('drill-holder', driver.epoch)), [true])
  })

  it('is not over while keepalived is frozen', () => {
    const driver = ready()
    driver.order('drill-holder', driver.epoch)
    driver.fault()
    const frozen = driver.observe({ keepalived: 'BACKUP', process: 'frozen', vips: 'gone' })
    assert.deepEqual(drilledOf(frozen), [])
    assert.equal(drilledOf(driver.backup())[0]?.result, 'passed')
  })

  it('fails where keepalived does not take part again 15 s after the proof, though the bar was lifted', () => {
    const driver = ready()
    driver.order('drill-holder', driver.epoch)
    driver.fault()
    assert.equal(driver.phase, 'standby')
    assert.deepEqual(drilledOf(passHeard(driver, 14_999)), [])
    const late = driver.pass(1)
    assert.deepEqual(
      drilledOf(late).map(({ result, backMs }) => [result, backMs]),
      [['failed', null]],
    )
    assert.equal(textOf(late), 'keepalived did not take part in VRRP again')
  })

  it('is not over while the node is held down, because the other one was faster', () => {
    const driver = ready()
    driver.order('drill-holder', driver.epoch)
    driver.witnessNamesPeer(0)
    assert.deepEqual(drilledOf(driver.fault()), [])
    assert.equal(driver.phase, 'fenced')
  })

  describe('whose bar does nothing', () => {
    /** The stop command of its fence runs. */
    const failing = (options: DriverOptions = {}): GuardDriver => {
      const driver = ready()
      driver.guard = { ...driver.guard, timing: { ...driver.guard.timing, ...options.timing } }
      driver.order('drill-holder', driver.epoch)
      driver.pass(barMs)
      return driver
    }

    it('is not over before keepalived has ended, though the VIP is gone', () => {
      const driver = failing()
      assert.deepEqual(drilledOf(driver.fault()), [])
      assert.equal(driver.phase, 'fencing')
    })

    it('counts a rung that ended keepalived late as one that removed the VIP', () => {
      const driver = failing()
      driver.sleep(10)
      driver.fault()
      driver.feed({ type: 'rung-ended', rung: 'stop', error: 'exit 1' })
      driver.absent()
      driver.hearWitness()
      driver.feed({ type: 'start-ended', error: null })
      assert.deepEqual(drilledOf(driver.backup())[0]?.rungs, [
        { rung: 'bar', proved: false, tookMs: barMs },
        { rung: 'stop', proved: true, tookMs: barMs + 10 },
      ])
    })

    it('fails 15 s after the proof where keepalived does not start', () => {
      const driver = failing()
      driver.absent()
      driver.hearWitness()
      assert.equal(driver.phase, 'rejoining')
      assert.deepEqual(drilledOf(passHeard(driver, 14_999)), [])
      assert.equal(textOf(driver.pass(1)), 'keepalived did not take part in VRRP again')
    })

    it('is not over with gate: strict before the started keepalived shows a state', () => {
      const driver = failing({ timing: strict })
      driver.absent()
      driver.hearWitness()
      assert.equal(driver.phase, 'rejoining')
      const unknown = driver.observe({ keepalived: 'UNKNOWN', process: 'running', vips: 'gone' })
      assert.deepEqual(drilledOf(unknown), [])
      assert.equal(drilledOf(driver.fault())[0]?.result, 'failed')
    })

    it('names no more rungs than the protocol allows, the last of them', () => {
      const driver = failing()
      passHeard(driver, 6000)
      driver.absent()
      driver.hearWitness()
      driver.feed({ type: 'start-ended', error: null })
      const rungs = drilledOf(driver.backup())[0]?.rungs ?? []
      assert.deepEqual(
        rungs.map(({ rung, proved }) => [rung, proved]),
        [
          ['kill', false],
          ['kill', false],
          ['kill', false],
          ['kill', true],
        ],
      )
    })
  })

  describe('is refused, and nothing is done,', () => {
    const refusalOf = (driver: GuardDriver, of = driver.guard.candidacy?.epoch ?? epoch): string => {
      const effects = driver.order('drill-holder', of)
      assert.deepEqual(bars(effects), [])
      assert.deepEqual(
        drilledOf(effects).map(({ result }) => result),
        ['refused'],
      )
      return textOf(effects)
    }

    it('by a node that does not hold, or under another epoch', () => {
      assert.match(refusalOf(standbyToHolder()), /does not hold the lease/)
      const driver = ready()
      assert.match(refusalOf(driver, driver.epoch - 1), /does not hold the lease under epoch/)
      assert.match(refusalOf(claiming()), /does not hold the lease under epoch 8 \(its phase is claiming\)/)
    })

    it('in observe mode, and while another one is under way', () => {
      assert.match(refusalOf(ready({ policy: { mode: 'observe' } })), /observe mode/)
      const driver = ready()
      const { epoch: of } = driver
      driver.order('drill-holder', of)
      assert.match(refusalOf(driver, of), /already running/)
    })

    it('where the other node could not take the VIP at once, or is not heard', () => {
      const unable = [{ phase: 'barred' }, { keepalived: 'FAULT' }, { process: 'absent' }] as const
      for (const change of unable) {
        const driver = holding()
        driver.hearPeer(peerReport({ epoch: driver.epoch, ...change }))
        assert.match(refusalOf(driver), /lb02 could not take the VIP/)
      }
      const silent = ready()
      silent.sleep(silenceMs(timing))
      assert.match(refusalOf(silent), /lb02 could not take the VIP/)
      const unknown = new GuardDriver()
      unknown.hearWitness()
      unknown.backup()
      unknown.master()
      unknown.granted(witness)
      assert.equal(unknown.phase, 'holding')
      assert.match(refusalOf(unknown), /lb02 could not take the VIP/)
    })
  })
})

describe('the two drills', () => {
  it('do not take each other’s order: what was allowed for a standby moves no VIP', () => {
    const driver = holding()
    driver.hearPeer(peerReport({ epoch: driver.epoch }))
    driver.order('drill', driver.epoch)
    assert.equal(driver.phase, 'holding')
    assert.equal(peer, 'lb02')
  })
})
