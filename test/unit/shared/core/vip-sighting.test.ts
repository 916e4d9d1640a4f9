import assert from 'node:assert/strict'
import { keepalivedStates } from '../../../../shared/protocol/report.ts'
import { showsVip } from '../../../../shared/core/vip-sighting.ts'

describe('showsVip', () => {
  it('is true of a MASTER whose VIP was not seen in the kernel yet', () =>
    assert.equal(showsVip({ keepalived: 'MASTER', vips: 'gone' }), true))

  it('is true of a VIP in the kernel whatever keepalived says: a killed keepalived leaves it behind', () => {
    for (const keepalived of keepalivedStates) assert.equal(showsVip({ keepalived, vips: 'held' }), true)
  })

  it('is false without either', () => {
    for (const keepalived of keepalivedStates)
      if (keepalived !== 'MASTER') assert.equal(showsVip({ keepalived, vips: 'gone' }), false)
  })
})
