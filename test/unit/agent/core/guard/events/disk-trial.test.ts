import assert from 'node:assert/strict'
import { silenceMs } from '../../../../../../shared/core/timing.ts'
import { witness } from '../../../../../../shared/protocol/names.ts'
import {
  fenced,
  type GuardDriver,
  node,
  peer,
  peerReport,
  timing,
  standby,
  told,
  types,
} from '../guard-fixture.ts'

const quietMs = silenceMs(timing)
const ledgerFails = { writesFail: true } as const

/** Its own ballot could not be written. */
function withFullDisk(): GuardDriver {
  const driver = standby({ recordsAtOnce: false })
  driver.master()
  driver.feed({ type: 'record-failed', ballot: { to: node, epoch: driver.epoch }, error: 'ENOSPC' })
  return driver
}

function saysSo(driver: GuardDriver): boolean {
  const answer = driver.hearPeer().find((effect) => effect.type === 'answer-peer')
  assert.ok(answer?.type === 'answer-peer')
  return answer.verdict.writesFail === true
}

function tries(driver: GuardDriver): boolean {
  return types(driver.renew()).includes('try-disk')
}

describe('a disk that took no ballot', () => {
  it('is named in each answer to the peer, until it takes something', () => {
    assert.equal(saysSo(standby()), false)
    const driver = withFullDisk()
    assert.equal(saysSo(driver), true)
    driver.feed({ type: 'disk-tried', error: 'ENOSPC' })
    assert.equal(saysSo(driver), true)
    const effects = driver.feed({ type: 'disk-tried', error: null })
    assert.deepEqual(told(effects), ['promise-writable'])
    assert.ok(types(effects).includes('beat'), 'others wait for this vote')
    assert.equal(saysSo(driver), false)
  })

  it('is well again when a ballot reaches it', () => {
    const driver = withFullDisk()
    const { ballot } = { ballot: { to: node, epoch: driver.epoch } }
    assert.deepEqual(
      told(driver.feed({ type: 'recorded', ballot, tookMs: 1 })).filter(
        (event) => event === 'promise-writable',
      ),
      ['promise-writable'],
    )
  })

  it('is tried every two seconds, one try at a time', () => {
    const driver = withFullDisk()
    assert.equal(tries(driver), false, 'it has just failed')
    driver.sleep(1999)
    assert.equal(tries(driver), false)
    driver.sleep(1)
    assert.equal(tries(driver), true)
    driver.sleep(60_000)
    assert.equal(tries(driver), false, 'the first try has not ended')
    driver.feed({ type: 'disk-tried', error: 'ENOSPC' })
    driver.sleep(2000)
    assert.equal(tries(driver), true)
    driver.feed({ type: 'disk-tried', error: null })
    driver.sleep(60_000)
    assert.equal(tries(driver), false)
  })

  it('is not tried while it is well', () => assert.equal(tries(standby()), false))
})

describe('a standby that hears somebody, but not two who could vote', () => {
  /** The witness has been silent for long; the peer was heard just now. */
  const withoutWitness = (driver: GuardDriver): GuardDriver => {
    driver.sleep(quietMs)
    driver.hearPeer()
    return driver
  }

  it('is barred where the disk of the peer fails, and the witness is silent', () => {
    const driver = withoutWitness(standby())
    assert.equal(driver.phase, 'standby')
    driver.answer(peer, { kind: 'none' }, ledgerFails)
    const { phase } = driver.guard
    assert.ok(phase.name === 'barred')
    assert.equal(phase.cause.kind, 'no-votes')
    assert.equal(
      phase.cause.text,
      'it could not win the lease, because the disk of lb02 takes no ballot and the witness is silent',
    )
    driver.answer(peer, { kind: 'none' })
    assert.equal(driver.phase, 'standby')
  })

  it('is barred where its own disk fails, and let go when the witness is heard', () => {
    const driver = standby({ recordsAtOnce: false })
    driver.hearPeer(peerReport({ phase: 'claiming', ask: { epoch: 8 }, epoch: 8 }))
    driver.feed({ type: 'record-failed', ballot: { to: peer, epoch: 8 }, error: 'ENOSPC' })
    assert.equal(driver.phase, 'standby', 'witness and peer can vote')
    withoutWitness(driver)
    assert.equal(driver.phase, 'barred')
    driver.hearWitness()
    assert.equal(driver.phase, 'standby')
  })

  it('is barred where two disks fail', () => {
    const driver = standby()
    driver.answer(witness, { kind: 'none' }, ledgerFails)
    assert.equal(driver.phase, 'standby')
    driver.answer(peer, { kind: 'none' }, ledgerFails)
    assert.equal(driver.phase, 'barred')
  })

  it('is not barred by silence alone, because that would lengthen each failover', () => {
    const driver = standby()
    driver.sleep(quietMs)
    driver.hearWitness()
    assert.equal(driver.phase, 'standby')
  })

  it('stays fenced until two can vote', () => {
    const driver = fenced()
    driver.sleep(60_000)
    driver.answer(peer, { kind: 'none' }, ledgerFails)
    assert.equal(driver.phase, 'fenced')
    driver.answer(peer, { kind: 'none' })
    assert.equal(driver.phase, 'rejoining')
  })
})
