import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import WebSocket from 'ws'
import { maxMessageBytes } from '../../../shared/protocol.ts'
import { acceptAgents, dialVoter, type Connection } from '../../../shared/transport.ts'
import { eventually } from '../agent/eventually.ts'
import { StallingProxy } from './stalling-proxy.ts'

const token = 'a-token-of-the-test-suite'

/** Collects what happens on one side, and lets a test wait for it. */
class Side {
  readonly happened: string[] = []
  readonly connections: Connection[] = []
  #waiting: { until: () => boolean; go: () => void }[] = []
  readonly events = {
    onOpen: (connection: Connection): void => {
      this.connections.push(connection)
      this.note('open')
    },
    onMessage: (_: Connection, data: string): void => this.note(`message ${data}`),
    onClose: (_: Connection, reason: string): void => this.note(`close ${reason}`),
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
  let server: Server
  let url = ''
  let here: Side
  let there: Side
  let nowMs = 0
  let accepting: { close(): void }
  const proxies: StallingProxy[] = []
  const dialled: { close(): void; abort(reason: string): void }[] = []

  beforeEach(async () => {
    here = new Side()
    there = new Side()
    nowMs = 0
    server = createServer((_, response) => response.end('not this way'))
    accepting = acceptAgents(server, {
      token,
      maxConnections: 3,
      monotonicMs: () => nowMs,
      onRefused: (reason) => there.note(`refused ${reason}`),
      ...there.events,
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(async () => {
    for (const handle of dialled.splice(0)) handle.close()
    for (const proxy of proxies.splice(0)) proxy.close()
    accepting.close()
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })

  function dial(side = here, secret = token): Side {
    dialled.push(
      dialVoter({ url, token: secret, connectTimeoutMs: 2000, monotonicMs: () => nowMs, ...side.events }),
    )
    return side
  }
  /** What is dialled from now on goes through it. */
  async function interpose(): Promise<StallingProxy> {
    const proxy = await StallingProxy.before(Number(new URL(url).port))
    proxies.push(proxy)
    url = proxy.url
    return proxy
  }
  /** A client that keeps to no rule of ours. */
  async function stranger(): Promise<WebSocket> {
    const client = new WebSocket(`${url}/agent`, { headers: { authorization: `Bearer ${token}` } })
    client.on('error', () => undefined)
    await once(client, 'open')
    return client
  }

  it('carries JSON messages both ways', async () => {
    dial()
    await here.until(/open/)
    here.connections[0]!.send({ type: 'hello' })
    await there.until(/message \{"type":"hello"\}/)
    there.connections[0]!.send({ type: 'welcome' })
    await here.until(/message \{"type":"welcome"\}/)
    assert.equal(there.connections[0]!.remoteAddress, '127.0.0.1')
    assert.equal(here.connections[0]!.remoteAddress, '127.0.0.1')
    assert.notEqual(here.connections[0]!.id, there.connections[0]!.id)
  })

  it('tells the reason of a close, once', async () => {
    dial()
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

  it('refuses a wrong or missing token with 401, counts it, and disturbs nobody', async () => {
    dial()
    await here.until(/open/)
    for (const secret of ['wrong-token-of-somebody', `${token}x`]) {
      const other = dial(new Side(), secret)
      assert.match(await other.until(/close/), /the token here is not the token there \(HTTP 401\)/)
    }
    assert.equal(there.happened.filter((what) => what === 'refused unauthenticated').length, 2)
    const answer = await new Promise<number | undefined>((resolve) =>
      request(`${url}/agent`, {
        headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
      })
        .on('response', (response) => resolve(response.statusCode))
        .end(),
    )
    assert.equal(answer, 401)
    here.connections[0]!.send({ still: 'here' })
    await there.until(/still/)
  })

  it('refuses other paths and malformed upgrades', async () => {
    const client = new WebSocket(`${url}/other`, { headers: { authorization: `Bearer ${token}` } })
    const [error] = (await once(client, 'error')) as [Error]
    assert.match(error.message, /404/)
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.write(
      `GET /agent HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    )
    await there.until(/refused malformed-upgrade/)
    socket.destroy()
    assert.deepEqual(there.happened, ['refused unknown-path', 'refused malformed-upgrade'])
  })

  it('accepts no more connections than allowed', async () => {
    for (let number = 1; number <= 3; number += 1) await dial(new Side()).until(/open/)
    assert.match(await dial(new Side()).until(/close/), /HTTP 503/)
    assert.ok(there.happened.includes('refused too-many-connections'))
  })

  it('closes a connection that sends a message beyond the longest allowed', async () => {
    const client = await stranger()
    client.send('x'.repeat(maxMessageBytes + 1))
    assert.match(await there.until(/close/), /max payload/i)
    assert.ok(!there.happened.some((what) => what.startsWith('message')))
  })

  it('closes a connection that sends binary messages', async () => {
    const client = await stranger()
    client.send(Buffer.from('{}'))
    await there.until(/close binary message/)
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
    const big = { filler: 'x'.repeat(15 * 1024) }
    for (let number = 0; number < 2000; number += 1) there.connections[0]!.send(big)
    await there.until(/close reads too slowly/)
    client.terminate()
  })

  it('tells that nobody answers at all', async () => {
    const gone = new Side()
    const socket = createServer()
    socket.listen(0, '127.0.0.1')
    await once(socket, 'listening')
    const port = (socket.address() as AddressInfo).port
    socket.close()
    dialled.push(
      dialVoter({
        url: `http://127.0.0.1:${port}`,
        token,
        connectTimeoutMs: 1000,
        monotonicMs: () => nowMs,
        ...gone.events,
      }),
    )
    assert.match(await gone.until(/close/), /ECONNREFUSED/)
    assert.deepEqual(gone.happened.length, 1)
  })

  it('gives up on a voter that accepts and says nothing', async () => {
    const mute = createServer()
    mute.on('upgrade', () => undefined)
    mute.listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const port = (mute.address() as AddressInfo).port
    const side = new Side()
    dialled.push(
      dialVoter({
        url: `http://127.0.0.1:${port}`,
        token,
        connectTimeoutMs: 30,
        monotonicMs: () => nowMs,
        ...side.events,
      }),
    )
    assert.match(await side.until(/close/), /timed out/)
    mute.closeAllConnections()
    mute.close()
  })

  it('can give up an attempt', async () => {
    const side = new Side()
    const attempt = dialVoter({
      url,
      token,
      connectTimeoutMs: 1000,
      monotonicMs: () => nowMs,
      ...side.events,
    })
    attempt.close()
    assert.equal(await side.until(/close/), 'close closed here')
  })

  for (const [end, delivered] of [
    ['close', true],
    ['abort', false],
  ] as const)
    it(`${delivered ? 'delivers' : 'drops'} what waits for a path to be mended after ${end}`, async () => {
      const proxy = await interpose()
      dial()
      await here.until(/open/)
      proxy.stall()
      const [connection] = here.connections
      // More than the receiving kernel takes in advance, and less than the sending one.
      for (let number = 1; number <= 40; number += 1)
        connection!.send({ number, filler: 'x'.repeat(15 * 1024) })
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
    dial()
    await eventually('connected', () => proxy.open === 1)
    dialled[0]!.abort('not needed')
    assert.equal(await here.until(/close/), 'close not needed')
    await eventually('hung up', () => proxy.open === 0)
    assert.deepEqual(here.happened, ['close not needed'])
  })

  it('can abort an attempt before it has begun', async () => {
    dial()
    dialled[0]!.abort('not needed')
    assert.equal(await here.until(/close/), 'close not needed')
  })

  it('ends every connection when it stops accepting', async () => {
    dial()
    await here.until(/open/)
    accepting.close()
    assert.equal(await here.until(/close/), 'close closed by the other side (1001, shutting down)')
  })
})
