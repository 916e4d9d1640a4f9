/**
 * An arbiter knows durations, no dates: the same life begun at another instant gives the same effects, moved by as
 * much. With the same property of the guard (test/unit/agent/core/guard/time-properties.test.ts) it allows the simulator
 * (test/sim) to leap over a quiet stretch.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  arbitrate,
  createArbiter,
  nextDeadlineMs,
  type Arbiter,
  type ArbiterEvent,
  type ArbiterOptions,
  type RecoveredLedger,
} from '../../../../../server/core/arbiter/arbiter.ts'
import { viewOf } from '../../../../../server/core/status/cluster-view.ts'
import type { Report } from '../../../../../shared/protocol/report.ts'
import type { RecoveredBallot } from '../../../../../shared/core/vote/voter.ts'
import { moved } from '../../../../fixtures/time-shift.ts'
import {
  claiming,
  holding,
  instance,
  peerUnheard,
  recoveredLedger,
  released,
  startedAtMs,
  Witness,
  type Agent,
} from '../../clusters/cluster-fixture.ts'
import { storiesFrom } from '../../../../fixtures/effort.ts'

const nodes = ['lb01', 'lb02', 'lb03'] as const

type Move =
  | { kind: 'pass'; forMs: number; beating: boolean }
  | { kind: 'beat'; of: number; manner: number; raise: number; hearsPeer: boolean; replayed: boolean }
  | { kind: 'connect'; of: number; incarnation: number; boot: number }
  | { kind: 'close' | 'check' | 'tell'; of: number }
  | { kind: 'disk'; works: boolean }
  | { kind: 'echo'; of: number; roundTripMs: number | null }
  | { kind: 'resumed'; gapMs: number }

const kind = <K extends Move['kind']>(name: K): fc.Arbitrary<K> => fc.constant(name)
const of = fc.constantFrom(0, 0, 0, 1, 1, 1, 2)
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: kind('pass'),
      forMs: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 100, max: 5000 })),
      beating: fc.boolean(),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: kind('beat'),
      of,
      manner: fc.nat(5),
      raise: fc.constantFrom(0, 0, 1, 1, 5),
      hearsPeer: fc.boolean(),
      replayed: fc.constantFrom(false, false, false, true),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: kind('connect'), of, incarnation: fc.nat(2), boot: fc.nat(1) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('close', 'check', 'check', 'tell'), of }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: kind('disk'), works: fc.constantFrom(true, true, true, false) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('echo'), of, roundTripMs: fc.constantFrom(null, 3) }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('resumed'), gapMs: fc.integer({ min: 801, max: 9000 }) }) },
)

const ballot = fc.record({ to: fc.constantFrom('lb01', 'lb02'), epoch: fc.integer({ min: 1, max: 9 }) })
/** The marks of a witness that goes on are of this boot, and so may lie before or after its start. */
const mark = fc.record({
  epoch: fc.integer({ min: 1, max: 9 }),
  untilMs: fc.constantFrom(0, startedAtMs - 500, startedAtMs, startedAtMs + 700, startedAtMs + 1900),
})
const found: fc.Arbitrary<RecoveredBallot> = fc.oneof(
  fc.record({ kind: fc.constant('lost' as const) }),
  fc.record({
    kind: fc.constant('valid' as const),
    ballot: fc.option(ballot),
    mark: fc.option(mark),
  }),
)
const recovered: fc.Arbitrary<RecoveredLedger> = fc.oneof(
  fc.constant(recoveredLedger()),
  fc.constant({ ballots: new Map(), others: 'lost' as const }),
  found.map((one) => recoveredLedger([[instance, one]])),
)
const otherStartMs = fc
  .oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 10_000_000_000 }))
  .map((steps) => 10 * steps)

describe('an arbiter at another time', function () {
  this.timeout(60_000)
  it('does the same, each instant moved by as much', () => {
    fc.assert(
      fc.property(
        recovered,
        fc.array(move, { maxLength: 50, size: 'max' }),
        otherStartMs,
        (recovered, story, otherMs) => {
          const life = new Life({ recovered })
          for (const one of story) life.play(one)
          assertSameLife(life.witness.origin, life.witness.history, otherMs - startedAtMs)
        },
      ),
      { numRuns: storiesFrom(83) },
    )
  })
})

function assertSameLife(origin: ArbiterOptions, history: readonly ArbiterEvent[], byMs: number): void {
  let here = createArbiter(origin)
  let there = createArbiter({ ...origin, ...movedOrigin(origin, byMs) })
  for (const event of history) {
    const hence = arbitrate(here, event)
    const thence = arbitrate(there, moved(event, byMs) as ArbiterEvent)
    assert.deepEqual(thence.effects, moved(hence.effects, byMs))
    here = hence.arbiter
    there = thence.arbiter
    assert.deepEqual(outlook(there, event.atMs + byMs), moved(outlook(here, event.atMs), byMs))
  }
  assert.deepEqual(moved(there, 0), moved(here, byMs))
}

function movedOrigin({ atMs, recovered }: ArbiterOptions, byMs: number): Partial<ArbiterOptions> {
  const ballots = moved(recovered.ballots, byMs) as [string, RecoveredBallot][]
  return { atMs: atMs + byMs, recovered: { ...recovered, ballots: new Map(ballots) } }
}

/** What others see of an arbiter. */
function outlook(arbiter: Arbiter, atMs: number): unknown {
  return { deadlineMs: nextDeadlineMs(arbiter), view: viewOf(arbiter, atMs) }
}

/** A witness under random events, told by agents that know their protocol. */
class Life {
  readonly witness: Witness
  readonly #agents: Agent[]

  constructor(options: ConstructorParameters<typeof Witness>[0]) {
    this.witness = new Witness(options)
    this.#agents = nodes.map((node) => this.witness.agent(node))
  }

  play(move: Move): void {
    const { witness } = this
    const { atMs } = witness
    switch (move.kind) {
      case 'pass':
        return witness.pass(move.forMs, ...(move.beating ? this.#agents : []))
      case 'beat':
        return this.#beat(move)
      case 'connect': {
        const node = nodes[move.of]!
        this.#agents[move.of] = witness.agent(node, {
          incarnation: `${node}-start-${move.incarnation}`,
          bootId: `${node}-boot-${move.boot}`,
        })
        return
      }
      case 'close':
        this.#agents[move.of]!.close()
        return
      case 'check':
        witness.check(nodes[move.of]!)
        return
      case 'tell':
        witness.feed({
          type: 'tell',
          atMs,
          connection: this.#agents[move.of]!.connection,
          tell: { type: 'tell', instance, event: 'fenced', level: 'warning', text: 'the VIP is gone' },
        })
        return
      case 'disk':
        if (witness.arbiter.instances.get(instance)?.voter.pledge.phase !== 'recording') return
        if (move.works) witness.written()
        else witness.writeFails()
        return
      case 'echo':
        return witness.echo(nodes[move.of]!, move.roundTripMs)
      case 'resumed':
        witness.atMs += move.gapMs
        witness.feed({ type: 'resumed', atMs: witness.atMs, gapMs: move.gapMs, jumpedMs: 0 })
        return
    }
  }

  #beat({ of, manner, raise, hearsPeer, replayed }: Move & { kind: 'beat' }): void {
    const agent = this.#agents[of]!
    const epoch = (this.witness.arbiter.instances.get(instance)?.voter.epoch ?? 0) + raise
    const reports: Partial<Report>[] = [
      claiming(epoch),
      holding(epoch),
      released,
      {},
      claiming(epoch),
      { epoch },
    ]
    if (replayed) agent.seq = Math.max(0, agent.seq - 1)
    agent.beat({ ...reports[manner], ...(hearsPeer ? {} : peerUnheard) })
  }
}
