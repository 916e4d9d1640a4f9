import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  askingMs,
  assertTiming,
  defaultTiming,
  fenceAtMs,
  holderPermitMs,
  masterDownMs,
  promotionWarning,
  reserveNeededMs,
  silenceMs,
  slowestTakeoverMs,
  TimingError,
} from '../../../../shared/core/timing.ts'

describe('timing', () => {
  const refused = (changes: Partial<typeof defaultTiming>, ...says: RegExp[]): void => {
    for (const said of says) assert.throws(() => assertTiming({ ...defaultTiming, ...changes }), said)
    assert.throws(() => assertTiming({ ...defaultTiming, ...changes }), TimingError)
  }

  it('accepts the defaults', () => assert.doesNotThrow(() => assertTiming(defaultTiming)))

  it('accepts a promise of 2900 ms, which is long enough for a lease and a check after it', () => {
    assert.doesNotThrow(() => assertTiming({ ...defaultTiming, reserveMs: 2900 }))
    assert.ok(reserveNeededMs(defaultTiming.leaseMs + defaultTiming.checkMs, defaultTiming.driftPpm) <= 2900)
  })

  describe('E1', () => {
    it('refuses a promise that ends before its lease, with the numbers and the remedy', () => {
      const needed = reserveNeededMs(defaultTiming.leaseMs, defaultTiming.driftPpm)
      refused(
        { reserveMs: needed - 1 },
        /E1/,
        new RegExp(`reserveMs ${needed - 1} `),
        new RegExp(`${needed}`),
      )
      assert.doesNotThrow(() => assertTiming({ ...defaultTiming, renewMs: 300, reserveMs: needed }))
    })

    it('refuses more drift than the promise has room for', () => refused({ driftPpm: 50_000 }, /E1/, /50000/))

    it('needs the lease and two clock readings where clocks run alike', () =>
      assert.equal(reserveNeededMs(1800, 0), 1820))

    it('outlives a lease on any two allowed clocks, each read in steps of 10 ms', () =>
      fc.assert(
        fc.property(
          fc.integer({ min: 100, max: 600_000 }),
          fc.integer({ min: 0, max: 100_000 }),
          (leaseMs, driftPpm) => {
            const rho = driftPpm / 1e6
            const longestLeaseMs = (leaseMs + 10) / (1 - rho)
            const shortestPromiseMs = (reserveNeededMs(leaseMs, driftPpm) - 10) / (1 + rho)
            assert.ok(
              shortestPromiseMs >= longestLeaseMs - 1e-6,
              `the promise ends ${longestLeaseMs - shortestPromiseMs} ms before the lease`,
            )
          },
        ),
      ))
  })

  describe('E2', () => {
    it('starts to fence early enough to drop the VIP and for one timer grain', () =>
      assert.equal(fenceAtMs(10_000, defaultTiming), 10_000 - 200 - 100))

    it('refuses a lease that is over before it can be used', () =>
      refused({ leaseMs: 300, renewMs: 100 }, /E2/, /leaseMs 300/, /releaseMs 200/, /grainMs 100/))
  })

  describe('E3', () => {
    it('refuses renewals so rare that two lost ones end the lease', () => {
      refused({ renewMs: 434 }, /E3/, /1302/, /1300/)
      assert.doesNotThrow(() => assertTiming({ ...defaultTiming, renewMs: 433, reserveMs: 2000 }))
    })
  })

  describe('E5', () => {
    it('refuses a promise to a holder whose agent died that ends before its check has asked, with the numbers and the remedy', () => {
      refused(
        { reserveMs: 1899 },
        /E5/,
        /reserveMs 1899 must be at least 1900/,
        /renewMs 400 \+ checkMs 1000 \+ 100/,
        /raise reserveMs or lower renewMs/,
      )
      assert.doesNotThrow(() => assertTiming({ ...defaultTiming, renewMs: 399, reserveMs: 1899 }))
    })

    it('refuses a check that runs too seldom for the promise', () => refused({ checkMs: 1001 }, /E5/, /1901/))

    it('holds for the timings that docs/operating/options.md gives for a slow network and for a short advert_int', () => {
      for (const changes of [
        { renewMs: 800, leaseMs: 3400, reserveMs: 3500 },
        { renewMs: 100, leaseMs: 1250, reserveMs: 1300 },
      ])
        assert.doesNotThrow(() => assertTiming({ ...defaultTiming, ...changes }))
    })

    it('lets the last line of a dead holder’s agent run out a check before the promise does, over any timing that is accepted', () =>
      fc.assert(
        fc.property(
          fc.integer({ min: 20, max: 2000 }),
          fc.integer({ min: 1000, max: 5000 }),
          fc.integer({ min: 1857, max: 12_000 }),
          (renewMs, checkMs, reserveMs) => {
            const timing = { ...defaultTiming, renewMs, checkMs, reserveMs }
            try {
              assertTiming(timing)
            } catch {
              fc.pre(false)
            }
            assert.ok(holderPermitMs(timing) + checkMs + askingMs <= reserveMs)
            assert.ok(holderPermitMs(timing) >= 2 * renewMs)
          },
        ),
      ))
  })

  it('refuses a claim that lasts as long as a heartbeat', () =>
    refused({ claimMs: 400 }, /claimMs 400/, /renewMs 400/))

  it('counts a voter as silent after three heartbeats', () => assert.equal(silenceMs(defaultTiming), 1200))

  describe('E4', () => {
    it('knows the master-down time of VRRP version 2: the skew is a share of one second', () => {
      assert.equal(masterDownMs({ version: 2, priority: 100, advertIntMs: 1000 }), 3000 + (156 / 256) * 1000)
      assert.equal(masterDownMs({ version: 2, priority: 100, advertIntMs: 2000 }), 6000 + (156 / 256) * 1000)
    })

    it('scales the skew of version 3 by advert_int', () =>
      assert.equal(masterDownMs({ version: 3, priority: 100, advertIntMs: 100 }), 300 + (156 / 256) * 100))

    it('counts the adverts that keepalived may miss', () => {
      const vrrp = { version: 2, priority: 100, advertIntMs: 1000 } as const
      assert.equal(masterDownMs({ ...vrrp, downTimerAdverts: 1 }), 1000 + (156 / 256) * 1000)
      const warning = promotionWarning({ ...vrrp, downTimerAdverts: 1 }, defaultTiming)
      assert.match(warning ?? '', /may promote itself 609 ms after the holder died/)
      assert.match(warning ?? '', /down_timer_adverts/)
      assert.equal(promotionWarning({ ...vrrp, downTimerAdverts: 4 }, defaultTiming), null)
    })

    it('is silent at advert_int 1 with any usual priority', () => {
      for (const priority of [1, 50, 100, 150, 200, 254])
        assert.equal(promotionWarning({ version: 2, priority, advertIntMs: 1000 }, defaultTiming), null)
    })

    it('warns where keepalived promotes before the votes are free, and says what to change', () => {
      const warning = promotionWarning({ version: 3, priority: 100, advertIntMs: 100 }, defaultTiming)
      assert.match(warning ?? '', /1900 ms/)
      assert.match(warning ?? '', /advert_int/)
    })

    it('counts the check into the time of a refused takeover, because it is good again only at its next run', () => {
      const fast = { version: 3, priority: 100, advertIntMs: 200 } as const
      const { reserveMs, grainMs, checkMs } = defaultTiming
      assert.equal(slowestTakeoverMs(fast, defaultTiming), masterDownMs(fast) + reserveMs + grainMs + checkMs)
      assert.match(promotionWarning(fast, defaultTiming) ?? '', /takes up to 3\.7 s/)
      const usual = { version: 2, priority: 100, advertIntMs: 1000 } as const
      assert.equal(slowestTakeoverMs(usual, defaultTiming), masterDownMs(usual))
    })

    it('warns with the strict gate at advert_int 1', () =>
      assert.notEqual(
        promotionWarning(
          { version: 2, priority: 100, advertIntMs: 1000 },
          { ...defaultTiming, reserveMs: 2900 },
        ),
        null,
      ))
  })
})
