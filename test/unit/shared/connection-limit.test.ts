import assert from 'node:assert/strict'
import { ConnectionLimit, TokenBucket } from '../../../shared/connection-limit.ts'

describe('how many connections a listener takes', () => {
  let nowMs: number
  let limit: ConnectionLimit
  beforeEach(() => {
    nowMs = 0
    limit = new ConnectionLimit({
      isKnown: (address) => address.startsWith('10.0.0.'),
      monotonicMs: () => nowMs,
    })
  })
  /** How many of so many at once are taken. */
  function taken(times: number, address: (index: number) => string): number {
    return Array.from({ length: times }, (_, index) => limit.admits(address(index))).filter(Boolean).length
  }

  it('is a burst and then a rate, for each address of the cluster', () => {
    assert.equal(
      taken(500, () => '10.0.0.11'),
      120,
    )
    assert.equal(
      taken(500, () => '10.0.0.12'),
      120,
    )
    nowMs += 1000
    assert.equal(
      taken(500, () => '10.0.0.11'),
      60,
    )
    nowMs += 60_000
    assert.equal(
      taken(500, () => '10.0.0.11'),
      120,
    )
  })

  it('is one budget for all strangers together, which does not touch that of the cluster', () => {
    assert.equal(
      taken(5000, (index) => `192.168.${index >> 8}.${index & 255}`),
      80,
    )
    assert.equal(
      taken(100, () => '10.0.0.11'),
      100,
    )
    nowMs += 1000
    assert.equal(
      taken(5000, (index) => `192.168.${index >> 8}.${index & 255}`),
      40,
    )
  })

  it('takes the addresses of one IPv6 host for one', () => {
    const known = new ConnectionLimit({ isKnown: () => true, monotonicMs: () => nowMs })
    const admitted = (address: string): boolean => known.admits(address)
    const ofOneHost = Array.from({ length: 400 }, (_, index) => `2001:db8:0:7::${index.toString(16)}`)
    assert.equal(ofOneHost.filter(admitted).length, 120)
    assert.ok(!admitted('2001:db8:0:7:1:2:3:4'))
    assert.ok(!admitted('2001:db8::7:0:0:0:9'))
    assert.ok(admitted('2001:db8:0:8::1'))
    assert.ok(admitted('fe80::1%eth0'))
    assert.ok(admitted('::1'))
  })

  it('forgets the oldest addresses when there are very many, and not the ones in use', () => {
    const all = new ConnectionLimit({ isKnown: () => true, monotonicMs: () => nowMs })
    for (let round = 0; round < 120; round++) all.admits('10.0.0.11')
    for (let index = 0; index < 10_000; index++) {
      all.admits(`172.${index >> 16}.${(index >> 8) & 255}.${index & 255}`)
      if (index % 1000 === 0) assert.ok(!all.admits('10.0.0.11'))
    }
  })
})

describe('a token bucket', () => {
  it('never holds more than a burst, and fills at its rate', () => {
    let nowMs = 0
    const bucket = new TokenBucket({ perSecond: 10, burst: 2 }, () => nowMs)
    const takes = (): boolean[] => [bucket.take(), bucket.take(), bucket.take()]
    assert.deepEqual(takes(), [true, true, false])
    nowMs += 100
    assert.deepEqual(takes(), [true, false, false])
    nowMs += 10_000
    assert.deepEqual(takes(), [true, true, false])
  })
})
