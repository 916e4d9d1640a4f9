/** Whatever bytes a client sends, inside TLS and instead of it: they cost its own connection and nothing else. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls'
import fc from 'fast-check'
import { refusalOfWitness } from '../../../../agent/voters/identity.ts'
import { maxMessageBytes } from '../../../../shared/protocol/names.ts'
import { secureContextOf } from '../../../../shared/network/secure-server.ts'
import { acceptAgents } from '../../../../shared/network/accept.ts'
import { type Connection, agentPath } from '../../../../shared/network/connection.ts'
import { dialVoter } from '../../../../shared/network/dial.ts'
import { identities } from '../../../identities.ts'
import { LoopbackServer } from '../../../fixtures/loopback-server.ts'
import { storiesFrom } from '../../../fixtures/effort.ts'

/** RFC 6455 section 5.2, as a client sends it: masked, or on purpose not. */
function frame(opcode: number, payload: Buffer, { fin = true, masked = true, reserved = 0 } = {}): Buffer {
  const head = [(fin ? 0x80 : 0) | (reserved << 4) | opcode]
  const mask = masked ? 0x80 : 0
  if (payload.length < 126) head.push(mask | payload.length)
  else if (payload.length < 65_536) head.push(mask | 126, payload.length >> 8, payload.length & 255)
  else {
    const length = Buffer.alloc(8)
    length.writeBigUInt64BE(BigInt(payload.length))
    head.push(mask | 127, ...length)
  }
  if (!masked) return Buffer.concat([Buffer.from(head), payload])
  const key = Buffer.from([1, 2, 3, 4])
  return Buffer.concat([Buffer.from(head), key, payload.map((byte, i) => byte ^ (key[i % 4] ?? 0))])
}

const text = (data: string): Buffer => frame(1, Buffer.from(data))

/** What happened to each connection, and a way to wait for it. */
class Log {
  readonly opened: Connection[] = []
  readonly messages = new Map<number, string[]>()
  readonly closes = new Map<number, number>()
  readonly refusals: string[] = []
  #wakers: (() => void)[] = []

  readonly events = {
    onOpen: (connection: Connection): void => {
      this.opened.push(connection)
      this.#wake()
    },
    onMessage: ({ id }: Connection, data: string): void => {
      this.messages.set(id, [...(this.messages.get(id) ?? []), data])
      this.#wake()
    },
    onClose: ({ id }: Connection): void => {
      this.closes.set(id, (this.closes.get(id) ?? 0) + 1)
      this.#wake()
    },
    onRefused: (reason: string): void => {
      this.refusals.push(reason)
      this.#wake()
    },
  }

  async until(happened: () => boolean): Promise<void> {
    while (!happened()) await new Promise<void>((wake) => this.#wakers.push(wake))
  }

  #wake(): void {
    for (const wake of this.#wakers.splice(0)) wake()
  }
}

describe('the transport under fuzz', function () {
  this.timeout(60_000)
  let server: LoopbackServer
  let accepting: { close(): void }
  let log: Log
  let secureContext: SecureContext
  let good: { close(): void }
  let goodLog: Log
  const sockets: Socket[] = []
  /** Time goes on with each look at it, so that nobody here is too fast. */
  let clockMs = 0
  const monotonicMs = (): number => (clockMs += 10)

  before(async () => {
    secureContext = createSecureContext(secureContextOf(await (await identities()).node()))
  })
  beforeEach(async () => {
    log = new Log()
    goodLog = new Log()
    server = await LoopbackServer.open((await identities()).witness, (_, response) => response.end())
    accepting = acceptAgents(server.server, {
      refusalOf: () => null,
      maxConnections: 1000,
      monotonicMs,
      ...log.events,
    })
    good = dialVoter({
      url: server.url,
      secureContext,
      refusalOf: refusalOfWitness,
      connectTimeoutMs: 5000,
      monotonicMs,
      ...goodLog.events,
    })
    await log.until(() => log.opened.length === 1)
  })
  afterEach(async () => {
    good.close()
    for (const socket of sockets.splice(0)) socket.destroy()
    accepting.close()
    await server.close()
  })

  /** A client that speaks bytes, upgraded to the protocol. */
  async function upgraded(): Promise<{ socket: Socket; connection: Connection }> {
    const before = log.opened.length
    const socket = await secured()
    socket.write(upgradeRequest())
    await log.until(() => log.opened.length > before)
    const connection = log.opened.at(-1)
    assert.ok(connection !== undefined)
    return { socket, connection }
  }

  /** With a certificate of the authority, the handshake done. */
  async function secured(): Promise<Socket> {
    const socket = connectTls({
      port: server.port,
      host: '127.0.0.1',
      secureContext,
      checkServerIdentity: () => undefined,
    })
    tamed(socket)
    await once(socket, 'secureConnect')
    return socket
  }

  async function plain(): Promise<Socket> {
    const socket = connect(server.port, '127.0.0.1')
    tamed(socket)
    await once(socket, 'connect')
    return socket
  }

  function tamed(socket: Socket): void {
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    socket.resume()
    sockets.push(socket)
  }

  function upgradeRequest(): string {
    const key = randomBytes(16).toString('base64')
    return (
      `GET ${agentPath} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`
    )
  }

  let notes = 0
  /** The one connection that keeps to the rules is open, and is heard. */
  async function othersGoOn(): Promise<void> {
    const own = log.opened[0]
    assert.ok(own !== undefined && !log.closes.has(own.id))
    notes += 1
    // What comes back says that the way is open in both directions; nothing of it is counted against its rate.
    own.send({ note: notes })
    const said = JSON.stringify({ note: notes })
    await goodLog.until(() => [...goodLog.messages.values()].flat().includes(said))
  }

  it('hears a message that comes in any fragments', async () => {
    const message = JSON.stringify({ type: 'beat', text: 'ä€𝄞'.repeat(5) })
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(text(message).length), { maxLength: 8 }),
        fc.array(fc.nat(Buffer.byteLength(message)), { maxLength: 5 }),
        async (cuts, frameCuts) => {
          const { socket, connection } = await upgraded()
          const payload = Buffer.from(message)
          const bounds = [0, ...frameCuts.toSorted((a, b) => a - b), payload.length]
          const frames = bounds
            .slice(1)
            .map((end, i) =>
              frame(i === 0 ? 1 : 0, payload.subarray(bounds[i], end), { fin: i === bounds.length - 2 }),
            )
          const bytes = Buffer.concat(frames)
          let from = 0
          for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
            socket.write(bytes.subarray(from, cut))
            from = Math.max(from, cut)
          }
          await log.until(() => log.messages.get(connection.id)?.includes(message) === true)
          assert.equal(log.closes.get(connection.id), undefined)
          socket.destroy()
        },
      ),
      { numRuns: storiesFrom(33) },
    )
  })

  it('hears a client that sends one byte at a time', async () => {
    const before = log.opened.length
    const socket = await secured()
    for (const byte of Buffer.concat([Buffer.from(upgradeRequest()), text('{"slow":1}')]))
      await new Promise<void>((sent) => socket.write(Buffer.from([byte]), () => sent()))
    await log.until(() => log.opened.length > before && log.messages.size > 0)
    assert.deepEqual([...log.messages.values()], [['{"slow":1}']])
    await othersGoOn()
  })

  it('closes once whatever garbage comes after the upgrade, and the others go on', async () => {
    const oddFrame = fc
      .record({
        opcode: fc.nat(15),
        payload: fc.uint8Array({ maxLength: 300 }),
        fin: fc.boolean(),
        masked: fc.constantFrom(true, true, true, false),
        reserved: fc.constantFrom(0, 0, 0, 1, 7),
      })
      .map(({ opcode, payload, ...how }) => frame(opcode, Buffer.from(payload), how))
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 400 }).map((array) => Buffer.from(array)),
      fc.array(oddFrame, { minLength: 1, maxLength: 6 }).map((frames) => Buffer.concat(frames)),
      fc.constant(frame(1, Buffer.from([0xff, 0xfe, 0x80]))),
      fc.constant(text('x'.repeat(maxMessageBytes + 1))),
      // A length that nobody has the memory for, and none of its bytes.
      fc.constant(Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4])),
    )
    await fc.assert(
      fc.asyncProperty(bytes, async (garbage) => {
        const { socket, connection } = await upgraded()
        // Half a frame is no fault yet: its end shows with the end of what is sent.
        socket.end(garbage)
        await log.until(() => log.closes.has(connection.id))
        await othersGoOn()
        assert.equal(log.closes.get(connection.id), 1)
        for (const message of log.messages.get(connection.id) ?? [])
          assert.ok(Buffer.byteLength(message) <= maxMessageBytes)
      }),
      { numRuns: storiesFrom(100) },
    )
  })

  it('outlives whatever comes instead of an upgrade', async () => {
    const request = upgradeRequest()
    const instead = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 300 }).map((array) => Buffer.from(array)),
      fc
        .tuple(fc.nat(request.length), fc.nat(20), fc.string({ unit: 'binary-ascii', maxLength: 20 }))
        .map(([at, cut, put]) => Buffer.from(request.slice(0, at) + put + request.slice(at + cut))),
    )
    await fc.assert(
      fc.asyncProperty(instead, async (bytes) => {
        const socket = await secured()
        const closed = once(socket, 'close')
        socket.end(bytes)
        await closed
        await othersGoOn()
      }),
      { numRuns: storiesFrom(100) },
    )
  })
  it('outlives whatever comes instead of a handshake', async () => {
    const hello = await clientHello()
    const instead = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 300 }).map((array) => Buffer.from(array)),
      fc
        .tuple(fc.nat(hello.length), fc.nat(20), fc.uint8Array({ maxLength: 20 }))
        .map(([at, cut, put]) =>
          Buffer.concat([hello.subarray(0, at), Buffer.from(put), hello.subarray(at + cut)]),
        ),
      // Records of TLS by their head, and anything in them (RFC 8446 section 5.1).
      fc
        .tuple(fc.constantFrom(20, 21, 22, 23, 24), fc.uint8Array({ maxLength: 200 }))
        .map(([type, body]) => Buffer.concat([Buffer.from([type, 3, 3, 0, body.length]), Buffer.from(body)])),
    )
    await fc.assert(
      fc.asyncProperty(instead, async (bytes) => {
        const socket = await plain()
        const closed = once(socket, 'close')
        socket.end(bytes)
        await closed
        await othersGoOn()
      }),
      { numRuns: storiesFrom(100) },
    )
    assert.equal(log.opened.length, 1)
  })

  /** What a client of ours says first. */
  async function clientHello(): Promise<Buffer> {
    const listener = createServer()
    listener.listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const { port } = listener.address() as AddressInfo
    const client = connectTls({ port, host: '127.0.0.1', secureContext })
    client.on('error', () => undefined)
    const [near] = (await once(listener, 'connection')) as [Socket]
    const [hello] = (await once(near, 'data')) as [Buffer]
    client.destroy()
    near.destroy()
    listener.close()
    return hello
  }
})
