/** What no sequence of events may bring a guard to do. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { GuardEffect } from '../../../../../agent/core/guard/guard.ts'
import { isForeignVip } from '../../../../../agent/core/guard/state.ts'
import { beatSchema } from '../../../../../shared/protocol/messages.ts'
import { witness } from '../../../../../shared/protocol/names.ts'
import { type GuardDriver, node, ofType, peer, timing } from './guard-fixture.ts'
import { beginnings, moves, setup, Watched } from './guard-story.ts'
import { storiesFrom } from '../../../../fixtures/effort.ts'

function always(
  check: (watched: Watched, effects: GuardEffect[], before: GuardDriver['guard']) => void,
): void {
  fc.assert(
    fc.property(setup, beginnings, moves, (options, beginning, story) => {
      const watched = new Watched(options)
      for (const [afterMs, move] of [...beginning, ...story]) {
        const before = watched.driver.guard
        check(watched, watched.play(afterMs, move), before)
      }
    }),
    { numRuns: storiesFrom(500) },
  )
}

describe('a guard under any sequence of events', () => {
  it('settles each time, and comes to rest after a few looks at one instant', () => {
    always(({ driver }) => {
      const phases: string[] = []
      for (let look = 0; look < 6; look++) {
        driver.tick()
        phases.push(driver.phase)
      }
      assert.equal(phases.at(-1), phases.at(-2), phases.join(' '))
    })
  })

  it('sends reports that the protocol allows', () => {
    always(({ driver }) => {
      beatSchema.parse({
        type: 'beat',
        seq: 1,
        echoMs: null,
        leaseMs: timing.leaseMs,
        reports: [driver.report()],
      })
    })
  })

  it('counts each vote from when its request left, never from its receipt', () => {
    always(({ driver, newestGrantMs }) => {
      const othersMs = Math.max(newestGrantMs[witness] ?? -Infinity, newestGrantMs[peer] ?? -Infinity)
      assert.ok(driver.leaseUntilMs <= othersMs + timing.leaseMs)
      assert.ok(driver.leaseUntilMs <= driver.atMs + timing.leaseMs)
    })
  })

  it('is never holding past E2’s instant', () => {
    always(({ driver }) => {
      const { candidacy, kept } = driver.guard
      if (driver.phase !== 'holding') return
      const keptCounts = kept.phase === 'kept' || (kept.phase === 'forgetting' && kept.counts)
      const sentAtMs = [...Object.values(candidacy?.grantedSentAtMs ?? {}), ...(keptCounts ? [Infinity] : [])]
      // The second newest of the votes is the one with which the majority ends.
      const votedUntilMs = (sentAtMs.sort((one, other) => other - one)[1] ?? -Infinity) + timing.leaseMs
      const leaseUntilMs = Math.max(votedUntilMs, candidacy?.carriedUntilMs ?? -Infinity)
      assert.ok(driver.atMs < leaseUntilMs - timing.releaseMs - timing.grainMs)
      assert.ok(driver.deadlineMs !== null && driver.deadlineMs > driver.atMs)
    })
  })

  it('gives its vote to nobody while it counts for its own lease', () => {
    always(({ driver }, effects) => {
      const { candidacy } = driver.guard
      const ownUntilMs = (candidacy?.grantedSentAtMs[node] ?? -Infinity) + timing.leaseMs
      const inUse = driver.phase === 'holding' && ownUntilMs > driver.atMs
      const carried = (candidacy?.carriedUntilMs ?? -Infinity) > driver.atMs
      if (!inUse && !carried) return
      const grants = ofType(effects, 'answer-peer').filter(({ verdict }) => verdict.vote.kind === 'granted')
      assert.deepEqual(grants, [])
    })
  })

  it('grants only what is on its disk, and marks it before the grant leaves', () => {
    always((watched, effects) => {
      let marked: number | null = null
      for (const effect of effects) {
        if (effect.type === 'mark') marked = effect.mark.untilMs > 0 ? effect.mark.epoch : null
        if (effect.type !== 'answer-peer' || effect.verdict.vote.kind !== 'granted') continue
        const { epoch } = effect.verdict.vote
        assert.equal(marked, epoch)
        assert.ok(watched.wrote({ to: peer, epoch }))
      }
    })
  })

  it('bars before it does anything else for a fence', () => {
    always(({ driver }, effects, before) => {
      if (driver.phase !== 'fencing' || before.phase.name === 'fencing') return
      const barAt = effects.findIndex((effect) => effect.type === 'bar' && effect.on)
      if (barAt === -1) return assert.equal(before.barOn, true)
      const first = effects.findIndex(
        (effect) =>
          effect.type === 'fence' ||
          (effect.type === 'remember' && effect.memory.number > before.memory.number) ||
          (effect.type === 'permit' && effect.word === 'bar'),
      )
      assert.ok(first === -1 || barAt < first, JSON.stringify(effects))
    })
  })

  it('never bars or fences in observe mode', () => {
    always(({ driver }, effects) => {
      if (driver.guard.policy.mode !== 'observe') return
      assert.deepEqual(ofType(effects, 'fence'), [])
      assert.deepEqual(
        ofType(effects, 'bar').filter(({ on }) => on),
        [],
      )
      assert.deepEqual(
        ofType(effects, 'permit').filter(({ word }) => word === 'bar'),
        [],
      )
    })
  })

  it('releases nothing while keepalived is MASTER here or the kernel has its VIP', () => {
    always(({ driver }) => {
      const { seen, observed } = driver.guard
      // A VIP that a fence removed, and that came back without a MASTER, is not keepalived's.
      const isGone = seen.vips === 'gone' || isForeignVip(driver.guard)
      const free = observed && isGone && seen.keepalived !== 'MASTER'
      if (!free) assert.equal(driver.report().release, false)
    })
  })

  it('keeps its own vote as long as a VIP may be here on the strength of it', () => {
    always(({ driver }, effects, before) => {
      const { seen } = driver.guard
      const here = seen.vips === 'held' || seen.keepalived === 'MASTER'
      const gaveUp = ofType(effects, 'mark').some(({ mark }) => mark.untilMs === 0)
      if (here && gaveUp) assert.notEqual(before.voter.record?.to, node)
    })
  })

  it('never goes back to a lower epoch', () => {
    always(({ driver }, _effects, before) => {
      assert.ok(driver.guard.voter.epoch >= before.voter.epoch)
      const asked = driver.guard.candidacy?.epoch ?? Infinity
      assert.ok(asked >= (before.candidacy?.epoch ?? 0))
    })
  })

  it('asks for a tick only where one changes something: no deadline stays in the past', () => {
    always(({ driver }) => {
      for (let look = 0; look < 6; look++) driver.tick()
      const { phase, observed } = driver.guard
      if (!observed || phase.name === 'fenced') return
      assert.ok(driver.deadlineMs === null || driver.deadlineMs > driver.atMs, JSON.stringify(phase))
    })
  })
})
