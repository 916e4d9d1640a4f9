import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { connect, createServer, type AddressInfo } from 'node:net'
import { connect as connectTls, createSecureContext } from 'node:tls'
import WebSocket from 'ws'
import { refusalOfWitness } from '../../../../agent/voters/identity.ts'
import { Authority } from '../../../../server/registry/authority.ts'
import type { Credentials } from '../../../../shared/identity/credentials.ts'
import { describeIdentity, type Identity } from '../../../../shared/identity/identity.ts'
import { maxMessageBytes } from '../../../../shared/protocol/names.ts'
import { secureContextOf } from '../../../../shared/network/secure-server.ts'
import { acceptAgents } from '../../../../shared/network/accept.ts'
import { dialVoter } from '../../../../shared/network/dial.ts'
import type {
  AcceptedConnection,
  Connection,
  DialledConnection,
} from '../../../../shared/network/connection.ts'
import { identities, identitiesOf, type Identities } from '../../../identities.ts'
import { eventually } from '../../../fixtures/eventually.ts'
import { LoopbackServer } from '../../../fixtures/loopback-server.ts'
import { StallingProxy } from '../../../fixtures/stalling-proxy.ts'

/** Collects what happens on one side, and lets a test wait for it. */
class Side<Of extends Connection> {
  readonly happened: string[] = []
  readonly connections: Of[] = []
  #waiting: { until: () => boolean; go: () => void }[] = []
  readonly events = {
    onOpen: (connection: Of): void => {
      this.connections.push(connection)
      this.note('open')
    },
    onMessage: (_: Of, data: string): void => this.note(`message ${data}`),
    onClose: (_: Of, reason: string): void => this.note(`close ${reason}`),
  }

  note(what: string): void {
    this.happened.push(what)
    for (const { until, go } of this.#waiting) if (until()) go()
  }

  async until(pattern: RegExp): Promise<string> {
    const find = (): string | undefined => this.happened.find((what) => pattern.test(what))
    if (find() === undefined)
      await new Promise<void>((go) => this.#waiting.push({ until: () => find() !== undefined, go }))
    return find() ?? ''
  }
}

describe('transport', () => {
  let server: LoopbackServer
  let url = ''
  let here: Side<DialledConnection>
  let there: Side<AcceptedConnection>
  let nowMs = 0
  let accepting: { close(): void }
  let refusalOf: (identity: Identity) => string | null
  let ours: Identities
  let theirs: Identities
  let lb01: Credentials
  const proxies: StallingProxy[] = []
  const dialled: { close(): void; abort(reason: string): void }[] = []

  before(async () => {
    ours = await identities()
    theirs = await identitiesOf(await Authority.inMemory())
    lb01 = await ours.node()
  })
  beforeEach(async () => {
    here = new Side()
    there = new Side()
    nowMs = 0
    refusalOf = () => null
    await serve(ours.witness)
  })
  afterEach(async () => {
    for (const handle of dialled.splice(0)) handle.close()
    for (const proxy of proxies.splice(0)) proxy.close()
    accepting.close()
    await server.close()
  })

  async function serve(credentials: Credentials): Promise<void> {
    server = await LoopbackServer.open(credentials)
    accepting = acceptAgents(server.server, {
      refusalOf: (identity) => refusalOf(identity),
      maxConnections: 3,
      monotonicMs: () => nowMs,
      onRefused: (reason, text, from) => {
        there.note(`refused ${reason}`)
        there.note(`said ${text} to ${from}`)
      },
      ...there.events,
    })
    url = server.url
  }
  /** The listener of the tests with another certificate than the witness's. */
  async function serveInstead(credentials: Credentials): Promise<void> {
    accepting.close()
    await server.close()
    await serve(credentials)
  }
  function dial(
    side = new Side<DialledConnection>(),
    options: { credentials?: Credentials; connectTimeoutMs?: number } = {},
  ): Side<DialledConnection> {
    dialled.push(
      dialVoter({
        url,
        secureContext: createSecureContext(secureContextOf(options.credentials ?? lb01)),
        refusalOf: refusalOfWitness,
        connectTimeoutMs: options.connectTimeoutMs ?? 5000,
        monotonicMs: () => nowMs,
        ...side.events,
      }),
    )
    return side
  }
  /** What is dialled from now on goes through it. */
  async function interpose(): Promise<StallingProxy> {
    const proxy = await StallingProxy.before(server.port)
    proxies.push(proxy)
    url = proxy.url
    return proxy
  }
  /** A client that keeps to no rule of ours, except that it has a certificate. */
  async function stranger(): Promise<WebSocket> {
    const client = new WebSocket(`${url}/agent`, asLb01())
    client.on('error', () => undefined)
    await once(client, 'open')
    return client
  }
  const asLb01 = (): object => ({ ...secureContextOf(lb01), checkServerIdentity: () => undefined })
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  }
  /** What somebody who proves to be nobody, or somebody else, is answered. */
  function answerTo(options: { key?: string; cert?: string }): Promise<number | undefined> {
    return new Promise((resolve, reject) =>
      request(`${url}/agent`, { ...options, rejectUnauthorized: false, headers: upgrade })
        .on('response', (response) => resolve(response.statusCode))
        .on('upgrade', (response, socket) => {
          socket.destroy()
          resolve(response.statusCode)
        })
        .on('error', reject)
        .end(),
    )
  }

  it('carries JSON messages both ways', async () => {
    dial(here)
    await here.until(/open/)
    here.connections[0]!.send({ type: 'hello' })
    await there.until(/message \{"type":"hello"\}/)
    there.connections[0]!.send({ type: 'welcome' })
    await here.until(/message \{"type":"welcome"\}/)
    assert.equal(there.connections[0]!.remoteAddress, '127.0.0.1')
    assert.equal(here.connections[0]!.remoteAddress, '127.0.0.1')
    assert.deepEqual(there.connections[0]!.identity, {
      kind: 'node',
      cluster: 'web',
      node: 'lb01',
      generation: 1,
    })
    assert.notEqual(here.connections[0]!.id, there.connections[0]!.id)
  })

  it('tells the reason of a close, once', async () => {
    dial(here)
    await there.until(/open/)
    there.connections[0]!.close('malformed message: not JSON')
    await here.until(/close/)
    await there.until(/close/)
    there.connections[0]!.close('again')
    assert.deepEqual(
      [here.happened.at(-1), there.happened.at(-1)],
      [
        'close closed by the other side (1008, malformed message: not JSON)',
        'close malformed message: not JSON',
      ],
    )
  })

  it('hands on nothing that comes after a close', async () => {
    const client = await stranger()
    there.connections[0]!.close('enough')
    client.send('too late')
    await there.until(/close enough/)
    assert.deepEqual(there.happened, ['open', 'close enough'])
  })

  describe('with somebody who may not connect', () => {
    /** The one that may goes on. */
    async function disturbsNobody(): Promise<void> {
      here.connections[0]!.send({ still: 'here' })
      await there.until(/still/)
      assert.equal(there.connections.length, 1)
    }
    beforeEach(() => dial(here).until(/open/))

    it('refuses who shows no certificate with 401, counts it, and disturbs nobody', async () => {
      assert.equal(await answerTo({}), 401)
      assert.deepEqual(there.happened.slice(1), [
        'refused unauthenticated',
        'said the client showed no certificate of this authority to 127.0.0.1',
      ])
      await disturbsNobody()
    })

    it('refuses who shows a certificate of another authority with 401, counts it, and disturbs nobody', async () => {
      for (const { key, certificate } of [await theirs.node(), theirs.witness, theirs.admin])
        assert.equal(await answerTo({ key, cert: certificate }), 401)
      assert.equal(there.happened.filter((what) => what === 'refused unauthenticated').length, 3)
      await disturbsNobody()
    })

    it('refuses with 403 and the reason who has a certificate and may not use it', async () => {
      refusalOf = (identity) => (identity.kind === 'node' ? 'removed from the cluster' : null)
      assert.equal(
        await dial().until(/close/),
        'close refused: HTTP 403: node web/lb01: removed from the cluster',
      )
      assert.deepEqual(there.happened.slice(1), [
        'refused unauthenticated',
        'said node web/lb01: removed from the cluster to 127.0.0.1',
      ])
      await disturbsNobody()
    })
  })

  it('asks of each connection whether its owner may', async () => {
    const asked: string[] = []
    refusalOf = (identity) => {
      asked.push(describeIdentity(identity))
      return null
    }
    await dial().until(/open/)
    await dial(new Side(), { credentials: await ours.node({ cluster: 'mail', node: 'mx2' }) }).until(/open/)
    await dial(new Side(), { credentials: ours.admin }).until(/open/)
    assert.deepEqual(asked, ['node web/lb01', 'node mail/mx2', 'admin local'])
  })

  describe('with a voter that is somebody else', () => {
    for (const [who, credentials, told] of [
      ['another node', () => ours.node({ node: 'lb02' }), /^close this is node web\/lb02, not the witness/],
      ['an admin', () => ours.admin, /^close this is admin local, not the witness/],
    ] as const)
      it(`hangs up on ${who} before a byte of the protocol is sent`, async () => {
        await serveInstead(await credentials())
        assert.match(await dial(here).until(/close/), told)
        // The handshake is over on that side, and what follows it is nothing.
        await server.untilHungUp()
        assert.deepEqual([server.bytesHeard, here.happened.length, there.happened], [0, 1, []])
      })

    it('hangs up on a witness of another authority before a byte of the protocol is sent', async () => {
      await serveInstead(theirs.witness)
      assert.match(await dial(here).until(/close/), /^close .*(self-signed certificate|unable to verify)/)
      await server.untilHungUp()
      assert.deepEqual([server.bytesHeard, here.happened.length, there.happened], [0, 1, []])
    })
  })

  it('refuses other paths and malformed upgrades', async () => {
    const client = new WebSocket(`${url}/other`, asLb01())
    const [error] = (await once(client, 'error')) as [Error]
    assert.match(error.message, /404/)
    const socket = connectTls({ port: server.port, host: '127.0.0.1', ...asLb01() })
    socket.on('error', () => undefined)
    socket.write('GET /agent HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    await there.until(/refused malformed-upgrade/)
    socket.destroy()
    assert.deepEqual(
      there.happened.filter((what) => what.startsWith('refused')),
      ['refused unknown-path', 'refused malformed-upgrade'],
    )
  })

  it('accepts no more connections than allowed', async () => {
    for (let number = 1; number <= 3; number += 1) await dial().until(/open/)
    assert.match(await dial().until(/close/), /HTTP 503/)
    assert.ok(there.happened.includes('refused too-many-connections'))
  })

  it('closes a connection that sends a message beyond the longest allowed', async () => {
    const client = await stranger()
    client.send('x'.repeat(maxMessageBytes + 1))
    assert.match(await there.until(/close/), /max payload/i)
    assert.ok(!there.happened.some((what) => what.startsWith('message')))
  })

  it('sends no message beyond the longest allowed, and says in words why the connection ends', async () => {
    dial(here)
    await here.until(/open/)
    here.connections[0]!.send({ filler: 'x'.repeat(maxMessageBytes) })
    assert.match(
      await here.until(/close/),
      /a message of 2621\d\d bytes was not sent.*too many instances and VIPs/,
    )
    assert.ok(!there.happened.some((what) => what.startsWith('message')))
  })

  it('closes a connection that sends binary messages', async () => {
    const client = await stranger()
    client.send(Buffer.from('{}'))
    await there.until(/close a binary message came/)
  })

  it('closes a connection that floods, and lets one go on that keeps to the rate', async () => {
    const client = await stranger()
    for (let number = 0; number < 200; number += 1) client.send('{}')
    nowMs += 1000
    for (let number = 0; number < 100; number += 1) client.send('{"second":1}')
    client.send('{"done":1}')
    await there.until(/done|close/)
    nowMs += 1000
    for (let number = 0; number < 500; number += 1) client.send('{}')
    await there.until(/close more than 100 messages a second/)
    const received = there.happened.filter((what) => what.startsWith('message')).length
    assert.ok(received <= 500, `received ${received}`)
  })

  it('ends a connection whose reader is too slow', async () => {
    const client = await stranger()
    client.pause()
    const big = { type: 'tell', text: 'x'.repeat(15 * 1024) }
    for (let number = 0; number < 2000; number += 1) there.connections[0]!.send(big)
    await there.until(/close the other side reads too slowly/)
    client.terminate()
  })

  it('tells that nobody answers at all', async () => {
    const gone = createServer().listen(0, '127.0.0.1')
    await once(gone, 'listening')
    url = `https://127.0.0.1:${(gone.address() as AddressInfo).port}`
    gone.close()
    await once(gone, 'close')
    assert.match(await dial(here).until(/close/), /ECONNREFUSED/)
    assert.deepEqual(here.happened.length, 1)
  })

  it('dials the port that a URL does not repeat because it is the usual one', async () => {
    url = 'https://127.0.0.2:443'
    assert.match(await dial(here).until(/close/), /ECONNREFUSED 127\.0\.0\.2:443$/)
  })

  it('gives up on a host that does not take the connection', async () => {
    const stopped = await stoppedListener()
    try {
      url = `https://127.0.0.1:${stopped.port}`
      dial(here, { connectTimeoutMs: 100 })
      assert.equal(await here.until(/close/), 'close no connection within 100 ms')
      const another = dial()
      dialled.at(-1)!.abort('not needed')
      assert.equal(await another.until(/close/), 'close not needed')
    } finally {
      await stopped.end()
    }
  })

  it('gives up on a voter that takes the connection and begins no TLS', async () => {
    const proxy = await interpose()
    proxy.mute = true
    dial(here, { connectTimeoutMs: 30 })
    assert.equal(await here.until(/close/), 'close no connection within 30 ms')
    await eventually('hung up', () => proxy.accepted === 0 || proxy.open === 0)
  })

  it('gives up on a voter that proves who it is and then says nothing', async () => {
    accepting.close()
    server.server.on('upgrade', () => there.note('asked'))
    dial(here, { connectTimeoutMs: 500 })
    assert.equal(await here.until(/close/), 'close no connection within 500 ms')
    assert.deepEqual([there.happened, here.happened.length], [['asked'], 1])
    await server.untilHungUp()
    assert.ok(server.bytesHeard > 0)
  })

  it('can give up an attempt', async () => {
    dial(here)
    dialled[0]!.close()
    assert.equal(await here.until(/close/), 'close closed here')
  })

  for (const [end, delivered] of [
    ['close', true],
    ['abort', false],
  ] as const)
    it(`${delivered ? 'delivers' : 'drops'} what waits for a path to be mended after ${end}`, async () => {
      const proxy = await interpose()
      dial(here)
      await here.until(/open/)
      proxy.stall()
      const [connection] = here.connections
      // More than the receiving kernel takes in advance, and less than the sending one.
      for (let number = 1; number <= 40; number += 1) {
        connection!.send({ number, filler: 'x'.repeat(15 * 1024) })
        // TLS hands on to the kernel after this turn, and what it has not handed on is taken for a backlog.
        await new Promise((resolve) => setImmediate(resolve))
      }
      connection![end]('gone')
      if (end === 'abort') assert.equal(await here.until(/close/), 'close gone')
      proxy.goOn()
      await there.until(/close/)
      assert.equal(
        there.happened.some((what) => what.startsWith('message {"number":40,')),
        delivered,
      )
    })

  it('can abort an attempt that is not answered', async () => {
    const proxy = await interpose()
    proxy.mute = true
    dial(here)
    await eventually('connected', () => proxy.open === 1)
    dialled[0]!.abort('not needed')
    assert.equal(await here.until(/close/), 'close not needed')
    await eventually('hung up', () => proxy.open === 0)
    assert.deepEqual(here.happened, ['close not needed'])
  })

  it('can abort an attempt before it has begun', async () => {
    dial(here)
    dialled[0]!.abort('not needed')
    assert.equal(await here.until(/close/), 'close not needed')
  })

  it('ends every connection when it stops accepting', async () => {
    dial(here)
    await here.until(/open/)
    accepting.close()
    assert.equal(await here.until(/close/), 'close closed by the other side (1001, shutting down)')
  })
})

/** A program that listens and was stopped, and whose queue of connections is full: the kernel answers nobody. */
async function stoppedListener(): Promise<{ port: number; end(): Promise<void> }> {
  const program = `const server = require('net').createServer()
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port))`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(said.toString())
  child.kill('SIGSTOP')
  await eventually('stopped', () => readFileSync(`/proc/${child.pid}/stat`, 'utf8').includes(') T '))
  const waiting = Array.from({ length: 4 }, () => connect({ port, host: '127.0.0.1' }))
  for (const socket of waiting) socket.on('error', () => undefined)
  await eventually('full', () => waiting.filter(({ connecting }) => !connecting).length === 2)
  return {
    port,
    end: async () => {
      for (const socket of waiting) socket.destroy()
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}
