/** What a node does (agent/core/guard/guard.ts): each phase, reached by driving the guard, against each event. */
import assert from 'node:assert/strict'
import { type Guard, type GuardEffect, decide } from '../../agent/core/guard/guard.ts'
import { nextDeadlineMs } from '../../agent/core/guard/deadline.ts'
import { reserveNeededMs, silenceMs, strictReserveMs } from '../../shared/core/timing.ts'
import { type VoterName, witness } from '../../shared/protocol/names.ts'
import type { Order, VoterReply, Vote } from '../../shared/protocol/messages.ts'
import type { Report } from '../../shared/protocol/report.ts'
import {
  claiming,
  fenced,
  fencing,
  GuardDriver,
  holding,
  holdingPeer,
  instance,
  node,
  peer,
  peerReport,
  profile,
  standby,
  standbyToHolder,
  startMs,
  timing,
  type DriverOptions,
  type TimelessEvent,
} from '../unit/agent/core/guard/guard-fixture.ts'
import { guardEffectWord, phaseWord } from './notation.ts'
import type { Cell, Families, Group, Outcome } from './table.ts'

/** What goes on around the node while time passes. */
interface Around {
  /** What the peer reports, as long as it is heard. */
  readonly peer: Report
  /** Whether the peer renews at the witness, as long as that is heard. */
  readonly peerRenews: boolean
}

interface Situation extends Around {
  readonly driver: GuardDriver
}

const nobodyHolds: Around = { peer: peerReport(), peerRenews: false }
const peerHolds: Around = { peer: holdingPeer(8), peerRenews: true }

const { renewMs, releaseMs } = timing
const longSilenceMs = silenceMs(timing)
const ownLeaseMs = 1500

interface CourseTurn {
  readonly atMs: number
  readonly before: Guard
  readonly after: Guard
  readonly effects: readonly GuardEffect[]
}

/** One guard in the course of an event, and what its turns gave. */
class Course {
  guard: Guard
  atMs: number
  readonly startedAtMs: number
  readonly turns: CourseTurn[] = []
  /** Whether it takes time that the reader cannot know. */
  saysWhen = false

  constructor({ driver }: Situation) {
    this.guard = driver.guard
    this.atMs = driver.atMs
    this.startedAtMs = driver.atMs
  }

  feed(event: TimelessEvent): void {
    const before = this.guard
    const { guard, effects } = decide(before, { ...event, atMs: this.atMs })
    this.guard = guard
    this.turns.push({ atMs: this.atMs, before, after: guard, effects })
  }

  answer(from: VoterName, vote: Vote, more: Partial<VoterReply> = {}): void {
    const epoch = vote.kind === 'granted' || vote.kind === 'pending' ? vote.epoch : this.guard.voter.epoch
    const reply: VoterReply = { instance, vote, holder: null, renewedAgoMs: null, epoch, ...more }
    this.feed({ type: 'answer', from, sentAtMs: this.atMs, verdict: reply })
  }

  hearPeer(report: Report): void {
    this.feed({ type: 'peer-report', beat: 99, report, leaseMs: timing.leaseMs })
  }

  /** The epoch that the node asks under, or would. */
  get epoch(): number {
    return this.guard.candidacy?.epoch ?? this.guard.voter.epoch + 1
  }

  /** Time passes with heartbeats, their answers, and the ticks that the guard wants. */
  pass(durationMs: number, around: Around, heard: { witness: boolean; peer: boolean }): void {
    const untilMs = this.atMs + durationMs
    let beatAtMs = this.atMs + renewMs
    let served = -Infinity
    for (;;) {
      const wanted = nextDeadlineMs(this.guard) ?? Infinity
      const dueMs = wanted > served ? Math.max(wanted, this.atMs) : Infinity
      this.atMs = Math.min(untilMs, beatAtMs, dueMs)
      if (this.atMs === dueMs) {
        served = wanted
        this.feed({ type: 'tick' })
      }
      if (this.atMs === beatAtMs) {
        this.#heartbeat(around, heard)
        beatAtMs += renewMs
      }
      if (this.atMs === untilMs) return
    }
  }

  #heartbeat({ peer: report, peerRenews }: Around, heard: { witness: boolean; peer: boolean }): void {
    this.feed({ type: 'renew' })
    const asks = this.guard.candidacy !== null
    const vote: Vote = asks ? { kind: 'granted', epoch: this.epoch } : { kind: 'none' }
    if (heard.witness)
      this.answer(
        witness,
        vote,
        peerRenews ? { holder: peer, renewedAgoMs: 0 } : asks ? { holder: node } : {},
      )
    if (heard.peer) {
      this.hearPeer({ ...report, epoch: Math.max(report.epoch, this.guard.voter.epoch) })
      this.answer(peer, vote)
    }
  }
}

interface Plot {
  readonly play: (course: Course, around: Around) => void
  /** It takes time, with heartbeats: only news are told. */
  readonly lasts?: boolean
  /** Phases in which the event says nothing that other events do not say. */
  readonly notIn?: readonly Guard['phase']['name'][]
}

const seen = (
  keepalived: Guard['seen']['keepalived'],
  process: Guard['seen']['process'],
  vips: Guard['seen']['vips'],
): Plot => ({ play: (course) => course.feed({ type: 'observed', keepalived, process, vips }) })

const refuses = (
  from: VoterName,
  reason: Extract<Vote, { kind: 'refused' }>['reason'],
  more: Partial<VoterReply> = {},
): Plot => ({
  play: (course) => course.answer(from, { kind: 'refused', reason, text: reason }, more),
})

const peerAsks = (change: Partial<Report>): Plot => ({
  play: (course) => {
    const epoch = course.guard.voter.epoch + 1
    course.hearPeer(
      peerReport({
        phase: 'claiming',
        keepalived: 'MASTER',
        vips: 'held',
        ask: { epoch },
        epoch,
        ...change,
      }),
    )
  },
})

const passes = (
  durationMs: number,
  heard: { witness: boolean; peer: boolean },
  change: Partial<Around> = {},
): Plot => ({
  play: (course, around) => course.pass(durationMs, { ...around, ...change }, heard),
  lasts: true,
  notIn: ['claiming', 'fencing', 'rejoining', 'probation', 'unprotected', 'overruled', 'drilling'],
})

const both = { witness: true, peer: true }
const silences = 2000

const plots: Readonly<Record<string, Plot>> = {
  MASTER: seen('MASTER', 'running', 'held'),
  BACKUP: seen('BACKUP', 'running', 'gone'),
  FAULT: seen('FAULT', 'running', 'gone'),
  'FAULT, but the VIP is held': seen('FAULT', 'running', 'held'),
  ended: seen('STOP', 'absent', 'gone'),
  'killed, VIP left': {
    play: (course) =>
      course.feed({ type: 'observed', keepalived: 'STOP', process: 'absent', died: true, vips: 'held' }),
  },
  'witness grants': {
    play: (course) => course.answer(witness, { kind: 'granted', epoch: course.epoch }, { holder: node }),
  },
  'witness: pending': {
    play: (course) => course.answer(witness, { kind: 'pending', epoch: course.epoch }),
  },
  'witness refuses: promised': refuses(witness, 'promised', { holder: peer, renewedAgoMs: 0 }),
  'witness refuses: waiting': refuses(witness, 'waiting'),
  'witness refuses: stale-epoch 20': refuses(witness, 'stale-epoch', { epoch: 20 }),
  'witness: peer holds': {
    play: (course) => course.answer(witness, { kind: 'none' }, { holder: peer, renewedAgoMs: 0 }),
  },
  'peer grants': {
    play: (course) => course.answer(peer, { kind: 'granted', epoch: course.epoch }, { holder: node }),
  },
  'peer refuses: promised': refuses(peer, 'promised', { holder: peer, renewedAgoMs: 0 }),
  'peer refuses: outranked': refuses(peer, 'outranked'),
  'peer refuses: yielding': refuses(peer, 'yielding'),
  'peer asks, priority 100': peerAsks({ priority: 100 }),
  'peer asks, priority 200': peerAsks({ priority: 200 }),
  'peer gives its votes back': {
    play: (course) => course.hearPeer(peerReport({ release: true, epoch: course.guard.voter.epoch })),
  },
  'peer leaves its vote': {
    play: (course) => course.hearPeer(leftReport(course.guard, 'leaving')),
  },
  'peer is back for its vote': {
    play: (course) => course.hearPeer(leftReport(course.guard, 'returning')),
  },
  'peer hands the vote back': {
    play: (course) => {
      const { pledge } = course.guard.voter
      if (pledge.phase === 'standing') course.answer(peer, { kind: 'none' }, { returnsVote: pledge.epoch })
    },
  },
  'peer counts the vote': {
    play: (course) => {
      const { pledge } = course.guard.voter
      if (pledge.phase === 'standing') course.answer(peer, { kind: 'none' }, { countsVote: pledge.epoch })
    },
  },
  'operator: leave': { play: (course) => course.feed({ type: 'leave' }) },
  'operator: stay': { play: (course) => course.feed({ type: 'stay' }) },
  'peer stands by': { play: (course) => course.hearPeer(peerReport({ epoch: course.guard.voter.epoch })) },
  'heartbeat is due': { play: (course) => course.feed({ type: 'renew' }) },
  'its deadline comes': {
    play: (course) => {
      const deadlineMs = nextDeadlineMs(course.guard)
      if (deadlineMs === null) return
      course.atMs = Math.max(course.atMs, deadlineMs)
      course.saysWhen = true
      course.feed({ type: 'tick' })
    },
  },
  '2 s: witness dead': passes(silences, { witness: false, peer: true }),
  '2 s: link to the peer cut': passes(silences, { witness: true, peer: false }, { peerRenews: true }),
  '2 s: peer dead': passes(silences, { witness: true, peer: false }, { peerRenews: false }),
  '2 s: cut off from both': passes(silences, { witness: false, peer: false }),
  '12 s: all well': { ...passes(12_000, both), notIn: ['claiming', 'fencing', 'rejoining', 'drilling'] },
  'order: fence': order('fence'),
  'order: announce': order('announce'),
  'order: yield': order('yield'),
  'order: drill': order('drill'),
  'order: drill-holder': order('drill-holder'),
  'advert of a lower MASTER': { play: (course) => course.feed({ type: 'rival-advert' }) },
  'paused 1 s': {
    play: (course) => {
      course.atMs += 1000
      course.feed({ type: 'resumed', gapMs: 1000, jumpedMs: 0 })
    },
  },
  'ballot on disk': onDisk((ballot) => ({ type: 'recorded', ballot, tookMs: 1 })),
  'kept vote on disk': keptOnDisk(null),
  'kept vote cannot be written': keptOnDisk('EIO'),
  'ballot cannot be written': onDisk((ballot) => ({ type: 'record-failed', ballot, error: 'EIO' })),
  'the rung ends with an error': {
    play: (course) => {
      const { phase } = course.guard
      const rung = phase.name === 'fencing' || phase.name === 'drilling' ? phase.ladder.rung : 'bar'
      course.feed({ type: 'rung-ended', rung, error: 'exit 1' })
    },
  },
  'the stop command ends': {
    play: (course) => course.feed({ type: 'rung-ended', rung: 'stop', error: null }),
  },
  'what it owes is on disk': { play: (course) => course.feed({ type: 'remembered', error: null }) },
  'what it owes cannot be written': { play: (course) => course.feed({ type: 'remembered', error: 'EIO' }) },
  'start command succeeds': { play: (course) => course.feed({ type: 'start-ended', error: null }) },
  'start command fails': { play: (course) => course.feed({ type: 'start-ended', error: 'exit 1' }) },
  'adverts counted: 5': { play: (course) => course.feed({ type: 'adverts', received: 5 }) },
  'adverts counted: 7': { play: (course) => course.feed({ type: 'adverts', received: 7 }) },
  'adverts not to be had': { play: (course) => course.feed({ type: 'adverts', received: null }) },
  'plan with shorter leases': {
    play: (course) => {
      const leaseMs = 1700
      assert.ok(reserveNeededMs(leaseMs, timing.driftPpm) <= timing.reserveMs)
      course.feed({ type: 'plan', peer, timing: { ...timing, leaseMs } })
    },
  },
  'profile, gateway, check seen': {
    play: (course) => {
      course.feed({ type: 'profile', profile })
      course.feed({ type: 'gateway', gateway: 'unreachable' })
      course.feed({ type: 'check-seen' })
    },
  },
}

function order(what: Order['what']): Plot {
  return {
    play: (course) =>
      course.feed({
        type: 'order',
        order: {
          type: 'order',
          instance,
          what,
          epoch: course.guard.voter.epoch,
          reason: 'the witness says so',
        },
      }),
  }
}

/** The end of the write that is under way, where one is. */
function onDisk(eventOf: (ballot: { to: string; epoch: number }) => TimelessEvent): Plot {
  return {
    play: (course) => {
      const { pledge } = course.guard.voter
      if (pledge.phase === 'recording') course.feed(eventOf(pledge.ballot))
    },
  }
}

/** The end of the write of the peer's vote, where one is. */
function keptOnDisk(error: string | null): Plot {
  return {
    play: (course) => {
      const { kept } = course.guard
      if (kept.phase === 'keeping') course.feed({ type: 'vote-kept', kept: kept.ballot, error })
      if (kept.phase === 'forgetting') course.feed({ type: 'vote-kept', kept: null, error })
    },
  }
}

function leftReport({ voter }: Guard, kind: 'leaving' | 'returning'): Report {
  const { epoch } = voter
  return peerReport({ keepalived: 'STOP', process: 'absent', epoch, left: { kind, to: node, epoch } })
}

/** Time passes for the driver itself, on the way to a situation. */
function live(driver: GuardDriver, durationMs: number, around: Around, heard = both): GuardDriver {
  const course = new Course({ driver, ...around })
  course.pass(durationMs, around, heard)
  driver.guard = course.guard
  driver.atMs = course.atMs
  return driver
}

function at(driver: GuardDriver, phase: string, around: Around = nobodyHolds): Situation {
  assert.equal(phaseWord(driver.guard), phase, 'the situation is not reached any more')
  return { driver, ...around }
}

/** keepalived came back from FAULT while the peer holds: its adverts are counted. */
function probation(): GuardDriver {
  const driver = standbyToHolder()
  driver.fault()
  driver.backup()
  return driver
}

function watched(): GuardDriver {
  const driver = probation()
  driver.feed({ type: 'adverts', received: 5 })
  return driver
}

function climbing(durationMs: number, options: DriverOptions = {}): GuardDriver {
  const driver = fencing(options)
  driver.pass(durationMs)
  return driver
}

/** The peer holds by this node's vote, and the operator takes this node away. */
function leaving(isOnDisk: boolean): GuardDriver {
  const driver = standbyToHolder({ recordsAtOnce: isOnDisk })
  if (!isOnDisk) driver.feed({ type: 'recorded', ballot: { to: peer, epoch: 8 }, tookMs: 1 })
  driver.absent()
  driver.feed({ type: 'leave' })
  return driver
}

/** The agent starts and finds its own vote left with the peer, which is not heard yet. */
function back(): GuardDriver {
  const driver = new GuardDriver({
    recovered: { kind: 'valid', ballot: { to: peer, epoch: 8, standing: true }, mark: null },
  })
  driver.fault()
  return driver
}

/** This node holds, and the peer has left its vote. */
function keeping(isOnDisk: boolean): GuardDriver {
  const driver = holding({ recordsAtOnce: isOnDisk })
  if (!isOnDisk) {
    driver.feed({ type: 'recorded', ballot: { to: node, epoch: driver.epoch }, tookMs: 1 })
  }
  driver.hearPeer(leftReport(driver.guard, 'leaving'))
  return driver
}

/** keepalived is held in FAULT until its node has the lease. */
function gated(holder: 'nobody' | 'peer'): GuardDriver {
  const driver = holder === 'peer' ? standbyToHolder() : standby()
  driver.fault()
  driver.feed({ type: 'plan', peer, timing: { ...timing, gate: 'strict', reserveMs: strictReserveMs } })
  return driver
}

function drilling(options: DriverOptions = {}): GuardDriver {
  const driver = standbyToHolder(options)
  driver.order('drill', 8)
  return driver
}

/** The bar is proved. */
function drillStops(): GuardDriver {
  const driver = drilling()
  driver.sleep(4)
  driver.fault()
  return driver
}

const barMs = releaseMs / 4
const stopMs = barMs + releaseMs / 2
const killMs = stopMs + releaseMs

interface Chapter {
  readonly title: string
  readonly about: string
  readonly situations: Readonly<Record<string, () => Situation>>
}

const chapters: readonly Chapter[] = [
  {
    title: 'Node: standby',
    about:
      'first: nothing is known of keepalived yet, nobody was heard. unheard: keepalived is BACKUP, nobody was heard. free: both are heard, nobody holds. held: the peer holds, by this node’s vote and the witness’s; this node has the higher priority. nopreempt: the same, with nopreempt.',
    situations: {
      first: () => at(new GuardDriver(), 'standby'),
      unheard: () => {
        const driver = new GuardDriver()
        driver.backup()
        return at(driver, 'standby')
      },
      free: () => at(standby(), 'standby'),
      held: () => at(standbyToHolder(), 'standby', peerHolds),
      nopreempt: () => at(standbyToHolder({ profile: { nopreempt: true } }), 'standby', peerHolds),
    },
  },
  {
    title: 'Node: probation and barred',
    about:
      'Probation, keepalived came back as BACKUP while the peer holds: counting: the first count of adverts is asked for. watching: it was 5. second: the second count is asked for. Barred, keepalived is in FAULT by then: alone: neither witness nor peer is heard. elsewhere: the peer is not heard, the witness hears it renew. adverts: the holder’s adverts do not arrive.',
    situations: {
      counting: () => at(probation(), 'probation, counting', peerHolds),
      watching: () => at(watched(), 'probation', peerHolds),
      second: () => at(live(watched(), 2200, peerHolds), 'probation, counting', peerHolds),
      alone: () => {
        const driver = standby()
        driver.fallSilent()
        driver.fault()
        return at(driver, 'barred: alone')
      },
      elsewhere: () => {
        const driver = standbyToHolder()
        live(driver, longSilenceMs + renewMs, peerHolds, { witness: true, peer: false })
        driver.fault()
        return at(driver, 'barred: holder-elsewhere', peerHolds)
      },
      adverts: () => {
        const driver = live(watched(), 2200, peerHolds)
        driver.feed({ type: 'adverts', received: 5 })
        driver.fault()
        return at(driver, 'barred: no-adverts', peerHolds)
      },
    },
  },
  {
    title: 'Node: `gate: strict`',
    about:
      'keepalived is in FAULT. gated: the peer holds. applying: nobody holds, the own ballot is written and nobody else has answered. entitled: the witness has granted its vote; keepalived may leave FAULT.',
    situations: {
      gated: () => at(gated('peer'), 'gated', peerHolds),
      applying: () => at(gated('nobody'), 'applying'),
      entitled: () => {
        const driver = gated('nobody')
        driver.granted(witness)
        return at(driver, 'entitled')
      },
    },
  },
  {
    title: 'Node: claiming',
    about:
      'plain: MASTER just now, the own vote is given. disk: the own ballot is still being written. handover: it preempts a living holder. adopts: it was MASTER before its agent started.',
    situations: {
      plain: () => at(claiming(), 'claiming'),
      disk: () => at(claiming({ recordsAtOnce: false }), 'claiming'),
      handover: () => {
        const driver = standbyToHolder()
        driver.master()
        return at(driver, 'claiming: handover', peerHolds)
      },
      adopts: () => {
        const driver = new GuardDriver()
        driver.hearWitness()
        driver.hearPeer()
        driver.master()
        return at(driver, 'claiming: adopts')
      },
    },
  },
  {
    title: 'Node: holding, unprotected, overruled',
    about:
      'plain: the lease was won just now by the own vote and the witness’s; the peer stands by. rival: the same, and the peer shows the VIP, too. keep: `alone: keep`. unprotected: `alone: keep`, and neither witness nor peer is heard. overruled: observe mode, where it would have been fenced.',
    situations: {
      plain: () => at(holding(), 'holding'),
      rival: () => {
        const driver = holding()
        const rival = peerReport({
          phase: 'claiming',
          keepalived: 'MASTER',
          vips: 'held',
          epoch: driver.epoch,
        })
        driver.hearPeer(rival)
        return at(driver, 'holding', { peer: rival, peerRenews: false })
      },
      keep: () => at(holding({ policy: { alone: 'keep' } }), 'holding'),
      unprotected: () => {
        const driver = holding({ policy: { alone: 'keep' } })
        driver.pass(ownLeaseMs)
        return at(driver, 'unprotected')
      },
      overruled: () => at(fencing({ policy: { mode: 'observe' } }), 'overruled', peerHolds),
    },
  },
  {
    title: 'Node: votes that are left',
    about:
      'leaving: keepalived has ended, the operator said leave, its vote is on the way to the disk. told: it is on disk, the peer does not know yet. back: the agent is there again, the vote still stands with the peer. keeping: this node holds, the peer has left its vote, which is on the way to the disk. kept: it is on disk. needed: the same, and the witness is silent. rebooted: the agent starts after a reboot and finds it on disk.',
    situations: {
      leaving: () => at(leaving(false), 'standby', peerHolds),
      told: () => at(leaving(true), 'barred: vote-left', peerHolds),
      back: () => at(back(), 'standby', peerHolds),
      keeping: () => at(keeping(false), 'holding'),
      kept: () => at(keeping(true), 'holding'),
      needed: () => at(live(keeping(true), 2000, nobodyHolds, { witness: false, peer: false }), 'holding'),
      rebooted: () => {
        const kept = { of: peer, epoch: 7 }
        return at(new GuardDriver({ standing: { kept, rebooted: true, inDoubt: false } }), 'standby')
      },
    },
  },
  {
    title: 'Node: fencing',
    about: `bar: just begun; the VIP is there. stop: after ${barMs} ms. kill: after ${stopMs} ms. failed: after ${killMs} ms. last-resort: the same, where one is configured. fault: \`fence: fault\`, just begun. proved: the bar took the VIP off, keepalived is being stopped.`,
    situations: {
      bar: () => at(fencing(), 'fencing: bar', peerHolds),
      stop: () => at(climbing(barMs), 'fencing: stop', peerHolds),
      kill: () => at(climbing(stopMs), 'fencing: kill', peerHolds),
      failed: () => at(climbing(killMs), 'fencing: kill, failed', peerHolds),
      'last-resort': () =>
        at(climbing(killMs, { policy: { hasLastResort: true } }), 'fencing: last-resort', peerHolds),
      fault: () => at(fencing({ policy: { fence: 'fault' } }), 'fencing: bar', peerHolds),
      proved: () => {
        const driver = fencing()
        driver.sleep(3)
        driver.fault()
        return at(driver, 'fencing: stop, proved', peerHolds)
      },
    },
  },
  {
    title: 'Node: fenced and rejoining',
    about:
      'stopped: keepalived was stopped; the peer holds. free: for the fourth time within the minute, nobody holds. fault: `fence: fault`, keepalived runs in FAULT. manual: `rejoin: manual`. rejoining: the hold-down is over and the start command runs.',
    situations: {
      stopped: () => at(fenced(), 'fenced', peerHolds),
      free: () => {
        const recentAtMs = [1000, 2000, 3000].map((agoMs) => startMs - agoMs)
        const driver = fenced({ memory: { stopped: false, number: 3, recentAtMs } })
        driver.hearPeer(peerReport({ release: true, epoch: driver.guard.voter.epoch }))
        driver.hearWitness()
        return at(driver, 'fenced')
      },
      fault: () => at(fenced({ policy: { fence: 'fault' } }), 'fenced', peerHolds),
      manual: () => at(fenced({ policy: { rejoin: 'manual' } }), 'fenced', peerHolds),
      rejoining: () => at(live(fenced(), 5200, peerHolds), 'rejoining', peerHolds),
    },
  },
  {
    title: 'Node: drilling',
    about:
      'disk: the order came just now. bar: what a successor owes is on disk. stop: the bar is proved, the stop command runs. returning: keepalived is gone and the stop command has ended; the start command runs. fault: `fence: fault`, just begun. holder: the order to a holder came just now.',
    situations: {
      disk: () => at(drilling({ recordsAtOnce: false }), 'standby', peerHolds),
      bar: () => at(drilling(), 'drilling: bar', peerHolds),
      stop: () => at(drillStops(), 'drilling: stop', peerHolds),
      returning: () => {
        const driver = drillStops()
        driver.sleep(1000)
        driver.absent()
        driver.feed({ type: 'rung-ended', rung: 'stop', error: null })
        return at(driver, 'drilling: returning', peerHolds)
      },
      fault: () => at(drilling({ policy: { fence: 'fault' } }), 'drilling: bar', peerHolds),
      holder: () => {
        const driver = holding()
        driver.hearPeer(peerReport({ epoch: driver.epoch }))
        driver.order('drill-holder', driver.epoch)
        return at(driver, 'fencing: bar')
      },
    },
  },
]

const routine: ReadonlySet<GuardEffect['type']> = new Set(['permit', 'mark', 'beat', 'answer-peer'])

function outcomeOf(situation: Situation, { play, lasts = false }: Plot): Outcome | null {
  const course = new Course(situation)
  play(course, situation)
  const [first] = course.turns
  if (first === undefined) return null
  const { before } = first
  const effects = lasts ? newsOf(course) : ordersOf(course)
  const moved = phaseWord(before) === phaseWord(course.guard) ? '' : phaseWord(course.guard)
  const { pledge } = course.guard.voter
  const waits = pledge.phase === 'waiting' && before.voter.pledge.phase !== 'waiting' ? 'its vote waits' : ''
  const becomes = [moved, waits].filter((word) => word !== '').join(', ')
  return becomes === '' && effects.length === 0 ? null : { becomes, effects }
}

function wordsOf({ atMs, before, effects }: CourseTurn): string[] {
  const since = { atMs, epoch: before.voter.epoch }
  return effects.map((effect) => guardEffectWord(effect, since)).filter((word) => word !== null)
}

/** Of one event: every effect. */
function ordersOf({ turns, startedAtMs, saysWhen }: Course): string[] {
  return turns.flatMap((turn) => {
    const [head, ...rest] = wordsOf(turn)
    if (head === undefined) return []
    return [saysWhen ? `+${Math.round(turn.atMs - startedAtMs)} ms: ${head}` : head, ...rest]
  })
}

/** Of a time with many turns: what is not routine, and each change of phase. */
function newsOf({ turns, startedAtMs, guard }: Course): string[] {
  return turns.flatMap((turn) => {
    const { atMs, before, after } = turn
    const news = wordsOf({ ...turn, effects: turn.effects.filter(({ type }) => !routine.has(type)) })
    // The last phase is said beside the row.
    const passed = before.phase.name !== after.phase.name && phaseWord(after) !== phaseWord(guard)
    const [head, ...rest] = passed ? [`(${phaseWord(after)})`, ...news] : news
    return head === undefined ? [] : [`+${Math.round(atMs - startedAtMs)} ms: ${head}`, ...rest]
  })
}

export function guardGroups(): Group[] {
  return chapters.map(({ title, about, situations }) => {
    const cells = Object.entries(situations).flatMap(([situation, build]) => cellsOf(situation, build))
    return { title, about, situations: Object.keys(situations), cells }
  })
}

function cellsOf(situation: string, build: () => Situation): Cell[] {
  const { phase } = build().driver.guard
  return Object.entries(plots)
    .filter(([, { notIn = [] }]) => !notIn.includes(phase.name))
    .map(([event, plot]) => ({ situation, event, outcome: outcomeOf(build(), plot) }))
}

const witnessRefuses = ['promised', 'waiting', 'stale-epoch 20'].map((reason) => `witness refuses: ${reason}`)
const peerRefuses = ['promised', 'outranked', 'yielding'].map((reason) => `peer refuses: ${reason}`)
const witnessAnswers = ['witness grants', 'witness: pending', ...witnessRefuses, 'witness: peer holds']
const peerAnswers = ['peer grants', ...peerRefuses]

export const guardFamilies: Families = {
  'any answer': [...witnessAnswers, ...peerAnswers],
  'any answer of the witness': witnessAnswers,
  'any answer of the peer': peerAnswers,
  'witness refuses': witnessRefuses,
  'peer refuses': peerRefuses,
  'peer asks': ['peer asks, priority 100', 'peer asks, priority 200'],
  'peer asks nothing': ['peer gives its votes back', 'peer stands by'],
  'any count of adverts': ['adverts counted: 5', 'adverts counted: 7', 'adverts not to be had'],
  'start command ends': ['start command succeeds', 'start command fails'],
  'VIP gone, not MASTER': ['BACKUP', 'FAULT', 'ended'],
  'MASTER or VIP held': ['MASTER', 'FAULT, but the VIP is held'],
  'ballot on disk, or not written': ['ballot on disk', 'ballot cannot be written'],
  'any order': ['order: fence', 'order: announce', 'order: yield', 'order: drill', 'order: drill-holder'],
  'order: a drill': ['order: drill', 'order: drill-holder'],
  '2 s: anybody dead, anything cut': [
    '2 s: witness dead',
    '2 s: link to the peer cut',
    '2 s: peer dead',
    '2 s: cut off from both',
  ],
}
