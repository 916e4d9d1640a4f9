import assert from 'node:assert/strict'
import { PeerListener } from '../../../agent/peer-listener.ts'
import { parseFromVoter, type FromVoter, type Verdict } from '../../../shared/protocol.ts'
import { dialVoter, type Connection } from '../../../shared/transport.ts'
import { defaultTiming } from '../../../shared/timing.ts'
import { eventually } from './eventually.ts'

const token = 'a-token-of-the-test-suite'
const hello = {
  type: 'hello',
  protocol: 1,
  cluster: 'web',
  node: 'lb02',
  incarnation: 'incarnation-1',
  bootId: 'boot-id-1',
  software: 'test',
  listener: { address: null, port: 7401 },
  mode: 'enforce',
  profiles: [],
}
const verdict: Verdict = {
  instance: 'VI_1',
  vote: { kind: 'none' },
  holder: null,
  renewedAgoMs: null,
  epoch: 1,
}
const beat = (seq: number): object => ({ type: 'beat', seq, echoMs: null, leaseMs: 1800, reports: [] })

/** The peer's side of one connection. */
interface Peer {
  connection: Connection | null
  closed: string | null
  readonly received: FromVoter[]
}

describe('PeerListener', () => {
  let listener: PeerListener
  let beats: number[]
  let refused: string[]
  let nowMs: number
  let promised: boolean
  const handles: { close(): void }[] = []

  beforeEach(async () => {
    beats = []
    refused = []
    nowMs = 1000
    promised = false
    listener = await PeerListener.listen({
      cluster: 'web',
      node: 'lb01',
      listen: { address: '127.0.0.1', port: 0 },
      token,
      nowMs: () => nowMs,
      monotonicMs: () => nowMs,
      timing: () => defaultTiming,
      promised: () => promised,
      onBeat: ({ seq }) => {
        beats.push(seq)
        listener.answer(seq, verdict)
      },
      onRefused: (reason) => refused.push(reason),
    })
    listener.setPeer('lb02')
  })
  afterEach(() => {
    for (const handle of handles.splice(0)) handle.close()
    listener.close()
  })

  const dial = async (first: object): Promise<Peer> => {
    const peer: Peer = { connection: null, closed: null, received: [] }
    handles.push(
      dialVoter({
        url: `http://127.0.0.1:${listener.port}`,
        token,
        connectTimeoutMs: 2000,
        monotonicMs: () => nowMs,
        onOpen: (connection) => {
          peer.connection = connection
          connection.send(first)
        },
        onMessage: (_connection, data) => peer.received.push(parseFromVoter(data)),
        onClose: (_connection, reason) => (peer.closed = reason),
      }),
    )
    await eventually('a word or the end', () => peer.received.length > 0 || peer.closed !== null)
    return peer
  }

  it('welcomes the peer, without a plan, and answers each beat with what was decided on it', async () => {
    const peer = await dial(hello)
    assert.deepEqual(peer.received, [{ type: 'welcome', protocol: 1, voter: 'lb01', plan: null }])
    peer.connection!.send(beat(5))
    await eventually('the answer', () => peer.received.length === 2)
    assert.deepEqual(peer.received[1], { type: 'answer', seq: 5, atMs: 1000, verdicts: [verdict] })
  })

  it('answers a pending vote a second time', async () => {
    const peer = await dial(hello)
    peer.connection!.send(beat(5))
    await eventually('the answer', () => peer.received.length === 2)
    listener.answer(5, { ...verdict, vote: { kind: 'granted', epoch: 1 } })
    await eventually('the second answer', () => peer.received.length === 3)
    const second = peer.received[2]
    assert.ok(second?.type === 'answer' && second.seq === 5)
    assert.equal(second.verdicts[0]?.vote.kind, 'granted')
  })

  for (const [what, change, reason] of [
    ['another cluster', { cluster: 'other' }, 'foreign-cluster'],
    ['another node', { node: 'lb07' }, 'foreign-node'],
    ['a malformed hello', { node: '' }, 'malformed'],
  ] as const)
    it(`refuses ${what}, and counts it`, async () => {
      const peer = await dial({ ...hello, ...change })
      assert.deepEqual(peer.received, [])
      assert.deepEqual(refused, [reason])
    })

  it('sends everybody away while no plan names a peer, without a word to the operator', async () => {
    listener.setPeer(null)
    const early = await dial(hello)
    assert.match(early.closed ?? '', /no plan/)
    assert.deepEqual([refused, beats], [[], []])
  })

  it('refuses a beat before a hello', async () => {
    await dial(beat(1))
    assert.deepEqual([refused, beats], [['no-hello'], []])
  })

  it('passes over a beat that is not newer, also on another connection', async () => {
    const peer = await dial(hello)
    peer.connection!.send(beat(5))
    await eventually('the answer', () => peer.received.length === 2)
    const again = await dial(hello)
    again.connection!.send(beat(5))
    await eventually('the refusal', () => refused.length === 1)
    again.connection!.send(beat(6))
    await eventually('the answer', () => again.received.length === 2)
    assert.deepEqual([beats, refused], [[5, 6], ['replayed']])
  })

  it('lets a new start of the peer take the place of one that is gone, which then changes nothing any more', async () => {
    const old = await dial(hello)
    old.connection!.close('the agent is restarted')
    await eventually('the old one closed', () => old.closed !== null)
    nowMs += 1200
    const next = await dial({ ...hello, incarnation: 'incarnation-2' })
    next.connection!.send(beat(1))
    await eventually('the answer', () => next.received.length === 2)
    nowMs += 1200
    await dial(hello)
    assert.deepEqual([beats, refused], [[1], ['old-incarnation']])
    assert.equal(next.closed, null)
  })

  it('refuses a second live agent of the name of the peer', async () => {
    const peer = await dial(hello)
    const clone = await dial({ ...hello, incarnation: 'incarnation-2', bootId: 'another-boot' })
    assert.match(clone.closed ?? '', /cloned host/)
    assert.deepEqual([refused, peer.closed], [['double'], null])
  })

  it('waits for the end of every promise before another boot may speak for the peer', async () => {
    await dial(hello)
    const reboot = { ...hello, incarnation: 'incarnation-2', bootId: 'another-boot' }
    nowMs += defaultTiming.reserveMs - 1
    await dial(reboot)
    assert.deepEqual(refused, ['double'])
    nowMs += 1
    const later = await dial(reboot)
    assert.deepEqual([refused, later.closed], [['double'], null])
  })

  it('lets no other boot speak while a promise to the peer runs, however long the peer was silent', async () => {
    await dial(hello)
    const reboot = { ...hello, incarnation: 'incarnation-2', bootId: 'another-boot' }
    nowMs += 10 * defaultTiming.reserveMs
    promised = true
    await dial(reboot)
    assert.deepEqual(refused, ['double'])
    promised = false
    const later = await dial(reboot)
    assert.deepEqual([refused, later.closed], [['double'], null])
  })

  it('says which address is in use', async () => {
    await assert.rejects(
      PeerListener.listen({
        cluster: 'web',
        node: 'lb01',
        listen: { address: '127.0.0.1', port: listener.port },
        token,
        nowMs: () => 0,
        monotonicMs: () => 0,
        timing: () => defaultTiming,
        promised: () => false,
        onBeat: () => undefined,
        onRefused: () => undefined,
      }),
      /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*change "listen" in agent\.yaml/,
    )
  })
})
