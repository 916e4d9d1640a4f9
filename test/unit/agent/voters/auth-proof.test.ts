import assert from 'node:assert/strict'
import { authProof, provesSame } from '../../../../agent/voters/auth-proof.ts'

describe('the proof of a VRRP password', () => {
  const proof = authProof('s3cret-1', 'incarnation-1')

  it('proves the same password, and no other', () => {
    assert.equal(provesSame(proof, 's3cret-1', 'incarnation-1'), true)
    assert.equal(provesSame(proof, 's3cret-2', 'incarnation-1'), false)
    assert.equal(provesSame('00', 's3cret-1', 'incarnation-1'), false)
  })

  it('is another one for each start of an agent, and does not contain the password', () => {
    assert.notEqual(proof, authProof('s3cret-1', 'incarnation-2'))
    assert.match(proof, /^[0-9a-f]{64}$/)
  })
})
