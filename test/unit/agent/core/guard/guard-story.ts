/** Random lives of a guard: what can happen to it, and a bystander who plays it and remembers. */
import fc from 'fast-check'
import type { Guard, GuardEffect } from '../../../../../agent/core/guard/guard.ts'
import { keepalivedStates } from '../../../../../shared/protocol/report.ts'
import { type Vote, refusalReasons } from '../../../../../shared/protocol/messages.ts'
import { witness } from '../../../../../shared/protocol/names.ts'
import type { Ballot } from '../../../../../shared/core/vote/voter.ts'
import { GuardDriver, node, peer, peerReport, timing } from './guard-fixture.ts'

export type Move =
  | { kind: 'look'; scene: Guard['seen'] }
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
/** What happens how many milliseconds after the one before. */
export type Story = readonly (readonly [number, Move])[]
export const moves: fc.Arbitrary<Story> = fc.array(fc.tuple(afterMs, move), {
  maxLength: 60,
})

const backup = { keepalived: 'BACKUP' as const, process: 'running' as const, vips: 'gone' as const }
const master = { keepalived: 'MASTER' as const, process: 'running' as const, vips: 'held' as const }
const fault = { keepalived: 'FAULT' as const, process: 'running' as const, vips: 'gone' as const }
const fromWitness = { kind: 'answer' as const, fromWitness: true, epochOff: 0, lateMs: 5, names: 0 }
const holdingPeer = {
  kind: 'peer' as const,
  asks: false,
  epochOff: 0,
  release: false,
  priority: 100,
  vips: true,
}
const heard: Story = [
  [0, { ...fromWitness, vote: 4 }],
  [5, { kind: 'look', scene: backup }],
]
const won: Story = [
  ...heard,
  [2000, { ...fromWitness, vote: 4 }],
  [0, { kind: 'look', scene: master }],
  [2, { kind: 'disk', works: true }],
  [5, { ...fromWitness, vote: 0 }],
]
/** The peer holds, and none of its adverts arrive. */
const unheard: Story = [
  [0, { kind: 'look', scene: fault }],
  [0, { ...fromWitness, vote: 4, names: 2 }],
  [0, holdingPeer],
  [0, { kind: 'look', scene: backup }],
  [10, { kind: 'adverts', received: 1 }],
  [1000, holdingPeer],
  [0, { ...fromWitness, vote: 4, names: 2 }],
  [1000, holdingPeer],
  [0, { ...fromWitness, vote: 4, names: 2 }],
  [300, { kind: 'tick' }],
  [5, { kind: 'adverts', received: 1 }],
]
/** Nobody renews any more: E2's instant comes, and the bar works. */
const outlived: Story = [...won, [1600, { kind: 'tick' }], [3, { kind: 'look', scene: fault }]]
/** Ways into the phases that chance alone seldom reaches. */
export const beginnings: fc.Arbitrary<Story> = fc.constantFrom<Story[]>([], heard, won, outlived, unheard)

export const setup = fc.record({
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
export class Watched {
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
