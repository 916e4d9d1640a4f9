import assert from 'node:assert/strict'
import { arbitrate, nextDeadlineMs } from '../../../../../server/core/arbiter/arbiter.ts'
import { maxInstances, mostEpoch } from '../../../../../shared/protocol/names.ts'
import type { Report } from '../../../../../shared/protocol/report.ts'
import { defaultTiming } from '../../../../../shared/core/timing.ts'
import {
  claiming,
  claimMs,
  helloOf,
  holding,
  instance,
  leaseMs,
  peerUnheard,
  recoveredLedger,
  refusal,
  released,
  renewMs,
  reserveMs,
  silentAfterMs,
  standby,
  startedAtMs,
  typesOf,
  Witness,
} from '../../clusters/cluster-fixture.ts'

const { handoverMs } = defaultTiming

describe('arbiter', () => {
  describe('a claim for a free vote', () => {
    it('is written before it is granted, and marked before it is answered', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      assert.deepEqual(lb01.beat(claiming(1)), { kind: 'pending', epoch: 1 })
      const asked = typesOf(witness.effects)
      assert.ok(asked.includes('record') && !asked.includes('mark'), asked.join())

      const written = typesOf(witness.written())
      assert.ok(written.includes('mark') && written.indexOf('mark') < written.indexOf('answer'))
      assert.deepEqual(lb01.lateVote(), { kind: 'granted', epoch: 1 })
      assert.equal(lb01.answers()[0]?.seq, lb01.seq)
    })

    it('is answered to the newest beat when the agent asked again meanwhile', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.beat(claiming(1))
      assert.equal(refusal(lb01.beat(claiming(1))), 'pending')
      witness.written()
      assert.equal(lb01.answers()[0]?.seq, lb01.seq)
    })

    it('is not made stale by the epoch that its own report names', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      assert.equal(refusal(lb01.beat({ ...claiming(4), epoch: 4 })), 'pending')
    })

    it('is refused as stale below an epoch that any agent has reported', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb02.beat({ epoch: 9 })
      assert.equal(refusal(lb01.beat(claiming(8))), 'stale-epoch')
      assert.equal(refusal(lb01.beat(claiming(10))), 'pending')
    })

    it('tells every node who has the vote, and how fresh it is', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(1)
      witness.pass(100)
      const [verdict] = lb02.say([standby])
      assert.deepEqual(
        { holder: verdict?.holder, renewedAgoMs: verdict?.renewedAgoMs, epoch: verdict?.epoch },
        { holder: 'lb01', renewedAgoMs: 100, epoch: 1 },
      )
    })
  })

  describe('the holder', () => {
    it('renews without a write', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.win(1)
      witness.pass(renewMs)
      assert.deepEqual(lb01.beat(holding(1)), { kind: 'granted', epoch: 1 })
      assert.deepEqual(typesOf(witness.effects), ['mark', 'answer'])
    })

    it('wins against a newcomer for as long as it renews', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(1)
      witness.pass(10_000, lb01)
      assert.equal(refusal(lb02.beat({ ...claiming(2), ...peerUnheard })), 'promised')
    })

    it('keeps the vote for the whole promise after its last word, then the other may have it', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(1)
      lb01.close()
      witness.pass(reserveMs - 1)
      assert.equal(refusal(lb02.beat(claiming(2))), 'promised')
      witness.pass(1)
      assert.equal(refusal(lb02.beat(claiming(3))), 'pending')
    })

    it('frees the vote by its proof of release', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(1)
      lb02.beat(released)
      assert.equal(refusal(lb02.beat(claiming(2))), 'promised')
      lb01.beat(released)
      assert.ok(witness.effects.some((effect) => effect.type === 'mark' && effect.mark.untilMs === 0))
      assert.equal(refusal(lb02.beat(claiming(3))), 'pending')
    })

    it('is named in one event when it changes', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(1)
      lb01.beat(released)
      lb02.beat(claiming(2))
      witness.written()
      const [changed] = witness.occurred().filter(({ event }) => event === 'holder-changed')
      assert.equal(changed?.node, 'lb02')
      assert.match(changed.text, /epoch 2.*previous vote was for lb01/)
    })
  })

  describe('after a restart', () => {
    const before = (): Witness => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.win(1)
      return witness
    }

    it('lets only the recorded holder renew until every promise has ended', () => {
      const witness = before().restarted({ marks: false })
      const [lb01, lb02] = witness.agents()
      assert.equal(refusal(lb02.beat(claiming(2))), 'waiting')
      assert.deepEqual(lb01.beat(holding(1)), { kind: 'granted', epoch: 1 })
      assert.equal(refusal(lb02.beat(claiming(2))), 'promised')
    })

    it('lets another take over when the recorded holder stays silent for a whole promise', () => {
      const witness = before().restarted({ marks: false })
      const [, lb02] = witness.agents()
      witness.pass(reserveMs - 1)
      assert.equal(refusal(lb02.beat(claiming(2))), 'waiting')
      witness.pass(1)
      assert.equal(refusal(lb02.beat(claiming(3))), 'pending')
    })

    it('waits no longer than the mark of this boot says', () => {
      const witness = before().restarted({ marks: true, downMs: reserveMs })
      const [, lb02] = witness.agents()
      assert.equal(refusal(lb02.beat(claiming(2))), 'pending')
    })

    it('lets nobody end the wait by a release: it cannot tell yet who speaks for a node', () => {
      const witness = before().restarted({ marks: false })
      const [lb01, lb02] = witness.agents()
      lb01.beat(released)
      assert.equal(refusal(lb02.beat(claiming(2))), 'waiting')
    })

    it('treats a ballot whose answer from the disk never came as given', () => {
      const first = Witness.settled()
      const [asking] = first.agents()
      asking.beat(claiming(1))
      const { pledge } = first.state().voter
      assert.ok(pledge.phase === 'recording')
      first.ledger.set(instance, pledge.ballot)
      const witness = first.restarted({ marks: true })
      const [, lb02] = witness.agents()
      assert.equal(refusal(lb02.beat(claiming(2))), 'waiting')
    })

    it('makes everybody wait for an instance of which the ledger knows nothing', () => {
      const witness = new Witness()
      const [lb01] = witness.agents()
      assert.equal(refusal(lb01.beat(claiming(1))), 'waiting')
      witness.pass(reserveMs, lb01)
      assert.equal(refusal(lb01.beat(claiming(2))), 'pending')
    })

    it('makes an instance wait from the start of the witness, not from its own first mention', () => {
      const witness = Witness.settled()
      assert.equal(refusal(witness.agent('lb01').beat(claiming(1))), 'pending')
    })
  })

  describe('a ledger that is not to be trusted', () => {
    it('makes everybody wait when it is lost, and goes on with epochs far above', () => {
      const witness = new Witness({ recovered: { ballots: new Map(), others: 'lost' } })
      const [lb01, lb02] = witness.agents()
      for (const agent of [lb01, lb02]) assert.equal(refusal(agent.beat(claiming(7))), 'waiting')
      lb01.beat(released)
      lb02.beat(released)
      assert.equal(refusal(lb01.beat(claiming(5000))), 'waiting')
      witness.pass(reserveMs, lb01, lb02)
      assert.equal(refusal(lb01.beat(claiming(999))), 'stale-epoch')
    })

    it('is noticed when an agent was granted more than it knows of, and everybody waits', () => {
      const old = Witness.settled()
      const [holder] = old.agents()
      holder.win(3)
      const witness = old.restarted({ marks: false })
      const lb02 = witness.agent('lb02')
      const lb01 = witness.agent('lb01')
      // The real holder is lb02, under epoch 8, which the rolled back ledger has forgotten.
      assert.equal(refusal(lb02.beat(holding(8))), 'waiting')
      const [noticed] = witness.occurred().filter(({ event }) => event === 'ledger-rolled-back')
      assert.equal(noticed?.level, 'critical')
      assert.match(noticed.text, /epoch 8.*epoch 3/)
      assert.equal(refusal(lb01.beat(claiming(9))), 'waiting')
      assert.ok(witness.state().voter.epoch > 8)
      lb02.beat({ witnessEpoch: 8 })
      assert.ok(!witness.told().slice(-1).includes('ledger-rolled-back'))
    })

    it('is told to operators when its marks show it', () => {
      const ballot = { to: 'lb01', epoch: 3 }
      const mark = { epoch: 6, untilMs: startedAtMs + 500 }
      const witness = new Witness({
        recovered: recoveredLedger([[instance, { kind: 'valid', ballot, mark }]]),
      })
      const [lb01] = witness.agents()
      assert.equal(refusal(lb01.beat(claiming(4))), 'waiting')
      assert.ok(witness.told().includes('ledger-rolled-back'), witness.told().join())
    })

    it('is not trusted again after another restart', () => {
      const old = Witness.settled()
      const [holder, lb02] = old.agents()
      holder.win(3)
      lb02.beat({ ...holding(8), ask: null })
      const witness = old.restarted({ marks: true })
      assert.equal(refusal(witness.agent('lb01').beat(claiming(4))), 'waiting')
    })

    it('is noticed once, and the vote is given again after the wait', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb02.beat({ witnessEpoch: 8, epoch: 8 })
      witness.pass(reserveMs, lb01, lb02)
      lb01.beat(claiming(5000))
      witness.written()
      assert.deepEqual(lb01.beat(holding(5000)), { kind: 'granted', epoch: 5000 })
      assert.equal(witness.told().filter((event) => event === 'ledger-rolled-back').length, 1)
    })

    it('gives no grant to a ballot that was under way when the rollback showed', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.beat(claiming(1))
      const ballot = { to: 'lb01', epoch: 1 }
      lb02.beat({ witnessEpoch: 8, epoch: 8 })
      witness.feed({ type: 'recorded', atMs: witness.atMs, instance, ballot })
      assert.deepEqual(typesOf(witness.effects), [])
      assert.equal(refusal(lb01.beat(claiming(1))), 'waiting')
    })

    it('answers the checks that waited for such a ballot, and never with a later vote of another node', () => {
      const witness = Witness.settled()
      const lb02 = witness.agent('lb02')
      lb02.beat({ phase: 'barred' })
      assert.equal(witness.check('lb01'), undefined)
      lb02.beat({ witnessEpoch: 8, epoch: 8 })
      const atOnce = witness.checkAnswer()
      witness.pass(reserveMs, lb02)
      lb02.beat(claiming(5000))
      witness.written()
      assert.notEqual((atOnce ?? witness.checkAnswer())?.permit, true)
    })
  })

  describe('a ledger that cannot be written', () => {
    it('refuses the vote, says why, and gives it once the disk is mended', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.beat(claiming(1))
      witness.writeFails()
      assert.equal(refusal(lb01.lateVote()), 'ledger')
      const [told] = witness.occurred().filter(({ event }) => event === 'ledger-not-written')
      assert.match(told?.text ?? '', /ENOSPC/)
      assert.equal(told?.level, 'critical')
      assert.equal(refusal(lb01.beat(claiming(1))), 'pending', 'tried again with the next heartbeat')
      witness.written()
      assert.deepEqual(lb01.lateVote(), { kind: 'granted', epoch: 1 })
    })

    it('is told of once, and again after it was written in between', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      const fails = (epoch: number): void => {
        lb01.beat(claiming(epoch))
        witness.writeFails()
      }
      for (let round = 0; round < 3; round++) fails(1)
      const times = (): number => witness.told().filter((event) => event === 'ledger-not-written').length
      assert.equal(times(), 1)
      lb01.beat(claiming(1))
      witness.written()
      fails(2)
      assert.equal(times(), 2)
    })

    it('refuses the check that waited for it', () => {
      const witness = Witness.settled()
      witness.agent('lb02').close()
      assert.equal(witness.check('lb01'), undefined)
      witness.writeFails()
      assert.equal(witness.checkAnswer()?.permit, false)
      assert.match(witness.checkAnswer()?.text ?? '', /ENOSPC/)
    })

    it('lets the holder renew', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(1)
      lb02.say([{ ...standby, ...claiming(1), instance: 'VI_2' }])
      witness.writeFails('VI_2')
      assert.equal(refusal(lb01.beat(holding(1))), 'granted')
    })
  })

  describe('claims of the same moment', () => {
    const cut = (
      epoch: number,
      changes = {},
    ): Parameters<typeof claiming>[0] extends never ? never : object => ({
      ...claiming(epoch),
      ...peerUnheard,
      ...changes,
    })

    it('do not wait where the nodes hear each other', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.beat(claiming(1))
      assert.ok(typesOf(witness.effects).includes('record'))
    })

    it('do not wait where nobody else could claim', () => {
      for (const elsewhere of [
        { phase: 'barred' },
        { keepalived: 'FAULT' },
        { process: 'frozen' },
      ] as const) {
        const witness = Witness.settled()
        const [lb01, lb02] = witness.agents()
        lb02.beat(elsewhere)
        lb01.beat(cut(1))
        assert.ok(typesOf(witness.effects).includes('record'), JSON.stringify(elsewhere))
      }
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb02.close()
      lb01.beat(cut(1))
      assert.ok(typesOf(witness.effects).includes('record'))
    })

    it('wait for half of what a MASTER waits for its majority, and no longer', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      assert.equal(refusal(lb01.beat(cut(1))), 'pending')
      assert.ok(!typesOf(witness.effects).includes('record'))
      assert.equal(nextDeadlineMs(witness.arbiter), witness.atMs + claimMs / 2)
      witness.pass(claimMs / 2 - 1)
      assert.equal(witness.state().voter.pledge.phase, 'free')
      witness.pass(1)
      assert.ok(typesOf(witness.effects).includes('record'), JSON.stringify(lb01.lateVote()))
      witness.written()
      assert.deepEqual(lb01.lateVote(), { kind: 'granted', epoch: 1 })
    })

    it('are not put off by asking again', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.beat(cut(1))
      witness.pass(claimMs / 2 - 5)
      lb01.beat(cut(1))
      witness.pass(5)
      assert.equal(witness.state().voter.pledge.phase, 'recording')
      witness.written()
      assert.equal(lb01.answers()[0]?.seq, lb01.seq)
    })

    const contest = (
      first: Partial<Report>,
      second: Partial<Report>,
      recovered?: string,
    ): string | undefined => {
      const witness = Witness.settled(
        recovered === undefined
          ? {}
          : {
              recovered: recoveredLedger([
                [instance, { kind: 'valid', ballot: { to: recovered, epoch: 1 }, mark: null }],
              ]),
            },
      )
      const [lb01, lb02] = witness.agents()
      lb01.beat(cut(2, first))
      lb02.beat(cut(2, second))
      const { pledge } = witness.state().voter
      assert.ok(pledge.phase === 'recording', `nobody gets the vote: it is ${pledge.phase}`)
      const winner = pledge.ballot.to
      const loser = winner === 'lb01' ? lb02 : lb01
      const told = loser.answers().map(({ verdicts }) => refusal(verdicts[0]?.vote))
      assert.ok(told.length > 0 && told.every((reason) => reason === 'outranked'), told.join())
      assert.ok(witness.told().includes('contested'))
      witness.written()
      assert.deepEqual((winner === 'lb01' ? lb01 : lb02).lateVote(), { kind: 'granted', epoch: 2 })
      return winner
    }

    it('go to the node that reaches its gateway', () => {
      assert.equal(contest({ gateway: 'unreachable', priority: 200 }, { priority: 50 }, 'lb01'), 'lb02')
      assert.equal(contest({}, { gateway: 'unreachable', priority: 200 }, 'lb02'), 'lb01')
    })

    it('else go to the last holder', () =>
      assert.equal(contest({ priority: 200 }, { priority: 50 }, 'lb02'), 'lb02'))

    it('else go to the higher priority', () => {
      assert.equal(contest({ priority: 50 }, { priority: 200 }), 'lb02')
      assert.equal(contest({ priority: 200 }, { priority: 50 }), 'lb01')
    })

    it('else go by name', () => assert.equal(contest({}, {}), 'lb01'))

    it('are not awaited by the last holder that asks under its recorded epoch', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(1)
      witness.pass(reserveMs, lb01)
      lb01.close()
      witness.pass(reserveMs)
      const again = witness.agent('lb01')
      again.seq = lb01.seq
      lb02.beat()
      assert.equal(refusal(again.beat({ ...holding(1), ...peerUnheard })), 'granted')
    })

    it('give way to the holder that comes back within the moment', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(1)
      witness.pass(renewMs)
      witness.pass(reserveMs, lb02)
      lb01.beat()
      lb02.beat(cut(2))
      assert.equal(witness.state().voter.pledge.phase, 'free')
      assert.equal(refusal(lb01.beat({ ...holding(1), ...peerUnheard })), 'granted')
      witness.pass(claimMs / 2)
      assert.equal(refusal(lb02.lateVote()), 'promised')
    })

    it('shows the moment as contested', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.beat(cut(1))
      assert.equal(witness.situation().situation, 'contested')
      assert.match(witness.situation().text, /lb01.*rival/)
    })
  })

  describe('two live agents with one id', () => {
    const clone = { incarnation: 'lb01-clone-1', bootId: 'another-boot-1' }

    it('raise an alarm, and neither is promoted', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      const second = witness.agent('lb01', clone, '10.0.0.66')
      const [alarm] = witness.occurred().filter(({ event }) => event === 'id-conflict')
      assert.equal(alarm?.level, 'critical')
      assert.match(alarm.text, /lb01.*10\.0\.0\.66/)
      assert.equal(refusal(lb01.beat(claiming(1))), 'conflict')
      assert.equal(refusal(second.beat(claiming(1))), 'conflict')
      assert.equal(witness.state().voter.pledge.phase, 'free')
      assert.equal(witness.situation().situation, 'id-conflict')
    })

    it('do not take the lease from the first, which renews', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.win(1)
      const second = witness.agent('lb01', clone)
      assert.equal(refusal(lb01.beat(holding(1))), 'granted')
      assert.equal(refusal(second.beat(holding(1))), 'conflict')
    })

    it('change nothing by what the second says', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(1)
      const second = witness.agent('lb01', clone)
      second.beat({ ...released, epoch: 77, witnessEpoch: 88 })
      assert.equal(refusal(lb02.beat(claiming(2))), 'promised')
      assert.equal(witness.state().voter.epoch, 1)
    })

    it('do not give the first one’s vote back when the second takes its place', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(1)
      const second = witness.agent('lb01', clone)
      second.beat(released)
      // The first is cut off; it counts its lease for another leaseMs, and has its own vote.
      lb01.close()
      witness.pass(100)
      second.beat(released)
      witness.pass(leaseMs - 200, second, lb02)
      assert.equal(refusal(lb02.beat({ ...claiming(2), ...peerUnheard })), 'promised')
    })

    it('do not give the first one’s vote to the second while the first counts it as its own', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.win(1)
      const second = witness.agent('lb01', clone)
      second.beat()
      lb01.close()
      witness.pass(100)
      const vote = second.beat(claiming(2))
      assert.equal(vote?.kind, 'refused', JSON.stringify(vote))
    })

    it('do not give the first one’s vote back when the witness restarts and hears the second before the first', () => {
      const old = Witness.settled()
      const [holder] = old.agents()
      holder.win(1)
      const witness = old.restarted({ marks: true })
      const lb02 = witness.agent('lb02')
      witness.agent('lb01', clone).beat(released)
      assert.equal(refusal(lb02.beat({ ...claiming(2), ...peerUnheard })), 'waiting')
    })

    it('do not give back by the second what the check of the first was promised', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(1)
      lb01.close()
      witness.pass(1000, lb02)
      assert.equal(witness.check('lb01')?.permit, true)
      witness.pass(1000, lb02)
      assert.equal(witness.check('lb01')?.permit, true)
      witness.agent('lb01', clone).beat(released)
      assert.equal(refusal(lb02.beat({ ...claiming(2), ...peerUnheard })), 'promised')
    })

    it('are one again when one of them is gone', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      const second = witness.agent('lb01', clone)
      second.beat()
      second.close()
      assert.equal(refusal(lb01.beat(claiming(1))), 'pending')
      assert.notEqual(witness.situation().situation, 'id-conflict')
    })

    it('are not seen in an agent that starts anew after its old connection closed', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.close()
      const next = witness.agent('lb01', { incarnation: 'lb01-start-2' })
      assert.ok(!witness.told().includes('id-conflict'))
      assert.equal(refusal(next.beat(claiming(1))), 'pending')
    })

    it('are not seen in an agent that starts anew when the old one fell silent', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      witness.pass(silentAfterMs)
      witness.agent('lb01', { incarnation: 'lb01-start-2' })
      assert.ok(!witness.told().includes('id-conflict'))
      assert.ok(
        witness.effects.some((effect) => effect.type === 'close' && effect.connection === lb01.connection),
      )
    })

    it('do not get a yes by their check', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      witness.agent('lb01', clone).beat()
      lb01.beat()
      assert.equal(witness.check('lb01')?.permit, false)
    })
  })

  describe('messages that change nothing', () => {
    const unchanged = (witness: Witness, reason: string, send: () => void): void => {
      const { nodes, instances, refusedMessages } = witness.arbiter
      const before = refusedMessages[reason] ?? 0
      send()
      assert.equal(witness.arbiter.refusedMessages[reason], before + 1)
      assert.deepEqual(witness.arbiter.nodes, nodes)
      assert.deepEqual(witness.arbiter.instances, instances)
      assert.deepEqual(
        typesOf(witness.effects).filter((type) => type !== 'close'),
        [],
      )
    }

    it('a hello of a foreign cluster: closed with the reason', () => {
      const witness = Witness.settled()
      witness.agents()
      unchanged(witness, 'foreign-cluster', () => witness.agent('lb01', { cluster: 'mail' }))
      const [close] = witness.effects
      assert.ok(close?.type === 'close')
      assert.match(close.reason, /web/)
    })

    it('a hello of an unknown node: closed with the names that are known', () => {
      const witness = Witness.settled()
      witness.agents()
      unchanged(witness, 'unknown-node', () => witness.agent('lb03'))
      const [close] = witness.effects
      assert.ok(close?.type === 'close')
      assert.match(close.reason, /lb03.*lb01, lb02/)
    })

    it('a beat before any hello', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      const beat = {
        type: 'beat' as const,
        seq: 99,
        echoMs: null,
        leaseMs,
        reports: [{ ...standby, ...claiming(1) }],
      }
      unchanged(witness, 'not-greeted', () =>
        witness.feed({ type: 'beat', atMs: witness.atMs, connection: 999, beat }),
      )
      assert.equal(lb01.seq, 1)
    })

    it('a tell before any hello', () => {
      const witness = Witness.settled()
      witness.agents()
      unchanged(witness, 'not-greeted', () =>
        witness.feed({
          type: 'tell',
          atMs: witness.atMs,
          connection: 999,
          tell: { type: 'tell', instance, event: 'fenced', level: 'info', text: 'x' },
        }),
      )
    })

    it('a beat that is replayed or out of order', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.beat()
      for (const seq of [1, 2])
        unchanged(witness, 'stale-beat', () => lb01.say([{ ...standby, ...claiming(1) }], seq))
    })

    it('a beat that is replayed on a new connection of the same start', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.beat()
      lb01.close()
      const again = witness.agent('lb01')
      unchanged(witness, 'stale-beat', () => again.say([{ ...standby, ...released }], 2))
    })

    it('a beat of an older start', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      witness.pass(silentAfterMs)
      witness.agent('lb01', { incarnation: 'lb01-start-2' }).beat()
      unchanged(witness, 'not-greeted', () => lb01.beat(released))
    })

    it('the close of a connection that speaks for nobody', () => {
      const witness = Witness.settled()
      witness.agents()
      const { nodes } = witness.arbiter
      witness.feed({ type: 'closed', atMs: witness.atMs, connection: 999 })
      assert.deepEqual(witness.arbiter.nodes, nodes)
    })

    it('an epoch that nobody can have reached: the vote goes on, it is counted, and told once', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(3)
      const told = []
      for (const pushed of [{ epoch: mostEpoch }, { epoch: mostEpoch }, { ask: { epoch: mostEpoch } }]) {
        lb02.beat(pushed)
        told.push(...witness.occurred().filter(({ event }) => event === 'epoch-too-high'))
        assert.deepEqual(lb01.beat(holding(3)), { kind: 'granted', epoch: 3 })
      }
      assert.equal(witness.arbiter.refusedMessages['epoch-too-high'], 3)
      assert.deepEqual(
        told.map(({ level, node }) => [level, node]),
        [['critical', 'lb02']],
      )
      assert.ok(witness.state().voter.epoch < 40_000)
      lb01.beat({ release: true })
      lb01.beat(claiming(witness.state().voter.epoch + 1))
      witness.written()
      assert.equal(witness.state().voter.pledge.phase, 'promised')
    })

    it('more instances than a cluster may have: the others are answered', () => {
      const witness = Witness.settled()
      const reports = Array.from({ length: maxInstances }, (_, i) => ({ ...standby, instance: `VI_${i}` }))
      const lb01 = witness.agent('lb01')
      assert.equal(lb01.say(reports).length, maxInstances)
      const verdicts = witness.agent('lb02').say([
        { ...standby, instance: 'VI_more' },
        { ...standby, instance: 'VI_0' },
      ])
      assert.deepEqual(
        verdicts.map((verdict) => verdict.instance),
        ['VI_0'],
      )
      assert.equal(witness.arbiter.refusedMessages['too-many-instances'], 1)
      assert.equal(witness.arbiter.instances.size, maxInstances)
      assert.equal(witness.check('lb02', 'VI_more')?.permit, false)
      assert.equal(witness.arbiter.instances.size, maxInstances)
    })

    it('names that are gone: the new ones get their votes, and a limit is told', () => {
      const witness = Witness.settled()
      const lb01 = witness.agent('lb01')
      const named = (what: string) =>
        Array.from({ length: maxInstances }, (_, i) => ({ ...standby, instance: `${what}_${i}` }))
      for (const what of ['A', 'B', 'C', 'D', 'E', 'F', 'G']) {
        // Nobody can hold the old ones any more, and nobody reports them.
        witness.pass(reserveMs, lb01)
        assert.equal(lb01.say(named(what)).length, maxInstances, what)
      }
      witness.pass(reserveMs, lb01)
      const answered = lb01.say(named('H')).length
      assert.ok(answered < maxInstances, 'what a witness remembers has an end')
      const [told, ...more] = witness.occurred().filter(({ event }) => event === 'too-many-instances')
      assert.deepEqual([told?.level, more.length], ['critical', 0])
      assert.match(told?.text ?? '', /H_\d+ of lb01 gets no vote of the witness: .* has had 512 instances/)
    })

    it('an ICMP answer of an unknown node', () => {
      const witness = Witness.settled()
      const { nodes } = witness.arbiter
      witness.echo('lb03', 1)
      assert.deepEqual(witness.arbiter.nodes, nodes)
    })
  })

  describe('the check of a node', () => {
    it('renews the vote of the holder whose agent died, with the promise behind it and without a write', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(1)
      lb01.close()
      for (let second = 0; second < 5; second++) {
        witness.pass(1000, lb02)
        assert.equal(witness.check('lb01')?.permit, true)
        const types = typesOf(witness.effects)
        assert.ok(types.includes('mark') && types.indexOf('mark') < types.indexOf('answer-check'))
        assert.ok(!types.includes('record'))
      }
      witness.pass(reserveMs - 1, lb02)
      assert.equal(refusal(lb02.beat(claiming(2))), 'promised')
    })

    describe('of another boot than the agent of the holder had', () => {
      const [ofThatBoot, ofNextBoot] = ['lb01-boot-1', 'lb01-boot-2']
      /** lb01 won and is gone with its host. */
      const gone = (): { witness: Witness; lb02: ReturnType<Witness['agents']>[1] } => {
        const witness = Witness.settled()
        const [lb01, lb02] = witness.agents()
        lb01.win(1)
        lb01.close()
        return { witness, lb02 }
      }

      it('does not renew the promise, which runs out for the other node', () => {
        const { witness, lb02 } = gone()
        const { pledge } = witness.state().voter
        witness.pass(reserveMs - 1, lb02)
        assert.equal(witness.check('lb01', instance, ofNextBoot)?.permit, false)
        assert.match(witness.checkAnswer()?.text ?? '', /lb01 has rebooted/)
        assert.deepEqual(witness.state().voter.pledge, pledge)
        witness.pass(1, lb02)
        assert.equal(refusal(lb02.beat(claiming(2))), 'pending')
      })

      it('is served as before where the boot is the same, or is not said', () => {
        for (const bootId of [ofThatBoot, null]) {
          const { witness, lb02 } = gone()
          witness.pass(reserveMs - 1, lb02)
          assert.equal(witness.check('lb01', instance, bootId)?.permit, true, String(bootId))
          witness.pass(1, lb02)
          assert.equal(refusal(lb02.beat(claiming(2))), 'promised')
        }
      })

      it('is served also where it says its boot at one time and not at another', () => {
        const { witness } = gone()
        for (const bootId of [ofThatBoot, null, ofThatBoot])
          assert.equal(witness.check('lb01', instance, bootId)?.permit, true, String(bootId))
      })

      it('asks like any other once the promise has run out', () => {
        const { witness, lb02 } = gone()
        witness.pass(reserveMs, lb02)
        assert.match(witness.check('lb01', instance, ofNextBoot)?.text ?? '', /lb02.*can take the VIP/)
        lb02.beat({ phase: 'barred' })
        assert.equal(witness.check('lb01', instance, ofNextBoot)?.permit, true)
        assert.equal(refusal(lb02.beat(claiming(2))), 'promised')
        witness.pass(reserveMs - 1)
        assert.equal(
          witness.check('lb01', instance, ofNextBoot)?.permit,
          true,
          'it renews what it won itself',
        )
        assert.equal(witness.check('lb01', instance, 'lb01-boot-3')?.permit, false, 'and no other boot does')
      })

      it('is served where the witness has restarted since, and then no other boot is', () => {
        for (const [first, second] of [
          [ofNextBoot, ofThatBoot],
          [ofThatBoot, ofNextBoot],
        ] as const) {
          const witness = gone().witness.restarted({ marks: true })
          assert.equal(witness.check('lb01', instance, first)?.permit, true)
          assert.equal(witness.check('lb01', instance, second)?.permit, false)
        }
      })

      it('wins a vote that does not keep the agent of its own boot waiting', () => {
        const { witness, lb02 } = gone()
        witness.pass(reserveMs, lb02)
        lb02.beat({ phase: 'barred' })
        assert.equal(witness.check('lb01', instance, ofNextBoot)?.permit, true)
        const epoch = witness.state().voter.epoch
        const other = witness.agent('lb01', { bootId: 'lb01-boot-3', incarnation: 'lb01-start-3' })
        assert.equal(refusal(other.beat(claiming(epoch))), 'conflict')
        other.close()
        const agent = witness.agent('lb01', { bootId: ofNextBoot, incarnation: 'lb01-start-2' })
        assert.deepEqual(agent.beat(claiming(epoch)), { kind: 'granted', epoch })
      })
    })

    it('renews without a write although a rival was refused under a higher epoch', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(1)
      lb01.close()
      assert.equal(refusal(lb02.beat({ ...claiming(2), ...peerUnheard })), 'promised')
      assert.equal(witness.check('lb01')?.permit, true)
      assert.ok(!typesOf(witness.effects).includes('record'))
    })

    it('is refused to a standby without an agent while the other has the lease', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(1)
      lb02.close()
      assert.equal(witness.check('lb02')?.permit, false)
      assert.match(witness.checkAnswer()?.text ?? '', /lb01 holds/)
    })

    it('is refused to a node without an agent while the other, which has one, can take the VIP', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.close()
      assert.equal(witness.check('lb01')?.permit, false)
      assert.match(witness.checkAnswer()?.text ?? '', /lb02.*can take/)
    })

    it('is refused while the own agent lives: its permit is what counts', () => {
      const witness = Witness.settled()
      const [, lb02] = witness.agents()
      lb02.close()
      assert.equal(witness.check('lb01')?.permit, false)
      assert.match(witness.checkAnswer()?.text ?? '', /agent of lb01 is running/)
    })

    it('gets a yes when the other node cannot take the VIP, and only once the vote is on disk', () => {
      for (const elsewhere of [
        { phase: 'barred' },
        { keepalived: 'FAULT' },
        { process: 'absent' },
      ] as const) {
        const witness = Witness.settled()
        const [lb01, lb02] = witness.agents()
        lb01.close()
        lb02.beat(elsewhere)
        assert.equal(witness.check('lb01'), undefined, 'answered before the disk')
        assert.ok(typesOf(witness.effects).includes('record'))
        const types = typesOf(witness.written())
        assert.equal(witness.checkAnswer()?.permit, true)
        assert.ok(types.indexOf('mark') < types.indexOf('answer-check'))
        assert.equal(refusal(lb02.beat(claiming(9))), 'promised')
      }
    })

    it('gets a yes when the other is gone', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb02.win(1)
      lb01.close()
      lb02.close()
      witness.pass(reserveMs - 1)
      assert.equal(witness.check('lb01')?.permit, false)
      witness.pass(1)
      assert.equal(witness.check('lb01'), undefined)
      witness.written()
      assert.equal(witness.checkAnswer()?.permit, true)
    })

    it('gets a yes on one node only when both agents are dead', () => {
      const witness = Witness.settled()
      assert.equal(witness.check('lb01'), undefined)
      assert.equal(witness.check('lb02')?.permit, false)
      witness.written()
      for (let second = 0; second < 5; second++) {
        assert.equal(witness.check('lb01')?.permit, true)
        assert.equal(witness.check('lb02')?.permit, false)
        witness.pass(1000)
      }
    })

    it('joins the check of the same node that waits for the disk', () => {
      const witness = Witness.settled()
      witness.check('lb01')
      assert.equal(witness.check('lb01'), undefined, JSON.stringify(witness.checkAnswer()))
      const answered = witness
        .written()
        .flatMap((effect) => (effect.type === 'answer-check' ? [effect.permit] : []))
      assert.deepEqual(answered, [true, true])
    })

    it('is refused to a node that the cluster does not know', () =>
      assert.equal(Witness.settled().check('lb03')?.permit, false))

    it('keeps its yes when a release arrives that left before it was asked', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb02.beat({ phase: 'barred' })
      const { echoMs } = lb01
      witness.pass(silentAfterMs, lb02)
      // The agent's newest beat, which says that the VIP is gone, is still on its way.
      assert.equal(witness.check('lb01'), undefined)
      witness.written()
      assert.equal(witness.checkAnswer()?.permit, true)
      witness.pass(1, lb02)
      lb01.echoMs = echoMs
      lb01.beat(released)
      assert.equal(refusal(lb02.beat({ ...claiming(9), ...peerUnheard })), 'promised')
    })

    it('is refused after a restart to all but the recorded holder', () => {
      const old = Witness.settled()
      const [holder] = old.agents()
      holder.win(1)
      const witness = old.restarted({ marks: false })
      assert.equal(witness.check('lb02')?.permit, false)
      assert.equal(witness.check('lb01')?.permit, true)
    })
  })

  describe('a boot clock that jumped ahead, or a host that slept', () => {
    const sleptMs = 10_000
    /** lb01 renewed its lease 300 ms before. */
    const woken = (jumpedMs: number): { witness: Witness; lb02: ReturnType<Witness['agents']>[1] } => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(1)
      witness.pass(300)
      witness.atMs += sleptMs
      witness.feed({ type: 'resumed', atMs: witness.atMs, gapMs: sleptMs, jumpedMs })
      return { witness, lb02 }
    }

    it('ends no promise: it is kept for as long as if no time had passed', () => {
      const { witness, lb02 } = woken(sleptMs)
      witness.pass(reserveMs - 301)
      assert.equal(refusal(lb02.beat(claiming(2))), 'promised')
      witness.pass(1)
      assert.equal(refusal(lb02.beat(claiming(2))), 'pending')
    })

    it('is marked first, so that a restart keeps the promise too', () => {
      const { witness } = woken(sleptMs)
      assert.deepEqual(witness.effects[0], {
        type: 'mark',
        instance,
        mark: { epoch: 1, untilMs: witness.atMs + reserveMs - 300 },
      })
      witness.ledger.set(instance, { to: 'lb01', epoch: 1 })
      const next = witness.restarted({ marks: true })
      const [, rival] = next.agents()
      assert.equal(refusal(rival.beat(claiming(2))), 'waiting')
    })

    it('prolongs the wait after a restart likewise', () => {
      const witness = new Witness()
      const [lb01] = witness.agents()
      witness.pass(300)
      witness.atMs += sleptMs
      witness.feed({ type: 'resumed', atMs: witness.atMs, gapMs: sleptMs, jumpedMs: sleptMs })
      witness.pass(reserveMs - 301)
      assert.equal(refusal(lb01.beat(claiming(1))), 'waiting')
      witness.pass(1)
      assert.equal(refusal(lb01.beat(claiming(1))), 'pending')
    })

    it('is another thing than a standstill of the process, in which promises run out', () => {
      const { witness, lb02 } = woken(0)
      assert.deepEqual(
        witness.effects.filter(({ type }) => type === 'mark'),
        [],
      )
      assert.equal(refusal(lb02.beat(claiming(2))), 'pending')
    })

    it('is told in its own words, with both numbers', () => {
      const [jump, standstill] = [woken(9990), woken(0)].map(({ witness }) => witness.occurred()[0])
      assert.deepEqual([jump?.event, jump?.evidence], ['paused', { gapMs: sleptMs, jumpedMs: 9990 }])
      assert.match(
        jump?.text ?? '',
        /^The boot clock of the witness jumped ahead by 9990 ms, or its host was suspended\./,
      )
      assert.match(
        standstill?.text ?? '',
        /^The witness did not run for 10000 ms\. The witness gives no orders until/,
      )
    })
  })

  describe('two nodes that show the VIP', () => {
    const dual = (): { witness: Witness; agents: ReturnType<Witness['agents']> } => {
      const witness = Witness.settled()
      const agents = witness.agents()
      agents[0].win(1)
      agents[1].beat({ ...claiming(2), ask: null })
      return { witness, agents }
    }

    /** The first heartbeat brings the answer that the second one has read. */
    const saysAgain = (...agents: readonly { again: () => void }[]): void => {
      for (const agent of [...agents, ...agents]) agent.again()
    }

    /** Both have said it again, and it is no handover any more. */
    const lasts = ({ witness, agents }: ReturnType<typeof dual>): void => {
      witness.pass(handoverMs)
      saysAgain(...agents)
    }

    it('the one without the lease is told to stop where it lasts, the other is not', () => {
      const { witness, agents } = dual()
      assert.deepEqual(agents[1].orders(), [], 'it may be a handover')
      lasts({ witness, agents })
      const [order] = agents[1].orders(witness.happened)
      assert.equal(order?.what, 'fence')
      assert.match(order.reason, /lb01 holds the lease/)
      assert.deepEqual(agents[0].orders(witness.happened), [])
    })

    it('nobody is told to stop by what was said before handoverMs were over', () => {
      const { witness, agents } = dual()
      witness.pass(handoverMs - 1)
      saysAgain(...agents)
      assert.deepEqual(agents[1].orders(witness.happened), [])
      witness.pass(1)
      assert.equal(agents[1].orders(witness.happened)[0]?.what, 'fence', 'both have said it again meanwhile')
    })

    it('nobody is told to stop on old news: both must have said so since it began', () => {
      for (const [first, second] of [
        [0, 1],
        [1, 0],
      ] as const) {
        const { witness, agents } = dual()
        witness.pass(handoverMs + renewMs)
        assert.deepEqual(agents[1].orders(witness.happened), [], 'nobody has spoken since')
        saysAgain(agents[first])
        assert.deepEqual(agents[1].orders(witness.happened), [], `only lb0${first + 1} has spoken since`)
        agents[second].again()
        assert.deepEqual(agents[1].orders(witness.happened), [], 'that may have been sent before')
        agents[second].again()
        assert.equal(agents[1].orders(witness.happened)[0]?.what, 'fence')
      }
    })

    it('a word of the very moment in which it began is not newer than that', () => {
      const { witness, agents } = dual()
      for (const agent of agents) agent.again()
      witness.pass(handoverMs + renewMs)
      assert.deepEqual(agents[1].orders(witness.happened), [])
    })

    it('nobody is told to stop who has let go meanwhile', () => {
      const { witness, agents } = dual()
      witness.pass(handoverMs)
      agents[0].again()
      agents[1].beat(released)
      assert.deepEqual(agents[1].orders(witness.happened), [])
    })

    it('nobody is told to stop while the holder lets go of it, however long the proof takes', () => {
      const { witness, agents } = dual()
      agents[0].beat({ ...holding(1), keepalived: 'MASTER', vips: 'held', lettingGo: true })
      lasts({ witness, agents })
      assert.deepEqual(agents[1].orders(witness.happened), [])
      agents[0].beat({ ...holding(1), keepalived: 'MASTER', vips: 'held' })
      assert.equal(agents[1].orders(witness.happened)[0]?.what, 'fence', 'it kept the VIP')
    })

    it('also where keepalived is not MASTER but its VIP is in the kernel', () => {
      const { witness, agents } = dual()
      agents[1].beat()
      witness.pass(renewMs, agents[0])
      agents[1].beat({ keepalived: 'STOP', process: 'absent', vips: 'held' })
      lasts({ witness, agents })
      assert.equal(agents[1].orders(witness.happened)[0]?.what, 'fence')
    })

    it('is told again with each heartbeat, not with each message', () => {
      const { witness, agents } = dual()
      lasts({ witness, agents })
      agents[1].again()
      agents[1].again()
      assert.equal(agents[1].orders(witness.happened).length, 1)
      witness.pass(renewMs, ...agents)
      assert.equal(agents[1].orders(witness.happened).length, 2)
    })

    it('after its proof the holder announces, once', () => {
      const { witness, agents } = dual()
      assert.ok(!agents[0].orders(witness.happened).some(({ what }) => what === 'announce'))
      agents[1].beat({ phase: 'fenced', keepalived: 'FAULT', vips: 'gone', release: true })
      assert.equal(agents[0].orders()[0]?.what, 'announce')
      witness.pass(2000, ...agents)
      assert.equal(agents[0].orders(witness.happened).length, 1)
    })

    it('where one of them only falls silent nothing is announced: nobody knows what it does', () => {
      const { witness, agents } = dual()
      agents[1].close()
      witness.pass(silentAfterMs, agents[0])
      assert.notEqual(witness.situation().situation, 'dual-master')
      assert.deepEqual(agents[0].orders(witness.happened), [])
    })

    it('nobody is told to stop while nobody has the lease', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.beat({ ...claiming(1), ask: null })
      lb02.beat({ ...claiming(1), ask: null })
      assert.deepEqual([...lb01.orders(witness.happened), ...lb02.orders(witness.happened)], [])
      assert.equal(witness.situation().situation, 'dual-master')
    })

    it('the holder’s own word counts while the witness’s vote waits after a restart', () => {
      const { witness: old } = dual()
      const witness = old.restarted({ marks: false })
      const [lb01, lb02] = witness.agents()
      lb01.beat({ ...holding(1), ask: null })
      lb02.beat({ ...claiming(2), ask: null })
      lasts({ witness, agents: [lb01, lb02] })
      assert.equal(lb02.orders(witness.happened)[0]?.what, 'fence')
    })

    it('is not concluded from what a silent agent said last', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb02.beat({ keepalived: 'MASTER', vips: 'held' })
      lb02.close()
      lb01.win(1)
      assert.deepEqual(lb02.orders(witness.happened), [])
      assert.notEqual(witness.situation().situation, 'dual-master')
    })

    it('after a pause of the witness nobody is told to stop before every report is newer', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.win(1)
      lb02.beat({ keepalived: 'BACKUP' })
      witness.atMs += 900
      witness.feed({ type: 'resumed', atMs: witness.atMs, gapMs: 900, jumpedMs: 0 })
      assert.equal(witness.occurred()[0]?.event, 'paused')
      // Queued before the pause: it echoes an answer from before.
      lb02.beat({ keepalived: 'MASTER', vips: 'held' })
      assert.deepEqual(lb02.orders(), [])
      witness.pass(1)
      lb02.again()
      assert.deepEqual(lb02.orders(), [], 'the holder’s report is still old')
      lb01.again()
      assert.deepEqual(lb02.orders(), [], 'the holder’s report echoes an answer from before the pause')
      witness.pass(handoverMs)
      lb02.again()
      lb01.again()
      assert.equal(lb02.orders()[0]?.what, 'fence')
    })
  })

  it('passes on what agents tell, under the node’s name', () => {
    const witness = Witness.settled()
    const [lb01] = witness.agents()
    witness.feed({
      type: 'tell',
      atMs: witness.atMs,
      connection: lb01.connection,
      tell: { type: 'tell', instance, event: 'fenced', level: 'warning', text: 'VIP gone after 3 ms' },
    })
    const [told] = witness.occurred()
    assert.deepEqual(
      { event: told?.event, node: told?.node, level: told?.level, text: told?.text },
      { event: 'agent.fenced', node: 'lb01', level: 'warning', text: 'VIP gone after 3 ms' },
    )
  })

  it('closes the older connection of the same start', () => {
    const witness = Witness.settled()
    const [lb01] = witness.agents()
    const again = witness.agent('lb01')
    assert.deepEqual(
      witness.effects.flatMap((effect) => (effect.type === 'close' ? [effect.connection] : [])),
      [lb01.connection],
    )
    again.seq = lb01.seq
    assert.equal(refusal(again.beat(claiming(1))), 'pending')
    lb01.close()
    assert.equal(refusal(again.beat(claiming(1))), 'pending')
  })

  it('wants a tick at least with each heartbeat, since silence shows at no other event', () => {
    const witness = new Witness()
    assert.equal(nextDeadlineMs(witness.arbiter), startedAtMs + renewMs)
  })

  it('keeps instances apart: one vote each', () => {
    const witness = Witness.settled()
    const [lb01, lb02] = witness.agents()
    const verdicts = lb01.say([
      { ...standby, ...claiming(1), instance: 'VI_1' },
      { ...standby, ...claiming(1), instance: 'VI_2' },
    ])
    assert.deepEqual(
      verdicts.map(({ vote }) => vote.kind),
      ['pending', 'pending'],
    )
    witness.written('VI_2')
    lb02.say([{ ...standby, ...claiming(2), instance: 'VI_2' }])
    assert.equal(refusal(lb02.lateVote()), 'promised')
    assert.equal(witness.state('VI_1').voter.pledge.phase, 'recording')
  })

  it('leaves the state that it was handed as it was', () => {
    const witness = Witness.settled()
    const [lb01] = witness.agents()
    lb01.win(1)
    const { arbiter, atMs } = witness
    const before = structuredClone({ nodes: arbiter.nodes, instances: arbiter.instances })
    const hello = helloOf('lb02', { incarnation: 'lb02-start-2' })
    arbitrate(arbiter, { type: 'hello', atMs, connection: 77, hello, remoteAddress: '::1' })
    arbitrate(arbiter, { type: 'check', atMs, check: 1, node: 'lb01', instance: 'VI_9', bootId: null })
    arbitrate(arbiter, { type: 'tick', atMs: atMs + 60_000 })
    assert.deepEqual({ nodes: arbiter.nodes, instances: arbiter.instances }, before)
  })
})
