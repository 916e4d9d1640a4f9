import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  arbitrate,
  createArbiter,
  nextDeadlineMs,
  type Arbiter,
  type ArbiterEffect,
  type ArbiterEvent,
  type RecoveredLedger,
} from '../../../../../server/core/arbiter/arbiter.ts'
import type { Beat, FromVoter, Hello } from '../../../../../shared/protocol/messages.ts'
import type { Report } from '../../../../../shared/protocol/report.ts'
import { defaultTiming, type Timing } from '../../../../../shared/core/timing.ts'
import {
  type Ballot,
  type Mark,
  type RecoveredBallot,
  promisedTo,
} from '../../../../../shared/core/vote/voter.ts'
import {
  claiming,
  helloOf,
  holding,
  leaseMs,
  pair,
  reserveMs,
  silentAfterMs,
  standby,
} from '../../clusters/cluster-fixture.ts'
import { storiesFrom } from '../../../../fixtures/effort.ts'

describe('arbiter, over any interleaving of agents, clones, checks, disks and restarts', () => {
  it('never lets two nodes count its vote as theirs, never repeats or lowers an epoch, and gives its vote again', function () {
    this.timeout(120_000)
    fc.assert(
      fc.property(runs(), (steps) => {
        const world = new World()
        world.play(steps)
        world.heal()
      }),
      { numRuns: storiesFrom(500) },
    )
  })

  const notices = (change: Partial<Options>): string => {
    const details = fc.check(
      fc.property(runs(), (steps) => {
        new World(change).play(steps)
      }),
      { numRuns: 20_000, endOnFailure: true },
    )
    return String(details.errorInstance)
  }

  it('is a test that notices promises which are shorter than the leases behind them', function () {
    this.timeout(60_000)
    assert.match(notices({ promiseMs: leaseMs - 20 }), /count the vote as theirs/)
  })

  it('is a test that notices a ledger that forgets', function () {
    this.timeout(60_000)
    assert.match(notices({ ledgerForgets: true }), /count the vote as theirs|granted|epoch/)
  })
})

const instances = ['VI_1', 'VI_2'] as const
type Instance = (typeof instances)[number]
const hostNames = ['lb01', 'lb02', 'lb01-clone', 'lb02-clone'] as const
type HostName = (typeof hostNames)[number]
type Manner = 'stand-by' | 'release' | 'renew' | 'raise'

interface Options {
  /** What the witness promises for; shorter than the leases in a test of the test. */
  promiseMs: number
  /** Whether restarts find no ballot at all, and nobody notices. */
  ledgerForgets: boolean
}

type Step =
  | { do: 'pass'; ms: number; ticks: boolean }
  /** To the instant at which the promise ends, or just before or after it. */
  | { do: 'jump'; of: Instance; byMs: number }
  | { do: 'connect' | 'hang-up' | 'vanish' | 'restart-agent' | 'reboot'; host: HostName }
  | {
      do: 'beat'
      host: HostName
      manner: Record<Instance, Manner>
      hearsPeer: boolean
      priority: number
      at: 'once' | 'later'
    }
  | { do: 'deliver'; line: number; most: number }
  | { do: 'ask-check'; node: 'lb01' | 'lb02'; of: Instance; at: 'once' | 'later' }
  | { do: 'deliver-check' }
  | { do: 'written' }
  | { do: 'write-failed'; landed: boolean }
  | { do: 'paused'; ms: number }
  | {
      do: 'restart'
      marks: boolean
      landed: boolean
      ledger: 'kept' | 'lost' | 'rolled back'
      downMs: number
    }

function runs(): fc.Arbitrary<Step[]> {
  const host = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom<HostName>('lb01', 'lb02') },
    { weight: 1, arbitrary: fc.constantFrom<HostName>('lb01-clone', 'lb02-clone') },
  )
  const of = fc.constantFrom<Instance>('VI_1', 'VI_1', 'VI_1', 'VI_2')
  const at = fc.constantFrom('once' as const, 'once' as const, 'later' as const)
  const manner = fc.constantFrom<Manner>('renew', 'renew', 'renew', 'raise', 'raise', 'release', 'stand-by')
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('pass' as const),
        ms: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 100, max: 2200 })),
        ticks: fc.boolean(),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant('jump' as const), of, byMs: fc.constantFrom(-1, 0, 0, 1) }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('connect' as const), host }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constantFrom(
          'hang-up' as const,
          'vanish' as const,
          'restart-agent' as const,
          'reboot' as const,
        ),
        host,
      }),
    },
    {
      weight: 14,
      arbitrary: fc.record({
        do: fc.constant('beat' as const),
        host,
        manner: fc.record({ VI_1: manner, VI_2: manner }),
        hearsPeer: fc.boolean(),
        priority: fc.integer({ min: 1, max: 3 }),
        at,
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('deliver' as const),
        line: fc.nat(9),
        most: fc.integer({ min: 1, max: 4 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('ask-check' as const),
        node: fc.constantFrom('lb01' as const, 'lb02' as const),
        of,
        at,
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('deliver-check' as const) }) },
    { weight: 12, arbitrary: fc.record({ do: fc.constant('written' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('write-failed' as const), landed: fc.boolean() }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('paused' as const), ms: fc.integer({ min: 800, max: 2500 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('restart' as const),
        marks: fc.boolean(),
        landed: fc.boolean(),
        ledger: fc.constantFrom('kept' as const, 'kept' as const, 'lost' as const, 'rolled back' as const),
        downMs: fc.integer({ min: 0, max: 2500 }),
      }),
    },
  )
  return fc.array(step, { minLength: 20, maxLength: 120, size: 'max' })
}

type Message = { type: 'hello'; hello: Hello } | { type: 'beat'; beat: Beat } | { type: 'closed' }

/** One connection of an agent. What is in its outbox arrives in its order, late or never. */
interface Line {
  readonly owner: HostName
  readonly connection: number
  readonly outbox: Message[]
  /** Of each beat: when it left, and as the how manieth deed of all. */
  readonly sent: Map<number, { atMs: number; deed: number }>
  echoMs: number | null
}

/** What a host knows and counts of one instance. */
interface Stake {
  /** The epoch it asks under; null: it wants no vote. */
  asks: number | null
  known: number
  /** The highest epoch that the witness granted to it. */
  granted: number
  leaseUntilMs: number
  /** Requests from before this deed count for nothing: the host has proved that its VIP is gone. */
  releasedAt: number
}

class Host {
  readonly name: HostName
  /** What it calls itself. */
  readonly node: 'lb01' | 'lb02'
  readonly stakes: Record<Instance, Stake>
  boots = 1
  starts = 1
  seq = 0
  line: Line | null = null

  constructor(name: HostName) {
    this.name = name
    this.node = name.startsWith('lb01') ? 'lb01' : 'lb02'
    const stake = { asks: null, known: 0, granted: 0, leaseUntilMs: -Infinity, releasedAt: 0 }
    this.stakes = { VI_1: { ...stake }, VI_2: { ...stake } }
  }

  get isClone(): boolean {
    return this.name !== this.node
  }

  get hello(): Hello {
    return helloOf(this.node, {
      incarnation: `${this.name}-start-${this.starts}`,
      bootId: `${this.name}-boot-${this.boots}`,
    })
  }
}

interface AskedCheck {
  readonly check: number
  readonly node: 'lb01' | 'lb02'
  readonly of: Instance
  readonly sentAtMs: number
  readonly deed: number
}

/** A witness with its disk and marks, two hosts, a clone of each, and their keepalived's checks. One clock for all. */
class World {
  readonly #options: Partial<Options>
  readonly #timing: Timing
  #atMs = 100_000
  #arbiter: Arbiter
  /** As it was at the turn's begin. */
  #before: Arbiter
  #startedAtMs = this.#atMs
  /** Which host spoke for a node when the witness went down. */
  readonly #spokeFor = new Map<string, string>()
  readonly #cloned = new Set<string>()
  readonly #checked = new Set<string>()
  readonly #hosts = Object.fromEntries(hostNames.map((name) => [name, new Host(name)])) as Record<
    HostName,
    Host
  >
  #lines: Line[] = []
  #connections = 0
  #deeds = 0
  #checks = 0
  readonly #asked = new Map<number, AskedCheck>()
  #checksUnderWay: AskedCheck[] = []
  /** Leases by the word of the check: keepalived of that node goes by it, whatever its agent knows. */
  readonly #checkLeases = { lb01: { VI_1: 0, VI_2: 0 }, lb02: { VI_1: 0, VI_2: 0 } }

  #disk: ReadonlyMap<string, Ballot> = new Map()
  readonly #oldDisks: ReadonlyMap<string, Ballot>[] = []
  #lostBefore = false
  #damaged = false
  #rolledBack = false
  #marks = new Map<string, Mark>()
  #marksWereLost = false
  #writes: { instance: string; ballot: Ballot }[] = []

  readonly #granted: Record<Instance, Map<number, string>> = { VI_1: new Map(), VI_2: new Map() }
  readonly #highestGranted: Record<Instance, number> = { VI_1: 0, VI_2: 0 }

  constructor(options: Partial<Options> = {}) {
    this.#options = options
    // E1 is not asked here: clocks are one. In a test of the test the witness forgets too early.
    const { promiseMs } = options
    this.#timing =
      promiseMs === undefined ? defaultTiming : { ...defaultTiming, leaseMs: 1, reserveMs: promiseMs }
    this.#arbiter = this.#create()
    this.#before = this.#arbiter
  }

  play(steps: readonly Step[]): void {
    for (const step of steps) {
      this.#take(step)
      this.#verify()
    }
  }

  /** Every fault ends; then the first that asks again gets the vote. */
  heal(): void {
    for (const host of Object.values(this.#hosts)) this.#hangUp(host)
    for (const line of [...this.#lines]) this.#deliver(line, Infinity)
    this.#land()
    this.#pass(2 * reserveMs + silentAfterMs, true)
    const lb01 = this.#hosts.lb01
    lb01.boots++
    this.#restartAgent(lb01)
    this.#connect(lb01)
    const manner: Record<Instance, Manner> = { VI_1: 'raise', VI_2: 'raise' }
    const served = (of: Instance): boolean => lb01.stakes[of].leaseUntilMs > this.#atMs
    for (let tries = 0; tries < 30 && !instances.every(served); tries++) {
      for (const of of instances) manner[of] = served(of) ? 'renew' : 'raise'
      this.#beat(lb01, { manner, hearsPeer: true, priority: 1 })
      for (const line of [...this.#lines]) this.#deliver(line, Infinity)
      this.#land()
      this.#verify()
      this.#pass(200, true)
    }
    assert.ok(instances.every(served), `the vote is never given again: ${JSON.stringify(this.#pledges())}`)
  }

  #pledges(): unknown {
    return [...this.#arbiter.instances].map(([of, { voter }]) => [of, voter])
  }

  #land(): void {
    while (this.#writes.length > 0) this.#written()
  }

  #verify(): void {
    for (const of of instances) {
      const byAgent = Object.values(this.#hosts).filter((host) => this.#atMs < host.stakes[of].leaseUntilMs)
      const byCheck = (['lb01', 'lb02'] as const).filter((node) => this.#atMs < this.#checkLeases[node][of])
      const nodes = new Set([...byAgent.map(({ node }) => node), ...byCheck])
      assert.ok(nodes.size < 2, `${[...nodes].join(' and ')} count the vote as theirs for ${of}`)
      const hosts = byAgent.map(({ name }) => name)
      assert.ok(hosts.length < 2, `the hosts ${hosts.join(' and ')} count the vote as theirs for ${of}`)
    }
  }

  #take(step: Step): void {
    switch (step.do) {
      case 'pass':
        return this.#pass(step.ms, step.ticks)
      case 'jump': {
        const pledge = this.#arbiter.instances.get(step.of)?.voter.pledge
        if (pledge?.phase === 'promised' || pledge?.phase === 'waiting')
          this.#atMs = Math.max(this.#atMs, pledge.untilMs + step.byMs)
        return
      }
      case 'connect':
        return this.#connect(this.#hosts[step.host])
      case 'hang-up':
        return this.#hangUp(this.#hosts[step.host])
      case 'vanish':
        this.#hosts[step.host].line = null
        return
      case 'restart-agent':
        return this.#restartAgent(this.#hosts[step.host])
      case 'reboot':
        return this.#reboot(this.#hosts[step.host])
      case 'beat': {
        const host = this.#hosts[step.host]
        if (host.line === null) this.#connect(host)
        this.#beat(host, step)
        if (step.at === 'once' && host.line !== null) this.#deliver(host.line, Infinity)
        return
      }
      case 'deliver': {
        const busy = this.#lines.filter(({ outbox }) => outbox.length > 0)
        const line = busy[step.line % Math.max(1, busy.length)]
        if (line !== undefined) this.#deliver(line, step.most)
        return
      }
      case 'ask-check':
        // A release that the check overtakes: see "the check of a node" in arbiter.test.ts.
        if (this.#isReleasing(step.node, step.of)) return
        // A check does not say from which of two hosts of one name it comes: see "two live agents" there.
        if (this.#cloned.has(step.node)) return
        this.#checked.add(step.node)
        this.#checksUnderWay.push({
          check: ++this.#checks,
          node: step.node,
          of: step.of,
          sentAtMs: this.#atMs,
          deed: ++this.#deeds,
        })
        if (step.at === 'once') this.#deliverChecks()
        return
      case 'deliver-check':
        return this.#deliverChecks()
      case 'written':
        return this.#written()
      case 'write-failed': {
        const write = this.#writes.shift()
        if (write === undefined) return
        if (step.landed) this.#toDisk(write)
        return this.#feed({ type: 'record-failed', atMs: this.#atMs, ...write, error: 'EIO' })
      }
      case 'paused':
        this.#atMs += step.ms
        return this.#feed({ type: 'resumed', atMs: this.#atMs, gapMs: step.ms, jumpedMs: 0 })
      case 'restart':
        return this.#restart(step)
    }
  }

  #isReleasing(name: HostName, of: Instance): boolean {
    return this.#lines
      .filter(({ owner }) => owner === name)
      .flatMap(({ outbox }) => outbox)
      .some(
        (message) =>
          message.type === 'beat' &&
          message.beat.reports.some(({ instance, release }) => release && instance === of),
      )
  }

  #pass(ms: number, ticks: boolean): void {
    const untilMs = this.#atMs + ms
    while (ticks && nextDeadlineMs(this.#arbiter) < untilMs) {
      this.#atMs = Math.max(this.#atMs, nextDeadlineMs(this.#arbiter))
      this.#feed({ type: 'tick', atMs: this.#atMs })
    }
    this.#atMs = untilMs
  }

  // -------------------------------------------------------------------------------------------------------------------
  // The hosts.

  #connect(host: Host): void {
    // A witness that restarted knows nodes by nothing but their names: see "two live agents" in arbiter.test.ts.
    if (host.isClone) {
      if (this.#checked.has(host.node)) return
      this.#cloned.add(host.node)
    }
    const spokenFor = this.#spokeFor.get(host.node)
    const early = this.#atMs < this.#startedAtMs + 2 * reserveMs
    if (early && spokenFor !== undefined && spokenFor !== host.name) return
    this.#hangUp(host)
    host.line = {
      owner: host.name,
      connection: ++this.#connections,
      outbox: [],
      sent: new Map(),
      echoMs: null,
    }
    this.#lines.push(host.line)
    host.line.outbox.push({ type: 'hello', hello: host.hello })
  }

  #hangUp(host: Host): void {
    host.line?.outbox.push({ type: 'closed' })
    host.line = null
  }

  /** keepalived goes on meanwhile, and so does what its node counts. */
  #restartAgent(host: Host): void {
    this.#hangUp(host)
    host.starts++
    host.seq = 0
    for (const of of instances) host.stakes[of].asks = null
  }

  #reboot(host: Host): void {
    host.line = null
    host.boots++
    this.#restartAgent(host)
    for (const of of instances) this.#giveUp(host, of)
  }

  #giveUp(host: Host, of: Instance): void {
    const stake = host.stakes[of]
    stake.asks = null
    stake.leaseUntilMs = -Infinity
    stake.releasedAt = ++this.#deeds
    if (!host.isClone) this.#checkLeases[host.node][of] = 0
  }

  #beat(host: Host, step: Pick<Step & { do: 'beat' }, 'manner' | 'hearsPeer' | 'priority'>): void {
    const { line } = host
    if (line === null) return
    const reports = instances.map((of): Report => {
      const stake = host.stakes[of]
      const manner = step.manner[of]
      if (manner === 'release') this.#giveUp(host, of)
      if (manner === 'stand-by') stake.asks = null
      if (manner === 'raise' || (manner === 'renew' && stake.asks === null))
        stake.asks = Math.max(stake.known, stake.asks ?? 0) + 1
      const holds = this.#atMs < stake.leaseUntilMs
      return {
        ...standby,
        ...(stake.asks === null ? {} : holds ? holding(stake.asks) : claiming(stake.asks)),
        instance: of,
        release: manner === 'release',
        epoch: Math.max(stake.known, stake.asks ?? 0),
        witnessEpoch: stake.granted,
        peerSilentMs: step.hearsPeer ? 50 : null,
        priority: step.priority,
      }
    })
    const seq = ++host.seq
    line.sent.set(seq, { atMs: this.#atMs, deed: ++this.#deeds })
    line.outbox.push({
      type: 'beat',
      beat: { type: 'beat', seq, echoMs: line.echoMs, leaseMs: this.#asksFor, reports },
    })
  }

  /** A witness that promises too little must not notice by the length of the lease. */
  get #asksFor(): number {
    return this.#options.promiseMs === undefined ? leaseMs : 1
  }

  #deliver(line: Line, most: number): void {
    const { connection } = line
    for (let count = 0; count < most; count++) {
      const message = line.outbox.shift()
      if (message === undefined) return
      const at = { atMs: this.#atMs, connection }
      switch (message.type) {
        case 'hello':
          this.#feed({ type: 'hello', ...at, hello: message.hello, remoteAddress: '10.0.0.99' })
          continue
        case 'beat':
          this.#feed({ type: 'beat', ...at, beat: message.beat })
          continue
        case 'closed':
          this.#lines = this.#lines.filter((other) => other !== line)
          return this.#feed({ type: 'closed', ...at })
      }
    }
  }

  #deliverChecks(): void {
    for (const asked of this.#checksUnderWay.splice(0)) {
      const { check, node, of } = asked
      this.#asked.set(check, asked)
      this.#feed({ type: 'check', atMs: this.#atMs, check, node, instance: of, bootId: null })
    }
  }

  // -------------------------------------------------------------------------------------------------------------------
  // The shell of the witness.

  #feed(event: ArbiterEvent): void {
    this.#before = this.#arbiter
    const { arbiter, effects } = arbitrate(this.#before, event)
    this.#arbiter = arbiter
    const marked = new Set<string>()
    for (const effect of effects) this.#carryOut(effect, marked)
    if (effects.some(({ type }) => type === 'try-ledger'))
      this.#feed({ type: 'ledger-tried', atMs: this.#atMs, error: null })
  }

  #carryOut(effect: ArbiterEffect, marked: Set<string>): void {
    switch (effect.type) {
      case 'record':
        this.#writes.push({ instance: effect.instance, ballot: effect.ballot })
        return
      case 'mark':
        this.#marks.set(effect.instance, effect.mark)
        marked.add(effect.instance)
        return
      case 'send':
        return this.#receive(effect.connection, effect.message, marked)
      case 'close': {
        const line = this.#lines.find(({ connection }) => connection === effect.connection)
        line?.outbox.push({ type: 'closed' })
        for (const host of Object.values(this.#hosts)) if (host.line === line) host.line = null
        return
      }
      case 'answer-check': {
        const asked = this.#asked.get(effect.check)
        assert.ok(asked !== undefined, 'a check is answered that nobody asked, or twice')
        this.#asked.delete(effect.check)
        if (!effect.permit) return
        const { node, of, deed, sentAtMs } = asked
        const promise = promisedTo(this.#voterOf(of), this.#atMs)
        assert.ok(promise?.node === node, 'a check is permitted without a promise behind it')
        this.#noteGrant(of, { to: node, epoch: promise.epoch }, marked)
        if (deed > this.#hosts[node].stakes[of].releasedAt)
          this.#checkLeases[node][of] = Math.max(this.#checkLeases[node][of], sentAtMs + leaseMs)
        return
      }
      case 'occurred':
        if (effect.occurrence.event === 'ledger-rolled-back')
          assert.ok(this.#damaged, `a rollback is told of a ledger in order: ${effect.occurrence.text}`)
        return
      case 'answer-drill':
      case 'keep-drill':
      case 'moved':
      case 'plan-settled':
      case 'try-ledger':
        return
    }
  }

  #voterOf(
    of: Instance,
  ): Arbiter['instances'] extends ReadonlyMap<string, infer S extends { voter: unknown }>
    ? S['voter']
    : never {
    const state = this.#arbiter.instances.get(of)
    assert.ok(state !== undefined)
    return state.voter
  }

  #receive(connection: number, message: FromVoter, marked: Set<string>): void {
    if (message.type !== 'answer') return
    const host = Object.values(this.#hosts).find(({ line }) => line?.connection === connection)
    for (const { instance, vote, epoch } of message.verdicts) {
      const of = instance as Instance
      if (vote.kind === 'granted')
        this.#noteGrant(of, { to: this.#lineOwner(connection), epoch: vote.epoch }, marked)
      // Nobody reads what comes on a connection that was given up.
      if (host?.line == null) continue
      host.line.echoMs = message.atMs
      const stake = host.stakes[of]
      stake.known = Math.max(stake.known, epoch)
      if (vote.kind !== 'granted') continue
      stake.granted = Math.max(stake.granted, vote.epoch)
      const sent = host.line.sent.get(message.seq)
      if (sent === undefined || vote.epoch !== stake.asks || sent.deed < stake.releasedAt) continue
      stake.leaseUntilMs = Math.max(stake.leaseUntilMs, sent.atMs + leaseMs)
    }
  }

  /** The node that this connection speaks for; what becomes due in a turn is answered before the turn's own event. */
  #lineOwner(connection: number): string {
    const node = [...this.#before.nodes.values(), ...this.#arbiter.nodes.values()].find(
      ({ session }) => session?.connection === connection,
    )
    assert.ok(node !== undefined, 'a grant to a connection that speaks for nobody')
    return node.member.name
  }

  #noteGrant(of: Instance, ballot: Ballot, marked: Set<string>): void {
    assert.deepEqual(this.#disk.get(of), ballot, 'granted before it was on disk')
    assert.ok(marked.has(of), 'granted without its mark')
    assert.deepEqual(this.#marks.get(of), {
      epoch: ballot.epoch,
      untilMs: this.#atMs + this.#timing.reserveMs,
    })
    const before = this.#granted[of].get(ballot.epoch)
    assert.ok(before === undefined || before === ballot.to, `epoch ${ballot.epoch} of ${of} granted to both`)
    const highest = this.#highestGranted[of]
    assert.ok(ballot.epoch >= highest, `epoch ${ballot.epoch} of ${of} granted after ${highest}`)
    this.#granted[of].set(ballot.epoch, ballot.to)
    this.#highestGranted[of] = ballot.epoch
  }

  #written(): void {
    const write = this.#writes.shift()
    if (write === undefined) return
    this.#toDisk(write)
    this.#feed({ type: 'recorded', atMs: this.#atMs, ...write })
  }

  #toDisk({ instance, ballot }: { instance: string; ballot: Ballot }): void {
    this.#oldDisks.push(this.#disk)
    this.#disk = new Map([...this.#disk, [instance, ballot]])
  }

  #restart(step: Step & { do: 'restart' }): void {
    for (const { member, session } of this.#arbiter.nodes.values())
      if (session !== null)
        this.#spokeFor.set(member.name, session.hello.incarnation.replace(/-start-.*/, ''))
    if (step.landed) for (const write of this.#writes.slice(0, 1)) this.#toDisk(write)
    this.#writes = []
    this.#asked.clear()
    this.#checksUnderWay = []
    this.#lines = []
    for (const host of Object.values(this.#hosts)) host.line = null
    // A rollback that marks have shown is not written down: see "a ledger that is not to be trusted" in arbiter.test.ts.
    if (!step.marks && !this.#rolledBack) {
      this.#marks = new Map()
      this.#marksWereLost = true
    }
    this.#damage(step.ledger)
    this.#atMs += step.downMs
    this.#startedAtMs = this.#atMs
    this.#arbiter = this.#create()
  }

  /** Once in a run: epochs of a second loss are not told from those of the first. */
  #damage(ledger: (Step & { do: 'restart' })['ledger']): void {
    if (this.#damaged || ledger === 'kept') return
    // Without marks a rolled-back ledger shows only when an agent reports more than it knows.
    const old = this.#oldDisks.at(-2) ?? this.#oldDisks.at(-1)
    if (ledger === 'rolled back' && (this.#marksWereLost || old === undefined)) return
    this.#damaged = true
    this.#lostBefore = ledger === 'lost'
    this.#rolledBack = ledger === 'rolled back'
    this.#disk = ledger === 'lost' ? new Map() : (old ?? new Map())
  }

  #create(): Arbiter {
    return createArbiter({
      cluster: 'web',
      timing: this.#timing,
      members: pair,
      recovered: this.#recovered(),
      atMs: this.#atMs,
    })
  }

  /** As the ledger hands it on (server/records/ledger.ts). */
  #recovered(): RecoveredLedger {
    if (this.#options.ledgerForgets === true) return { ballots: new Map(), others: 'new' }
    const names = new Set([...this.#disk.keys(), ...this.#marks.keys()])
    const ballots = [...names].map((of): [string, RecoveredBallot] => {
      const ballot = this.#disk.get(of) ?? null
      if (ballot === null && this.#lostBefore) return [of, { kind: 'lost' }]
      return [of, { kind: 'valid', ballot, mark: this.#marks.get(of) ?? null }]
    })
    return { ballots: new Map(ballots), others: this.#lostBefore ? 'lost' : 'new' }
  }
}
