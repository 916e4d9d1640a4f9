import assert from 'node:assert/strict'
import { refusalOfPeer, refusalOfWitness } from '../../../../agent/voters/identity.ts'
import type { Identity } from '../../../../shared/identity/identity.ts'

const peer = { name: 'lb02', leastGeneration: 3 }
const node = (over: Partial<Identity & { kind: 'node' }> = {}): Identity => ({
  kind: 'node',
  cluster: 'web',
  node: 'lb02',
  generation: 3,
  ...over,
})

describe('a voter', () => {
  it('is the witness with the certificate of the witness only', () => {
    assert.equal(refusalOfWitness({ kind: 'witness' }), null)
    for (const other of [null, node(), { kind: 'admin', name: 'local' } as const])
      assert.match(refusalOfWitness(other) ?? '', /^this is .+, not the witness; check the address$/)
  })

  it('is the peer with a certificate of its name, its cluster, and no older than the plan says', () => {
    const refusal = (identity: Identity | null): string =>
      refusalOfPeer({ cluster: 'web', peer }, identity) ?? ''
    assert.deepEqual([refusal(node()), refusal(node({ generation: 9 }))], ['', ''])
    for (const other of [
      node({ node: 'lb01' }),
      node({ cluster: 'mail' }),
      { kind: 'witness' } as const,
      null,
    ])
      assert.match(refusal(other), /^this is .+, not the peer web\/lb02$/)
    assert.equal(refusal({ kind: 'admin', name: 'lb02' }), 'this is admin lb02, not the peer web/lb02')
    assert.match(
      refusal(node({ generation: 2 })),
      /replaced or revoked \(generation 2, at least 3 is needed\); enrol/,
    )
  })
})
