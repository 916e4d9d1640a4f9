import assert from 'node:assert/strict'
import {
  declareOff,
  settlePairs,
  whyPairMayServe,
  withFormerPairs,
} from '../../../../../server/core/enrolment/former-pairs.ts'
import { type Enrolment, nobodyEnrolled } from '../../../../../server/core/enrolment/record.ts'
import { remove } from '../../../../../server/core/enrolment/admission.ts'

const cluster = 'web'
const at = '2026-11-29T00:00:00Z'

function enrolled(...nodes: readonly string[]): Enrolment {
  const entries = nodes.map((node, place) => ({
    cluster,
    node,
    address: `10.0.0.${place + 11}`,
    port: 7401,
    generation: 1,
    leastGeneration: 1,
    rotateAbove: null,
    enrolledAt: at,
    renewedAt: at,
    removed: false,
  }))
  return { ...nobodyEnrolled, entries }
}

function removed(before: Enrolment, node: string, isOff: readonly string[] = []): Enrolment {
  const outcome = remove(before, { cluster, node, isOff, at })
  assert.equal(outcome.kind, 'done')
  return outcome.enrolment
}

const pair = enrolled('lb01', 'lb02')
const without = removed(pair, 'lb02')
const mayJoin = (enrolment: Enrolment, node = 'lb03'): boolean =>
  whyPairMayServe(enrolment, { cluster, node }) === null

describe('a pair of which a node was removed', () => {
  it('lets nobody new join, under the same name or another, and says what to do', () => {
    for (const node of ['lb02', 'lb03'])
      assert.match(
        whyPairMayServe(without, { cluster, node })?.text ?? '',
        /lb02 was removed, but lb01 does not yet know it.*let the agent of lb01 connect.*--is-off lb02 --is-off lb01"$/,
      )
    assert.ok(mayJoin(without, 'lb01'), 'who is a member joins again')
  })

  it('is settled by the node that stayed, when it has a plan without the other', () => {
    const settled = settlePairs(without, { cluster, node: 'lb01', members: ['lb01'] })
    assert.ok(mayJoin(settled))
    assert.equal('formerPairs' in settled, false)
  })

  it('is not settled by another plan, another node or another cluster', () => {
    for (const other of [
      { cluster, node: 'lb01', members: ['lb01', 'lb02'] },
      { cluster, node: 'lb02', members: ['lb02'] },
      { cluster: 'db', node: 'lb01', members: ['lb01'] },
    ])
      assert.equal(settlePairs(without, other), without)
  })

  it('is settled if both hosts are off, because either may have the delegated vote of the other', () => {
    assert.ok(mayJoin(declareOff(without, { cluster, nodes: ['lb01', 'lb02'] })))
    for (const nodes of [[], ['lb01'], ['lb02'], ['lb02', 'lb03']])
      assert.equal(declareOff(without, { cluster, nodes }), without)
    assert.equal(declareOff(without, { cluster: 'db', nodes: ['lb01', 'lb02'] }), without)
  })

  it('stays unsettled when the other is removed as well, until the operator says that both are off', () => {
    const nobody = removed(without, 'lb01')
    assert.equal(mayJoin(nobody), false)
    assert.ok(mayJoin(removed(nobody, 'lb01', ['lb01', 'lb02'])), 'said later')
    assert.ok(mayJoin(removed(without, 'lb01', ['lb01', 'lb02'])), 'said at once')
  })

  it('is remembered once, however often the node is removed', () => {
    assert.deepEqual(removed(without, 'lb02').formerPairs, [{ cluster, removed: 'lb02', other: 'lb01' }])
  })

  it('is none where the cluster has no other node, or the node was never enrolled', () => {
    assert.equal(withFormerPairs(enrolled('lb01'), { cluster, node: 'lb01' }).formerPairs, undefined)
    assert.equal(withFormerPairs(pair, { cluster, node: 'lb09' }), pair)
  })
})
