import assert from 'node:assert/strict'
import type { GuardEffect } from '../../../../../../agent/core/guard/guard.ts'
import { holdDownMs } from '../../../../../../agent/core/guard/fence-history.ts'
import { witness } from '../../../../../../shared/protocol/names.ts'
import {
  type DriverOptions,
  fenced,
  fencing,
  GuardDriver,
  holding,
  holdingPeer,
  ofType,
  peer,
  standby,
  standbyToHolder,
  startMs,
  texts,
  timing,
  told,
  claiming,
  noFences,
} from '../guard-fixture.ts'

const { releaseMs } = timing
const rungs = (effects: ReturnType<GuardDriver['tick']>) => ofType(effects, 'fence').map(({ rung }) => rung)

describe('a fence', () => {
  it('is remembered and told to the voters at once', () => {
    const effects = claiming().order('fence')
    assert.deepEqual(ofType(effects, 'remember'), [
      { type: 'remember', memory: { stopped: false, number: 1, recentAtMs: [startMs] } },
    ])
    assert.equal(ofType(effects, 'beat').length, 1)
  })

  it('reports no longer a reason than the protocol allows', () => {
    const driver = claiming()
    const text = 'x'.repeat(490)
    for (const from of [witness, peer]) driver.answer(from, { kind: 'refused', reason: 'promised', text })
    assert.equal(driver.report().fence?.reason.length, 500)
  })

  it('says by which rung and how fast it was proved, and tells the voters', () => {
    const driver = fencing({ policy: { fence: 'fault' } })
    driver.sleep(3)
    const effects = driver.fault()
    assert.match(
      texts(effects)[0] ?? '',
      /released after 3 ms \(fence step "bar"\).*keepalived is FAULT\. Reason: the claim/,
    )
    assert.equal(ofType(effects, 'beat').length, 1)
    const dead = fencing()
    assert.match(texts(dead.absent())[0] ?? '', /keepalived is gone/)
  })

  it('does not kill keepalived for taking its time to stop once the VIP is gone', () => {
    const driver = fencing()
    driver.pass(releaseMs / 4)
    const effects = driver.observe({ keepalived: 'STOP', vips: 'gone' })
    assert.deepEqual(told(effects), ['fenced'])
    assert.deepEqual(rungs(effects), [])
    assert.deepEqual(rungs(driver.pass(1000)), [])
  })

  it('says of a rung that it did not do its work only where its time is over', () => {
    const late = fencing()
    const climbs = late.pass(releaseMs / 4)
    assert.deepEqual(told(climbs), ['fence-climbs'])
    assert.match(
      texts(climbs)[0] ?? '',
      /"bar" did not take effect within 50 ms \(VIP held, keepalived running\); the next step is "stop"/,
    )

    const failed = late.feed({ type: 'rung-ended', rung: 'stop', error: 'exit code 1' })
    assert.deepEqual([told(failed), rungs(failed)], [['fence-rung-failed'], ['kill']])
    const proved = fencing()
    assert.deepEqual([told(proved.fault()), proved.phase], [['fenced'], 'fencing'])
  })

  it('does not say that a bar had no effect where it worked late and keepalived is stopped all the same', () => {
    const driver = fencing()
    driver.sleep(releaseMs / 4 + 10)
    const effects = driver.fault()
    assert.deepEqual([told(effects), rungs(effects)], [['fenced'], ['stop']])
  })

  it('takes note only of commands that failed, while it lasts', () => {
    const driver = fencing()
    driver.pass(releaseMs / 4)
    assert.deepEqual(told(driver.feed({ type: 'rung-ended', rung: 'stop', error: null })), [])
    const other = driver.feed({ type: 'rung-ended', rung: 'bar', error: 'EIO' })
    assert.deepEqual([told(other), rungs(other)], [['fence-rung-failed'], []])
    assert.deepEqual(told(standby().feed({ type: 'rung-ended', rung: 'stop', error: 'late' })), [])
  })

  it('tells operators and voters where the VIP is still there after all', () => {
    const driver = fencing()
    const effects = driver.pass(10 * releaseMs)
    const [failure] = ofType(effects, 'tell').filter(({ event }) => event === 'fence-failed')
    assert.match(
      failure?.text ?? '',
      /STILL on this node 350 ms after the fence began.*\(10\.0\.0\.100\/24; keepalived MASTER, process running\)/,
    )
    const at = effects.findIndex((effect) => effect === failure)
    assert.equal(effects[at - 1]?.type, 'beat')
    assert.equal(driver.report().fence?.result, 'failed')
  })

  it('remembers that keepalived is stopped where it ran until then, once', () => {
    const driver = fencing()
    assert.deepEqual(
      ofType(driver.fault(), 'remember').map(({ memory }) => memory.stopped),
      [true],
    )
    assert.deepEqual(ofType(driver.absent(), 'remember'), [])
  })

  it('writes the bar again, even if it was on: somebody may have removed the file', () => {
    const driver = standbyToHolder()
    driver.witnessNamesPeer(0)
    driver.fallSilent()
    assert.equal(driver.guard.barOn, true)
    const effects = driver.master()
    effects.push(...driver.pass(timing.renewMs + timing.claimMs))
    assert.equal(driver.phase, 'fencing')
    assert.deepEqual(
      ofType(effects, 'bar').map(({ on }) => on),
      [true],
    )
  })

  it('of an orphaned VIP ends in standby: keepalived was not stopped by it', () => {
    const driver = standby()
    const effects = driver.orphan()
    assert.deepEqual(told(effects), ['fencing'], 'there is nothing to claim')
    assert.deepEqual(rungs(effects), ['kill'])
    assert.deepEqual(told(driver.absent()), ['fenced'])
    assert.equal(driver.phase, 'standby')
    assert.equal(driver.guard.memory.stopped, false)
  })

  it('of an orphaned VIP that stays owes nobody a start', () => {
    const driver = standby()
    driver.orphan()
    driver.pass(10 * releaseMs)
    assert.equal(driver.report().fence?.result, 'failed')
    assert.equal(driver.guard.memory.stopped, false)
  })

  it('of an orphaned VIP kills nobody who lives, and removes nothing of theirs', () => {
    const effects = standby().orphan()
    assert.deepEqual(ofType(effects, 'fence'), [{ type: 'fence', rung: 'kill', spares: true }])
    const later = standby()
    later.orphan()
    assert.deepEqual(
      ofType(later.pass(3 * releaseMs), 'fence').map(({ spares }) => spares),
      [true],
    )
    assert.deepEqual(
      ofType(fencing().pass(2 * releaseMs), 'fence').map(({ rung, spares }) => [rung, spares]),
      [
        ['stop', undefined],
        ['kill', undefined],
        ['kill', undefined],
      ],
    )
  })

  it('of an orphaned VIP ends when keepalived is there again: its VIP is claimed as any other', () => {
    for (const keepalived of ['INIT', 'BACKUP', 'MASTER'] as const) {
      const driver = standby()
      driver.orphan()
      const effects = driver.observe({ keepalived, process: 'running', vips: 'held' })
      assert.deepEqual([told(effects), rungs(effects), driver.phase], [['claiming'], [], 'claiming'])
      assert.deepEqual(rungs(driver.feed({ type: 'rung-ended', rung: 'kill', error: null })), [])
    }
    const unseen = standby()
    unseen.orphan()
    unseen.observe({ process: 'unknown' })
    assert.equal(unseen.phase, 'claiming', 'where keepalived may live, nothing is anybody’s orphan')
  })

  it('owes a start to a keepalived that dies during the fence, because the stop command ends its restart', () => {
    const driver = fencing()
    driver.orphan()
    const effects = driver.pass(releaseMs / 4)
    assert.deepEqual(rungs(effects), ['stop'])
    assert.equal(driver.guard.memory.stopped, true)
    driver.absent()
    driver.hearPeer()
    driver.hearWitness()
    assert.equal(driver.phase, 'rejoining')
  })

  it('repeats a last rung that fails at its pace, and reports it once', () => {
    const driver = fencing()
    const effects = driver.pass(2 * releaseMs)
    for (let ms = 0; ms < 10_000; ms += 10) {
      effects.push(...driver.feed({ type: 'rung-ended', rung: 'kill', error: 'exit code 2' }))
      effects.push(...driver.pass(10))
    }
    assert.deepEqual(told(effects), ['fence-climbs', 'fence-climbs', 'fence-failed', 'fence-rung-failed'])
    assert.ok(rungs(effects).length <= 13, `${rungs(effects).length} commands in ten seconds`)
  })

  it('is remembered again only where something changed', () =>
    assert.deepEqual(ofType(standby().feed({ type: 'start-ended', error: null }), 'remember'), []))
})

describe('the hold-down', () => {
  it('doubles with each fence of the last hour, to five minutes', () => {
    const nowMs = 10_000_000
    const after = (...agoMs: number[]): number =>
      holdDownMs(
        agoMs.map((ago) => nowMs - ago),
        nowMs,
      )
    assert.deepEqual([after(), after(0), after(0, 1), after(0, 1, 2)], [5000, 5000, 10_000, 20_000])
    assert.equal(after(...Array.from({ length: 30 }, (_, i) => i)), 300_000)
    assert.deepEqual([after(0, 3_599_999), after(0, 3_600_000)], [10_000, 5000])
    assert.equal(after(0, -10), 5000, 'an instant to come is of another boot')
  })

  it('begins anew when the agent starts on a node that is fenced', () => {
    const driver = new GuardDriver({ memory: { stopped: true, number: 3, recentAtMs: [startMs - 1000] } })
    assert.equal(driver.phase, 'fenced')
    assert.equal(driver.deadlineMs, startMs + 5000)
  })
})

describe('a fenced node', () => {
  /** Hears witness and peer so long that nothing but the fence holds it back. */
  const wait = (driver: GuardDriver, forMs: number) => {
    const effects = []
    for (let leftMs = forMs; leftMs > 0; leftMs -= 400) {
      effects.push(...driver.hearWitness(), ...driver.hearPeer(), ...driver.pass(Math.min(400, leftMs)))
    }
    return effects
  }

  it('starts keepalived that it stopped, and waits until it takes part', () => {
    const driver = fenced()
    const effects = wait(driver, 10_000)
    assert.equal(ofType(effects, 'start-keepalived').length, 1)
    assert.equal(driver.phase, 'rejoining')
    for (const keepalived of ['UNKNOWN', 'STOP'] as const) {
      driver.observe({ keepalived, process: 'running', vips: 'gone' })
      assert.equal(driver.phase, 'rejoining')
    }
    driver.observe({ keepalived: 'BACKUP', process: 'frozen' })
    assert.equal(driver.phase, 'rejoining')
    const back = driver.backup()
    assert.equal(driver.phase, 'standby')
    assert.deepEqual(
      ofType(back, 'remember').map(({ memory }) => memory.stopped),
      [false],
    )
  })

  it('is fenced again, and says why, where keepalived does not come up', () => {
    const slow = fenced()
    wait(slow, 400)
    const effects = wait(slow, 15_000)
    assert.match(
      texts(effects).join(),
      /keepalived was not running 15000 ms after its start command\. The agent tries again later/,
    )
    assert.equal(told(effects).filter((event) => event === 'rejoin-failed').length, 1)

    const broken = fenced()
    wait(broken, 400)
    const failed = broken.feed({ type: 'start-ended', error: 'exit code 1' })
    assert.match(texts(failed).join(), /could not be started: exit code 1/)
    assert.deepEqual(
      ofType(failed, 'remember').map(({ memory }) => [memory.stopped, memory.recentAtMs.length]),
      [[true, 2]],
    )
  })

  it('owes the start still where keepalived comes up, takes the VIP and dies', () => {
    const driver = fenced()
    wait(driver, 10_000)
    assert.equal(driver.phase, 'rejoining')
    driver.orphan()
    assert.deepEqual([driver.phase, driver.guard.memory.stopped], ['fencing', true])
    driver.absent()
    assert.deepEqual([driver.phase, driver.guard.memory.stopped], ['rejoining', true])
  })

  it('takes no notice of a start command that fails where it waits for none', () => {
    const driver = standby()
    assert.deepEqual(told(driver.feed({ type: 'start-ended', error: 'exit code 1' })), [])
    assert.equal(driver.phase, 'standby')
  })

  it('does not start what runs again by somebody else’s hand', () => {
    const driver = fenced()
    driver.backup()
    const effects = wait(driver, 10_000)
    assert.deepEqual(ofType(effects, 'start-keepalived'), [])
    assert.ok(told(effects).includes('rejoined'))
    assert.equal(driver.guard.memory.stopped, false)
  })

  it('does not start what it never stopped', () => {
    const driver = fenced({ policy: { fence: 'fault' } })
    driver.absent()
    const effects = wait(driver, 10_000)
    assert.deepEqual(ofType(effects, 'start-keepalived'), [])
    assert.ok(told(effects).includes('rejoined'))
  })

  it('waits for the operator’s own start where rejoin is manual', () => {
    const running = new GuardDriver({
      memory: { ...noFences, stopped: true },
      policy: { rejoin: 'manual' },
    })
    running.hearWitness()
    running.hearPeer()
    running.backup()
    wait(running, 60_000)
    assert.equal(running.phase, 'fenced', 'it ran all the time: nobody wanted that')

    const stopped = fenced({ policy: { rejoin: 'manual' } })
    wait(stopped, 60_000)
    assert.equal(stopped.phase, 'fenced')
    assert.deepEqual(told(stopped.backup()), ['rejoined'])
  })

  it('rejoins though it hears nobody where the operator wants it so', () => {
    const driver = fenced({ policy: { alone: 'keep' } })
    const effects = driver.pass(10_000)
    assert.equal(ofType(effects, 'start-keepalived').length, 1)
    const alone = fenced()
    alone.pass(20_000)
    assert.equal(alone.phase, 'fenced')
  })

  it('claims the VIP that it has against all expectation, and removes one without keepalived', () => {
    for (const beginning of [
      fenced(),
      (() => {
        const driver = fenced()
        wait(driver, 10_000)
        return driver
      })(),
    ]) {
      assert.deepEqual(told(beginning.master()), ['claiming'])
      assert.equal(beginning.phase, 'claiming')
      assert.equal(beginning.guard.memory.stopped, false, 'it runs again: no start is owed')
    }
    const driver = fenced()
    const orphaned = driver.orphan()
    assert.deepEqual([told(orphaned), rungs(orphaned)], [['fencing'], ['kill']])
    assert.equal(driver.guard.memory.stopped, true, 'the start is owed still')
  })

  it('starts nothing where a keepalived that it never stopped becomes MASTER in spite of the bar', () => {
    const driver = fenced({ policy: { fence: 'fault' } })
    assert.deepEqual(ofType(driver.master(), 'start-keepalived'), [])
    assert.equal(driver.phase, 'claiming')
  })

  it('rejoins though it hears nobody where it can win with the vote that the peer left here', () => {
    const kept = { of: peer, epoch: 7 }
    const driver = new GuardDriver({
      memory: { ...noFences, stopped: true },
      standing: { kept, rebooted: false, inDoubt: false },
    })
    driver.absent()
    assert.equal(ofType(driver.pass(20_000), 'start-keepalived').length, 1)
  })

  it('with gate: strict starts keepalived behind the bar, which only the lease lifts', () => {
    const driver = new GuardDriver({
      memory: { ...noFences, stopped: true },
      timing: { gate: 'strict', reserveMs: 3400 },
    })
    driver.absent()
    const effects = wait(driver, 10_000)
    assert.equal(ofType(effects, 'start-keepalived').length, 1)
    assert.deepEqual(ofType(effects, 'bar'), [])
  })

  describe('where nobody holds', () => {
    /** The phase at once after the start on this memory; two fences within a minute are followed by no pause. */
    const after = (recentAtMs: readonly number[]): string => {
      const driver = new GuardDriver({ memory: { stopped: true, number: 3, recentAtMs } })
      driver.hearWitness()
      driver.hearPeer()
      driver.absent()
      return driver.phase
    }

    it('pauses after the third fence of a minute, so that two nodes do not take turns', () => {
      assert.equal(after([startMs - 2, startMs - 1]), 'rejoining')
      assert.equal(after([startMs - 59_999, startMs - 1, startMs]), 'fenced')
    })

    it('does not pause for a fence of a minute ago or of another boot', () => {
      assert.equal(after([startMs - 60_000, startMs - 2, startMs - 1]), 'rejoining')
      assert.equal(after([startMs - 1, startMs, startMs + 1]), 'rejoining')
    })
  })
})

describe('a holder', () => {
  it('says who was not heard when nobody renewed its lease', () => {
    const reason = (hear: (driver: GuardDriver) => void): string => {
      const driver = holding()
      const effects = []
      for (let i = 0; i < 5; i++) {
        hear(driver)
        effects.push(...driver.pass(300))
      }
      return texts(effects).join()
    }
    assert.match(
      reason(() => undefined),
      /in time by a majority \(the witness and lb02 not heard\)/,
    )
    assert.match(
      reason((driver) => driver.hearPeer()),
      /in time by a majority \(the witness not heard\)/,
    )
    assert.match(
      reason((driver) => driver.hearWitness()),
      /in time by a majority \(lb02 not heard\)/,
    )
    assert.match(
      reason((driver) => {
        driver.hearWitness()
        driver.hearPeer()
      }),
      /in time by a majority \(no voter answered in time\)/,
    )
  })

  it('gives its votes back when keepalived let go by itself, and says so', () => {
    const effects = holding().backup()
    assert.match(
      texts(effects)[0] ?? '',
      /keepalived is BACKUP and the VIP is gone, so this node returns the votes/,
    )
  })

  it('without protection removes a VIP that keepalived left behind', () => {
    const driver = standby({ policy: { alone: 'keep' } })
    driver.fallSilent()
    driver.master()
    assert.equal(driver.phase, 'unprotected')
    const effects = driver.orphan()
    assert.deepEqual([told(effects), rungs(effects)], [['fencing'], ['kill']])
  })
})

describe('the agent after one that was killed in its fence', () => {
  const memory = { ...noFences, stopped: true, number: 1 }
  /** Nobody holds: nothing but the memory holds it back. */
  const successor = (see: (driver: GuardDriver) => GuardEffect[], policy: DriverOptions['policy'] = {}) => {
    const driver = new GuardDriver({ memory, policy })
    driver.hearPeer()
    return { driver, effects: [...see(driver), ...driver.hearWitness()] }
  }
  const starts = (effects: readonly GuardEffect[]): number => ofType(effects, 'start-keepalived').length

  it('between the memory and the stop command: keepalived runs on, the memory is gone with the start command', () => {
    const { driver, effects } = successor((it) => it.fault())
    assert.equal(starts(effects), 1)
    driver.backup()
    assert.equal(driver.phase, 'rejoining', 'that it runs proves nothing')
    assert.equal(driver.guard.memory.stopped, true)
    const ended = driver.feed({ type: 'start-ended', error: null })
    assert.equal(driver.phase, 'standby')
    assert.deepEqual(
      ofType(ended, 'remember').map(({ memory: { stopped } }) => stopped),
      [false],
    )
    driver.absent()
    assert.equal(starts(driver.pass(60_000)), 0, 'what ends then the admin ended')
  })

  it('while the stop goes on without it: waits for the start, also where keepalived ends meanwhile', () => {
    const { driver } = successor((it) => it.fault())
    driver.absent()
    assert.deepEqual([driver.phase, driver.guard.memory.stopped], ['rejoining', true])
    driver.backup()
    assert.deepEqual([driver.phase, driver.guard.memory.stopped], ['standby', false])
  })

  it('after the stop: starts keepalived', () => {
    const { driver, effects } = successor((it) => it.absent())
    assert.deepEqual([starts(effects), driver.phase], [1, 'rejoining'])
  })

  it('tries again where the start failed because the stop took so long', () => {
    const { driver } = successor((it) => it.fault())
    driver.feed({ type: 'start-ended', error: 'did not end within 15000 ms' })
    assert.deepEqual([driver.phase, driver.guard.memory.stopped], ['fenced', true])
    driver.absent()
    driver.hearWitness()
    const effects = [...driver.pass(4900), ...driver.hearWitness(), ...driver.pass(200)]
    assert.equal(starts(effects), 1)
  })

  it('claims where keepalived is MASTER, and starts it where the stop takes effect then', () => {
    const { driver, effects } = successor((it) => it.master())
    assert.deepEqual([starts(effects), driver.phase], [1, 'claiming'])
    driver.absent()
    assert.deepEqual([driver.phase, driver.guard.memory.stopped], ['rejoining', true])
  })

  it('claims where keepalived is MASTER, and owes nothing once the start command has ended', () => {
    const { driver } = successor((it) => it.master())
    driver.granted(witness)
    driver.feed({ type: 'start-ended', error: null })
    assert.deepEqual([driver.phase, driver.guard.memory.stopped], ['holding', false])
    driver.absent()
    assert.equal(driver.phase, 'standby', 'the admin stopped it')
  })

  it('does not take the start for the end of another fence that began meanwhile', () => {
    const { driver } = successor((it) => it.master())
    driver.refused(witness, 'promised', { holder: peer, renewedAgoMs: 0 })
    driver.refused(peer, 'promised')
    driver.fault()
    assert.equal(driver.phase, 'fencing')
    driver.feed({ type: 'start-ended', error: null })
    assert.equal(driver.guard.memory.stopped, true)
    driver.absent()
    driver.feed({ type: 'start-ended', error: null })
    assert.deepEqual([driver.phase, driver.guard.memory.stopped], ['fenced', true])
  })

  it('leaves the start to the operator where rejoin is manual', () => {
    const { driver, effects } = successor((it) => it.fault(), { rejoin: 'manual' })
    assert.deepEqual([starts(effects), driver.phase], [0, 'fenced'])
    const master = successor((it) => it.master(), { rejoin: 'manual' })
    assert.deepEqual([starts(master.effects), master.driver.guard.memory.stopped], [0, false])
  })

  it('owes it also where keepalived is held in FAULT until the lease is won', () => {
    const driver = new GuardDriver({ memory, timing: { gate: 'strict' } })
    driver.hearPeer(holdingPeer(8))
    driver.master()
    driver.fault()
    assert.equal(driver.phase, 'gated')
    driver.absent()
    assert.deepEqual([driver.phase, driver.guard.memory.stopped], ['fenced', true])
  })
})
