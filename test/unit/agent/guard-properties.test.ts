/** What no sequence of events may bring a guard to do. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { GuardEffect } from '../../../agent/guard.ts'
import { beatSchema, keepalivedStates, refusalReasons, witness, type Vote } from '../../../shared/protocol.ts'
import type { Ballot } from '../../../shared/vote.ts'
import { GuardDriver, node, ofType, peer, peerReport, timing } from './guard-fixture.ts'

type Move =
  | { kind: 'look'; scene: { keepalived: 'BACKUP'; process: 'running'; vips: 'gone' } }
  | { kind: 'answer'; fromWitness: boolean; vote: number; epochOff: number; lateMs: number; names: number }
  | { kind: 'peer'; asks: boolean; epochOff: number; release: boolean; priority: number; vips: boolean }
  | { kind: 'disk'; works: boolean }
  | { kind: 'resumed'; gapMs: number }
  | { kind: 'rung'; rung: number; fails: boolean }
  | { kind: 'start'; fails: boolean }
  | { kind: 'adverts'; received: number | null }
  | { kind: 'order'; fence: boolean }
  | { kind: 'gateway'; reachable: boolean }
  | { kind: 'plan'; known: boolean }
  | { kind: 'renew' }
  | { kind: 'tick' }

const running = fc.record({
  keepalived: fc.constantFrom(...keepalivedStates),
  process: fc.constantFrom('running' as const, 'frozen' as const),
  vips: fc.constantFrom('held' as const, 'gone' as const),
})
/** An absent keepalived is always reported as STOP. */
const ended = fc.record({
  keepalived: fc.constant('STOP' as const),
  process: fc.constant('absent' as const),
  vips: fc.constantFrom('held' as const, 'gone' as const),
})
const usual = fc.constantFrom(
  { keepalived: 'MASTER' as const, process: 'running' as const, vips: 'held' as const },
  { keepalived: 'BACKUP' as const, process: 'running' as const, vips: 'gone' as const },
  { keepalived: 'FAULT' as const, process: 'running' as const, vips: 'gone' as const },
)
const kind = <K extends Move['kind']>(name: K): fc.Arbitrary<K> => fc.constant(name)

const move = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: kind('look'), scene: fc.oneof(usual, usual, running, ended) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: kind('answer'),
      fromWitness: fc.boolean(),
      vote: fc.integer({ min: 0, max: 5 }),
      epochOff: fc.constantFrom(0, 0, 0, 0, -1, 1, 5),
      lateMs: fc.constantFrom(0, 5, 20, 200, 1000, 1700, 4000),
      names: fc.integer({ min: 0, max: 2 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: kind('peer'),
      asks: fc.boolean(),
      epochOff: fc.constantFrom(-1, 0, 1, 2, 5),
      release: fc.boolean(),
      priority: fc.constantFrom(100, 150, 200),
      vips: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: kind('disk'), works: fc.constantFrom(true, true, true, false) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: kind('resumed'), gapMs: fc.integer({ min: 801, max: 20_000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: kind('rung'), rung: fc.integer({ min: 0, max: 3 }), fails: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('start'), fails: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: kind('adverts'), received: fc.constantFrom(null, 1, 1, 2) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('order'), fence: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('gateway'), reachable: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: kind('plan'), known: fc.constantFrom(true, true, true, false) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: kind('renew') }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('tick') }) },
)
const afterMs = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 20 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 500 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 20_000 }) },
)
const moves = fc.array(fc.tuple(afterMs, move), { maxLength: 60 })

const setup = fc.record({
  policy: fc.record({
    mode: fc.constantFrom('enforce' as const, 'enforce' as const, 'observe' as const),
    fence: fc.constantFrom('stop' as const, 'fault' as const),
    alone: fc.constantFrom('stop' as const, 'keep' as const),
    rejoin: fc.constantFrom('auto' as const, 'manual' as const),
    hasLastResort: fc.boolean(),
  }),
  profile: fc.record({ nopreempt: fc.boolean() }),
  recovered: fc.constantFrom(
    { kind: 'lost' as const },
    { kind: 'valid' as const, ballot: null, mark: null },
    { kind: 'valid' as const, ballot: { to: node, epoch: 7 }, mark: null },
    { kind: 'valid' as const, ballot: { to: peer, epoch: 7 }, mark: null },
    { kind: 'valid' as const, ballot: { to: node, epoch: 7 }, mark: { epoch: 7, untilMs: 0 } },
  ),
  memory: fc.record({
    stopped: fc.boolean(),
    number: fc.constant(0),
    recentAtMs: fc.constant([]),
  }),
})

/** A guard under random events, and what a bystander has seen of it. */
class Watched {
  readonly driver: GuardDriver
  /** The newest request of each voter whose grant this guard was told. */
  readonly newestGrantMs: Record<string, number> = {}
  readonly #writing: Ballot[] = []
  readonly #onDisk: Ballot[] = []

  constructor(options: ConstructorParameters<typeof GuardDriver>[0] & object) {
    this.driver = new GuardDriver({ ...options, recordsAtOnce: false })
    if (options.recovered?.kind === 'valid' && options.recovered.ballot !== null)
      this.#onDisk.push(options.recovered.ballot)
  }

  play(afterMs: number, move: Move): GuardEffect[] {
    this.driver.sleep(afterMs)
    const effects = this.#make(move)
    for (const effect of effects) if (effect.type === 'record') this.#writing.push(effect.ballot)
    return effects
  }

  wrote(ballot: Ballot): boolean {
    return this.#onDisk.some(({ to, epoch }) => to === ballot.to && epoch === ballot.epoch)
  }

  #make(move: Move): GuardEffect[] {
    const { driver } = this
    switch (move.kind) {
      case 'look':
        return driver.observe(move.scene)
      case 'answer':
        return this.#answer(move)
      case 'peer': {
        const epoch = Math.max(0, driver.guard.voter.epoch + move.epochOff)
        return driver.hearPeer(
          peerReport({
            ask: move.asks ? { epoch } : null,
            release: move.release && !move.asks && !move.vips,
            vips: move.vips ? 'held' : 'gone',
            keepalived: move.vips ? 'MASTER' : 'BACKUP',
            priority: move.priority,
            epoch,
          }),
        )
      }
      case 'disk': {
        const ballot = this.#writing.shift()
        if (ballot === undefined) return driver.tick()
        if (!move.works) return driver.feed({ type: 'record-failed', ballot, error: 'EIO' })
        this.#onDisk.push(ballot)
        return driver.feed({ type: 'recorded', ballot, tookMs: 3 })
      }
      case 'resumed':
        driver.sleep(move.gapMs)
        return driver.feed({ type: 'resumed', gapMs: move.gapMs, jumpedMs: 0 })
      case 'rung':
        return driver.feed({
          type: 'rung-ended',
          rung: (['bar', 'stop', 'kill', 'last-resort'] as const)[move.rung]!,
          error: move.fails ? 'exit code 1' : null,
        })
      case 'start':
        return driver.feed({ type: 'start-ended', error: move.fails ? 'exit code 1' : null })
      case 'adverts':
        return driver.feed({ type: 'adverts', received: move.received })
      case 'order':
        return driver.order(
          move.fence ? 'fence' : 'announce',
          driver.guard.voter.epoch + (move.fence ? 1 : 0),
        )
      case 'gateway':
        return driver.feed({ type: 'gateway', gateway: move.reachable ? 'reachable' : 'unreachable' })
      case 'plan':
        return driver.feed({ type: 'plan', peer: move.known ? peer : null, timing })
      case 'renew':
        return driver.renew()
      case 'tick':
        return driver.tick()
    }
  }

  #answer(move: Move & { kind: 'answer' }): GuardEffect[] {
    const { driver } = this
    const from = move.fromWitness ? witness : peer
    const epoch = Math.max(0, (driver.guard.candidacy?.epoch ?? driver.guard.voter.epoch) + move.epochOff)
    const sentAtMs = driver.atMs - move.lateMs
    const vote = this.#vote(move.vote, epoch)
    if (vote.kind === 'granted')
      this.newestGrantMs[from] = Math.max(this.newestGrantMs[from] ?? -Infinity, sentAtMs)
    const holder = [null, node, peer][move.names] ?? null
    return driver.answer(from, vote, {
      sentAtMs,
      holder,
      renewedAgoMs: holder === null ? null : move.lateMs / 2,
      epoch,
    })
  }

  #vote(choice: number, epoch: number): Vote {
    if (choice <= 2) return { kind: 'granted', epoch }
    if (choice === 3) return { kind: 'pending', epoch }
    if (choice === 4) return { kind: 'none' }
    const reason = refusalReasons[epoch % refusalReasons.length]!
    return { kind: 'refused', reason, text: reason }
  }
}

function always(
  check: (watched: Watched, effects: GuardEffect[], before: GuardDriver['guard']) => void,
): void {
  fc.assert(
    fc.property(setup, moves, (options, story) => {
      const watched = new Watched(options)
      for (const [afterMs, move] of story) {
        const before = watched.driver.guard
        check(watched, watched.play(afterMs, move as Move), before)
      }
    }),
    { numRuns: 1500 },
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
      if (driver.phase === 'holding') assert.ok(driver.deadlineMs !== null && driver.deadlineMs > driver.atMs)
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

  it('releases nothing while keepalived is MASTER here or the kernel has the VIP', () => {
    always(({ driver }) => {
      const { seen, observed } = driver.guard
      const free = observed && seen.vips === 'gone' && seen.keepalived !== 'MASTER'
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
