import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  isHopeless,
  leaseUntilMs,
  majorityOf,
  withGrant,
  withRefusal,
  type Candidacy,
} from '../../../agent/lease.ts'

const voters = ['lb01', 'witness', 'lb02']
const leaseMs = 1800
const none: Candidacy = {
  epoch: 8,
  grantedSentAtMs: {},
  refusals: {},
  pending: [],
  ownAskedAtMs: 0,
  carriedUntilMs: -Infinity,
}
const everybody = (): boolean => true

function grants(sentAtMs: Record<string, number>): Candidacy {
  return Object.entries(sentAtMs).reduce((candidacy, [voter, ms]) => withGrant(candidacy, voter, ms), none)
}

describe('the lease', () => {
  it('needs two of three votes, and two of two', () => {
    assert.deepEqual([1, 2, 3, 4, 5].map(majorityOf), [1, 2, 2, 3, 3])
  })

  it('is not won by one vote', () => {
    assert.equal(leaseUntilMs(grants({ lb01: 5000 }), voters, leaseMs), -Infinity)
  })

  it('lasts leaseMs from when the older request of the decisive pair left', () => {
    assert.equal(leaseUntilMs(grants({ lb01: 5400, witness: 5000 }), voters, leaseMs), 6800)
  })

  it('counts the newest majority where three voted', () => {
    assert.equal(leaseUntilMs(grants({ lb01: 5400, witness: 5000, lb02: 5300 }), voters, leaseMs), 7100)
  })

  it('does not count a vote of somebody who is no voter', () => {
    assert.equal(leaseUntilMs(grants({ lb01: 5400, 'old-peer': 5400 }), voters, leaseMs), -Infinity)
  })

  it('is carried over from an earlier epoch until it would have ended', () => {
    const carried = { ...none, carriedUntilMs: 6800 }
    assert.equal(leaseUntilMs(carried, voters, leaseMs), 6800)
    const renewed = withGrant(withGrant(carried, 'lb01', 5600), 'witness', 5600)
    assert.equal(leaseUntilMs(renewed, voters, leaseMs), 7400)
  })

  it('does not shrink by an old answer that arrives late', () => {
    assert.equal(withGrant(grants({ witness: 5400 }), 'witness', 5000).grantedSentAtMs.witness, 5400)
  })

  it('forgets a refusal once the same voter grants', () => {
    const refused = withRefusal(none, 'witness', { reason: 'recording', text: 'busy' })
    assert.deepEqual(withGrant(refused, 'witness', 5000).refusals, {})
  })

  it('never outlives the second newest of three requests by more than leaseMs (property)', () => {
    const sent = fc.option(fc.integer({ min: 0, max: 1e6 }), { nil: undefined })
    fc.assert(
      fc.property(sent, sent, sent, (own, ofWitness, ofPeer) => {
        const given = Object.entries({ lb01: own, witness: ofWitness, lb02: ofPeer }).flatMap(
          ([voter, ms]) => (ms === undefined ? [] : [[voter, ms] as const]),
        )
        const untilMs = leaseUntilMs(grants(Object.fromEntries(given)), voters, leaseMs)
        const live = given.filter(([, ms]) => ms + leaseMs >= untilMs)
        assert.equal(untilMs === -Infinity, given.length < 2)
        assert.ok(live.length >= majorityOf(voters.length) || untilMs === -Infinity)
      }),
    )
  })
})

describe('a claim', () => {
  it('is not hopeless while everybody may still answer', () => {
    assert.equal(isHopeless(none, voters, everybody), false)
  })

  it('is not hopeless with one lasting refusal and two who may still answer', () => {
    const refused = withRefusal(none, 'lb02', { reason: 'promised', text: '' })
    assert.equal(isHopeless(refused, voters, everybody), false)
  })

  it('is hopeless with two lasting refusals', () => {
    const refused = ['lb02', 'witness'].reduce(
      (candidacy, voter) => withRefusal(candidacy, voter, { reason: 'promised', text: '' }),
      none,
    )
    assert.equal(isHopeless(refused, voters, everybody), true)
  })

  it('is hopeless with one lasting refusal and one voter who is not there', () => {
    const refused = withRefusal(none, 'witness', { reason: 'promised', text: '' })
    assert.equal(
      isHopeless(refused, voters, (voter) => voter !== 'lb02'),
      true,
    )
  })

  it('may still win where a refusal passes with the time of a disk write or with a higher epoch', () => {
    for (const reason of ['recording', 'stale-epoch'] as const) {
      const refused = ['lb02', 'witness'].reduce(
        (candidacy, voter) => withRefusal(candidacy, voter, { reason, text: '' }),
        none,
      )
      assert.equal(isHopeless(refused, voters, everybody), false, reason)
    }
  })

  it('counts a vote that was given though its voter has gone silent since', () => {
    const granted = grants({ lb01: 5000, witness: 5000 })
    assert.equal(
      isHopeless(granted, voters, (voter) => voter === 'lb01'),
      false,
    )
  })
})
