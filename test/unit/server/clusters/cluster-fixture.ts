/** A witness for one cluster with agents that speak to it, for the tests of its pure core. */
import assert from 'node:assert/strict'
import {
  arbitrate,
  createArbiter,
  nextDeadlineMs,
  type Arbiter,
  type ArbiterEffect,
  type ArbiterEvent,
  type ArbiterOptions,
  type InstanceState,
  type Occurrence,
  type RecoveredLedger,
} from '../../../../server/core/arbiter/arbiter.ts'
import type { Answer, Hello, Order, VoterReply, Vote } from '../../../../shared/protocol/messages.ts'
import type { Member, Profile } from '../../../../shared/protocol/plan.ts'
import type { Report } from '../../../../shared/protocol/report.ts'
import { defaultTiming } from '../../../../shared/core/timing.ts'
import type { Ballot, Mark, RecoveredBallot } from '../../../../shared/core/vote/voter.ts'

export const instance = 'VI_1'
export const pair: readonly Member[] = [
  { name: 'lb01', address: '10.0.0.11', port: 7401, leastGeneration: 1 },
  { name: 'lb02', address: '10.0.0.12', port: 7401, leastGeneration: 1 },
]
export const startedAtMs = 100_000
export const { leaseMs, reserveMs, renewMs, claimMs } = defaultTiming
export const silentAfterMs = 3 * renewMs

export const profile: Profile = {
  instance,
  virtualRouterId: 51,
  interface: 'eth0',
  version: 2,
  priority: 100,
  nopreempt: false,
  advertIntMs: 1000,
  vips: ['10.0.0.100/24'],
}

export function helloOf(node: string, changes: Partial<Hello> = {}): Hello {
  return {
    type: 'hello',
    protocol: 1,
    cluster: 'web',
    node,
    incarnation: `${node}-start-1`,
    bootId: `${node}-boot-1`,
    software: 'witness-agent 0.1.0',
    listener: { address: null, port: 7401 },
    mode: 'enforce',
    profiles: [profile],
    ...changes,
  }
}

/** A standby that may take over and hears its peer. */
export const standby: Report = {
  instance,
  phase: 'standby',
  why: 'may become MASTER',
  keepalived: 'BACKUP',
  process: 'running',
  vips: 'gone',
  priority: 100,
  nopreempt: false,
  ask: null,
  release: false,
  epoch: 0,
  witnessEpoch: 0,
  peerSilentMs: 50,
  checkSilentMs: 200,
  gateway: 'reachable',
  fence: null,
  warnings: [],
}
/** MASTER with the VIP, asking under `epoch`. */
export const claiming = (epoch: number): Partial<Report> => ({
  phase: 'claiming',
  why: 'asking for the votes',
  keepalived: 'MASTER',
  vips: 'held',
  ask: { epoch },
  epoch,
})
export const holding = (epoch: number): Partial<Report> => ({
  ...claiming(epoch),
  phase: 'holding',
  why: 'holds the lease',
  witnessEpoch: epoch,
})
/** The VIP is gone from the kernel and keepalived is not MASTER. */
export const released: Partial<Report> = { release: true }
export const peerUnheard: Partial<Report> = { peerSilentMs: null }

/** Both nodes have said what they call the instance, and it was noted. */
const known = new Map([
  [
    instance,
    new Map(
      pair.map(({ name }) => [name, { instance, virtualRouterId: 51, vips: profile.vips, present: true }]),
    ),
  ],
])

/** What a ledger in order hands on: these ballots, and nothing of any other instance. */
export function recoveredLedger(ballots: Iterable<[string, RecoveredBallot]> = []): RecoveredLedger {
  return { ballots: new Map(ballots), others: 'new', known }
}

export class Witness {
  arbiter: Arbiter
  atMs: number
  /** Of the newest event. */
  effects: readonly ArbiterEffect[] = []
  /** Of every event so far. */
  readonly happened: ArbiterEffect[] = []
  /** What the arbiter was made from. */
  readonly origin: ArbiterOptions
  /** Every event so far. */
  readonly history: ArbiterEvent[] = []
  /** What the shell would have on disk and in its marks. */
  readonly ledger = new Map<string, Ballot>()
  readonly marks = new Map<string, Mark>()
  #connections = 0
  #checks = 0

  constructor(options: Partial<ArbiterOptions> = {}) {
    this.atMs = options.atMs ?? startedAtMs
    this.origin = {
      cluster: 'web',
      timing: defaultTiming,
      members: pair,
      recovered: recoveredLedger(),
      atMs: this.atMs,
      ...options,
    }
    this.arbiter = createArbiter(this.origin)
  }

  /** A witness that has run for longer than any promise from before its start. */
  static settled(options: Partial<ArbiterOptions> = {}): Witness {
    const witness = new Witness(options)
    witness.pass(reserveMs)
    return witness
  }

  feed(event: ArbiterEvent): readonly ArbiterEffect[] {
    this.history.push(event)
    const { arbiter, effects } = arbitrate(this.arbiter, event)
    this.arbiter = arbiter
    this.effects = effects
    this.happened.push(...effects)
    for (const effect of effects) if (effect.type === 'mark') this.marks.set(effect.instance, effect.mark)
    return effects
  }

  /** Time passes; the arbiter gets its ticks on the way, and agents named here go on with their newest report. */
  pass(ms: number, ...beating: Agent[]): void {
    const untilMs = this.atMs + ms
    let beatAtMs = this.atMs + renewMs
    for (;;) {
      const deadlineMs = nextDeadlineMs(this.arbiter)
      const nextMs = Math.min(untilMs, deadlineMs, beatAtMs)
      this.atMs = nextMs
      if (nextMs === beatAtMs) {
        for (const agent of beating) agent.again()
        beatAtMs += renewMs
      }
      this.feed({ type: 'tick', atMs: this.atMs })
      if (nextMs === untilMs) return
    }
  }

  agent(node: string, changes: Partial<Hello> = {}, remoteAddress = '10.0.0.99'): Agent {
    return new Agent(this, ++this.#connections, helloOf(node, changes), remoteAddress)
  }

  /** Both agents of the pair, standing by. */
  agents(): [Agent, Agent] {
    const agents: [Agent, Agent] = [this.agent('lb01'), this.agent('lb02')]
    for (const agent of agents) agent.beat()
    return agents
  }

  /** keepalived on a node asks by its check; undefined: no answer yet. */
  check(
    node: string,
    of = instance,
    bootId: string | null = null,
  ): { permit: boolean; text: string } | undefined {
    const check = ++this.#checks
    this.feed({ type: 'check', atMs: this.atMs, check, node, instance: of, bootId })
    return this.checkAnswer(check)
  }

  /** Of the newest event. */
  checkAnswer(check = this.#checks): { permit: boolean; text: string } | undefined {
    const found = this.effects.find((effect) => effect.type === 'answer-check' && effect.check === check)
    return found?.type === 'answer-check' ? { permit: found.permit, text: found.text } : undefined
  }

  /** The ballot under way reaches the disk. */
  written(of = instance): readonly ArbiterEffect[] {
    const { pledge } = this.state(of).voter
    assert.ok(pledge.phase === 'recording', `nothing is being written for ${of}: ${pledge.phase}`)
    const { ballot } = pledge
    this.ledger.set(of, ballot)
    return this.feed({ type: 'recorded', atMs: this.atMs, instance: of, ballot })
  }

  writeFails(of = instance): readonly ArbiterEffect[] {
    const { pledge } = this.state(of).voter
    assert.ok(pledge.phase === 'recording')
    const { ballot } = pledge
    return this.feed({ type: 'record-failed', atMs: this.atMs, instance: of, ballot, error: 'ENOSPC' })
  }

  members(members: readonly Member[]): void {
    this.feed({ type: 'members', atMs: this.atMs, members })
  }

  echo(node: string, roundTripMs: number | null, times = 1): void {
    for (let i = 0; i < times; i++) this.feed({ type: 'echo', atMs: this.atMs, node, roundTripMs })
  }

  state(of = instance): InstanceState {
    const state = this.arbiter.instances.get(of)
    assert.ok(state !== undefined, `no instance ${of}`)
    return state
  }

  /** What operators read of the newest event. */
  occurred(): Occurrence[] {
    return this.effects.flatMap((effect) => (effect.type === 'occurred' ? [effect.occurrence] : []))
  }

  /** Everything that operators could read so far, by name. */
  told(): string[] {
    return this.happened.flatMap((effect) => (effect.type === 'occurred' ? [effect.occurrence.event] : []))
  }

  situation(of = instance): { situation: string; text: string; level: string; decision: string | null } {
    const { judgement } = this.state(of)
    assert.ok(judgement !== null)
    return judgement
  }

  /** The process ends and another starts on what is on disk. */
  restarted(how: { marks: boolean; downMs?: number }): Witness {
    const recovered = new Map<string, RecoveredBallot>(
      [...this.ledger].map(([of, ballot]) => [
        of,
        { kind: 'valid', ballot, mark: how.marks ? (this.marks.get(of) ?? null) : null },
      ]),
    )
    return new Witness({
      recovered: { ...recoveredLedger(recovered), known: this.arbiter.known },
      atMs: this.atMs + (how.downMs ?? 0),
    })
  }
}

export class Agent {
  readonly witness: Witness
  readonly connection: number
  readonly hello: Hello
  readonly remoteAddress: string
  seq = 0
  #newest: Partial<Report> = {}
  /** `atMs` of the newest answer that it has read. */
  echoMs: number | null = null
  /** What it says to have on disk of the plan. */
  planKept: string | undefined

  constructor(witness: Witness, connection: number, hello: Hello, remoteAddress: string) {
    this.witness = witness
    this.connection = connection
    this.hello = hello
    this.remoteAddress = remoteAddress
    this.greet()
  }

  greet(): readonly ArbiterEffect[] {
    const { connection, hello, remoteAddress, witness } = this
    return witness.feed({ type: 'hello', atMs: witness.atMs, connection, hello, remoteAddress })
  }

  /** @returns the vote on the only report */
  beat(changes: Partial<Report> = {}): Vote | undefined {
    this.#newest = changes
    return this.say([{ ...standby, ...changes }])[0]?.vote
  }

  again(): Vote | undefined {
    return this.beat(this.#newest)
  }

  /** @returns the verdicts of the answer to this very beat */
  say(reports: readonly Report[], seq = ++this.seq): VoterReply[] {
    const { witness, connection, echoMs, planKept } = this
    witness.feed({
      type: 'beat',
      atMs: witness.atMs,
      connection,
      beat: {
        type: 'beat',
        seq,
        echoMs,
        leaseMs,
        ...(planKept === undefined ? {} : { planKept }),
        reports: [...reports],
      },
    })
    const answer = this.answers().at(-1)
    if (answer === undefined) return []
    this.echoMs = answer.atMs
    return answer.verdicts
  }

  /** To this agent, of the newest event. */
  answers(): Answer[] {
    return this.messages().flatMap((message) => (message.type === 'answer' ? [message] : []))
  }

  orders(effects = this.witness.effects): Order[] {
    return this.messages(effects).flatMap((message) => (message.type === 'order' ? [message] : []))
  }

  messages(effects = this.witness.effects): (ArbiterEffect & { type: 'send' })['message'][] {
    return effects.flatMap((effect) =>
      effect.type === 'send' && effect.connection === this.connection ? [effect.message] : [],
    )
  }

  /** Of the newest event: the second answer to a beat whose vote was pending. */
  lateVote(): Vote | undefined {
    return this.answers()[0]?.verdicts[0]?.vote
  }

  /** Claims, and the disk answers at once. */
  win(epoch: number): void {
    const vote = this.beat(claiming(epoch))
    assert.equal(vote?.kind, 'pending', JSON.stringify(vote))
    this.witness.written()
    this.beat(holding(epoch))
  }

  close(): readonly ArbiterEffect[] {
    return this.witness.feed({ type: 'closed', atMs: this.witness.atMs, connection: this.connection })
  }
}

export const refusal = (vote: Vote | undefined): string | undefined =>
  vote?.kind === 'refused' ? vote.reason : vote?.kind
export const typesOf = (effects: readonly ArbiterEffect[]): string[] =>
  effects.map((effect) => (effect.type === 'send' ? effect.message.type : effect.type))
