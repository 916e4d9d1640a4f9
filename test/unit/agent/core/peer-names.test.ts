import assert from 'node:assert/strict'
import { peerNames } from '../../../../agent/core/peer-names.ts'
import type { InstanceIdentity } from '../../../../shared/core/instance-pairing.ts'

const a = '10.0.0.100/24'
const b = '10.0.0.101/24'
const has = (instance: string, virtualRouterId: number, ...vips: string[]): InstanceIdentity => ({
  instance,
  virtualRouterId,
  vips,
})

describe('what the peer calls the instances of this node', () => {
  it('is translated in both directions where the names differ', () => {
    const names = peerNames([has('VI_1', 51, a)], [has('VI_WEB', 51, a)])
    assert.equal(names.toOurs('VI_WEB'), 'VI_1')
    assert.equal(names.toTheirs('VI_1'), 'VI_WEB')
  })

  it('is crossed where the names are crossed', () => {
    const names = peerNames(
      [has('VI_1', 51, a), has('VI_2', 52, b)],
      [has('VI_1', 52, b), has('VI_2', 51, a)],
    )
    assert.deepEqual(['VI_1', 'VI_2'].map(names.toOurs), ['VI_2', 'VI_1'])
    assert.deepEqual(['VI_1', 'VI_2'].map(names.toTheirs), ['VI_2', 'VI_1'])
  })

  it('means nothing here where the peer has a name of ours for another VIP', () => {
    const names = peerNames([has('VI_1', 51, a)], [has('VI_1', 52, b)])
    assert.equal(names.toOurs('VI_1'), null)
    assert.equal(names.ambiguous.size, 0)
  })

  it('means nothing here, and is told, where it may be one or the other', () => {
    const names = peerNames([has('X', 51, a, b)], [has('P', 51, a), has('X', 52, b)])
    assert.deepEqual(['P', 'X'].map(names.toOurs), [null, null])
    assert.deepEqual([...names.ambiguous.keys()].sort(), ['P', 'X'])
  })

  it('is the name alone where the hello did not mention it, unless the name is taken', () => {
    assert.equal(peerNames([has('VI_1', 51, a)], []).toOurs('VI_1'), 'VI_1')
    assert.equal(peerNames([has('VI_1', 51, a)], []).toOurs('VI_2'), null)
    const taken = peerNames([has('VI_1', 51, a)], [has('VI_WEB', 51, a)])
    assert.equal(taken.toOurs('VI_1'), null, 'VI_1 is VI_WEB there')
  })
})
