import assert from 'node:assert/strict'
import {
  alone,
  hasLostGateway,
  heardSomebody,
  peerHolds,
  peerSilent,
  witnessSilent,
} from '../../../../../agent/core/guard/hearing.ts'
import { barCause } from '../../../../../agent/core/guard/bar-evidence.ts'
import type { BarCause, Guard } from '../../../../../agent/core/guard/guard.ts'
import { silenceMs } from '../../../../../shared/core/timing.ts'
import {
  GuardDriver,
  holdingPeer,
  node,
  peer,
  peerReport,
  startMs,
  timing,
  type DriverOptions,
} from './guard-fixture.ts'

const quietMs = silenceMs(timing)
/** Long after the start, so that every silence is the test's own. */
const nowMs = startMs + 100_000

function guard(change: Partial<Guard>, options: DriverOptions = {}): Guard {
  return { ...new GuardDriver(options).guard, witnessHeardAtMs: nowMs, peerHeardAtMs: nowMs, ...change }
}

function namesPeer(renewedAtMs: number): Guard['witnessWord'] {
  return { holder: peer, renewedAtMs }
}

function barred(cause: BarCause): Guard['phase'] {
  return { name: 'barred', sinceMs: nowMs - 1000, cause }
}

describe('silence', () => {
  it('is 3R without a word', () => {
    const last = guard({ witnessHeardAtMs: nowMs, peerHeardAtMs: nowMs })
    assert.equal(witnessSilent(last, nowMs + quietMs - 1), false)
    assert.equal(witnessSilent(last, nowMs + quietMs), true)
    assert.equal(peerSilent(last, nowMs + quietMs - 1), false)
    assert.equal(peerSilent(last, nowMs + quietMs), true)
  })

  it('begins at the earliest when this agent began to listen', () => {
    const restarted = guard({
      witnessHeardAtMs: null,
      peerHeardAtMs: nowMs - 60_000,
      listeningSinceMs: nowMs,
    })
    assert.equal(witnessSilent(restarted, nowMs + quietMs - 1), false)
    assert.equal(peerSilent(restarted, nowMs + quietMs - 1), false)
    assert.equal(alone(restarted, nowMs + quietMs), true)
  })

  it('of one of the two does not make a node alone', () => {
    assert.equal(alone(guard({ peerHeardAtMs: null }), nowMs), false)
    assert.equal(alone(guard({ witnessHeardAtMs: null }), nowMs), false)
    assert.equal(alone(guard({ witnessHeardAtMs: null, peerHeardAtMs: null }), nowMs), true)
  })

  it('is over with one word of either', () => {
    assert.equal(heardSomebody(guard({ witnessHeardAtMs: null, listeningSinceMs: nowMs })), true)
    assert.equal(heardSomebody(guard({ peerHeardAtMs: null, listeningSinceMs: nowMs })), true)
    assert.equal(heardSomebody(guard({ witnessHeardAtMs: null, listeningSinceMs: nowMs + 1 })), false)
  })

  it('before this agent listened does not count as having heard somebody', () => {
    assert.equal(heardSomebody(guard({ listeningSinceMs: nowMs + 1 })), false)
    assert.equal(heardSomebody(guard({ listeningSinceMs: nowMs })), true)
    assert.equal(heardSomebody(guard({ witnessHeardAtMs: null, peerHeardAtMs: null })), false)
  })
})

describe('whether the peer holds the lease', () => {
  const promisedToPeer: Guard['voter'] = {
    ...new GuardDriver().guard.voter,
    pledge: { phase: 'promised', to: peer, epoch: 8, grantedAtMs: nowMs, untilMs: nowMs + timing.reserveMs },
    record: { to: peer, epoch: 8 },
    epoch: 8,
  }

  it('follows from this node’s own promise, as long as that lasts', () => {
    const promised = guard({ voter: promisedToPeer })
    assert.equal(peerHolds(promised, nowMs + timing.reserveMs - 1), true)
    assert.equal(
      peerHolds({ ...promised, witnessHeardAtMs: nowMs + timing.reserveMs }, nowMs + timing.reserveMs),
      false,
    )
  })

  it('follows from the witness’s word, as long as the witness is heard', () => {
    const told = guard({ witnessWord: namesPeer(nowMs) })
    assert.equal(peerHolds(told, nowMs), true)
    assert.equal(peerHolds(told, nowMs + quietMs), false)
  })

  it('does not follow where the witness names this node or nobody', () => {
    for (const holder of [node, null])
      assert.equal(peerHolds(guard({ witnessWord: { holder, renewedAtMs: nowMs } }), nowMs), false)
  })

  it('does not follow where there is no peer', () => {
    assert.equal(peerHolds(guard({ peer: null, witnessWord: namesPeer(nowMs) }), nowMs), false)
  })
})

describe('a lost gateway', () => {
  const states = ['reachable', 'unreachable', 'unknown'] as const

  it('is one that this node does not reach and the peer does, and nothing else', () => {
    for (const own of states)
      for (const others of states) {
        const asked = guard({
          gateway: own,
          peerReport: peerReport({ gateway: others }),
          peerReportedAtMs: nowMs,
        })
        const expected = own === 'unreachable' && others === 'reachable'
        assert.equal(hasLostGateway(asked, nowMs), expected, `${own} here, ${others} there`)
      }
  })

  it('is not concluded before the peer has reported', () => {
    assert.equal(hasLostGateway(guard({ gateway: 'unreachable', peerReport: null }), nowMs), false)
  })
})

describe('why a node is barred', () => {
  it('there is no cause while both are heard', () => {
    assert.equal(barCause(guard({ witnessWord: namesPeer(nowMs) }), nowMs), null)
  })

  it('nobody is heard', () => {
    const cut = guard({ witnessHeardAtMs: nowMs - quietMs, peerHeardAtMs: nowMs - quietMs })
    assert.equal(barCause(cut, nowMs)?.kind, 'alone')
    assert.equal(barCause({ ...cut, peerHeardAtMs: nowMs - quietMs + 1 }, nowMs), null)
  })

  it('is no cause with alone: keep', () => {
    const cut = guard(
      { witnessHeardAtMs: nowMs - quietMs, peerHeardAtMs: nowMs - quietMs },
      { policy: { alone: 'keep' } },
    )
    assert.equal(barCause(cut, nowMs), null)
  })

  it('the witness heard the holder renew 2R after it was heard here last', () => {
    const peerHeardAtMs = nowMs - quietMs
    const at = (renewedAtMs: number): string | undefined =>
      barCause(guard({ peerHeardAtMs, witnessWord: namesPeer(renewedAtMs) }), nowMs)?.kind
    assert.equal(at(peerHeardAtMs + 2 * timing.renewMs - 1), undefined)
    assert.equal(at(peerHeardAtMs + 2 * timing.renewMs), 'holder-elsewhere')
  })

  it('is not the silence of a holder that nobody hears', () => {
    const peerHeardAtMs = nowMs - quietMs
    assert.equal(barCause(guard({ peerHeardAtMs, witnessWord: namesPeer(peerHeardAtMs) }), nowMs), null)
  })

  it('is not a peer that is silent while somebody else or nobody holds', () => {
    const witnessWord = { holder: null, renewedAtMs: -Infinity }
    assert.equal(barCause(guard({ peerHeardAtMs: null, witnessWord }), nowMs), null)
  })

  it('names the silence in milliseconds and who holds, for the operator', () => {
    const cause = barCause(guard({ peerHeardAtMs: nowMs - 5000, witnessWord: namesPeer(nowMs) }), nowMs)
    assert.match(cause?.text ?? '', /this node has not heard lb02 for 5000 ms/)
  })

  it('the bar on a living holder outlasts its last renewal, until it is heard or its lease is over', () => {
    const peerHeardAtMs = nowMs - quietMs
    const phase = barred({ kind: 'holder-elsewhere', text: 'cut' })
    const witnessWord = namesPeer(peerHeardAtMs)
    assert.equal(barCause(guard({ phase, peerHeardAtMs, witnessWord }), nowMs)?.kind, 'holder-elsewhere')
    assert.equal(barCause(guard({ phase, peerHeardAtMs: nowMs, witnessWord }), nowMs), null)
    const over = { holder: null, renewedAtMs: -Infinity }
    assert.equal(barCause(guard({ phase, peerHeardAtMs, witnessWord: over }), nowMs), null)
  })

  describe('it has no gateway and the holder has', () => {
    const withoutGateway: Partial<Guard> = {
      gateway: 'unreachable',
      peerReport: holdingPeer(8),
      peerReportedAtMs: nowMs,
      witnessWord: namesPeer(nowMs),
    }
    const causeOf = (change: Partial<Guard> = {}): string | undefined =>
      barCause(guard({ ...withoutGateway, ...change }), nowMs)?.kind

    it('and says so', () => {
      const cause = barCause(guard(withoutGateway), nowMs)
      assert.equal(cause?.kind, 'no-gateway')
      assert.equal(cause.text, 'this node cannot reach its gateway, but lb02, which holds the lease, can')
    })

    it('not where nobody holds: a VIP without a gateway is better than none', () =>
      assert.equal(causeOf({ witnessWord: { holder: null, renewedAtMs: -Infinity } }), undefined))

    it('not where the holder is silent: it may be dead, and its word on the gateway with it', () =>
      assert.equal(
        causeOf({ peerHeardAtMs: nowMs - quietMs, witnessWord: namesPeer(nowMs - quietMs) }),
        undefined,
      ))

    it('not where the gateway is reached or not known here, or not reached or not known there', () => {
      for (const gateway of ['reachable', 'unknown'] as const) assert.equal(causeOf({ gateway }), undefined)
      for (const gateway of ['unreachable', 'unknown'] as const)
        assert.equal(causeOf({ peerReport: holdingPeer(8, { gateway }) }), undefined)
    })
  })

  it('missing adverts bar until the next try, and only while the peer holds', () => {
    const phase = barred({ kind: 'no-adverts', text: 'none', retryAtMs: nowMs + 5000 })
    const held = guard({ phase, witnessWord: namesPeer(nowMs) })
    assert.equal(barCause(held, nowMs)?.kind, 'no-adverts')
    assert.equal(
      barCause({ ...held, witnessHeardAtMs: nowMs + 5000, peerHeardAtMs: nowMs + 5000 }, nowMs + 5000),
      null,
    )
    assert.equal(barCause(guard({ phase }), nowMs), null)
  })
})
