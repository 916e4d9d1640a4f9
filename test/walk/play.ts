/** Carries on from a state: time passes, messages arrive, processes start and die. It changes the state it is given. */
import assert from 'node:assert/strict'
import {
  type Guard,
  type GuardEffect,
  type GuardEvent,
  type KeptBallot,
  createGuard,
  decide,
  leaveProgress,
  reportOf,
} from '../../agent/core/guard/guard.ts'
import { nextDeadlineMs as guardDeadlineMs } from '../../agent/core/guard/deadline.ts'
import { keptVoter } from '../../agent/core/guard/own-lease.ts'
import { leaseUntilMs } from '../../agent/core/guard/lease.ts'
import {
  arbitrate,
  createArbiter,
  nextDeadlineMs as arbiterDeadlineMs,
  type ArbiterEffect,
  type ArbiterEvent,
} from '../../server/core/arbiter/arbiter.ts'
import { assertNever } from '../../shared/assert-never.ts'
import { witness } from '../../shared/protocol/names.ts'
import type { FromVoter, VoterReply } from '../../shared/protocol/messages.ts'
import type { Ballot, RecoveredBallot } from '../../shared/core/vote/voter.ts'
import { assertFenced, assertOneLease, noteGrant, noteLease, noteOverlap, noteRelease } from './invariants.ts'
import {
  downAfterSteps,
  instance,
  isCut,
  leaveAfterSteps,
  leavePatienceSteps,
  nodeNames,
  noPermit,
  otherNode,
  profileOf,
  stepMs,
  timing,
  type Body,
  type Disk,
  type Held,
  type Host,
  type Message,
  type NodeName,
  type Outage,
  type Party,
  type State,
  type Way,
} from './state.ts'

type Timeless<Event> = Event extends { readonly atMs: number } ? Omit<Event, 'atMs'> : never

/** So many beats of one node may leave at one instant. */
const beatsOfInstant = 64

export class Play {
  readonly state: State
  /** What happens at this very instant, in its order. */
  readonly #agenda: (() => void)[] = []

  constructor(state: State) {
    this.state = state
  }

  // Time -------------------------------------------------------------------------------------------------------------

  /** @param order who is first where two are due at one instant */
  step(order: readonly NodeName[]): void {
    const { state } = this
    const endMs = state.atMs + stepMs
    for (;;) {
      const dueMs = Math.min(...this.#deadlines().filter((deadlineMs) => deadlineMs > state.atMs))
      if (dueMs >= endMs) break
      state.atMs = dueMs
      this.#tick(order, dueMs)
    }
    state.atMs = endMs
    this.#finishWrites()
    this.#runKeepalived(order)
    for (const name of order) this.#renew(state.hosts[name])
    for (const name of order) this.#goOnLeaving(state.hosts[name])
    this.#tick(order, Infinity)
    noteOverlap(state)
  }

  #deadlines(): number[] {
    const { arbiter, hosts } = this.state
    const guards = nodeNames.map((name) => hosts[name].guard)
    const wanted = guards.map((guard) => (guard === null ? null : guardDeadlineMs(guard)) ?? Infinity)
    return [...wanted, arbiter === null ? Infinity : arbiterDeadlineMs(arbiter)]
  }

  /** @param dueMs only those whose deadline this is; Infinity: all */
  #tick(order: readonly NodeName[], dueMs: number): void {
    const { state } = this
    for (const name of order) {
      const host = state.hosts[name]
      if (host.guard === null) continue
      if (dueMs === Infinity || guardDeadlineMs(host.guard) === dueMs) this.#toGuard(host, { type: 'tick' })
    }
    const { arbiter } = state
    if (arbiter !== null && (dueMs === Infinity || arbiterDeadlineMs(arbiter) === dueMs))
      this.#toArbiter({ type: 'tick' })
  }

  /** Carries out what is due now, and what follows from it at this instant. */
  #now(deed: () => void): void {
    this.#agenda.push(deed)
    if (this.#agenda.length > 1) return
    for (let next = this.#agenda[0]; next !== undefined; next = this.#agenda[0]) {
      next()
      this.#agenda.shift()
    }
  }

  // The network ------------------------------------------------------------------------------------------------------

  #send(from: Party, to: Party, body: Body): void {
    const { state } = this
    const way: Way = `${from}>${to}`
    if (isCut(state, way)) return
    const held = state.held.get(way)
    if (held === undefined) return this.#now(() => this.#deliver(from, to, body))
    const waiting = [...held.waiting, { from, to, body }]
    state.held = new Map([...state.held, [way, { ...held, waiting }]])
  }

  breakOff(outage: Outage): void {
    const others = this.state.outages.filter(({ name }) => name !== outage.name)
    this.state.outages = [...others, outage].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  mend(name: string): void {
    this.state.outages = this.state.outages.filter((outage) => outage.name !== name)
  }

  hold(way: Way): void {
    const { atMs, held } = this.state
    this.state.held = new Map([...held, [way, { sinceMs: atMs, waiting: [] }]])
  }

  release(way: Way): void {
    const { state } = this
    const waiting = state.held.get(way)?.waiting ?? []
    state.held = new Map([...state.held].filter(([other]) => other !== way))
    this.#now(() => {
      for (const { from, to, body } of waiting) this.#now(() => this.#deliver(from, to, body))
    })
  }

  /** What was under way to or from a process that is gone. */
  #forget(isLost: (message: Message) => boolean): void {
    const { state } = this
    const rest = ({ sinceMs, waiting }: Held): Held => ({
      sinceMs,
      waiting: waiting.filter((message) => !isLost(message)),
    })
    state.held = new Map([...state.held].map(([way, held]) => [way, rest(held)]))
  }

  #deliver(from: Party, to: Party, body: Body): void {
    switch (body.kind) {
      case 'hello':
        return this.#toArbiter({
          type: 'hello',
          connection: body.connection,
          hello: body.hello,
          remoteAddress: from,
        })
      case 'closed':
        return this.#toArbiter({ type: 'closed', connection: body.connection })
      case 'beat':
        return this.#toArbiter({ type: 'beat', connection: body.connection, beat: body.beat })
      case 'from-witness':
        return this.#hearWitness(this.#hostOf(to), body.connection, body.message)
      case 'report': {
        const host = this.#hostOf(to)
        if (host.guard === null || this.state.atMs < host.deafUntilMs) return
        return this.#toGuard(host, {
          type: 'peer-report',
          beat: body.seq,
          report: body.report,
          leaseMs: timing.leaseMs,
        })
      }
      case 'verdict':
        return this.#hearAnswer(this.#hostOf(to), from, body.seq, body.verdict)
      default:
        return assertNever(body)
    }
  }

  #hostOf(party: Party): Host {
    assert.ok(party !== witness)
    return this.state.hosts[party]
  }

  #hearWitness(host: Host, connection: number, message: FromVoter): void {
    if (host.connection !== connection) return
    switch (message.type) {
      case 'answer':
        host.echoMs = message.atMs
        for (const verdict of message.verdicts) this.#hearAnswer(host, witness, message.seq, verdict)
        return
      case 'order':
        return this.#toGuard(host, { type: 'order', order: message })
      case 'welcome':
      case 'plan':
      case 'renew':
        return
      case 'superseded':
        throw new Error(`${host.name} is taken for an old start of its agent: messages keep their order here`)
      default:
        return assertNever(message)
    }
  }

  #hearAnswer(host: Host, from: Party, seq: number, verdict: VoterReply): void {
    if (seq < host.firstSeq) return
    this.#toGuard(host, { type: 'answer', from, sentAtMs: sentAtMsOf(seq), verdict })
  }

  // The witness ------------------------------------------------------------------------------------------------------

  startWitness(): void {
    const { state } = this
    const found: RecoveredBallot = { kind: 'valid', ballot: state.disk.ballot, mark: state.disk.mark }
    const isFirst = state.disk.ballot === null && state.disk.mark === null
    state.arbiter = createArbiter({
      cluster: 'web',
      timing,
      members: nodeNames.map((name) => ({ name, address: name, port: 7401, leastGeneration: 1 })),
      recovered: { ballots: new Map(isFirst ? [] : [[instance, found]]), others: 'new' },
      atMs: state.atMs,
    })
  }

  crashWitness(how: { landed: boolean; marks: 'kept' | 'lost' }): void {
    const { state } = this
    state.arbiter = null
    crashDisk(state.disk, how)
    for (const name of nodeNames) state.hosts[name].connection = null
    this.#forget(({ from, to }) => from === witness || to === witness)
  }

  #toArbiter(event: Timeless<ArbiterEvent>): void {
    this.#now(() => {
      const { state } = this
      if (state.arbiter === null) return
      if (event.type === 'beat') this.#noteReleases(event)
      const { arbiter, effects } = arbitrate(state.arbiter, { ...event, atMs: state.atMs })
      state.arbiter = arbiter
      for (const effect of effects) this.#carryOutForWitness(effect)
    })
  }

  #noteReleases({ connection, beat }: Timeless<ArbiterEvent & { type: 'beat' }>): void {
    for (const { member, session } of this.state.arbiter?.nodes.values() ?? [])
      if (session?.connection === connection && beat.reports.some(({ release }) => release))
        noteRelease(this.state, witness, member.name)
  }

  #carryOutForWitness(effect: ArbiterEffect): void {
    const { state } = this
    switch (effect.type) {
      case 'send': {
        const { connection, message } = effect
        const host = nodeNames.map((name) => state.hosts[name]).find((one) => one.connection === connection)
        if (host === undefined) return
        if (message.type === 'answer')
          for (const { vote } of message.verdicts)
            if (vote.kind === 'granted') noteGrant(state, witness, { to: host.name, epoch: vote.epoch })
        return this.#send(witness, host.name, { kind: 'from-witness', connection, message })
      }
      case 'close':
        for (const name of nodeNames)
          if (state.hosts[name].connection === effect.connection) state.hosts[name].connection = null
        return
      case 'record':
        return this.#write(state.disk, effect.ballot, (event) => this.#toArbiter({ ...event, instance }))
      case 'try-ledger':
        return this.#toArbiter({ type: 'ledger-tried', error: null })
      case 'mark':
        state.disk.mark = effect.mark
        return
      case 'answer-check':
        return this.#hearCheck(nodeNames[effect.check - 1] ?? 'lb01', effect.permit)
      case 'answer-drill':
      case 'keep-drill':
      case 'occurred':
      case 'moved':
      case 'plan-settled':
        return
      default:
        return assertNever(effect)
    }
  }

  #hearCheck(name: NodeName, permit: boolean): void {
    const { state } = this
    const epoch = state.disk.ballot?.epoch
    if (permit) {
      assert.ok(epoch !== undefined)
      noteGrant(state, witness, { to: name, epoch })
    }
    this.#obeyCheck(state.hosts[name], !permit)
  }

  // Disks ------------------------------------------------------------------------------------------------------------

  #write(
    disk: Disk,
    ballot: Ballot,
    report: (
      event: { type: 'recorded'; ballot: Ballot } | { type: 'record-failed'; ballot: Ballot; error: string },
    ) => void,
  ): void {
    const { next } = disk
    disk.next = 'quick'
    switch (next) {
      case 'quick':
        disk.ballot = ballot
        return report({ type: 'recorded', ballot })
      case 'slow':
        disk.writing = ballot
        return
      case 'fails, landed':
      case 'fails, lost':
        if (next === 'fails, landed') disk.ballot = ballot
        return report({ type: 'record-failed', ballot, error: 'EIO' })
      default:
        return assertNever(next)
    }
  }

  #keepVote(host: Host, kept: KeptBallot | null): void {
    const { disk } = host
    const { next } = disk
    disk.next = 'quick'
    const report = (error: string | null): void => this.#toGuard(host, { type: 'vote-kept', kept, error })
    switch (next) {
      case 'quick':
        disk.kept = kept
        return report(null)
      case 'slow':
        disk.keeping = { kept }
        return
      case 'fails, landed':
      case 'fails, lost':
        if (next === 'fails, landed') disk.kept = kept
        return report('EIO')
      default:
        return assertNever(next)
    }
  }

  #finishWrites(): void {
    const { state } = this
    const finish = (disk: Disk, report: (ballot: Ballot) => void): void => {
      const ballot = disk.writing
      if (ballot === null) return
      disk.writing = null
      disk.ballot = ballot
      report(ballot)
    }
    finish(state.disk, (ballot) => this.#toArbiter({ type: 'recorded', instance, ballot }))
    for (const name of nodeNames) {
      const host = state.hosts[name]
      finish(host.disk, (ballot) => this.#toGuard(host, { type: 'recorded', ballot, tookMs: stepMs }))
      const { keeping } = host.disk
      if (keeping === null) continue
      host.disk.keeping = null
      host.disk.kept = keeping.kept
      this.#toGuard(host, { type: 'vote-kept', kept: keeping.kept, error: null })
    }
  }

  // Agents -----------------------------------------------------------------------------------------------------------

  startAgent(name: NodeName): void {
    const { state } = this
    const host = state.hosts[name]
    const rebooted = host.down
    if (host.down) this.#boot(host)
    host.starts += 1
    host.firstSeq = host.lastSeq + 1
    host.deafUntilMs = -Infinity
    host.guard = createGuard({
      node: name,
      peer: otherNode(name),
      profile: profileOf(name),
      timing,
      policy: { mode: 'enforce', fence: 'stop', alone: 'stop', rejoin: 'auto', hasLastResort: false },
      recovered: { kind: 'valid', ballot: host.disk.ballot, mark: host.disk.mark },
      memory: host.memory,
      standing: { kept: host.disk.kept, rebooted, inDoubt: false },
      atMs: state.atMs,
    })
    host.voteLeft = host.disk.ballot?.standing === true
    this.#look(host)
    this.#renew(host)
  }

  #boot(host: Host): void {
    host.down = false
    host.boots += 1
    this.#setKeepalived(host, 'BACKUP')
    // The peer's listener takes a host that may be a clone only when no promise to the old one can be in use.
    const peer = this.state.hosts[otherNode(host.name)]
    const heardAtMs = peer.guard?.peerHeardAtMs ?? -Infinity
    peer.deafUntilMs = Math.max(peer.deafUntilMs, heardAtMs + timing.reserveMs)
  }

  crashAgent(name: NodeName, landed: boolean): void {
    const host = this.state.hosts[name]
    host.guard = null
    crashDisk(host.disk, { landed, marks: 'kept' })
    this.#forget(({ from, to }) => to === name || (from === name && to !== witness))
    const { connection } = host
    host.connection = null
    host.echoMs = null
    if (connection !== null && this.state.arbiter !== null)
      this.#send(name, witness, { kind: 'closed', connection })
  }

  /** keepalived ends first, the agent is told to leave when it is gone; the power goes off whether it could or not. */
  shutDown(name: NodeName): void {
    this.#now(() => {
      const host = this.state.hosts[name]
      host.leavingSinceMs = this.state.atMs
      if (host.keepalived !== 'STOP') this.#setKeepalived(host, 'STOP')
    })
  }

  #goOnLeaving(host: Host): void {
    const { guard, leavingSinceMs, name } = host
    if (leavingSinceMs === null) return
    if (guard === null) return this.powerOff(name)
    const steps = (this.state.atMs - leavingSinceMs) / stepMs
    if (steps === leaveAfterSteps) this.#toGuard(host, { type: 'leave' })
    this.#now(() => {
      const isDone = host.guard === null || leaveProgress(host.guard) !== 'leaving'
      if (steps >= leaveAfterSteps && (isDone || steps >= leaveAfterSteps + leavePatienceSteps))
        this.powerOff(name)
    })
  }

  /** What was under way to the disk is on it: the system syncs before it halts. */
  powerOff(name: NodeName): void {
    this.crashHost(name, true)
  }

  /** The host goes down with everything on it; nothing says good-bye. */
  crashHost(name: NodeName, landed: boolean): void {
    const host = this.state.hosts[name]
    host.guard = null
    host.down = true
    host.leavingSinceMs = null
    crashDisk(host.disk, { landed, marks: 'lost' })
    this.#forget(({ from, to }) => from === name || to === name)
    host.connection = null
    host.echoMs = null
    host.barred = false
    host.checkRefuses = false
    host.permit = noPermit
    host.memory = { ...host.memory, recentAtMs: [] }
    host.keepalived = 'STOP'
    this.#setVip(host, false)
  }

  #renew(host: Host): void {
    if (host.guard === null) return
    this.#connect(host)
    this.#toGuard(host, { type: 'renew' })
    this.#now(() => this.#beat(host))
    this.#runCheck(host)
  }

  #connect(host: Host): void {
    const { state } = this
    const { name } = host
    const there: readonly Way[] = [`${name}>witness`, `witness>${name}`]
    if (host.connection !== null || state.arbiter === null) return
    if (there.some((way) => isCut(state, way) || state.held.has(way))) return
    host.connection = ++state.connections
    host.echoMs = null
    this.#send(name, witness, {
      kind: 'hello',
      connection: host.connection,
      hello: {
        type: 'hello',
        protocol: 1,
        cluster: 'web',
        node: name,
        incarnation: incarnationOf(host),
        bootId: bootIdOf(host),
        software: 'walk',
        listener: { address: null, port: 7401 },
        mode: 'enforce',
        profiles: [],
      },
    })
  }

  #beat(host: Host): void {
    const { atMs } = this.state
    const { guard, name } = host
    if (guard === null) return
    host.lastSeq = Math.max(host.lastSeq + 1, atMs * beatsOfInstant)
    const seq = host.lastSeq
    assert.equal(sentAtMsOf(seq), atMs, 'too many beats at one instant')
    const report = reportOf(guard, atMs)
    const { connection, echoMs } = host
    if (connection !== null)
      this.#send(name, witness, {
        kind: 'beat',
        connection,
        beat: { type: 'beat', seq, echoMs, leaseMs: timing.leaseMs, reports: [report] },
      })
    this.#send(name, otherNode(name), { kind: 'report', seq, boot: host.boots, report })
  }

  #toGuard(host: Host, event: Timeless<GuardEvent>): void {
    this.#now(() => {
      const { state } = this
      const before = host.guard
      if (before === null) return
      if (event.type === 'peer-report' && event.report.release)
        noteRelease(state, host.name, otherNode(host.name))
      const { guard, effects } = decide(before, { ...event, atMs: state.atMs })
      host.guard = guard
      this.#noteOwnVote(host, before, guard)
      this.#noteLease(host, before, guard)
      const beats = effects.some(({ type }) => type === 'beat')
      for (const effect of effects) this.#carryOut(host, effect)
      if (beats) this.#beat(host)
    })
  }

  #noteOwnVote(host: Host, before: Guard, after: Guard): void {
    const { pledge } = after.voter
    if (pledge.phase !== 'promised' || pledge.to !== host.name || pledge === before.voter.pledge) return
    noteGrant(this.state, host.name, { to: pledge.to, epoch: pledge.epoch })
  }

  #noteLease(host: Host, before: Guard, after: Guard): void {
    const { phase, candidacy } = after
    if (phase.name !== 'holding' || candidacy === null || !host.vip) return
    host.leaseUntilMs = leaseUntilMs(candidacy, [...nodeNames, witness], timing.leaseMs, keptVoter(after))
    if (before.phase.name !== 'holding') noteLease(this.state, host)
    assertOneLease(this.state)
  }

  #carryOut(host: Host, effect: GuardEffect): void {
    const { state } = this
    switch (effect.type) {
      case 'bar':
        host.barred = effect.on
        return this.#obey(host)
      case 'permit':
        host.permit = { word: effect.word, untilMs: effect.untilMs }
        return
      case 'record':
        return this.#write(host.disk, effect.ballot, (event) =>
          this.#toGuard(host, event.type === 'recorded' ? { ...event, tookMs: 0 } : event),
        )
      case 'try-disk':
        return this.#toGuard(host, { type: 'disk-tried', error: null })
      case 'mark':
        host.disk.mark = effect.mark
        if (effect.mark.untilMs === 0 && !host.vip) noteRelease(state, host.name, host.name)
        return
      case 'remember':
        host.memory = effect.memory
        return
      case 'keep-vote':
        return this.#keepVote(host, effect.kept)
      case 'vote-left':
        host.voteLeft = effect.on
        return
      case 'remember-first':
        host.memory = effect.memory
        return this.#toGuard(host, { type: 'remembered', error: null })
      case 'answer-peer': {
        const { vote } = effect.verdict
        const peer = otherNode(host.name)
        if (vote.kind === 'granted') noteGrant(state, host.name, { to: peer, epoch: vote.epoch })
        return this.#send(host.name, peer, { kind: 'verdict', seq: effect.beat, verdict: effect.verdict })
      }
      case 'fence':
        if (effect.spares !== true || host.keepalived === 'STOP') this.#setKeepalived(host, 'STOP')
        return this.#toGuard(host, { type: 'rung-ended', rung: effect.rung, error: null })
      case 'start-keepalived':
        if (host.keepalived === 'STOP') this.#setKeepalived(host, host.barred ? 'FAULT' : 'BACKUP')
        return this.#toGuard(host, { type: 'start-ended', error: null })
      case 'find-origin':
        return this.#toGuard(host, { type: 'origin', origin: { addresses: [], places: [] } })
      case 'count-adverts':
        return this.#toGuard(host, { type: 'adverts', received: host.advertsHeard })
      case 'tell':
        if (effect.event === 'fenced') assertFenced(host)
        return
      case 'arm':
      case 'drilled':
      case 'announce':
      case 'beat':
        return
      default:
        return assertNever(effect)
    }
  }

  // keepalived and the kernel ----------------------------------------------------------------------------------------

  #look(host: Host): void {
    this.#toGuard(host, {
      type: 'observed',
      keepalived: host.keepalived,
      process: host.keepalived === 'STOP' ? 'absent' : 'running',
      vips: host.vip ? 'held' : 'gone',
    })
  }

  #setVip(host: Host, vip: boolean): void {
    host.vip = vip
    if (!vip) host.leaseUntilMs = -Infinity
  }

  #setKeepalived(host: Host, keepalived: Host['keepalived']): void {
    const leaves = host.keepalived === 'MASTER' && keepalived !== 'MASTER'
    host.keepalived = keepalived
    host.quietSteps = 0
    this.#setVip(host, keepalived === 'MASTER')
    this.#look(host)
    const peer = this.state.hosts[otherNode(host.name)]
    // Priority 0: the peer takes over after its skew time.
    if (leaves && this.#advertsReach(host) && peer.keepalived === 'BACKUP')
      peer.quietSteps = downAfterSteps[peer.name] - 1
    if (keepalived === 'MASTER') this.#advertise(host)
  }

  #advertsReach({ name, down }: Host): boolean {
    return !down && !this.state.outages.some(({ mute }) => mute.includes(name))
  }

  /** The rules of VRRP: a BACKUP that preempts does not listen to a lower priority; a MASTER yields to a higher one. */
  #advertise(host: Host): void {
    const peer = this.state.hosts[otherNode(host.name)]
    if (!this.#advertsReach(host) || peer.down) return
    const higher = profileOf(host.name).priority > profileOf(peer.name).priority
    switch (peer.keepalived) {
      case 'BACKUP':
        peer.advertsHeard += 1
        if (higher) peer.quietSteps = 0
        return
      case 'MASTER':
        peer.advertsHeard += 1
        return higher ? this.#setKeepalived(peer, 'BACKUP') : this.#toGuard(peer, { type: 'rival-advert' })
      case 'FAULT':
      case 'STOP':
        return
      default:
        return assertNever(peer.keepalived)
    }
  }

  #obey(host: Host): void {
    if (host.keepalived === 'STOP' || host.down) return
    const mayRun = !host.barred && !host.checkRefuses
    if (!mayRun && host.keepalived !== 'FAULT') this.#setKeepalived(host, 'FAULT')
    if (mayRun && host.keepalived === 'FAULT') this.#setKeepalived(host, 'BACKUP')
  }

  #runKeepalived(order: readonly NodeName[]): void {
    const hosts = order.map((name) => this.state.hosts[name]).filter(({ down }) => !down)
    for (const host of hosts)
      if (host.keepalived === 'MASTER') this.#now(() => host.keepalived === 'MASTER' && this.#advertise(host))
    for (const host of hosts) {
      if (host.guard === null) this.#runCheck(host)
      // The service manager; one that its agent stopped is left to the agent.
      if (host.keepalived === 'STOP' && !host.memory.stopped && host.leavingSinceMs === null)
        this.#now(() => this.#setKeepalived(host, host.barred || host.checkRefuses ? 'FAULT' : 'BACKUP'))
      else if (host.keepalived === 'BACKUP') this.#now(() => this.#countDown(host))
    }
  }

  #countDown(host: Host): void {
    if (host.keepalived !== 'BACKUP') return
    host.quietSteps += 1
    if (host.quietSteps >= downAfterSteps[host.name]) this.promote(host.name)
  }

  promote(name: NodeName): void {
    this.#now(() => this.#setKeepalived(this.state.hosts[name], 'MASTER'))
  }

  /** The daemon dies at once, and the VIP stays in the kernel. */
  killKeepalived(name: NodeName): void {
    this.#now(() => {
      const host = this.state.hosts[name]
      host.keepalived = 'STOP'
      this.#look(host)
    })
  }

  // The check --------------------------------------------------------------------------------------------------------

  /** Each step; while the agent lives its own word is good, for a dead one the witness is asked. */
  #runCheck(host: Host): void {
    const { state } = this
    const { name, permit, guard } = host
    if (state.atMs < permit.untilMs) return this.#obeyCheck(host, permit.word === 'bar')
    if (guard !== null) return
    if (host.voteLeft) return this.#obeyCheck(host, true)
    const ways: readonly Way[] = [`${name}>witness`, `witness>${name}`]
    const reached = ways.every((way) => !isCut(state, way) && !state.held.has(way))
    if (state.arbiter === null || !reached) return this.#obeyCheck(host, true)
    this.#toArbiter({ type: 'check', check: checkOf(name), node: name, instance, bootId: bootIdOf(host) })
    // A yes that waits for the disk comes too late for this run of the check.
    this.#now(() => {
      if (state.arbiter?.instances.get(instance)?.pendingChecks.includes(checkOf(name)) === true)
        this.#obeyCheck(host, true)
    })
  }

  #obeyCheck(host: Host, refuses: boolean): void {
    this.#now(() => {
      host.checkRefuses = refuses
      this.#obey(host)
    })
  }
}

function checkOf(name: NodeName): number {
  return nodeNames.indexOf(name) + 1
}

function crashDisk(disk: Disk, how: { landed: boolean; marks: 'kept' | 'lost' }): void {
  if (how.landed && disk.writing !== null) disk.ballot = disk.writing
  if (how.landed && disk.keeping !== null) disk.kept = disk.keeping.kept
  disk.writing = null
  disk.keeping = null
  disk.next = 'quick'
  if (how.marks === 'lost') disk.mark = null
}

/** A beat's number tells when it left. */
export function sentAtMsOf(seq: number): number {
  return Math.floor(seq / beatsOfInstant)
}

export function incarnationOf({ name, starts }: Host): string {
  return `${name}-start-${starts}`
}

export function bootIdOf({ name, boots }: Host): string {
  return `${name}-boot-${boots}`
}
