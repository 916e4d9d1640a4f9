import assert from 'node:assert/strict'
import { mistakes } from '../walk/mistakes.ts'
import { MutationError, type SourceMutation } from './mutate-source.ts'
import { MutationChecker } from './type-check.ts'

describe('the compiler, asked about a planted mistake,', function () {
  this.timeout(600_000)
  const checker = new MutationChecker()
  const mutation: SourceMutation = {
    file: 'shared/core/majority.ts',
    from: 'return Math.floor(voters / 2) + 1',
    to: 'return 1',
  }

  it('has nothing to say of one that only decides wrongly', () => {
    assert.deepEqual(checker.problemsOf({ ...mutation, to: 'return Math.ceil(voters / 2)' }), [])
    assert.deepEqual(checker.problemsOf({ ...mutation, to: 'return 1' }), [])
  })

  it('names what is not there, what does not parse, and forgets it with the next one', () => {
    assert.match(
      checker.problemsOf({ ...mutation, to: 'return half(voters)' }).join(),
      /Cannot find name 'half'/,
    )
    assert.notDeepEqual(checker.problemsOf({ ...mutation, to: 'return (' }), [])
    assert.deepEqual(checker.problemsOf(mutation), [])
  })

  it('is not asked where the text is gone', () => {
    assert.throws(() => checker.problemsOf({ ...mutation, from: 'return half' }), MutationError)
  })

  for (const { name, mutation } of mistakes)
    it(`has nothing to say of the walk's: ${name}`, () => assert.deepEqual(checker.problemsOf(mutation), []))
})
