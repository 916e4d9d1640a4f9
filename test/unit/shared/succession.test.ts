import assert from 'node:assert/strict'
import { maySucceed, type Predecessor } from '../../../shared/succession.ts'

const old: Predecessor = { bootId: 'boot-one', live: false, heardAtMs: 1000, promised: false }
const reserveMs = 1900
const sameBoot = { bootId: 'boot-one', atMs: 1000, reserveMs }
const otherBoot = (atMs: number): typeof sameBoot => ({ bootId: 'boot-two', atMs, reserveMs })

describe('succession', () => {
  it('is nobody\u2019s beside a live agent', () => {
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
