/** What the traces of real keepalived do not show of its model, or show by chance only. */
import assert from 'node:assert/strict'
import { Chance } from '../../sim/world/chance.ts'
import {
  type Advert,
  type CheckEnd,
  type KeepalivedConf,
  KeepalivedModel,
  measuredTiming,
} from '../../sim/models/keepalived-model.ts'
import { Timeline } from '../../sim/world/timeline.ts'

const conf: KeepalivedConf = {
  priority: 100,
  advertIntMs: 1000,
  nopreempt: false,
  initial: 'BACKUP',
  address: 12,
  downTimerAdverts: 3,
  tellsPriority: false,
  check: null,
  app: null,
}
const lower: Advert = { priority: 50, address: 11 }
const higher: Advert = { priority: 150, address: 11 }

/** One keepalived, and all that it does, in its order. */
class Bench {
  readonly timeline = new Timeline()
  readonly did: string[] = []
  readonly checks: ((end: CheckEnd) => void)[] = []
  readonly model: KeepalivedModel
  kernelHasVip = false
  barred = false

  constructor(options: { conf?: Partial<KeepalivedConf>; seed?: number; startUpMs?: number } = {}) {
    const chance = new Chance(options.seed ?? 1)
    this.model = new KeepalivedModel(
      this.timeline,
      chance,
      { ...conf, ...options.conf },
      {
        advert: ({ priority }) => this.did.push(`advert ${priority}`),
        vip: (held) => {
          this.kernelHasVip = held
          this.did.push(held ? 'vip added' : 'vip removed')
        },
        garp: () => this.did.push('garp'),
        fifo: (line) => this.did.push(line),
        runCheck: (done) => this.checks.push(done),
        readTrackFile: () => this.barred,
      },
      { ...measuredTiming(chance), startUpMs: () => options.startUpMs ?? 30 },
    )
  }

  start(): void {
    this.model.start(this.kernelHasVip)
  }

  pass(durationMs: number): void {
    const untilMs = this.timeline.nowMs + durationMs
    while (this.timeline.step(untilMs));
  }

  /** Starts alone, and is MASTER; what it did until then is forgotten. */
  becomeMaster(): void {
    this.start()
    this.pass(4000)
    assert.equal(this.model.state, 'MASTER')
    this.did.length = 0
  }
}

describe('the model of keepalived', () => {
  it('says in its order what it does: advert, VIP, GARP, FIFO line', () => {
    const bench = new Bench()
    bench.start()
    bench.pass(4000)
    assert.deepEqual(bench.did, ['BACKUP', 'advert 100', 'vip added', 'garp', 'MASTER'])
  })

  it('waits three intervals and its skew time', () => {
    const bench = new Bench({ conf: { priority: 192 } })
    bench.start()
    bench.pass(30 + 3000 + 250 - 1)
    assert.equal(bench.model.state, 'BACKUP')
    bench.pass(15)
    assert.equal(bench.model.state, 'MASTER')
  })

  it('removes the VIP before it tells that it yields or falls into FAULT', () => {
    const yielding = new Bench()
    yielding.becomeMaster()
    yielding.model.receive(higher)
    yielding.pass(10)
    assert.deepEqual(yielding.did, ['vip removed', 'BACKUP'])
    const barred = new Bench()
    barred.becomeMaster()
    barred.model.trackFile(true)
    barred.pass(10)
    assert.deepEqual(barred.did, ['advert 0', 'advert 0', 'vip removed', 'FAULT'])
  })

  it('answers an advert of lower priority with one, GARP at once and after five seconds, and a line', () => {
    const bench = new Bench()
    bench.start()
    bench.pass(9800) // The second GARP of the takeover is over.
    bench.did.length = 0
    bench.model.receive(lower)
    bench.pass(10)
    assert.deepEqual(bench.did, ['advert 100', 'garp', 'MASTER_RX_LOWER_PRI'])
    bench.pass(5000)
    assert.equal(bench.did.filter((each) => each === 'garp').length, 2)
  })

  it('answers priority 0 as MASTER, and wants to be MASTER after its skew time as BACKUP', () => {
    const master = new Bench()
    master.becomeMaster()
    master.model.receive({ priority: 0, address: 11 })
    master.pass(10)
    assert.deepEqual(master.did, ['advert 100'])
    const backup = new Bench()
    backup.start()
    backup.pass(100)
    backup.model.receive({ priority: 0, address: 11 })
    backup.pass((156 / 256) * 1000 - 1)
    assert.equal(backup.model.state, 'BACKUP')
    backup.pass(20)
    assert.equal(backup.model.state, 'MASTER')
  })

  it('is kept BACKUP by lower adverts with nopreempt only', () => {
    const state = (nopreempt: boolean): string => {
      const bench = new Bench({ conf: { nopreempt } })
      bench.start()
      for (let second = 0; second < 5; second++) {
        bench.pass(1000)
        bench.model.receive(lower)
      }
      return bench.model.state
    }
    assert.deepEqual([state(false), state(true)], ['MASTER', 'BACKUP'])
  })

  it('yields to an equal priority with the higher address only', () => {
    const state = (address: number): string => {
      const bench = new Bench()
      bench.becomeMaster()
      bench.model.receive({ priority: 100, address })
      bench.pass(10)
      return bench.model.state
    }
    assert.deepEqual([state(11), state(12), state(13)], ['MASTER', 'MASTER', 'BACKUP'])
  })

  it('tells FAULT at start before it removes the VIP that a killed predecessor left', () => {
    const bench = new Bench()
    bench.kernelHasVip = true
    bench.barred = true
    bench.start()
    bench.pass(100)
    assert.deepEqual(bench.did, ['FAULT', 'vip removed'])
    const free = new Bench()
    free.kernelHasVip = true
    free.start()
    free.pass(100)
    assert.deepEqual(free.did, ['vip removed', 'BACKUP'])
  })

  it('leaves the VIP when it is killed, and is not there', () => {
    const bench = new Bench()
    bench.becomeMaster()
    bench.model.kill()
    bench.model.receive(higher)
    bench.model.trackFile(true)
    bench.pass(10_000)
    assert.deepEqual(bench.did, [])
    assert.equal(bench.kernelHasVip, true)
    assert.deepEqual([bench.model.process, bench.model.state], ['absent', 'INIT'])
  })

  it('needs a second and some milliseconds to end, deaf to all; a start meanwhile does nothing', () => {
    const bench = new Bench()
    bench.becomeMaster()
    bench.model.terminate()
    bench.pass(40)
    assert.deepEqual(bench.did, ['advert 0', 'vip removed', 'STOP'])
    bench.start()
    bench.model.receive(higher)
    bench.model.trackFile(true)
    bench.pass(950)
    assert.deepEqual([bench.model.process, bench.model.state], ['running', 'STOP'])
    bench.pass(100)
    assert.equal(bench.model.process, 'absent')
    assert.deepEqual(bench.did, ['advert 0', 'vip removed', 'STOP'])
  })

  it('ends with nothing done when SIGTERM comes early in its start, and in order when late', () => {
    const early = new Bench({ startUpMs: 100 })
    early.kernelHasVip = true
    early.start()
    early.pass(40)
    early.model.terminate()
    early.pass(30)
    assert.deepEqual([early.did, early.model.process, early.kernelHasVip], [[], 'absent', true])
    const late = new Bench({ startUpMs: 100 })
    late.start()
    late.pass(90)
    late.model.terminate()
    late.pass(60)
    assert.deepEqual(late.did, ['BACKUP', 'STOP'])
    late.pass(1100)
    assert.equal(late.model.process, 'absent')
  })

  it('keeps 256 adverts while it is stopped, and no more', () => {
    const bench = new Bench()
    bench.becomeMaster()
    bench.model.freeze()
    for (let sent = 0; sent < 400; sent++) bench.model.receive(lower)
    bench.pass(500)
    assert.equal(bench.model.process, 'frozen')
    assert.deepEqual(bench.did, [])
    bench.model.thaw()
    bench.pass(900)
    assert.equal(bench.did.filter((each) => each === 'MASTER_RX_LOWER_PRI').length, 256)
    assert.equal(bench.model.advertsReceived, 256)
  })

  it('hears at most two adverts before it looks at the rest of what came while it was stopped', () => {
    const bench = new Bench()
    bench.becomeMaster()
    bench.model.freeze()
    for (let sent = 0; sent < 5; sent++) bench.model.receive(lower)
    bench.model.trackFile(true)
    bench.model.thaw()
    bench.pass(10)
    assert.equal(bench.did.filter((each) => each === 'MASTER_RX_LOWER_PRI').length, 2)
    assert.equal(bench.model.state, 'FAULT')
  })

  it('dies of SIGKILL also when it is stopped', () => {
    const bench = new Bench()
    bench.becomeMaster()
    bench.model.freeze()
    bench.model.kill()
    bench.model.thaw()
    assert.equal(bench.model.process, 'absent')
  })

  it('does not tell of FAULT while it waits for the first result of its check', () => {
    const bench = new Bench({ conf: { check: { intervalMs: 1000, timeoutMs: 1000, fall: 3, rise: 3 } } })
    bench.start()
    bench.pass(200)
    assert.deepEqual([bench.did, bench.model.state, bench.checks.length], [[], 'FAULT', 1])
    bench.checks[0]?.(0)
    bench.pass(10)
    assert.deepEqual(bench.did, ['BACKUP'])
  })

  it('takes `fall` failures in a row, and then `rise` successes', () => {
    const bench = new Bench({ conf: { check: { intervalMs: 1000, timeoutMs: 1000, fall: 3, rise: 2 } } })
    bench.start()
    const ends = [0, 1, 1, 0, 1, 1, 1, 0, 1, 0, 0]
    const lines = ends.map((end) => {
      const before = bench.did.length
      bench.pass(900)
      bench.checks.at(-1)?.(end)
      bench.pass(120)
      return bench.did.slice(before).filter((each) => each === 'BACKUP' || each === 'FAULT')
    })
    assert.deepEqual(lines, [['BACKUP'], [], [], [], [], [], ['FAULT'], [], [], [], ['BACKUP']])
  })

  it('takes no notice of a check that it has given up', () => {
    const bench = new Bench({ conf: { check: { intervalMs: 2000, timeoutMs: 1000, fall: 1, rise: 1 } } })
    bench.start()
    bench.pass(1500)
    assert.deepEqual(bench.did, ['FAULT'])
    bench.checks[0]?.(0)
    bench.pass(100)
    assert.deepEqual(bench.did, ['FAULT'])
  })

  it('does the same with the same seed', () => {
    const run = (seed: number): string => {
      const bench = new Bench({ seed })
      const times: number[] = []
      bench.start()
      for (let each = 0; each < 20; each++) {
        bench.model.receive(each % 3 === 0 ? lower : higher)
        bench.pass(700)
        times.push(bench.timeline.nowMs, bench.did.length)
      }
      while (bench.timeline.step(60_000)) times.push(bench.timeline.nowMs)
      return JSON.stringify([bench.did, times])
    }
    assert.equal(run(7), run(7))
    assert.notEqual(run(7), run(8))
  })

  it('refuses a priority that it does not model', () => {
    assert.throws(() => new Bench({ conf: { priority: 255 } }), /priorities 1 to 254, not 255/)
  })
})
