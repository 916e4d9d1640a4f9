import assert from 'node:assert/strict'
import fc from 'fast-check'
import { clockJumpMs } from '../../../../../shared/core/clock-jump.ts'
import { defaultTiming, reserveNeededMs, type Timing } from '../../../../../shared/core/timing.ts'
import { askVote, ballotLost, ballotRecorded, releaseVote } from '../../../../../shared/core/vote/ask.ts'
import {
  disownPromise,
  distrustLedger,
  keepOverJump,
  recoverVoter,
} from '../../../../../shared/core/vote/recovery.ts'
import {
  type Ballot,
  type Mark,
  type RecoveredBallot,
  type VoteDecision,
  type VoteEffect,
  type VoteResult,
  type Voter,
  epochStep,
  expireVote,
  isFarAhead,
  learnEpoch,
  leftWith,
  promisedTo,
  replyOf,
} from '../../../../../shared/core/vote/voter.ts'
import { leaveVote, recallStanding, takeVoteBack } from '../../../../../shared/core/vote/standing.ts'
import { storiesFrom } from '../../../../fixtures/effort.ts'
import { mostEpoch } from '../../../../../shared/protocol/names.ts'

const timing = defaultTiming
const { reserveMs, leaseMs } = timing
const free: Voter = { pledge: { phase: 'free' }, record: null, lost: null, spentEpoch: 0, epoch: 0 }

const ask = (voter: Voter, from: string, epoch: number, atMs: number): VoteResult =>
  askVote(voter, { from, epoch, leaseMs, atMs }, timing)
const reasonOf = (decision: VoteDecision): string =>
  decision.kind === 'refused' ? decision.reason : decision.kind
const recorded = (voter: Voter, ballot: Ballot, atMs: number): VoteResult => {
  const result = ballotRecorded(voter, ballot, { atMs, timing })
  assert.ok(result !== null)
  return result
}
/** The voter after `to` asked and the disk answered, both at `atMs`. */
const promised = (to: string, epoch: number, atMs: number, voter = free): Voter =>
  recorded(ask(voter, to, epoch, atMs).voter, { to, epoch }, atMs).voter
const valid = (ballot: Ballot | null, mark: Mark | null = null): RecoveredBallot => ({
  kind: 'valid',
  ballot,
  mark,
})

describe('vote', () => {
  describe('an epoch that somebody pushes', () => {
    it('moves what this voter knows by little, whatever one message says', () => {
      for (const said of [epochStep + 1, 2 ** 40, mostEpoch]) {
        assert.equal(learnEpoch(free, said).epoch, epochStep)
        assert.equal(isFarAhead(free, said), true)
      }
      assert.equal(isFarAhead(free, epochStep), false)
      assert.equal(learnEpoch(free, epochStep).epoch, epochStep)
    })

    it('is not spent: a free vote writes no ballot for it, and is won under the next epoch', () => {
      const { voter, effects, decision } = ask(free, 'a', mostEpoch, 0)
      assert.deepEqual([effects, reasonOf(decision)], [[], 'stale-epoch'])
      assert.equal(voter.spentEpoch, 0)
      assert.equal(reasonOf(ask(voter, 'b', voter.epoch + 1, 0).decision), 'pending')
    })

    it('is met in a few steps if it is true, because this voter lost its own', () => {
      let voter = free
      let asked = 0
      for (; asked < 10; asked += 1) {
        const result = ask(voter, 'a', 50_000, 0)
        voter = result.voter
        if (result.decision.kind === 'pending') break
      }
      assert.equal(asked, 4)
    })

    it('moves by little, too, where it is that of a lost ledger or of a vote that was left', () => {
      const at = { seenEpoch: mostEpoch, atMs: 0, reserveMs }
      assert.equal(distrustLedger(free, at).voter.epoch, epochStep + 1000)
      assert.equal(recallStanding(free, { to: 'a', epoch: mostEpoch, atMs: 0 }).epoch, epochStep)
    })

    it('is used up by nobody: a hundred messages a second for a year', () => {
      assert.ok(epochStep * 100 * 365 * 86_400 < mostEpoch / 4)
      assert.ok(mostEpoch * 16 < Number.MAX_SAFE_INTEGER)
    })
  })

  describe('a free vote', () => {
    it('is promised only once the ballot is on disk', () => {
      const asked = ask(free, 'a', 1, 1000)
      assert.deepEqual(asked.effects, [{ type: 'record', ballot: { to: 'a', epoch: 1 } }])
      assert.deepEqual(asked.decision, { kind: 'pending', epoch: 1 })
      assert.equal(promisedTo(asked.voter, 1000), null)
      const after = recorded(asked.voter, { to: 'a', epoch: 1 }, 1020)
      assert.deepEqual(after.effects, [{ type: 'mark', mark: { epoch: 1, untilMs: 1020 + reserveMs } }])
      assert.deepEqual(after.decision, { kind: 'granted', epoch: 1 })
      assert.deepEqual(promisedTo(after.voter, 1020), { node: 'a', epoch: 1, renewedAtMs: 1020 })
    })

    it('is refused below an epoch that it has heard of, and given above it', () => {
      const voter = learnEpoch(free, 7)
      assert.equal(reasonOf(ask(voter, 'a', 6, 0).decision), 'stale-epoch')
      assert.equal(reasonOf(ask(voter, 'a', 8, 0).decision), 'pending')
      assert.equal(learnEpoch(voter, 3).epoch, 7)
    })

    it('is refused to a candidate that would count it for longer than the promise lasts', () => {
      const longest = { from: 'a', epoch: 1, atMs: 0, leaseMs: 1841 }
      assert.ok(reserveNeededMs(longest.leaseMs, timing.driftPpm) <= reserveMs)
      assert.equal(reasonOf(askVote(free, longest, timing).decision), 'pending')
      const tooLong = askVote(free, { ...longest, leaseMs: 1850 }, timing)
      assert.equal(reasonOf(tooLong.decision), 'lease-too-long')
      assert.deepEqual(tooLong.effects, [])
    })

    it('goes back to whom the record names, under the recorded epoch, without a write', () => {
      const expired = expireVote(promised('a', 1, 0), reserveMs)
      const again = ask(expired, 'a', 1, 5000)
      assert.deepEqual(
        again.effects.map(({ type }) => type),
        ['mark'],
      )
      assert.equal(again.decision.kind, 'granted')
    })
  })

  describe('while the ballot is on its way to the disk', () => {
    const recording = ask(free, 'a', 1, 0).voter

    it('is refused to everybody else', () => {
      assert.equal(reasonOf(ask(recording, 'b', 2, 1).decision), 'recording')
      assert.equal(reasonOf(ask(recording, 'a', 2, 1).decision), 'recording')
    })

    it('tells the same candidate again that it is pending, and writes only once', () => {
      const again = ask(recording, 'a', 1, 5)
      assert.equal(again.decision.kind, 'pending')
      assert.deepEqual(again.effects, [])
    })

    it('does not run out however slow the disk is', () =>
      assert.equal(expireVote(recording, 60_000).pledge.phase, 'recording'))

    it('takes no notice of a ballot that it does not record', () => {
      assert.equal(ballotRecorded(recording, { to: 'b', epoch: 1 }, { atMs: 1, timing }), null)
      assert.equal(ballotRecorded(recording, { to: 'a', epoch: 2 }, { atMs: 1, timing }), null)
      assert.equal(ballotRecorded(free, { to: 'a', epoch: 1 }, { atMs: 1, timing }), null)
      assert.equal(ballotLost(recording, { to: 'b', epoch: 1 }), recording)
    })

    it('counts the promise from when the disk answered', () =>
      assert.notEqual(
        promisedTo(recorded(recording, { to: 'a', epoch: 1 }, 900).voter, 899 + reserveMs),
        null,
      ))
  })

  describe('a promised vote', () => {
    const voter = promised('a', 1, 0)

    it('refuses the peer until the old holder must have dropped the VIP', () => {
      assert.equal(reasonOf(ask(voter, 'b', 2, reserveMs - 1).decision), 'promised')
      assert.equal(reasonOf(ask(voter, 'b', 2, reserveMs).decision), 'pending')
    })

    it('is renewed without a write, with the mark before the answer', () => {
      const renewal = ask(voter, 'a', 1, 400)
      assert.deepEqual(renewal.effects, [{ type: 'mark', mark: { epoch: 1, untilMs: 400 + reserveMs } }])
      assert.equal(renewal.decision.kind, 'granted')
      assert.equal(reasonOf(ask(renewal.voter, 'b', 2, reserveMs).decision), 'promised')
    })

    it('is renewed under its own epoch although a higher one was heard of', () => {
      const renewal = ask(learnEpoch(voter, 9), 'a', 1, 400)
      assert.deepEqual(renewal.decision, { kind: 'granted', epoch: 1 })
    })

    it('moves to a higher epoch of the same holder only through the disk', () => {
      const raised = ask(voter, 'a', 2, 400)
      assert.deepEqual(raised.effects, [{ type: 'record', ballot: { to: 'a', epoch: 2 } }])
      assert.equal(reasonOf(ask(raised.voter, 'b', 3, 500).decision), 'recording')
    })

    it('outlives a failed write of its own next epoch', () => {
      const raised = ask(voter, 'a', 2, 400).voter
      const lost = ballotLost(raised, { to: 'a', epoch: 2 })
      assert.equal(reasonOf(ask(lost, 'b', 3, reserveMs - 1).decision), 'waiting')
      assert.equal(reasonOf(ask(lost, 'b', 3, reserveMs).decision), 'pending')
    })

    it('is given back by its holder only', () => {
      assert.equal(releaseVote(voter, 'b').voter, voter)
      const released = releaseVote(voter, 'a')
      assert.deepEqual(released.effects, [{ type: 'mark', mark: { epoch: 1, untilMs: 0 } }])
      assert.equal(reasonOf(ask(released.voter, 'b', 2, 1).decision), 'pending')
    })
  })

  describe('over a jump of the boot clock', () => {
    const jump = (voter: Voter, atMs: number, jumpedMs: number): ReturnType<typeof keepOverJump> =>
      keepOverJump(voter, { atMs, jumpedMs, reserveMs })

    it('a promise is kept for as long as if no time had passed, and marked so', () => {
      // 400 ms after the promise the host sleeps for 10 s.
      const { voter, effects } = jump(promised('a', 1, 0), 10_400, 10_000)
      assert.deepEqual(effects, [{ type: 'mark', mark: { epoch: 1, untilMs: reserveMs + 10_000 } }])
      assert.equal(reasonOf(ask(voter, 'b', 2, reserveMs + 9999).decision), 'promised')
      assert.equal(reasonOf(ask(voter, 'b', 2, reserveMs + 10_000).decision), 'pending')
    })

    it('it is renewed by its holder as before, and given back by it', () => {
      const { voter } = jump(promised('a', 1, 0), 10_400, 10_000)
      assert.deepEqual(ask(voter, 'a', 1, 10_401).decision, { kind: 'granted', epoch: 1 })
      assert.deepEqual(releaseVote(voter, 'a').voter.pledge, { phase: 'free' })
    })

    it('it is kept for reserveMs from now at most, whatever the clocks say', () => {
      const { voter } = jump(promised('a', 1, 0), 10_400, 3_600_000)
      assert.equal(reasonOf(ask(voter, 'b', 2, 10_399 + reserveMs).decision), 'promised')
      assert.equal(reasonOf(ask(voter, 'b', 2, 10_400 + reserveMs).decision), 'pending')
    })

    it('one that had ended before the jump stays ended', () => {
      const { voter } = jump(promised('a', 1, 0), 15_000, 10_000)
      assert.equal(reasonOf(ask(voter, 'b', 2, 15_000).decision), 'pending')
    })

    it('a wait after a restart is prolonged likewise', () => {
      const waiting = recoverVoter(valid({ to: 'a', epoch: 4 }), { atMs: 0, reserveMs })
      const { voter } = jump(waiting, 10_400, 10_000)
      assert.equal(reasonOf(ask(voter, 'b', 5, reserveMs + 9999).decision), 'waiting')
      assert.deepEqual(ask(voter, 'a', 4, 10_401).decision, { kind: 'granted', epoch: 4 })
      assert.equal(reasonOf(ask(voter, 'b', 5, reserveMs + 10_000).decision), 'pending')
    })

    it('a wait is marked so too: another restart would end it by the old mark', () => {
      const found = valid({ to: 'a', epoch: 4 }, { epoch: 4, untilMs: 1500 })
      const { effects } = jump(recoverVoter(found, { atMs: 0, reserveMs }), 10_400, 10_000)
      assert.deepEqual(effects, [{ type: 'mark', mark: { epoch: 4, untilMs: 11_500 } }])
    })

    describe('while a ballot of the same node is on its way to the disk', () => {
      // Under epoch 1 it may use the vote until reserveMs; 100 ms later it asks under epoch 2, and the clock jumps.
      const raised = jump(ask(promised('a', 1, 0), 'a', 2, 100).voter, 10_100, 10_000)

      it('what it had before is kept as long, where the disk fails', () => {
        const voter = ballotLost(raised.voter, { to: 'a', epoch: 2 })
        assert.equal(reasonOf(ask(voter, 'b', 3, reserveMs + 9999).decision), 'waiting')
        assert.equal(reasonOf(ask(voter, 'b', 3, reserveMs + 10_000).decision), 'pending')
      })

      it('and where this process ends before the disk answers', () => {
        const [effect] = raised.effects
        assert.ok(effect?.type === 'mark')
        const at = { atMs: 10_200, reserveMs }
        const notLanded = recoverVoter(valid({ to: 'a', epoch: 1 }, effect.mark), at)
        assert.equal(reasonOf(ask(notLanded, 'b', 3, reserveMs + 9999).decision), 'waiting')
        const landed = recoverVoter(valid({ to: 'a', epoch: 2 }, effect.mark), at)
        assert.equal(reasonOf(ask(landed, 'b', 3, reserveMs + 9999).decision), 'waiting')
      })

      it('and where it ends after the disk has failed', () => {
        const failed = jump(
          ballotLost(ask(promised('a', 1, 0), 'a', 2, 100).voter, { to: 'a', epoch: 2 }),
          10_100,
          10_000,
        )
        const [effect] = failed.effects
        assert.ok(effect?.type === 'mark')
        for (const epoch of [1, 2]) {
          const next = recoverVoter(valid({ to: 'a', epoch }, effect.mark), { atMs: 10_200, reserveMs })
          assert.equal(
            reasonOf(ask(next, 'b', 3, reserveMs + 9999).decision),
            'waiting',
            `epoch ${epoch} on disk`,
          )
        }
      })
    })

    it('a ledger that is not trusted is not trusted after another restart either', () => {
      const distrusted = distrustLedger(promised('a', 4, 0), { seenEpoch: 9, atMs: 100, reserveMs })
      const [effect] = jump(distrusted.voter, 10_100, 10_000).effects
      assert.ok(effect?.type === 'mark')
      const next = recoverVoter(valid({ to: 'a', epoch: 4 }, effect.mark), { atMs: 10_200, reserveMs })
      assert.equal(reasonOf(ask(next, 'a', 4, 10_201).decision), 'waiting')
    })

    it('a promise that was given under a longer timing does not end sooner by a jump', () => {
      const until = 60_000
      const waiting = recoverVoter(valid({ to: 'a', epoch: 4 }, { epoch: 4, untilMs: until }), {
        atMs: 1000,
        reserveMs,
      })
      const { voter } = jump(waiting, 1060, 60)
      assert.equal(reasonOf(ask(voter, 'b', 5, until - 1).decision), 'waiting')
      assert.equal(reasonOf(ask(voter, 'b', 5, until).decision), 'pending')
    })

    it('a free vote stays free', () =>
      assert.deepEqual(jump(free, 10_000, 10_000), { voter: free, effects: [] }))

    it('where the clocks went together nothing is kept longer, and nothing is marked', () => {
      const voter = promised('a', 1, 0)
      for (const jumpedMs of [0, -500]) assert.deepEqual(jump(voter, 400, jumpedMs), { voter, effects: [] })
    })

    it('no promise ends sooner by a jump, and its epoch stays (property)', () => {
      const ms = fc.integer({ min: 0, max: 20_000 })
      fc.assert(
        fc.property(ms, ms, fc.boolean(), (sinceMs, jumpedMs, waits) => {
          const before = waits
            ? recoverVoter(valid({ to: 'a', epoch: 4 }), { atMs: 0, reserveMs })
            : promised('a', 4, 0)
          assert.ok(before.pledge.phase === 'promised' || before.pledge.phase === 'waiting')
          const { voter, effects } = jump(before, sinceMs + jumpedMs, jumpedMs)
          assert.ok(voter.pledge.phase === before.pledge.phase)
          assert.equal(voter.pledge.untilMs - before.pledge.untilMs, jumpedMs)
          assert.ok(effects.every(({ type }) => type === 'mark'))
          assert.deepEqual([voter.record, voter.epoch, voter.spentEpoch], [{ to: 'a', epoch: 4 }, 4, 4])
        }),
      )
    })
  })

  describe('a verdict', () => {
    const told = { instance: 'VI_1', vote: { kind: 'none' } as const }

    it('names the holder and the age of its renewal besides the vote', () => {
      const voter = learnEpoch(promised('a', 3, 1000), 9)
      assert.deepEqual(replyOf(voter, { ...told, atMs: 1150 }), {
        ...told,
        holder: 'a',
        renewedAgoMs: 150,
        epoch: 9,
      })
    })

    it('names nobody once the promise has ended, and while a ballot is on its way to the disk', () => {
      const nobody = { ...told, holder: null, renewedAgoMs: null }
      assert.deepEqual(replyOf(promised('a', 3, 1000), { ...told, atMs: 1000 + reserveMs }), {
        ...nobody,
        epoch: 3,
      })
      assert.deepEqual(replyOf(ask(free, 'a', 1, 0).voter, { ...told, atMs: 0 }), { ...nobody, epoch: 1 })
    })
  })

  describe('a failed write', () => {
    const lost = ballotLost(ask(promised('a', 1, 0), 'b', 2, reserveMs).voter, { to: 'b', epoch: 2 })

    it('leaves the vote ungiven and its epoch spent for everybody else', () => {
      assert.equal(promisedTo(lost, reserveMs), null)
      assert.equal(reasonOf(ask(lost, 'a', 2, reserveMs + 1).decision), 'stale-epoch')
      assert.equal(reasonOf(ask(lost, 'b', 1, reserveMs + 1).decision), 'stale-epoch')
      assert.equal(reasonOf(ask(lost, 'a', 3, reserveMs + 1).decision), 'pending')
    })

    it('is tried again when its candidate asks again, and gives the vote only then', () => {
      const again = ask(lost, 'b', 2, reserveMs + 1)
      assert.deepEqual(again.effects, [{ type: 'record', ballot: { to: 'b', epoch: 2 } }])
      assert.equal(promisedTo(again.voter, reserveMs + 1), null)
      const written = recorded(again.voter, { to: 'b', epoch: 2 }, reserveMs + 5)
      assert.deepEqual(written.decision, { kind: 'granted', epoch: 2 })
      assert.equal(written.voter.lost, null)
    })

    it('is not tried again once another ballot was', () => {
      const other = ballotLost(ask(lost, 'a', 3, reserveMs + 1).voter, { to: 'a', epoch: 3 })
      assert.equal(reasonOf(ask(other, 'b', 2, reserveMs + 2).decision), 'stale-epoch')
    })

    it('lets nobody renew on the strength of the old record', () =>
      assert.equal(reasonOf(ask(lost, 'a', 1, reserveMs + 1).decision), 'stale-epoch'))
  })

  describe('after a restart', () => {
    const at = { atMs: 10_000, reserveMs }

    it('without a mark makes everybody but the recorded holder wait', () => {
      const voter = recoverVoter(valid({ to: 'a', epoch: 4 }), at)
      assert.equal(reasonOf(ask(voter, 'b', 5, 10_000 + reserveMs - 1).decision), 'waiting')
      assert.equal(reasonOf(ask(voter, 'b', 5, 10_000 + reserveMs).decision), 'pending')
      assert.deepEqual(ask(voter, 'a', 4, 10_001).decision, { kind: 'granted', epoch: 4 })
    })

    it('lets the recorded holder raise its epoch through the disk', () => {
      const voter = recoverVoter(valid({ to: 'a', epoch: 4 }), at)
      assert.equal(reasonOf(ask(voter, 'a', 5, 10_001).decision), 'pending')
    })

    it('with the mark of a promise that has ended is free at once', () => {
      const voter = recoverVoter(valid({ to: 'a', epoch: 4 }, { epoch: 4, untilMs: 9000 }), at)
      assert.equal(reasonOf(ask(voter, 'b', 5, 10_000).decision), 'pending')
    })

    it('is not bound anew by a jump of the clock where the mark had ended by the start', () => {
      for (const untilMs of [9000, 10_000]) {
        const voter = recoverVoter(valid({ to: 'a', epoch: 4 }, { epoch: 4, untilMs }), at)
        const jumped = keepOverJump(voter, { atMs: 15_000, jumpedMs: 5000, reserveMs })
        assert.deepEqual(jumped.effects, [])
        assert.equal(reasonOf(ask(jumped.voter, 'b', 5, 15_000).decision), 'pending')
      }
    })

    it('with the mark of a live promise waits just as long as that', () => {
      const voter = recoverVoter(valid({ to: 'a', epoch: 4 }, { epoch: 4, untilMs: 10_500 }), at)
      assert.equal(reasonOf(ask(voter, 'b', 5, 10_499).decision), 'waiting')
      assert.equal(reasonOf(ask(voter, 'b', 5, 10_500).decision), 'pending')
    })

    it('does not trust a mark that is older than the ballot', () => {
      const voter = recoverVoter(valid({ to: 'a', epoch: 4 }, { epoch: 3, untilMs: 0 }), at)
      assert.equal(reasonOf(ask(voter, 'b', 5, 10_000 + reserveMs - 1).decision), 'waiting')
    })

    it('lets nobody renew on a ballot that is older than the mark: the ledger was rolled back', () => {
      const voter = recoverVoter(valid({ to: 'a', epoch: 4 }, { epoch: 6, untilMs: 11_900 }), at)
      // Epoch 6 may be promised to b until 11 900.
      assert.equal(reasonOf(ask(voter, 'a', 7, 10_001).decision), 'waiting')
      assert.ok(voter.epoch >= 6, `epoch ${voter.epoch} falls below the marked one`)
    })

    it('does not begin its epochs anew when the mark shows that there was a ballot', () => {
      const voter = recoverVoter(valid(null, { epoch: 6, untilMs: 11_900 }), at)
      assert.ok(voter.epoch >= 6, `epoch ${voter.epoch} falls below the marked one`)
    })

    it('keeps a promise that was made under a longer timing', () => {
      const long: Timing = { ...timing, leaseMs: 5000, reserveMs: 5200 }
      const asked = askVote(free, { from: 'a', epoch: 1, leaseMs: 5000, atMs: 0 }, long)
      const given = ballotRecorded(asked.voter, { to: 'a', epoch: 1 }, { atMs: 0, timing: long })
      const mark = given?.effects.find((effect) => effect.type === 'mark')?.mark ?? null
      assert.equal(mark?.untilMs, 5200)
      // Restarted at once with a shorter timing; a counts its vote until 5000.
      const voter = recoverVoter(valid({ to: 'a', epoch: 1 }, mark), { atMs: 100, reserveMs })
      assert.equal(reasonOf(ask(voter, 'b', 2, 4999).decision), 'waiting')
      assert.equal(reasonOf(ask(voter, 'b', 2, 5200).decision), 'pending')
    })

    it('with a lost ledger makes everybody wait, and goes on above what was granted unseen', () => {
      const voter = recoverVoter({ kind: 'lost' }, at)
      for (const node of ['a', 'b'])
        assert.equal(reasonOf(ask(voter, node, 5000, 10_000 + reserveMs - 1).decision), 'waiting')
      assert.equal(reasonOf(ask(voter, 'a', 999, 10_000 + reserveMs).decision), 'stale-epoch')
      assert.equal(reasonOf(ask(voter, 'a', 5000, 10_000 + reserveMs).decision), 'pending')
    })

    it('without any ballot makes everybody wait: a grant may have left before the first record was lost', () =>
      assert.equal(reasonOf(ask(recoverVoter(valid(null), at), 'a', 1, 10_001).decision), 'waiting'))

    it('ends no wait by a release, also not by one of the recorded holder', () => {
      const voter = recoverVoter(valid({ to: 'a', epoch: 4 }), at)
      assert.equal(reasonOf(ask(releaseVote(voter, 'b').voter, 'b', 5, 10_001).decision), 'waiting')
      assert.equal(reasonOf(ask(releaseVote(voter, 'a').voter, 'b', 5, 10_001).decision), 'waiting')
    })

    it('ends no wait of a lost ledger by anybody’s release', () => {
      const voter = recoverVoter({ kind: 'lost' }, at)
      const released = releaseVote(releaseVote(voter, 'a').voter, 'b').voter
      assert.equal(reasonOf(ask(released, 'a', 5000, 10_001).decision), 'waiting')
    })
  })

  it('makes everybody wait, the holder too, when the ledger proves older than its promises', () => {
    const { voter, effects } = distrustLedger(promised('a', 4, 0), { seenEpoch: 9, atMs: 100, reserveMs })
    assert.equal(reasonOf(ask(voter, 'a', 4, 101).decision), 'waiting')
    assert.equal(reasonOf(ask(voter, 'b', 5000, 99 + reserveMs).decision), 'waiting')
    assert.ok(voter.epoch > 9)
    const [effect] = effects
    assert.ok(effect?.type === 'mark')
    const again = recoverVoter(
      { kind: 'valid', ballot: { to: 'a', epoch: 4 }, mark: effect.mark },
      { atMs: 200, reserveMs },
    )
    assert.equal(reasonOf(ask(again, 'a', 4, 201).decision), 'waiting', 'another restart sees it, too')
  })

  it('is given for a lease that the promise outlives to the millisecond, not for one longer', () => {
    const exact = { ...timing, reserveMs: reserveNeededMs(leaseMs, timing.driftPpm) }
    const asked = (reserveMs: number): string =>
      reasonOf(askVote(free, { from: 'a', epoch: 1, leaseMs, atMs: 0 }, { ...exact, reserveMs }).decision)
    assert.deepEqual([asked(exact.reserveMs), asked(exact.reserveMs - 1)], ['pending', 'lease-too-long'])
  })

  it('is given under an epoch that was only heard of: it may be the candidate’s own', () => {
    assert.equal(reasonOf(ask(learnEpoch(free, 7), 'a', 7, 0).decision), 'pending')
  })

  it('says who has it, and for how long yet', () => {
    const textOf = ({ decision }: VoteResult): string => (decision.kind === 'refused' ? decision.text : '')
    assert.match(
      textOf(ask(promised('a', 1, 1000), 'b', 2, 1300)),
      /^a has the vote \(epoch 1, renewed 300 ms ago, kept for another 1600 ms\)$/,
    )
    const waiting = (found: RecoveredBallot): string =>
      textOf(ask(recoverVoter(found, { atMs: 1000, reserveMs }), 'b', 9, 1300))
    assert.match(
      waiting(valid({ to: 'a', epoch: 1 })),
      /^a may still be using an earlier promise of this vote for 1600 ms$/,
    )
    assert.match(
      waiting({ kind: 'lost' }),
      /^another node may still be using an earlier promise of this vote for 1600 ms$/,
    )
  })

  it('changes nothing when it is given back by somebody who does not have it', () => {
    const voter = promised('a', 1, 0)
    assert.deepEqual(releaseVote(voter, 'b'), { voter, effects: [] })
    assert.deepEqual(releaseVote(free, 'a'), { voter: free, effects: [] })
  })

  it('is renewed by nobody of its name, and runs out, where that name became another’s', () => {
    const disowned = disownPromise(promised('a', 1, 1000), 'a')
    assert.equal(reasonOf(ask(disowned, 'a', 1, 1300).decision), 'waiting')
    assert.equal(reasonOf(ask(disowned, 'a', 2, 1000 + reserveMs - 1).decision), 'waiting')
    assert.equal(reasonOf(ask(disowned, 'a', 2, 1000 + reserveMs).decision), 'pending')
    const restarted = recoverVoter(valid({ to: 'a', epoch: 1 }), { atMs: 1000, reserveMs })
    assert.equal(reasonOf(ask(disownPromise(restarted, 'a'), 'a', 1, 1300).decision), 'waiting')
    const underWay = ask(free, 'b', 1, 1000).voter
    const unknown = recoverVoter({ kind: 'lost' }, { atMs: 1000, reserveMs })
    for (const other of [promised('b', 1, 1000), restarted, free, underWay, unknown])
      assert.equal(disownPromise(other, 'c'), other)
  })

  it('waits for the end of the mark where that is later than a promise of today', () => {
    const after = (untilMs: number): Voter =>
      recoverVoter(valid({ to: 'a', epoch: 1 }, { epoch: 2, untilMs }), { atMs: 1000, reserveMs })
    assert.deepEqual(after(9000).pledge, { phase: 'waiting', untilMs: 9000 })
    assert.deepEqual(after(1500).pledge, { phase: 'waiting', untilMs: 1000 + reserveMs })
  })

  it('goes on above every epoch that it gave or heard of when its ledger proves too old', () => {
    for (const [known, seenEpoch] of [
      [5000, 6],
      [6, 5000],
    ] as const) {
      const { voter } = distrustLedger(learnEpoch(free, known), { seenEpoch, atMs: 0, reserveMs })
      assert.equal(voter.epoch, 6000)
    }
  })

  describe('over any interleaving of asks, releases, slow and failing disks, crashes and drift', () => {
    it('never lets two candidates have an unexpired promise, and never repeats or lowers an epoch', function () {
      this.timeout(60_000)
      fc.assert(
        fc.property(worlds(), (run) => {
          new World(run).play()
        }),
        { numRuns: storiesFrom(1000) },
      )
    })

    it('is a test that notices promises which are too short for the drift by one percent', function () {
      this.timeout(60_000)
      const promiseMs = Math.floor(reserveNeededMs(leaseMs, driftPpm) * 0.99)
      const details = fc.check(
        fc.property(worlds(), (run) => {
          new World({ ...run, promiseMs }).play()
        }),
        { numRuns: 20_000, endOnFailure: true },
      )
      assert.match(String(details.errorInstance), /both count the vote as theirs/)
    })
  })

  describe('a vote that its node left', () => {
    const standingBallot: Ballot = { to: 'a', epoch: 5, standing: true }
    const leaving = (atMs: number): VoteResult => {
      const result = leaveVote(promised('a', 5, 1000), { to: 'a', atMs })
      assert.ok(result !== null)
      return result
    }
    /** Left with `a` under epoch 5, on disk since 1200. */
    const left = (): Voter => recorded(leaving(1100).voter, standingBallot, 1200).voter
    const handedBack = (voter: Voter, atMs: number): VoteResult => {
      const result = takeVoteBack(voter, { epoch: 5, atMs, reserveMs })
      assert.ok(result !== null)
      return result
    }

    it('is on disk before it stands', () => {
      const { voter, effects } = leaving(1100)
      assert.deepEqual(effects, [{ type: 'record', ballot: standingBallot }])
      assert.equal(leftWith(voter), null)
      assert.deepEqual(leftWith(left()), { phase: 'standing', to: 'a', epoch: 5, sinceMs: 1200 })
    })

    it('stands by its own ballot only, not by word of an ordinary one under the same epoch', () => {
      const { voter } = leaving(1100)
      assert.equal(ballotRecorded(voter, { to: 'a', epoch: 5 }, { atMs: 1200, timing }), null)
      assert.equal(ballotLost(voter, { to: 'a', epoch: 5 }), voter)
    })

    it('is named in every answer, with whom it stands and since when', () => {
      const reply = replyOf(left(), { instance: 'VI_1', vote: { kind: 'none' }, atMs: 1500 })
      assert.deepEqual([reply.holder, reply.epoch, reply.renewedAgoMs], ['a', 5, 300])
      assert.deepEqual(promisedTo(left(), 1500), { node: 'a', epoch: 5, renewedAtMs: 1200 })
    })

    it('is renewed with a mark, for the day on which it is an ordinary promise again', () => {
      const renewed = ask(left(), 'a', 5, 5000)
      assert.deepEqual(renewed.decision, { kind: 'granted', epoch: 5 })
      assert.deepEqual(renewed.effects, [{ type: 'mark', mark: { epoch: 5, untilMs: 5000 + reserveMs } }])
    })

    it('is refused to everybody else with what an operator can do', () => {
      const { decision } = ask(left(), 'b', 6, 5000)
      assert.ok(decision.kind === 'refused')
      assert.match(
        decision.text,
        /delegated its vote to a \(epoch 5\).*run witness-agent take-vote-back on this node/,
      )
    })

    it('is left only with the node that has it at that moment', () => {
      assert.equal(leaveVote(left(), { to: 'a', atMs: 1300 }), null, 'it stands already')
      assert.equal(leaveVote(free, { to: 'a', atMs: 1000 }), null)
      assert.equal(leaveVote(promised('b', 5, 1000), { to: 'a', atMs: 1100 }), null)
      assert.equal(leaveVote(promised('a', 5, 1000), { to: 'a', atMs: 1000 + reserveMs }), null)
    })

    it('has no end: not by time, not by a jump of the clock, not by a release', () => {
      const longAfterMs = 1200 + 1000 * reserveMs
      const voter = expireVote(left(), longAfterMs)
      assert.equal(reasonOf(ask(voter, 'b', 6, longAfterMs).decision), 'promised')
      assert.deepEqual(keepOverJump(voter, { atMs: longAfterMs, jumpedMs: 30_000, reserveMs }), {
        voter,
        effects: [],
      })
      assert.deepEqual(releaseVote(voter, 'a'), { voter, effects: [] })
    })

    it('stands after every restart, whatever the mark says', () => {
      for (const mark of [null, { epoch: 5, untilMs: 0 }, { epoch: 9, untilMs: 0 }]) {
        const voter = recoverVoter(valid(standingBallot, mark), { atMs: 90_000, reserveMs })
        assert.equal(leftWith(voter)?.to, 'a')
        assert.equal(reasonOf(ask(voter, 'b', 2000, 99_000_000).decision), 'promised')
        const highestMarked = mark?.epoch ?? standingBallot.epoch
        assert.deepEqual([voter.epoch, voter.spentEpoch], [highestMarked, highestMarked])
      }
    })

    it('is the holder’s under its next epochs, too, and stands under them', () => {
      const raised = ask(left(), 'a', 6, 2000)
      assert.deepEqual(raised.effects, [{ type: 'record', ballot: { to: 'a', epoch: 6, standing: true } }])
      assert.equal(leftWith(raised.voter)?.epoch, 5)
      const { voter, decision } = recorded(raised.voter, { to: 'a', epoch: 6, standing: true }, 2010)
      assert.equal(decision.kind, 'granted')
      assert.equal(leftWith(voter)?.epoch, 6)
    })

    it('comes back by the holder’s consent under the epoch that it stands under, and by no other', () => {
      assert.equal(takeVoteBack(left(), { epoch: 4, atMs: 2000, reserveMs }), null)
      assert.equal(takeVoteBack(promised('a', 5, 1000), { epoch: 5, atMs: 1100, reserveMs }), null)
    })

    it('is an ordinary promise to the holder once that is on disk, and stands until then', () => {
      const back = handedBack(left(), 2000)
      assert.deepEqual(back.effects, [
        { type: 'mark', mark: { epoch: 5, untilMs: 2000 + reserveMs } },
        { type: 'record', ballot: { to: 'a', epoch: 5 } },
      ])
      assert.equal(leftWith(back.voter)?.to, 'a')
      const { voter } = recorded(back.voter, { to: 'a', epoch: 5 }, 2100)
      assert.equal(leftWith(voter), null)
      assert.equal(reasonOf(ask(voter, 'b', 6, 2100 + reserveMs - 1).decision), 'promised')
      assert.equal(reasonOf(ask(voter, 'b', 6, 2100 + reserveMs).decision), 'pending')
    })

    it('stands on where the disk refuses to take it back, and can be taken back again', () => {
      const voter = ballotLost(handedBack(left(), 2000).voter, { to: 'a', epoch: 5 })
      assert.equal(leftWith(voter)?.to, 'a')
      const { voter: again } = recorded(handedBack(voter, 3000).voter, { to: 'a', epoch: 5 }, 3010)
      assert.equal(promisedTo(again, 3010)?.node, 'a')
      assert.equal(leftWith(again), null)
    })

    it('comes back above every epoch that is known by then', () => {
      const { effects } = handedBack(learnEpoch(left(), 8), 2000)
      assert.deepEqual(effects.at(-1), { type: 'record', ballot: { to: 'a', epoch: 8 } })
    })

    it('marks an end where the clock jumps while it is taken back', () => {
      const { voter, effects } = keepOverJump(handedBack(left(), 2000).voter, {
        atMs: 32_000,
        jumpedMs: 30_000,
        reserveMs,
      })
      assert.equal(leftWith(voter)?.to, 'a')
      assert.deepEqual(effects, [{ type: 'mark', mark: { epoch: 5, untilMs: 32_000 + reserveMs } }])
    })

    it('is known again from the holder’s word where the disk was lost', () => {
      const lost = recoverVoter({ kind: 'lost' }, { atMs: 5000, reserveMs })
      const voter = recallStanding(lost, { to: 'a', epoch: 7, atMs: 5100 })
      assert.equal(leftWith(voter)?.to, 'a')
      assert.ok(voter.spentEpoch >= lost.spentEpoch)
      assert.equal(recallStanding(learnEpoch(lost, 3000), { to: 'a', epoch: 7, atMs: 5100 }).epoch, 3000)
      assert.equal(reasonOf(ask(voter, 'b', 2000, 99_000).decision), 'promised')
    })
  })
})

type Name = 'a' | 'b'

type Step =
  | { do: 'pass'; ms: number }
  /** To the instant at which a lease or the promise ends, by its owner's clock, or just before or after it. */
  | { do: 'jump'; to: 'promise' | Name; byMs: number }
  /** Asks, is heard, and the disk answers, all in one instant: nothing of the lease is lost on the way. */
  | { do: 'rush'; from: Name }
  /** The voter's boot clock jumps ahead of its monotonic one. */
  | { do: 'clock-jump'; ms: number }
  | { do: 'ask'; from: Name; raise: number }
  | { do: 'release'; from: Name }
  | { do: 'deliver'; from: Name }
  | { do: 'written' }
  | { do: 'write-failed'; landed: boolean }
  | { do: 'crash'; landed: boolean; mark: boolean; lost: boolean; downMs: number }

interface Run {
  steps: readonly Step[]
  /** Parts per million by which each clock runs fast. */
  drift: { voter: number; a: number; b: number }
  promiseMs?: number
}

const driftPpm = 20_000

function worlds(): fc.Arbitrary<Run> {
  const from = fc.constantFrom<Name>('a', 'b')
  const yes = fc.boolean()
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: passingMs() }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('jump' as const),
        to: fc.constantFrom<'promise' | Name>('promise', 'promise', 'promise', 'a', 'b'),
        byMs: fc.constantFrom(-1, 0, 0, 0, 1),
      }),
    },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('rush' as const), from }) },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('ask' as const),
        from,
        raise: fc.constantFrom(0, 0, 1, 1, 3),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('clock-jump' as const), ms: passingMs() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), from }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('deliver' as const), from }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('written' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('write-failed' as const), landed: yes }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('crash' as const),
        landed: yes,
        mark: yes,
        lost: fc.constantFrom(false, false, false, true),
        downMs: fc.integer({ min: 0, max: 2500 }),
      }),
    },
  )
  const ppm = fc.integer({ min: -driftPpm, max: driftPpm })
  const extreme = fc.oneof(fc.constantFrom(-driftPpm, driftPpm), ppm)
  return fc.record({
    steps: fc.array(step, { minLength: 10, maxLength: 80, size: 'max' }),
    // Promises are worth least where the voter's clock is the fastest and the holder's the slowest.
    drift: fc.oneof(
      fc.constant({ voter: driftPpm, a: -driftPpm, b: -driftPpm }),
      fc.record({ voter: extreme, a: extreme, b: extreme }),
    ),
  })
}

/** Short steps, and long ones that end in the region in which leases and promises end. */
function passingMs(): fc.Arbitrary<number> {
  return fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 100, max: 2200 }))
}

interface Message {
  kind: 'ask' | 'release'
  number: number
  epoch: number
  sentAtMs: number
}

/** One voter with a disk and a mark, and two candidates that count their leases by clocks of their own. */
class World {
  readonly #run: Run
  readonly #timing: Timing
  #trueMs = 100_000
  /** How far the voter's boot clock has jumped ahead so far. */
  #jumpedMs = 0
  #voter: Voter
  #disk: Ballot | null | 'lost' = null
  #mark: Mark | null = null
  #ledgerWasLost = false
  readonly #candidates = {
    a: { epoch: 0, known: 0, leaseUntilMs: -Infinity, releasedNumber: 0, outbox: new Array<Message>() },
    b: { epoch: 0, known: 0, leaseUntilMs: -Infinity, releasedNumber: 0, outbox: new Array<Message>() },
  }
  #messages = 0
  /** The ask whose grant waits for the disk: the newest of its candidate. */
  #pending: { from: Name; message: Message } | null = null
  readonly #granted = new Map<number, Name>()
  #highestGranted = 0

  constructor(run: Run) {
    this.#run = run
    this.#timing = {
      ...defaultTiming,
      driftPpm,
      // The bound of E1, to the millisecond.
      reserveMs: reserveNeededMs(leaseMs, driftPpm) + 1,
    }
    this.#voter = free
  }

  play(): void {
    for (const step of this.#run.steps) {
      this.#take(step)
      const holders = (['a', 'b'] as const).filter(
        (name) => this.#clock(name) < this.#candidates[name].leaseUntilMs,
      )
      assert.ok(holders.length < 2, `both count the vote as theirs at ${this.#trueMs}`)
    }
  }

  /** What a host's clock shows, in its steps of 10 ms. */
  #clock(of: Name | 'voter'): number {
    const shownMs = this.#trueMs * (1 + this.#run.drift[of] / 1e6) + (of === 'voter' ? this.#jumpedMs : 0)
    return Math.floor(shownMs / 10) * 10
  }

  /** What the voter promises with; a test of the test makes its promises shorter than it should. */
  get #kept(): Timing {
    return { ...this.#timing, reserveMs: this.#run.promiseMs ?? this.#timing.reserveMs }
  }

  #take(step: Step): void {
    switch (step.do) {
      case 'pass':
        this.#trueMs += step.ms
        return
      case 'jump':
        return this.#jump(step)
      case 'rush':
        this.#ask(step.from, 1)
        while (this.#candidates[step.from].outbox.length > 0) this.#deliver(step.from)
        return this.#written()
      case 'clock-jump': {
        // A jump that the two clocks do not show is none.
        const jumpedMs = clockJumpMs(step.ms, 0)
        this.#jumpedMs += jumpedMs
        const { reserveMs: longestMs } = this.#kept
        const kept = keepOverJump(this.#voter, { atMs: this.#clock('voter'), jumpedMs, reserveMs: longestMs })
        this.#voter = kept.voter
        return this.#execute(kept.effects)
      }
      case 'ask':
        return this.#ask(step.from, step.raise)
      case 'release': {
        const candidate = this.#candidates[step.from]
        this.#messages++
        candidate.leaseUntilMs = -Infinity
        candidate.releasedNumber = this.#messages
        candidate.outbox.push({ kind: 'release', number: this.#messages, epoch: 0, sentAtMs: 0 })
        return
      }
      case 'deliver':
        return this.#deliver(step.from)
      case 'written':
        return this.#written()
      case 'write-failed': {
        const { pledge } = this.#voter
        if (pledge.phase !== 'recording') return
        if (step.landed) this.#disk = pledge.ballot
        this.#voter = ballotLost(this.#voter, pledge.ballot)
        this.#pending = null
        return
      }
      case 'crash':
        return this.#crash(step)
    }
  }

  #jump(step: Step & { do: 'jump' }): void {
    const { pledge } = this.#voter
    const promiseUntilMs =
      pledge.phase === 'promised' || pledge.phase === 'waiting' ? pledge.untilMs : -Infinity
    const [clock, untilMs] =
      step.to === 'promise'
        ? (['voter', promiseUntilMs] as const)
        : ([step.to, this.#candidates[step.to].leaseUntilMs] as const)
    if (untilMs === -Infinity) return
    const shownAtMs = Math.ceil(untilMs / 10) * 10
    const jumpedMs = clock === 'voter' ? this.#jumpedMs : 0
    const endsAtMs = Math.ceil((shownAtMs - jumpedMs) / (1 + this.#run.drift[clock] / 1e6))
    this.#trueMs = Math.max(this.#trueMs, endsAtMs + step.byMs)
  }

  #written(): void {
    const { pledge } = this.#voter
    if (pledge.phase !== 'recording') return
    this.#disk = pledge.ballot
    const result = ballotRecorded(this.#voter, pledge.ballot, {
      atMs: this.#clock('voter'),
      timing: this.#kept,
    })
    assert.ok(result !== null)
    this.#decided(result)
  }

  #ask(from: Name, raise: number): void {
    const candidate = this.#candidates[from]
    if (raise > 0 || candidate.epoch === 0)
      candidate.epoch = Math.max(candidate.epoch, candidate.known) + raise
    this.#messages++
    candidate.outbox.push({
      kind: 'ask',
      number: this.#messages,
      epoch: candidate.epoch,
      sentAtMs: this.#clock(from),
    })
  }

  #deliver(from: Name): void {
    const candidate = this.#candidates[from]
    const message = candidate.outbox.shift()
    if (message === undefined) return
    const atMs = this.#clock('voter')
    this.#voter = expireVote(this.#voter, atMs)
    if (message.kind === 'release') {
      const { voter, effects } = releaseVote(this.#voter, from)
      this.#voter = voter
      return this.#execute(effects)
    }
    // E1 is asserted against the timing that the voter claims to keep; what it keeps is the same but in the test's test.
    const { voter, effects, decision } = askVote(
      this.#voter,
      { from, epoch: message.epoch, leaseMs: this.#run.promiseMs === undefined ? leaseMs : 1, atMs },
      this.#kept,
    )
    this.#voter = voter
    candidate.known = Math.max(candidate.known, this.#voter.epoch)
    switch (decision.kind) {
      case 'pending':
        this.#pending = { from, message }
        return this.#execute(effects)
      case 'granted':
        this.#pending = { from, message }
        return this.#decided({ voter, effects, decision })
      case 'refused':
        return this.#execute(effects)
    }
  }

  #decided(result: VoteResult): void {
    const { voter, effects, decision } = result
    const atMs = this.#clock('voter')
    this.#voter = voter
    assert.equal(decision.kind, 'granted')
    const pledge = voter.pledge
    assert.ok(pledge.phase === 'promised')
    assert.deepEqual(this.#disk, { to: pledge.to, epoch: pledge.epoch }, 'promised before it was on disk')
    assert.deepEqual(
      effects,
      [{ type: 'mark', mark: { epoch: pledge.epoch, untilMs: atMs + this.#kept.reserveMs } }],
      'granted without its mark',
    )
    this.#execute(effects)

    const before = this.#granted.get(pledge.epoch)
    assert.ok(before === undefined || before === pledge.to, `epoch ${pledge.epoch} granted to both`)
    assert.ok(pledge.epoch >= this.#highestGranted, `epoch ${pledge.epoch} after ${this.#highestGranted}`)
    this.#granted.set(pledge.epoch, pledge.to as Name)
    this.#highestGranted = pledge.epoch

    const pending = this.#pending
    this.#pending = null
    if (pending === null) return
    assert.equal(pending.from, pledge.to)
    const candidate = this.#candidates[pending.from]
    candidate.known = Math.max(candidate.known, pledge.epoch)
    if (pending.message.number > candidate.releasedNumber)
      candidate.leaseUntilMs = Math.max(candidate.leaseUntilMs, pending.message.sentAtMs + leaseMs)
  }

  #execute(effects: readonly VoteEffect[]): void {
    for (const effect of effects) if (effect.type === 'mark') this.#mark = effect.mark
  }

  #crash(step: Step & { do: 'crash' }): void {
    const { pledge } = this.#voter
    if (pledge.phase === 'recording' && step.landed) this.#disk = pledge.ballot
    if (!step.mark) this.#mark = null
    this.#trueMs += step.downMs
    this.#pending = null
    // A ledger that is lost a second time may repeat the epochs since the first: the vote remembers no losses.
    if (step.lost && !this.#ledgerWasLost) {
      this.#ledgerWasLost = true
      this.#disk = 'lost'
    }
    this.#voter = recoverVoter(
      this.#disk === 'lost' ? { kind: 'lost' } : { kind: 'valid', ballot: this.#disk, mark: this.#mark },
      { atMs: this.#clock('voter'), reserveMs: this.#kept.reserveMs },
    )
  }
}
