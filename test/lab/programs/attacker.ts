/**
 * One attack on one listener, from a separate process that ends by itself. Argument: the attack (attack.ts) as JSON. At
 * its end it writes one line of JSON to stdout, with the number of attempts for each outcome.
 */
import { readFileSync } from 'node:fs'
import { connect as connectTcp, createServer, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { randomBytes, randomUUID } from 'node:crypto'
import WebSocket from 'ws'
import { assertNever } from '../../../shared/assert-never.ts'
import { maxMessageBytes } from '../../../shared/protocol/names.ts'
import type { Beat, Hello } from '../../../shared/protocol/messages.ts'
import type { Attack } from '../attack.ts'

const attack = JSON.parse(process.argv[2] ?? '') as Attack
const counts: Record<string, number> = {}
const pem = attack.identity === null ? undefined : readFileSync(`${attack.identity}/identity.pem`, 'utf8')
const startedAtMs = performance.now()
const mostAtOnce = 200

function count(what: string): void {
  counts[what] = (counts[what] ?? 0) + 1
}

function isOver(): boolean {
  return performance.now() - startedAtMs > attack.lastsMs
}

function end(): void {
  process.stdout.write(`${JSON.stringify(counts)}\n`, () => process.exit(0))
}
setTimeout(end, attack.lastsMs)

function tcp(to = attack.target): Socket {
  const socket = connectTcp({ ...to, localAddress: attack.from, noDelay: true })
  socket.on('error', () => undefined)
  return socket
}

function tls(over: Socket = tcp()): TLSSocket {
  const socket = connectTls({
    socket: over,
    ...(pem === undefined ? {} : { key: pem, cert: pem }),
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
  })
  socket.on('error', () => undefined)
  return socket
}

/** Keeps this many connections open; one that is cut is replaced a quarter of a second later. */
function keepOpen(open: () => Socket): void {
  const one = (): void => {
    if (isOver()) return
    const socket = open()
    count('dialled')
    socket.on('close', () => {
      count('cut')
      setTimeout(one, 250)
    })
  }
  // Not all at the same moment, so that each gets as far as the other side lets it.
  for (let index = 0; index < attack.many; index++) setTimeout(one, (index * 2000) / attack.many)
}

/** Opens this many per second, whatever happens to the earlier ones; what has not ended within a second is given up. */
function perSecond(open: () => Socket): void {
  const beganAtMs = performance.now()
  let dialled = 0
  setInterval(() => {
    const due = ((performance.now() - beganAtMs) * attack.many) / 1000
    // If this process is far behind, it does not catch up with a burst.
    const now = Math.min(due - dialled, mostAtOnce)
    for (let index = 0; index < now; index++) {
      count('dialled')
      dialled += 1
      const socket = open()
      const deadline = setTimeout(() => socket.destroy(), 1000)
      socket.on('close', () => clearTimeout(deadline))
    }
  }, 5)
}

/** The first bytes of a handshake, which cost nothing to replay. */
function recordClientHello(then: (clientHello: Buffer) => void): void {
  const recorder = createServer((client) => {
    client.on('error', () => undefined)
    client.once('data', (data: Buffer) => {
      client.destroy()
      recorder.close()
      then(data)
    })
  }).listen(0, '127.0.0.1', () => {
    const address = recorder.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    tls(connectTcp({ port, host: '127.0.0.1' }))
  })
}

function webSocket(): WebSocket {
  const { host, port } = attack.target
  const socket = new WebSocket(`wss://${host}:${port}/agent`, {
    createConnection: () => tls(),
    perMessageDeflate: false,
    followRedirects: false,
  })
  count('dialled')
  socket.on('error', () => undefined)
  socket.on('open', () => count('opened'))
  socket.on('unexpected-response', (_request, response) => {
    count(`HTTP ${response.statusCode ?? '?'}`)
    response.destroy()
  })
  socket.on('close', (code) => count(`closed ${code}`))
  return socket
}

/** Keeps `many` WebSocket connections open, and does `use` with each that opens. */
function keepTalking(use: (socket: WebSocket) => void): void {
  const one = (): void => {
    if (isOver()) return
    const socket = webSocket()
    let isAgain = false
    const again = (): void => {
      if (!isAgain) setTimeout(one, 250)
      isAgain = true
    }
    socket.on('open', () => use(socket))
    socket.on('close', again)
    socket.on('error', again)
    socket.on('unexpected-response', again)
  }
  for (let index = 0; index < attack.many; index++) setTimeout(one, (index * 2000) / attack.many)
}

const incarnation = randomUUID()

function hello(over: Partial<Hello> = {}): Hello {
  return {
    type: 'hello',
    protocol: 1,
    cluster: attack.as.cluster,
    node: attack.as.node,
    incarnation,
    bootId: incarnation,
    software: 'attacker',
    listener: { address: null, port: 7401 },
    mode: 'enforce',
    profiles: [],
    ...over,
  }
}

function beat(seq: number): Beat {
  return { type: 'beat', seq, echoMs: null, leaseMs: 1800, reports: [] }
}

function say(socket: WebSocket, message: object): void {
  if (socket.readyState !== WebSocket.OPEN) return
  count('said')
  socket.send(JSON.stringify(message))
}

/** Sends something at this rate until it is cut. */
function repeat(socket: WebSocket, everyMs: number, next: (index: number) => object): void {
  let index = 0
  const timer = setInterval(() => say(socket, next(++index)), everyMs)
  socket.on('close', () => clearInterval(timer))
}

function request(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
}

/** A masked frame of a client (RFC 6455 section 5.2), with a mask of zeros. */
function frame(opcode: number, isLast: boolean, payload: Buffer, claimed = payload.length): Buffer {
  const head = Buffer.alloc(14)
  head[0] = (isLast ? 0x80 : 0) | opcode
  head[1] = 0x80 | 127
  head.writeBigUInt64BE(BigInt(claimed), 2)
  return Buffer.concat([head, payload])
}

/** Oversized frames, frames of one byte, endless fragments and nonsense, in turn. */
function sendBadFrames(): void {
  const upgrade =
    'GET /agent HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
  const bad: ((socket: TLSSocket) => void)[] = [
    (socket) => socket.write(frame(1, true, Buffer.alloc(maxMessageBytes + 1, 0x20))),
    (socket) => socket.write(frame(1, true, Buffer.alloc(8), 2 ** 40)),
    (socket) => {
      socket.write(frame(1, false, Buffer.from('{')))
      for (let index = 0; index < 5000; index++) socket.write(frame(0, false, Buffer.from(' ')))
    },
    (socket) => {
      for (let index = 0; index < 5000; index++) socket.write(frame(9, true, Buffer.from('x')))
    },
    (socket) => {
      // A good message, each byte of it in a TLS record of its own.
      const bytes = frame(1, true, Buffer.from(JSON.stringify(hello())))
      for (const byte of bytes) socket.write(Buffer.of(byte))
    },
    (socket) => socket.write(Buffer.from(randomUUID().repeat(200))),
    (socket) => socket.write(frame(1, true, Buffer.from('{"type":"hello","__proto__":{"x":1}}'))),
  ]
  let turn = 0
  keepOpen(() => {
    const socket = tls()
    const misbehave = bad[turn++ % bad.length]
    socket.once('secureConnect', () => socket.write(upgrade))
    socket.once('data', () => {
      count('opened')
      misbehave?.(socket)
      socket.resume()
    })
    return socket
  })
}

/** Reads answers only if it must, and so leaves the rest in the memory of the other side. */
function readSlowly(): void {
  const path = `/api/v1/clusters/${attack.as.cluster}/events?limit=1000`
  keepOpen(() => {
    const socket = tls()
    socket.once('secureConnect', () => {
      socket.pause()
      const timer = setInterval(() => socket.write(request(path)), 20)
      socket.once('close', () => clearInterval(timer))
    })
    return socket
  })
}

/** Records the ciphertext of its own session through a local proxy, and replays it on new connections. */
function replayAcross(): void {
  const recorded: Buffer[] = []
  const proxy = createServer((client) => {
    const onward = tcp()
    client.on('error', () => undefined)
    client.on('data', (data: Buffer) => {
      recorded.push(data)
      onward.write(data)
    })
    onward.on('data', (data) => client.write(data))
    onward.on('close', () => client.destroy())
  }).listen(0, '127.0.0.1', () => {
    const address = proxy.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const socket = new WebSocket(`wss://127.0.0.1:${port}/agent`, {
      createConnection: () => tls(connectTcp({ port, host: '127.0.0.1' })),
    })
    socket.on('error', () => undefined)
    socket.on('open', () => {
      count('recorded')
      socket.send(JSON.stringify(hello()))
      for (let seq = 1; seq <= 5; seq++) socket.send(JSON.stringify(beat(seq)))
      setTimeout(() => {
        socket.terminate()
        keepOpen(() => {
          const again = tcp()
          again.resume()
          for (const data of recorded) again.write(data)
          return again
        })
      }, 500)
    })
  })
}

function begin(): void {
  switch (attack.kind) {
    case 'storm':
      return recordClientHello((clientHello) =>
        perSecond(() => {
          const socket = tcp()
          socket.resume()
          socket.write(clientHello)
          return socket
        }),
      )
    case 'handshakes':
      return perSecond(() => {
        const socket = tls()
        socket.once('secureConnect', () => {
          count('secured')
          socket.destroy()
        })
        return socket
      })
    case 'silent-tcp':
      return keepOpen(tcp)
    case 'silent-tls':
      return keepOpen(tls)
    case 'half-request':
      return keepOpen(() =>
        tls().once('secureConnect', function (this: TLSSocket) {
          this.write('GET /healthz HTTP/1.1\r\nHost: x\r\nX-Half: ')
        }),
      )
    case 'drip':
      return keepOpen(() => {
        const socket = tls()
        const timer = setInterval(() => socket.write('G'), 1000)
        socket.once('close', () => clearInterval(timer))
        return socket
      })
    case 'pipeline':
      return keepOpen(() => {
        const socket = tls()
        const batch = request('/healthz').repeat(1000)
        socket.once('secureConnect', () => {
          socket.resume()
          const timer = setInterval(() => {
            if (socket.writableLength < 1_000_000) socket.write(batch)
          }, 10)
          socket.once('close', () => clearInterval(timer))
        })
        return socket
      })
    case 'idlers':
      // Asks from time to time, so that its connection counts as one in use.
      return keepOpen(() => {
        const socket = tls()
        socket.resume()
        socket.once('secureConnect', () => socket.write(request('/healthz')))
        const timer = setInterval(() => socket.write(request('/healthz')), 2000)
        socket.once('close', () => clearInterval(timer))
        return socket
      })
    case 'nobody':
    case 'foreign-authority':
      return keepTalking((socket) => say(socket, hello()))
    case 'impostor':
      return keepTalking((socket) => say(socket, hello()))
    case 'join':
      // Guesses the secret of an invite.
      return keepOpen(() => {
        const socket = tls()
        socket.resume()
        const secret = randomBytes(16).toString('base64url')
        const body = JSON.stringify({
          cluster: attack.as.cluster,
          node: attack.as.node,
          secret,
          csr: 'x',
          address: null,
          port: 7401,
        })
        socket.once('secureConnect', () =>
          socket.write(
            `POST /api/v1/join HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
          ),
        )
        return socket
      })
    case 'frames':
      return sendBadFrames()
    case 'replay':
      // The same frame, and older ones.
      return keepTalking((socket) => {
        say(socket, hello())
        say(socket, beat(2 ** 40))
        repeat(socket, 20, (index) => beat(index % 2 === 0 ? 2 ** 40 : index))
      })
    case 'replay-across':
      return replayAcross()
    case 'slow-reader':
      return readSlowly()
    case 'flood':
      return keepTalking((socket) => {
        say(socket, hello({ incarnation: randomUUID() }))
        repeat(socket, 2, beat)
      })
    case 'hellos':
      return keepTalking((socket) =>
        repeat(socket, 12, (index) =>
          hello({
            incarnation: `${incarnation}-${index}`,
            listener: { address: `10.0.1.${index % 250}`, port: 7000 + (index % 1000) },
          }),
        ),
      )
    case 'tells':
      return keepTalking((socket) => {
        say(socket, hello())
        repeat(socket, 12, (index) => ({
          type: 'tell',
          instance: null,
          event: `noise-${index}`,
          level: 'critical',
          text: 'x'.repeat(480),
        }))
      })
    case 'checks':
      return keepOpen(() => {
        const socket = tls()
        let index = 0
        const { cluster, node } = attack.as
        const ask = (): void => {
          count('asked')
          socket.write(request(`/api/v1/check?cluster=${cluster}&node=${node}&instance=VI_${index++ % 64}`))
        }
        socket.once('secureConnect', ask)
        socket.on('data', ask)
        return socket
      })
    default:
      return assertNever(attack.kind)
  }
}

begin()
