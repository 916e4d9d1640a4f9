import assert from 'node:assert/strict'
import { MutationError, mutate } from '../mutants/mutate-source.ts'
import { MutationChecker } from '../mutants/type-check.ts'
import { catalogue } from './mutants/catalogue.ts'
import { hunt } from './mutants/hunt.ts'

describe('planted mistakes', () => {
  it('are at least 32, each with a name of its own and a rule that it breaks', () => {
    assert.ok(catalogue.length >= 32, `${catalogue.length}`)
    assert.equal(new Set(catalogue.map(({ name }) => name)).size, catalogue.length)
    for (const { name, rule } of catalogue) assert.match(rule, /^\S.{15,}\.$/, name)
  })

  describe('compile, so that none is found by a ReferenceError:', function () {
    this.timeout(600_000)
    const checker = new MutationChecker()
    for (const mutant of catalogue) it(mutant.name, () => assert.deepEqual(checker.problemsOf(mutant), []))
  })

  it('are refused where the text is gone or there twice', () => {
    const mutation = { file: 'a.ts', from: 'b', to: 'c' }
    assert.equal(mutate('abd', mutation), 'acd')
    assert.throws(() => mutate('ad', mutation), MutationError)
    assert.throws(() => mutate('abdb', mutation), MutationError)
  })

  it('are found by the simulator: the quickest few', async function () {
    this.timeout(600_000)
    const quick = [
      'vote-given-twice',
      'promise-shorter-than-lease',
      'promise-not-persisted',
      'strangers-release',
      'one-vote-is-enough',
      'release-before-gone',
      'lease-outlived',
    ]
    const wanted = catalogue.filter(({ name }) => quick.includes(name))
    assert.equal(wanted.length, quick.length)
    const limits = { seeds: 20, seconds: 120, atATime: 2 }
    const catches = await hunt(wanted, limits, () => undefined)
    const missed = catches.filter(({ detection }) => detection.broken === null)
    assert.deepEqual(
      missed.map(({ mutant }) => mutant.name),
      [],
    )
  })
})
