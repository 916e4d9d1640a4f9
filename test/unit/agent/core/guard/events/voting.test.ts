import assert from 'node:assert/strict'
import { witness } from '../../../../../../shared/protocol/names.ts'
import {
  claiming,
  GuardDriver,
  holding,
  holdingPeer,
  node,
  ofType,
  peer,
  peerReport,
  standby,
  texts,
  told,
} from '../guard-fixture.ts'

const votes = (effects: ReturnType<GuardDriver['tick']>) =>
  ofType(effects, 'answer-peer').map(({ beat, verdict }) => [beat, verdict.vote.kind])

describe('a guard as a voter for its peer', () => {
  describe('while it holds the lease', () => {
    it('announces the VIP and says so when the peer becomes MASTER too, once', () => {
      const driver = holding()
      const rival = peerReport({
        keepalived: 'MASTER',
        vips: 'held',
        ask: { epoch: 9 },
        why: 'asking for the votes',
      })
      const first = driver.hearPeer(rival)
      assert.deepEqual(told(first), ['rival'])
      assert.equal(ofType(first, 'announce').length, 1)
      assert.match(texts(first)[0] ?? '', /lb02 also became MASTER \(asking for the votes\)/)
      const second = driver.hearPeer(rival)
      assert.deepEqual([told(second), ofType(second, 'announce')], [[], []])
    })

    it('says so, too, where the first word of the peer is that it is MASTER', () => {
      const driver = new GuardDriver()
      driver.hearWitness()
      driver.backup()
      driver.master()
      driver.granted(witness)
      assert.deepEqual(told(driver.hearPeer(holdingPeer(9))), ['rival'])
    })

    it('announces the VIP again when the peer shows it no longer, once', () => {
      for (const change of [{ keepalived: 'MASTER' }, { keepalived: 'FAULT', vips: 'held' }] as const) {
        const driver = holding()
        driver.hearPeer(peerReport(change))
        const gone = driver.hearPeer(peerReport())
        assert.deepEqual(told(gone), ['rival-gone'])
        assert.equal(ofType(gone, 'announce').length, 1)
        assert.deepEqual(told(driver.hearPeer(peerReport())), [])
      }
    })

    it('announces nothing while the peer still shows the VIP', () => {
      const driver = holding()
      driver.hearPeer(peerReport({ vips: 'held' }))
      assert.deepEqual(ofType(driver.hearPeer(peerReport({ vips: 'held' })), 'announce'), [])
    })

    it('announces nothing when it hears of a peer for the first time', () => {
      const driver = new GuardDriver()
      driver.hearWitness()
      driver.backup()
      driver.master()
      driver.granted(witness)
      assert.equal(driver.phase, 'holding')
      assert.deepEqual(told(driver.hearPeer()), [])
    })
  })

  it('announces nothing while it stands by', () => {
    const driver = standby()
    driver.hearPeer(peerReport({ vips: 'held' }))
    assert.deepEqual(ofType(driver.hearPeer(peerReport()), 'announce'), [])
  })

  it('learns the epoch of a peer that asks for nothing, and not the one that is asked under', () => {
    const driver = standby()
    driver.hearPeer(peerReport({ epoch: 30 }))
    assert.equal(driver.guard.voter.epoch, 30)
    assert.deepEqual(votes(driver.hearPeer(holdingPeer(31))).at(-1)?.[1], 'granted')
  })

  it('does not learn the epoch under which it was asked in vain', () => {
    const driver = standby({ recovered: { kind: 'lost' } })
    assert.deepEqual(votes(driver.hearPeer(holdingPeer(4000))).at(-1)?.[1], 'refused')
    assert.equal(driver.guard.voter.epoch, 1000)
  })

  it('answers the beat that asked when the promise is on disk, not a later one that asked for nothing', () => {
    const driver = standby({ recordsAtOnce: false })
    const asked = votes(driver.hearPeer(holdingPeer(8)))
    assert.deepEqual(asked, [[2, 'pending']])
    driver.hearPeer(peerReport({ epoch: 7 }))
    const ballot = { to: peer, epoch: 8 }
    assert.deepEqual(votes(driver.feed({ type: 'recorded', ballot, tookMs: 3 })), [[2, 'granted']])
  })

  it('answers once that the promise cannot be written, and can promise again', () => {
    const driver = standby({ recordsAtOnce: false })
    driver.hearPeer(holdingPeer(8))
    const failed = { type: 'record-failed' as const, ballot: { to: peer, epoch: 8 }, error: 'ENOSPC' }
    const effects = driver.feed(failed)
    assert.deepEqual(votes(effects), [[2, 'refused']])
    assert.match(texts(effects)[0] ?? '', /the vote for lb02 cannot be written to disk: ENOSPC/)
    assert.deepEqual(votes(driver.feed(failed)), [])
    driver.sleep(1)
    assert.deepEqual(votes(driver.hearPeer(holdingPeer(9))), [[3, 'pending']])
  })

  it('tells of a disk that fails once, and again when it fails after it had been mended', () => {
    const driver = standby({ recordsAtOnce: false })
    const fails = (epoch: number) => {
      driver.hearPeer(holdingPeer(epoch))
      driver.sleep(1)
      return told(driver.feed({ type: 'record-failed', ballot: { to: peer, epoch }, error: 'ENOSPC' }))
    }
    assert.deepEqual(fails(8), ['promise-not-written'])
    assert.deepEqual(fails(8), [])
    driver.hearPeer(holdingPeer(8))
    driver.feed({ type: 'recorded', ballot: { to: peer, epoch: 8 }, tookMs: 3 })
    assert.deepEqual(fails(9), ['promise-not-written'])
  })

  it('counts the own vote as refused where it cannot be written', () => {
    const driver = standby({ recordsAtOnce: false })
    driver.master()
    driver.feed({ type: 'record-failed', ballot: { to: node, epoch: 7 }, error: 'EIO' })
    assert.deepEqual(driver.guard.candidacy?.refusals, {}, 'of an epoch that it asks under no more')
    const effects = driver.feed({ type: 'record-failed', ballot: { to: node, epoch: 8 }, error: 'EIO' })
    assert.deepEqual(votes(effects), [])
    assert.equal(driver.guard.candidacy.refusals[node]?.reason, 'ledger')
  })

  it('takes note of an own ballot that failed after the claim was given up', () => {
    const driver = standby({ recordsAtOnce: false })
    driver.master()
    driver.fault()
    assert.deepEqual(
      told(driver.feed({ type: 'record-failed', ballot: { to: node, epoch: 8 }, error: 'EIO' })),
      ['promise-not-written'],
    )
    assert.equal(driver.phase, 'standby')
  })

  describe('when both claim at the same moment', () => {
    const rival = (change: Parameters<typeof peerReport>[0] = {}) =>
      peerReport({
        phase: 'claiming',
        keepalived: 'MASTER',
        vips: 'held',
        ask: { epoch: 8 },
        epoch: 8,
        ...change,
      })
    const outcome = (driver: GuardDriver, change: Parameters<typeof peerReport>[0] = {}) => {
      const vote = ofType(driver.hearPeer(rival(change)), 'answer-peer')[0]?.verdict.vote
      return [vote?.kind === 'refused' ? vote.reason : vote?.kind, driver.phase]
    }

    it('gives way to the preferred one', () => {
      assert.deepEqual(outcome(claiming(), { priority: 100 }), ['outranked', 'claiming'])
      assert.deepEqual(outcome(claiming(), { priority: 200 }), ['yielding', 'fencing'])
    })

    it('prefers itself to a peer that does not reach its gateway', () =>
      assert.deepEqual(outcome(claiming(), { priority: 200, gateway: 'unreachable' }), [
        'outranked',
        'claiming',
      ]))

    it('does not give way where it only confirms the VIP that it had before', () => {
      const driver = new GuardDriver()
      driver.hearWitness()
      driver.hearPeer()
      driver.master()
      const [answer] = ofType(driver.hearPeer(rival({ priority: 200 })), 'answer-peer')
      assert.deepEqual(answer?.verdict.vote, {
        kind: 'refused',
        reason: 'outranked',
        text: 'lb01 already had the VIP and is confirming its lease',
      })
    })

    it('does not give way where a majority has voted for it or is writing that down: the other cannot win any more', () => {
      const driver = claiming({ recordsAtOnce: false })
      driver.answer(witness, { kind: 'pending', epoch: driver.epoch })
      const [answer] = ofType(driver.hearPeer(rival({ priority: 200 })), 'answer-peer')
      assert.deepEqual(answer?.verdict.vote, {
        kind: 'refused',
        reason: 'outranked',
        text: 'a majority is already voting for lb01',
      })
      assert.equal(driver.phase, 'claiming')
    })

    it('settles it also where its own vote is not free yet', () =>
      assert.deepEqual(outcome(claiming({ recovered: { kind: 'lost' } }), { priority: 100 }), [
        'outranked',
        'claiming',
      ]))
  })
})
