import assert from 'node:assert/strict'
import type { Profile } from '../../../../shared/protocol/plan.ts'
import type { Report } from '../../../../shared/protocol/report.ts'
import { connect, type Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import { PeerListener } from '../../../../agent/voters/peer-listener.ts'
import { refusalOfPeer } from '../../../../agent/voters/identity.ts'
import { Authority } from '../../../../server/registry/authority.ts'
import type { Credentials } from '../../../../shared/identity/credentials.ts'
import type { Identity } from '../../../../shared/identity/identity.ts'
import { type FromVoter, type VoterReply, parseFromVoter } from '../../../../shared/protocol/messages.ts'
import { secureContextOf } from '../../../../shared/network/secure-server.ts'
import { defaultTiming } from '../../../../shared/core/timing.ts'
import { dialVoter } from '../../../../shared/network/dial.ts'
import type { Connection } from '../../../../shared/network/connection.ts'
import { identities, identitiesOf, type Identities } from '../../../identities.ts'
import { eventually } from '../../../fixtures/eventually.ts'

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
const reply: VoterReply = {
  instance: 'VI_1',
  vote: { kind: 'none' },
  holder: null,
  renewedAgoMs: null,
  epoch: 1,
}
const beat = (seq: number): object => ({ type: 'beat', seq, echoMs: null, leaseMs: 1800, reports: [] })

const vrrp = (instance: string, ...vips: string[]): Profile => ({
  instance,
  virtualRouterId: 51,
  interface: 'eth0',
  version: 2,
  priority: 100,
  nopreempt: false,
  advertIntMs: 1000,
  vips,
})
const reportOf = (instance: string): Report => ({
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
})

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
  let told: string[]
  let nowMs: number
  let promised: boolean
  let profiles: readonly Profile[]
  let heard: string[]
  let isKnownAddress: (address: string) => boolean
  let ours: Identities
  let lb01: Credentials
  let lb02: Credentials
  const handles: { close(): void }[] = []
  const sockets: Socket[] = []

  before(async () => {
    ours = await identities()
    lb01 = await ours.node({ node: 'lb01' })
    lb02 = await ours.node({ node: 'lb02' })
  })
  beforeEach(async () => {
    beats = []
    refused = []
    told = []
    nowMs = 1000
    promised = false
    profiles = []
    heard = []
    isKnownAddress = () => true
    listener = await PeerListener.listen({
      cluster: 'web',
      node: 'lb01',
      listen: { address: '127.0.0.1', port: 0 },
      credentials: lb01,
      isKnownAddress: (address) => isKnownAddress(address),
      nowMs: () => nowMs,
      monotonicMs: () => nowMs,
      timing: () => defaultTiming,
      promised: () => promised,
      profiles: () => profiles,
      onNames: ({ ambiguous }) => {
        for (const [theirs, among] of ambiguous) told.push(`${theirs}?${among.join()}`)
      },
      onBeat: ({ seq, reports }) => {
        beats.push(seq)
        heard.push(...reports.map(({ instance }) => instance))
        listener.answer(seq, reply)
      },
      onRefused: (reason, text) => {
        refused.push(reason)
        told.push(text)
      },
    })
    listener.setPeer({ name: 'lb02', leastGeneration: 1 })
  })
  afterEach(() => {
    for (const handle of handles.splice(0)) handle.close()
    for (const socket of sockets.splice(0)) socket.destroy()
    listener.close()
  })

  const refusalOfLb01 = (identity: Identity | null): string | null =>
    refusalOfPeer({ cluster: 'web', peer: { name: 'lb01', leastGeneration: 1 } }, identity)
  const dial = async (
    first: object,
    as: Credentials = lb02,
    refusalOf: (identity: Identity | null) => string | null = refusalOfLb01,
  ): Promise<Peer> => {
    const peer: Peer = { connection: null, closed: null, received: [] }
    handles.push(
      dialVoter({
        url: `https://127.0.0.1:${listener.port}`,
        secureContext: createSecureContext(secureContextOf(as)),
        refusalOf,
        connectTimeoutMs: 5000,
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
    assert.deepEqual(peer.received[1], { type: 'answer', seq: 5, atMs: 1000, verdicts: [reply] })
  })

  it('hears and answers by the names of the peer where it names an instance differently', async () => {
    profiles = [vrrp('VI_1', '10.0.0.100/24')]
    const peer = await dial({ ...hello, profiles: [vrrp('VI_WEB', '10.0.0.100/24')] })
    peer.connection!.send({ ...beat(1), reports: [reportOf('VI_WEB')] })
    await eventually('the answer', () => peer.received.length === 2)
    assert.deepEqual(heard, ['VI_1'])
    const verdicts = [{ ...reply, instance: 'VI_WEB' }]
    assert.deepEqual(peer.received[1], { type: 'answer', seq: 1, atMs: 1000, verdicts })
  })

  it('hears nothing of an instance that may be one or another, tells it, and follows a change on either side', async () => {
    profiles = [vrrp('VI_1', '10.0.0.100/24', '10.0.0.101/24')]
    const theirs = [vrrp('P', '10.0.0.100/24'), vrrp('Q', '10.0.0.101/24')]
    const peer = await dial({ ...hello, profiles: theirs })
    peer.connection!.send({ ...beat(1), reports: [reportOf('P'), reportOf('Q')] })
    await eventually('the answer', () => peer.received.length === 2)
    assert.deepEqual([heard, told], [[], ['P?VI_1', 'Q?VI_1']])
    profiles = theirs
    peer.connection!.send({ ...beat(2), reports: [reportOf('P'), reportOf('Q')] })
    await eventually('the answer', () => peer.received.length === 3)
    assert.deepEqual(heard, ['P', 'Q'])
    peer.connection!.send({ ...hello, profiles: [vrrp('R', '10.0.0.100/24')] })
    peer.connection!.send({ ...beat(3), reports: [reportOf('R')] })
    await eventually('the answer', () => heard.length === 3)
    assert.deepEqual(heard, ['P', 'Q', 'P'])
  })

  it('answers a pending vote a second time', async () => {
    const peer = await dial(hello)
    peer.connection!.send(beat(5))
    await eventually('the answer', () => peer.received.length === 2)
    listener.answer(5, { ...reply, vote: { kind: 'granted', epoch: 1 } })
    await eventually('the second answer', () => peer.received.length === 3)
    const second = peer.received[2]
    assert.ok(second?.type === 'answer' && second.seq === 5)
    assert.equal(second.verdicts[0]?.vote.kind, 'granted')
  })

  for (const [what, change, reason] of [
    ['another cluster', { cluster: 'other' }, 'foreign-cluster'],
    ['the certificate of another node than the hello', { node: 'lb07' }, 'impersonation'],
    ['a malformed hello', { node: '' }, 'malformed'],
  ] as const)
    it(`refuses ${what}, and counts it`, async () => {
      const peer = await dial({ ...hello, ...change })
      assert.deepEqual(peer.received, [])
      assert.deepEqual(refused, [reason])
    })

  describe('refuses before a hello', () => {
    const expected = async (who: Credentials, text: RegExp, reason = 'unauthenticated'): Promise<void> => {
      const stranger = await dial(hello, who)
      assert.deepEqual([stranger.received, stranger.connection, refused], [[], null, [reason]])
      assert.match(told[0] ?? '', text)
    }

    it('another node of the cluster that says it is the peer', async () =>
      expected(await ours.node({ node: 'lb07' }), /this is node web\/lb07, not the peer web\/lb02$/))
    it('a node of its name in another cluster', async () =>
      expected(await ours.node({ cluster: 'mail', node: 'lb02' }), /this is node mail\/lb02, not the peer/))
    it('this node itself', () => expected(lb01, /this is node web\/lb01, not the peer/))
    it('the witness', () => expected(ours.witness, /this is the witness, not the peer/))
    it('an admin', () => expected(ours.admin, /this is admin local, not the peer/))
    it('who has a certificate of another authority', async () => {
      const { key, certificate } = await (
        await identitiesOf(await Authority.inMemory())
      ).node({ node: 'lb02' })
      await expected({ ...lb02, key, certificate }, /the client showed no certificate of this authority$/)
    })
  })

  describe('whose peer was enrolled again or rotated', () => {
    const plan = { name: 'lb02', leastGeneration: 2 }

    it('refuses the peer with its older certificate, and says what to do', async () => {
      listener.setPeer(plan)
      const old = await dial(hello)
      assert.match(old.closed ?? '', /^refused: HTTP 403: node web\/lb02: .*replaced or revoked.*enrol/)
      assert.deepEqual(refused, ['unauthenticated'])
    })

    it('closes what is open with the older certificate as soon as the plan says so', async () => {
      const old = await dial(hello)
      listener.setPeer(plan)
      await eventually('closed', () => old.closed !== null)
      assert.match(old.closed ?? '', /replaced or revoked \(generation 1, at least 2 is needed\)/)
      old.connection!.send(beat(1))
      const next = await dial(hello, await ours.node({ node: 'lb02', generation: 2 }))
      next.connection!.send(beat(2))
      await eventually('the answer', () => next.received.length === 2)
      assert.deepEqual(beats, [2])
    })

    it('keeps what is open with a certificate that is new enough', async () => {
      const peer = await dial(hello, await ours.node({ node: 'lb02', generation: 2 }))
      listener.setPeer(plan)
      peer.connection!.send(beat(1))
      await eventually('the answer', () => peer.received.length === 2)
      assert.deepEqual([beats, peer.closed], [[1], null])
    })
  })

  it('closes the connection of the peer when the plan names another', async () => {
    const peer = await dial(hello)
    listener.setPeer({ name: 'lb03', leastGeneration: 1 })
    await eventually('closed', () => peer.closed !== null)
    assert.match(peer.closed ?? '', /this is node web\/lb02, not the peer web\/lb03/)
  })

  it('shows a renewed certificate from the next connection on, and keeps what is open', async () => {
    const peer = await dial(hello)
    listener.renewCredentials(await ours.node({ node: 'lb01', generation: 2 }))
    const shown: (Identity | null)[] = []
    const next = await dial(hello, lb02, (identity) => {
      shown.push(identity)
      return refusalOfLb01(identity)
    })
    assert.deepEqual(shown, [{ kind: 'node', cluster: 'web', node: 'lb01', generation: 2 }])
    assert.deepEqual([next.closed, refused], [null, []])
    // The newer connection of the same start takes its place: that, and not the renewal, ends it.
    await eventually('closed', () => peer.closed !== null)
    assert.match(peer.closed ?? '', /replaced by a newer connection/)
  })

  it('cuts strangers that come too often, and not the peer', async () => {
    isKnownAddress = (address) => address === '127.0.0.1'
    for (let number = 0; number < 100; number += 1) {
      const socket = connect({ port: listener.port, host: '127.0.0.1', localAddress: '127.0.0.9' })
      socket.on('error', () => undefined)
      sockets.push(socket)
    }
    await eventually('cut', () => refused.length >= 20)
    assert.deepEqual([...new Set(refused)], ['too-many-connections'])
    assert.equal(told[0], 'a connection from 127.0.0.9 was closed before its hello')
    const peer = await dial(hello)
    assert.deepEqual([peer.closed, peer.received.length], [null, 1])
  })

  it('sends everybody away while no plan names a peer, without a word to the operator', async () => {
    listener.setPeer(null)
    const early = await dial(hello)
    assert.match(early.closed ?? '', /does not know its peer yet/)
    assert.deepEqual([refused, beats], [[], []])
  })

  it('keeps nodes of other clusters, admins and the witness away while no plan names a peer, too', async () => {
    listener.setPeer(null)
    const others = [await ours.node({ cluster: 'mail', node: 'lb02' }), ours.admin, ours.witness]
    for (const credentials of others) {
      const early = await dial(hello, credentials)
      assert.match(early.closed ?? '', /refused: HTTP 403: .* not a node of cluster web/)
    }
    assert.deepEqual(refused, ['unauthenticated', 'unauthenticated', 'unauthenticated'])
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
    const ghost = await dial(hello)
    assert.deepEqual([beats, refused], [[1], ['old-incarnation']])
    assert.equal(next.closed, null)
    assert.deepEqual(ghost.received, [{ type: 'superseded' }], 'one that lives may come as a new start')
  })

  it('refuses a second live agent of the name of the peer', async () => {
    const peer = await dial(hello)
    const clone = await dial({ ...hello, incarnation: 'incarnation-2', bootId: 'another-boot' })
    assert.match(clone.closed ?? '', /host was cloned/)
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
        credentials: lb01,
        isKnownAddress: () => true,
        nowMs: () => 0,
        monotonicMs: () => 0,
        timing: () => defaultTiming,
        promised: () => false,
        profiles: () => [],
        onNames: () => undefined,
        onBeat: () => undefined,
        onRefused: () => undefined,
      }),
      /cannot listen on 127\.0\.0\.1:\d+ \(.*EADDRINUSE.*change "listen" in agent\.yaml/,
    )
  })
})
