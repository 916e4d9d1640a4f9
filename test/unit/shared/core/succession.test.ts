import assert from 'node:assert/strict'
import {
  maySucceed,
  type Newcomer,
  type Past,
  pastWith,
  type Predecessor,
  type Succession,
  successionOf,
} from '../../../../shared/core/succession.ts'

const old: Predecessor = {
  incarnation: 'start-1',
  bootId: 'boot-one',
  live: false,
  heardAtMs: 1000,
  promised: false,
}
const reserveMs = 1900
const sameBoot = { bootId: 'boot-one', atMs: 1000, reserveMs }
const otherBoot = (atMs: number): typeof sameBoot => ({ bootId: 'boot-two', atMs, reserveMs })

describe('succession', () => {
  it('is nobody’s beside a live agent', () => {
    assert.equal(maySucceed({ ...old, live: true }, sameBoot), false)
    assert.equal(maySucceed({ ...old, live: true }, otherBoot(1_000_000)), false)
  })

  it('comes at once on the same boot, also while a promise runs: it is the same host', () => {
    assert.equal(maySucceed(old, sameBoot), true)
    assert.equal(maySucceed({ ...old, promised: true }, sameBoot), true)
  })

  it('waits for another boot until no promise to the old one can be in use', () => {
    assert.equal(maySucceed(old, otherBoot(1000 + reserveMs - 1)), false)
    assert.equal(maySucceed(old, otherBoot(1000 + reserveMs)), true)
  })

  it('waits for another boot as long as a promise runs, however old the last word is', () => {
    assert.equal(maySucceed({ ...old, promised: true }, otherBoot(1_000_000)), false)
  })
})

describe('the succession of a start that says hello', () => {
  const newcomer: Newcomer = { incarnation: 'start-2', ...sameBoot }
  const succession = (present: Predecessor | null, past: Past, changes: Partial<Newcomer> = {}): Succession =>
    successionOf({ present, past }, { ...newcomer, ...changes })

  it('is that of the first where there is none yet', () => assert.equal(succession(null, []), 'next'))

  it('is its own as long as it speaks for the node, live or silent', () => {
    for (const live of [true, false])
      assert.equal(succession({ ...old, live }, [], { incarnation: 'start-1', bootId: 'boot-two' }), 'same')
  })

  it('is early beside a live one, and next once that is gone', () => {
    assert.equal(succession({ ...old, live: true }, []), 'early')
    assert.equal(succession(old, []), 'next')
  })

  it('is past where another took its place, whoever speaks now and however long ago it was heard', () => {
    assert.equal(succession({ ...old, incarnation: 'start-3' }, ['start-2']), 'past')
    assert.equal(succession({ ...old, live: true, incarnation: 'start-3' }, ['start-2']), 'past')
    assert.equal(succession({ ...old, incarnation: 'start-3' }, ['start-2'], otherBoot(1_000_000)), 'past')
  })

  it('is remembered of the newest ones, within a bound', () => {
    const names = Array.from({ length: 1000 }, (_, index) => `start-${index}`)
    const past = names.reduce<Past>(pastWith, [])
    assert.equal(past.length, 64)
    assert.equal(past.at(-1), 'start-999')
  })
})
