import assert from 'node:assert/strict'
import { AgentGateway, helloTimeoutMs, type Receiver } from '../../../../server/agents/gateway.ts'
import type { Happening } from '../../../../server/clusters/runtime.ts'
import { Refusals } from '../../../../server/agents/refusals.ts'
import type { Beat, Hello, Tell } from '../../../../shared/protocol/messages.ts'
import type { Identity } from '../../../../shared/identity/identity.ts'
import type { AcceptedConnection } from '../../../../shared/network/connection.ts'
import { recordingLog } from '../../../fixtures/recording-log.ts'

const hello: Hello = {
  type: 'hello',
  protocol: 1,
  cluster: 'web',
  node: 'lb01',
  incarnation: 'incarnation-1',
  bootId: 'boot-of-lb01',
  software: 'test',
  listener: { address: null, port: 7401 },
  mode: 'enforce',
  profiles: [],
}
const beat: Beat = { type: 'beat', seq: 1, echoMs: null, leaseMs: 1800, reports: [] }
const tell: Tell = {
  type: 'tell',
  instance: null,
  event: 'started',
  level: 'info',
  text: 'The agent started.',
}

class FakeConnection implements AcceptedConnection {
  identity: Identity = { kind: 'node', cluster: 'web', node: 'lb01', generation: 1 }
  readonly remoteAddress = '10.0.0.11'
  readonly sent: object[] = []
  closed: string | null = null
  readonly id: number
  constructor(id: number) {
    this.id = id
  }
  send(message: object): void {
    this.sent.push(message)
  }
  close(reason: string): void {
    this.closed = reason
  }
}

describe('agent-gateway', () => {
  const happened: Happening[] = []
  const web: Receiver = { handle: (happening) => void happened.push(happening) }
  let refusals: Refusals
  let gateway: AgentGateway
  let seen: unknown[]
  let due: boolean
  let nowMs: number
  let connection: FakeConnection
  const open: FakeConnection[] = []
  beforeEach(() => {
    happened.length = 0
    refusals = new Refusals(recordingLog(), () => 0)
    seen = []
    due = false
    nowMs = 0
    gateway = new AgentGateway({
      join: (name) => Promise.resolve(name === 'web' ? web : null),
      enrolment: {
        sawInUse: (identity, at) => void seen.push([identity, at]),
        renewalDue: () => due,
      },
      refusals,
      monotonicMs: () => nowMs,
    })
    connection = connect(1)
  })
  afterEach(() => {
    for (const one of open.splice(0)) gateway.onClose(one)
  })

  function connect(id: number): FakeConnection {
    const one = new FakeConnection(id)
    open.push(one)
    gateway.onOpen(one)
    return one
  }
  const say = (message: object, from = connection): void => gateway.onMessage(from, JSON.stringify(message))
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  it('hands the messages of an agent to its cluster in their order', async () => {
    say(hello)
    say(beat)
    say(tell)
    await settle()
    say({ ...beat, seq: 2 })
    gateway.onClose(connection)
    assert.deepEqual(happened, [
      { type: 'hello', connection: 1, hello, remoteAddress: '10.0.0.11' },
      { type: 'beat', connection: 1, beat },
      { type: 'tell', connection: 1, tell },
      { type: 'beat', connection: 1, beat: { ...beat, seq: 2 } },
      { type: 'closed', connection: 1 },
    ])
  })

  it('carries messages and closes back to the right connection', async () => {
    const other = connect(2)
    say(hello)
    await settle()
    gateway.send(1, { type: 'plan' })
    gateway.close(2, 'replaced')
    gateway.send(99, { type: 'plan' })
    assert.deepEqual(connection.sent, [{ type: 'plan' }])
    assert.equal(connection.closed, null)
    assert.equal(other.closed, 'replaced')
  })

  it('closes and counts what is malformed, without telling the cluster', async () => {
    gateway.onMessage(connection, 'not json')
    const other = connect(2)
    say({ ...hello, extra: 1, mode: 'loud' }, other)
    await settle()
    assert.equal(connection.closed, 'malformed message: not JSON')
    assert.match(other.closed ?? '', /^malformed message: /)
    assert.deepEqual(refusals.counts, { malformed: 2 })
    assert.deepEqual(happened, [])
  })

  it('closes a connection that does not begin with hello', () => {
    say(beat)
    assert.equal(connection.closed, 'beat before hello')
    assert.deepEqual(refusals.counts, { 'no-hello': 1 })
  })

  it('closes a connection that says nothing for two seconds', function () {
    const timers: [() => void, number][] = []
    const real = globalThis.setTimeout
    globalThis.setTimeout = ((go: () => void, ms: number) => timers.push([go, ms])) as never
    try {
      connect(3)
    } finally {
      globalThis.setTimeout = real
    }
    assert.deepEqual(
      timers.map(([, ms]) => ms),
      [helloTimeoutMs],
    )
    timers[0]![0]()
    assert.equal(open.at(-1)?.closed, 'no hello within 2000 ms')
  })

  it('refuses a cluster that it does not know', async () => {
    connection.identity = { kind: 'node', cluster: 'mail', node: 'lb01', generation: 1 }
    say({ ...hello, cluster: 'mail' })
    await settle()
    assert.equal(connection.closed, 'this witness does not know cluster "mail"')
    assert.deepEqual(refusals.counts, { 'unknown-cluster': 1 })
  })

  it('refuses a second hello under another name, and takes one with new profiles', async () => {
    say(hello)
    await settle()
    say({ ...hello, software: 'after a reload' })
    say({ ...hello, node: 'lb02' })
    assert.equal(happened.length, 2)
    assert.match(connection.closed ?? '', /^a hello as web\/lb02 with the certificate of node web\/lb01$/)
    assert.deepEqual(refusals.counts, { impersonation: 1 })
  })

  it('tells enrolment which certificate is in use, and where its node listens', async () => {
    say(hello)
    say({ ...hello, listener: { address: '192.168.0.11', port: 7500 } })
    await settle()
    assert.deepEqual(seen, [[connection.identity, { address: '10.0.0.11', port: 7401 }]])
  })

  it('asks for a new key where that is due: at the hello, and whenever it is told to ask', async () => {
    due = true
    say(hello)
    await settle()
    due = false
    gateway.askForRenewals()
    assert.deepEqual(connection.sent, [{ type: 'renew' }])
    due = true
    gateway.askForRenewals()
    assert.equal(connection.sent.length, 2)
    const silent = connect(2)
    gateway.askForRenewals()
    assert.deepEqual(silent.sent, [])
  })

  it('lets a certificate speak for its own node only, and nobody but nodes', async () => {
    const others: Identity[] = [
      { kind: 'node', cluster: 'web', node: 'lb02', generation: 1 },
      { kind: 'node', cluster: 'mail', node: 'lb01', generation: 1 },
      { kind: 'admin', name: 'local' },
      { kind: 'witness' },
    ]
    for (const [index, identity] of others.entries()) {
      const other = connect(10 + index)
      other.identity = identity
      say(hello, other)
      await settle()
      assert.match(other.closed ?? '', /^a hello as web\/lb01 with the certificate of /)
    }
    assert.deepEqual(happened, [])
    assert.deepEqual(refusals.counts, { impersonation: others.length })
  })

  it('closes the connections of those that may not connect any more, and no other', () => {
    const other = connect(2)
    other.identity = { kind: 'node', cluster: 'web', node: 'lb02', generation: 1 }
    gateway.closeRefused((identity) => (identity === other.identity ? 'was removed' : null))
    assert.deepEqual([connection.closed, other.closed], [null, 'was removed'])
  })

  it('closes what one node has too much of, and counts it', async () => {
    for (let id = 100; id < 115; id++) connect(id)
    assert.equal(open.at(-1)?.closed, null)
    assert.equal(connect(115).closed, 'node web/lb01: too many connections')
    const other = new FakeConnection(200)
    other.identity = { kind: 'node', cluster: 'web', node: 'lb02', generation: 1 }
    open.push(other)
    gateway.onOpen(other)
    assert.equal(other.closed, null)
    say(hello)
    await settle()
    for (let seq = 1; seq <= 400; seq++) say({ ...beat, seq })
    assert.equal(connection.closed, 'node web/lb01: too many messages')
    assert.equal(happened.filter(({ type }) => type === 'beat').length, 299)
    assert.deepEqual(refusals.counts, { 'too-many-connections': 1, 'too-many-messages': 101 })
  })

  it('drops what a node tells too much, and keeps the connection', async () => {
    say(hello)
    await settle()
    for (let round = 0; round < 150; round++) say(tell)
    assert.equal(connection.closed, null)
    assert.equal(happened.filter(({ type }) => type === 'tell').length, 100)
    assert.deepEqual(refusals.counts, { 'too-many-tells': 50 })
  })

  it('lets no node start again and again', async () => {
    say(hello)
    await settle()
    for (let round = 0; round < 30; round++) say({ ...hello, incarnation: `incarnation-${100 + round}` })
    assert.equal(happened.filter(({ type }) => type === 'hello').length, 10)
    assert.equal(connection.closed, 'node web/lb01: too many hellos')
  })

  it('forgets an agent that hung up while its cluster was being opened', async () => {
    say(hello)
    gateway.onClose(connection)
    await settle()
    assert.deepEqual(happened, [])
  })
})
