import assert from 'node:assert/strict'
import { differs } from '../../../../shared/core/differs.ts'

describe('changes of a state', () => {
  const voter = { phase: 'free' }
  const state: { epoch: number; holder: string | null; voter: object } = { epoch: 3, holder: null, voter }

  it('make no difference if each field has its new value already', () => {
    assert.equal(differs(state, { epoch: 3, holder: null, voter }), false)
    assert.equal(differs(state, {}), false)
  })

  it('make a difference if one field is new', () => {
    assert.equal(differs(state, { epoch: 3, holder: 'lb01' }), true)
    assert.equal(differs(state, { epoch: 4 }), true)
  })

  it('make a difference if a part is another object, whatever it contains', () => {
    assert.equal(differs(state, { voter: { ...voter } }), true)
  })
})
