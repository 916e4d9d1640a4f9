import assert from 'node:assert/strict'
import fc from 'fast-check'
import { refusalReasons } from '../../../../../shared/protocol/messages.ts'
import {
  type Candidacy,
  describeRefusals,
  isHopeless,
  isUnderWay,
  leaseUntilMs,
  newCandidacy,
  withGrant,
  withPending,
  withRefusal,
} from '../../../../../agent/core/guard/lease.ts'
import { majorityOf } from '../../../../../shared/core/majority.ts'

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
    const refused = withRefusal(none, 'witness', { reason: 'recording', text: 'busy', sentAtMs: 0 })
    assert.deepEqual(withGrant(refused, 'witness', 5000).refusals, {})
  })

  it('ends with the grant that a voter has taken back by promising its vote to another node', () => {
    const taken = { reason: 'promised', text: 'lb02 has the vote', sentAtMs: 5000 } as const
    const held = grants({ lb01: 5000, witness: 5000 })
    const lost = withRefusal(held, 'witness', taken)
    assert.equal(leaseUntilMs(lost, voters, leaseMs), -Infinity)
    assert.deepEqual(Object.keys(lost.grantedSentAtMs), ['lb01'])
    const byThePeer = grants({ lb01: 5000, witness: 5000, lb02: 4600 })
    assert.equal(leaseUntilMs(withRefusal(byThePeer, 'witness', taken), voters, leaseMs), 6400)
  })

  it('keeps the grant of a request that left after the refused one', () => {
    const late = { reason: 'promised', text: '', sentAtMs: 4999 } as const
    const held = withRefusal(grants({ lb01: 5000, witness: 5000 }), 'witness', late)
    assert.equal(leaseUntilMs(held, voters, leaseMs), 6800)
  })

  it('keeps a grant where the voter refuses for another reason than a promise to another', () => {
    for (const reason of refusalReasons.filter((one) => one !== 'promised')) {
      const refused = withRefusal(grants({ lb01: 5000, witness: 5000 }), 'witness', {
        reason,
        text: '',
        sentAtMs: 5400,
      })
      assert.equal(leaseUntilMs(refused, voters, leaseMs), 6800, reason)
    }
  })

  it('keeps what is carried over from an earlier epoch whoever refuses the new one', () => {
    const carried = withGrant({ ...none, carriedUntilMs: 6800 }, 'witness', 5400)
    const refused = withRefusal(carried, 'witness', { reason: 'promised', text: '', sentAtMs: 5400 })
    assert.equal(leaseUntilMs(refused, voters, leaseMs), 6800)
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
    const refused = withRefusal(none, 'lb02', { reason: 'promised', text: '', sentAtMs: 0 })
    assert.equal(isHopeless(refused, voters, everybody), false)
  })

  it('is hopeless with two lasting refusals', () => {
    const refused = ['lb02', 'witness'].reduce(
      (candidacy, voter) => withRefusal(candidacy, voter, { reason: 'promised', text: '', sentAtMs: 0 }),
      none,
    )
    assert.equal(isHopeless(refused, voters, everybody), true)
  })

  it('is hopeless with one lasting refusal and one voter who is not there', () => {
    const refused = withRefusal(none, 'witness', { reason: 'promised', text: '', sentAtMs: 0 })
    assert.equal(
      isHopeless(refused, voters, (voter) => voter !== 'lb02'),
      true,
    )
  })

  it('may still win where a refusal passes with the time of a disk write or with a higher epoch', () => {
    for (const reason of ['recording', 'stale-epoch'] as const) {
      const refused = ['lb02', 'witness'].reduce(
        (candidacy, voter) => withRefusal(candidacy, voter, { reason, text: '', sentAtMs: 0 }),
        none,
      )
      assert.equal(isHopeless(refused, voters, everybody), false, reason)
    }
  })

  it('does not count a vote that was given and is promised to another since', () => {
    const taken = { reason: 'promised', text: '', sentAtMs: 5000 } as const
    const refused = withRefusal(grants({ lb01: 5000, witness: 5000 }), 'witness', taken)
    assert.equal(
      isHopeless(refused, voters, (voter) => voter !== 'lb02'),
      true,
    )
    assert.equal(isUnderWay(refused, voters), false)
    assert.equal(describeRefusals(withRefusal(none, 'lb02', { ...taken, text: 'no' })), 'lb02 refused: no')
  })

  it('counts a vote that was given though its voter has gone silent since', () => {
    const granted = grants({ lb01: 5000, witness: 5000 })
    assert.equal(
      isHopeless(granted, voters, (voter) => voter === 'lb01'),
      false,
    )
  })

  it('begins without a vote', () => {
    const candidacy = newCandidacy({ epoch: 8, askedAtMs: 0, carriedUntilMs: -Infinity })
    assert.deepEqual(candidacy, none)
    assert.equal(leaseUntilMs(candidacy, voters, leaseMs), -Infinity)
    assert.equal(leaseUntilMs(candidacy, [], leaseMs), -Infinity)
  })

  it('is under way while only the disks of a majority are awaited', () => {
    const one = withPending(none, 'witness')
    assert.equal(isUnderWay(one, voters), false)
    assert.equal(isUnderWay(withPending(one, 'lb02'), voters), true)
    assert.equal(isUnderWay(withGrant(one, 'lb01', 1000), voters), true)
    assert.equal(isUnderWay(grants({ lb01: 1000, lb02: 1000 }), voters), true)
  })

  it('counts a vote that is being written once, until it is granted or refused', () => {
    const twice = withPending(withPending(withPending(none, 'lb02'), 'witness'), 'lb02')
    assert.deepEqual(twice.pending, ['witness', 'lb02'])
    assert.deepEqual(withGrant(twice, 'witness', 1000).pending, ['lb02'])
    assert.deepEqual(withRefusal(twice, 'lb02', { reason: 'ledger', text: '', sentAtMs: 0 }).pending, [
      'witness',
    ])
  })

  it('forgets the refusal of a voter that grants, and of no other', () => {
    const refusal = { reason: 'waiting' as const, text: '', sentAtMs: 0 }
    const refused = withRefusal(withRefusal(none, 'witness', refusal), 'lb02', refusal)
    assert.deepEqual(withGrant(refused, 'witness', 1000).refusals, { lb02: { reason: 'waiting', text: '' } })
  })
})
