import assert from 'node:assert/strict'
import { mostEpoch, witness } from '../../../../../../shared/protocol/names.ts'
import { GuardDriver, holdingPeer, ofType, peer, peerReport, standby, texts, told } from '../guard-fixture.ts'

describe('an epoch that another voter names', () => {
  it('moves the epochs of this node by little, whatever it is, and is told once', () => {
    const driver = standby()
    const before = driver.guard.voter.epoch
    const first = driver.hearPeer(peerReport({ epoch: mostEpoch }))
    assert.deepEqual(told(first), ['epoch-too-high'])
    assert.match(texts(first)[0] ?? '', /lb02 reports epoch 281474976710656/)
    assert.deepEqual(told(driver.hearPeer(peerReport({ epoch: mostEpoch }))), [])
    assert.ok(driver.guard.voter.epoch <= before + 20_000)
  })

  it('is told again after the voter has told what can be', () => {
    const driver = standby()
    driver.hearPeer(peerReport({ epoch: mostEpoch }))
    driver.hearPeer(peerReport({ epoch: 8 }))
    assert.deepEqual(told(driver.hearPeer(peerReport({ epoch: mostEpoch }))), ['epoch-too-high'])
  })

  it('gets no ballot where the peer asks for it, and this node takes over when that peer is gone', () => {
    const driver = new GuardDriver()
    driver.hearWitness()
    driver.backup()
    const asked = driver.hearPeer(holdingPeer(mostEpoch))
    assert.deepEqual(told(asked), ['epoch-too-high'])
    assert.equal(ofType(asked, 'record').length, 0)
    driver.pass(5000)
    driver.hearWitness()
    driver.master()
    assert.ok(driver.epoch < 30_000)
    driver.granted(witness)
    assert.equal(driver.phase, 'holding')
  })

  it('does not raise a candidacy beyond what one message may move', () => {
    const driver = new GuardDriver()
    driver.hearWitness()
    driver.hearPeer()
    driver.backup()
    driver.master()
    const { epoch } = driver
    driver.refused(peer, 'stale-epoch', { epoch: mostEpoch })
    assert.ok(driver.epoch > epoch && driver.epoch <= epoch + 20_001)
  })
})
