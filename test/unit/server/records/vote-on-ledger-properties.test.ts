/**
 * The vote (shared/core/vote/voter.ts) on a real ledger, on a disk that crashes at any system call, with two candidates that
 * count their leases by clocks of their own. At no instant do two of them count the vote as theirs, no epoch is ever
 * given to both or goes back, and what was granted is on the disk, whatever a loss of power leaves.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Ledger } from '../../../../server/records/ledger.ts'
import { defaultTiming, reserveNeededMs, type Timing } from '../../../../shared/core/timing.ts'
import { askVote, ballotLost, ballotRecorded, releaseVote } from '../../../../shared/core/vote/ask.ts'
import {
  type Ballot,
  type Mark,
  type VoteDecision,
  type VoteEffect,
  type Voter,
  expireVote,
} from '../../../../shared/core/vote/voter.ts'
import { recoverVoter } from '../../../../shared/core/vote/recovery.ts'
import { CrashingDisk, everyLoss } from '../../../fixtures/crashing-disk.ts'
import { storiesFrom } from '../../../fixtures/effort.ts'

type Name = 'a' | 'b'
const names = ['a', 'b'] as const
const instance = 'VI_1'
const driftPpm = 10_000
const { leaseMs } = defaultTiming
const enoughMs = reserveNeededMs(leaseMs, driftPpm)

interface Options {
  /** Parts per million by which each clock runs fast. */
  readonly drift: Readonly<Record<Name | 'voter', number>>
  /** T_g: enough, but in a test of the test. */
  readonly reserveMs: number
}

interface Candidate {
  epoch: number
  known: number
  leaseUntilMs: number
}

/** A witness with its voter, ledger and marks; time passes only by command. */
class World {
  readonly disk = new CrashingDisk()
  readonly candidates: Record<Name, Candidate> = {
    a: { epoch: 0, known: 0, leaseUntilMs: -Infinity },
    b: { epoch: 0, known: 0, leaseUntilMs: -Infinity },
  }
  trueMs = 100_000
  voter: Voter | null = null
  #ledger: Ledger | null = null
  /** On tmpfs. */
  #marks: Record<string, Mark> = {}
  #startedBefore = false
  #lost = false
  /** The ask whose ballot is being written, and how its write ended. */
  #writing: { from: Name; ballot: Ballot; sentAtMs: number; written: boolean } | null = null
  readonly #timing: Timing
  readonly #options: Options
  readonly #granted = new Map<number, Name>()
  #highest = 0

  constructor(options: Options) {
    this.#options = options
    this.#timing = { ...defaultTiming, driftPpm, reserveMs: options.reserveMs }
  }

  /** What a host's clock shows, in its steps of 10 ms. */
  clock(of: Name | 'voter'): number {
    return Math.floor((this.trueMs * (1 + this.#options.drift[of] / 1e6)) / 10) * 10
  }

  /** Starts the process, as often as its disk lets it die while it starts. */
  async start(): Promise<void> {
    this.voter = null
    this.#writing = null
    this.disk.restartProcess()
    // Epochs of a second loss are not told from those since the first: the vote remembers no losses.
    if (this.#lost) this.disk.failsAt = Infinity
    this.#ledger = await this.#open(this.disk)
    this.#startedBefore = true
    this.#lost ||= this.#ledger.state.kind === 'lost'
    const { ballots, others } = this.#ledger.recovered(this.#marks)
    const unknown =
      others === 'lost' ? { kind: 'lost' as const } : { kind: 'valid' as const, ballot: null, mark: null }
    const at = { atMs: this.clock('voter'), reserveMs: this.#timing.reserveMs }
    this.voter = recoverVoter(ballots.get(instance) ?? unknown, at)
  }

  async losePower(choices: readonly number[]): Promise<void> {
    let chosen = 0
    this.disk.losePower((options) => (choices[chosen++ % choices.length] ?? 0) % options)
    this.#marks = {}
    await this.start()
  }

  async ask(from: Name, { raise, lateMs }: { raise: number; lateMs: number }): Promise<void> {
    const candidate = this.candidates[from]
    if (raise > 0 || candidate.epoch === 0)
      candidate.epoch = Math.max(candidate.epoch, candidate.known) + raise
    const sentAtMs = this.clock(from)
    this.trueMs += lateMs
    if (this.voter === null) return
    // E1 is a matter of the timing, which a test of the test breaks on purpose.
    const ask = { from, epoch: candidate.epoch, leaseMs: 1, atMs: this.clock('voter') }
    const { voter, effects, decision } = askVote(this.voter, ask, this.#timing)
    this.voter = voter
    candidate.known = Math.max(candidate.known, voter.epoch)
    await this.#execute(effects, { from, sentAtMs })
    await this.#hear(from, decision, sentAtMs)
  }

  /** The disk's answer reaches the voter. */
  async heardFromDisk(): Promise<void> {
    const { voter } = this
    const writing = this.#writing
    if (voter === null || writing === null) return
    this.#writing = null
    if (!writing.written) {
      this.voter = ballotLost(voter, writing.ballot)
      return
    }
    const result = ballotRecorded(voter, writing.ballot, { atMs: this.clock('voter'), timing: this.#timing })
    assert.ok(result !== null)
    this.voter = result.voter
    await this.#execute(result.effects, writing)
    await this.#hear(writing.from, result.decision, writing.sentAtMs)
  }

  async release(from: Name): Promise<void> {
    this.candidates[from].leaseUntilMs = -Infinity
    // What was asked before is worth nothing to it any more.
    if (this.#writing?.from === from) this.#writing.sentAtMs = -Infinity
    if (this.voter === null) return
    const { voter, effects } = releaseVote(expireVote(this.voter, this.clock('voter')), from)
    this.voter = voter
    await this.#execute(effects, { from, sentAtMs: -Infinity })
  }

  verify(): void {
    const holders = names.filter((name) => this.clock(name) < this.candidates[name].leaseUntilMs)
    assert.ok(holders.length < 2, `both count the vote as theirs at ${this.trueMs}`)
  }

  async #execute(effects: readonly VoteEffect[], ask: { from: Name; sentAtMs: number }): Promise<void> {
    for (const effect of effects) {
      if (effect.type === 'mark') this.#marks = { ...this.#marks, [instance]: effect.mark }
      else {
        const writing = { from: ask.from, ballot: effect.ballot, sentAtMs: ask.sentAtMs, written: false }
        this.#writing = writing
        await this.#ledger?.record(instance, effect.ballot).then(
          () => (writing.written = true),
          () => undefined,
        )
        // The process died in the middle of it: there is nobody to hear the disk's answer.
        if (this.disk.calls >= this.disk.diesAt) {
          this.voter = null
          this.#writing = null
        }
      }
    }
  }

  async #hear(from: Name, decision: VoteDecision, sentAtMs: number): Promise<void> {
    if (decision.kind !== 'granted') return
    const { epoch } = decision
    const before = this.#granted.get(epoch)
    assert.ok(before === undefined || before === from, `epoch ${epoch} was granted to both`)
    assert.ok(epoch >= this.#highest, `epoch ${epoch} was granted after ${this.#highest}`)
    this.#granted.set(epoch, from)
    this.#highest = epoch
    for (const disk of everyLoss(this.disk)) {
      const found = (await this.#open(disk)).recovered(null).ballots.get(instance)
      const kept = found?.kind === 'valid' ? found.ballot : null
      assert.deepEqual(kept, { to: from, epoch }, 'granted, and not on the disk after a loss of power')
    }
    const candidate = this.candidates[from]
    candidate.known = Math.max(candidate.known, epoch)
    candidate.leaseUntilMs = Math.max(candidate.leaseUntilMs, sentAtMs + leaseMs)
  }

  #open(fileSystem: CrashingDisk): Promise<Ledger> {
    return Ledger.open({
      dataDir: '/var/lib/witness',
      cluster: 'web',
      seenBefore: this.#startedBefore,
      nowMs: () => 0,
      fileSystem,
    })
  }
}

/** A command needs no model of its own: the world checks itself. */
class Command implements fc.AsyncCommand<object, World> {
  readonly #run: (world: World) => Promise<void> | void
  readonly #text: string

  constructor(text: string, run: (world: World) => Promise<void> | void) {
    this.#text = text
    this.#run = run
  }
  check(): boolean {
    return true
  }
  async run(_model: object, world: World): Promise<void> {
    await this.#run(world)
    if (world.voter === null) await world.start()
    world.verify()
  }
  toString(): string {
    return this.#text
  }
}

const from = fc.constantFrom<Name>('a', 'b')
const passingMs = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 100, max: 2200 }))
const asks = fc
  .tuple(from, fc.constantFrom(0, 0, 1, 1, 3), fc.constantFrom(0, 0, 5, 200, 900))
  .map(
    ([name, raise, lateMs]) =>
      new Command(`ask(${name}, +${raise}, ${lateMs} ms late)`, (world) =>
        world.ask(name, { raise, lateMs }),
      ),
  )
const hearsDisk = fc.constant(new Command('heardFromDisk', (world) => world.heardFromDisk()))
const passes = passingMs.map((ms) => new Command(`pass(${ms})`, (world) => void (world.trueMs += ms)))
/** To where the promise ends, by the voter's clock: that is where a rival may win too early. */
const jumps = fc.constantFrom(-1, 0, 0, 1).map(
  (byMs) =>
    new Command(`jump(${byMs})`, (world) => {
      const pledge = world.voter?.pledge
      if (pledge?.phase !== 'promised' && pledge?.phase !== 'waiting') return
      while (world.clock('voter') < pledge.untilMs) world.trueMs += 1
      world.trueMs += byMs
    }),
)
const commands = [
  asks,
  asks,
  asks,
  hearsDisk,
  hearsDisk,
  passes,
  jumps,
  jumps,
  from.map((name) => new Command(`release(${name})`, (world) => world.release(name))),
  fc
    .integer({ min: 1, max: 14 })
    .map((calls) => new Command(`dieIn(${calls})`, ({ disk }) => void (disk.diesAt = disk.calls + calls))),
  fc
    .integer({ min: 1, max: 14 })
    .map((calls) => new Command(`failIn(${calls})`, ({ disk }) => void (disk.failsAt = disk.calls + calls))),
  fc.constant(new Command('restart', (world) => world.start())),
  fc
    .array(fc.oneof(fc.nat(2), fc.nat(1000)), { minLength: 1, maxLength: 8 })
    .map((choices) => new Command(`losePower(${choices.join()})`, (world) => world.losePower(choices))),
]
const ppm = fc.constantFrom(-driftPpm, 0, driftPpm)
const drifts = fc.oneof(
  fc.constant({ voter: driftPpm, a: -driftPpm, b: -driftPpm }),
  fc.record({ voter: ppm, a: ppm, b: ppm }),
)

function lives(
  reserveMs: number,
): fc.IAsyncProperty<[Options['drift'], Iterable<fc.AsyncCommand<object, World>>]> {
  return fc.asyncProperty(
    drifts,
    fc.commands(commands, { maxCommands: 60, size: 'max' }),
    async (drift, story) => {
      const real = new World({ drift, reserveMs })
      await real.start()
      await fc.asyncModelRun(() => ({ model: {}, real }), story)
    },
  )
}

describe('the vote on a ledger whose disk crashes at any call', function () {
  this.timeout(180_000)
  it('is counted by one candidate at a time, under epochs that never repeat, and is on the disk', () =>
    fc.assert(lives(enoughMs), { numRuns: storiesFrom(133) }))

  it('is a test that notices promises that are too short for the drift', async () => {
    const details = await fc.check(lives(enoughMs - 60), { numRuns: 40_000, endOnFailure: true })
    assert.match(String(details.errorInstance), /both count the vote as theirs/)
  })
})
