import assert from 'node:assert/strict'
import { createSecureContext } from 'node:tls'
import { refusalOfWitness } from '../../../../agent/voters/identity.ts'
import { VoterLink } from '../../../../agent/voters/link.ts'
import { Authority } from '../../../../server/registry/authority.ts'
import { bootClockMs } from '../../../../shared/host/boot-clock.ts'
import type { Credentials } from '../../../../shared/identity/credentials.ts'
import { type FromAgent, type Hello, parseFromAgent } from '../../../../shared/protocol/messages.ts'
import type { Plan } from '../../../../shared/protocol/plan.ts'
import { secureContextOf } from '../../../../shared/network/secure-server.ts'
import { defaultTiming } from '../../../../shared/core/timing.ts'
import { acceptAgents } from '../../../../shared/network/accept.ts'
import type { AcceptedConnection } from '../../../../shared/network/connection.ts'
import { identities, identitiesOf } from '../../../identities.ts'
import { LoopbackServer } from '../../../fixtures/loopback-server.ts'
import { StallingProxy } from '../../../fixtures/stalling-proxy.ts'
import { eventually } from '../../../fixtures/eventually.ts'

const plan: Plan = { cluster: 'web', timing: defaultTiming, nodes: [] }
const hello: Hello = {
  type: 'hello',
  protocol: 1,
  cluster: 'web',
  node: 'lb01',
  incarnation: 'incarnation-1',
  bootId: 'boot-id-1',
  software: 'test',
  listener: { address: null, port: 7401 },
  mode: 'enforce',
  profiles: [],
}

describe('VoterLink', () => {
  let server: LoopbackServer
  let acceptor: { close(): void }
  let connections: AcceptedConnection[]
  let received: FromAgent[]
  let happened: string[]
  let link: VoterLink
  let renewMs: number
  let nowMs: () => number
  /** What the voter says to a hello; null: nothing. */
  let voter: string | null
  let proxy: StallingProxy | null
  /** What this side shows, and whom it trusts. */
  let own: Credentials
  let leastGeneration: number
  /** Starts of the agent that the voter took another's place for. */
  let superseded: string[]
  let incarnations: number

  beforeEach(async () => {
    connections = []
    received = []
    happened = []
    renewMs = 400
    leastGeneration = 1
    superseded = []
    incarnations = 0
    nowMs = bootClockMs
    voter = 'witness'
    proxy = null
    own = await (await identities()).node()
    await serve((await identities()).witness)
  })
  afterEach(async () => {
    link.close()
    proxy?.close()
    acceptor.close()
    await server.close()
  })

  async function serve(credentials: Credentials): Promise<void> {
    server = await LoopbackServer.open(credentials)
    acceptor = acceptAgents(server.server, {
      refusalOf: (identity) =>
        identity.kind === 'node' && identity.generation < leastGeneration ? 'it was rotated' : null,
      monotonicMs: () => performance.now(),
      maxConnections: 10,
      onRefused: () => undefined,
      onOpen: (connection) => connections.push(connection),
      onMessage: (connection, data) => {
        const message = parseFromAgent(data)
        received.push(message)
        if (message.type === 'hello' && superseded.includes(message.incarnation)) {
          connection.send({ type: 'superseded' })
          connection.close('a newer start took its place')
        } else if (message.type === 'hello' && voter !== null)
          connection.send({ type: 'welcome', protocol: 1, voter, plan })
      },
      onClose: () => undefined,
    })
  }
  async function serveInstead(credentials: Credentials): Promise<void> {
    acceptor.close()
    await server.close()
    await serve(credentials)
  }
  const dial = (): void => {
    link = new VoterLink({
      voter: 'witness',
      url: proxy?.url ?? server.url,
      secureContext: () => createSecureContext(secureContextOf(own)),
      refusalOf: refusalOfWitness,
      hello: (incarnation) => ({ ...hello, incarnation }),
      newIncarnation: () => `incarnation-${++incarnations}`,
      renewMs: () => renewMs,
      nowMs: () => nowMs(),
      monotonicMs: () => performance.now(),
      jitter: () => 0,
      on: {
        up: (handed) => happened.push(`up ${handed?.cluster ?? 'without a plan'}`),
        down: (reason) => happened.push(`down ${reason}`),
        answer: ({ sentAtMs, answer }) => happened.push(`answer ${answer.seq} to ${sentAtMs}`),
        order: (order) => happened.push(`order ${order.what}`),
        plan: () => happened.push('plan'),
        renew: () => happened.push('renew'),
      },
    })
  }
  const up = (): Promise<void> => eventually('up', () => link.up)

  it('says hello, and is up with the plan of the welcome', async () => {
    dial()
    await up()
    assert.deepEqual(received, [hello])
    assert.deepEqual(happened, ['up web'])
  })

  it('comes as a new start where another agent took its place while it stood still', async () => {
    superseded = ['incarnation-1', 'incarnation-2']
    dial()
    await up()
    const starts = received.flatMap((message) => (message.type === 'hello' ? [message.incarnation] : []))
    assert.deepEqual(starts, ['incarnation-1', 'incarnation-2', 'incarnation-3'])
    assert.equal(happened.length, 2, 'the reason is told once')
    assert.match(happened[0] ?? '', /another agent took the place of this one/)
  })

  it('comes as a new start where it hears so in a session that is open', async () => {
    dial()
    await up()
    superseded = ['incarnation-1']
    link.helloAgain()
    await eventually('down', () => happened.length >= 2)
    await up()
    assert.deepEqual(received.at(-1), { ...hello, incarnation: 'incarnation-2' })
  })

  it('tells of an answer when its beat left, also the second time', async () => {
    dial()
    await up()
    link.beat({ atMs: 5000, seq: 7, leaseMs: 1800, reports: [] })
    await eventually('the beat', () => received.length === 2)
    const answer = { type: 'answer', seq: 7, atMs: 99, verdicts: [] }
    connections[0]!.send(answer)
    connections[0]!.send(answer)
    await eventually('both answers', () => happened.length === 3)
    assert.deepEqual(happened.slice(1), ['answer 7 to 5000', 'answer 7 to 5000'])
  })

  it('echoes the last answer in the next beat', async () => {
    dial()
    await up()
    link.beat({ atMs: 5000, seq: 1, leaseMs: 1800, reports: [] })
    connections[0]!.send({ type: 'answer', seq: 1, atMs: 4711, verdicts: [] })
    await eventually('the answer', () => happened.length === 2)
    link.beat({ atMs: 5400, seq: 2, leaseMs: 1800, reports: [] })
    await eventually('the second beat', () => received.length === 3)
    assert.deepEqual(
      received.map((message) => (message.type === 'beat' ? message.echoMs : message.type)),
      ['hello', null, 4711],
    )
  })

  it('passes over an answer to a beat that it never sent', async () => {
    dial()
    await up()
    connections[0]!.send({ type: 'answer', seq: 99, atMs: 1, verdicts: [] })
    connections[0]!.send({ type: 'plan', plan })
    await eventually('the plan', () => happened.includes('plan'))
    assert.deepEqual(happened, ['up web', 'plan'])
  })

  it('passes orders on', async () => {
    dial()
    await up()
    connections[0]!.send({ type: 'order', instance: 'VI_1', what: 'fence', epoch: 1, reason: 'test' })
    await eventually('the order', () => happened.includes('order fence'))
  })

  it('dials again when the connection ends', async () => {
    dial()
    await up()
    connections[0]!.close('restarting')
    await eventually('the second hello', () => received.length === 2 && link.up)
    assert.match(happened[1] ?? '', /^down .*restarting/)
    assert.equal(happened[2], 'up web')
  })

  it('gives up a connection on which nothing comes, and dials again', async () => {
    nowMs = () => 5000
    dial()
    await up()
    for (const atMs of [5400, 5800, 6200]) link.watch(atMs)
    assert.deepEqual(happened, ['up web'])
    link.watch(6600)
    assert.deepEqual(happened, ['up web', 'down silent for 1600 ms'])
    await eventually('the second hello', () => received.length === 2 && link.up)
  })

  describe('whose connection stands still', () => {
    let atMs: number
    beforeEach(async () => {
      atMs = 5000
      nowMs = () => atMs
      proxy = await StallingProxy.before(server.port)
    })
    const pass = (durationMs: number): void => link.watch((atMs += durationMs))

    it('dials another beside it, and goes on with that one', async () => {
      dial()
      await up()
      proxy!.stall()
      pass(400)
      link.beat({ atMs, seq: 1, leaseMs: 1800, reports: [] })
      pass(400)
      await eventually('the change', () => happened.length === 3)
      assert.deepEqual(happened, ['up web', 'down a newer connection replaces this one', 'up web'])
      link.beat({ atMs, seq: 2, leaseMs: 1800, reports: [] })
      await eventually('the beat', () => received.length === 3)
      assert.deepEqual(
        received.map((message) => (message.type === 'beat' ? message.seq : message.type)),
        ['hello', 'hello', 2],
      )
      proxy!.goOn()
      await eventually('the reset of the first', () => proxy!.resets === 1 && proxy!.open === 1)
    })

    it('uses it until another is welcomed, and keeps it where it speaks first', async () => {
      dial()
      await up()
      proxy!.mute = true
      pass(400)
      pass(400)
      await eventually('an attempt', () => proxy!.accepted === 2)
      assert.equal(link.up, true)
      link.beat({ atMs, seq: 1, leaseMs: 1800, reports: [] })
      await eventually('the beat', () => received.length === 2)
      connections[0]!.send({ type: 'answer', seq: 1, atMs: 1, verdicts: [] })
      await eventually('the end of the attempt', () => proxy!.open === 1)
      assert.deepEqual(happened, ['up web', 'answer 1 to 5800'])
    })

    it('gives it up after 3 × renewMs without waiting for the attempts', async () => {
      dial()
      await up()
      proxy!.mute = true
      pass(400)
      pass(400)
      await eventually('an attempt', () => proxy!.accepted === 2)
      pass(410)
      assert.deepEqual(happened, ['up web', 'down silent for 1210 ms'])
      assert.equal(link.up, false)
      proxy!.mute = false
      await eventually('the second hello', () => link.up)
    })

    it('starts attempts beside those that hang, four at most', async () => {
      renewMs = 100
      dial()
      await up()
      proxy!.mute = true
      pass(100)
      pass(100)
      await eventually('six attempts', () => proxy!.accepted >= 7)
      assert.equal(proxy!.mostOpen, 5, 'the session and four attempts')
      proxy!.mute = false
      await eventually('another session', () => happened.length === 3)
      await eventually('the end of the others', () => proxy!.open === 1)
    })

    it('waits for a voter whose host answers, longer each time, instead of dialling it again and again', async () => {
      renewMs = 100
      proxy!.mute = true
      dial()
      await new Promise((resolve) => setTimeout(resolve, 3000))
      // After 0, 0.5, 1.5 and 3.5 s, and a little more. Without a pace it would be thirty.
      assert.ok(proxy!.accepted >= 2 && proxy!.accepted <= 4, `${proxy!.accepted} attempts`)
      assert.equal(proxy!.mostOpen, 1)
      proxy!.mute = false
      await up()
    })

    it('does not wait for a welcome that does not come', async () => {
      voter = null
      dial()
      await eventually('hello', () => received.length === 1)
      voter = 'witness'
      atMs += 801
      await up()
      assert.deepEqual(happened, ['down no welcome within 800 ms', 'up web'])
    })
  })

  it('knows when a beat left whose answer comes on another connection', async () => {
    dial()
    await up()
    link.beat({ atMs: 5000, seq: 7, leaseMs: 1800, reports: [] })
    connections[0]!.close('restarting')
    await eventually('the second hello', () => connections.length === 2 && link.up)
    connections[1]!.send({ type: 'answer', seq: 7, atMs: 99, verdicts: [] })
    await eventually('the answer', () => happened.at(-1) === 'answer 7 to 5000')
  })

  it('does not count a pause of its own against the voter', async () => {
    nowMs = () => 5000
    dial()
    await up()
    link.watch(5400)
    link.watch(9000)
    link.watch(9400)
    assert.deepEqual(happened, ['up web'])
  })

  it('closes a connection that brings what is not of the protocol', async () => {
    dial()
    await up()
    connections[0]!.send({ type: 'nonsense' })
    await eventually('down', () => happened.length >= 2)
    assert.match(happened[1] ?? '', /^down the message does not follow the protocol/)
  })

  it('does not take another voter for the right one', async () => {
    voter = 'lb09'
    dial()
    await eventually('down', () => happened.length === 1)
    assert.match(happened[0] ?? '', /is "lb09", not "witness"; check the address/)
    assert.equal(link.up, false)
  })

  it('says nothing to who is not the witness, whatever it calls itself, and tells so once', async () => {
    await serveInstead(await (await identities()).node({ node: 'lb02' }))
    dial()
    await eventually('attempts', () => server.handshakes >= 4)
    assert.deepEqual(
      [happened, received],
      [['down this is node web/lb02, not the witness; check the address'], []],
    )
    assert.equal(link.up, false)
  })

  it('says nothing to a witness of another authority', async () => {
    await serveInstead((await identitiesOf(await Authority.inMemory())).witness)
    dial()
    await eventually('attempts', () => server.handshakes >= 4)
    assert.equal(happened.length, 1)
    assert.match(happened[0] ?? '', /^down .*(self-signed certificate|unable to verify)/)
    assert.deepEqual(received, [])
  })

  it('says once that its certificate is refused, however often it tries', async () => {
    leastGeneration = 2
    dial()
    await eventually('attempts', () => server.handshakes >= 4)
    assert.deepEqual(happened, ['down refused: HTTP 403: node web/lb01: it was rotated'])
  })

  it('says once that its certificate is of another authority', async () => {
    const { key, certificate } = await (await identitiesOf(await Authority.inMemory())).node()
    own = { ...own, key, certificate }
    dial()
    await eventually('attempts', () => server.handshakes >= 4)
    assert.deepEqual(happened, ['down refused: HTTP 401: the client showed no certificate of this authority'])
  })

  it('shows a renewed certificate from the next connection on', async () => {
    dial()
    await up()
    own = await (await identities()).node({ generation: 2 })
    connections[0]!.send({ type: 'renew' })
    await eventually('the request', () => happened.at(-1) === 'renew')
    connections[0]!.close('rotated')
    await eventually('the second hello', () => connections.length === 2 && link.up)
    assert.deepEqual(
      connections.map(({ identity }) => identity.kind === 'node' && identity.generation),
      [1, 2],
    )
  })

  it('dials again where a renewal is never welcomed and the old connection has ended for it', async () => {
    renewMs = 100
    dial()
    await up()
    voter = null
    link.dialAnew()
    await eventually('the second hello', () => received.length === 2)
    connections[0]!.close('replaced by a newer connection')
    await eventually('the end of the first', () => !link.up)
    voter = 'witness'
    await up()
    assert.equal(connections.length, 3)
  })

  it('keeps what it cannot tell', async () => {
    dial()
    const tell = { type: 'tell', instance: null, event: 'x', level: 'info', text: 'y' } as const
    assert.equal(link.tell(tell), false)
    await up()
    assert.equal(link.tell(tell), true)
    await eventually('the tell', () => received.at(-1)?.type === 'tell')
  })
})
