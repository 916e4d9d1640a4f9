import assert from 'node:assert/strict'
import { defaultTiming, fenceAtMs } from '../../../shared/core/timing.ts'
import type { Fact, Timed } from '../../invariants/facts.ts'
import { violationsOf } from '../../lab/invariants-of-run.ts'
import { everydayPair as pair } from '../../lab/keepalived-config.ts'
import type { ProductLine } from '../../lab/product-lines.ts'
import { factsOf, type RunRecord } from '../../lab/run-facts.ts'

const endMs = 60_000
const quiet: RunRecord = {
  notes: [],
  changes: [],
  agents: { lb01: [], lb02: [] },
  keepalived: { lb01: [], lb02: [] },
  witness: [],
  endMs,
}

function line(atMs: number, event: string, text = ''): ProductLine {
  return { atMs, event, text }
}
const won = (atMs: number, epoch: number): ProductLine =>
  line(atMs, 'lease-won', `This node holds the lease (epoch ${epoch}) by the votes of lb01 and witness.`)
const fenced = (atMs: number, state: string): ProductLine =>
  line(atMs, 'fenced', `The VIP is gone after 3 ms (rung "bar"), proved; keepalived is ${state}.`)

function facts(record: Partial<RunRecord>): readonly Timed[] {
  return factsOf({ ...quiet, ...record }, defaultTiming)
}
function only<Type extends Fact['type']>(
  timed: readonly Timed[],
  type: Type,
): readonly (Fact & { type: Type })[] {
  return timed.flatMap(({ fact }) => (isOf(fact, type) ? [fact] : []))
}
function isOf<Type extends Fact['type']>(fact: Fact, type: Type): fact is Fact & { type: Type } {
  return fact.type === type
}
const violated = (timed: readonly Timed[]): readonly string[] =>
  violationsOf(timed, { timing: defaultTiming, pair, endMs, busy: false }).map(({ invariant }) => invariant)

describe('facts of a lab run', () => {
  it('are in time order, whoever recorded them, and begin with kernels without the VIP', () => {
    const timed = facts({
      notes: [{ atMs: 5000, fact: { type: 'calm' } }],
      changes: [{ node: 'lb01', has: true, atMs: 1000.25 }],
      agents: { lb01: [won(1010, 7)], lb02: [] },
      witness: [line(1009, 'holder-changed', 'The witness votes for lb01 (epoch 7).')],
    })
    assert.deepEqual(
      timed.map(({ atMs, fact }) => [atMs, fact.type]),
      [
        [1000.25, 'vip'],
        [1000.25, 'vip'],
        [1000.25, 'vip'],
        [1009, 'ballot'],
        [1011, 'lease'],
        [5000, 'calm'],
        [endMs, 'lease'],
      ],
    )
  })

  for (const event of ['released', 'fencing', 'paused', 'lease-unused', 'unprotected'])
    it(`end a lease at the line "${event}"`, () => {
      const timed = facts({ agents: { lb01: [won(1000, 7), line(4000, event)], lb02: [] } })
      assert.deepEqual(
        only(timed, 'lease').map(({ untilMs }) => untilMs),
        [4000, 4000],
      )
    })

  it('end a lease where the lab kills the agent, and tell it running by its own first line', () => {
    const timed = facts({
      notes: [{ atMs: 3000, fact: { type: 'program', host: 'lb01', program: 'agent', state: 'ended' } }],
      agents: { lb01: [line(500, 'start'), won(1000, 7)], lb02: [] },
    })
    assert.equal(only(timed, 'lease')[0]?.untilMs, 3000)
    assert.deepEqual(
      only(timed, 'program').map(({ state }) => state),
      ['running', 'ended'],
    )
  })

  it('count a lease that keepalived never used for its first term', () => {
    const unused = line(1000, 'lease-won', 'This node has the lease (epoch 7); keepalived may become MASTER.')
    const term = fenceAtMs(1001 + defaultTiming.leaseMs, defaultTiming)
    assert.equal(only(facts({ agents: { lb01: [unused], lb02: [] } }), 'lease')[0]?.untilMs, term)
    const used = facts({ agents: { lb01: [unused, line(2000, 'holding')], lb02: [] } })
    assert.equal(only(used, 'lease')[0]?.untilMs, endMs)
  })

  it('show two leases at once', () => {
    const both = facts({ agents: { lb01: [won(1000, 7)], lb02: [won(2000, 8)] } })
    assert.deepEqual(violated(both), ['S1'])
    const inTurn = facts({
      agents: { lb01: [won(1000, 7), line(2000, 'released')], lb02: [won(2000, 8)] },
    })
    assert.deepEqual(violated(inTurn), [])
  })

  it('show an epoch that falls', () => {
    const falls = facts({
      agents: { lb01: [won(1000, 7), line(2000, 'released')], lb02: [won(2100, 6)] },
    })
    assert.deepEqual(violated(falls), ['S4'])
  })

  it('show a proof that the kernel or keepalived’s own log speaks against', () => {
    const vip = { node: 'lb02', has: true, atMs: 1000 } as const
    const gone = { node: 'lb02', has: false, atMs: 2000.4 } as const
    const readLate = { ...gone, atMs: 2040 }
    const goneLater = { ...gone, atMs: 2400 }
    const fault = [{ secondMs: 2000, says: 'FAULT' }] as const
    const backup = [{ secondMs: 1000, says: 'BACKUP' }] as const
    const proof = (changes: RunRecord['changes'], states: RunRecord['keepalived']['lb02'], state = 'FAULT') =>
      violated(
        facts({
          changes,
          agents: { lb01: [], lb02: [fenced(2000, state)] },
          keepalived: { lb01: [], lb02: states },
        }),
      )
    assert.deepEqual(proof([vip, gone], fault), [])
    assert.deepEqual(proof([vip, readLate], fault), [])
    assert.deepEqual(proof([vip, goneLater], fault), ['S5'])
    assert.deepEqual(proof([vip], fault), ['S5'])
    assert.deepEqual(proof([vip, gone], backup), ['S5'])
    assert.deepEqual(proof([vip, gone], backup, 'gone'), [])
    assert.deepEqual(proof([vip, gone], [...backup, { secondMs: 5000, says: 'MASTER' }], 'gone'), ['S5'])
  })

  it('show an order to stop the only node that has the VIP', () => {
    const timed = facts({
      changes: [{ node: 'lb01', has: true, atMs: 1000 }],
      agents: {
        lb01: [line(3000, 'fencing', 'This node releases the VIP: the witness orders it: lb02 holds.')],
        lb02: [],
      },
    })
    // Nobody ever had the lease, so lb01 was not armed either.
    assert.deepEqual(violated(timed), ['L2', 'L6'])
  })
})
