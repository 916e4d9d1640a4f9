import assert from 'node:assert/strict'
import { ballotSchema } from '../../../../shared/disk/ballot-schema.ts'
import type { Ballot } from '../../../../shared/core/vote/voter.ts'

describe('a ballot on disk', () => {
  const accepts = (value: unknown): boolean => ballotSchema.safeParse(value).success

  it('is read as it was written', () => {
    const ballot: Ballot = { to: 'lb01', epoch: 1001 }
    assert.deepEqual(ballotSchema.parse(JSON.parse(JSON.stringify(ballot))), ballot)
  })

  it('is not trusted without a node or with a name that no node can have', () => {
    assert.equal(accepts({ epoch: 1 }), false)
    for (const to of ['', 'witness', '../lb01']) assert.equal(accepts({ to, epoch: 1 }), false, to)
  })

  it('is not trusted with an epoch that was never given, or with more than it should have', () => {
    for (const epoch of [-1, 1.5, 2 ** 53, null, '7'])
      assert.equal(accepts({ to: 'lb01', epoch }), false, String(epoch))
    assert.equal(accepts({ to: 'lb01', epoch: 1, untilMs: 5 }), false)
  })
})
