import assert from 'node:assert/strict'
import {
  attemptsAtMost,
  dialInMs,
  firstRedialMs,
  longerRedialMs,
  lookAgainInMs,
  mayDialBeside,
  openMs,
  silenceOf,
  stoodStill,
} from '../../../../agent/core/dial-pace.ts'
import { defaultTiming, fenceAtMs } from '../../../../shared/core/timing.ts'

const { renewMs, leaseMs } = defaultTiming

describe('the pace of an agent that dials', () => {
  it('holds a connection for dead after three renewals without a word, and looks closer before that', () => {
    const at = (renewals: number) => silenceOf({ silentMs: renewals * renewMs, renewMs })
    assert.deepEqual([1, 1.5, 1.6, 3, 3.1].map(at), ['usual', 'usual', 'long', 'long', 'dead'])
  })

  it('takes no pause of its own for the silence of the voter, nor a late timer for a pause', () => {
    assert.equal(stoodStill({ gapMs: 2 * renewMs + 1, renewMs }), true)
    assert.equal(stoodStill({ gapMs: 2 * renewMs, renewMs }), false)
    assert.equal(stoodStill({ gapMs: 600, renewMs: 10 }), false)
    assert.equal(stoodStill({ gapMs: 601, renewMs: 10 }), true)
  })

  it('dials at once without a session, and after two renewals of silence beside one', () => {
    assert.equal(dialInMs({ heardAtMs: null, atMs: 5000, renewMs }), 0)
    assert.equal(dialInMs({ heardAtMs: 5000, atMs: 5100, renewMs }), 2 * renewMs - 100)
  })

  it('looks again while it dials or is about to, and else not at all', () => {
    const dialAgainMs = renewMs / 1.9
    assert.equal(lookAgainInMs({ dueInMs: 0, attempts: 0, renewMs }), dialAgainMs)
    assert.equal(lookAgainInMs({ dueInMs: renewMs, attempts: 1, renewMs }), dialAgainMs)
    assert.equal(lookAgainInMs({ dueInMs: 1, attempts: 0, renewMs }), 1)
    assert.equal(lookAgainInMs({ dueInMs: renewMs, attempts: 0, renewMs }), null)
  })

  it('has made its last attempt before a holder must fence itself', () => {
    const again = lookAgainInMs({ dueInMs: 0, attempts: 1, renewMs })
    assert.ok(again !== null)
    const lastMs = dialInMs({ heardAtMs: 0, atMs: 0, renewMs }) + (attemptsAtMost - 1) * again
    assert.ok(lastMs < fenceAtMs(leaseMs, defaultTiming), `${lastMs} ms`)
  })

  it('waits longer after each failure, yet never so long that a restarted witness comes too late', () => {
    const waits = [firstRedialMs]
    while (waits.length < 5) waits.push(longerRedialMs(waits.at(-1) ?? 0))
    assert.deepEqual(waits, [50, 100, 200, 250, 250])
  })

  it('backs off where the host of the voter answers and the voter does not: it has too much to do', () => {
    const waits = [firstRedialMs]
    for (let busyFailures = 1; waits.length < 9; busyFailures += 1)
      waits.push(longerRedialMs(waits.at(-1) ?? 0, busyFailures))
    assert.deepEqual(waits, [50, 100, 200, 400, 800, 1600, 2000, 2000, 2000])
    assert.deepEqual(
      [0, 1, 2, 3, 9].map((busyFailures) => openMs(renewMs, busyFailures)),
      [800, 1600, 3200, 6400, 6400],
    )
  })

  it('dials nobody twice without a session: an attempt that has reached the host is waited for', () => {
    const hangs = { reached: false, greeting: null }
    const reached = { reached: true, greeting: null }
    const greeted = { reached: true, greeting: {} }
    assert.equal(mayDialBeside([], false), true)
    assert.equal(mayDialBeside([hangs, hangs], false), true)
    assert.equal(mayDialBeside([hangs, reached], false), false)
    // Beside a session that fell silent a lease is at stake, and the path may have broken again.
    assert.equal(mayDialBeside([hangs, reached], true), true)
    assert.equal(mayDialBeside([greeted], true), false)
    assert.equal(mayDialBeside([hangs, hangs, hangs, hangs], true), false)
  })

  it('gives an attempt two renewals, and half a second at least', () => {
    assert.equal(openMs(renewMs), 2 * renewMs)
    assert.equal(openMs(100), 500)
  })
})
