import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { defaultTiming } from '../../../shared/core/timing.ts'
import type { Timed } from '../../invariants/facts.ts'
import { violationsOf } from '../../lab/invariants-of-run.ts'
import { everydayPair as pair } from '../../lab/keepalived-config.ts'

const programState = z.enum(['running', 'frozen', 'ended'])
const recordedSchema = z.array(
  z.object({
    atMs: z.number(),
    fact: z.discriminatedUnion('type', [
      z.object({ type: z.literal('vip'), node: z.string(), held: z.boolean() }),
      z.object({ type: z.literal('fault'), kind: z.string(), where: z.string(), on: z.boolean() }),
      z.object({
        type: z.literal('program'),
        host: z.string(),
        program: z.enum(['agent', 'keepalived', 'witness']),
        state: programState,
      }),
    ]),
  }),
)

/** `npm run lab -- run vrrp-block --arbiter none --quick --json`: real keepalived, two owners for 5.4 s. */
function recordedAlone(): readonly Timed[] {
  const file = new URL('vrrp-block-alone.json', import.meta.url)
  return recordedSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
}

function judged(facts: readonly Timed[], endMs = (facts.at(-1)?.atMs ?? 0) + 3000): readonly string[] {
  return violationsOf(facts, { timing: defaultTiming, pair, endMs, busy: false }).map(
    ({ invariant }) => invariant,
  )
}

/** As if agents had run all the time and done nothing. */
function withIdleAgents(facts: readonly Timed[]): readonly Timed[] {
  const sinceMs = (facts[0]?.atMs ?? 0) - 10_000
  const running = ['lb01', 'lb02'].map((host): Timed => ({
    atMs: sinceMs,
    fact: { type: 'program', host, program: 'agent', state: 'running' },
  }))
  return [...running, ...facts]
}

describe('the invariants of a lab run', () => {
  it('are broken by the split brain of keepalived alone, as agents that run would have to prevent it', () => {
    assert.deepEqual(judged(withIdleAgents(recordedAlone())), ['S2'])
  })

  it('are broken by it where no agent runs, too', () => {
    assert.deepEqual(judged(recordedAlone()), ['S3'])
  })

  it('are broken by a split brain that nobody saw end', () => {
    const facts = recordedAlone().filter(({ fact }) => fact.type !== 'vip' || fact.held)
    const tookMs = facts.findLast(({ fact }) => fact.type === 'vip')?.atMs ?? 0
    const unhealed = facts.filter(({ fact }) => fact.type !== 'fault' || fact.on)
    assert.deepEqual(judged(withIdleAgents(unhealed), tookMs + 260), [])
    assert.deepEqual(judged(withIdleAgents(unhealed), tookMs + 2000), ['S2'])
  })

  it('leave a busy machine room for a handover that goes wrong, and no more', () => {
    const outage = (lastsMs: number): readonly Timed[] => [
      { atMs: 0, fact: { type: 'vip', node: 'lb01', held: false } },
      { atMs: 100, fact: { type: 'vip', node: 'lb01', held: true } },
      { atMs: 900, fact: { type: 'calm' } },
      { atMs: 1000, fact: { type: 'fault', kind: 'vrrp-block-one-way', where: 'lb01>lb02', on: true } },
      { atMs: 4000, fact: { type: 'vip', node: 'lb01', held: false } },
      { atMs: 4000 + lastsMs, fact: { type: 'vip', node: 'lb01', held: true } },
    ]
    const judgedBy = (busy: boolean, lastsMs: number): readonly string[] =>
      violationsOf(outage(lastsMs), { timing: defaultTiming, pair, endMs: 8000, busy }).map(
        ({ invariant }) => invariant,
      )
    assert.deepEqual(judgedBy(false, 600), ['L1'])
    assert.deepEqual(judgedBy(true, 600), [])
    assert.deepEqual(judgedBy(true, 1100), ['L1'])
  })

  it('are broken by a fence where nobody ever had the lease', () => {
    const serving: readonly Timed[] = [
      { atMs: 0, fact: { type: 'program', host: 'lb01', program: 'keepalived', state: 'running' } },
      { atMs: 0, fact: { type: 'program', host: 'lb02', program: 'keepalived', state: 'running' } },
      { atMs: 3500, fact: { type: 'vip', node: 'lb01', held: true } },
      { atMs: 5000, fact: { type: 'program', host: 'lb01', program: 'agent', state: 'running' } },
    ]
    const fenced: Timed = { atMs: 6000, fact: { type: 'fencing', node: 'lb01', reason: 'no majority' } }
    assert.deepEqual(judged(serving), [])
    assert.deepEqual(judged([...serving, fenced]), ['L6'])
    const leased: Timed = { atMs: 5500, fact: { type: 'lease', node: 'lb01', epoch: 1, untilMs: 7000 } }
    assert.deepEqual(judged([...serving, leased, fenced]), [])
  })

  it('are broken where nobody becomes MASTER although nobody has the lease', () => {
    const idle = ['lb01', 'lb02'].map((host): Timed => ({
      atMs: 0,
      fact: { type: 'program', host, program: 'keepalived', state: 'running' },
    }))
    assert.deepEqual(judged(idle, 8000), [])
    assert.deepEqual(judged(idle, 10_000), ['L6'])
  })

  it('hold where the loser lets go in time', () => {
    const facts = recordedAlone()
    const tookMs = facts.findLast(({ fact }) => fact.type === 'vip' && fact.held)?.atMs ?? 0
    const inTime = facts.map(({ atMs, fact }): Timed =>
      fact.type === 'vip' && !fact.held ? { atMs: tookMs + 40, fact } : { atMs, fact },
    )
    inTime.sort((one, other) => one.atMs - other.atMs)
    assert.deepEqual(judged(withIdleAgents(inTime)), [])
  })
})
