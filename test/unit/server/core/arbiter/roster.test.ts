import assert from 'node:assert/strict'
import type { Beat } from '../../../../../shared/protocol/messages.ts'
import type { Report } from '../../../../../shared/protocol/report.ts'
import {
  answersIcmp,
  greet,
  hangUp,
  isLive,
  mastersOf,
  newNode,
  noteEcho,
  receiveBeat,
  settleDouble,
  type Greeting,
  type NodeState,
  type Patience,
} from '../../../../../server/core/arbiter/roster.ts'
import {
  helloOf,
  instance,
  leaseMs,
  reserveMs,
  silentAfterMs,
  standby,
} from '../../clusters/cluster-fixture.ts'

const unknown = newNode({ name: 'lb01', address: '10.0.0.11', port: 7401, leastGeneration: 1 })
const patienceAt = (atMs: number): Patience => ({
  promised: false,
  atMs,
  silenceMs: silentAfterMs,
  reserveMs,
})

type Welcomed = Exclude<Greeting, { kind: 'superseded' }>

const hello = (node: NodeState, connection: number, atMs: number, changes = {}): Greeting =>
  greet(node, { connection, hello: helloOf('lb01', changes), ...patienceAt(atMs) })
/** It must be welcomed. */
const arrive = (...said: Parameters<typeof hello>): Welcomed => {
  const greeting = hello(...said)
  assert.ok(greeting.kind !== 'superseded')
  return greeting
}
const restarted = { incarnation: 'lb01-start-2' }
const clone = { incarnation: 'lb01-clone-1', bootId: 'another-boot-1' }

const beatOf = (seq: number, changes: Partial<Beat> = {}): Beat => ({
  type: 'beat',
  seq,
  echoMs: null,
  leaseMs,
  reports: [standby],
  ...changes,
})
/** The node after its agent's beat; it must be taken. */
const heard = (node: NodeState, connection: number, atMs: number, seq = 1): NodeState => {
  const receipt = receiveBeat(node, { connection, beat: beatOf(seq), atMs })
  assert.notEqual(receipt.kind, 'stale')
  return receipt.kind === 'stale' ? node : receipt.node
}
/** Connected on connection 1, with a beat at 0. */
const live = heard(arrive(unknown, 1, 0).node, 1, 0)
/** With a clone on connection 2 that said hello at 100. */
const doubled = arrive(live, 2, 100, clone).node

describe('roster', () => {
  describe('a node', () => {
    it('is live from its first beat until 3R without another', () => {
      assert.equal(isLive(arrive(unknown, 1, 0).node, 0, silentAfterMs), false)
      assert.equal(isLive(live, silentAfterMs - 1, silentAfterMs), true)
      assert.equal(isLive(live, silentAfterMs, silentAfterMs), false)
    })

    it('is not live once its connection is gone, however fresh its beat', () =>
      assert.equal(isLive(hangUp(live, 1), 1, silentAfterMs), false))

    it('takes no notice of the end of a connection that is not its own', () =>
      assert.equal(hangUp(live, 99), live))

    it('keeps of its reports only those of the newest beat', () => {
      const reports = [
        { ...standby, instance: 'VI_1' },
        { ...standby, instance: 'VI_2' },
      ]
      const both = receiveBeat(live, { connection: 1, beat: beatOf(2, { reports }), atMs: 1 })
      assert.ok(both.kind === 'accepted')
      const one = receiveBeat(both.node, { connection: 1, beat: beatOf(3), atMs: 2 })
      assert.ok(one.kind === 'accepted')
      assert.deepEqual([...one.node.reports.keys()], ['VI_1'])
    })

    it('remembers the newest echo of our answers, also over beats without one', () => {
      const echoed = receiveBeat(live, { connection: 1, beat: beatOf(2, { echoMs: 77 }), atMs: 100 })
      assert.ok(echoed.kind === 'accepted')
      assert.equal(heard(echoed.node, 1, 200, 3).session?.echoMs, 77)
    })
  })

  describe('a beat', () => {
    it('that is replayed, out of order or from another connection is stale', () => {
      const third = heard(live, 1, 10, 3)
      for (const [connection, seq] of [
        [1, 3],
        [1, 2],
        [9, 4],
      ] as const)
        assert.equal(receiveBeat(third, { connection, beat: beatOf(seq), atMs: 20 }).kind, 'stale')
    })

    it('of the second agent of a name changes nothing that the first has said', () => {
      const reports = [{ ...standby, keepalived: 'MASTER' as const, vips: 'held' as const }]
      const receipt = receiveBeat(doubled, { connection: 2, beat: beatOf(1, { reports }), atMs: 150 })
      assert.ok(receipt.kind === 'double')
      assert.equal(receipt.node.reports, doubled.reports)
      assert.equal(receipt.node.session, doubled.session)
      assert.equal(receiveBeat(receipt.node, { connection: 2, beat: beatOf(1), atMs: 160 }).kind, 'stale')
    })
  })

  describe('a hello', () => {
    it('of a node that nobody spoke for is taken as a new start', () => {
      const greeting = arrive(unknown, 1, 0)
      assert.ok(greeting.kind === 'accepted')
      assert.deepEqual([greeting.isNew, greeting.replaced], [true, null])
    })

    it('of the same start on a new connection replaces the old one and goes on with its numbers', () => {
      const greeting = arrive(heard(live, 1, 10, 8), 2, 20)
      assert.ok(greeting.kind === 'accepted')
      assert.deepEqual([greeting.isNew, greeting.replaced], [false, 1])
      assert.equal(isLive(greeting.node, 20, silentAfterMs), true)
      assert.equal(receiveBeat(greeting.node, { connection: 2, beat: beatOf(8), atMs: 30 }).kind, 'stale')
    })

    it('of the same start on a new connection forgets nothing that it has read', () => {
      const read = receiveBeat(live, { connection: 1, beat: { ...beatOf(8), echoMs: 4711 }, atMs: 10 })
      assert.ok(read.kind === 'accepted')
      const greeting = arrive(read.node, 2, 20)
      assert.equal(greeting.node.session?.echoMs, 4711)
    })

    it('again on the same connection, with a new keepalived.conf, closes nothing', () => {
      const profiles = [{ ...helloOf('lb01').profiles[0]!, priority: 150 }]
      const greeting = arrive(live, 1, 20, { profiles })
      assert.ok(greeting.kind === 'accepted')
      assert.deepEqual([greeting.isNew, greeting.replaced], [false, null])
      assert.equal(greeting.node.session?.hello.profiles[0]?.priority, 150)
    })

    it('of another start never displaces a live agent, whatever its boot', () => {
      for (const changes of [restarted, clone]) {
        const greeting = arrive(live, 2, silentAfterMs - 1, changes)
        assert.equal(greeting.kind, 'double')
        assert.equal(greeting.node.session, live.session)
      }
    })

    it('of another start on the same boot is taken as soon as the old agent hung up or fell silent', () => {
      const afterClose = arrive(hangUp(live, 1), 2, 1, restarted)
      assert.ok(afterClose.kind === 'accepted')
      assert.deepEqual([afterClose.isNew, afterClose.replaced], [true, null])
      const afterSilence = arrive(live, 2, silentAfterMs, restarted)
      assert.ok(afterSilence.kind === 'accepted')
      assert.deepEqual([afterSilence.isNew, afterSilence.replaced], [true, 1])
    })

    it('of another boot is taken only when no promise to the old agent can be in use', () => {
      const gone = hangUp(heard(live, 1, 500, 2), 1)
      assert.equal(arrive(gone, 2, 500 + reserveMs - 1, clone).kind, 'double')
      assert.equal(arrive(gone, 2, 500 + reserveMs, clone).kind, 'accepted')
    })

    it('of a start whose place was taken is never taken again, however silent the newer one is', () => {
      const newer = arrive(hangUp(live, 1), 2, 20, restarted).node
      for (const gone of [newer, hangUp(newer, 2)])
        assert.deepEqual(hello(gone, 3, 20 + 100 * reserveMs), { kind: 'superseded' })
      assert.equal(arrive(newer, 3, 30, restarted).kind, 'accepted', 'the newer one itself')
    })

    it('of a start whose place a waiting second took is not taken either', () => {
      const settled = settleDouble(hangUp(heard(doubled, 2, reserveMs), 1), patienceAt(reserveMs))
      assert.equal(settled.session?.hello.incarnation, clone.incarnation)
      assert.equal(hello(settled, 3, 100 * reserveMs).kind, 'superseded')
    })

    it('of another start begins its numbers anew', () => {
      const { node } = arrive(hangUp(heard(live, 1, 10, 8), 1), 2, 20, restarted)
      assert.equal(node.session?.lastSeq, 0)
      assert.equal(isLive(node, 20, silentAfterMs), false)
    })
  })

  describe('two agents with one name', () => {
    it('are one again when the second hangs up', () => {
      const { double, session } = hangUp(doubled, 2)
      assert.deepEqual([double, session], [null, doubled.session])
    })

    it('stay two for as long as both are heard', () => {
      const later = heard(heard(doubled, 1, 900, 2), 2, 900)
      assert.equal(settleDouble(later, patienceAt(900 + silentAfterMs - 1)), later)
    })

    it('are one again when the second falls silent, also where it never said more than hello', () => {
      const first = heard(doubled, 1, 1200, 2)
      assert.equal(settleDouble(first, patienceAt(100 + silentAfterMs - 1)), first)
      assert.equal(settleDouble(first, patienceAt(100 + silentAfterMs)).double, null)
      assert.equal(settleDouble(first, patienceAt(100 + silentAfterMs)).session, first.session)
    })

    it('the second speaks for the node only when the first one’s promises have ended', () => {
      const lastWordAtMs = 500
      const gone = hangUp(heard(doubled, 1, lastWordAtMs, 2), 1)
      const untilMs = lastWordAtMs + reserveMs
      const waiting = heard(gone, 2, untilMs - 10)
      assert.equal(settleDouble(waiting, patienceAt(untilMs - 1)), waiting)
      const settled = settleDouble(waiting, patienceAt(untilMs))
      assert.deepEqual([settled.session?.connection, settled.double], [2, null])
    })

    it('the second takes over at once where it is a restart on the same boot', () => {
      const again = arrive(live, 2, 100, restarted).node
      assert.equal(settleDouble(again, patienceAt(101)), again)
      assert.equal(settleDouble(hangUp(again, 1), patienceAt(102)).session?.connection, 2)
    })
  })

  describe('ICMP', () => {
    const echoed = (...roundTrips: (number | null)[]): NodeState =>
      roundTrips.reduce<NodeState>(noteEcho, unknown)

    it('says nothing before the first echo', () => assert.equal(answersIcmp(unknown), null))

    it('answers as long as one of the two newest echoes came back', () => {
      assert.equal(answersIcmp(echoed(null)), false)
      assert.equal(answersIcmp(echoed(0.3)), true)
      assert.equal(answersIcmp(echoed(0.3, null)), true)
      assert.equal(answersIcmp(echoed(0.3, null, null)), false)
      assert.equal(answersIcmp(echoed(null, null, 0.3)), true)
    })

    it('keeps the newest echoes only', () => {
      const { echoes } = echoed(...Array.from({ length: 50 }, (_, i) => i))
      assert.equal(echoes.length, 20)
      assert.equal(echoes.at(-1), 49)
    })
  })

  describe('masters', () => {
    it('are nodes that show a VIP, by name, for one instance, and only while they are live', () => {
      const masterOf = (name: string, atMs: number, sight: Partial<Report>): NodeState => {
        const reports = [
          { ...standby, ...sight },
          { ...standby, instance: 'VI_2' },
        ]
        const greeting = greet(newNode({ name, address: '::1', port: 7401, leastGeneration: 1 }), {
          connection: 1,
          hello: helloOf(name),
          ...patienceAt(atMs),
        })
        assert.ok(greeting.kind === 'accepted')
        const receipt = receiveBeat(greeting.node, { connection: 1, beat: beatOf(1, { reports }), atMs })
        assert.ok(receipt.kind === 'accepted')
        return receipt.node
      }
      const nodes = new Map([
        ['lb02', masterOf('lb02', 0, { keepalived: 'STOP', vips: 'held' })],
        ['lb01', masterOf('lb01', 100, { keepalived: 'MASTER' })],
      ])
      const at = (atMs: number): { atMs: number; silenceMs: number } => ({ atMs, silenceMs: silentAfterMs })
      assert.deepEqual(mastersOf(nodes, instance, at(100)), ['lb01', 'lb02'])
      assert.deepEqual(mastersOf(nodes, 'VI_2', at(100)), [])
      assert.deepEqual(mastersOf(nodes, 'VI_3', at(100)), [])
      assert.deepEqual(mastersOf(nodes, instance, at(silentAfterMs)), ['lb01'])
    })
  })
})
