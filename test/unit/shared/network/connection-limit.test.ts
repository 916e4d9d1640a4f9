import assert from 'node:assert/strict'
import { ConnectionLimit, RequestLimit } from '../../../../shared/network/connection-limit.ts'
import { TokenBucket } from '../../../../shared/network/token-bucket.ts'

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
    return Array.from({ length: times }, (_, index) => admits(limit, address(index))).filter(Boolean).length
  }

  it('is a burst and then a rate, for each address of the cluster', () => {
    assert.equal(
      taken(500, () => '10.0.0.11'),
      50,
    )
    assert.equal(
      taken(500, () => '10.0.0.12'),
      50,
    )
    nowMs += 1000
    assert.equal(
      taken(500, () => '10.0.0.11'),
      50,
    )
    nowMs += 60_000
    assert.equal(
      taken(500, () => '10.0.0.11'),
      50,
    )
  })

  it('is one budget for all strangers together, which does not touch that of the cluster', () => {
    assert.equal(
      taken(5000, (index) => `192.168.${index >> 8}.${index & 255}`),
      20,
    )
    assert.equal(
      taken(100, () => '10.0.0.11'),
      50,
    )
    nowMs += 1000
    assert.equal(
      taken(5000, (index) => `192.168.${index >> 8}.${index & 255}`),
      20,
    )
  })

  it('is so many open ones of an address, until one of them is closed', () => {
    const open: (() => void)[] = []
    const openAll = (address: (index: number) => string): number => {
      const before = open.length
      for (let index = 0; index < 30_000; index++) {
        nowMs += 100
        const release = limit.admit(address(index))
        if (release !== null) open.push(release)
      }
      return open.length - before
    }
    assert.equal(
      openAll(() => '10.0.0.11'),
      96,
    )
    assert.equal(limit.admit('10.0.0.11'), null)
    open.shift()?.()
    assert.ok(limit.admit('10.0.0.11'))
    assert.equal(limit.admit('10.0.0.11'), null)
    // Strangers have a bound together, which leaves the cluster's alone.
    assert.equal(
      openAll((index) => `192.168.${index >> 8}.${index & 255}`),
      192,
    )
    assert.equal(limit.admit('192.168.200.200'), null)
    assert.ok(limit.admit('10.0.0.12'))
    for (const release of open.splice(0)) release()
    assert.ok(limit.admit('192.168.200.200'))
  })

  it('takes the addresses of one IPv6 host for one', () => {
    const known = new ConnectionLimit({ isKnown: () => true, monotonicMs: () => nowMs })
    const admitted = (address: string): boolean => admits(known, address)
    const ofOneHost = Array.from({ length: 400 }, (_, index) => `2001:db8:0:7::${index.toString(16)}`)
    assert.equal(ofOneHost.filter(admitted).length, 50)
    assert.ok(!admitted('2001:db8:0:7:1:2:3:4'))
    assert.ok(!admitted('2001:db8::7:0:0:0:9'))
    assert.ok(admitted('2001:db8:0:8::1'))
    assert.ok(admitted('fe80::1%eth0'))
    assert.ok(admitted('::1'))
  })

  it('forgets the oldest addresses when there are very many, and not the ones in use', () => {
    const all = new ConnectionLimit({ isKnown: () => true, monotonicMs: () => nowMs })
    for (let round = 0; round < 50; round++) admits(all, '10.0.0.11')
    for (let index = 0; index < 10_000; index++) {
      admits(all, `172.${index >> 16}.${(index >> 8) & 255}.${index & 255}`)
      if (index % 1000 === 0) assert.ok(!admits(all, '10.0.0.11'))
    }
  })
})

/** Whether a connection is taken that is closed at once. */
function admits(limit: ConnectionLimit, address: string): boolean {
  const release = limit.admit(address)
  release?.()
  return release !== null
}

describe('how many requests a listener takes', () => {
  it('is a rate for each caller, and one for all strangers together', () => {
    let nowMs = 0
    const limit = new RequestLimit(() => nowMs)
    const taken = (caller: string | null): number =>
      Array.from({ length: 500 }, () => limit.admits(caller)).filter(Boolean).length
    assert.deepEqual(['lb01', 'lb02', null].map(taken), [100, 100, 20])
    nowMs += 1000
    assert.deepEqual(['lb01', 'lb02', null].map(taken), [50, 50, 20])
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
