/**
 * What a ledger keeps over a crash between any two system calls, of the process alone or of the host, and over calls
 * that fail. A promise is given when its write is reported done, and also on a ballot that a starting witness has read
 * (its holder renews without a write): from then on no crash may bring an older ballot back.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Ledger, ledgerPath } from '../../../../server/records/ledger.ts'
import { CrashingDisk, everyLoss } from '../../../fixtures/crashing-disk.ts'
import { storiesFrom } from '../../../fixtures/effort.ts'

const cluster = 'web'
const dataDir = '/var/lib/witness'
const instance = 'VI_1'

/** A witness's ledger on a disk that crashes, and what must be found on it. */
class Life {
  disk: CrashingDisk
  ledger: Ledger | null = null
  /** The highest epoch that a promise may rest on: it must be found from now on. */
  promised = 0
  /** The highest epoch that was ever handed to the ledger. */
  asked = 0

  constructor(disk: CrashingDisk) {
    this.disk = disk
  }

  copy(): Life {
    const copy = new Life(this.disk.copy())
    copy.promised = this.promised
    copy.asked = this.asked
    return copy
  }

  /** The witness starts; its event log tells whether it knew the cluster, at least since its first promise. */
  async start(): Promise<void> {
    this.ledger = null
    this.disk.restartProcess()
    const before = this.disk.files()
    const ledger = await this.#open()
    switch (ledger.state.kind) {
      case 'new':
        assert.equal(this.promised, 0, 'silently empty')
        break
      case 'valid': {
        const found = this.epochIn(ledger)
        if (!this.disk.lies)
          assert.ok(found >= this.promised, `epoch ${found} is back after ${this.promised}`)
        assert.ok(found <= this.asked, `epoch ${found} was never recorded`)
        this.promised = found
        break
      }
      case 'lost': {
        const torn = before.get(ledgerPath(dataDir, cluster))
        const { keptAs } = ledger.state
        if (torn !== undefined && keptAs !== null) assert.equal(this.disk.files().get(keptAs), torn)
        assert.equal(ledger.recovered(null).others, 'lost')
        // The arbiter goes on far above all that was promised (shared/core/vote/voter.ts).
        break
      }
    }
    this.ledger = ledger
  }

  async record(): Promise<boolean> {
    const { ledger } = this
    assert.ok(ledger !== null)
    this.asked += 1
    const epoch = this.asked
    const done = await ledger.record(instance, { to: 'lb01', epoch }).then(
      () => true,
      () => false,
    )
    if (done) this.promised = Math.max(this.promised, epoch)
    return done
  }

  /** Where every call succeeds and the disk does what it says, a crash loses nothing. */
  async mustNotBeLost(): Promise<void> {
    await this.start()
    assert.notEqual(this.ledger?.state.kind, 'lost', JSON.stringify([...this.disk.files()]))
  }

  epochIn(ledger: Ledger): number {
    const found = ledger.recovered(null).ballots.get(instance)
    return found?.kind === 'valid' ? (found.ballot?.epoch ?? 0) : 0
  }

  #open(): Promise<Ledger> {
    const seenBefore = this.promised > 0
    return Ledger.open({ dataDir, cluster, seenBefore, nowMs: () => 0, fileSystem: this.disk })
  }
}

/** A life in which the process dies with call number `at`: counted from its start. */
async function until(at: number, records: number): Promise<{ life: Life; finished: boolean }> {
  const life = new Life(new CrashingDisk())
  life.disk.diesAt = at
  await life.start().catch(() => undefined)
  life.disk.diesAt = at
  for (let i = 0; i < records && life.ledger !== null; i++) await life.record()
  return { life, finished: life.disk.calls < at }
}

/** Looks at every disk that a loss of power may leave. @returns how many there are */
async function afterEveryLoss(life: Life, look: (after: Life) => Promise<void>): Promise<number> {
  let losses = 0
  for (const disk of everyLoss(life.disk)) {
    const after = life.copy()
    after.disk = disk
    await look(after)
    losses += 1
  }
  return losses
}

describe('a ledger over crashes', function () {
  this.timeout(60_000)
  it('has the old or the new ballot after a loss of power between any two calls', async () => {
    let losses = 0
    for (let at = 1, finished = false; !finished; at++) {
      const one = await until(at, 3)
      finished = one.finished
      losses += await afterEveryLoss(one.life, (after) => after.mustNotBeLost())
    }
    assert.ok(losses > 400, `only ${losses} states were looked at`)
  })

  it('does not go back behind what a restarted witness has read, though the power goes right after', async () => {
    for (let at = 1, finished = false; !finished; at++) {
      const one = await until(at, 2)
      finished = one.finished
      await one.life.mustNotBeLost()
      await afterEveryLoss(one.life, (after) => after.mustNotBeLost())
    }
  })

  it('keeps what a restarted witness has written, though the power goes right after', async () => {
    for (let at = 1, finished = false; !finished; at++) {
      const one = await until(at, 1)
      finished = one.finished
      await one.life.mustNotBeLost()
      assert.equal(await one.life.record(), true)
      await afterEveryLoss(one.life, (after) => after.mustNotBeLost())
    }
  })

  it('is lost and kept aside, never taken for new, on a disk that only says that it synced', async () => {
    const found = new Set<string>()
    const life = new Life(new CrashingDisk())
    await life.start()
    await life.record()
    life.disk.lies = true
    await life.record()
    await afterEveryLoss(life, async (after) => {
      await after.start()
      found.add(after.ledger?.state.kind ?? '')
    })
    assert.deepEqual([...found].sort(), ['lost', 'valid'])
  })

  it('holds over any sequence of writes, failing calls, deaths, restarts and losses of power', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25, size: 'max' }), async (steps) => {
        const life = new Life(new CrashingDisk())
        await life.start()
        for (const one of steps) await take(life, one)
        life.disk.failsAt = Infinity
        await life.start()
      }),
      { numRuns: storiesFrom(500) },
    )
  })
})

type Step =
  | { do: 'record'; atOnce: number }
  | { do: 'fail' | 'die'; inCalls: number; errno: string }
  | { do: 'restart' }
  | { do: 'lose-power'; choices: readonly number[] }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('record' as const), atOnce: fc.nat(2) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('fail' as const, 'die' as const),
      inCalls: fc.integer({ min: 1, max: 12 }),
      errno: fc.constantFrom('EIO', 'ENOSPC', 'EROFS', 'EACCES'),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'restart' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('lose-power' as const),
      choices: fc.array(fc.oneof(fc.nat(2), fc.nat(1000)), { minLength: 1, maxLength: 12 }),
    }),
  },
)

async function take(life: Life, step: Step): Promise<void> {
  const { disk } = life
  switch (step.do) {
    case 'record':
      await Promise.all(Array.from({ length: step.atOnce + 1 }, () => life.record()))
      return
    case 'fail':
      Object.assign(disk, { failsAt: disk.calls + step.inCalls, errno: step.errno })
      return
    case 'die':
      disk.diesAt = disk.calls + step.inCalls
      return
    case 'restart':
      return life.start()
    case 'lose-power': {
      let chosen = 0
      disk.losePower((options) => (step.choices[chosen++ % step.choices.length] ?? 0) % options)
      return life.start()
    }
  }
}
