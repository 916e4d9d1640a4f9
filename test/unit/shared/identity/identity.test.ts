import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  describeIdentity,
  parseIdentityUri,
  uriOf,
  type Identity,
} from '../../../../shared/identity/identity.ts'

const identities: Identity[] = [
  { kind: 'witness' },
  { kind: 'admin', name: 'local' },
  { kind: 'node', cluster: 'web', node: 'lb01', generation: 1 },
  { kind: 'node', cluster: 'a.b_c-d', node: 'LB-01.example', generation: 1_000_000_000 },
]

describe('an identity', () => {
  it('is read from a certificate as it was written', () => {
    for (const identity of identities) assert.deepEqual(parseIdentityUri(uriOf(identity)), identity)
  })

  it('is not read from anything that the authority would not have written', () => {
    for (const uri of [
      '',
      'urn:keepalived-witness',
      'urn:keepalived-witness:witness:lb01',
      'urn:keepalived-witness:admin',
      'urn:keepalived-witness:admin:',
      'urn:keepalived-witness:admin:a b',
      'urn:keepalived-witness:node:web:lb01',
      'urn:keepalived-witness:node:web:lb01:0',
      'urn:keepalived-witness:node:web:lb01:01',
      'urn:keepalived-witness:node:web:lb01:1e3',
      'urn:keepalived-witness:node:web:lb01:2000000000',
      'urn:keepalived-witness:node:web:lb01:1:2',
      'urn:keepalived-witness:node:web:witness:1',
      'urn:keepalived-witness:node:web:../lb01:1',
      'urn:other:node:web:lb01:1',
      'https://keepalived-witness:witness',
    ])
      assert.equal(parseIdentityUri(uri), null, uri)
  })

  it('is one text for one owner: what is read is written the same', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom(
            'urn',
            'keepalived-witness',
            'node',
            'admin',
            'witness',
            'web',
            'lb01',
            '1',
            '01',
            '',
          ),
        ),
        (parts) => {
          const uri = parts.join(':')
          const identity = parseIdentityUri(uri)
          assert.ok(identity === null || uriOf(identity) === uri)
        },
      ),
    )
  })

  it('is told in words that an operator knows', () => {
    assert.deepEqual(identities.map(describeIdentity), [
      'the witness',
      'admin local',
      'node web/lb01',
      'node a.b_c-d/LB-01.example',
    ])
  })
})
