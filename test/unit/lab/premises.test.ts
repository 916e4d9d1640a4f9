import assert from 'node:assert/strict'
import { defaultTiming } from '../../../shared/core/timing.ts'
import type { MeasuredRun } from '../../lab/measured-run.ts'
import { attemptsAtMost, type Judged, longestHarmlessStallMs, untilPremisesHold } from '../../lab/runner.ts'
import { longestStallMs, parseStallLine } from '../../lab/stalls.ts'
import { leaseSurvivesMs, witnessAwayMs, witnessBackWithin } from '../../lab/witness-away.ts'
import { aloneRun, witnessRun } from '../demo/example-run.ts'

const boundMs = 1100
const premises = [witnessBackWithin(boundMs, 'lb01')]

function judged(awayMs: number, run: MeasuredRun = witnessRun()): Judged {
  return { run: { ...run, witnessAwayMs: { lb01: awayMs, lb02: 0 } }, broken: [], stalledMs: 0 }
}

async function attempts(...runs: readonly Judged[]): Promise<{ last: Judged; made: number; told: string[] }> {
  const told: string[] = []
  let made = 0
  const last = await untilPremisesHold(
    { name: 'witness-restart', premises },
    (text) => told.push(text),
    () => {
      const next = runs[made]
      made += 1
      return next === undefined ? Promise.reject(new Error('one attempt too many')) : Promise.resolve(next)
    },
  )
  return { last, made, told }
}

describe('a run whose premises do not hold', () => {
  it('is repeated aloud, and the next one counts', async () => {
    const { last, made, told } = await attempts(judged(boundMs + 1), judged(boundMs))
    assert.equal(made, 2)
    assert.deepEqual(last.broken, [])
    assert.deepEqual(told, [
      `witness-restart: attempt 1 of ${attemptsAtMost} says nothing about the musts (the witness answers lb01 at most 1100 ms after it was killed: it answered after 1101 ms)`,
    ])
  })

  it('is no success if every attempt was like that', async () => {
    const { last, made } = await attempts(...Array.from({ length: attemptsAtMost }, () => judged(Infinity)))
    assert.equal(made, attemptsAtMost)
    assert.deepEqual(
      last.broken.map(({ seen }) => seen),
      ['it never answered again'],
    )
  })

  it('counts for keepalived alone, which has no witness', async () => {
    const { last, made } = await attempts(judged(Infinity, aloneRun()))
    assert.equal(made, 1)
    assert.deepEqual(last.broken, [])
  })
})

describe('a run in which the machine stood still', () => {
  const broken = [{ must: 'never two owners', seen: 'two for 300 ms', run: 1, logs: '/logs' }]
  const stalledMs = longestHarmlessStallMs + 1

  it('is repeated aloud where something broke, and the next one counts', async () => {
    const { last, made, told } = await attempts({ ...judged(0), broken, stalledMs }, judged(0))
    assert.equal(made, 2)
    assert.deepEqual(last.broken, [])
    assert.deepEqual(told, [
      `witness-restart: attempt 1 of ${attemptsAtMost} says nothing about the musts (the machine keeps nobody waiting for more than 200 ms: it did so for 201 ms, and this broke: never two owners: two for 300 ms (logs in /logs))`,
    ])
  })

  it('counts where nothing broke', async () => {
    const { last, made } = await attempts({ ...judged(0), stalledMs })
    assert.equal(made, 1)
    assert.deepEqual(last.broken, [])
  })

  it('is no excuse for what breaks each time', async () => {
    const { last, made } = await attempts(
      ...Array.from({ length: attemptsAtMost }, () => ({ ...judged(0), broken, stalledMs })),
    )
    assert.equal(made, attemptsAtMost)
    assert.deepEqual(last.broken.at(-1), broken[0])
  })

  it('are judged at once where something broke that no time excuses', async () => {
    const unproved = broken.map((one) => ({ ...one, must: 'invariant S5' }))
    const { last, made } = await attempts({ ...judged(0), broken: unproved, stalledMs })
    assert.equal(made, 1)
    assert.deepEqual(last.broken, unproved)
  })

  it('is no excuse where the stall is short', async () => {
    const { last, made } = await attempts({ ...judged(0), broken, stalledMs: longestHarmlessStallMs })
    assert.equal(made, 1)
    assert.deepEqual(last.broken, broken)
  })
})

describe('the stalls of a span', () => {
  it('are read from the lines of the watch, and no others', () => {
    assert.deepEqual(parseStallLine('1000 250'), { endMs: 1000, lateMs: 250 })
    for (const line of ['', 'Warning: 1000 250', '1000', '1000 2.5']) assert.equal(parseStallLine(line), null)
  })

  it('count where they reach into it', () => {
    const stalls = [
      { endMs: 999, lateMs: 900 },
      { endMs: 1050, lateMs: 100 },
      { endMs: 2500, lateMs: 510 },
      { endMs: 9000, lateMs: 800 },
    ]
    assert.equal(longestStallMs(stalls, { fromMs: 1000, toMs: 2000 }), 510)
    assert.equal(longestStallMs(stalls, { fromMs: 3000, toMs: 4000 }), 0)
  })
})

describe('how long the witness was away', () => {
  const ended = {
    atMs: 5000,
    fact: { type: 'program', host: 'witness', program: 'witness', state: 'ended' },
  } as const
  const up = (atMs: number, voter = 'witness'): { atMs: number; event: string; text: string } => ({
    atMs,
    event: 'voter-up',
    text: `${voter} (https://10.0.0.20:7400) is connected`,
  })

  it('is the time from its death to the first answer that the node got', () => {
    const agents = { lb01: [up(1000), up(5200, 'lb02'), up(5900), up(9000)], lb02: [up(5800)] }
    assert.equal(witnessAwayMs({ notes: [ended], agents }, 'lb01'), 900)
    assert.equal(witnessAwayMs({ notes: [ended], agents }, 'lb02'), 800)
  })

  it('is nothing if nobody killed it, and without end if it did not come back', () => {
    const agents = { lb01: [up(1000)], lb02: [] }
    assert.equal(witnessAwayMs({ notes: [], agents }, 'lb01'), 0)
    assert.equal(witnessAwayMs({ notes: [ended], agents }, 'lb01'), Infinity)
  })

  it('may be as long as a lease has left that was renewed one renewal ago', () => {
    assert.equal(leaseSurvivesMs(defaultTiming), 1100)
  })
})
