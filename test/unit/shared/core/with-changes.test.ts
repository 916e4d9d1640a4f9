import assert from 'node:assert/strict'
import { withChanges } from '../../../../shared/core/with-changes.ts'

describe('a state with changes', () => {
  const state: { readonly epoch: number; readonly holder: string | null } = { epoch: 3, holder: null }

  it('is the same state if each field has its new value already', () => {
    assert.equal(withChanges(state, { epoch: 3, holder: null }), state)
    assert.equal(withChanges(state, {}), state)
  })

  it('is a copy if one field is new, and the state itself stays as it was', () => {
    assert.deepEqual(withChanges(state, { epoch: 3, holder: 'lb01' }), { epoch: 3, holder: 'lb01' })
    assert.deepEqual(state, { epoch: 3, holder: null })
  })
})
